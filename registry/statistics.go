package registry

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/figures"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/rulefile"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// Statistics are kept, not computed: what changes a certificate leaves one entry
// in figure_due in the same Update (batchToCount, certificateToCount,
// changeToCount), and CountFigures turns entries into figures, page by page, each
// page together with the end of its entries. A crash between two pages loses and
// repeats nothing. A report reads the kept figures and never a certificate.

// batchToCount has a batch counted that is being published.
func batchToCount(tx kv.Tx, b Batch) { tx.Put(tableFigureDue, dueBatch(b.ID), uint64Bytes(0)) }

// certificateToCount has a certificate counted that came from elsewhere.
func certificateToCount(tx kv.Tx, c Certificate) {
	tx.Put(tableFigureDue, dueCertificate(c.Number), []byte{})
}

// changeToCount has the newest change of a certificate counted; suspensions and
// resumptions are not.
func changeToCount(tx kv.Tx, c Certificate) {
	switch c.Changes[len(c.Changes)-1].Kind {
	case ChangeVoid, ChangeCancel, ChangeUndo:
		tx.Put(tableFigureDue, dueChange(c.Number, len(c.Changes)), []byte{})
	}
}

func uint64Bytes(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// factOf is a certificate as it is counted.
func factOf(c Certificate) figures.Fact {
	f := figures.Fact{Month: figures.MonthOf(c.Issued), Origin: string(c.Origin), Region: c.Region, Level: c.Level, Occupation: c.Occupation,
		Group: c.Group, Mode: string(c.Mode)}
	if c.Kind == standards.LevelCertificate && c.Number != "" {
		f.Class = c.Number[:1]
	}
	return f
}

// issuerFigure names what is kept for the history of an institution.
type issuerFigure struct {
	institution string
	year        int
	origin      string
	level       standards.Level
}

// figurePage is how many certificates from elsewhere or changes one Update
// counts: unlike those of a batch they can all be in different figures.
const figurePage = 100

// CountFigures counts what has been published, registered, voided and cancelled
// since it was called last and returns how many certificates and changes that
// was. Several processes may call it at once. It is called every few seconds;
// statistics lag behind the ledger by that much.
func (r *Registry) CountFigures(ctx context.Context) (counted int, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return counted, err
		}
		waits := false
		if err := r.db.View(ctx, func(rd kv.Reader) (err error) { waits, err = behind(rd); return err }); err != nil || !waits {
			return counted, err
		}
		n, err := r.countPage(ctx)
		if err != nil {
			return counted, fmt.Errorf("count figures: %w", err)
		}
		counted += n
	}
}

func (r *Registry) countPage(ctx context.Context) (n int, err error) {
	err = r.db.Bulk(ctx, func(tx kv.Tx) error {
		n = 0
		due, err := tx.Scan(tableFigureDue, kv.Range{Limit: figurePage})
		if err != nil || len(due) == 0 {
			return err
		}
		p := newFigurePage()
		if n, err = p.take(tx, due); err != nil {
			return err
		}
		return p.save(tx)
	})
	return n, err
}

// counting is one page of certificates and changes on their way into figures.
type counting struct {
	tally   *figures.Tally
	issuers map[issuerFigure]figures.Count
	people  map[string][]figures.Fact // by key of figure_people, what is there after this page
}

func newFigurePage() *counting {
	return &counting{tally: figures.NewTally(), issuers: map[issuerFigure]figures.Count{}, people: map[string][]figures.Fact{}}
}

// take counts the first entries of those due and ends them.
func (p *counting) take(tx kv.Tx, due []kv.Entry) (int, error) {
	first, err := parseDue(due[0])
	if err != nil {
		return 0, err
	}
	if first.kind == "batch" {
		return p.batch(tx, first.id, due[0])
	}
	var keys [][]byte
	var entries []dueEntry
	for _, e := range due {
		one, err := parseDue(e)
		if err != nil {
			return 0, err
		}
		entries, keys = append(entries, one), append(keys, kv.Key(one.id))
	}
	found, ok, err := certificates.GetMany(tx, keys)
	if err != nil {
		return 0, err
	}
	var arrived []Certificate
	for i, e := range entries {
		if !ok[i] {
			return 0, fmt.Errorf("figure_due: there is no certificate %s", e.id)
		}
		if e.kind == "certificate" {
			arrived = append(arrived, found[i])
		} else if err := p.change(found[i], e.change); err != nil {
			return 0, err
		}
		tx.Delete(tableFigureDue, due[i].Key)
	}
	return len(entries), p.issue(tx, arrived)
}

