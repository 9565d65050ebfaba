package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"bajigong/evaluators/examiners"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// Arrangement 考务编排 is who examines, invigilates and supervises in a session.
type Arrangement struct {
	Session     string         `json:"session"`
	Institution string         `json:"institution"`
	ExamDate    standards.Date `json:"exam_date"`
	N           int            `json:"n"` // 1 for the first; each replacement counts one up
	examiners.Plan
	People   []Placed  `json:"people"`           // everybody in the plan, in its order
	Rules    string    `json:"rules"`            // id of the rule file it was judged by
	Reason   string    `json:"reason,omitempty"` // of the replacement
	By       string    `json:"by"`               // account
	Recorded time.Time `json:"recorded"`
}

// Placed is one person in his place.
type Placed struct {
	examiners.Place
	Person examiners.Person `json:"person"`
}

// persons are the different people of an arrangement.
func (a Arrangement) persons() (out []examiners.Person) {
	for _, p := range a.People {
		out = append(out, p.Person)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// inRoles are the people of an arrangement who have one of the roles.
func (a Arrangement) inRoles(roles []examiners.Role) (out []examiners.Person) {
	for _, p := range a.People {
		if slices.Contains(roles, p.Role) {
			out = append(out, p.Person)
		}
	}
	return out
}

// NewArrangement is the plan of a session's people.
type NewArrangement struct {
	examiners.Plan
	Reason string `json:"reason,omitempty"` // needed when it replaces another
}

// ArrangementView is an arrangement with names, for whom it concerns.
type ArrangementView struct {
	Session     string         `json:"session"`
	Institution string         `json:"institution"`
	ExamDate    standards.Date `json:"exam_date"`
	N           int            `json:"n"`
	examiners.Plan
	Seats    int          `json:"seats"`
	People   []PlacedView `json:"people"`
	Rules    string       `json:"rules"`
	Reason   string       `json:"reason,omitempty"`
	Recorded time.Time    `json:"recorded"`
	Past     []PastPlan   `json:"past,omitempty"` // what it replaced, the newest first, 20 at most
}

// PlacedView is one person in his place.
type PlacedView struct {
	examiners.Place
	Kind   examiners.Kind `json:"kind"`
	Number string         `json:"number"`
	Name   string         `json:"name,omitempty"`
}

// PastPlan is an arrangement that was replaced.
type PastPlan struct {
	N int `json:"n"`
	examiners.Plan
	Reason   string    `json:"reason,omitempty"`
	Recorded time.Time `json:"recorded"`
}

const (
	pastShown       = 20
	maxReplacements = 200
)

// ArrangeSession says who examines, invigilates and supervises in a session. It
// can be replaced until the day before the exam. The same plan again changes
// nothing. Invalid arrangement_refused: the plan breaks rules; every one is named,
// with its source, one field each. Conflict arrangement_closed: the exam day has
// come, or there are results.
func (r *Registry) ArrangeSession(ctx context.Context, by Actor, session string, in NewArrangement) (ArrangementView, error) {
	if bad := arrangementTexts(in); len(bad) > 0 {
		return ArrangementView{}, fail.New(fail.Invalid, "arrangement_refused", "the arrangement cannot be taken").In("考务编排不符合要求").At(bad...)
	}
	var out ArrangementView
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		out = ArrangementView{}
		s, err := sessionFor(tx, by, ArrangeSessions, session)
		if err != nil {
			return err
		}
		if err := s.TakeArrangement(standards.DateOf(tx.Now())); err != nil {
			return err
		}
		old, had, err := arrangements.Get(tx, kv.Key(s.ID))
		if err != nil {
			return err
		}
		if had && samePlan(old.Plan, in.Plan) {
			out, err = r.arrangementView(tx, by, s, old)
			return err
		}
		cards, err := cardsOfPlan(tx, in.Plan)
		if err != nil {
			return err
		}
		whole, same, err := asOnePerson(tx, cards)
		if err != nil {
			return err
		}
		rules, facts, err := r.arrangementFacts(tx, s, whole, tx.Now())
		if err != nil {
			return err
		}
		if err := r.aroundSession(tx, rules, s, in.Plan, &facts, same, tx.Now()); err != nil {
			return err
		}
		bad := rules.Check(in.Plan, facts)
		kept, err := r.keptAway(tx, facts, same)
		if err != nil {
			return err
		}
		bad = append(bad, kept...)
		if had && in.Reason == "" {
			bad = append(bad, fail.Field{Name: "reason", Code: "missing", ZH: "调整已有编排应说明原因", EN: "a replacement has a reason"})
		}
		if len(bad) > 0 {
			return fail.New(fail.Invalid, "arrangement_refused", "the arrangement breaks %d rules; nothing was stored", len(bad)).
				In("考务编排有 %d 处不符合规定，未保存", len(bad)).At(bad...)
		}
		a := newArrangement(s, in, rules.ID, cards)
		a.N, a.By, a.Recorded = old.N+1, by.Account, tx.Now()
		if err := replaceArrangement(tx, a, old, had); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: SessionArranged, Object: s.ID, Institution: s.Institution,
			Detail: map[string]any{"n": a.N, "plan": a.Plan, "rules": a.Rules, "reason": a.Reason}}); err != nil {
			return err
		}
		days, err := examinerDays(tx, rules, a, facts, same)
		if err != nil {
			return err
		}
		if err := r.signsAfterArrangement(tx, s.Institution, days); err != nil {
			return err
		}
		out, err = r.arrangementView(tx, by, s, a)
		return err
	})
	if err != nil {
		return ArrangementView{}, fmt.Errorf("arrange session %s: %w", session, err)
	}
	return out, nil
}

