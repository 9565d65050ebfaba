package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// peopleRules are the rules for examiners in a region on a day.
func (r *Registry) peopleRules(region string, on standards.Date) (examiners.Rules, error) {
	rules, ok := r.cfg.Rules.People.On(region, string(on))
	if !ok {
		return rules, fail.New(fail.Conflict, "no_people_rules", "no rule file for examiners is in force in %s on %s", region, on).
			In("地区 %s 在 %s 没有生效的考评人员规则文件", region, on)
	}
	return rules, nil
}

// ExaminerPaper is who stands behind a card. It is stored sealed only.
type ExaminerPaper struct {
	Name     string             `json:"name"`
	Document standards.Document `json:"document"`
	Phone    string             `json:"phone,omitempty"`
}

// NewExaminer is a card to be registered.
type NewExaminer struct {
	Kind           examiners.Kind           `json:"kind"`
	Region         string                   `json:"region,omitempty"`      // six digits; the institution's when it has one
	Institution    string                   `json:"institution,omitempty"` // for kinds that an institution registers
	Number         string                   `json:"number"`
	Name           string                   `json:"name"`
	DocumentKind   string                   `json:"document_kind,omitempty"` // resident identity card when empty
	Document       string                   `json:"document"`
	Phone          string                   `json:"phone,omitempty"`
	Occupations    []string                 `json:"occupations,omitempty"`
	Qualification  *examiners.Qualification `json:"qualification,omitempty"`
	Practice       *examiners.Evidence      `json:"practice,omitempty"`
	From           standards.Date           `json:"from"`
	Until          standards.Date           `json:"until,omitempty"` // as long as the rule allows when empty
	DecisionNumber string                   `json:"decision,omitempty"`
}

// ExaminerView is a card as those may see it who ask. The name is masked and the
// rest of the person absent unless the card is theirs or in a session of theirs.
type ExaminerView struct {
	ID            string                   `json:"id"`
	Kind          examiners.Kind           `json:"kind"`
	Region        string                   `json:"region"`
	Institution   string                   `json:"institution,omitempty"`
	Number        string                   `json:"number"`
	Status        examiners.Status         `json:"status"` // today
	Name          string                   `json:"name"`
	Document      string                   `json:"document,omitempty"` // masked
	Phone         string                   `json:"phone,omitempty"`
	Occupations   []string                 `json:"occupations,omitempty"`
	Qualification *examiners.Qualification `json:"qualification,omitempty"`
	Practice      *examiners.Evidence      `json:"practice,omitempty"`
	Terms         []examiners.Term         `json:"terms"`
	Measures      []examiners.Measure      `json:"measures,omitempty"`
	Recorded      time.Time                `json:"recorded"`
}

// phoneMost bounds a telephone number.
const phoneMost = 30

// paperOf checks the personal data of a new card.
func (in NewExaminer) paperOf(today standards.Date) (ExaminerPaper, error) {
	var bad []fail.Field
	add := func(field string, err error) {
		e := fail.Of(err)
		bad = append(bad, fail.Field{Name: field, Code: e.Code, ZH: e.ZH, EN: e.Text})
	}
	var p ExaminerPaper
	var err error
	if p.Name, err = standards.CleanName(in.Name); err != nil {
		add("name", err)
	}
	kind := standards.ResidentID
	if in.DocumentKind != "" {
		if kind, err = standards.ParseDocumentKind(in.DocumentKind); err != nil {
			add("document_kind", err)
		}
	}
	if err == nil || kind.Valid() {
		if p.Document, err = standards.ParseDocument(kind, in.Document, today); err != nil {
			add("document", err)
		}
	}
	p.Phone = strings.TrimSpace(in.Phone)
	if len(p.Phone) > phoneMost || strings.Trim(p.Phone, "0123456789+- ") != "" {
		bad = append(bad, fail.Field{Name: "phone", Code: "form", ZH: "电话号码只能有数字、+、- 和空格，最长 30 位", EN: "a telephone number has digits, +, - and spaces, at most 30"})
	}
	bad = append(bad, impersonal("number", in.Number)...)
	bad = append(bad, impersonal("decision", in.DecisionNumber)...)
	if in.Qualification != nil {
		bad = append(bad, impersonal("qualification.document", in.Qualification.Document)...)
	}
	if in.Practice != nil {
		bad = append(bad, impersonal("practice.document", in.Practice.Document)...)
	}
	if len(bad) > 0 {
		return p, fail.New(fail.Invalid, "examiner_invalid", "the particulars are not right").In("人员信息有误").At(bad...)
	}
	return p, nil
}