// dueEntry is a key of figure_due, read.
type dueEntry struct {
	kind, id string
	change   int
}

func parseDue(e kv.Entry) (out dueEntry, err error) {
	parts, err := kv.ParseKey(e.Key)
	if err == nil && len(parts) >= 2 {
		kind, ok1 := parts[0].(string)
		id, ok2 := parts[1].(string)
		out = dueEntry{kind: kind, id: id}
		switch {
		case !ok1 || !ok2:
		case len(parts) == 2 && (kind == "batch" || kind == "certificate"):
			return out, nil
		case len(parts) == 3 && kind == "change":
			if n, ok := parts[2].(uint64); ok {
				out.change = int(n)
				return out, nil
			}
		}
	}
	return out, fmt.Errorf("figure_due: key %x is none", e.Key)
}

// batch counts the next certificates of a published batch.
func (p *counting) batch(tx kv.Tx, id string, due kv.Entry) (int, error) {
	if len(due.Value) != 8 {
		return 0, fmt.Errorf("figure_due: batch %s has no row", id)
	}
	row := binary.BigEndian.Uint64(due.Value)
	rng := kv.Prefix(kv.Key(id))
	rng.From, rng.Limit = kv.Key(id, row+1), bulkPage
	page, _, err := certificates.ScanIndex(tx, indexCertificatesByBatch, rng)
	if err != nil {
		return 0, err
	}
	if len(page) < bulkPage {
		tx.Delete(tableFigureDue, due.Key)
	} else {
		tx.Put(tableFigureDue, due.Key, uint64Bytes(uint64(page[len(page)-1].Row)))
	}
	return len(page), p.issue(tx, page)
}

// issue counts certificates with the persons who hold them.
func (p *counting) issue(rd kv.Reader, cs []Certificate) error {
	if len(cs) == 0 {
		return nil
	}
	keys := make([][]byte, len(cs))
	for i, c := range cs {
		keys[i] = figurePerson(c.Issued.Year(), c.Person)
	}
	had, err := rd.GetMany(tableFigurePeople, keys)
	if err != nil {
		return err
	}
	for i, c := range cs {
		facts, seen := p.people[string(keys[i])]
		if !seen && had[i] != nil {
			if err := json.Unmarshal(had[i], &facts); err != nil {
				return fmt.Errorf("figure_people %x: %w", keys[i], err)
			}
		}
		p.people[string(keys[i])] = p.tally.Issue(factOf(c), facts)
		p.issuer(c, c.Issued.Year(), figures.Count{Issued: 1})
	}
	return nil
}

func (p *counting) issuer(c Certificate, year int, add figures.Count) {
	if c.Institution == "" {
		return
	}
	at := issuerFigure{c.Institution, year, string(c.Origin), c.Level}
	p.issuers[at] = p.issuers[at].Plus(add)
}

// change counts the n-th change of a certificate.
func (p *counting) change(c Certificate, n int) error {
	if n < 1 || n > len(c.Changes) {
		return fmt.Errorf("figure_due: certificate %s has no change %d", c.Number, n)
	}
	recorded := standards.DateOf(c.Changes[n-1].Recorded)
	switch c.Changes[n-1].Kind {
	case ChangeVoid:
		p.tally.Void(factOf(c), figures.MonthOf(recorded))
		p.issuer(c, recorded.Year(), figures.Count{Voided: 1})
		p.issuer(c, c.Issued.Year(), figures.Count{VoidedSince: 1})
	case ChangeCancel:
		p.tally.Cancel(factOf(c), figures.MonthOf(recorded))
		p.issuer(c, recorded.Year(), figures.Count{Cancelled: 1})
	case ChangeUndo:
		p.undo(c, c.Changes[n-2])
	}
	return nil
}