func arrangementTexts(in NewArrangement) (bad []fail.Field) {
	bad = impersonal("reason", in.Reason)
	if len([]rune(in.Reason)) > 500 {
		bad = append(bad, fail.Field{Name: "reason", Code: "too_long", ZH: "原因最多 500 个字", EN: "a reason has at most 500 characters"})
	}
	for i, room := range in.Rooms {
		bad = append(bad, impersonal(fmt.Sprintf("rooms[%d].name", i), room.Name)...)
	}
	return bad
}

// TakeArrangement reports whether a session's people can be named now.
func (s Session) TakeArrangement(today standards.Date) error {
	if s.State != SessionPlanned || today >= s.ExamDate {
		return fail.New(fail.Conflict, "arrangement_closed", "session %s is %s and its exam is on %s; people are named until the day before", s.ID, s.State, s.ExamDate).
			In("批次 %s 的考试日期为 %s，考务编排应在考试日之前完成，现不能更改", s.ID, s.ExamDate)
	}
	return nil
}

func samePlan(a, b examiners.Plan) bool {
	room := func(x, y examiners.Room) bool {
		return x.Name == y.Name && x.Seats == y.Seats && slices.Equal(x.Invigilators, y.Invigilators)
	}
	return slices.Equal(a.Panel, b.Panel) && slices.Equal(a.Review, b.Review) && slices.EqualFunc(a.Rooms, b.Rooms, room) && a.Internal == b.Internal && a.External == b.External
}

func newArrangement(s Session, in NewArrangement, rules string, cards map[string]examiners.Examiner) Arrangement {
	a := Arrangement{Session: s.ID, Institution: s.Institution, ExamDate: s.ExamDate, Plan: in.Plan, Rules: rules, Reason: in.Reason}
	for _, pl := range in.Places() {
		a.People = append(a.People, Placed{Place: pl, Person: cards[pl.Examiner].Person})
	}
	return a
}

// replaceArrangement stores a and keeps what it replaces.
func replaceArrangement(tx kv.Tx, a, old Arrangement, had bool) error {
	if had {
		if old.N >= maxReplacements {
			return fail.New(fail.Conflict, "too_many_replacements", "the arrangement was replaced %d times", maxReplacements).In("编排调整已达 %d 次", maxReplacements)
		}
		if err := arrangementsPast.Put(tx, old); err != nil {
			return err
		}
	}
	return arrangements.Put(tx, a)
}

