package registry

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"bajigong/evaluators"
	"bajigong/evaluators/course"
	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// The signs of fraud are looked for in the very Update that changes what they
// look at, so a review stands open from the moment a threshold is crossed. The
// methods here are called there. Each reads daily counts, a few records of the
// institution and the newest review of the window, whatever the number of
// certificates.

// signPerson is what the signs remember of one person's certificates.
type signPerson struct {
	Person PersonID    `json:"person"`
	Marks  signs.Marks `json:"marks"`
}

// examDay finds sessions by their exam date, for draws.
type examDay struct {
	ExamDate    standards.Date `json:"exam_date"`
	Session     string         `json:"session"`
	Institution string         `json:"institution"`
	Region      string         `json:"region"`
}

// register is the actor of what the register notes by itself.
var register = Actor{Account: "register", Via: "signs"}

// signRules are the thresholds in force in a region on a date; none when there
// is no file.
func (r *Registry) signRules(region string, on standards.Date) (signs.Rules, bool) {
	return r.cfg.Rules.Signs.On(region, string(on))
}

// signsAfterPlan lets draws find the session.
func (r *Registry) signsAfterPlan(tx kv.Tx, s Session) error {
	return examDays.Put(tx, examDay{ExamDate: s.ExamDate, Session: s.ID, Institution: s.Institution, Region: s.Region})
}

// figuresOf counts what the signs need while the rows of a file are at hand; nil
// when the region has no rules.
func (r *Registry) figuresOf(s Session, rows []resultRow) *signs.Figures {
	rules, ok := r.signRules(s.Region, s.ExamDate)
	if !ok {
		return nil
	}
	tally := rules.NewTally(s.ExamDate)
	for _, row := range rows {
		tally.Add(row.candidate.Scores, row.paper.Document)
	}
	f := tally.Figures()
	return &f
}

// signsAfterResults looks at results that were stored in this Update.
func (r *Registry) signsAfterResults(tx kv.Tx, s Session, figures *signs.Figures) error {
	today := standards.DateOf(tx.Now())
	rules, ok := r.signRules(s.Region, today)
	if !ok || s.Results == nil {
		return nil
	}
	in := signs.Results{Session: s.ID, Level: s.Level, Rows: s.Results.Rows, Passed: s.Results.Passed}
	if figures != nil {
		in.Figures = *figures
	}
	found := append(rules.AfterResults(in, today), r.lateStep(rules, s, signs.StepResults, today)...)
	return r.raise(tx, rules, s.Institution, s.Region, found)
}

// signsAfterPublicity looks at a publicity that began in this Update.
func (r *Registry) signsAfterPublicity(tx kv.Tx, s Session) error {
	today := standards.DateOf(tx.Now())
	rules, ok := r.signRules(s.Region, today)
	if !ok {
		return nil
	}
	return r.raise(tx, rules, s.Institution, s.Region, r.lateStep(rules, s, signs.StepPublicity, today))
}

// lateStep compares a step with its due day by the course of the session: the
// one in force when its plan was filed. Without a due day nothing is late.
func (r *Registry) lateStep(rules signs.Rules, s Session, step signs.Step, today standards.Date) []signs.Sign {
	c, ok := r.cfg.Rules.Course.On(s.Region, string(standards.DateOf(s.Planned)))
	if !ok {
		return nil
	}
	for _, d := range c.Steps {
		if string(d.Step) != string(step) {
			continue
		}
		from := standards.Date("")
		switch {
		case d.After == course.StepExam:
			from = s.ExamDate
		case d.After == course.StepPlan:
			from = standards.DateOf(s.Planned)
		case d.After == course.StepResults && s.Results != nil:
			from = standards.DateOf(s.Results.At)
		case d.After == course.StepPublicity && s.Publicity != nil:
			from = s.Publicity.From
		}
		if due, _ := r.cfg.Calendar.AddWorkingDays(from, d.Days); due.Valid() {
			late, _ := r.cfg.Calendar.WorkingDaysBetween(due, today)
			return rules.AfterStep(s.ID, step, due, today, late)
		}
	}
	return nil
}

