package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// CheckOptions of a check; the zero value, or nil, checks everything and says
// nothing meanwhile.
type CheckOptions struct {
	// Parts are the parts to check, see [CheckPartNames]; all when empty.
	Parts []string
	// Progress hears how far a part has come, first with nothing done, last with
	// all of it; often, so that who shows it shows it now and then.
	Progress func(CheckProgress)
}

// CheckProgress is how far a part of a check has come.
type CheckProgress struct {
	Part  string
	Done  int // entries
	Total int // 0: not known
}

// CheckReport is what a check found. Found counts all problems and is 0 when
// what was checked is sound; Problems lists the first CheckMaxProblems of them.
type CheckReport struct {
	At           time.Time   `json:"at"`
	Seconds      float64     `json:"seconds"`
	Certificates int         `json:"certificates"` // these four: of the parts that were checked
	Versions     int         `json:"versions"`
	Claims       int         `json:"claims"`
	Events       uint64      `json:"events"`
	Found        int         `json:"found"`
	Problems     []string    `json:"-"`
	Parts        []CheckPart `json:"parts"`
	Notes        []CheckNote `json:"notes,omitempty"` // what breaks no invariant and should be known
	Whole        bool        `json:"whole"`           // every part was checked to its end
}

// CheckNote is one thing that an operator should know.
type CheckNote struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// CheckPart is one part of a check. Entries are what it went through: records,
// index entries, entries of the log.
type CheckPart struct {
	Name     string         `json:"name"`
	Entries  int            `json:"entries"`
	Seconds  float64        `json:"seconds"`
	Found    int            `json:"found"`
	Kinds    map[string]int `json:"kinds,omitempty"` // how many of each kind
	Problems []CheckProblem `json:"problems"`        // the first of them
}

// CheckProblem is one broken invariant. Kind is the sentence without what it is
// about, the same for every problem of its kind; ID the first thing it names.
type CheckProblem struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Text string `json:"text"`
}

// CheckMaxProblems bounds the list in a CheckReport, all parts together.
const CheckMaxProblems = 1000

// checkMaxKinds bounds the kinds counted in a part.
const checkMaxKinds = 100

type checkPart struct {
	name string
	run  func(*check) error
}

// CheckPartNames are the parts of a check in their order.
func CheckPartNames() (names []string) {
	for _, p := range checkParts {
		names = append(names, p.name)
	}
	return names
}

func partsNamed(names []string) ([]checkPart, error) {
	if len(names) == 0 {
		return checkParts, nil
	}
	var out []checkPart
	for _, name := range names {
		if !slices.Contains(CheckPartNames(), name) {
			return nil, fail.New(fail.Invalid, "check_part", "there is no part %q; the parts are %s", name, strings.Join(CheckPartNames(), ", ")).
				In("没有核对部分 %q；可用的部分：%s", name, strings.Join(CheckPartNames(), "、"))
		}
	}
	for _, p := range checkParts {
		if slices.Contains(names, p.name) {
			out = append(out, p)
		}
	}
	return out, nil
}

// check is the state of a check, or of the part of it that one goroutine does.
type check struct {
	r      *Registry
	base   kv.Reader // the snapshot
	rd     kv.Reader // the same, with what many ask for kept
	kept   *keptReads
	show   func(CheckProgress)
	report *CheckReport
	part   *CheckPart
	total  int              // of the part, 0 when not known
	counts map[kv.Table]int // entries of tables that the indexes were checked of
	only   kv.Table         // the table whose scanned entries are progress; "*" for all, "" for none
	lonely *[]CheckProblem  // of one goroutine beside others
	saved  auditlog.Published
}