// RegisterExaminer registers a card: of an examiner or external supervisor by the
// authority, of exam staff or an internal supervisor by their institution. The
// person is found by the document. Invalid: a field is wrong or the person is not
// qualified, with the rule; Conflict: the number is in use, the person has such a
// card, or must not have one.
func (r *Registry) RegisterExaminer(ctx context.Context, by Actor, in NewExaminer) (ExaminerView, error) {
	id, fresh := r.rand.id("e"), r.rand.person()
	var out ExaminerView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = ExaminerView{}
		in := in // each run fills in the region anew
		if err := mayRegister(tx, by, &in); err != nil {
			return err
		}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again {
				out, err = r.examinerFor(tx, by, id, tx.Now())
			}
			return err
		}
		paper, err := in.paperOf(standards.DateOf(tx.Now()))
		if err != nil {
			return err
		}
		people, err := r.peopleFor(tx, []standards.Document{paper.Document}, []PersonID{fresh})
		if err != nil {
			return err
		}
		e, err := r.newCard(tx, in, id, examiners.Person(people[0].String()))
		if err != nil {
			return err
		}
		if err := examinerCards.Put(tx, e); err != nil {
			return err
		}
		if err := r.vault.seal(tx, sealedExaminer(e.ID), paper); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: ExaminerRegistered, Object: e.ID, Institution: e.Institution, Detail: e}); err != nil {
			return err
		}
		if out, err = r.examinerView(tx, by, e, tx.Now()); err != nil {
			return err
		}
		return remember(tx, by, e.ID)
	})
	if err != nil {
		return ExaminerView{}, fmt.Errorf("register examiner: %w", err)
	}
	return out, nil
}

// mayRegister asks may by whose the card would be, and fills in the region of an
// institution's card.
func mayRegister(rd kv.Reader, by Actor, in *NewExaminer) error {
	if in.Institution == "" {
		return may(by, ManageExaminers, Object{Region: in.Region})
	}
	inst, err := institutionByID(rd, in.Institution)
	if err != nil {
		return err
	}
	in.Region = inst.Region
	return may(by, ManageExamStaff, Object{Institution: inst.ID, Region: inst.Region})
}

// cardsMost bounds the cards of one person.
const cardsMost = 200

func cardsOf(rd kv.Reader, p examiners.Person) ([]examiners.Examiner, error) {
	rng := kv.Prefix(kv.Key(p))
	rng.Limit = cardsMost
	out, _, err := examinerCards.ScanIndex(rd, indexExaminersByPerson, rng)
	return out, err
}

// newCard lets the rules decide on a new card.
func (r *Registry) newCard(tx kv.Tx, in NewExaminer, id string, p examiners.Person) (e examiners.Examiner, err error) {
	rules, err := r.peopleRules(in.Region, standards.DateOf(tx.Now()))
	if err != nil {
		return e, err
	}
	others, err := cardsOf(tx, p)
	if err != nil {
		return e, err
	}
	if len(others) >= cardsMost {
		return e, fail.New(fail.Conflict, "too_many_cards", "this person has %d cards", cardsMost).In("该人员的证卡已达 %d 个", cardsMost)
	}
	if _, taken, err := examinerCards.Lookup(tx, indexExaminersByNumber, kv.Key(in.Institution, in.Number)); err != nil {
		return e, err
	} else if taken {
		return e, fail.New(fail.Conflict, "card_number_taken", "the card number %s is in use", in.Number).In("证卡编号 %s 已被使用", in.Number)
	}
	return rules.Register(examiners.Examiner{ID: id, Person: p, Kind: in.Kind, Region: in.Region, Institution: in.Institution, Number: in.Number,
		Occupations: in.Occupations, Qualification: in.Qualification, Practice: in.Practice,
		Terms: []examiners.Term{{From: in.From, Until: in.Until, Document: in.DecisionNumber}}}, others, tx.Now())
}

// mayOnExaminer asks may about a card. A card that an authority gave can be read
// by any institution of the province, which arranges by it.
func mayOnExaminer(by Actor, do Action, e examiners.Examiner) error {
	about := Object{Institution: e.Institution, Region: e.Region}
	if do == ReadExaminer && e.Institution == "" && len(by.Region) == 6 && len(e.Region) == 6 && by.Region[:2] == e.Region[:2] {
		about.Institution = by.Organisation
	}
	return may(by, do, about)
}

func examinerByID(rd kv.Reader, id string) (examiners.Examiner, error) {
	return need(rd, examinerCards, kv.Key(id), "card", "证卡", id)
}

func (r *Registry) examinerFor(rd kv.Reader, by Actor, id string, now time.Time) (ExaminerView, error) {
	e, err := examinerByID(rd, id)
	if err != nil {
		return ExaminerView{}, err
	}
	if err := mayOnExaminer(by, ReadExaminer, e); err != nil {
		return ExaminerView{}, err
	}
	return r.examinerView(rd, by, e, now)
}