// undo takes a change that was undone out of the month it was counted in: it was
// never to be.
func (p *counting) undo(c Certificate, was Change) {
	recorded := standards.DateOf(was.Recorded)
	switch was.Kind {
	case ChangeVoid:
		p.tally.Unvoid(factOf(c), figures.MonthOf(recorded))
		p.issuer(c, recorded.Year(), figures.Count{Voided: figures.MinusOne})
		p.issuer(c, c.Issued.Year(), figures.Count{VoidedSince: figures.MinusOne})
	case ChangeCancel:
		p.tally.Uncancel(factOf(c), figures.MonthOf(recorded))
		p.issuer(c, recorded.Year(), figures.Count{Cancelled: figures.MinusOne})
	}
}

// kept are the additions of the page by table and key.
func (p *counting) kept() map[kv.Table]map[string]figures.Count {
	out := map[kv.Table]map[string]figures.Count{tableFigureCells: {}, tableFigureSums: {}, tableFigureIssuers: {}}
	for f, c := range p.tally.Cells() {
		out[tableFigureCells][string(figureCell(f))] = c
	}
	for s, c := range p.tally.Sums() {
		out[tableFigureSums][string(figureSum(s))] = c
	}
	for i, c := range p.issuers {
		out[tableFigureIssuers][string(figureIssuer(i))] = c
	}
	return out
}

func (p *counting) save(tx kv.Tx) error {
	for table, adds := range p.kept() {
		keys := make([][]byte, 0, len(adds))
		for key := range adds {
			keys = append(keys, []byte(key))
		}
		slices.SortFunc(keys, slices.Compare[[]byte])
		old, err := tx.GetMany(table, keys)
		if err != nil {
			return err
		}
		for i, key := range keys {
			had, err := parseCount(old[i])
			if err != nil {
				return fmt.Errorf("%s %x: %w", table, key, err)
			}
			tx.Put(table, key, formatCount(had.Plus(adds[string(key)])))
		}
	}
	for key, facts := range p.people {
		b, err := json.Marshal(facts)
		if err != nil {
			return err
		}
		tx.Put(tableFigurePeople, []byte(key), b)
	}
	return nil
}

// formatCount writes a count as five integers of 8 bytes, big endian.
func formatCount(c figures.Count) []byte {
	b := make([]byte, 0, 40)
	for _, n := range [...]uint64{c.Issued, c.People, c.Voided, c.Cancelled, c.VoidedSince} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// parseCount reads a count; an absent one is zero.
func parseCount(b []byte) (c figures.Count, err error) {
	if b == nil {
		return c, nil
	}
	if len(b) != 40 {
		return c, fmt.Errorf("a count has %d bytes, not 40", len(b))
	}
	for i, n := range [...]*uint64{&c.Issued, &c.People, &c.Voided, &c.Cancelled, &c.VoidedSince} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	return c, nil
}

// StatisticsQuery asks for a report. Everything but Period has a default.
type StatisticsQuery struct {
	Period string          // 2026, 2026Q1 or 2026-03
	Region string          // six digits; the caller's own, or the register's, when empty
	By     figures.Listing // ListLevels when empty
	Origin Origin          // OriginHere when empty
}

// statisticsOrigins are the origins a report can be asked for.
var statisticsOrigins = []Origin{OriginHere, OriginElsewhere, OriginImported}

// Statistics is a report 统计报表.
type Statistics struct {
	Period  figures.Period  `json:"period"`
	From    standards.Date  `json:"from"`
	Until   standards.Date  `json:"until"`
	Running bool            `json:"running"` // the period has not ended; nothing is compared then
	Region  string          `json:"region"`
	By      figures.Listing `json:"by"`
	Origin  Origin          `json:"origin"`
	At      time.Time       `json:"at"`
	// Behind says that something was published, voided or cancelled that is not
	// counted yet; it will be within seconds.
	Behind  bool            `json:"behind"`
	Rows    []figures.Row   `json:"rows"`
	Total   figures.Figures `json:"total"`
	Targets []Progress      `json:"targets,omitempty"` // of the region itself, see the package figures
	// Basis names the rule file behind the list by field.
	Basis *rulefile.Head `json:"basis,omitempty"`
}

// Progress is how far a target has come: certificates issued here in its years
// that are not void. What other systems issued is not in it.
type Progress struct {
	figures.Target
	Done  uint64  `json:"done"`
	Share float64 `json:"share"` // Done/Value, four decimals
}

// Statistics answers a report to the authority, for its region and those within
// it. Its cost follows from the number of rows, not of certificates. Invalid: the
// query; Forbidden: the region is another's.
func (r *Registry) Statistics(ctx context.Context, by Actor, q StatisticsQuery) (out Statistics, err error) {
	q, period, err := r.statisticsQuery(by, q)
	if err != nil {
		return out, err
	}
	if err := may(by, ReadStatistics, Object{Region: q.Region}); err != nil {
		return out, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out = Statistics{Period: period, From: period.From(), Until: period.Until(), Region: q.Region, By: q.By, Origin: q.Origin, At: now}
		out.Running = standards.DateOf(now) <= out.Until
		var fields figures.Fields
		if q.By == figures.ListFields {
			var known bool
			if fields, known = r.cfg.Rules.Fields.On(q.Region, string(out.Until)); !known {
				return fail.New(fail.Conflict, "fields_unknown", "no rule file says for region %s on %s which occupations are in which field", q.Region, out.Until).
					In("地区 %s 在 %s 没有职业领域划分规则，请先配置", q.Region, out.Until)
			}
			head := fields.Heading()
			out.Basis = &head
		}
		if err := out.fill(rd, q, fields, r.names(q, fields, out.Until)); err != nil {
			return err
		}
		if q.By == figures.ListOccupations {
			if err := r.nameOccupations(rd, out.Rows); err != nil {
				return err
			}
		}
		if out.Targets, err = r.progress(rd, q.Region, out.Until); err != nil {
			return err
		}
		out.Behind, err = behind(rd)
		return err
	})
	return out, err
}

