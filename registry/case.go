package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/cases"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// NewCase is a lead 线索 from which a case is opened.
type NewCase struct {
	Subject cases.Subject `json:"subject"`
	// Region is where a case about a person belongs; one about an institution
	// belongs to the institution's.
	Region string       `json:"region,omitempty"`
	Origin cases.Origin `json:"origin"`
	// Text is what was reported or seen. It is sealed and never shown to the party.
	Text string `json:"text"`
}

// OpenCase opens a case. Invalid: the target or the origin is not right.
func (r *Registry) OpenCase(ctx context.Context, by Actor, in NewCase) (CaseView, error) {
	id := r.rand.id("case")
	if err := mustBeImpersonal("subject.person", in.Subject.Person, "origin.id", in.Origin.ID); err != nil {
		return CaseView{}, err
	}
	var out CaseView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = CaseView{}
		subject, region, err := subjectOf(tx, in)
		if err != nil {
			return err
		}
		if err := may(by, RunCases, Object{Region: region, Institution: subject.Institution()}); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = r.caseByID(tx, by, id)
			}
			return err
		}
		if err := r.subjectExists(tx, &subject); err != nil {
			return err
		}
		rules, err := r.caseRules(region, standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		c, err := cases.Open(cases.Case{ID: id, Region: region, Subject: subject, Origin: in.Origin}, in.Text, rules, by.Account, tx.Now())
		if err != nil {
			return err
		}
		if err := r.vault.seal(tx, sealedCaseText(c.ID, 0), in.Text); err != nil {
			return err
		}
		if err := caseRecords.Put(tx, c); err != nil {
			return err
		}
		// No institution is named as concerned: it may not know of a case yet.
		if _, err := r.appendEvent(tx, by, Event{Kind: CaseOpened, Object: c.ID, Detail: c}); err != nil {
			return err
		}
		if out, err = r.caseView(tx, by, c); err != nil {
			return err
		}
		return remember(tx, by, c.ID)
	})
	if err != nil {
		return CaseView{}, fmt.Errorf("open case: %w", err)
	}
	return out, nil
}

// subjectOf is the subject of a new case and the region it belongs to.
func subjectOf(rd kv.Reader, in NewCase) (cases.Subject, string, error) {
	s := in.Subject
	if s.Target == nil || s.Person != "" {
		return s, in.Region, nil // cases.Open refuses what is neither or both
	}
	t := *s.Target
	s.Target = &t
	inst, err := institutionByID(rd, t.Institution)
	if err == nil && in.Region != "" && in.Region != inst.Region {
		return s, "", fail.New(fail.Invalid, "case_invalid", "the case is not right").In("立案信息有误").
			At(fail.Field{Name: "region", Code: "region", ZH: "机构的案件归其所在地 " + inst.Region, EN: "a case about an institution belongs to its region, " + inst.Region})
	}
	return s, inst.Region, err
}

// subjectExists refuses a part that the institution does not have.
func (r *Registry) subjectExists(rd kv.Reader, s *cases.Subject) error {
	if s.Target == nil || s.Person != "" {
		return nil
	}
	inst, filed, _, err := recorded(rd, s.Institution())
	if err != nil {
		return err
	}
	t, bad := evaluators.CheckTarget(inst, filed, *s.Target)
	if bad != nil {
		return fail.New(fail.Invalid, "case_invalid", "the case is about something that does not exist").In("案件对象有误").At(bad...)
	}
	s.Target = &t
	return nil
}

// CaseStep is one step of a case as it is shown.
type CaseStep struct {
	cases.Entry
	Content string `json:"content,omitempty"` // the text, for whom it is
}

// CaseView is a case as whoever asks may see it.
type CaseView struct {
	cases.Case
	StateZH string     `json:"state_zh"`
	Name    string     `json:"institution_name,omitempty"`
	Steps   []CaseStep `json:"steps"`
}

// governing reports whether an actor sees the whole case: the authority, an
// auditor, the operator; not the party.
func governing(by Actor, c cases.Case) bool {
	return allowed(by, ReadCase, Object{Region: c.Region})
}

// caseFor loads a case and asks may. To the party a case that it was not told of
// is not there.
func caseFor(rd kv.Reader, by Actor, do Action, id string) (cases.Case, error) {
	c, err := need(rd, caseRecords, kv.Key(id), "case", "案件", id)
	if err != nil {
		return c, err
	}
	if err := may(by, do, Object{Region: c.Region, Institution: c.Subject.Institution()}); err != nil {
		return c, err
	}
	if !governing(by, c) && !c.Disclosed() {
		return cases.Case{}, notFound("case", "案件", id)
	}
	return c, nil
}

// CaseByID shows a case. The authority sees everything; an auditor what is not
// sealed; the party, from the notice on, what was said to it and by it.
func (r *Registry) CaseByID(ctx context.Context, by Actor, id string) (out CaseView, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = r.caseByID(rd, by, id)
		return err
	})
	return out, err
}

func (r *Registry) caseByID(rd kv.Reader, by Actor, id string) (CaseView, error) {
	c, err := caseFor(rd, by, ReadCase, id)
	if err != nil {
		return CaseView{}, err
	}
	return r.caseView(rd, by, c)
}

// told are the steps whose text is for the party: what was said to it, and what
// it said.
var told = map[cases.StepKind]bool{cases.Notify: true, cases.Statement: true, cases.Report: true, cases.RequestReview: true}

