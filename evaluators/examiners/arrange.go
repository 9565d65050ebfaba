package examiners

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Plan is who does what in one session. Everybody is named by the id of a card.
type Plan struct {
	Panel    []Member `json:"panel"`
	Review   []Member `json:"review,omitempty"` // of 综合评审; the panel itself when empty at a level that has one
	Rooms    []Room   `json:"rooms"`
	Internal string   `json:"internal_supervisor,omitempty"`
	External string   `json:"external_supervisor,omitempty"`
}

// Member is one of a panel.
type Member struct {
	Examiner string `json:"examiner"`
	Chair    bool   `json:"chair,omitempty"` // 组长
}

// Room is one room 考场 with its seats and invigilators.
type Room struct {
	Name         string   `json:"name"`
	Seats        int      `json:"seats"`
	Invigilators []string `json:"invigilators"`
}

// Limits of one plan, for its size alone.
const (
	maxPanel        = 51
	maxRooms        = 60
	maxInvigilators = 20
	// MaxPeople bounds how many people a plan names.
	MaxPeople = 400
)

// Seats is how many candidates the rooms hold.
func (p Plan) Seats() (n int) {
	for _, r := range p.Rooms {
		n += r.Seats
	}
	return n
}

// Place is one person's place in a plan.
type Place struct {
	At       string `json:"at"` // such as panel[0]; the field of messages
	Role     Role   `json:"role"`
	Examiner string `json:"examiner"`
	Chair    bool   `json:"chair,omitempty"`
	Room     string `json:"room,omitempty"`
}

// Places are all places of a plan in their order.
func (p Plan) Places() (out []Place) {
	for i, m := range p.Panel {
		out = append(out, Place{At: fmt.Sprintf("panel[%d]", i), Role: InPanel, Examiner: m.Examiner, Chair: m.Chair})
	}
	for i, m := range p.Review {
		out = append(out, Place{At: fmt.Sprintf("review[%d]", i), Role: InReview, Examiner: m.Examiner, Chair: m.Chair})
	}
	for i, r := range p.Rooms {
		for j, id := range r.Invigilators {
			out = append(out, Place{At: fmt.Sprintf("rooms[%d].invigilators[%d]", i, j), Role: Invigilate, Examiner: id, Room: r.Name})
		}
	}
	if p.Internal != "" {
		out = append(out, Place{At: "internal_supervisor", Role: Inside, Examiner: p.Internal})
	}
	if p.External != "" {
		out = append(out, Place{At: "external_supervisor", Role: Outside, Examiner: p.External})
	}
	return out
}

// Facts is what is on record about a session and the people of its plan.
type Facts struct {
	Session     string
	Institution string
	USCC        string // of the institution
	Occupation  string
	Level       standards.Level
	ExamDate    standards.Date
	// Known is what counts: what was recorded by then.
	Known time.Time

	Cards    map[string]Examiner // by id, as far as they exist
	Ties     map[Person]Ties
	Rostered map[Person]bool // candidates of the session, among those that are asked about
	Employed map[string]bool // credit codes of their employers, among those that are asked about
	// Before and After are the institution's arranged sessions around this one,
	// the nearest first.
	Before, After []Held
	// SameDay are the other institutions where somebody has a place on the exam date.
	SameDay map[Person][]string
}

// Held is another session of the institution.
type Held struct {
	Session string
	// Held is that it was held or is still to come: a past one without results
	// ends no row, for nothing shows that it took place.
	Held   bool
	People []Person // in the roles that the rotation counts
}

// Check holds a plan against every rule and lists all that are broken, one field
// each; none when the session can be arranged.
func (r Rules) Check(p Plan, f Facts) []fail.Field {
	if fs := p.form(); len(fs) > 0 {
		return fs // places that cannot be read cannot be judged
	}
	c := &checking{r: r, f: f, p: p}
	c.panel("panel", p.Panel, r.Panel.Least, r.Panel.Odd, r.Panel.Basis, rulefile.Text{ZH: "考评组", EN: "the panel"})
	if r.Panel.Chair {
		c.chair()
	}
	if slices.Contains(r.Review.Levels, f.Level) {
		at, members := "review", p.Review
		if len(members) == 0 {
			at, members = "panel", p.Panel
		}
		c.panel(at, members, r.Review.Least, r.Review.Odd, r.Review.Basis, rulefile.Text{ZH: "综合评审组", EN: "the review panel"})
	}
	c.rooms()
	c.supervisors()
	c.people()
	return c.out
}

