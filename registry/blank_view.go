package registry

import (
	"context"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// StockView is what an institution has of blanks, and what it is reminded of.
type StockView struct {
	blanks.Stock
	Total    int            `json:"total"` // ever sent to it
	Low      bool           `json:"low"`
	LowBelow int            `json:"low_below"`
	CountDue standards.Date `json:"count_due,omitempty"` // 盘点 is due by then
	Overdue  bool           `json:"overdue"`             // 盘点 was due before today
	Rules    string         `json:"rules"`               // id of the rule file
}

func stockView(rd kv.Reader, institution string, rules blanks.Rules, now time.Time) (StockView, error) {
	s, err := stockOf(rd, institution)
	if err != nil {
		return StockView{}, err
	}
	due := rules.CountDue(s)
	return StockView{Stock: s, Total: s.Total(), Low: rules.Low(s), LowBelow: rules.LowStock.Value, CountDue: due, Overdue: due != "" && due < standards.DateOf(now), Rules: rules.ID}, nil
}

// UseView is what became of the blanks of a session; Left are not accounted for
// yet.
type UseView struct {
	blanks.Use
	Left int `json:"left"`
	// Allowance is how many may be taken without a reason.
	Allowance int `json:"allowance,omitempty"`
}

// BlankStock shows the blanks of an institution in figures.
func (r *Registry) BlankStock(ctx context.Context, by Actor, institution string) (out StockView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		inst, err := blanksFor(rd, by, ReadBlanks, institution)
		if err != nil {
			return err
		}
		rules, err := r.blankRulesOf(inst, now)
		if err != nil {
			return err
		}
		out, err = stockView(rd, inst.ID, rules, now)
		return err
	})
	return out, err
}

// BlankUse shows what became of the blanks of a session.
func (r *Registry) BlankUse(ctx context.Context, by Actor, session string) (out UseView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		s, err := sessionFor(rd, by, ReadBlanks, session)
		if err != nil {
			return err
		}
		use, err := useOf(rd, s.ID, s.Institution)
		if err != nil {
			return err
		}
		out = UseView{Use: use, Left: use.Left()}
		inst, err := institutionByID(rd, s.Institution)
		if err != nil || s.Results == nil {
			return err
		}
		rules, err := r.blankRulesOf(inst, now)
		out.Allowance = rules.Allowance(s.Results.Passed)
		return err
	})
	return out, err
}

// BlankRuns is one page of the blanks of an institution in one state, as runs of
// codes.
func (r *Registry) BlankRuns(ctx context.Context, by Actor, institution string, state blanks.State, page Page) (out []blanks.Run, next string, err error) {
	if zh, _ := state.Words(); zh == "" {
		return nil, "", fail.New(fail.Invalid, "state", "there is no state %s of blanks", state).In("没有此状态").At(fail.Field{Name: "state", Code: "unknown", ZH: "没有此状态", EN: "no such state"})
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := blanksFor(rd, by, ReadBlanks, institution)
		if err != nil {
			return err
		}
		out, next, err = scanIndexPage(rd, blankRuns, indexRunsByInstitution, kv.Prefix(kv.Key(inst.ID, string(state))), page)
		return err
	})
	return out, next, err
}

// BlankView is one blank, and the print on it.
type BlankView struct {
	Code blanks.Code `json:"code"`
	blanks.Run
	Print *blanks.Printing `json:"print,omitempty"`
}

// BlankByCode shows one blank. NotFound: the code was never sent, or not to whom
// asks.
func (r *Registry) BlankByCode(ctx context.Context, by Actor, code string) (out BlankView, err error) {
	c, err := blanks.ParseCode(code)
	if err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = BlankView{}
		if len(by.Roles) == 0 {
			return may(by, ReadBlanks, Object{})
		}
		run, ok, err := runOf(rd, c)
		if err != nil {
			return err
		}
		if !ok {
			return notFound("blank", "空白证书", c.String())
		}
		if _, err := blanksFor(rd, by, ReadBlanks, run.Institution); err != nil {
			return err
		}
		out = BlankView{Code: c, Run: run}
		p, ok, err := prints.Lookup(rd, indexPrintsByCode, blankKey(c))
		if ok {
			out.Print = &p
		}
		return err
	})
	return out, err
}

// runOf is the run that a code is in.
func runOf(rd kv.Reader, c blanks.Code) (blanks.Run, bool, error) {
	rng := kv.Prefix(kv.Key(c.Prefix, uint64(c.Digits)))
	rng.To, rng.Limit, rng.Reverse = kv.Key(c.Prefix, uint64(c.Digits), c.Number+1), 1, true
	found, _, err := blankRuns.Scan(rd, rng)
	if err != nil || len(found) == 0 || found[0].Last.Number < c.Number {
		return blanks.Run{}, false, err
	}
	return found[0], true, nil
}
