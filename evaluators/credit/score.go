package credit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// GroupKey names the events whose points have one cap.
type GroupKey struct {
	Rules string `json:"rules"`
	Item  string `json:"item"`
	Year  int    `json:"year"`
	Cap   int    `json:"cap,omitempty"`
	Veto  string `json:"veto,omitempty"`
}

func (k GroupKey) compare(o GroupKey) int {
	return cmp.Or(cmp.Compare(k.Year, o.Year), cmp.Compare(k.Item, o.Item), cmp.Compare(k.Rules, o.Rules), cmp.Compare(k.Cap, o.Cap), cmp.Compare(k.Veto, o.Veto))
}

// Group is what the events of one group come to.
type Group struct {
	GroupKey
	Points int `json:"points,omitempty"` // before the cap
	Events int `json:"events,omitempty"` // whose points count
	Vetoes int `json:"vetoes,omitempty"` // vetoes that hold
}

func (g Group) empty() bool { return g.Points == 0 && g.Events == 0 && g.Vetoes == 0 }

// Gives is what the group adds to the score.
func (g Group) Gives() int {
	if g.Cap == 0 {
		return g.Points
	}
	return max(-g.Cap, min(g.Cap, g.Points))
}

// Sum is by how much the groups of an institution change on a day (2026-03-05),
// in ten days of a month 旬 (2026-03a, b and c), in a month (2026-03), in a quarter
// (2026q1) or in a calendar year (2026). Groups without a change are left out. It
// is what the store keeps; a score reads sums, never events.
type Sum struct {
	Institution string `json:"institution"`
	Period      string `json:"period"`
	Groups      Groups `json:"groups"` // in the form of Groups
}

// Add returns s with the changes of o, and whether anything is left.
func (s Sum) Add(o Sum) (Sum, bool) {
	s.Groups = Add(s.Groups, o.Groups)
	return s, len(s.Groups) > 0
}

// Add adds lists of groups, ordered, without those that come to nothing.
func Add(lists ...[]Group) []Group {
	all := map[GroupKey]Group{}
	for _, list := range lists {
		for _, g := range list {
			t := all[g.GroupKey]
			t.GroupKey, t.Points, t.Events, t.Vetoes = g.GroupKey, t.Points+g.Points, t.Events+g.Events, t.Vetoes+g.Vetoes
			all[g.GroupKey] = t
		}
	}
	out := slices.DeleteFunc(slices.Collect(maps.Values(all)), Group.empty)
	slices.SortFunc(out, func(a, b Group) int { return a.compare(b.GroupKey) })
	return out
}

// move is a change on one day.
type move struct {
	on standards.Date
	Group
}

func (s Standing) key() GroupKey {
	e := s.Event
	return GroupKey{Rules: e.Rules, Item: e.Item, Year: e.Year, Cap: e.Cap, Veto: e.Veto}
}

// moves are the days on which the event begins and ends to count.
func (s Standing) moves() (out []move) {
	if s.Corrected != "" {
		return nil
	}
	e := s.Event
	span := func(last standards.Date, g Group) {
		g.GroupKey = s.key()
		out = append(out, move{e.Effective, g})
		end := standards.Date("")
		if last != "" {
			end = last.AddDays(1)
		}
		if s.Repair != nil && (end == "" || s.Repair.Effective < end) {
			end = s.Repair.Effective
		}
		if end != "" {
			g.Points, g.Events, g.Vetoes = -g.Points, -g.Events, -g.Vetoes
			out = append(out, move{end, g})
		}
	}
	span(e.Until, Group{Points: e.Points, Events: 1})
	if e.Veto != "" {
		span(e.VetoUntil, Group{Vetoes: 1})
	}
	return out
}

// Change is what must be added to the stored sums of an institution when an
// event of its ledger goes from one standing to another; nil is an event that is
// not recorded. The sums come in the order of their periods.
func Change(institution string, before, after *Standing) []Sum {
	changes := map[string][]Group{}
	put := func(s *Standing, sign int) {
		if s == nil {
			return
		}
		for _, m := range s.moves() {
			g := m.Group
			g.Points, g.Events, g.Vetoes = sign*g.Points, sign*g.Events, sign*g.Vetoes
			for _, period := range periodsOf(m.on) {
				changes[period] = append(changes[period], g)
			}
		}
	}
	put(before, -1)
	put(after, +1)
	var out []Sum
	for _, period := range slices.Sorted(maps.Keys(changes)) {
		if groups := Add(changes[period]); len(groups) > 0 {
			out = append(out, Sum{Institution: institution, Period: period, Groups: groups})
		}
	}
	return out
}

