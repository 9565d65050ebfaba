package registry

import (
	"context"
	"fmt"

	"bajigong/evaluators/posts"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Apprentice is the status of a 学徒工 at an employer of the register.
type Apprentice struct {
	ID          string   `json:"id"`
	Person      PersonID `json:"person"`
	Institution string   `json:"institution"`
	Region      string   `json:"region"`
	posts.Apprenticeship
}

// NewApprentice is an apprentice that an employer takes on.
type NewApprentice struct {
	Institution  string         `json:"institution"`
	Name         string         `json:"name"`
	DocumentKind string         `json:"document_kind,omitempty"`
	Document     string         `json:"document"`
	Occupation   string         `json:"occupation"`
	Trade        string         `json:"trade,omitempty"`
	From         standards.Date `json:"from"`
}

// BeginApprenticeship enters a 学徒工.
func (r *Registry) BeginApprenticeship(ctx context.Context, by Actor, in NewApprentice) (Apprentice, error) {
	id, fresh := r.rand.id("w"), r.rand.person()
	var out Apprentice
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Apprentice{}
		inst, err := employerFor(tx, by, in.Institution, tx.Now())
		if err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = need(tx, apprentices, kv.Key(id), "apprentice", "学徒", id)
			}
			return err
		}
		paper, bad := personalPaper(in.Name, in.DocumentKind, in.Document, standards.DateOf(tx.Now()))
		if len(bad) > 0 {
			return fail.New(fail.Invalid, "apprentice_invalid", "the person is not right").In("人员信息有误").At(bad...)
		}
		o, err := r.occupation(tx, in.Occupation)
		if err != nil {
			return err
		}
		trade, err := o.FindTrade(in.Trade)
		if err != nil {
			return err
		}
		a, err := posts.Begin(posts.Apprenticeship{Employer: inst.USCC, Occupation: o.Code, Trade: trade.ID, From: in.From}, tx.Now())
		if err != nil {
			return err
		}
		people, err := r.peopleFor(tx, []standards.Document{paper.Document}, []PersonID{fresh})
		if err != nil {
			return err
		}
		if err := noOtherApprenticeship(tx, people[0], inst.USCC, o.Code); err != nil {
			return err
		}
		out = Apprentice{ID: id, Person: people[0], Institution: inst.ID, Region: inst.Region, Apprenticeship: a}
		if err := r.vault.seal(tx, sealedApprentice(id), paper); err != nil {
			return err
		}
		if err := r.putApprentice(tx, by, out, ApprenticeBegun); err != nil {
			return err
		}
		return remember(tx, by, id)
	})
	if err != nil {
		return Apprentice{}, fmt.Errorf("begin apprenticeship: %w", err)
	}
	return out, nil
}

func noOtherApprenticeship(rd kv.Reader, p PersonID, employer, occupation string) error {
	had, err := apprenticeshipsOf(rd, p)
	if err != nil {
		return err
	}
	for _, a := range had {
		if a.State == posts.IsApprentice && a.Employer == employer && a.Occupation == occupation {
			return fail.New(fail.Conflict, "apprentice_exists", "the person is an apprentice in this occupation here already").In("该人员在本单位已登记为同一职业学徒工")
		}
	}
	return nil
}

func apprenticeshipsOf(rd kv.Reader, p PersonID) ([]Apprentice, error) {
	ids, err := identities(rd, p)
	if err != nil {
		return nil, err
	}
	var out []Apprentice
	for _, id := range ids {
		rng := kv.Prefix(kv.Key(id[:]))
		rng.Limit = postsPerPerson
		own, _, err := apprentices.ScanIndex(rd, indexApprenticesByPerson, rng)
		if err != nil {
			return nil, err
		}
		out = append(out, own...)
	}
	return out, nil
}

func (r *Registry) putApprentice(tx kv.Tx, by Actor, a Apprentice, kind EventKind) error {
	if err := apprentices.Put(tx, a); err != nil {
		return err
	}
	_, err := r.appendEvent(tx, by, Event{Kind: kind, Object: a.ID, Institution: a.Institution, Detail: a})
	return err
}

// ApprenticeChange ends an apprenticeship: with a level 转正定级, or, with none, by
// leaving.
type ApprenticeChange struct {
	Level    standards.Level `json:"level,omitempty"`
	On       standards.Date  `json:"on"`
	Document string          `json:"document,omitempty"`
}

// EndApprenticeship records 转正定级 or leaving.
func (r *Registry) EndApprenticeship(ctx context.Context, by Actor, id string, in ApprenticeChange) (Apprentice, error) {
	if bad := impersonal("document", in.Document); bad != nil {
		return Apprentice{}, fail.New(fail.Invalid, "apprentice_invalid", "the document has an identity number in it").In("文件中不得写身份证号码").At(bad...)
	}
	var out Apprentice
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = Apprentice{}
		a, err := need(tx, apprentices, kv.Key(id), "apprentice", "学徒", id)
		if err != nil {
			return err
		}
		if err := may(by, ManagePosts, Object{Institution: a.Institution, Region: a.Region}); err != nil {
			return err
		}
		if in.Level == 0 {
			a.Apprenticeship, err = a.Leave(in.On, tx.Now())
		} else {
			rules, ok := r.cfg.Rules.Posts.On(a.Region, string(standards.DateOf(tx.Now())))
			if !ok {
				return fail.New(fail.Conflict, "no_post_rules", "region %s has no rules for apprentices", a.Region).In("%s 尚无学徒工转正定级规则", a.Region)
			}
			a.Apprenticeship, err = a.Regularise(rules, in.Level, in.On, in.Document, tx.Now())
		}
		if err != nil {
			return err
		}
		out = a
		return r.putApprentice(tx, by, a, ApprenticeEnded)
	})
	if err != nil {
		return Apprentice{}, fmt.Errorf("end apprenticeship %s: %w", id, err)
	}
	return out, nil
}
