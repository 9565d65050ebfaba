package examiners

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Person is the registry's name for a person, 32 hexadecimal digits. Who that is
// stands sealed elsewhere.
type Person string

// Examiner is one card of one person: 考评员, 高级考评员, 考务人员, 内督 or 外督.
type Examiner struct {
	ID     string `json:"id"`
	Person Person `json:"person"`
	Kind   Kind   `json:"kind"`
	Region string `json:"region"` // of the authority that governs the card, six digits
	// Institution is whose the card is, for kinds that an institution registers.
	Institution string `json:"institution,omitempty"`
	Number      string `json:"number"` // 证卡编号, unique among the institution's, or among those of authorities
	// Occupations are what the card may examine: codes d-dd-dd-dd; none for kinds
	// that examine nothing.
	Occupations   []string       `json:"occupations,omitempty"`
	Qualification *Qualification `json:"qualification,omitempty"`
	Practice      *Evidence      `json:"practice,omitempty"` // since when of the kind that Practice of the rule asks for
	Terms         []Term         `json:"terms"`              // oldest first
	Measures      []Measure      `json:"measures,omitempty"` // in the order recorded
	Recorded      time.Time      `json:"recorded"`
}

// Qualification is what a card rests on.
type Qualification struct {
	Code     string `json:"code"`     // one of the rule file
	Document string `json:"document"` // number of the certificate or decision
}

// Evidence is a day and the document that proves it.
type Evidence struct {
	Since    standards.Date `json:"since"`
	Document string         `json:"document"`
}

// Term is a span of days in which a card is good, both included.
type Term struct {
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until"`
	Document string         `json:"document,omitempty"` // 文号
	Rules    string         `json:"rules"`              // id of the rule file it was given by
	Recorded time.Time      `json:"recorded"`
}

// Limits of one card.
const (
	maxOccupations = 50
	maxTerms       = 50
	maxMeasures    = 100
)

// Register returns in as it is to be stored: it has its first term, in Terms[0]
// without Until for the longest that the rule allows. others are the person's
// cards that are on record.
//
// Errors: Invalid examiner_invalid with a field for everything wrong; Conflict
// examiner_barred when a card of the person is suspended or revoked; Conflict
// card_exists when the person has such a card.
func (r Rules) Register(in Examiner, others []Examiner, now time.Time) (Examiner, error) {
	k, ok := r.kind(in.Kind)
	if !ok {
		return in, refuse("examiner_invalid", "人员信息有误", "the particulars are not right", []fail.Field{wrong("kind", "unknown", "没有这类人员", "there is no such kind")})
	}
	today := standards.DateOf(now)
	fs := text("number", in.Number, true, 50, "证卡编号", "number of the card")
	fs = append(fs, r.numberProblems(k, in, today)...)
	fs = append(fs, occupationProblems(k, in.Occupations)...)
	fs = append(fs, r.qualificationProblems(k, in)...)
	if len(in.Region) != 6 || strings.Trim(in.Region, "0123456789") != "" {
		fs = append(fs, wrong("region", "digits", "地区应为 6 位行政区划代码", "region has six digits"))
	}
	if (in.Institution != "") != (k.RegisteredBy == ByInstitution) {
		fs = append(fs, wrong("institution", "kind", k.Name.ZH+"由机构登记的须写明机构，由主管部门登记的不写", "an institution stands on cards that an institution registers, and on no other"))
	}
	if len(in.Terms) != 1 {
		return in, fmt.Errorf("register examiner: %d terms", len(in.Terms))
	}
	term, bad := r.term(k, in.Terms[0], now)
	fs = append(fs, bad...)
	if len(bad) == 0 && term.From > today {
		fs = append(fs, wrong("from", "to_come", "证卡起始日期不能晚于今天", "the card begins today or before"))
	}
	if k.Practice != nil && len(bad) == 0 {
		fs = append(fs, r.practiceProblems(*k.Practice, in.Practice, term.From)...)
	}
	if err := refuse("examiner_invalid", "人员信息有误", "the particulars are not right", fs); err != nil {
		return in, err
	}
	if err := free(in, others, now); err != nil {
		return in, err
	}
	in.Terms, in.Measures, in.Recorded = []Term{term}, nil, now.UTC()
	in.Occupations = slices.Clone(in.Occupations)
	slices.Sort(in.Occupations)
	return in, nil
}