// Conflicts says which of persons, candidates to be, somebody of the plan must not
// examine, or is himself. Row is the place in persons, from 1.
func (r Rules) Conflicts(p Plan, f Facts, persons []Person) []fail.Field {
	row := map[Person]int{}
	f.Rostered = map[Person]bool{}
	for i, person := range persons {
		if row[person] == 0 {
			row[person] = i + 1
		}
		f.Rostered[person] = true
	}
	c := &checking{r: r, f: f, p: p}
	for _, pl := range p.Places() {
		card, ok := f.Cards[pl.Examiner]
		if !ok {
			continue
		}
		c.own(pl, card, row)
		c.avoided(pl, card, row)
	}
	return c.out
}

// form is what is wrong with a plan before any rule is asked.
func (p Plan) form() (fs []fail.Field) {
	size := func(at string, n, most int) {
		if n > most {
			fs = append(fs, wrong(at, "too_many", fmt.Sprintf("最多 %d 项", most), fmt.Sprintf("at most %d", most)))
		}
	}
	size("panel", len(p.Panel), maxPanel)
	size("review", len(p.Review), maxPanel)
	size("rooms", len(p.Rooms), maxRooms)
	names := map[string]bool{}
	for i, room := range p.Rooms {
		at := fmt.Sprintf("rooms[%d]", i)
		size(at+".invigilators", len(room.Invigilators), maxInvigilators)
		fs = append(fs, text(at+".name", room.Name, true, 50, "考场名称", "name of the room")...)
		if names[room.Name] {
			fs = append(fs, wrong(at+".name", "duplicate", "考场名称重复", "two rooms have this name"))
		}
		names[room.Name] = true
		if room.Seats < 1 || room.Seats > 5000 {
			fs = append(fs, wrong(at+".seats", "range", "座位数应为 1 至 5000", "seats are 1 to 5000"))
		}
	}
	for _, pl := range p.Places() {
		if pl.Examiner == "" {
			fs = append(fs, wrong(pl.At, "missing", "请填写人员标识", "the id of a card is missing"))
		}
	}
	if len(p.Places()) > MaxPeople {
		fs = append(fs, wrong("panel", "too_many", fmt.Sprintf("一个批次最多 %d 人", MaxPeople), fmt.Sprintf("at most %d people in one session", MaxPeople)))
	}
	return fs
}

// checking gathers what is wrong with one plan.
type checking struct {
	r   Rules
	f   Facts
	p   Plan
	out []fail.Field
}

// say adds a field whose text ends with where the rule comes from.
func (c *checking) say(at, code string, b Basis, zh, en string) {
	czh, cen := c.r.cite(b)
	c.out = append(c.out, wrong(at, code, zh+czh, en+cen))
}

func (c *checking) panel(at string, members []Member, least int, odd bool, b Basis, name rulefile.Text) {
	n := len(members)
	if n < least {
		c.say(at, "too_few", b, fmt.Sprintf("%s应不少于 %d 人，现为 %d 人", name.ZH, least, n), fmt.Sprintf("%s has at least %d members, not %d", name.EN, least, n))
	}
	if odd && n > 0 && n%2 == 0 {
		c.say(at, "even", b, fmt.Sprintf("%s人数应为单数，现为 %d 人", name.ZH, n), fmt.Sprintf("%s has an odd number of members, not %d", name.EN, n))
	}
}

func (c *checking) chair() {
	n := 0
	for _, m := range c.p.Panel {
		if m.Chair {
			n++
		}
	}
	if n != 1 && len(c.p.Panel) > 0 {
		c.say("panel", "chair", c.r.Panel.Basis, fmt.Sprintf("考评组应有组长 1 人，现为 %d 人", n), fmt.Sprintf("the panel has one chair, not %d", n))
	}
}

func (c *checking) rooms() {
	rule := c.r.Invigilation
	if len(c.p.Rooms) == 0 {
		c.say("rooms", "missing", rule.Basis, "请填写考场和监考人员", "the rooms and their invigilators are missing")
	}
	for i, room := range c.p.Rooms {
		need := max(rule.Least, (room.Seats+rule.Candidates-1)/rule.Candidates)
		if n := len(room.Invigilators); n < need {
			c.say(fmt.Sprintf("rooms[%d].invigilators", i), "too_few", rule.Basis,
				fmt.Sprintf("%d 个座位的考场监考应不少于 %d 人（每 %d 名考生 1 人，每考场不少于 %d 人），现为 %d 人", room.Seats, need, rule.Candidates, rule.Least, n),
				fmt.Sprintf("a room of %d seats has at least %d invigilators (one for each %d candidates, no fewer than %d), not %d", room.Seats, need, rule.Candidates, rule.Least, n))
		}
	}
}

func (c *checking) supervisors() {
	for _, role := range c.r.Supervisors.Required {
		if role == Inside && c.p.Internal == "" || role == Outside && c.p.External == "" {
			c.say(string(role), "missing", c.r.Supervisors.Basis, "应安排"+role.Text().ZH, role.Text().EN+" is missing")
		}
	}
}