// Sums are all sums of a ledger, what the store must have.
func Sums(institution string, ledger []Event) []Sum {
	all := map[string]Sum{}
	for _, s := range Standings(ledger) {
		for _, c := range Change(institution, nil, &s) {
			sum := all[c.Period]
			sum.Institution, sum.Period = institution, c.Period
			sum.Groups = append(sum.Groups, c.Groups...)
			all[c.Period] = sum
		}
	}
	var out []Sum
	for _, period := range slices.Sorted(maps.Keys(all)) {
		if groups := Add(all[period].Groups); len(groups) > 0 {
			out = append(out, Sum{institution, period, groups})
		}
	}
	return out
}

// periodsOf names the periods that a day lies in, the longest first. Each kind
// has a length of its own.
func periodsOf(on standards.Date) [5]string {
	_, month, day := on.Time().Date()
	year := string(on[:4])
	return [5]string{year, year + "q" + string('1'+rune(month-1)/3), string(on[:7]), string(on[:7]) + string('a'+rune(min(day-1, 29)/10)), string(on)}
}

// PeriodRange is a range of periods of one kind, which is told by their length;
// To is not included.
type PeriodRange struct {
	Length   int
	From, To string
}

// Periods are the sums that make the state on a day: all earlier years, and of
// its year the quarters before, of its quarter the months before, of its month
// the ten days before, and of its ten days the days up to it; besides the years
// at most 3, 2, 2 and 11.
func Periods(on standards.Date) []PeriodRange {
	p, end := periodsOf(on), on.AddDays(1)
	quarter := standards.Date(fmt.Sprintf("%s-%02d-01", p[0], int(on.Time().Month()-1)/3*3+1))
	first := standards.Date(fmt.Sprintf("%s-%02d", p[2], int(p[3][7]-'a')*10+1))
	return []PeriodRange{{4, "", p[0]}, {6, p[0] + "q", p[1]}, {7, string(quarter[:7]), p[2]}, {8, p[2] + "a", p[3]}, {10, string(first), string(end)}}
}

// GroupsOn reads the groups on a day from the ledger, by what each event says of
// itself: the definition that sums are held against.
func GroupsOn(standings []Standing, on standards.Date) []Group {
	var out []Group
	for _, s := range standings {
		if points, veto := s.counts(on); points || veto {
			g := Group{GroupKey: s.key()}
			if points {
				g.Points, g.Events = s.Event.Points, 1
			}
			if veto {
				g.Vetoes = 1
			}
			out = append(out, g)
		}
	}
	return Add(out)
}

// counts reports whether the event's points and veto count on a day.
func (s Standing) counts(on standards.Date) (points, veto bool) {
	e := s.Event
	if s.Corrected != "" || on < e.Effective || s.Repair != nil && on >= s.Repair.Effective {
		return false, false
	}
	return e.Until == "" || on <= e.Until, e.Veto != "" && (e.VetoUntil == "" || on <= e.VetoUntil)
}

// Known is the part of a ledger that was recorded by a time.
func Known(ledger []Event, at time.Time) []Event {
	var out []Event
	for _, e := range ledger {
		if !e.Recorded.After(at) {
			out = append(out, e)
		}
	}
	return out
}

// Replay computes the score on a day from the ledger alone, as known at a time.
func Replay(files rulefile.Set[Rules], region string, ledger []Event, on standards.Date, known time.Time) (Score, error) {
	return ScoreOf(files, region, GroupsOn(Standings(Known(ledger, known)), on), on)
}

// Score is the credit of an institution on a day.
type Score struct {
	On     standards.Date `json:"on"`
	Rules  string         `json:"rules"` // id of the file whose base and bands apply
	Sample string         `json:"sample,omitempty"`
	Public Shown          `json:"public"`
	Year   int            `json:"year"` // credit year of the day
	Base   int            `json:"base"`
	Points int            `json:"points"` // base and what the groups give
	Band   Band           `json:"band"`
	// Groups are the calculation: Base and what each gives is Points.
	Groups []GroupScore `json:"groups"`
	// Vetoes are the groups that hold the band down.
	Vetoes []GroupScore `json:"vetoes,omitempty"`
	Text   Text         `json:"text"`
}

// GroupScore is a group with what it gives, in words.
type GroupScore struct {
	Group
	Gives int  `json:"gives"`
	Text  Text `json:"text"`
}

