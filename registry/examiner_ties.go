package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// NewAvoidance is a relation to be recorded: to a person, by the document, or to
// an organisation.
type NewAvoidance struct {
	Relation     string         `json:"relation"` // code of the rule file
	DocumentKind string         `json:"document_kind,omitempty"`
	Document     string         `json:"document,omitempty"` // of the person avoided; only who it is is kept, sealed off from the name
	USCC         string         `json:"uscc,omitempty"`
	From         standards.Date `json:"from,omitempty"` // today when empty
	Until        standards.Date `json:"until,omitempty"`
	Basis        string         `json:"basis"`
}

// NewTeaching is a teaching assignment to be recorded.
type NewTeaching struct {
	Institution string         `json:"institution,omitempty"`
	Session     string         `json:"session,omitempty"`
	Occupation  string         `json:"occupation,omitempty"`
	From        standards.Date `json:"from"`
	Until       standards.Date `json:"until,omitempty"`
	Basis       string         `json:"basis"`
}

// NewEnding ends a relation or a teaching assignment.
type NewEnding struct {
	ID    string         `json:"id"`
	Last  standards.Date `json:"last"`
	Basis string         `json:"basis"`
}

// TiesView is what keeps a person from examining, without whom he avoids.
type TiesView struct {
	Examiner   string               `json:"examiner"`
	Avoidances []AvoidanceView      `json:"avoidances"`
	Teaching   []examiners.Teaching `json:"teaching"`
}

// AvoidanceView is a relation without the person it is to.
type AvoidanceView struct {
	ID       string            `json:"id"`
	Relation string            `json:"relation"`
	USCC     string            `json:"uscc,omitempty"` // none for a relation to a person
	From     standards.Date    `json:"from"`
	Until    standards.Date    `json:"until,omitempty"`
	Basis    string            `json:"basis"`
	Recorded time.Time         `json:"recorded"`
	Ended    *examiners.Ending `json:"ended,omitempty"`
}

func tiesView(examiner string, t examiners.Ties) TiesView {
	v := TiesView{Examiner: examiner, Avoidances: []AvoidanceView{}, Teaching: append([]examiners.Teaching{}, t.Teaching...)}
	for _, a := range t.Avoidances {
		v.Avoidances = append(v.Avoidances, AvoidanceView{ID: a.ID, Relation: a.Relation, USCC: a.USCC, From: a.From, Until: a.Until, Basis: a.Basis, Recorded: a.Recorded, Ended: a.Ended})
	}
	return v
}

// RecordAvoidance records that the person of a card avoids somebody or an
// organisation. The authority records anything; an institution what it knows of
// the people it may arrange. Invalid: a field is wrong.
func (r *Registry) RecordAvoidance(ctx context.Context, by Actor, examiner string, in NewAvoidance) (TiesView, error) {
	if bad := impersonal("basis", in.Basis); bad != nil {
		return TiesView{}, fail.New(fail.Invalid, "avoidance_invalid", "the relation is not right").In("回避关系有误").At(bad...)
	}
	id, fresh := r.rand.id("v"), r.rand.person()
	return r.changeTies(ctx, by, examiner, "", AvoidanceRecorded, func(rules examiners.Rules, t examiners.Ties, tx kv.Tx) (examiners.Ties, any, error) {
		a := examiners.Avoidance{ID: id, Relation: in.Relation, USCC: in.USCC, From: in.From, Until: in.Until, Basis: in.Basis}
		if in.Document != "" {
			p, err := r.avoidedPerson(tx, in, fresh)
			if err != nil {
				return t, nil, err
			}
			a.Person = examiners.Person(p.String())
		}
		t, err := t.Avoid(rules, a, tx.Now())
		if err != nil {
			return t, nil, err
		}
		return t, t.Avoidances[len(t.Avoidances)-1], nil
	})
}