// signsAfterSigning adds a signed page of a batch to what is remembered of its
// holders, and counts into the batch by whom a limit was crossed.
func (r *Registry) signsAfterSigning(tx kv.Tx, b *Batch, page []signed) error {
	if len(page) == 0 {
		return nil
	}
	cs := make([]Certificate, len(page))
	for i := range page {
		cs[i] = page[i].cert
	}
	rules, ok := r.signRules(cs[0].Region, b.Issued)
	if !ok {
		return nil
	}
	var f signs.PeopleFigures
	if b.People != nil {
		f = *b.People
	}
	f, err := r.markPeople(tx, rules, cs, f)
	if err == nil && f.NearTrades+f.ManyCertificates > 0 {
		b.People = &f
	}
	return err
}

// markPeople adds certificates to their holders' marks, reading once for all.
func (r *Registry) markPeople(tx kv.Tx, rules signs.Rules, cs []Certificate, f signs.PeopleFigures) (signs.PeopleFigures, error) {
	if rules.NearTrades == nil && rules.ManyCertificates == nil {
		return f, nil
	}
	keys := make([][]byte, len(cs))
	for i, c := range cs {
		keys[i] = signPeople.Key(signPerson{Person: c.Person})
	}
	found, _, err := signPeople.GetMany(tx, keys)
	if err != nil {
		return f, err
	}
	others, err := marksOfOthers(tx, cs)
	if err != nil {
		return f, err
	}
	now := map[PersonID]signs.Marks{} // a page may have a person twice
	people := make([]signPerson, len(cs))
	for i, c := range cs {
		marks, seen := now[c.Person]
		if !seen {
			marks = found[i].Marks
		}
		m := signs.Mark{Number: c.Number, Occupation: c.Occupation, Trade: c.Trade, Level: c.Level, On: c.Issued}
		marks = marks.Add(m)
		now[c.Person] = marks
		f = rules.Count(f, others.with(c.Person, marks, now), m)
		people[i] = signPerson{Person: c.Person, Marks: marks}
	}
	return f, signPeople.PutMany(tx, people)
}

// otherMarks are the marks under the other ids that persons have after merges.
type otherMarks struct {
	ids   map[PersonID][]PersonID // all of a person that has several
	marks map[PersonID]signs.Marks
}

// marksOfOthers reads them for the holders of certificates, in two reads. They stay
// under the id they were made for: undoing a merge needs nothing.
func marksOfOthers(rd kv.Reader, cs []Certificate) (out otherMarks, err error) {
	people := make([]PersonID, len(cs))
	for i, c := range cs {
		people[i] = c.Person
	}
	ids, err := identitiesOf(rd, people)
	if err != nil {
		return out, err
	}
	out = otherMarks{ids: map[PersonID][]PersonID{}, marks: map[PersonID]signs.Marks{}}
	var keys [][]byte
	for i, p := range people {
		if _, done := out.ids[p]; done || len(ids[i]) < 2 {
			continue
		}
		out.ids[p] = ids[i]
		for _, id := range ids[i] {
			keys = append(keys, signPeople.Key(signPerson{Person: id}))
		}
	}
	if len(keys) == 0 {
		return out, nil
	}
	found, there, err := signPeople.GetMany(rd, keys)
	for i, x := range found {
		if there[i] {
			out.marks[x.Person] = x.Marks
		}
	}
	return out, err
}

// with are the marks of p with those of its other ids: as they are now, where this
// Update has added to them.
func (o otherMarks) with(p PersonID, own signs.Marks, now map[PersonID]signs.Marks) signs.Marks {
	out := own
	for _, id := range o.ids[p] {
		if id == p {
			continue
		}
		marks, added := now[id]
		if !added {
			marks = o.marks[id]
		}
		out = append(out[:len(out):len(out)], marks...)
	}
	return out
}

// signsAfterPublish counts a batch that this Update has published and looks at
// the institution's days.
func (r *Registry) signsAfterPublish(tx kv.Tx, s Session, b Batch) error {
	if b.Published == nil {
		return nil
	}
	today := standards.DateOf(*b.Published)
	add := signs.Day{Institution: b.Institution, Date: today, Batches: 1, Certificates: b.Total}
	about := []signs.Record{{Kind: "batch", ID: b.ID}}
	if b.People != nil {
		add.NearTrades, add.ManyCertificates = b.People.NearTrades, b.People.ManyCertificates
		for _, number := range b.People.Examples {
			about = append(about, signs.Record{Kind: "certificate", ID: number})
		}
	}
	past, err := r.countDay(tx, s.Region, add)
	if err != nil {
		return err
	}
	rules, ok := r.signRules(s.Region, today)
	if !ok {
		return nil
	}
	found := append(rules.AfterPublishing(past, today, about...), r.lateStep(rules, s, signs.StepIssue, today)...)
	return r.raise(tx, rules, b.Institution, s.Region, found)
}