// ScoreOf is the score of the groups on a day. Conflict credit_rules_missing: no
// file is in force.
func ScoreOf(files rulefile.Set[Rules], region string, groups []Group, on standards.Date) (Score, error) {
	rules, ok := files.On(region, string(on))
	if !ok {
		return Score{}, conflict("credit_rules_missing", fmt.Sprintf("%s 没有在 %s 施行的信用规则文件", region, on.Chinese()),
			fmt.Sprintf("no credit rule file is in force in %s on %s", region, on))
	}
	s := Score{On: on, Rules: rules.ID, Sample: rules.Sample, Public: rules.Public, Year: rules.YearOf(on), Base: rules.Base, Points: rules.Base, Groups: []GroupScore{}}
	names := itemNames(files, groups)
	worst := -1
	for _, g := range groups {
		one := GroupScore{Group: g, Gives: g.Gives(), Text: g.text(names[[2]string{g.Rules, g.Item}])}
		s.Points += one.Gives
		s.Groups = append(s.Groups, one)
		if g.Vetoes > 0 {
			s.Vetoes = append(s.Vetoes, one)
			worst = max(worst, rules.vetoIndex(g.Veto))
		}
	}
	byPoints := rules.bandOf(s.Points)
	s.Band = rules.Bands[max(byPoints, worst)]
	s.Text = s.words(rules.Bands[byPoints])
	return s, nil
}

// vetoIndex is the place of a veto's band. A band that the file in force does
// not have is its last: a veto is not lifted by renaming bands.
func (r Rules) vetoIndex(code string) int {
	if i := r.bandIndex(code); i >= 0 {
		return i
	}
	return len(r.Bands) - 1
}

func itemNames(files rulefile.Set[Rules], groups []Group) map[[2]string]Text {
	out := map[[2]string]Text{}
	var all map[string]Rules
	for _, g := range groups {
		k := [2]string{g.Rules, g.Item}
		if _, done := out[k]; done {
			continue
		}
		if all == nil {
			all = map[string]Rules{}
			for _, f := range files.All() {
				all[f.ID] = f
			}
		}
		out[k] = Text{ZH: g.Item, EN: g.Item}
		if item, ok := all[g.Rules].Item(g.Item); ok {
			out[k] = item.Name
		}
	}
	return out
}

func (g Group) text(name Text) Text {
	t := Text{ZH: fmt.Sprintf("%d年度 %s：%d 条，计 %+d 分", g.Year, name.ZH, g.Events, g.Points),
		EN: fmt.Sprintf("credit year %d, %s: %d event(s), %+d points", g.Year, name.EN, g.Events, g.Points)}
	if g.Gives() != g.Points {
		t.ZH += fmt.Sprintf("，以 %d 分为限，实计 %+d 分", g.Cap, g.Gives())
		t.EN += fmt.Sprintf(", held to %d, gives %+d", g.Cap, g.Gives())
	}
	if g.Vetoes > 0 {
		t.ZH += fmt.Sprintf("；%d 条一票否决，信用等级不高于 %s", g.Vetoes, g.Veto)
		t.EN += fmt.Sprintf("; %d veto(es): the band is no better than %s", g.Vetoes, g.Veto)
	}
	return t
}

func (s Score) words(byPoints Band) Text {
	t := Text{ZH: fmt.Sprintf("%s：基础分 %d，加减 %+d，得 %d 分，信用等级 %s（%s）", s.On.Chinese(), s.Base, s.Points-s.Base, s.Points, s.Band.Code, s.Band.Name.ZH),
		EN: fmt.Sprintf("%s: base %d, changes %+d, %d points, band %s (%s)", s.On, s.Base, s.Points-s.Base, s.Points, s.Band.Code, s.Band.Name.EN)}
	if byPoints.Code != s.Band.Code {
		t.ZH += fmt.Sprintf("；按分值为 %s，因一票否决降为 %s", byPoints.Code, s.Band.Code)
		t.EN += fmt.Sprintf("; %s by points, held down to %s by a veto", byPoints.Code, s.Band.Code)
	}
	t.ZH += "。规则：" + s.Rules
	t.EN += ". Rules: " + s.Rules
	if s.Sample != "" {
		t.ZH += "（样例，非正式规定）"
		t.EN += " (a sample, not a regulation)"
	}
	return t
}

// How says how an event stands on a day.
type How string

// The ways in which an event can stand.
const (
	Counts    How = "counts"
	Capped    How = "capped" // counts in part or not at all, because of the cap
	Repaired  How = "repaired"
	Corrected How = "corrected"
	Ended     How = "ended"
	NotYet    How = "not_yet" // its effective day has not come
)