// examinerView shows a card. Who may not know the person sees a masked name; who
// reads only what is not sealed sees none.
func (r *Registry) examinerView(rd kv.Reader, by Actor, e examiners.Examiner, now time.Time) (ExaminerView, error) {
	v := ExaminerView{ID: e.ID, Kind: e.Kind, Region: e.Region, Institution: e.Institution, Number: e.Number,
		Status: e.StatusAt(standards.DateOf(now), now), Occupations: e.Occupations, Qualification: e.Qualification, Practice: e.Practice,
		Terms: e.Terms, Measures: e.Measures, Recorded: e.Recorded}
	named := mayOnExaminer(by, NameExaminer, e) == nil
	if !named {
		v.Qualification, v.Practice, v.Measures = nil, nil, nil
	}
	if !named && !by.has(RoleInstitution) {
		return v, nil
	}
	paper, err := r.examinerPaper(rd, e.ID)
	if err != nil {
		return v, err
	}
	if v.Name = maskName(paper.Name); named {
		v.Name, v.Document, v.Phone = paper.Name, paper.Document.Masked(), paper.Phone
	}
	return v, nil
}

func (r *Registry) examinerPaper(rd kv.Reader, id string) (p ExaminerPaper, err error) {
	ok, err := r.vault.open(rd, sealedExaminer(id), &p)
	if err == nil && !ok {
		err = fmt.Errorf("card %s has no sealed block", id)
	}
	return p, err
}

// ExaminerByID shows one card.
func (r *Registry) ExaminerByID(ctx context.Context, by Actor, id string) (out ExaminerView, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, err = r.examinerFor(rd, by, id, now)
		return err
	})
	return out, err
}

// ExaminerQuery says which cards are asked for. Empty fields ask nothing.
type ExaminerQuery struct {
	Region      string          // and all within it; the caller's own, or the province of an institution, when empty
	Institution string          // the cards that an institution has registered
	Occupation  string          // code; cards for it
	Level       standards.Level // cards that may examine it by the rules of today
}

// Examiners is one page of cards. A level, or an occupation together with an
// institution, is looked for within the page, so that a page can be shorter than
// its limit and still have a next.
func (r *Registry) Examiners(ctx context.Context, by Actor, q ExaminerQuery, page Page) (out []ExaminerView, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		index, rng, err := examinerRange(rd, by, &q)
		if err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, examinerCards, index, rng, page)
		if err != nil {
			return err
		}
		for _, e := range found {
			if ok, err := r.matches(q, e, standards.DateOf(now)); err != nil {
				return err
			} else if !ok || mayOnExaminer(by, ReadExaminer, e) != nil {
				continue
			}
			v, err := r.examinerView(rd, by, e, now)
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

// examinerRange is where the cards of a query lie, for those who may read them.
func examinerRange(rd kv.Reader, by Actor, q *ExaminerQuery) (kv.Table, kv.Range, error) {
	if q.Institution != "" {
		inst, err := institutionByID(rd, q.Institution)
		if err != nil {
			return "", kv.Range{}, err
		}
		return indexExaminersByInstitution, kv.Prefix(kv.Key(inst.ID)), may(by, ReadExaminer, Object{Institution: inst.ID, Region: inst.Region})
	}
	about := Object{Region: q.Region}
	if by.has(RoleInstitution) && len(by.Region) == 6 && (q.Region == "" || len(q.Region) == 6 && q.Region[:2] == by.Region[:2]) {
		if q.Region == "" {
			q.Region = by.Region[:2] + "0000"
		}
		about = Object{Institution: by.Organisation, Region: q.Region}
	} else if q.Region == "" {
		q.Region, about.Region = by.Region, by.Region
	}
	if err := may(by, ReadExaminer, about); err != nil {
		return "", kv.Range{}, err
	}
	from, to := regionSpan(q.Region)
	if q.Occupation == "" {
		return indexExaminersByRegion, kv.Range{From: kv.Key(from), To: kv.Key(to)}, nil
	}
	return indexExaminersByOccupation, kv.Range{From: kv.Key(q.Occupation, from), To: kv.Key(q.Occupation, to)}, nil
}

// regionSpan is the span of region codes within a region: 320500 has those from
// 320500 up to and without 3206.
func regionSpan(region string) (from, to string) {
	switch {
	case region == "000000":
		return "000000", ":" // after every digit
	case strings.HasSuffix(region, "0000"):
		return region, region[:2] + ":"
	case strings.HasSuffix(region, "00"):
		return region, region[:4] + ":"
	}
	return region, region + ":"
}

func (r *Registry) matches(q ExaminerQuery, e examiners.Examiner, today standards.Date) (bool, error) {
	if q.Occupation != "" && !e.Examines(q.Occupation) {
		return false, nil
	}
	if q.Level == 0 {
		return true, nil
	}
	rules, err := r.peopleRules(e.Region, today)
	if err != nil {
		return false, err
	}
	k, ok := rules.KindRule(e.Kind)
	return ok && slices.Contains(k.Levels, q.Level), nil
}
