package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// NewNorm is a 评价规范 to be filed. Replaces is the id of the newest version when
// this is the next one.
type NewNorm struct {
	Filing     string                               `json:"filing"`
	Name       string                               `json:"name"`
	Occupation string                               `json:"occupation"`
	Trade      string                               `json:"trade,omitempty"` // catalogue id or name; none means all trades
	Parts      map[standards.Level][]standards.Part `json:"parts"`
	Conditions string                               `json:"conditions,omitempty"`
	Document   string                               `json:"document"`
	From       standards.Date                       `json:"from"`
	Replaces   string                               `json:"replaces,omitempty"`
}

// FileNorm files a 评价规范 of a 用人单位. Filed by the institution it waits for the
// authority; recorded by the authority it counts at once. Conflict: the filing is
// not of class Y or does not cover occupation, trade and level now, or Replaces is
// not the newest version.
func (r *Registry) FileNorm(ctx context.Context, by Actor, in NewNorm) (standards.Norm, error) {
	bad := append(append(impersonal("name", in.Name), impersonal("conditions", in.Conditions)...), impersonal("document", in.Document)...)
	if len(bad) > 0 {
		return standards.Norm{}, fail.New(fail.Invalid, "norm_invalid", "a norm has no identity number in it").In("评价规范中不得写身份证号码").At(bad...)
	}
	id := r.rand.id("n")
	var out standards.Norm
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = standards.Norm{}
		f, err := filingByID(tx, in.Filing)
		if err != nil {
			return err
		}
		inst, err := institutionByID(tx, f.Institution)
		if err != nil {
			return err
		}
		about := Object{Institution: inst.ID, Region: inst.Region}
		if err := may(by, FileNorms, about); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = normByID(tx, id)
			}
			return err
		}
		n, err := r.fileNorm(tx, inst, f, id, in)
		if err != nil {
			return err
		}
		if may(by, DecideOnNorms, about) == nil {
			if n, err = n.Decide(standards.NormDecision{Step: standards.NormAccept}, tx.Now()); err != nil {
				return err
			}
		}
		if err := norms.Put(tx, n); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: NormWasFiled, Object: n.ID, Institution: inst.ID, Detail: n}); err != nil {
			return err
		}
		out = n
		return remember(tx, by, n.ID)
	})
	if err != nil {
		return standards.Norm{}, fmt.Errorf("file norm: %w", err)
	}
	return out, nil
}

// fileNorm asks everything that the pure rule cannot: who the filing covers, what
// the trade is called, and which version is the newest.
func (r *Registry) fileNorm(tx kv.Tx, inst evaluators.Institution, f evaluators.Filing, id string, in NewNorm) (standards.Norm, error) {
	o, err := r.occupation(tx, in.Occupation)
	if err != nil {
		return standards.Norm{}, err
	}
	trade, err := o.FindTrade(in.Trade)
	if err != nil {
		return standards.Norm{}, err
	}
	var prev *standards.Norm
	if in.Replaces != "" {
		p, err := normByID(tx, in.Replaces)
		if err != nil {
			return standards.Norm{}, err
		}
		prev = &p
	}
	n, err := standards.FileNorm(prev, standards.Norm{ID: id, Institution: inst.ID, Filing: f.ID, Class: string(f.Class), Name: in.Name, Occupation: o.Code, Trade: trade.ID,
		Parts: in.Parts, Conditions: in.Conditions, Document: in.Document, From: in.From}, tx.Now())
	if err != nil {
		return standards.Norm{}, err
	}
	if _, taken, err := norms.Lookup(tx, indexNormsBySeries, kv.Key(n.Series, uint64(n.Version))); err != nil {
		return standards.Norm{}, err
	} else if taken {
		return standards.Norm{}, fail.New(fail.Conflict, "norm_version", "norm %s is not the newest version; replace that one", in.Replaces).
			In("评价规范 %s 不是最新版本，请以最新版本为准", in.Replaces)
	}
	ds, err := decisionsOf(tx, inst.ID)
	if err != nil {
		return standards.Norm{}, err
	}
	for _, l := range standards.ExaminedLevels() {
		if _, has := n.Parts[l]; !has {
			continue
		}
		q := evaluators.Question{Occupation: n.Occupation, Trade: n.Trade, Level: l, Now: tx.Now()}
		if err := evaluators.Entitled(inst, f, ds, q).Refusal(); err != nil {
			return standards.Norm{}, err
		}
	}
	return n, nil
}