func (s *Statistics) fill(rd kv.Reader, q StatisticsQuery, fields figures.Fields, name figures.Lookup) error {
	list := func(p figures.Period) (rows, total []figures.Entry, err error) {
		if total, err = sums(rd, figures.Total, p, q.Origin, q.Region); err != nil {
			return nil, nil, err
		}
		switch q.By {
		case figures.ListLevels:
			return total, total, nil
		case figures.ListRegions:
			rows, err = sumsBelow(rd, p, q.Origin, q.Region)
		default:
			rows, err = sums(rd, q.By.Along(), p, q.Origin, q.Region)
		}
		return rows, total, err
	}
	now, total, err := list(s.Period)
	if err != nil {
		return err
	}
	var before, totalBefore []figures.Entry
	if !s.Running {
		if before, totalBefore, err = list(s.Period.Before()); err != nil {
			return err
		}
		if before == nil {
			before = []figures.Entry{}
		}
		if totalBefore == nil {
			totalBefore = []figures.Entry{}
		}
	}
	s.Rows, s.Total = figures.Table(q.By, q.Region, now, before, total, totalBefore, fields, name)
	if s.Rows == nil {
		s.Rows = []figures.Row{}
	}
	return nil
}

// behind reports whether anything waits to be counted.
func behind(rd kv.Reader) (bool, error) {
	due, err := rd.Scan(tableFigureDue, kv.Range{Limit: 1})
	return len(due) > 0, err
}

func (r *Registry) statisticsQuery(by Actor, q StatisticsQuery) (StatisticsQuery, figures.Period, error) {
	var bad []fail.Field
	if q.Region == "" {
		q.Region = by.Region
	}
	if q.Region == "" {
		q.Region = r.cfg.Region
	}
	if q.By == "" {
		q.By = figures.ListLevels
	}
	if q.Origin == "" {
		q.Origin = OriginHere
	}
	period, err := figures.ParsePeriod(q.Period)
	if err != nil {
		bad = append(bad, fail.Of(err).Fields...)
	}
	if !regionCode(q.Region) {
		bad = append(bad, regionField("region"))
	}
	if !slices.Contains(figures.Listings(), q.By) {
		bad = append(bad, fail.Field{Name: "by", Code: "unknown", ZH: "应为 level、occupation、field、region、class、group 或 mode",
			EN: "level, occupation, field, region, class, group or mode"})
	}
	if !slices.Contains(statisticsOrigins, q.Origin) {
		bad = append(bad, fail.Field{Name: "origin", Code: "unknown", ZH: "应为 here（本系统颁发）或 elsewhere（登记的外来证书）", EN: "here or elsewhere"})
	}
	if len(bad) > 0 {
		return q, "", fail.New(fail.Invalid, "statistics_query", "the report cannot be asked for like this").In("统计条件有误").At(bad...)
	}
	return q, period, nil
}

