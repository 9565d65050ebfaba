package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// runsMost is how many runs of blanks one request may touch: with more of them the
// ledger is too broken up for one Update.
const runsMost = 500

// blankRulesOf are the rules in force for an institution.
func (r *Registry) blankRulesOf(inst evaluators.Institution, now time.Time) (blanks.Rules, error) {
	rules, ok := r.cfg.Rules.Stock.On(inst.Region, string(standards.DateOf(now)))
	if !ok {
		return rules, fail.New(fail.Conflict, "no_blank_rules", "no rules for blank certificates are in force in region %s; the operator adds a file", inst.Region).
			In("地区 %s 没有现行的空白证书管理规则，请运维人员添加规则文件", inst.Region)
	}
	return rules, nil
}

// blanksFor loads an institution whose blanks by may handle.
func blanksFor(rd kv.Reader, by Actor, do Action, institution string) (evaluators.Institution, error) {
	if len(by.Roles) == 0 {
		return evaluators.Institution{}, may(by, do, Object{})
	}
	inst, err := institutionByID(rd, institution)
	if err != nil {
		return inst, err
	}
	return inst, may(by, do, Object{Institution: inst.ID, Region: inst.Region})
}

// partyOf is how the rules for blanks see an actor.
func partyOf(by Actor) blanks.Party {
	return blanks.Party{Account: by.Account, Authority: by.has(RoleAuthority)}
}

// runsAround reads the runs that share a code with a range, and its neighbours.
func runsAround(rd kv.Reader, r blanks.Range) ([]blanks.Run, error) {
	series := kv.Prefix(kv.Key(r.First.Prefix, uint64(r.First.Digits)))
	before, after := series, series
	before.To, before.Limit, before.Reverse = blankKey(r.First), 1, true
	after.From, after.Limit = blankKey(r.First), runsMost+1
	if end := kv.Key(r.Last.Prefix, uint64(r.Last.Digits), r.Last.Number+2); string(end) < string(after.To) {
		after.To = end
	}
	left, _, err := blankRuns.Scan(rd, before)
	if err != nil {
		return nil, err
	}
	right, _, err := blankRuns.Scan(rd, after)
	if err != nil {
		return nil, err
	}
	if len(right) > runsMost {
		return nil, fail.New(fail.Conflict, "blank_runs", "%s has more than %d different stretches; name smaller ranges", r, runsMost).
			In("%s 内状态过于零散（超过 %d 段），请分段办理", r, runsMost)
	}
	return append(left, right...), nil
}

// bringBlanks puts blanks into the ledger that were never in it.
func bringBlanks(tx kv.Tx, run blanks.Run) error {
	around, err := runsAround(tx, run.Range)
	if err != nil {
		return err
	}
	for _, there := range around {
		if there.First.Number <= run.Last.Number && there.Last.Number >= run.First.Number {
			return fail.New(fail.Conflict, "code_taken", "%s is in the ledger already; a code is given out once", there.Range).
				In("印制流水码 %s 已登记，同一流水码只能发出一次", there.Range).
				At(fail.Field{Name: "ranges", Code: "taken", ZH: there.Range.String() + " 已登记", EN: there.Range.String() + " is in the ledger"})
		}
	}
	if err := putRuns(tx, around, append(around, run)); err != nil {
		return err
	}
	return countBlanks(tx, []blanks.Moved{{Run: run}})
}

// moveBlanks is one act on blanks, with the counts that follow from it.
func moveBlanks(tx kv.Tx, m blanks.Move) ([]blanks.Moved, error) {
	around, err := runsAround(tx, m.Range)
	if err != nil {
		return nil, err
	}
	kept, moved, err := m.Apply(around)
	if err != nil {
		return nil, err
	}
	after := kept
	for _, run := range around {
		if run.Last.Number < m.Range.First.Number || run.First.Number > m.Range.Last.Number {
			after = append(after, run) // a neighbour
		}
	}
	for _, one := range moved {
		after = append(after, one.Run)
	}
	if err := putRuns(tx, around, after); err != nil {
		return nil, err
	}
	return moved, countBlanks(tx, moved)
}

// putRuns stores runs in place of others, joined where they are alike.
func putRuns(tx kv.Tx, before, after []blanks.Run) error {
	after = blanks.Join(after)
	still := map[string]bool{}
	for _, run := range after {
		still[string(blankRuns.Key(run))] = true
	}
	for _, run := range before {
		if key := blankRuns.Key(run); !still[string(key)] {
			if err := blankRuns.Delete(tx, key); err != nil {
				return err
			}
		}
	}
	return blankRuns.PutMany(tx, after)
}