func (r *Registry) newCheck(ctx context.Context, rd kv.Reader, opt CheckOptions) *check {
	c := &check{r: r, kept: &keptReads{}, show: opt.Progress, counts: map[kv.Table]int{}}
	c.report = &CheckReport{At: r.cfg.Now().UTC(), Problems: []string{}, Parts: []CheckPart{}}
	c.base = kv.Watch(ctx, rd, func(t kv.Table, n int) {
		if c.only == "*" || c.only != "" && c.only == t {
			if c.only == "*" {
				c.counts[t] += n
			}
			c.done(n)
		}
	})
	c.rd = keptReader{c.base, c.kept}
	return c
}

// run does the parts one after another; the work within a part is shared out.
func (c *check) run(parts []checkPart) error {
	began, broken := c.r.cfg.Now(), false
	for _, p := range parts {
		c.report.Parts = append(c.report.Parts, CheckPart{Name: p.name, Problems: []CheckProblem{}})
		c.part, c.total, c.only = &c.report.Parts[len(c.report.Parts)-1], 0, ""
		at := c.r.cfg.Now()
		c.done(0)
		err := p.run(c)
		c.part.Seconds = c.r.cfg.Now().Sub(at).Seconds()
		c.report.Seconds = c.r.cfg.Now().Sub(began).Seconds()
		switch {
		case err != nil && !c.readable():
			return fmt.Errorf("check %s: %w", p.name, err)
		case err != nil:
			// Not the store but what is in it: a record that others need is gone or
			// cannot be read. The other parts may find out which.
			broken = true
			c.note(CheckProblem{Kind: "the part cannot be checked to its end", ID: p.name, Text: fmt.Sprintf("%s cannot be checked to the end: %v", p.name, err)})
		}
		c.total = c.part.Entries
		c.done(0)
	}
	c.report.Whole = len(parts) == len(checkParts) && !broken
	return nil
}

// readable says whether the snapshot still answers. A reader that has failed once
// does not, nor does one whose check was called off.
func (c *check) readable() bool {
	_, err := c.base.Get(tableCounters, counterStatus())
	return err == nil
}

// of says how many entries the part has, if the check of the indexes has counted
// them before.
func (c *check) of(tables ...kv.Table) {
	c.total = 0
	for _, t := range tables {
		c.total += c.counts[t]
	}
}

func (c *check) done(n int) {
	c.part.Entries += n
	if c.show != nil {
		c.show(CheckProgress{c.part.Name, c.part.Entries, max(c.total, 0)})
	}
}

func (c *check) problem(format string, args ...any) {
	p := CheckProblem{Kind: kindOfFormat(format), Text: fmt.Sprintf(format, args...)}
	if len(args) > 0 {
		p.ID = fmt.Sprint(args[0])
	}
	c.note(p)
}

// say reports a problem that is told in words alone.
func (c *check) say(text string) {
	kind, id := kindOfText(text)
	c.note(CheckProblem{Kind: kind, ID: id, Text: text})
}

func (c *check) note(p CheckProblem) {
	if c.lonely != nil {
		*c.lonely = append(*c.lonely, p)
		return
	}
	c.report.Found++
	c.part.Found++
	if c.part.Kinds == nil {
		c.part.Kinds = map[string]int{}
	}
	if _, known := c.part.Kinds[p.Kind]; !known && len(c.part.Kinds) >= checkMaxKinds {
		p.Kind = "others"
	}
	c.part.Kinds[p.Kind]++
	if len(c.report.Problems) < CheckMaxProblems {
		c.report.Problems = append(c.report.Problems, p.Text)
		c.part.Problems = append(c.part.Problems, p)
	}
}

// kindOfFormat is a problem's format without its verbs.
func kindOfFormat(format string) string {
	var s strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			s.WriteByte(format[i])
			continue
		}
		for i++; i < len(format) && !unicode.IsLetter(rune(format[i])) && format[i] != '%'; i++ {
		}
		s.WriteString("…")
	}
	return s.String()
}