// Line is one event in the explanation of a score.
type Line struct {
	Event     string         `json:"event"`
	Item      string         `json:"item"`
	Effective standards.Date `json:"effective"`
	Recorded  time.Time      `json:"recorded"`
	Document  string         `json:"document"`
	Points    int            `json:"points"`  // of the item
	Counted   int            `json:"counted"` // what it adds on the day, after the cap
	Total     int            `json:"total"`   // running total
	How       How            `json:"how"`
	Veto      string         `json:"veto,omitempty"` // band, while the veto holds
	Until     standards.Date `json:"until,omitempty"`
	By        string         `json:"by,omitempty"` // the repair or correction
	Text      Text           `json:"text"`
}

// Explain gives the events of one credit year line by line, in the order of
// their effective days, as they stand on a day. standings are all of that year;
// opening is the total before it: the base and what the groups of earlier years
// give, see [Opening]. The last line's total is the opening and what the groups
// of the year give.
func Explain(standings []Standing, opening int, on standards.Date) []Line {
	standings = slices.Clone(standings)
	slices.SortStableFunc(standings, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.Event.Effective, b.Event.Effective), cmp.Compare(a.Event.ID, b.Event.ID))
	})
	groups := map[GroupKey]Group{}
	out := make([]Line, 0, len(standings))
	total := opening
	for _, s := range standings {
		e := s.Event
		l := Line{Event: e.ID, Item: e.Item, Effective: e.Effective, Recorded: e.Recorded, Document: e.Document, Points: e.Points, Until: e.Until}
		points, veto := s.counts(on)
		if points {
			before := groups[s.key()]
			before.GroupKey = s.key()
			after := before
			after.Points += e.Points
			groups[s.key()] = after
			l.Counted = after.Gives() - before.Gives()
		}
		if veto {
			l.Veto = e.Veto
		}
		total += l.Counted
		l.Total = total
		l.How, l.By = s.how(on, points, l.Counted)
		l.Text = l.words(s)
		out = append(out, l)
	}
	return out
}

// Opening is the total before a credit year: the base and the groups of the
// years before.
func Opening(base int, groups []Group, year int) int {
	for _, g := range groups {
		if g.Year < year {
			base += g.Gives()
		}
	}
	return base
}

func (s Standing) how(on standards.Date, points bool, counted int) (How, string) {
	switch {
	case s.Corrected != "":
		return Corrected, s.Corrected
	case on < s.Event.Effective:
		return NotYet, ""
	case s.Repair != nil && on >= s.Repair.Effective:
		return Repaired, s.Repair.ID
	case !points:
		return Ended, ""
	case counted != s.Event.Points:
		return Capped, ""
	}
	return Counts, ""
}

func (l Line) words(s Standing) Text {
	e := s.Event
	t := Text{ZH: fmt.Sprintf("%s %s（%s）", e.Effective, e.Name.ZH, e.Document), EN: fmt.Sprintf("%s %s (%s)", e.Effective, e.Name.EN, e.Document)}
	switch l.How {
	case Corrected:
		t.ZH += "：已更正，自始不计"
		t.EN += ": corrected, never counted"
	case NotYet:
		t.ZH += "：当日尚未发生"
		t.EN += ": had not happened by that day"
	case Repaired:
		t.ZH += fmt.Sprintf("：已于 %s 修复，不再计分", s.Repair.Effective)
		t.EN += fmt.Sprintf(": repaired on %s, counts no more", s.Repair.Effective)
	case Ended:
		t.ZH += fmt.Sprintf("：计分至 %s，已到期", e.Until)
		t.EN += fmt.Sprintf(": its points counted until %s", e.Until)
	case Capped:
		t.ZH += fmt.Sprintf("：%+d 分，受年度上限 %d 分限制，实计 %+d 分", e.Points, e.Cap, l.Counted)
		t.EN += fmt.Sprintf(": %+d points, held by the yearly cap of %d, counts %+d", e.Points, e.Cap, l.Counted)
	default:
		t.ZH += fmt.Sprintf("：%+d 分", e.Points)
		t.EN += fmt.Sprintf(": %+d points", e.Points)
	}
	if l.Veto != "" {
		t.ZH += "；一票否决，信用等级不高于 " + l.Veto
		t.EN += "; veto, the band is no better than " + l.Veto
	}
	t.ZH += fmt.Sprintf("；累计 %d 分", l.Total)
	t.EN += fmt.Sprintf("; total %d", l.Total)
	return t
}