// countBlanks moves the counts of institutions and sessions along. All moved are
// of one institution.
func countBlanks(tx kv.Tx, moved []blanks.Moved) error {
	if len(moved) == 0 {
		return nil
	}
	stock, err := stockOf(tx, moved[0].Institution)
	if err != nil {
		return err
	}
	uses := map[string]blanks.Use{}
	for _, m := range moved {
		if stock, err = stock.Move(m.From, m.State, m.Size()); err != nil {
			return err
		}
		if m.State == blanks.InStock && stock.Since == "" {
			stock.Since = standards.DateOf(tx.Now())
		}
		session := m.Of
		if session == "" || !blanks.OfSession(m.From, m.State) {
			continue
		}
		use, ok := uses[session]
		if !ok {
			if use, err = useOf(tx, session, m.Institution); err != nil {
				return err
			}
		}
		uses[session] = use.Move(m.From, m.State, m.Size())
	}
	for _, use := range uses {
		if err := blankUses.Put(tx, use); err != nil {
			return err
		}
	}
	return blankStocks.Put(tx, stock)
}

func stockOf(rd kv.Reader, institution string) (blanks.Stock, error) {
	s, ok, err := blankStocks.Get(rd, kv.Key(institution))
	if !ok {
		s = blanks.Stock{Institution: institution}
	}
	return s, err
}

func useOf(rd kv.Reader, session, institution string) (blanks.Use, error) {
	u, ok, err := blankUses.Get(rd, kv.Key(session))
	if !ok {
		u = blanks.Use{Session: session, Institution: institution}
	}
	return u, err
}

// ApplyForBlanks asks for blanks 申领. Invalid blank_application.
func (r *Registry) ApplyForBlanks(ctx context.Context, by Actor, institution string, quantity int, purpose string) (blanks.Application, error) {
	if bad := impersonal("purpose", purpose); bad != nil {
		return blanks.Application{}, fail.New(fail.Invalid, "blank_application", "the purpose has an identity number in it").In("用途中不得写身份证号码").At(bad...)
	}
	id := r.rand.id("ba")
	var out blanks.Application
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = blanks.Application{}
		inst, err := blanksFor(tx, by, KeepBlanks, institution)
		if err != nil {
			return err
		}
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, blankApplications, kv.Key(earlier), "application", "空白证书申领", earlier)
			}
			return err
		}
		rules, err := r.blankRulesOf(inst, tx.Now())
		if err != nil {
			return err
		}
		a, err := rules.Apply(blanks.Application{ID: id, Institution: inst.ID, Region: inst.Region, Quantity: quantity, Purpose: purpose, By: by.Account}, tx.Now())
		if err != nil {
			return err
		}
		if out, err = r.putBlankApplication(tx, by, a); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return blanks.Application{}, fmt.Errorf("apply for blanks: %w", err)
	}
	return out, nil
}

func (r *Registry) putBlankApplication(tx kv.Tx, by Actor, a blanks.Application) (blanks.Application, error) {
	index, err := r.appendEvent(tx, by, Event{Kind: BlanksApplication, Object: a.ID, Institution: a.Institution,
		Detail: map[string]any{"state": a.State, "quantity": a.Quantity, "granted": a.Granted, "ranges": rangeTexts(a.Ranges), "rules": a.Rules, "record_sha256": recordDigest(a)}})
	if err != nil {
		return a, err
	}
	a.LogIndex = index
	return a, blankApplications.Put(tx, a)
}

func rangeTexts(ranges []blanks.Range) (out []string) {
	for _, r := range ranges {
		out = append(out, r.String())
	}
	return out
}

// BlankStep is one step of an application for blanks: who approves may grant less
// than was asked for, who rejects says why, who sends names the codes.
type BlankStep struct {
	Granted int            `json:"granted,omitempty"`
	Note    string         `json:"note,omitempty"`
	Ranges  []blanks.Range `json:"ranges,omitempty"`
}

