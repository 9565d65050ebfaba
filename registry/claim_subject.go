package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// subjectLongest is how long the time of a claim without a certificate may be.
const subjectLongest = 5 * 366 // days

// subjectKinds are what a claim may be for besides a certificate.
var subjectKinds = []policy.SubjectKind{policy.ForPreJob, policy.ForWorkMonths, policy.ForApprentice, policy.ForGraduate, policy.ForStudy, policy.ForTrainingOnly}

// unitsMost is how many months or years one claim may have; what a text allows is
// far less.
const unitsMost = 120

// cleanSubject reads what a claim is for besides a certificate, and reports all
// that is wrong with it. Whether its days and units are enough stands in the policy.
func cleanSubject(in policy.Subject) (policy.Subject, []fail.Field) {
	var bad requestFaults
	var zh []string
	for _, k := range subjectKinds {
		zh = append(zh, k.Name().ZH+"（"+string(k)+"）")
	}
	bad.must(slices.Contains(subjectKinds, in.Kind), "subject.kind", "unknown", "事项应为以下之一："+strings.Join(zh, "、"), "the kind is one of "+fmt.Sprint(subjectKinds))
	dated := true
	for name, day := range map[string]standards.Date{"subject.from": in.From, "subject.to": in.To} {
		ok := day == "" || day.Valid()
		bad.must(ok, name, "date", "日期应写作 2026-03-01", "the date is written 2026-03-01")
		dated = dated && ok && day != ""
	}
	bad.must(!dated || in.From <= in.To && in.To.DaysSince(in.From) <= subjectLongest, "subject.to", "date",
		"截止日期应不早于起始日期，且相距不超过五年", "the last day is not before the first and at most five years after it")
	if in.Kind == policy.ForWorkMonths || in.Kind == policy.ForApprentice {
		bad.must(in.Units >= 1 && in.Units <= unitsMost, "subject.units", "range", "请填写本次申领的月数（以工代训）或年数（学徒制），1 至 120",
			"say how many months or years are claimed, 1 to 120")
	} else {
		bad.must(in.Units == 0 || in.Units == 1, "subject.units", "range", "该事项按次计，不填数量", "this is claimed once at a time and has no units")
		in.Units = 0
	}
	var err error
	if in.Occupation != "" {
		in.Occupation, err = standards.ParseOccupationCode(in.Occupation)
		bad.wrong("subject.occupation", err)
	}
	in.Trade = strings.TrimSpace(in.Trade)
	bad.must(in.Trade == "" || in.Occupation != "", "subject.trade", "occupation", "填写工种的，应填写职业编码", "a trade needs the occupation's code")
	bad.must(len([]rune(in.Trade)) <= 60, "subject.trade", "length", "工种不超过 60 个字", "a trade has at most 60 characters")
	bad.must(in.Level == 0 || in.Level.Valid(), "subject.level", "unknown", "等级不在列表中", "the level is not one of the list")
	if in.Employer != "" {
		in.Employer, _, err = standards.ParseUSCC(in.Employer)
		bad.wrong("subject.employer", err)
	}
	if in.Course != "" {
		var fields []fail.Field
		in.Course, fields = plainText("subject.course", "开班编号", in.Course, 64)
		bad = append(bad, fields...)
	}
	return in, bad
}

// subjectOn holds a subject against the day of receipt and the catalogue of
// occupations, and names its trade by the catalogue's id.
func (r *Registry) subjectOn(rd kv.Reader, s policy.Subject, received standards.Date) (policy.Subject, error) {
	// Months of work are paid for when they have been worked; of the others a text
	// may pay a part ahead.
	if s.Kind == policy.ForWorkMonths && s.To > received {
		return s, refuseAt("subject.to", fail.New(fail.Invalid, "date", "the last day %s is after the day of receipt %s", s.To, received).
			In("以工代训截止日期 %s 应不晚于受理日期 %s", s.To, received))
	}
	if s.Occupation == "" {
		return s, nil
	}
	o, err := r.occupation(rd, s.Occupation)
	if err != nil {
		return s, refuseAt("subject.occupation", err)
	}
	trade, err := o.FindTrade(s.Trade)
	if err != nil {
		return s, refuseAt("subject.trade", err)
	}
	s.Trade = trade.ID
	return s, nil
}

