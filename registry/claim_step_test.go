package registry

import (
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry/locks"
	"bajigong/registry/policy"
	"bajigong/standards"
)

var (
	lockRules  = locks.Rules{Head: rulefile.Head{ID: "test"}, Days: 90, ExtendDays: 90, LongestDays: 270, PublicityDays: 5, OverdueDays: 60, WarnDays: 14}
	otherPayer = Actor{Account: "a-2", Organisation: "ks", Roles: []Role{RolePayer}, Region: "320583"}
	saysNo     = false
)

// claimIn is a claim in a state, as its own rules lead there.
func claimIn(t *testing.T, state policy.State) Claim {
	t.Helper()
	c := reservedClaim()
	c.Advance = 100000
	must := func(next Claim, _ bool, err error) Claim {
		t.Helper()
		if err != nil {
			t.Fatalf("on the way to %s: %v", state, err)
		}
		next, err = next.logged(next.LogIndex + uint64(len(next.Steps)))
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	at := func(days int) time.Time { return claimDay.AddDate(0, 0, days) }
	pay := func(c Claim, ref string, amount policy.Fen, taken ...policy.Failure) Claim {
		return must(c.Confirm(Payment{Reference: ref, PaidOn: standards.DateOf(at(12)), Amount: amount}, taken, payerActor, at(12)))
	}
	publicise := func(c Claim) Claim {
		return must(c.Publicise(NewClaimPublicity{From: standards.DateOf(claimDay)}, lockRules, standards.Calendar{}, payerActor, at(11)))
	}
	switch state {
	case policy.Publicised:
		return publicise(c)
	case policy.Payable:
		return must(publicise(c).MakePayable("", lockRules, payerActor, at(12)))
	case policy.PartPaid:
		return publicise(pay(c, "P-1", 100000))
	case policy.Confirmed:
		return pay(c, "P-1", c.Amount)
	case policy.Released:
		return must(c.GiveUp("x", payerActor, at(10)))
	case policy.Withdrawn:
		return must(c.Withdraw("x", payerActor, at(10)))
	case policy.Duplicate:
		return pay(claimIn(t, policy.Released), "P-1", c.Amount, policy.Failure{Reason: policy.OnceTaken})
	case policy.Recovering:
		return must(claimIn(t, policy.Confirmed).Recover(NewRecovery{Reason: "x", Restores: &saysNo}, nil, payerActor, at(13)))
	case policy.PartlyRefunded:
		return must(claimIn(t, policy.Confirmed).PayBack(Refund{Amount: 60000, Reference: "R-1", Reason: "x", Restores: &saysNo}, nil, payerActor, at(13)))
	case policy.Refunded:
		return must(claimIn(t, policy.Confirmed).PayBack(Refund{Amount: 260000, Reason: "x", Restores: &saysNo}, nil, payerActor, at(13)))
	}
	return c
}

// Every rule of a claim is tried in every state, and does what the table of
// policy.State says: the state it leads to, or a refusal that changes nothing.
func TestEveryStepInEveryState(t *testing.T) {
	table := doctest.States(t, "policy/claim.go", "State")
	gone, seen := []policy.Failure{{Reason: policy.OnceTaken}}, map[policy.Event]bool{policy.Reserve: true, policy.Expire: true}
	free := lockRules
	free.PublicityDays = 0
	for _, state := range policy.States()[1:] {
		now := claimDay.AddDate(0, 0, 30)
		if state == policy.Expired {
			now = claimDay.AddDate(0, 0, 100)
		}
		on := standards.DateOf(now)
		c := claimIn(t, state)
		if c.StateAt(now) != state {
			t.Fatalf("%s, want %s", c.StateAt(now), state)
		}
		l := c.life()
		rest, owed := c.Amount-l.paid, l.paid-l.back
		pay := func(amount policy.Fen, taken []policy.Failure) func() (Claim, bool, error) {
			return func() (Claim, bool, error) {
				return c.Confirm(Payment{Reference: "NEW", PaidOn: on, Amount: amount}, taken, payerActor, now)
			}
		}
		returned := policy.FailPayment
		if len(l.payments) == 1 {
			returned = policy.Return
		}
		two := c
		two.Advance = 200000
		if len(l.payments) == 1 && rest > 0 {
			if more, _, err := two.Confirm(Payment{Reference: "P-2", PaidOn: on, Amount: 50000}, nil, payerActor, now); err == nil {
				two = more
			}
		}
		for name, x := range map[string]struct {
			event policy.Event
			do    func() (Claim, bool, error)
		}{
			"extend": {policy.Extend, func() (Claim, bool, error) {
				return c.Extend(ClaimExtension{Until: standards.DateOf(c.Expires).AddDays(5), Reason: "x"}, lockRules, payerActor, now)
			}},
			"publicise": {policy.Publicise, func() (Claim, bool, error) {
				return c.Publicise(NewClaimPublicity{From: on}, lockRules, standards.Calendar{}, payerActor, now)
			}},
			"object": {policy.Object, func() (Claim, bool, error) { return c.Object("x", payerActor, now) }},
			"approve": {policy.Approve, func() (Claim, bool, error) {
				out, done, err := c.MakePayable("", free, payerActor, now)
				if done { // it is: nothing to record
					return c, false, fail.New(fail.Conflict, "claim_move", "done")
				}
				return out, done, err
			}},
			"pay":             {policy.Payment(state, nil), pay(rest, nil)},
			"pay, taken":      {policy.Payment(state, gone), pay(rest, gone)},
			"pay part":        {policy.PartPayment(state, nil), pay(min(rest, 50000)-1, nil)},
			"pay part, taken": {policy.PartPayment(state, gone), pay(min(rest, 50000)-1, gone)},
			"return": {returned, func() (Claim, bool, error) {
				return c.Return(PaymentReturn{Payment: "P-1", Reason: "x", On: on}, payerActor, now)
			}},
			"return of another": {policy.FailPayment, func() (Claim, bool, error) {
				return c.Return(PaymentReturn{Payment: "P-9", Reason: "x", On: on}, payerActor, now)
			}},
			"release":  {policy.Release, func() (Claim, bool, error) { return c.GiveUp("y", payerActor, now) }},
			"withdraw": {policy.Withdraw, func() (Claim, bool, error) { return c.Withdraw("y", payerActor, now) }},
			"recover": {policy.Recover, func() (Claim, bool, error) {
				return c.Recover(NewRecovery{Reason: "y", Restores: &saysNo}, nil, payerActor, now)
			}},
			"refund part": {policy.RefundPart, func() (Claim, bool, error) {
				return c.PayBack(Refund{Amount: max(owed-1, 1), Reference: "R-9", Reason: "x", Restores: &saysNo}, nil, payerActor, now)
			}},
			"refund": {policy.Refund, func() (Claim, bool, error) {
				return c.PayBack(Refund{Amount: max(owed, 1), Reference: "R-9", Reason: "x", Restores: &saysNo}, nil, payerActor, now)
			}},
		} {
			if state == policy.PartPaid && strings.HasPrefix(name, "pay part") {
				continue // its advance is used up; below
			}
			if state == policy.Duplicate && strings.HasPrefix(name, "pay") {
				continue // all of it was paid
			}
			seen[x.event] = true
			want := table.Next[string(state)][string(x.event)]
			out, done, err := x.do()
			if want != doctest.Refused {
				if err != nil || done || string(out.State) != want || out.Steps[len(out.Steps)-1].State != out.State {
					t.Errorf("%s, %s: %s, %t, %v; want %s", state, name, out.State, done, err, want)
				}
			} else if fail.CodeOf(err) != "claim_move" || fail.KindOf(err) != fail.Conflict || len(out.Steps) != len(c.Steps) {
				t.Errorf("%s, %s must be refused: %s, %v", state, name, out.State, err)
			}
		}
		if len(two.life().payments) == 2 {
			out, _, err := two.Return(PaymentReturn{Payment: "P-2", Reason: "x", On: on}, payerActor, now)
			if want := table.Next[string(two.State)]["return_part"]; err != nil || string(out.State) != want {
				t.Errorf("%s, one of two returned: %s, %v; want %s", two.State, out.State, err, want)
			}
			seen[policy.ReturnPart] = true
		}
	}
	for _, ev := range policy.Events() {
		if again := slices.Contains([]policy.Event{policy.PayAgain, policy.AgainBack, policy.AgainPart, policy.AgainShort}, ev); !seen[ev] && ev != policy.PayPart && !again { // those follow from a correction alone: claim_again_test.go
			t.Errorf("%s was never tried", ev)
		}
	}
}

func TestAdvanceThenTheRest(t *testing.T) {
	now := claimDay.AddDate(0, 0, 5)
	on := standards.DateOf(now)
	c := reservedClaim()
	c.Advance = 100000
	pay := func(ref string, amount policy.Fen) error {
		next, _, err := c.Confirm(Payment{Reference: ref, PaidOn: on, Amount: amount}, nil, payerActor, now)
		if err == nil {
			c = next
		}
		return err
	}
	for i, step := range []struct {
		amount policy.Fen
		code   string
		state  policy.State
	}{{100001, "payment", policy.Reserved}, {60000, "", policy.PartPaid}, {50000, "payment", policy.PartPaid}, {40000, "", policy.PartPaid},
		{1, "payment", policy.PartPaid}, {160001, "payment", policy.PartPaid}, {160000, "", policy.Confirmed}, {1, "claim_move", policy.Confirmed}} {
		if err := pay(string(rune('A'+i)), step.amount); fail.CodeOf(err) != step.code || c.State != step.state {
			t.Fatalf("payment %d: %v, %s", i, err, c.State)
		}
	}
	if c.StateAt(c.Expires.AddDate(1, 0, 0)) != policy.Confirmed || c.InHands() != 260000 || len(c.life().payments) != 3 {
		t.Errorf("%+v", c.life())
	}
	part := claimIn(t, policy.PartPaid)
	if part.StateAt(part.Expires.AddDate(1, 0, 0)) != policy.PartPaid {
		t.Error("money is out, and the claim expires")
	}
}

func TestExtensionIsBounded(t *testing.T) {
	c := reservedClaim() // 2026-03-20, until 2026-06-18
	now := claimDay.AddDate(0, 0, 10)
	for until, code := range map[standards.Date]string{"2026-06-18": "extension", "2026-06-19": "", "2026-09-16": "", "2026-09-17": "extension", "": "extension", "2026-02-30": "extension"} {
		out, _, err := c.Extend(ClaimExtension{Until: until, Reason: "财政排期"}, lockRules, payerActor, now)
		if fail.CodeOf(err) != code || code == "" && !out.Expires.Equal(until.AddDays(1).Time()) {
			t.Errorf("%s: %v, %s", until, err, out.Expires)
		}
	}
	long, _, err := c.Extend(ClaimExtension{Until: "2026-09-16", Reason: "财政排期"}, lockRules, payerActor, now)
	if err != nil {
		t.Fatal(err)
	}
	if again, done, err := long.Extend(ClaimExtension{Until: "2026-09-16", Reason: "财政排期"}, lockRules, payerActor, now); err != nil || !done || len(again.Steps) != 1 {
		t.Errorf("again: %t, %v", done, err)
	}
	if long, _, err = long.Extend(ClaimExtension{Until: "2026-12-15", Reason: "y"}, lockRules, payerActor, now); err != nil { // 270 days
		t.Fatal(err)
	}
	if _, _, err := long.Extend(ClaimExtension{Until: "2026-12-16", Reason: "z"}, lockRules, payerActor, now); fail.CodeOf(err) != "extension" {
		t.Errorf("beyond the longest: %v", err)
	}
	if _, _, err := c.Extend(ClaimExtension{Until: "2026-06-20", Reason: "x"}, locks.Rules{Days: 90}, payerActor, now); fail.CodeOf(err) != "extension" {
		t.Errorf("without a rule: %v", err)
	}
	for i := range long.Steps {
		long.Steps[i].LogIndex = long.LogIndex + uint64(i) + 1
	}
	if was, ok := long.before(long.LogIndex + 1); !ok || !was.Expires.Equal(c.Expires) {
		t.Errorf("before its extensions it expired %s", was.Expires)
	}
}

func TestPublicityHasTheWorkingDaysOfItsRules(t *testing.T) {
	c, now := reservedClaim(), claimDay.AddDate(0, 0, 3)
	first := lockRules
	first.PublicityCountsFirst = true
	for name, x := range map[string]struct {
		in    NewClaimPublicity
		rules locks.Rules
		until standards.Date
		code  string
	}{
		"from a Monday":          {NewClaimPublicity{From: "2026-03-23"}, lockRules, "2026-03-30", ""},
		"the first day counts":   {NewClaimPublicity{From: "2026-03-23"}, first, "2026-03-27", ""},
		"a Saturday counts not":  {NewClaimPublicity{From: "2026-03-21"}, first, "2026-03-27", ""},
		"longer":                 {NewClaimPublicity{From: "2026-03-23", Until: "2026-04-30"}, lockRules, "2026-04-30", ""},
		"a day short":            {NewClaimPublicity{From: "2026-03-23", Until: "2026-03-29"}, lockRules, "", "publicity"},
		"before the reservation": {NewClaimPublicity{From: "2026-03-19"}, lockRules, "", "publicity"},
		"no day":                 {NewClaimPublicity{}, lockRules, "", "publicity"},
		"beyond the lock":        {NewClaimPublicity{From: "2026-03-23", Until: "2026-06-18"}, lockRules, "", "lock_too_short"},
		"an identity number":     {NewClaimPublicity{From: "2026-03-23", Reference: "11010519491231002X"}, lockRules, "", "publicity"},
	} {
		out, _, err := c.Publicise(x.in, x.rules, standards.Calendar{}, payerActor, now)
		if fail.CodeOf(err) != x.code || x.code == "" && out.Publicity.Until != x.until {
			t.Errorf("%s: %v, %+v", name, err, out.Publicity)
		}
	}
	p := claimIn(t, policy.Publicised) // over on 2026-03-27
	if _, _, err := p.MakePayable("", lockRules, payerActor, standards.Date("2026-03-27").Time()); fail.CodeOf(err) != "publicity_running" {
		t.Errorf("on its last day: %v", err)
	}
	if _, _, err := c.MakePayable("", lockRules, payerActor, now); fail.CodeOf(err) != "publicity_missing" {
		t.Errorf("without it: %v", err)
	}
}

func TestRefundInParts(t *testing.T) {
	c, now := claimIn(t, policy.Confirmed), claimDay.AddDate(0, 0, 20)
	yes := true
	part := func(amount policy.Fen, ref string, said *bool, law *policy.RefundRule) (bool, error) {
		next, done, err := c.PayBack(Refund{Amount: amount, Reference: ref, Reason: "证书撤销", Restores: said}, law, payerActor, now)
		if err == nil {
			c = next
		}
		return done, err
	}
	for i, x := range []struct {
		amount policy.Fen
		ref    string
		said   *bool
		code   string
		state  policy.State
		owed   policy.Fen
		done   bool
	}{
		{60000, "R-1", nil, "refund", policy.Confirmed, 0, false},  // nobody guesses whether it restores
		{60000, "", &saysNo, "refund", policy.Confirmed, 0, false}, // a part without a reference
		{60000, "R-1", &saysNo, "", policy.PartlyRefunded, 200000, false},
		{60000, "R-1", &saysNo, "", policy.PartlyRefunded, 200000, true},
		{60001, "R-1", &saysNo, "refund_reference_reused", policy.PartlyRefunded, 200000, false},
		{1000, "R-2", &yes, "refund", policy.PartlyRefunded, 200000, false}, // decided once
		{200001, "R-2", nil, "refund", policy.PartlyRefunded, 200000, false},
		{100000, "R-2", nil, "", policy.PartlyRefunded, 100000, false},
		{100000, "R-3", nil, "", policy.Refunded, 0, false},
		{1, "R-4", nil, "claim_move", policy.Refunded, 0, false},
	} {
		done, err := part(x.amount, x.ref, x.said, nil)
		if fail.CodeOf(err) != x.code || done != x.done || c.State != x.state || c.Owed() != x.owed {
			t.Fatalf("part %d: %v, %t, %s, owed %s", i, err, done, c.State, c.Owed())
		}
		if (c.Refund != nil) != (c.State == policy.Refunded) {
			t.Fatalf("part %d: %+v", i, c.Refund)
		}
	}
	if c.Refund.Restores || c.Refund.Amount != 260000 || c.Recovery.Closed.IsZero() || c.InHands() != 0 {
		t.Errorf("%+v %+v", c.Refund, c.Recovery)
	}
	c = claimIn(t, policy.Confirmed)
	if _, err := part(260000, "", nil, &policy.RefundRule{RestoresRight: true}); err != nil || !c.Refund.Restores {
		t.Errorf("by the policy: %v", err)
	}
}

func TestReturnKeepsTheRight(t *testing.T) {
	c, now := claimIn(t, policy.Confirmed), claimDay.AddDate(0, 0, 20)
	on := standards.DateOf(now)
	c, _, err := c.Return(PaymentReturn{Payment: "P-1", Reason: "账户状态异常", On: on}, payerActor, now)
	if err != nil || c.State != policy.Payable || c.Payment != nil || c.InHands() != 0 || c.StateAt(c.Expires.AddDate(1, 0, 0)).Counts() != policy.CountsYes {
		t.Fatalf("%s, %v", c.State, err)
	}
	if _, done, err := c.Return(PaymentReturn{Payment: "P-1", Reason: "账户状态异常", On: on}, payerActor, now); err != nil || !done {
		t.Errorf("again: %t, %v", done, err)
	}
	failed, _, err := c.Return(PaymentReturn{Payment: "P-2", Reason: "x", On: on}, payerActor, now)
	if err != nil || failed.State != policy.Payable {
		t.Errorf("a payment that was never recorded: %s, %v", failed.State, err)
	}
	if _, _, err := failed.Confirm(Payment{Reference: "P-2", PaidOn: on, Amount: 260000}, nil, payerActor, now); fail.CodeOf(err) != "payment_returned" {
		t.Errorf("paid under a returned reference: %v", err)
	}
	if paid, _, err := failed.Confirm(Payment{Reference: "P-3", PaidOn: on, Amount: 260000}, nil, payerActor, now); err != nil || paid.State != policy.Confirmed || paid.Payment.Reference != "P-3" {
		t.Errorf("paid again: %v", err)
	}
	for _, reason := range []string{"", "户名不符 6222 0212 0200 1234 567", "11010519491231002X"} {
		if _, _, err := c.Return(PaymentReturn{Payment: "P-4", Reason: reason, On: on}, payerActor, now); fail.CodeOf(err) != "return" {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	twice, _, err := claimIn(t, policy.Duplicate).Return(PaymentReturn{Payment: "P-1", Reason: "x", On: on}, payerActor, now)
	if err != nil || twice.State != policy.Released || twice.Owed() != 0 || twice.Recovery.Closed.IsZero() {
		t.Errorf("paid twice and returned: %s, %+v, %v", twice.State, twice.Recovery, err)
	}
}

func TestCorrectionTakesTwoAccounts(t *testing.T) {
	now := claimDay.AddDate(0, 0, 20)
	fen := func(n policy.Fen) *policy.Fen { return &n }
	ask := func(c Claim, in NewClaimCorrection) (Claim, error) {
		in.Reason = "录入有误"
		return c.AskCorrection(in, payerActor, now)
	}
	paid := claimIn(t, policy.Confirmed)
	for name, x := range map[string]struct {
		claim Claim
		in    NewClaimCorrection
		code  string
	}{
		"wrong date":          {paid, NewClaimCorrection{Step: 1, On: "2026-03-30"}, ""},
		"wrong reference":     {paid, NewClaimCorrection{Step: 1, Reference: "P-77"}, ""},
		"wrong amount":        {paid, NewClaimCorrection{Step: 1, Amount: fen(200000)}, ""},
		"wrong line":          {paid, NewClaimCorrection{Step: 1, Void: true}, ""},
		"more than decided":   {paid, NewClaimCorrection{Step: 1, Amount: fen(260001)}, "payment"},
		"nothing":             {paid, NewClaimCorrection{Step: 1, Reference: "P-1"}, "claim_correction"},
		"no such step":        {paid, NewClaimCorrection{Step: 2, Void: true}, "claim_correction"},
		"void and values":     {paid, NewClaimCorrection{Step: 1, Void: true, Reference: "P-77"}, "claim_correction"},
		"a day in the future": {paid, NewClaimCorrection{Step: 1, On: "2030-01-01"}, "claim_correction"},
		"a release":           {claimIn(t, policy.Released), NewClaimCorrection{Step: 1, Void: true}, "claim_correction"},
		"what others rest on": {claimIn(t, policy.PartlyRefunded), NewClaimCorrection{Step: 1, Void: true}, "claim_correction_rests"},
		"a refund":            {claimIn(t, policy.PartlyRefunded), NewClaimCorrection{Step: 2, Amount: fen(70000)}, ""},
		"a recovery":          {claimIn(t, policy.Recovering), NewClaimCorrection{Step: 2, Void: true}, ""},
		"a recovery changed":  {claimIn(t, policy.Recovering), NewClaimCorrection{Step: 2, Reference: "x"}, "claim_correction"},
	} {
		if _, err := ask(x.claim, x.in); fail.CodeOf(err) != x.code {
			t.Errorf("%s: %v, want %q", name, err, x.code)
		}
	}
	asked, err := ask(paid, NewClaimCorrection{Step: 1, Void: true})
	if err != nil || asked.State != policy.Confirmed || len(asked.Steps) != 1 {
		t.Fatalf("asked: %s, %v", asked.State, err)
	}
	if _, err := ask(asked, NewClaimCorrection{Step: 1, Reference: "P-8"}); fail.CodeOf(err) != "claim_correction_open" {
		t.Errorf("a second one: %v", err)
	}
	if _, err := asked.DecideCorrection(1, ApproveClaimCorrection, "", payerActor, now); fail.CodeOf(err) != "second_person" {
		t.Errorf("approved by who asked: %v", err)
	}
	if _, err := asked.DecideCorrection(1, WithdrawClaimCorrection, "", otherPayer, now); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("withdrawn by another: %v", err)
	}
	done, err := asked.DecideCorrection(1, ApproveClaimCorrection, "", otherPayer, now)
	if err != nil || done.State != policy.Reserved || done.InHands() != 0 || len(done.Steps) != 2 || done.Steps[0] != asked.Steps[0] {
		t.Fatalf("approved: %s, %v", done.State, err)
	}
	if done.StateAt(done.Expires) != policy.Expired {
		t.Error("the lock that was not used does not run out")
	}
	if done, err = done.logged(done.LogIndex + 5); err != nil {
		t.Fatal(err)
	}
	if was, ok := done.before(done.LogIndex + 5); !ok || was.State != policy.Confirmed {
		t.Errorf("before the correction it was %s", was.State)
	}
	less, _ := ask(paid, NewClaimCorrection{Step: 1, Amount: fen(200000)})
	if less, err = less.DecideCorrection(1, ApproveClaimCorrection, "", otherPayer, now); err != nil || less.State != policy.PartPaid || less.InHands() != 200000 {
		t.Errorf("paid less than was recorded: %s, %v", less.State, err)
	}
	if rest, _, err := less.Confirm(Payment{Reference: "P-2", PaidOn: "2026-04-01", Amount: 60000}, nil, payerActor, now); err != nil || rest.State != policy.Confirmed {
		t.Errorf("the rest: %v", err)
	}
}

func TestCorrectionStateTable(t *testing.T) {
	table := doctest.States(t, "claim_correction.go", "ClaimCorrectionState")
	states := []ClaimCorrectionState{ClaimCorrectionProposed, ClaimCorrectionApproved, ClaimCorrectionRejected, ClaimCorrectionWithdrawn}
	acts := []ClaimCorrectionAct{ApproveClaimCorrection, RejectClaimCorrection, WithdrawClaimCorrection}
	doctest.Holds(t, table, states, acts)
	for _, from := range states {
		for _, do := range acts {
			to, err := from.after(do)
			want := table.Next[string(from)][string(do)]
			if (want == doctest.Refused) != (fail.CodeOf(err) == "claim_correction_state") || err == nil && string(to) != want {
				t.Errorf("%s of %s: %s, %v", do, from, to, err)
			}
		}
		if claimCorrectionZH[from] == "" {
			t.Errorf("%s has no words", from)
		}
	}
	payout := doctest.States(t, "claim_payout.go", "PayoutState")
	doctest.Holds(t, payout, []PayoutState{PayoutRunning, PayoutDone}, []string{"page", "last_page"})
	for from, row := range payout.Next {
		for do, want := range row {
			if to, ok := payoutMoves[PayoutState(from)][do]; ok != (want != doctest.Refused) || ok && string(to) != want {
				t.Errorf("%s of %s: %s", do, from, to)
			}
		}
	}
}

// A claim of the first release takes its steps along when a new one comes.
func TestClaimOfTheFirstRelease(t *testing.T) {
	c := reservedClaim()
	c.State, c.Payment = policy.Confirmed, &PaymentRecord{Payment: Payment{Reference: "P", PaidOn: "2026-03-21", Amount: c.Amount}, At: claimDay.Add(time.Hour), By: "a-1", LogIndex: 9}
	if c.InHands() != c.Amount || c.View(claimDay).Steps[0].State != policy.Confirmed {
		t.Errorf("%+v", c.steps())
	}
	next, _, err := c.Return(PaymentReturn{Payment: "P", Reason: "x", On: "2026-03-22"}, payerActor, claimDay.AddDate(0, 0, 3))
	if err != nil || next.State != policy.Payable || len(next.Steps) != 2 || next.Steps[0].LogIndex != 9 {
		t.Fatalf("%+v, %v", next.Steps, err)
	}
	past := reservedClaim()
	past.State, past.Imported, past.Expires = policy.Confirmed, &ImportedPayment{At: claimDay}, time.Time{}
	if back, _, err := past.PayBack(Refund{Amount: past.Amount, Reason: "x", Restores: &saysNo}, nil, payerActor, claimDay.AddDate(0, 0, 3)); err != nil || back.State != policy.Refunded {
		t.Errorf("a payment of the past: %s, %v", back.State, err)
	}
}

func TestStepsAreBounded(t *testing.T) {
	c := claimIn(t, policy.Payable)
	now := claimDay.AddDate(0, 0, 20)
	on := standards.DateOf(now)
	for i := 0; ; i++ {
		next, _, err := c.Return(PaymentReturn{Payment: strings.Repeat("F", i+1), Reason: "x", On: on}, payerActor, now)
		if err != nil {
			if fail.CodeOf(err) != "too_many_steps" || len(c.Steps) != claimStepsSoft {
				t.Fatalf("after %d: %v", len(c.Steps), err)
			}
			break
		}
		c = next
	}
	if _, _, err := c.Confirm(Payment{Reference: "P", PaidOn: on, Amount: c.Amount}, nil, payerActor, now); err != nil {
		t.Errorf("money has room left: %v", err)
	}
	c.Steps = slices.Repeat(c.Steps, 3)
	if _, _, err := c.Confirm(Payment{Reference: "P", PaidOn: on, Amount: c.Amount}, nil, payerActor, now); fail.KindOf(err) != fail.Conflict {
		t.Errorf("without a bound: %v", err)
	}
}