// MoveBlankApplication takes the next step of an application: approve, reject and
// send are for the approver that the rules name, withdraw and receive for the
// institution. Sent blanks are in the ledger from then on; received ones are in
// stock. Errors: Conflict blank_application_state, code_taken; Forbidden
// blank_approver, second_person; Invalid.
func (r *Registry) MoveBlankApplication(ctx context.Context, by Actor, id string, do blanks.ApplicationAct, in BlankStep) (blanks.Application, error) {
	bad := impersonal("note", in.Note)
	if len(in.Ranges) > blanks.RangesMost {
		bad = append(bad, fail.Field{Name: "ranges", Code: "length", ZH: fmt.Sprintf("不超过 %d 段", blanks.RangesMost), EN: fmt.Sprintf("at most %d ranges", blanks.RangesMost)})
	}
	if len(bad) > 0 {
		return blanks.Application{}, fail.New(fail.Invalid, "blank_application", "the step cannot be taken").In("填写有误").At(bad...)
	}
	action := KeepBlanks
	if do == blanks.ApproveApplication || do == blanks.RejectApplication || do == blanks.SendApplication {
		action = DecideOnBlanks
	}
	var out blanks.Application
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = blanks.Application{}
		if len(by.Roles) == 0 {
			return may(by, action, Object{})
		}
		a, err := need(tx, blankApplications, kv.Key(id), "application", "空白证书申领", id)
		if err != nil {
			return err
		}
		if err := may(by, action, Object{Institution: a.Institution, Region: a.Region}); err != nil {
			return err
		}
		if a, err = r.stepBlankApplication(tx, by, a, do, in); err != nil {
			return err
		}
		out, err = r.putBlankApplication(tx, by, a)
		return err
	})
	if err != nil {
		return blanks.Application{}, fmt.Errorf("%s blanks: %w", do, err)
	}
	return out, nil
}

func (r *Registry) stepBlankApplication(tx kv.Tx, by Actor, a blanks.Application, do blanks.ApplicationAct, in BlankStep) (_ blanks.Application, err error) {
	now, party := tx.Now(), partyOf(by)
	switch do {
	case blanks.ApproveApplication, blanks.RejectApplication:
		return a.Decide(do, party, in.Granted, in.Note, now)
	case blanks.WithdrawApplication:
		return a.Withdraw(party, now)
	case blanks.SendApplication:
		rules, ok := r.cfg.Rules.Stock.ByID(a.Rules)
		if !ok {
			return a, fail.New(fail.Conflict, "no_blank_rules", "the rule file %s of this application is gone", a.Rules).In("该申领所依据的规则文件 %s 已不存在", a.Rules)
		}
		if a, err = a.Send(rules, party, in.Ranges, now); err != nil {
			return a, err
		}
		for _, one := range a.Ranges {
			if err := bringBlanks(tx, blanks.Run{Range: one, Institution: a.Institution, State: blanks.Sent, Application: a.ID}); err != nil {
				return a, err
			}
		}
		return a, nil
	case blanks.ReceiveApplication:
		if a, err = a.Receive(party, now); err != nil {
			return a, err
		}
		return a, receiveBlanks(tx, a)
	}
	return a, fail.New(fail.Invalid, "blank_act", "there is no step %s", do).In("没有此操作")
}

// receiveBlanks puts what was sent into stock, but for what was reported lost on
// its way.
func receiveBlanks(tx kv.Tx, a blanks.Application) error {
	for _, one := range a.Ranges {
		around, err := runsAround(tx, one)
		if err != nil {
			return err
		}
		for _, run := range around {
			if run.State != blanks.Sent || run.Application != a.ID {
				continue
			}
			part := run.Range
			part.First.Number, part.Last.Number = max(part.First.Number, one.First.Number), min(part.Last.Number, one.Last.Number)
			if part.First.Number > part.Last.Number {
				continue
			}
			if _, err := moveBlanks(tx, blanks.Move{Act: blanks.Receive, Range: part, Institution: a.Institution}); err != nil {
				return err
			}
		}
	}
	return nil
}

// BlankApplications is one page of the applications of an institution, the newest
// first.
func (r *Registry) BlankApplications(ctx context.Context, by Actor, institution string, page Page) (out []blanks.Application, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := blanksFor(rd, by, ReadBlanks, institution)
		if err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(inst.ID))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, blankApplications, indexBlankApplications, rng, page)
		return err
	})
	return out, next, err
}

// BlankUseRequest is an act of an institution on its blanks. Take names a session
// and either ranges or a quantity, which is then taken from stock in the order of
// the codes; the others name ranges, spoil, lose and find with a reason.
type BlankUseRequest struct {
	Act      blanks.Act     `json:"-"`
	Session  string         `json:"session,omitempty"`
	Quantity int            `json:"quantity,omitempty"`
	Ranges   []blanks.Range `json:"ranges,omitempty"`
	Reason   string         `json:"reason,omitempty"`
}

