package corrections

import "bajigong/internal/fail"

// State is how far a correction has come; see the table of the package.
type State string

// The states.
const (
	Proposed  State = "proposed"
	Approved  State = "approved"
	Rejected  State = "rejected"
	Withdrawn State = "withdrawn"
	Done      State = "done"
	Lapsed    State = "lapsed"
)

// States lists every state.
func States() []State { return []State{Proposed, Approved, Rejected, Withdrawn, Done, Lapsed} }

// Ended reports whether nothing more will happen.
func (s State) Ended() bool { return s != Proposed && s != Approved }

// Words is the state as officials say it.
func (s State) Words() (zh, en string) { w := stateWords[s]; return w[0], w[1] }

var stateWords = map[State][2]string{
	Proposed: {"待审核", "waiting for a second person"}, Approved: {"已批准，签发中", "approved and being signed"},
	Rejected: {"不予更正", "rejected"}, Withdrawn: {"已撤回", "withdrawn"}, Done: {"已更正", "corrected"},
	Lapsed: {"因证书状态变化未能签发", "lapsed because the certificate's status changed"},
}

// Act is what is done to a correction.
type Act string

// The acts.
const (
	Approve  Act = "approve"  // by the second person
	Reject   Act = "reject"   // by the second person
	Withdraw Act = "withdraw" // by who proposed it
	Sign     Act = "sign"     // the register has signed the new version
	Lapse    Act = "lapse"    // the register cannot sign it any more
)

// Acts lists every act.
func Acts() []Act { return []Act{Approve, Reject, Withdraw, Sign, Lapse} }

var next = map[State]map[Act]State{
	Proposed: {Approve: Approved, Reject: Rejected, Withdraw: Withdrawn},
	Approved: {Sign: Done, Lapse: Lapsed},
}

// Next is the state after an act. Error: Conflict correction_state.
func Next(from State, do Act) (State, error) {
	to, ok := next[from][do]
	if !ok {
		zh, en := from.Words()
		return from, fail.New(fail.Conflict, "correction_state", "the correction is %s (%s) and cannot be changed by %s", from, en, do).
			In("该更正申请当前为“%s”，不能再办理此操作", zh)
	}
	return to, nil
}

// SecondPersonDecides refuses the proposer as the one who decides, where a second
// person is needed. Error: Forbidden second_person.
func SecondPersonDecides(needed bool, proposer, decider string) error {
	if needed && proposer == decider {
		return fail.New(fail.Forbidden, "second_person", "another account than the one that proposed it has to decide").
			In("须由提出人以外的另一账号审核，本账号不能审核自己提出的事项")
	}
	return nil
}