func regionCode(s string) bool {
	return len(s) == 6 && strings.Trim(s, "0123456789") == ""
}

func regionField(name string) fail.Field {
	return fail.Field{Name: name, Code: "region", ZH: "应为六位行政区划代码，如 320500", EN: "must be a region code of six digits, such as 320500"}
}

// sums reads the kept figures of one listing, period, origin and region.
func sums(rd kv.Reader, by figures.By, p figures.Period, origin Origin, region string) ([]figures.Entry, error) {
	return readSums(rd, kv.Prefix(kv.Key(by, p, origin, region)))
}

// sumsBelow reads the totals of the regions one step below a region.
func sumsBelow(rd kv.Reader, p figures.Period, origin Origin, region string) ([]figures.Entry, error) {
	rng := kv.Prefix(kv.Key(figures.Total, p, origin))
	if region != nation {
		low, high := within(region)
		rng.From, rng.To = kv.Key(figures.Total, p, origin, low), kv.Key(figures.Total, p, origin, high)
	}
	all, err := readSums(rd, rng)
	return slices.DeleteFunc(all, func(e figures.Entry) bool { return above(e.Region) != region }), err
}

// nation is the region that has every other within it.
const nation = "000000"

// within is the span of region codes that lie in a region other than the nation:
// from low, the region itself, to before high.
func within(region string) (low, high string) {
	width := 6
	switch {
	case region[2:] == "0000":
		width = 2
	case region[4:] == "00":
		width = 4
	}
	next := []byte(region[:width])
	for i := width - 1; i >= 0; i-- {
		if next[i]++; next[i] <= '9' {
			break
		}
		next[i] = '0'
	}
	if string(next) < region[:width] {
		return region, ":" // after every code
	}
	return region, string(next) + "000000"[width:]
}

// above is the region one step above; empty for the nation.
func above(region string) string {
	up := rulefile.Upward(region)
	if len(up) < 2 {
		return ""
	}
	return up[1]
}

func readSums(rd kv.Reader, rng kv.Range) (out []figures.Entry, err error) {
	err = kv.Each(rd, tableFigureSums, rng, func(e kv.Entry) error {
		s, err := parseSum(e.Key)
		if err != nil {
			return err
		}
		c, err := parseCount(e.Value)
		out = append(out, figures.Entry{Sum: s, Count: c})
		return err
	})
	return out, err
}

func parseSum(key []byte) (s figures.Sum, err error) {
	parts, err := kv.ParseKey(key)
	if err != nil || len(parts) != 6 {
		return s, fmt.Errorf("figure_sums: key %x is none", key)
	}
	var text [6]string
	for i, p := range parts {
		var ok bool
		if text[i], ok = p.(string); !ok {
			return s, fmt.Errorf("figure_sums: key %x is none", key)
		}
	}
	return figures.Sum{By: figures.By(text[0]), Period: figures.Period(text[1]), Origin: text[2], Region: text[3], Value: text[4], Rank: figures.Rank(text[5])}, nil
}

// progress compares the targets of a region with what was issued here in their
// years.
func (r *Registry) progress(rd kv.Reader, region string, on standards.Date) (out []Progress, err error) {
	for _, t := range figures.TargetsOf(r.cfg.Rules.Targets, region, on) {
		rank := figures.All
		if t.Measure == figures.HighSkilled {
			rank = figures.HighRank
		}
		var keys [][]byte
		for year := t.From; year <= t.Until; year++ {
			keys = append(keys, figureSum(figures.Sum{By: figures.Total, Period: figures.Period(fmt.Sprint(year)), Origin: string(OriginHere), Region: region, Rank: rank}))
		}
		values, err := rd.GetMany(tableFigureSums, keys)
		if err != nil {
			return nil, err
		}
		p := Progress{Target: t}
		for _, v := range values {
			c, err := parseCount(v)
			if err != nil {
				return nil, err
			}
			p.Done += c.Issued - c.VoidedSince
		}
		p.Share = float64(p.Done*10000/t.Value) / 10000
		out = append(out, p)
	}
	return out, nil
}