// claimant finds the person of a claim without a certificate and the
// certificates that lie under the person. Nobody is made here: who is not known
// has nothing. match is false when the register knows the document under another
// name.
func (r *Registry) claimant(rd kv.Reader, q claimQuery, now time.Time) (person PersonID, held []holding, match bool, err error) {
	person, known, err := r.personByDocument(rd, q.document)
	if err != nil || !known {
		return PersonID{}, nil, err == nil, err
	}
	if held, err = r.holdings(rd, person); err != nil {
		return person, nil, false, err
	}
	match, err = r.knownAs(rd, person, held, q.name, now)
	return person, held, match, err
}

// knownAs reports whether a person is known by a name: the one that was stated
// with the first claim without a certificate, or the one on a public certificate,
// a post or an apprenticeship. Who is known by a document alone is known by every
// name: what is not public yet says nothing, and neither does the name of a claim
// that was refused or given up, which may have been mistyped.
func (r *Registry) knownAs(rd kv.Reader, person PersonID, held []holding, name string, now time.Time) (bool, error) {
	same, named, err := r.namedAs(rd, person, held, name, now)
	return same || err == nil && !named, err
}

// namedAs reports whether a person is known by this name, and whether by any.
func (r *Registry) namedAs(rd kv.Reader, person PersonID, held []holding, name string, now time.Time) (same, named bool, err error) {
	ids, err := identities(rd, person)
	if err != nil {
		return false, false, err
	}
	var places []sealedPlace
	for _, id := range ids {
		places = append(places, sealedHolder(id))
	}
	for _, h := range held {
		places = append(places, sealedVersion(h.Number, h.Versions))
	}
	posts, err := appointmentsOf(rd, person)
	if err != nil {
		return false, false, err
	}
	for _, a := range posts {
		places = append(places, sealedAppointment(a.ID))
	}
	learning, err := apprenticeshipsOf(rd, person)
	if err != nil {
		return false, false, err
	}
	for _, a := range learning {
		places = append(places, sealedApprentice(a.ID))
	}
	keys := make([][]byte, len(places))
	for i, p := range places {
		keys[i] = p.storeKey()
	}
	blocks, err := rd.GetMany(tableSealed, keys)
	if err != nil {
		return false, false, err
	}
	stated := slices.ContainsFunc(blocks[:len(ids)], func(b []byte) bool { return b != nil })
	if stated {
		own, err := claimsUnderAll(rd, ids)
		if err != nil {
			return false, false, err
		}
		stated = anyStands(own, now)
	}
	for i, block := range blocks {
		if block == nil || i < len(ids) && !stated {
			continue
		}
		var p Paper
		if err := r.vault.openValue(places[i], block, &p); err != nil {
			return false, false, err
		}
		if p.sameName(name) {
			return true, true, nil
		}
		named = true
	}
	return false, named, nil
}

// holderOf is the person that a claim is recorded under. For one without a
// certificate the person is made when the document is not known, with the id in
// fresh, and the name and document are sealed: later claims are compared with them,
// as long as a claim stands.
func (r *Registry) holderOf(tx kv.Tx, q claimQuery, d decided, fresh PersonID) (PersonID, error) {
	if !d.bare {
		return d.person, nil
	}
	people, err := r.peopleFor(tx, []standards.Document{q.document}, []PersonID{fresh})
	if err != nil {
		return PersonID{}, err
	}
	place := sealedHolder(people[0])
	block, err := tx.Get(tableSealed, place.storeKey())
	if err != nil || block != nil && anyStands(d.claims, tx.Now()) {
		return people[0], err
	}
	return people[0], r.vault.seal(tx, place, Paper{Name: q.name, Document: q.document})
}

// anyStands reports whether one of a person's claims was neither refused nor given up.
func anyStands(all []Claim, now time.Time) bool {
	return slices.ContainsFunc(all, func(c Claim) bool { return c.State != StateRefused && !c.StateAt(now).GivenUp() })
}

// ofSubject completes a claim by what it is for and how it came, where that is
// not its certificate.
func (c Claim) ofSubject(d decided) Claim {
	c.Channel = d.basis.Channel
	s := d.basis.paidSubject()
	if s.Kind == "" {
		return c
	}
	c.Subject = s
	if !d.bare {
		return c
	}
	c.Occupation, c.Edition, c.Trade, c.Level = s.Occupation, "", s.Trade, s.Level
	if s.Occupation != "" {
		c.Edition = occupationEdition
	}
	return c
}