// arrangementFacts reads what the rules ask about the people of cards: their ties,
// and which of those they avoid are on the roster. What counts is
// what was recorded by known.
func (r *Registry) arrangementFacts(rd kv.Reader, s Session, cards map[string]examiners.Examiner, known time.Time) (rules examiners.Rules, f examiners.Facts, err error) {
	if rules, err = r.peopleRules(s.Region, standards.DateOf(s.Planned)); err != nil {
		return rules, f, err
	}
	inst, err := institutionByID(rd, s.Institution)
	if err != nil {
		return rules, f, err
	}
	f = examiners.Facts{Session: s.ID, Institution: s.Institution, USCC: inst.USCC, Occupation: s.Occupation, Level: s.Level, ExamDate: s.ExamDate, Known: known, Cards: cards}
	if f.Ties, err = tiesOfPlan(rd, f.Cards); err != nil {
		return rules, f, err
	}
	if f.Rostered, err = rosteredAmong(rd, s.ID, f); err != nil {
		return rules, f, err
	}
	f.Employed, err = employedAmong(rd, s.ID, f.Ties)
	return rules, f, err
}

func cardsOfPlan(rd kv.Reader, plan examiners.Plan) (map[string]examiners.Examiner, error) {
	out := map[string]examiners.Examiner{}
	var keys [][]byte
	for _, pl := range plan.Places() {
		// An id that cannot be one is unknown like any other.
		if pl.Examiner == "" || len(pl.Examiner) > 128 || len(keys) >= examiners.MaxPeople {
			continue
		}
		keys = append(keys, kv.Key(pl.Examiner))
	}
	found, ok, err := examinerCards.GetMany(rd, keys)
	for i, e := range found {
		if ok[i] {
			out[e.ID] = e
		}
	}
	return out, err
}

// asOnePerson are cards with the one id of each person after merges: two cards for
// two documents of one person count as his. What is stored keeps the id that a card
// was given for, so that undoing a merge needs nothing.
func asOnePerson(rd kv.Reader, cards map[string]examiners.Examiner) (map[string]examiners.Examiner, samePeople, error) {
	keys := slices.Sorted(maps.Keys(cards))
	people := make([]examiners.Person, len(keys))
	for i, id := range keys {
		people[i] = cards[id].Person
	}
	ids, err := identitiesOfExaminers(rd, people)
	if err != nil {
		return nil, nil, err
	}
	out, same := make(map[string]examiners.Examiner, len(cards)), samePeople{}
	for i, id := range keys {
		card := cards[id]
		card.Person = examiners.Person(ids[i][0].String())
		out[id] = card
		if same[card.Person] == nil {
			for _, p := range ids[i] {
				same[card.Person] = append(same[card.Person], examiners.Person(p.String()))
			}
		}
	}
	return out, same, nil
}

// samePeople are the ids of persons after merges, by the one they count as, which
// comes first.
type samePeople map[examiners.Person][]examiners.Person

func tiesOfPlan(rd kv.Reader, cards map[string]examiners.Examiner) (map[examiners.Person]examiners.Ties, error) {
	people := make([]examiners.Person, 0, len(cards))
	for _, e := range cards {
		people = append(people, e.Person)
	}
	return tiesOfAll(rd, people)
}

// rosteredAmong asks of the people themselves and of those they avoid who is a
// candidate. It reads by key, in pages; the roster itself may be long.
func rosteredAmong(rd kv.Reader, session string, f examiners.Facts) (map[examiners.Person]bool, error) {
	asked := map[examiners.Person]bool{}
	for _, e := range f.Cards {
		asked[e.Person] = true
		for _, a := range f.Ties[e.Person].Avoidances {
			if a.Person != "" {
				asked[a.Person] = true
			}
		}
	}
	var all, people []examiners.Person
	for p := range asked {
		all = append(all, p)
	}
	ids, err := identitiesOfExaminers(rd, all)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for i, p := range all { // on the roster under whichever of his documents
		for _, id := range ids[i] {
			people, keys = append(people, p), append(keys, kv.Key(session, id[:]))
		}
	}
	out := map[examiners.Person]bool{}
	for start := 0; start < len(keys); start += bulkPage {
		end := min(start+bulkPage, len(keys))
		found, err := rd.GetMany(tableRoster, keys[start:end])
		if err != nil {
			return nil, err
		}
		for i, v := range found {
			if v != nil {
				out[people[start+i]] = true
			}
		}
	}
	return out, nil
}