// kindOfText is a sentence without its words that have digits or quotes, or that are
// hexadecimal; id is the first of them.
func kindOfText(text string) (kind, id string) {
	words := strings.Fields(text)
	for i, w := range words {
		bare := strings.Trim(w, ",.:;()")
		if strings.ContainsAny(bare, `0123456789"`) || len(bare) >= 8 && strings.Trim(bare, "abcdef") == "" {
			words[i] = strings.Replace(w, bare, "…", 1)
			if id == "" {
				id = strings.Trim(bare, `"`)
			}
		}
	}
	return strings.Join(words, " "), id
}

// side runs fn for 0 to n−1 side by side, each with a check of its own; problems
// come in the order of i.
func (c *check) side(n int, fn func(i int, c *check) error) error {
	found := make([][]CheckProblem, n)
	err := kv.Gather(c.base, n, func(i int, rd kv.Reader) error {
		own := *c
		own.base, own.rd, own.lonely = rd, keptReader{rd, c.kept}, &found[i]
		return fn(i, &own)
	})
	for _, problems := range found {
		for _, p := range problems {
			c.note(p)
		}
	}
	return err
}

// checkShare is how many records one goroutine decodes of a page.
const checkShare = 64

// eachPage goes through a table in pages of at most limit records, which are decoded
// side by side. One that cannot be read is a problem and left out.
func eachPage[V any](c *check, table kv.Records[V], limit int, fn func([]V) error) error {
	return eachPageIn(c, table, kv.Range{Limit: limit}, fn)
}

func eachPageIn[V any](c *check, table kv.Records[V], rng kv.Range, fn func([]V) error) error {
	for {
		entries, err := c.base.Scan(table.Table, rng)
		if err != nil {
			return err
		}
		page, err := decodeAll(c, table, entries)
		if err != nil {
			return err
		}
		if err := fn(page); err != nil {
			return err
		}
		c.done(len(entries))
		if len(entries) < rng.Limit {
			return nil
		}
		rng = rng.After(entries[len(entries)-1].Key)
	}
}

func decodeAll[V any](c *check, table kv.Records[V], entries []kv.Entry) ([]V, error) {
	shares := slices.Collect(slices.Chunk(entries, checkShare))
	decoded := make([][]V, len(shares))
	err := c.side(len(shares), func(i int, c *check) error {
		for _, e := range shares[i] {
			v, err := table.Decode(e.Key, e.Value)
			if err != nil {
				c.problem("record %x of %s cannot be read", e.Key, table.Table)
				continue
			}
			decoded[i] = append(decoded[i], v)
		}
		return nil
	})
	return slices.Concat(decoded...), err
}

// each runs fn on every record of a table, those of a page side by side. Pages are
// small where fn reads much for a record.
func each[V any](c *check, table kv.Records[V], limit int, fn func(*check, V) error) error {
	return eachPage(c, table, limit, func(page []V) error {
		return c.side(len(page), func(i int, c *check) error { return fn(c, page[i]) })
	})
}

// scanAll goes through a table beside what the part is about: it reports nothing,
// and counts as no progress.
func scanAll[V any](c *check, table kv.Records[V], fn func([]V)) error {
	return eachPage(c.quiet(), table, pageMax, func(page []V) error { fn(page); return nil })
}

// eachEntry goes through a table that has no records in pages of at most limit
// entries.
func (c *check) eachEntry(table kv.Table, limit int, fn func([]kv.Entry) error) error {
	for rng := (kv.Range{Limit: limit}); ; {
		entries, err := c.base.Scan(table, rng)
		if err != nil {
			return err
		}
		if err := fn(entries); err != nil {
			return err
		}
		c.done(len(entries))
		if len(entries) < rng.Limit {
			return nil
		}
		rng = rng.After(entries[len(entries)-1].Key)
	}
}

func (c *check) log() error {
	head, err := auditlog.ReadHead(c.rd)
	if err != nil {
		return err
	}
	c.report.Events, c.total, c.only = head.Size, int(min(head.Size, 1<<40)), auditlog.LeavesTable
	if err := auditlog.Check(c.base, c.say); err != nil {
		return err
	}
	return c.checkpoints(c.saved)
}