// countDay adds to the day's counts of an institution, rules or not, and reads
// what the rules look back over.
func (r *Registry) countDay(tx kv.Tx, region string, add signs.Day) (signs.Past, error) {
	d, _, err := signDays.Get(tx, signDays.Key(add))
	if err != nil {
		return signs.Past{}, err
	}
	d.Institution, d.Date = add.Institution, add.Date
	d.Batches += add.Batches
	d.Certificates += add.Certificates
	d.NearTrades += add.NearTrades
	d.ManyCertificates += add.ManyCertificates
	if err := signDays.Put(tx, d); err != nil {
		return signs.Past{}, err
	}
	return r.signPast(tx, add.Institution, region, add.Date)
}

// signPast reads the daily counts of an institution that the rules look back
// over, at most signs.HistoryMax records.
func (r *Registry) signPast(rd kv.Reader, institution, region string, today standards.Date) (p signs.Past, err error) {
	rules, ok := r.signRules(region, today)
	if !ok {
		return p, nil
	}
	joined, err := joinedOf(rd, institution)
	if err != nil {
		return p, err
	}
	p.Admitted = joined.Admitted
	rng := kv.Prefix(kv.Key(institution))
	rng.Limit = 1
	first, _, err := signDays.Scan(rd, rng)
	if err != nil {
		return p, err
	}
	if len(first) == 1 {
		p.First = first[0].Date
	}
	rng.From, rng.Limit = kv.Key(institution, string(today.AddDays(-rules.History()+1))), signs.HistoryMax
	p.Days, _, err = signDays.Scan(rd, rng)
	return p, err
}

// joinedOf says since when an institution is filed and recorded here.
func joinedOf(rd kv.Reader, institution string) (j signs.Joined, err error) {
	fs, err := filingsOf(rd, institution)
	if err != nil {
		return j, err
	}
	for _, f := range fs {
		if j.Admitted == "" || f.From < j.Admitted {
			j.Admitted = f.From
		}
		if on := standards.DateOf(f.Recorded); j.Recorded == "" || on < j.Recorded {
			j.Recorded = on
		}
	}
	return j, nil
}

// signsAfterDecision looks for a rush when a suspension or an ordered removal
// was recorded in this Update.
func (r *Registry) signsAfterDecision(tx kv.Tx, d evaluators.Decision) error {
	if d.Kind != evaluators.Suspend && d.Kind != evaluators.ExitOrdered {
		return nil
	}
	inst, err := institutionByID(tx, d.Institution)
	if err != nil {
		return err
	}
	today := standards.DateOf(d.Recorded)
	rules, ok := r.signRules(inst.Region, today)
	if !ok {
		return nil
	}
	past, err := r.signPast(tx, inst.ID, inst.Region, today)
	if err != nil {
		return err
	}
	return r.raise(tx, rules, inst.ID, inst.Region, rules.AfterDecision(past, d.ID, today))
}

// signsAfterElsewhere looks at certificates registered in this Update. What the
// authority takes over of the past counts for nobody's speed or lateness, and
// for its holders only; what an institution registers of its own counts like
// what it issues here, unless it is too old for that.
func (r *Registry) signsAfterElsewhere(tx kv.Tx, by Actor, cs []Certificate) error {
	own := map[string][]Certificate{}
	var order []string
	for _, c := range cs {
		if c.Institution == "" || c.Entitlement == nil {
			continue
		}
		if own[c.Institution] == nil {
			order = append(order, c.Institution)
		}
		own[c.Institution] = append(own[c.Institution], c)
	}
	for _, institution := range order {
		if err := r.signsOfArrivals(tx, institution, own[institution]); err != nil {
			return err
		}
	}
	if len(own) > 0 || len(cs) == 0 {
		return nil
	}
	rules, ok := r.signRules(cs[0].Region, standards.DateOf(tx.Now()))
	if !ok {
		return nil
	}
	_, err := r.markPeople(tx, rules, cs, signs.PeopleFigures{})
	return err
}