// employedAmong asks which of the organisations that somebody avoids employ a
// candidate.
func employedAmong(rd kv.Reader, session string, ties map[examiners.Person]examiners.Ties) (map[string]bool, error) {
	out := map[string]bool{}
	for _, t := range ties {
		for _, a := range t.Avoidances {
			if _, asked := out[a.USCC]; asked || a.USCC == "" {
				continue
			}
			rng := kv.Prefix(kv.Key(session, a.USCC))
			rng.Limit = 1
			found, err := rd.Scan(indexRosterByEmployer, rng)
			if err != nil {
				return nil, err
			}
			out[a.USCC] = len(found) > 0
		}
	}
	return out, nil
}

// aroundSession adds what the rules ask about other sessions: those of the
// institution before and after, and what people do elsewhere that day.
func (r *Registry) aroundSession(rd kv.Reader, rules examiners.Rules, s Session, plan examiners.Plan, f *examiners.Facts, same samePeople, now time.Time) (err error) {
	var inRow, thatDay []examiners.Person
	for _, pl := range plan.Places() {
		card, ok := f.Cards[pl.Examiner]
		if ok && slices.Contains(rules.Rotation.Roles, pl.Role) {
			inRow = append(inRow, card.Person)
		}
		if ok && rules.SameDay.Institutions > 0 && slices.Contains(rules.SameDay.Roles, pl.Role) {
			thatDay = append(thatDay, card.Person)
		}
	}
	if f.Before, err = r.neighbours(rd, rules, s, inRow, true, now); err != nil {
		return err
	}
	if f.After, err = r.neighbours(rd, rules, s, inRow, false, now); err != nil {
		return err
	}
	f.SameDay, err = elsewhereThatDay(rd, rules, s, thatDay, same)
	return err
}

// rowRead bounds how many arranged sessions on one side are looked at: only past
// sessions without results make it read beyond what the rule counts.
const rowRead = 60

// neighbours reads the arranged sessions of an institution next to s, the nearest
// first, until the rotation of everybody is decided: as a rule as many as the rule
// counts, however many sessions the institution has held.
func (r *Registry) neighbours(rd kv.Reader, rules examiners.Rules, s Session, people []examiners.Person, before bool, now time.Time) (out []examiners.Held, err error) {
	rng := kv.Prefix(kv.Key(s.Institution))
	here := kv.Key(s.Institution, string(s.ExamDate), s.ID)
	if rng.Reverse = before; before {
		rng.To = here
	} else {
		rng.From = append(here, 0)
	}
	rng.Limit = rules.Rotation.Most
	for len(out) < rowRead && !rules.Decided(out, people) {
		page, next, err := arrangements.ScanIndex(rd, indexArrangementsByInstitution, rng)
		if err != nil {
			return nil, err
		}
		held, err := heldOf(rd, rules, page, standards.DateOf(now))
		if err != nil {
			return nil, err
		}
		out = append(out, held...)
		if next == nil {
			break
		}
		if before {
			rng.To = next
		} else {
			rng.From = next
		}
	}
	return out, nil
}

func heldOf(rd kv.Reader, rules examiners.Rules, page []Arrangement, today standards.Date) ([]examiners.Held, error) {
	var keys [][]byte
	for _, a := range page {
		keys = append(keys, kv.Key(a.Session))
	}
	found, ok, err := sessions.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	var people []examiners.Person // of all, in the order of page
	for _, a := range page {
		people = append(people, a.inRoles(rules.Rotation.Roles)...)
	}
	ids, err := identitiesOfExaminers(rd, people)
	if err != nil {
		return nil, err
	}
	for i := range people {
		people[i] = examiners.Person(ids[i][0].String())
	}
	var out []examiners.Held
	for i, a := range page {
		held := ok[i] && (found[i].State != SessionPlanned || a.ExamDate >= today)
		n := len(a.inRoles(rules.Rotation.Roles))
		out = append(out, examiners.Held{Session: a.Session, Held: held, People: people[:n:n]})
		people = people[n:]
	}
	return out, nil
}

// dayRead bounds how many arrangements of one person on one day are looked at.
const dayRead = 50