// people judges everybody in his place.
func (c *checking) people() {
	taken := map[Person]map[Role]bool{}
	for _, pl := range c.p.Places() {
		card, ok := c.f.Cards[pl.Examiner]
		if !ok {
			c.out = append(c.out, wrong(pl.At, "unknown", "没有这个证卡："+pl.Examiner, "there is no card "+pl.Examiner))
			continue
		}
		if taken[card.Person] == nil {
			taken[card.Person] = map[Role]bool{}
		}
		if taken[card.Person][pl.Role] {
			c.out = append(c.out, wrong(pl.At, "twice", "同一人不能在同一岗位安排两次", "the same person cannot have two places in one role"))
		}
		taken[card.Person][pl.Role] = true
		c.card(pl, card)
		c.own(pl, card, nil)
		c.avoided(pl, card, nil)
		c.teaching(pl, card)
		c.rotation(pl, card)
		c.sameDay(pl, card)
	}
	c.apart(taken)
}

// apart: who supervises does nothing else in the session.
func (c *checking) apart(taken map[Person]map[Role]bool) {
	if !c.r.Supervisors.Apart {
		return
	}
	for _, pl := range c.p.Places() {
		if pl.Role != Inside && pl.Role != Outside {
			continue
		}
		if card, ok := c.f.Cards[pl.Examiner]; ok && len(taken[card.Person]) > 1 {
			c.say(pl.At, "not_apart", c.r.Supervisors.Basis, "督导员不得同时承担本批次的考评、监考等工作", "who supervises a session does nothing else in it")
		}
	}
}

// card asks whether a card is good for a place: its state on the exam date, kind,
// institution, occupation and level.
func (c *checking) card(pl Place, e Examiner) {
	k, ok := c.r.kind(e.Kind)
	if !ok {
		c.out = append(c.out, wrong(pl.At, "kind_unknown", "现行规则没有这类人员", "the rules in force do not know this kind"))
		return
	}
	if s := e.StatusAt(c.f.ExamDate, c.f.Known); s != Valid {
		b := k.Basis
		zh, en := fmt.Sprintf("证卡 %s 在考试日 %s %s", e.Number, c.f.ExamDate, s.Chinese()), fmt.Sprintf("card %s is %s on the exam date %s", e.Number, s.English(), c.f.ExamDate)
		if s == Expired {
			b = k.Validity.Basis
			zh, en = fmt.Sprintf("%s，有效期至 %s", zh, e.Until()), fmt.Sprintf("%s; its last day is %s", en, e.Until())
		}
		c.say(pl.At, "card_"+string(s), b, zh, en)
	}
	if !slices.Contains(k.Roles, pl.Role) {
		c.say(pl.At, "wrong_kind", k.Basis, fmt.Sprintf("%s不能担任%s", k.Name.ZH, pl.Role.Text().ZH), fmt.Sprintf("%s cannot be %s", k.Name.EN, pl.Role.Text().EN))
		return
	}
	if e.Institution != "" && e.Institution != c.f.Institution {
		c.say(pl.At, "other_institution", k.Basis, fmt.Sprintf("证卡 %s 属其他机构，只在该机构有效", e.Number), fmt.Sprintf("card %s belongs to another institution and is good there only", e.Number))
	}
	if pl.Role != InPanel && pl.Role != InReview {
		return
	}
	if !slices.Contains(k.Levels, c.f.Level) {
		c.say(pl.At, "wrong_level", k.Basis, fmt.Sprintf("%s不能承担%s的考评", k.Name.ZH, c.f.Level.Certificate()), fmt.Sprintf("%s may not examine %s", k.Name.EN, c.f.Level.English()))
	}
	if !e.Examines(c.f.Occupation) {
		c.say(pl.At, "wrong_occupation", k.Basis, fmt.Sprintf("证卡 %s 的职业不含 %s", e.Number, c.f.Occupation), fmt.Sprintf("card %s is not for occupation %s", e.Number, c.f.Occupation))
	}
}

func (c *checking) own(pl Place, e Examiner, row map[Person]int) {
	if slices.Contains(c.r.OwnSession.Roles, pl.Role) && c.f.Rostered[e.Person] {
		c.say(pl.At, "own_session", c.r.OwnSession.Basis, fmt.Sprintf("证卡 %s 的持有人是本批次考生，不得担任%s", e.Number, pl.Role.Text().ZH),
			fmt.Sprintf("the holder of card %s is a candidate of this session and cannot be %s", e.Number, pl.Role.Text().EN))
		c.row(row[e.Person])
	}
}