func (r *Registry) signsOfArrivals(tx kv.Tx, institution string, cs []Certificate) error {
	today := standards.DateOf(tx.Now())
	inst, err := institutionByID(tx, institution)
	if err != nil {
		return err
	}
	rules, known := r.signRules(inst.Region, today)
	add := signs.Day{Institution: institution, Date: today}
	arrivals := make([]signs.Arrival, len(cs))
	for i, c := range cs {
		arrivals[i] = signs.Arrival{Number: c.Number, Issued: c.Issued, Entitled: c.Entitlement.Entitled}
		if known && rules.Recent(c.Issued, today) {
			add.Certificates++
		}
	}
	if !known {
		return nil
	}
	f, err := r.markPeople(tx, rules, cs, signs.PeopleFigures{})
	if err != nil {
		return err
	}
	add.NearTrades, add.ManyCertificates = f.NearTrades, f.ManyCertificates
	var about []signs.Record
	for _, number := range f.Examples {
		about = append(about, signs.Record{Kind: "certificate", ID: number})
	}
	past, err := r.countDay(tx, inst.Region, add)
	if err != nil {
		return err
	}
	joined, err := joinedOf(tx, institution)
	if err != nil {
		return err
	}
	found := append(rules.AfterArrivals(joined, arrivals, today), rules.AfterPublishing(past, today, about...)...)
	return r.raise(tx, rules, institution, inst.Region, found)
}

// signsAfterArrangement looks at the panel of a session that was arranged in
// this Update: for each examiner the day's work over all institutions, and how
// many sessions in a row it makes at this one.
func (r *Registry) signsAfterArrangement(tx kv.Tx, institution string, days []signs.ExaminerDay) error {
	inst, err := institutionByID(tx, institution)
	if err != nil {
		return err
	}
	today := standards.DateOf(tx.Now())
	rules, ok := r.signRules(inst.Region, today)
	if !ok {
		return nil
	}
	return r.raise(tx, rules, inst.ID, inst.Region, rules.AfterArrangement(days, today))
}

// raise opens a review for each finding, or adds it to the one that stands open
// for its window.
func (r *Registry) raise(tx kv.Tx, rules signs.Rules, institution, region string, found []signs.Sign) error {
	for _, s := range found {
		if err := r.raiseOne(tx, rules, institution, region, s); err != nil {
			return fmt.Errorf("sign %s on %s: %w", s.Kind, institution, err)
		}
	}
	return nil
}

func (r *Registry) raiseOne(tx kv.Tx, rules signs.Rules, institution, region string, s signs.Sign) error {
	rng := kv.Prefix(kv.Key(institution, string(s.Kind), s.Window))
	rng.Limit, rng.Reverse = 1, true
	last, _, err := reviews.ScanIndex(tx, indexReviewsByWindow, rng)
	if err != nil {
		return err
	}
	n, kind := 1, ReviewOpened
	var v signs.Review
	switch {
	case len(last) == 1 && !last[0].State.Ended():
		v, kind = last[0].Add(s, tx.Now()), ReviewGrew
	case len(last) == 1 && last[0].Settles(s, rules.Again):
		return nil
	default:
		if len(last) == 1 {
			n = last[0].N + 1
		}
		v = signs.OpenReview(reviewID(institution, s, n), institution, region, n, s, tx.Now())
	}
	if err := reviews.Put(tx, v); err != nil {
		return err
	}
	// The event names the institution in its detail alone, so that the log shows it
	// to the authority and not to whom is being looked at.
	_, err = r.appendEvent(tx, register, Event{Kind: kind, Object: v.ID, Detail: reviewEvent{Institution: institution, Finding: s}})
	return err
}

// reviewEvent is the detail of an event on a review.
type reviewEvent struct {
	Institution string     `json:"institution"`
	Finding     signs.Sign `json:"finding"`
}

// reviewID follows from what the review is for, so that a rerun of an Update
// reads and writes the same keys.
func reviewID(institution string, s signs.Sign, n int) string {
	sum := sha256.Sum256(kv.Key(institution, string(s.Kind), s.Window, uint64(n)))
	return "v-" + base32id(sum[:10])
}

// regionsUnder is the range of the regions that an authority of region own
// governs, as texts: from (included) to (excluded). See governs.
func regionsUnder(own string) (from, to string) {
	prefix := own
	for len(prefix) > 0 && strings.HasSuffix(prefix, "00") {
		prefix = prefix[:len(prefix)-2]
	}
	return own, prefix + "~" // after every digit
}