// BlankUseReport is what was moved.
type BlankUseReport struct {
	Act      blanks.Act     `json:"act"`
	Ranges   []blanks.Range `json:"ranges"`
	Quantity int            `json:"quantity"`
	Stock    StockView      `json:"stock"`
	Use      *UseView       `json:"use,omitempty"`
}

// UseBlanks takes 领用, returns 退回, spoils 作废, loses 遗失 or finds blanks of an
// institution. A spoiled blank that was printed on takes its print with it: the
// certificate is due to be printed again. Errors: Conflict blank_state,
// blank_unknown, blank_session, blank_short, nobody_passed, session_not_publicised;
// Invalid blank_allowance (more than the rules allow, without a reason).
func (r *Registry) UseBlanks(ctx context.Context, by Actor, institution string, in BlankUseRequest) (BlankUseReport, error) {
	if err := in.check(); err != nil {
		return BlankUseReport{}, err
	}
	var out BlankUseReport
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = BlankUseReport{}
		inst, err := blanksFor(tx, by, KeepBlanks, institution)
		if err != nil {
			return err
		}
		rules, err := r.blankRulesOf(inst, tx.Now())
		if err != nil {
			return err
		}
		ranges := in.Ranges
		if earlier, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if err == nil {
				err = json.Unmarshal([]byte(earlier), &ranges)
			}
			if err == nil {
				out, err = useReport(tx, in, inst.ID, ranges, rules)
			}
			return err
		}
		if in.Act == blanks.Take {
			if ranges, err = r.mayTakeBlanks(tx, by, inst, rules, in); err != nil {
				return err
			}
		}
		for _, one := range ranges {
			m := blanks.Move{Act: in.Act, Range: one, Institution: inst.ID, Session: in.Session, Reason: in.Reason}
			moved, err := moveBlanks(tx, m)
			if err != nil {
				return err
			}
			if err := spoilPrints(tx, by, moved, in.Reason); err != nil {
				return err
			}
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: BlanksMoved, Object: inst.ID, Institution: inst.ID, Detail: map[string]any{
			"act": in.Act, "ranges": rangeTexts(ranges), "session": in.Session, "reason": in.Reason}}); err != nil {
			return err
		}
		if out, err = useReport(tx, in, inst.ID, ranges, rules); err != nil {
			return err
		}
		done, err := json.Marshal(ranges)
		if err != nil {
			return err
		}
		return remember(tx, by, string(done))
	})
	if err != nil {
		return BlankUseReport{}, fmt.Errorf("%s blanks: %w", in.Act, err)
	}
	return out, nil
}

func useReport(tx kv.Tx, in BlankUseRequest, institution string, ranges []blanks.Range, rules blanks.Rules) (out BlankUseReport, err error) {
	out = BlankUseReport{Act: in.Act, Ranges: ranges, Quantity: blanks.Sum(ranges)}
	if in.Session != "" {
		use, err := useOf(tx, in.Session, institution)
		if err != nil {
			return out, err
		}
		out.Use = &UseView{Use: use, Left: use.Left()}
	}
	out.Stock, err = stockView(tx, institution, rules, tx.Now())
	return out, err
}

// spoilMost is how many blanks one request may spoil: each may carry a print.
const spoilMost = 500