func (r *Registry) avoidedPerson(tx kv.Tx, in NewAvoidance, fresh PersonID) (p PersonID, err error) {
	kind := standards.ResidentID
	if in.DocumentKind != "" {
		if kind, err = standards.ParseDocumentKind(in.DocumentKind); err != nil {
			return p, err
		}
	}
	d, err := standards.ParseDocument(kind, in.Document, standards.DateOf(tx.Now()))
	if err != nil {
		e := fail.Of(err)
		return p, fail.New(fail.Invalid, "avoidance_invalid", "the relation is not right").In("回避关系有误").At(fail.Field{Name: "document", Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	people, err := r.peopleFor(tx, []standards.Document{d}, []PersonID{fresh})
	if err != nil {
		return p, err
	}
	return people[0], nil
}

// RecordTeaching records that the person of a card teaches, or has taught, at an
// institution or those of one session 考培分离. NotFound: there is no such
// institution or session; Invalid: a field is wrong.
func (r *Registry) RecordTeaching(ctx context.Context, by Actor, examiner string, in NewTeaching) (TiesView, error) {
	if bad := impersonal("basis", in.Basis); bad != nil {
		return TiesView{}, fail.New(fail.Invalid, "teaching_invalid", "the teaching assignment is not right").In("授课信息有误").At(bad...)
	}
	id := r.rand.id("t")
	return r.changeTies(ctx, by, examiner, "", TeachingRecorded, func(_ examiners.Rules, t examiners.Ties, tx kv.Tx) (examiners.Ties, any, error) {
		if in.Institution != "" {
			if _, err := institutionByID(tx, in.Institution); err != nil {
				return t, nil, err
			}
		}
		if in.Session != "" {
			if _, err := need(tx, sessions, kv.Key(in.Session), "session", "认定批次", in.Session); err != nil {
				return t, nil, err
			}
		}
		t, err := t.Teach(examiners.Teaching{ID: id, Institution: in.Institution, Session: in.Session, Occupation: in.Occupation, From: in.From, Until: in.Until, Basis: in.Basis}, tx.Now())
		if err != nil {
			return t, nil, err
		}
		return t, t.Teaching[len(t.Teaching)-1], nil
	})
}

// EndTie sets the last day of a relation or teaching assignment. Only the
// authority does: an institution could free its own examiners with it.
func (r *Registry) EndTie(ctx context.Context, by Actor, examiner string, in NewEnding) (TiesView, error) {
	if bad := impersonal("basis", in.Basis); bad != nil {
		return TiesView{}, fail.New(fail.Invalid, "ending_invalid", "the ending is not right").In("终止信息有误").At(bad...)
	}
	return r.changeTies(ctx, by, examiner, in.ID, TieEnded, func(_ examiners.Rules, t examiners.Ties, tx kv.Tx) (examiners.Ties, any, error) {
		t, err := t.End(in.ID, examiners.Ending{Last: in.Last, Basis: in.Basis}, tx.Now())
		return t, in, err
	})
}

// mayOnTies: the authority of the card, and an institution that may read the card.
func mayOnTies(by Actor, what EventKind, e examiners.Examiner) error {
	if what == TieEnded {
		return mayOnExaminer(by, ManageExaminers, e)
	}
	if err := mayOnExaminer(by, ReadExaminer, e); err != nil {
		return err
	}
	about := Object{Institution: e.Institution, Region: e.Region}
	if e.Institution == "" {
		about.Institution = by.Organisation // of its province, as ReadExaminer has found
	}
	return may(by, RecordTies, about)
}

// tiesOf are the ties of a person under whatever ids it has after merges.
func tiesOf(rd kv.Reader, p examiners.Person) (examiners.Ties, error) {
	all, err := tiesOfAll(rd, []examiners.Person{p})
	t, ok := all[p]
	if !ok {
		t = examiners.Ties{Person: p}
	}
	return t, err
}

// tiesOfAll is tiesOf of many, in two reads; who has none is not there. The ties of
// all ids of one person are joined under the id that was asked for.
func tiesOfAll(rd kv.Reader, people []examiners.Person) (map[examiners.Person]examiners.Ties, error) {
	ids, err := identitiesOfExaminers(rd, people)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	var of []examiners.Person
	for i, p := range people {
		for _, id := range ids[i] {
			keys, of = append(keys, kv.Key(id.String())), append(of, p)
		}
	}
	found, there, err := examinerTies.GetMany(rd, keys)
	out := map[examiners.Person]examiners.Ties{}
	joined := map[string]bool{} // somebody may have two cards
	for i, t := range found {
		if !there[i] || joined[string(of[i])+" "+string(t.Person)] {
			continue
		}
		joined[string(of[i])+" "+string(t.Person)] = true
		all := out[of[i]]
		all.Person = of[i]
		all.Avoidances = append(slices.Clip(all.Avoidances), t.Avoidances...)
		all.Teaching = append(slices.Clip(all.Teaching), t.Teaching...)
		out[of[i]] = all
	}
	return out, err
}

// identitiesOfExaminers is identitiesOf for the persons of cards and ties.
func identitiesOfExaminers(rd kv.Reader, people []examiners.Person) ([][]PersonID, error) {
	ids := make([]PersonID, len(people))
	for i, p := range people {
		if err := ids[i].UnmarshalText([]byte(p)); err != nil {
			return nil, err
		}
	}
	return identitiesOf(rd, ids)
}

// tiesToChange is the record that a change goes to: that which has the tie to be
// ended, else the person's own. Each stays under the id it was made for, so that
// undoing a merge needs nothing.
func tiesToChange(rd kv.Reader, p examiners.Person, tie string) (examiners.Ties, error) {
	ids, err := identitiesOfExaminers(rd, []examiners.Person{p})
	if err != nil {
		return examiners.Ties{}, err
	}
	own := examiners.Ties{Person: p}
	for _, id := range ids[0] {
		t, ok, err := examinerTies.Get(rd, kv.Key(id.String()))
		if err != nil {
			return t, err
		}
		if !ok {
			continue
		}
		if t.Person == p {
			own = t
		}
		if tie != "" && (slices.ContainsFunc(t.Avoidances, func(a examiners.Avoidance) bool { return a.ID == tie }) ||
			slices.ContainsFunc(t.Teaching, func(a examiners.Teaching) bool { return a.ID == tie })) {
			return t, nil
		}
	}
	return own, nil
}

func (r *Registry) changeTies(ctx context.Context, by Actor, examiner, tie string, what EventKind,
	rule func(rules examiners.Rules, t examiners.Ties, tx kv.Tx) (examiners.Ties, any, error)) (TiesView, error) {
	var out TiesView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = TiesView{}
		e, err := examinerByID(tx, examiner)
		if err != nil {
			return err
		}
		if err := mayOnTies(by, what, e); err != nil {
			return err
		}
		t, err := tiesToChange(tx, e.Person, tie)
		if err != nil {
			return err
		}
		if _, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if err == nil {
				t, err = tiesOf(tx, e.Person)
			}
			out = shownTies(by, e, t)
			return err
		}
		rules, err := r.peopleRules(e.Region, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		t, detail, err := rule(rules, t, tx)
		if err != nil {
			return err
		}
		if err := examinerTies.Put(tx, t); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: what, Object: e.ID, Detail: detail}); err != nil {
			return err
		}
		if t, err = tiesOf(tx, e.Person); err != nil {
			return err
		}
		out = shownTies(by, e, t)
		return remember(tx, by, e.ID)
	})
	if err != nil {
		return TiesView{}, fmt.Errorf("%s %s: %w", what, examiner, err)
	}
	return out, nil
}

// shownTies: who may not know the person learns only that it was recorded. What
// others have recorded of somebody is not an institution's business.
func shownTies(by Actor, e examiners.Examiner, t examiners.Ties) TiesView {
	if mayOnExaminer(by, ManageExaminers, e) == nil {
		return tiesView(e.ID, t)
	}
	return tiesView(e.ID, examiners.Ties{})
}

// ExaminerTies shows, to the authority, what keeps the person of a card from
// examining.
func (r *Registry) ExaminerTies(ctx context.Context, by Actor, examiner string) (out TiesView, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		e, err := examinerByID(rd, examiner)
		if err != nil {
			return err
		}
		if err := mayOnExaminer(by, ManageExaminers, e); err != nil {
			return err
		}
		t, err := tiesOf(rd, e.Person)
		out = tiesView(e.ID, t)
		return err
	})
	return out, err
}