// avoided names each relation once, never the person behind it.
func (c *checking) avoided(pl Place, e Examiner, row map[Person]int) {
	for _, a := range c.f.Ties[e.Person].Avoidances {
		rule, ok := c.r.relation(a.Relation)
		if !ok || !slices.Contains(rule.Roles, pl.Role) || !a.holds(c.f.ExamDate, c.f.Known) {
			continue
		}
		switch {
		case a.Person != "" && c.f.Rostered[a.Person]:
			c.say(pl.At, "avoidance", rule.Basis, fmt.Sprintf("证卡 %s 的持有人与本批次考生有回避关系（%s，%s），应当回避", e.Number, rule.Name.ZH, a.ID),
				fmt.Sprintf("the holder of card %s has to avoid a candidate of this session (%s, %s)", e.Number, rule.Name.EN, a.ID))
			c.row(row[a.Person])
		case a.USCC != "" && c.f.Employed[a.USCC]:
			c.say(pl.At, "avoidance", rule.Basis, fmt.Sprintf("证卡 %s 的持有人与本批次考生所在单位有回避关系（%s，%s），应当回避", e.Number, rule.Name.ZH, a.ID),
				fmt.Sprintf("the holder of card %s has to avoid an employer of candidates of this session (%s, %s)", e.Number, rule.Name.EN, a.ID))
		case a.USCC != "" && a.USCC == c.f.USCC && row == nil:
			c.say(pl.At, "avoidance", rule.Basis, fmt.Sprintf("证卡 %s 的持有人与本机构有回避关系（%s，%s），应当回避", e.Number, rule.Name.ZH, a.ID),
				fmt.Sprintf("the holder of card %s has to avoid this institution (%s, %s)", e.Number, rule.Name.EN, a.ID))
		}
	}
}

// row sets the row of the field said last.
func (c *checking) row(n int) { c.out[len(c.out)-1].Row = n }

func (c *checking) teaching(pl Place, e Examiner) {
	rule := c.r.Teaching
	if !slices.Contains(rule.Roles, pl.Role) {
		return
	}
	for _, t := range c.f.Ties[e.Person].Teaching {
		if t.bars(c.f, rule.Days) {
			c.say(pl.At, "teaching", rule.Basis, fmt.Sprintf("证卡 %s 的持有人为本批次或本机构授课（%s，结束后 %d 日内），考培应当分离", e.Number, t.ID, rule.Days),
				fmt.Sprintf("the holder of card %s teaches this session or at this institution (%s, and %d days after); teaching and examining are apart", e.Number, t.ID, rule.Days))
		}
	}
}

// rotation counts the row of sessions that this one would stand in, on both sides:
// a session may be arranged between others.
func (c *checking) rotation(pl Place, e Examiner) {
	rule := c.r.Rotation
	if !slices.Contains(rule.Roles, pl.Role) {
		return
	}
	if run := 1 + row(c.f.Before, e.Person) + row(c.f.After, e.Person); run > rule.Most {
		c.say(pl.At, "in_a_row", rule.Basis, fmt.Sprintf("证卡 %s 的持有人在本机构连续考评将达 %d 次，最多 %d 次；须间隔该机构一次没有其参加并已举行的考评", e.Number, run, rule.Most),
			fmt.Sprintf("the holder of card %s would serve at this institution %d times in a row, %d at most; a session there has to be held without him first", e.Number, run, rule.Most))
	}
}

// row is how many of the nearest sessions have p among their people.
func row(near []Held, p Person) (n int) {
	for _, h := range near {
		switch {
		case slices.Contains(h.People, p):
			n++
		case h.Held:
			return n
		}
	}
	return n
}

// Decided reports whether sessions further away than near can still change what
// the rotation says of any of people.
func (r Rules) Decided(near []Held, people []Person) bool {
	for _, p := range people {
		n := row(near, p)
		broken := slices.ContainsFunc(near, func(h Held) bool { return h.Held && !slices.Contains(h.People, p) })
		if !broken && n < r.Rotation.Most {
			return false
		}
	}
	return true
}

func (c *checking) sameDay(pl Place, e Examiner) {
	rule := c.r.SameDay
	if rule.Institutions == 0 || !slices.Contains(rule.Roles, pl.Role) {
		return
	}
	if others := c.f.SameDay[e.Person]; len(others)+1 > rule.Institutions {
		c.say(pl.At, "same_day", rule.Basis, fmt.Sprintf("证卡 %s 的持有人 %s 已在其他 %d 家机构有安排，同日最多 %d 家", e.Number, c.f.ExamDate, len(others), rule.Institutions),
			fmt.Sprintf("the holder of card %s has a place at %d other institutions on %s; %d in one day at most", e.Number, len(others), c.f.ExamDate, rule.Institutions))
	}
}