func (in *BlankUseRequest) check() error {
	in.Reason = strings.TrimSpace(in.Reason)
	bad := impersonal("reason", in.Reason)
	wrong := func(name, code, zh, en string) { bad = append(bad, fail.Field{Name: name, Code: code, ZH: zh, EN: en}) }
	if len([]rune(in.Reason)) > blanks.TextMost {
		wrong("reason", "length", fmt.Sprintf("原因不超过 %d 字", blanks.TextMost), fmt.Sprintf("at most %d characters", blanks.TextMost))
	}
	switch in.Act {
	case blanks.Take, blanks.Return:
		if in.Session == "" {
			wrong("session", "required", "请填写认定批次", "name the session")
		}
	case blanks.Spoil, blanks.Lose, blanks.Find:
		if in.Reason == "" {
			wrong("reason", "required", "请说明原因", "say why")
		}
		if in.Session != "" {
			wrong("session", "not_here", "此操作不填批次", "no session is named here")
		}
	default:
		return fail.New(fail.Invalid, "blank_act", "blanks are taken, returned, spoiled, lost or found").In("可办理领用、退回、作废、遗失、找回")
	}
	if (len(in.Ranges) > 0) == (in.Quantity != 0) || in.Quantity < 0 || in.Quantity > blanks.QuantityMost || in.Act != blanks.Take && in.Quantity != 0 {
		wrong("ranges", "required", "请填写印制流水码起止；领用也可只填数量", "name ranges, or, to take blanks, a quantity")
	}
	if len(in.Ranges) > blanks.RangesMost {
		wrong("ranges", "length", fmt.Sprintf("不超过 %d 段", blanks.RangesMost), fmt.Sprintf("at most %d ranges", blanks.RangesMost))
	}
	for i, one := range in.Ranges {
		if err := one.Check(); err != nil {
			e := fail.Of(err)
			wrong(fmt.Sprintf("ranges[%d]", i), e.Code, e.ZH, e.Text)
		}
	}
	if len(bad) == 0 && in.Act == blanks.Spoil && blanks.Sum(in.Ranges) > spoilMost {
		wrong("ranges", "length", fmt.Sprintf("一次作废不超过 %d 份", spoilMost), fmt.Sprintf("at most %d at a time", spoilMost))
	}
	if len(bad) > 0 {
		return fail.New(fail.Invalid, "blank_use", "the request cannot be taken").In("填写有误").At(bad...)
	}
	return nil
}

// mayTakeBlanks holds a taking against the rules, and finds the blanks.
func (r *Registry) mayTakeBlanks(tx kv.Tx, by Actor, inst evaluators.Institution, rules blanks.Rules, in BlankUseRequest) ([]blanks.Range, error) {
	s, err := sessionFor(tx, by, KeepBlanks, in.Session)
	if err != nil {
		return nil, err
	}
	if s.Institution != inst.ID {
		return nil, notFound("session", "认定批次", in.Session)
	}
	if s.Results == nil || s.State == SessionPlanned || s.State == SessionResults {
		return nil, fail.New(fail.Conflict, "session_not_publicised", "session %s is %s; blanks are taken for those who passed, from publicity on", s.ID, s.State).
			In("批次 %s 的合格人员尚未公示，不能领用空白证书", s.ID)
	}
	use, err := useOf(tx, s.ID, inst.ID)
	if err != nil {
		return nil, err
	}
	quantity := in.Quantity
	if len(in.Ranges) > 0 {
		quantity = blanks.Sum(in.Ranges)
	}
	if err := rules.MayTake(use, s.Results.Passed, quantity, in.Reason); err != nil || len(in.Ranges) > 0 {
		return in.Ranges, err
	}
	return fromRuns(tx, indexRunsByInstitution, inst.ID, blanks.InStock, quantity)
}

// fromRuns finds so many blanks of an institution or session in a state, in the
// order of their codes. Error: Conflict blank_short, with how many there are.
func fromRuns(rd kv.Reader, index kv.Table, of string, state blanks.State, quantity int) ([]blanks.Range, error) {
	out, err := someOf(rd, index, of, state, quantity)
	if err != nil {
		return nil, err
	}
	if n := blanks.Sum(out); n < quantity {
		zh, en := state.Words()
		return nil, fail.New(fail.Conflict, "blank_short", "%d blanks are needed and %d are %s; apply for more", quantity, n, en).In("需要 %d 份，%s的空白证书只有 %d 份，请先申领", quantity, zh, n)
	}
	return out, nil
}

// someOf is fromRuns that answers what there is.
func someOf(rd kv.Reader, index kv.Table, of string, state blanks.State, quantity int) (out []blanks.Range, err error) {
	rng := kv.Prefix(kv.Key(of, string(state)))
	rng.Limit = blanks.RangesMost
	for quantity > 0 && rng.From != nil {
		page, next, err := blankRuns.ScanIndex(rd, index, rng)
		if err != nil {
			return nil, err
		}
		for _, run := range page {
			one := run.Range
			if one.Size() > quantity {
				one.Last.Number = one.First.Number + uint64(quantity) - 1
			}
			if quantity -= one.Size(); one.Size() > 0 && one.First.Number <= one.Last.Number {
				out = append(out, one)
			}
			if quantity == 0 {
				return out, nil
			}
		}
		if len(out) > runsMost {
			return nil, fail.New(fail.Conflict, "blank_runs", "the blanks are in more than %d stretches; name ranges", runsMost).In("空白证书过于零散（超过 %d 段），请按流水码分段办理", runsMost)
		}
		rng.From = next
	}
	return out, nil
}