// free refuses a card to somebody who must not have one, or has it.
func free(in Examiner, others []Examiner, now time.Time) error {
	today := standards.DateOf(now)
	for _, o := range others {
		for _, m := range o.Measures {
			if m.inForce(today, now) {
				return fail.New(fail.Conflict, "examiner_barred", "card %s of this person is %s by %s; no new card until that has ended", o.Number, m.Kind.status(), m.Document).
					In("该人员的证卡 %s 已由%s%s，解除或期满之前不得另发证卡", o.Number, m.Document, m.Kind.status().Chinese())
			}
		}
		if o.Kind == in.Kind && o.Institution == in.Institution && o.StatusAt(today, now) == Valid {
			return fail.New(fail.Conflict, "card_exists", "this person has a card of this kind: %s; renew it instead", o.Number).
				In("该人员已有同类证卡 %s，请办理换证（续期）", o.Number)
		}
	}
	return nil
}

func (r Rules) numberProblems(k KindRule, in Examiner, today standards.Date) []fail.Field {
	if k.Number == nil || len(in.Region) != 6 || !slices.Contains(k.Number.Provinces, in.Region[:2]) {
		return nil
	}
	zh, en := r.cite(k.Number.Basis)
	n, err := ParseSupervisorNumber(in.Number)
	if err != nil {
		return []fail.Field{wrong("number", "form", fail.Of(err).ZH+zh, fail.Of(err).Text+en)}
	}
	if n.Province != in.Region[:2] || n.Year > today.Year() {
		return []fail.Field{wrong("number", "parts", "编号中的省级代码应与所在省一致，年份不能晚于今年"+zh, "the province of the number is that of the card, and its year not to come"+en)}
	}
	return nil
}

func occupationProblems(k KindRule, occupations []string) (fs []fail.Field) {
	switch {
	case len(k.Levels) == 0 && len(occupations) > 0:
		return []fail.Field{wrong("occupations", "kind", k.Name.ZH+"不承担考评，不写职业", "this kind examines no occupation")}
	case len(k.Levels) > 0 && len(occupations) == 0:
		return []fail.Field{wrong("occupations", "missing", "请写明证卡上的职业", "the occupations of the card are missing")}
	case len(occupations) > maxOccupations:
		return []fail.Field{wrong("occupations", "too_many", fmt.Sprintf("职业最多 %d 个", maxOccupations), fmt.Sprintf("at most %d occupations", maxOccupations))}
	}
	seen := map[string]bool{}
	for i, o := range occupations {
		at := fmt.Sprintf("occupations[%d]", i)
		if code, err := standards.ParseOccupationCode(o); err != nil || code != o {
			fs = append(fs, wrong(at, "occupation", "职业代码应形如 4-03-02-01", "an occupation code reads like 4-03-02-01"))
		} else if seen[o] {
			fs = append(fs, wrong(at, "duplicate", "职业重复", "the occupation is there twice"))
		}
		seen[o] = true
	}
	return fs
}

// qualificationProblems: 考评员 need 高级工, 技师 or 中级职称; 高级考评员 need 高级技师
// or 高级职称 (as the rule file says).
func (r Rules) qualificationProblems(k KindRule, in Examiner) []fail.Field {
	if len(k.Qualifications) == 0 {
		return nil
	}
	zh, en := r.cite(k.Basis)
	var zhs, ens []string
	for _, c := range k.Qualifications {
		zhs, ens = append(zhs, c.Name.ZH), append(ens, c.Name.EN)
	}
	if in.Qualification == nil {
		return []fail.Field{wrong("qualification", "missing", k.Name.ZH+"须具备以下资格之一："+strings.Join(zhs, "、")+zh, "the kind needs one of: "+strings.Join(ens, ", ")+en)}
	}
	fs := text("qualification.document", in.Qualification.Document, true, 100, "资格证明编号", "number of the document")
	if _, ok := choice(k.Qualifications, in.Qualification.Code); !ok {
		fs = append(fs, wrong("qualification.code", "not_enough", k.Name.ZH+"须具备以下资格之一："+strings.Join(zhs, "、")+zh, "the kind needs one of: "+strings.Join(ens, ", ")+en))
	}
	return fs
}