func elsewhereThatDay(rd kv.Reader, rules examiners.Rules, s Session, people []examiners.Person, same samePeople) (map[examiners.Person][]string, error) {
	out := map[examiners.Person][]string{}
	slices.Sort(people)
	for _, p := range slices.Compact(people) {
		for _, id := range same[p] {
			day, err := thatDay(rd, id, s.ExamDate)
			if err != nil {
				return nil, err
			}
			for _, a := range day {
				if a.Institution != s.Institution && slices.Contains(a.inRoles(rules.SameDay.Roles), id) && !slices.Contains(out[p], a.Institution) {
					out[p] = append(out[p], a.Institution)
				}
			}
		}
	}
	return out, nil
}

// thatDay are the arrangements of a day in which one id of a person has a place.
func thatDay(rd kv.Reader, p examiners.Person, day standards.Date) ([]Arrangement, error) {
	rng := kv.Prefix(kv.Key(p, string(day)))
	rng.Limit = dayRead
	same, _, err := arrangements.ScanIndex(rd, indexArrangementsByPerson, rng)
	return same, err
}

func (r *Registry) arrangementView(rd kv.Reader, by Actor, s Session, a Arrangement) (ArrangementView, error) {
	v := ArrangementView{Session: a.Session, Institution: a.Institution, ExamDate: a.ExamDate, N: a.N, Plan: a.Plan, Seats: a.Seats(),
		Rules: a.Rules, Reason: a.Reason, Recorded: a.Recorded, People: []PlacedView{}}
	cards, err := cardsOfPlan(rd, a.Plan)
	if err != nil {
		return v, err
	}
	names := map[string]string{}
	if may(by, NameExaminer, Object{Institution: s.Institution, Region: s.Region}) == nil {
		if names, err = r.examinerNames(rd, cards); err != nil {
			return v, err
		}
	}
	for _, p := range a.People {
		card := cards[p.Examiner]
		v.People = append(v.People, PlacedView{Place: p.Place, Kind: card.Kind, Number: card.Number, Name: names[p.Examiner]})
	}
	rng := kv.Prefix(kv.Key(a.Session))
	rng.Limit, rng.Reverse = pastShown, true
	past, _, err := arrangementsPast.Scan(rd, rng)
	for _, old := range past {
		v.Past = append(v.Past, PastPlan{N: old.N, Plan: old.Plan, Reason: old.Reason, Recorded: old.Recorded})
	}
	return v, err
}

// examinerNames opens the names behind cards, read at once.
func (r *Registry) examinerNames(rd kv.Reader, cards map[string]examiners.Examiner) (map[string]string, error) {
	var ids []string
	var keys [][]byte
	for id := range cards {
		ids, keys = append(ids, id), append(keys, sealedExaminer(id).storeKey())
	}
	blocks, err := rd.GetMany(tableSealed, keys)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for i, block := range blocks {
		var p ExaminerPaper
		if block == nil {
			return nil, fmt.Errorf("card %s has no sealed block", ids[i])
		}
		if err := r.vault.openValue(sealedExaminer(ids[i]), block, &p); err != nil {
			return nil, err
		}
		out[ids[i]] = p.Name
	}
	return out, nil
}

// ArrangementBySession shows who examines, invigilates and supervises in a
// session. NotFound: nobody is named yet.
func (r *Registry) ArrangementBySession(ctx context.Context, by Actor, session string) (out ArrangementView, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		s, err := sessionFor(rd, by, ReadSession, session)
		if err != nil {
			return err
		}
		a, err := need(rd, arrangements, kv.Key(s.ID), "arrangement of session", "该批次的考务编排", s.ID)
		if err != nil {
			return err
		}
		out, err = r.arrangementView(rd, by, s, a)
		return err
	})
	return out, err
}