// YearFigures are the totals of one year.
type YearFigures struct {
	Year int `json:"year"`
	figures.Figures
}

// PublicStatistics are what anybody may see: totals by level and year.
type PublicStatistics struct {
	Region  string        `json:"region"`
	At      time.Time     `json:"at"`
	Behind  bool          `json:"behind"`
	Years   []YearFigures `json:"years"` // the newest first; years without any figure are left out
	Targets []Progress    `json:"targets,omitempty"`
}

// publicYears is how many years the public sees.
const publicYears = 10

// PublicStatistics shows the public what the register's region issued, by level
// and year, and how far its targets have come.
func (r *Registry) PublicStatistics(ctx context.Context) (out PublicStatistics, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		today := standards.DateOf(now)
		out = PublicStatistics{Region: r.cfg.Region, At: now, Years: []YearFigures{}}
		// One year more than is shown, to compare the oldest with.
		years := make([][]figures.Entry, publicYears+1)
		for i := range years {
			entries, err := sums(rd, figures.Total, figures.Period(fmt.Sprint(today.Year()-i)), OriginHere, r.cfg.Region)
			if err != nil {
				return err
			}
			years[i] = append([]figures.Entry{}, entries...)
		}
		for i, entries := range years[:publicYears] {
			if len(entries) == 0 {
				continue
			}
			before := years[i+1]
			if i == 0 {
				before = nil // the year runs
			}
			_, f := figures.Table(figures.ListLevels, r.cfg.Region, nil, nil, entries, before, figures.Fields{}, asKey)
			out.Years = append(out.Years, YearFigures{Year: today.Year() - i, Figures: f})
		}
		if out.Targets, err = r.progress(rd, r.cfg.Region, today); err != nil {
			return err
		}
		out.Behind, err = behind(rd)
		return err
	})
	return out, err
}

func asKey(key string) rulefile.Text { return rulefile.Text{ZH: key, EN: key} }

// names is how the keys of a report are called.
func (r *Registry) names(q StatisticsQuery, fields figures.Fields, on standards.Date) figures.Lookup {
	known := map[string]rulefile.Text{}
	none := rulefile.Text{ZH: "未填写", EN: "not given"}
	switch q.By {
	case figures.ListLevels:
		for _, l := range standards.Levels() {
			known[l.Code()] = rulefile.Text{ZH: l.Certificate(), EN: l.English()}
		}
	case figures.ListFields:
		none = rulefile.Text{ZH: "其他职业", EN: "other occupations"}
		for _, f := range fields.Fields {
			known[f.Code] = f.Name
		}
	case figures.ListClasses:
		none = rulefile.Text{ZH: "其他编号规则", EN: "numbers of other systems"}
		known[string(evaluators.Employer)] = rulefile.Text{ZH: "用人单位", EN: "employers"}
		known[string(evaluators.Social)] = rulefile.Text{ZH: "社会培训评价组织", EN: "social evaluators"}
	case figures.ListGroups:
		if course, ok := r.cfg.Rules.Course.On(q.Region, string(on)); ok {
			for _, g := range course.Groups {
				known[g.Code] = g.Name
			}
		}
	case figures.ListModes:
		return func(key string) rulefile.Text {
			if mode := policy.Mode(key); mode.Known() {
				return rulefile.Text{ZH: mode.Name().ZH, EN: mode.Name().EN}
			}
			return asKey(key)
		}
	case figures.ListRegions:
		return func(key string) rulefile.Text {
			if key == q.Region && key != "" {
				return rulefile.Text{ZH: regionName(key) + "（本级）", EN: regionName(key) + " (itself)"}
			}
			return asKey(regionName(key))
		}
	}
	return func(key string) rulefile.Text {
		if key == "" {
			return none
		}
		if name, ok := known[key]; ok {
			return name
		}
		return asKey(key)
	}
}