func (r Rules) practiceProblems(p Practice, e *Evidence, from standards.Date) []fail.Field {
	zh, en := r.cite(p.Basis)
	k, _ := r.kind(p.Kind)
	if e == nil {
		return []fail.Field{wrong("practice", "missing", fmt.Sprintf("须取得%s资格满 %d 年，请写明取得日期和证卡编号%s", k.Name.ZH, p.Years, zh),
			fmt.Sprintf("since when the person is %s is missing; %d whole years are needed%s", k.Name.EN, p.Years, en))}
	}
	fs := text("practice.document", e.Document, true, 100, "证明编号", "number of the document")
	fs = append(fs, date("practice.since", e.Since, true, "取得日期", "day")...)
	if e.Since.Valid() && from < years(e.Since, p.Years) {
		fs = append(fs, wrong("practice.since", "too_short", fmt.Sprintf("取得%s资格须满 %d 年，至 %s 方满%s", k.Name.ZH, p.Years, years(e.Since, p.Years), zh),
			fmt.Sprintf("%d whole years as %s are complete on %s only%s", p.Years, k.Name.EN, years(e.Since, p.Years), en)))
	}
	return fs
}

// term completes a term and says what is wrong with it.
func (r Rules) term(k KindRule, t Term, now time.Time) (Term, []fail.Field) {
	fs := date("from", t.From, true, "起始日期", "first day")
	fs = append(fs, date("until", t.Until, false, "截止日期", "last day")...)
	fs = append(fs, text("document", t.Document, false, 100, "文号", "number of the document")...)
	if len(fs) > 0 {
		return t, fs
	}
	longest := years(t.From, k.Validity.Years).AddDays(-1)
	if t.Until == "" {
		t.Until = longest
	}
	zh, en := r.cite(k.Validity.Basis)
	if t.Until < t.From {
		fs = append(fs, wrong("until", "order", "截止日期不能早于起始日期", "the last day is not before the first"))
	} else if t.Until > longest {
		fs = append(fs, wrong("until", "too_long", fmt.Sprintf("证卡有效期最长 %d 年，至 %s%s", k.Validity.Years, longest, zh),
			fmt.Sprintf("a card is valid for %d years at most, until %s%s", k.Validity.Years, longest, en)))
	}
	t.Rules, t.Recorded = r.ID, now.UTC()
	return t, fs
}

// Renew adds a term to a card 换证（续期）. It begins after the last one, and not
// before today when that one is past.
//
// Errors: Invalid renewal_invalid; Conflict card_state when the card is suspended
// or revoked.
func (e Examiner) Renew(r Rules, t Term, now time.Time) (Examiner, error) {
	today := standards.DateOf(now)
	if err := e.allow(Renewal, today, now); err != nil {
		return e, err
	}
	k, ok := r.kind(e.Kind)
	if !ok {
		return e, fail.New(fail.Conflict, "kind_unknown", "the rules in force have no kind %s", e.Kind).In("现行规则没有这类人员")
	}
	earliest := max(e.Until().AddDays(1), today)
	if t.From == "" {
		t.From = earliest
	}
	t, fs := r.term(k, t, now)
	if len(fs) == 0 && t.From < earliest {
		fs = append(fs, wrong("from", "order", fmt.Sprintf("新有效期应自 %s 起或之后", earliest), fmt.Sprintf("the new term begins on %s or later", earliest)))
	}
	if len(e.Terms) >= maxTerms {
		fs = append(fs, wrong("from", "too_many", "换证次数过多，请另行登记", "too many renewals; register a new card"))
	}
	if err := refuse("renewal_invalid", "换证信息有误", "the renewal is not right", fs); err != nil {
		return e, err
	}
	e.Terms = append(slices.Clone(e.Terms), t)
	return e, nil
}

// Until is the last day of the newest term.
func (e Examiner) Until() standards.Date {
	if len(e.Terms) == 0 {
		return ""
	}
	return e.Terms[len(e.Terms)-1].Until
}

// Examines reports whether the card is for an occupation.
func (e Examiner) Examines(occupation string) bool { return slices.Contains(e.Occupations, occupation) }