// caseView is a case with its texts.
func (r *Registry) caseView(rd kv.Reader, by Actor, c cases.Case) (CaseView, error) {
	out, err := caseSummary(rd, by, c)
	if err != nil {
		return out, err
	}
	whole, authority := governing(by, c), allowed(by, RunCases, Object{Region: c.Region})
	for i, e := range c.Steps {
		s := CaseStep{Entry: e}
		if !whole {
			if s.By = ""; !out.disclosedStep(e) {
				continue
			}
		}
		if e.Text && (authority || !whole && told[e.Kind]) {
			if ok, err := r.vault.open(rd, sealedCaseText(c.ID, i), &s.Content); err != nil || !ok {
				return out, fmt.Errorf("case %s: text of step %d: %t %w", c.ID, i, ok, err)
			}
		}
		out.Steps = append(out.Steps, s)
	}
	return out, nil
}

// caseSummary is a case without its steps; the party does not see where it came
// from.
func caseSummary(rd kv.Reader, by Actor, c cases.Case) (CaseView, error) {
	out := CaseView{Case: c, StateZH: c.State.Chinese(), Steps: []CaseStep{}}
	if id := c.Subject.Institution(); id != "" {
		inst, err := institutionByID(rd, id)
		if err != nil {
			return out, err
		}
		out.Name = inst.Name
	}
	if !governing(by, c) {
		out.Origin = cases.Origin{}
		if c.Ruling != nil {
			ruling := *c.Ruling
			ruling.By = ""
			out.Ruling = &ruling
		}
	}
	return out, nil
}

// disclosedStep reports whether the party may know of a step: not of the lead
// and the inquiry.
func (c CaseView) disclosedStep(e cases.Entry) bool {
	return e.Kind != cases.Opening && e.Kind != cases.Inquire
}

// CaseQuery narrows a list of cases. Institution goes before Region and State.
type CaseQuery struct {
	Institution string
	Region      string // the actor's own when empty
	State       cases.State
}

// Cases is one page of cases, without their texts: of an institution, or of a
// region and what it governs, in the order of regions and days. An institution
// sees its own, as far as it was told of them.
func (r *Registry) Cases(ctx context.Context, by Actor, q CaseQuery, page Page) (out []CaseView, next string, err error) {
	if q.Institution == "" && by.has(RoleInstitution) {
		q.Institution = by.Organisation
	}
	if q.Region == "" {
		q.Region = by.Region
	}
	if q.State != "" && q.State.Chinese() == "" {
		return nil, "", fail.New(fail.Invalid, "state", "there is no state %q of a case", q.State).In("案件没有 %q 这种状态", q.State)
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		index, rng, err := caseRange(rd, by, q)
		if err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, caseRecords, index, rng, page)
		if err != nil {
			return err
		}
		for _, c := range found {
			if !governing(by, c) && !c.Disclosed() || q.State != "" && c.State != q.State {
				continue
			}
			v, err := caseSummary(rd, by, c)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

// caseRange is the part of an index that a list reads, if the actor may.
func caseRange(rd kv.Reader, by Actor, q CaseQuery) (kv.Table, kv.Range, error) {
	if q.Institution != "" {
		inst, err := institutionByID(rd, q.Institution)
		if err == nil {
			err = may(by, ReadCase, Object{Region: inst.Region, Institution: inst.ID})
		}
		return indexCasesByInstitution, kv.Prefix(kv.Key(q.Institution)), err
	}
	if err := may(by, ReadCase, Object{Region: q.Region}); err != nil {
		return "", kv.Range{}, err
	}
	// What a region governs shares its leading digits; ':' follows '9'.
	own := q.Region
	for len(own) > 0 && own[len(own)-2:] == "00" {
		own = own[:len(own)-2]
	}
	if q.State != "" {
		return indexCasesByState, kv.Range{From: kv.Key(q.State, own), To: kv.Key(q.State, own+":")}, nil
	}
	return indexCasesByRegion, kv.Range{From: kv.Key(own), To: kv.Key(own + ":")}, nil
}

// maxPersonCases bounds what is read of one person.
const maxPersonCases = 200

// A Hindrance keeps a person from examining.
type Hindrance struct {
	Case    string        `json:"case"`
	Measure cases.Measure `json:"measure"`
}

// HindranceOf returns the measure, decided in a case about a person or an
// examiner by id, that keeps them from examining on a date; nil when there is
// none. Only authorities and auditors may ask, each for the whole register: a ban
// holds everywhere.
func (r *Registry) HindranceOf(ctx context.Context, by Actor, person string, on standards.Date) (out *Hindrance, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		if err := may(by, ReadCase, Object{Region: by.Region}); err != nil {
			return err
		}
		out, err = hindered(rd, person, on)
		return err
	})
	return out, err
}

// hindered is HindranceOf within a transaction, for whoever arranges an exam.
func hindered(rd kv.Reader, person string, on standards.Date) (*Hindrance, error) {
	rng := kv.Prefix(kv.Key(person))
	rng.Limit = maxPersonCases
	found, _, err := caseRecords.ScanIndex(rd, indexCasesByPerson, rng)
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		if m, ok := c.Hindrance(on); ok {
			return &Hindrance{Case: c.ID, Measure: m}, nil
		}
	}
	return nil, nil
}