// DecideNorm accepts, refuses or withdraws a norm. An institution may withdraw
// its own; the rest is for the authority. Sessions that were planned by the norm
// go on with it. Repeating a step that was taken is a conflict.
func (r *Registry) DecideNorm(ctx context.Context, by Actor, id string, d standards.NormDecision) (standards.Norm, error) {
	if bad := append(impersonal("document", d.Document), impersonal("reason", d.Reason)...); len(bad) > 0 {
		return standards.Norm{}, fail.New(fail.Invalid, "norm_reason", "a decision has no identity number in it").In("决定中不得写身份证号码").At(bad...)
	}
	var out standards.Norm
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = standards.Norm{}
		n, inst, err := normOf(tx, id)
		if err != nil {
			return err
		}
		do := DecideOnNorms
		if d.Step == standards.NormWithdraw {
			do = FileNorms
		}
		if err := may(by, do, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		if n, err = n.Decide(d, tx.Now()); err != nil {
			return err
		}
		if err := norms.Put(tx, n); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: NormWasDecided, Object: n.ID, Institution: inst.ID, Detail: n.Decision}); err != nil {
			return err
		}
		out = n
		return nil
	})
	if err != nil {
		return standards.Norm{}, fmt.Errorf("decide norm %s: %w", id, err)
	}
	return out, nil
}

func normByID(rd kv.Reader, id string) (standards.Norm, error) {
	return need(rd, norms, kv.Key(id), "norm", "评价规范", id)
}

func normOf(rd kv.Reader, id string) (standards.Norm, evaluators.Institution, error) {
	n, err := normByID(rd, id)
	if err != nil {
		return n, evaluators.Institution{}, err
	}
	inst, err := institutionByID(rd, n.Institution)
	return n, inst, err
}

// NormByID shows one norm.
func (r *Registry) NormByID(ctx context.Context, by Actor, id string) (out standards.Norm, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		n, inst, err := normOf(rd, id)
		if err != nil {
			return err
		}
		out = n
		return may(by, ReadInstitution, Object{Institution: inst.ID, Region: inst.Region})
	})
	if err != nil {
		return standards.Norm{}, err
	}
	return out, nil
}

// Norms is one page of an institution's norms, every version.
func (r *Registry) Norms(ctx context.Context, by Actor, institution string, page Page) (out []standards.Norm, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadInstitution, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		out, next, err = scanIndexPage(rd, norms, indexNormsByInstitution, kv.Prefix(kv.Key(institution)), page)
		return err
	})
	return out, next, err
}

// standardFor is the version of the standard or norm that a session to be planned
// goes by.
func (r *Registry) standardFor(rd kv.Reader, f evaluators.Filing, in NewSession, occupation, trade string) (version string, err error) {
	if in.Norm == "" {
		std, err := r.starter.Standard(occupation, trade, in.Level, in.ExamDate)
		return std.Version, err
	}
	n, err := normByID(rd, in.Norm)
	if err != nil {
		return "", err
	}
	if n.Institution != f.Institution {
		return "", notFound("norm", "评价规范", in.Norm) // another institution's norm is not to be seen
	}
	if f.Class != evaluators.Employer {
		return "", fail.New(fail.Conflict, "norm_class", "only an employer (class Y) examines by a norm of its own; filing %s is of class %s", f.ID, f.Class).
			In("只有用人单位（Y 类）可以按评价规范组织认定；备案 %s 为 %s 类", f.ID, f.Class)
	}
	if err := n.Governs(occupation, trade, in.Level, in.ExamDate); err != nil {
		return "", err
	}
	return n.VersionText(), nil
}

// partsOf returns the parts and pass marks of a session: those of its norm, if it
// was planned by one, else of the national standard on the day of the exam.
func (r *Registry) partsOf(rd kv.Reader, s Session) ([]standards.Part, error) {
	if s.Norm == "" {
		return r.starter.Parts(s.Occupation, s.Trade, s.Level, s.ExamDate)
	}
	n, err := normByID(rd, s.Norm)
	if err != nil {
		return nil, err
	}
	return n.Parts[s.Level], nil
}

// normed: a session planned by a norm was planned by one of its institution that
// was accepted by then.
func (c *check) normed(cert Certificate, s Session) error {
	if s.Norm == "" {
		return nil
	}
	n, ok, err := norms.Get(c.rd, kv.Key(s.Norm))
	if err != nil {
		return err
	}
	withdrawn := n.State == standards.NormWithdrawn && n.Decision != nil && n.Decision.At.Before(s.Planned)
	if !ok || n.Institution != s.Institution || n.Occupation != s.Occupation || n.Accepted == nil || n.Accepted.After(s.Planned) || withdrawn || n.From > s.ExamDate {
		c.problem("certificate %s: session %s was planned by norm %s, which was not accepted for it then", cert.Number, s.ID, s.Norm)
	}
	return nil
}