// regionName names provinces; other regions are shown by their code.
func regionName(code string) string {
	if len(code) == 6 && code[2:] == "0000" {
		if name, ok := standards.Province(code[:2]); ok {
			return name
		}
	}
	return code
}

// nameOccupations puts the names of the imported classification to the rows.
func (r *Registry) nameOccupations(rd kv.Reader, rows []figures.Row) error {
	for start := 0; start < len(rows); start += pageMax {
		part := rows[start:min(start+pageMax, len(rows))]
		keys := make([][]byte, len(part))
		for i, row := range part {
			keys[i] = kv.Key(row.Key)
		}
		found, ok, err := occupations.GetMany(rd, keys)
		if err != nil {
			return err
		}
		for i := range part {
			if o, known := r.starter.Occupation(part[i].Key); known {
				part[i].Name = asKey(o.Name)
			} else if ok[i] {
				part[i].Name = asKey(found[i].Name)
			}
		}
	}
	return nil
}

// FigureCell is one of the finest figures: a month's certificates that agree in
// everything that is counted along. It has no 人数.
type FigureCell struct {
	Month       figures.Period  `json:"month"`
	Origin      Origin          `json:"origin"`
	Region      string          `json:"region"`
	Class       string          `json:"class,omitempty"`
	Level       standards.Level `json:"level"`
	Occupation  string          `json:"occupation"`
	Group       string          `json:"group,omitempty"`
	Mode        policy.Mode     `json:"mode"`
	Issued      uint64          `json:"issued"`
	Voided      uint64          `json:"voided"`
	Cancelled   uint64          `json:"cancelled"`
	VoidedSince uint64          `json:"voided_since"`
}

// StatisticsCells is one page of the finest figures of a month in a region and
// those within it, for tables that no report makes. Invalid: month is no month,
// or region no code; Forbidden: the region is another's.
func (r *Registry) StatisticsCells(ctx context.Context, by Actor, month, region string, page Page) (out []FigureCell, next string, err error) {
	q, period, err := r.statisticsQuery(by, StatisticsQuery{Period: month, Region: region})
	if err == nil && len(period.Months()) != 1 {
		err = fail.New(fail.Invalid, "statistics_query", "the finest figures are asked for by the month, such as 2026-03").In("明细按月查询，如 2026-03").
			At(fail.Field{Name: "month", Code: "form", ZH: "应为月份，如 2026-03", EN: "must be a month such as 2026-03"})
	}
	if err != nil {
		return nil, "", err
	}
	if err := may(by, ReadStatistics, Object{Region: q.Region}); err != nil {
		return nil, "", err
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		rng := kv.Prefix(kv.Key(period))
		if q.Region != nation {
			low, high := within(q.Region)
			rng.From, rng.To = kv.Key(period, low), kv.Key(period, high)
		}
		if rng, err = page.within(rng); err != nil {
			return err
		}
		entries, err := rd.Scan(tableFigureCells, rng)
		if err != nil {
			return err
		}
		for _, e := range entries {
			c, err := parseCell(e)
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		if len(entries) == rng.Limit {
			next = encodeCursor(rng.After(entries[len(entries)-1].Key).From)
		}
		return nil
	})
	return out, next, err
}

func parseCell(e kv.Entry) (out FigureCell, err error) {
	parts, err := kv.ParseKey(e.Key)
	if err == nil && len(parts) != 8 {
		err = fmt.Errorf("%d parts", len(parts))
	}
	if err != nil {
		return out, fmt.Errorf("figure_cells: key %x is none: %w", e.Key, err)
	}
	var text [8]string
	level, fits := parts[4].(uint64)
	for i, p := range parts {
		if i == 4 {
			continue
		}
		s, ok := p.(string)
		text[i], fits = s, fits && ok
	}
	if !fits {
		return out, fmt.Errorf("figure_cells: key %x is none", e.Key)
	}
	c, err := parseCount(e.Value)
	return FigureCell{Month: figures.Period(text[0]), Region: text[1], Origin: Origin(text[2]), Class: text[3], Level: standards.Level(level),
		Occupation: text[5], Group: text[6], Mode: policy.Mode(text[7]),
		Issued: c.Issued, Voided: c.Voided, Cancelled: c.Cancelled, VoidedSince: c.VoidedSince}, err
}