// mustBeArranged refuses a session whose people were not named, or may not serve
// in it after all: Conflict session_not_arranged, with what is missing. What was
// recorded after the exam day is for a review and refuses nothing here.
func (r *Registry) mustBeArranged(rd kv.Reader, s Session) error {
	a, ok, err := arrangements.Get(rd, kv.Key(s.ID))
	if err != nil {
		return err
	}
	refused := fail.New(fail.Conflict, "session_not_arranged", "nobody was named to examine, invigilate and supervise in session %s before its exam on %s", s.ID, s.ExamDate).
		In("批次 %s 在考试日 %s 之前未完成考务编排（考评组、考场监考、督导员）", s.ID, s.ExamDate)
	if !ok {
		return refused.At(fail.Field{Name: "arrangement", Code: "missing", ZH: "缺少考务编排", EN: "there is no arrangement"})
	}
	cards, err := cardsOfPlan(rd, a.Plan) // by the ids of their own: a merge after the exam is for a review
	if err != nil {
		return err
	}
	rules, facts, err := r.arrangementFacts(rd, s, cards, endOf(s.ExamDate))
	if err != nil {
		return err
	}
	// The row of sessions and the day were judged when it was arranged.
	bad := rules.Check(a.Plan, facts)
	if s.Roster != nil && s.Roster.Entries > a.Seats() {
		bad = append(bad, fail.Field{Name: "rooms", Code: "seats", ZH: fmt.Sprintf("报名 %d 人，考场只有 %d 个座位", s.Roster.Entries, a.Seats()),
			EN: fmt.Sprintf("%d candidates are on the roster and the rooms have %d seats", s.Roster.Entries, a.Seats())})
	}
	if len(bad) > 0 {
		refused.Text, refused.ZH = fmt.Sprintf("the arrangement of session %s no longer keeps %d rules", s.ID, len(bad)), fmt.Sprintf("批次 %s 的考务编排有 %d 处已不符合规定", s.ID, len(bad))
		return refused.At(bad...)
	}
	return nil
}

// endOf is the last second of a civil day.
func endOf(d standards.Date) time.Time { return d.AddDays(1).Time().Add(-time.Second) }

// arrangementConflicts says which of persons, to be added to the roster of s, the
// people of its arrangement must not examine, or are themselves. Row of a field is
// the place in persons, from 1. Before a session is arranged there is none.
func (r *Registry) arrangementConflicts(rd kv.Reader, s Session, persons []PersonID) ([]fail.Field, error) {
	a, rules, f, ok, err := r.seated(rd, s)
	if err != nil || !ok {
		return nil, err
	}
	ids, err := identitiesOf(rd, persons)
	if err != nil {
		return nil, err
	}
	var asked []examiners.Person // each under all its ids
	var rows []int
	for i := range persons {
		for _, p := range ids[i] {
			asked, rows = append(asked, examiners.Person(p.String())), append(rows, i+1)
		}
	}
	var bad []fail.Field
	for _, field := range rules.Conflicts(a.Plan, f, asked) {
		if field.Row = rows[field.Row-1]; !slices.Contains(bad, field) {
			bad = append(bad, field)
		}
	}
	return bad, nil
}

// employerConflicts says which candidates come from an organisation that somebody
// arranged for the session avoids. Refused here, before the exam, they do not make
// the arrangement unlawful after it.
func (r *Registry) employerConflicts(rd kv.Reader, s Session, page []entered) (bad []fail.Field, err error) {
	a, rules, f, ok, err := r.seated(rd, s)
	if err != nil || !ok {
		return nil, err
	}
	avoided := map[string]bool{}
	for _, t := range f.Ties {
		for _, v := range t.Avoidances {
			avoided[v.USCC] = v.USCC != ""
		}
	}
	for _, e := range page {
		if !avoided[e.entry.Employer] {
			continue
		}
		f.Employed = map[string]bool{e.entry.Employer: true}
		for _, field := range rules.Conflicts(a.Plan, f, nil) {
			field.Row = e.entry.Row
			bad = append(bad, field)
		}
	}
	return bad, nil
}

// seated is the arrangement of a session with what the rules ask of its people;
// false before it is arranged.
func (r *Registry) seated(rd kv.Reader, s Session) (a Arrangement, rules examiners.Rules, f examiners.Facts, ok bool, err error) {
	if a, ok, err = arrangements.Get(rd, kv.Key(s.ID)); err != nil || !ok {
		return a, rules, f, ok, err
	}
	if rules, err = r.peopleRules(s.Region, standards.DateOf(s.Planned)); err != nil {
		return a, rules, f, ok, err
	}
	f = examiners.Facts{Session: s.ID, Institution: s.Institution, Occupation: s.Occupation, Level: s.Level, ExamDate: s.ExamDate, Known: endOf(s.ExamDate)}
	if f.Cards, err = cardsOfPlan(rd, a.Plan); err == nil {
		f.Ties, err = tiesOfPlan(rd, f.Cards)
	}
	return a, rules, f, ok, err
}
