// Package sameness says which occupations of different editions of the
// classification 职业分类大典 (1999, 2015, 2022) count as the same one. Codes and
// names changed, occupations were merged and split; no published table joins the
// editions, so what is known is data: rule files with an entry for each pair.
//
//	entries:
//	  - from: {edition: "2015", code: 4-10-01-03, name: 保育员}
//	    to: {edition: "2022", code: 4-10-01-03, name: 保育师}
//	    kind: renamed
//	    sample: not confirmed by a published table
//
// # What follows from an entry
//
// same and renamed say that both are one occupation. That is carried on: what is
// the same as one of them is the same as the other, over any number of editions.
//
// merged and split relate each old occupation with each new one, and that is not
// carried on: when A and B were merged into C, a claim for A bars one for C and
// so does one for B, but A and B stay two occupations beside each other, as they
// were when their certificates were earned. Likewise the parts of what was split.
// Only entries that say so (among: true, in each of them) make those that were
// merged into one, or split from one, the same among themselves as well.
//
// ended says that an occupation has none of its own in the newer edition; it
// relates nothing.
//
// names: code_and_name takes an occupation of two editions with the same code and
// the same name for one without an entry.
//
// The package is pure.
package sameness

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// Job is an occupation of one edition. Name may be empty.
type Job struct {
	Edition string `yaml:"edition" json:"edition"`
	Code    string `yaml:"code" json:"code"`
	Name    string `yaml:"name" json:"name,omitempty"`
}

// key is what a job is known by: its edition and code.
func (j Job) key() Job { return Job{Edition: j.Edition, Code: j.Code} }

// Kind says how an occupation of one edition became one of another.
type Kind string

// The kinds of entries.
const (
	Same    Kind = "same"    // code or group changed, nothing else
	Renamed Kind = "renamed" // the name changed
	Merged  Kind = "merged"  // from is one of several that became to
	Split   Kind = "split"   // to is one of several that from became
	Ended   Kind = "ended"   // no occupation of its own any more
)

// Kinds lists the kinds.
func Kinds() []Kind { return []Kind{Same, Renamed, Merged, Split, Ended} }

// Editions of the classification, the oldest first.
func Editions() []string { return []string{"1999", "2015", "2022"} }

// Entry is one line of a file. Source says what confirms it, Sample why nothing
// does; there is one of them.
type Entry struct {
	From   Job    `yaml:"from" json:"from"`
	To     Job    `yaml:"to,omitempty" json:"to,omitzero"` // none when ended; then only its edition
	Kind   Kind   `yaml:"kind" json:"kind"`
	Among  bool   `yaml:"among,omitempty" json:"among,omitempty"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Names says what equal names mean where there is no entry.
type Names string

// The meanings of names.
const (
	NamesSayNothing  Names = "none"
	CodeAndNameAgree Names = "code_and_name" // the same code and the same name in both editions
)

// File is a rule file.
type File struct {
	rulefile.Head `yaml:",inline"`

	Names   Names   `yaml:"names" json:"names"`
	Entries []Entry `yaml:"entries" json:"entries"`
}

//go:embed data/*.yaml
var files embed.FS

// Embedded returns the files that come with the product: one confirmed entry,
// all others samples.
func Embedded() (rulefile.Set[File], error) { return rulefile.ReadSet[File](files, "data/*.yaml") }

var codeForm = map[string]*regexp.Regexp{
	"1999": regexp.MustCompile(`^X?[1-8]-\d{2}-\d{2}-\d{2}$`), // additions to the edition of 1999 have an X
	"2015": regexp.MustCompile(`^[1-8]-\d{2}-\d{2}-\d{2}$`),
	"2022": regexp.MustCompile(`^[1-8]-\d{2}-\d{2}-\d{2}$`),
}

// Problems says what is wrong with a file beyond its form.
func (f File) Problems() (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: zh, EN: en})
		}
	}
	say(f.Names == NamesSayNothing || f.Names == CodeAndNameAgree, "names 应为 none 或 code_and_name", "names is none or code_and_name")
	seen := map[[2]Job]bool{}
	for i, e := range f.Entries {
		at := fmt.Sprintf("entries[%d] ", i)
		say(slices.Contains(Kinds(), e.Kind), at+"kind 应为 same、renamed、merged、split 或 ended", at+"has a kind same, renamed, merged, split or ended")
		say(e.From.sound(), at+"from 应有 edition（1999、2015、2022）、code 和 name", at+"from has an edition (1999, 2015, 2022), a code and a name")
		if e.Kind == Ended {
			say(e.To.Code == "" && e.To.Name == "" && codeForm[e.To.Edition] != nil, at+"ended 的 to 只填 edition", at+"ended has the edition alone in to")
		} else {
			say(e.To.sound(), at+"to 应有 edition（1999、2015、2022）、code 和 name", at+"to has an edition (1999, 2015, 2022), a code and a name")
		}
		say(e.From.Edition < e.To.Edition, at+"from 的版本应早于 to", at+"from is of an older edition than to")
		say((e.Source != "") != (e.Sample != ""), at+"source 与 sample 应且只应有一项", at+"has either a source or a sample, not both")
		say(!e.Among || e.Kind == Merged || e.Kind == Split, at+"among 只用于 merged、split", at+"has among only where it is merged or split")
		pair := [2]Job{e.From.key(), e.To.key()}
		say(!seen[pair], at+"与前面的条目重复", at+"stands in the file twice")
		seen[pair] = true
	}
	if len(out) == 0 {
		out = append(out, NewTable(f).problems()...)
	}
	return out
}

func (j Job) sound() bool {
	form := codeForm[j.Edition]
	return form != nil && form.MatchString(j.Code) && strings.TrimSpace(j.Name) != ""
}

// Table is what the files in force say. It does not change once made; the zero
// Table relates an occupation with itself alone.
type Table struct {
	byName  bool
	one     map[Job]Job        // a job and the one that stands for all that are the same
	related map[[2]Job]bool    // of jobs that stand for others, in both orders
	names   map[string][]Job   // by the normal form of a name
	names2  map[Job]string     // the normal form of the name of a job
	told    map[[2]string]bool // edition and code that are in the table at all
	text    []byte             // what it says in its one form; none of the zero Table
	digest  string
}

// NewTable joins files into a table: what one of them says holds.
func NewTable(in ...File) Table {
	t := Table{one: map[Job]Job{}, related: map[[2]Job]bool{}, names: map[string][]Job{}, names2: map[Job]string{}, told: map[[2]string]bool{}}
	var all []Entry
	for _, f := range in {
		t.byName = t.byName || f.Names == CodeAndNameAgree
		all = append(all, f.Entries...)
	}
	for _, e := range all {
		t.note(e.From)
		if e.Kind != Ended {
			t.note(e.To)
		}
		if e.Kind == Same || e.Kind == Renamed {
			t.join(e.From.key(), e.To.key())
		}
	}
	// Which stands for which is known now.
	siblings := map[Job][]Job{}
	for _, e := range all {
		from, to := t.find(e.From.key()), t.find(e.To.key())
		if e.Kind != Merged && e.Kind != Split {
			continue
		}
		t.relate(from, to)
		if e.Among && e.Kind == Merged {
			siblings[to] = append(siblings[to], from)
		}
		if e.Among && e.Kind == Split {
			siblings[from] = append(siblings[from], to)
		}
	}
	for _, group := range siblings {
		for i, a := range group {
			for _, b := range group[:i] {
				t.relate(a, b)
			}
		}
	}
	t.text = canonical(t.byName, all)
	t.digest = digest(t.text)
	return t
}

// On is the table in force in a region on a date: what all files say that stand
// in the region or above it and began by then.
func On(set rulefile.Set[File], region, date string) Table {
	up := rulefile.Upward(region)
	var in []File
	for _, f := range set.All() {
		if slices.Contains(up, f.Region) && f.From <= date {
			in = append(in, f)
		}
	}
	return NewTable(in...)
}

// Begins are the days on which a table of the set begins, the oldest first, each
// once.
func Begins(set rulefile.Set[File]) (out []string) {
	for _, f := range set.All() {
		out = append(out, f.From)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t *Table) note(j Job) {
	t.told[[2]string{j.Edition, j.Code}] = true
	name := NormalName(j.Name)
	if t.names2[j.key()] == "" {
		t.names2[j.key()] = name
	}
	if name != "" && !slices.ContainsFunc(t.names[name], func(o Job) bool { return o.key() == j.key() }) {
		t.names[name] = append(t.names[name], j)
	}
}

func (t *Table) find(j Job) Job {
	for {
		up, ok := t.one[j]
		if !ok || up == j {
			return j
		}
		j = up
	}
}

func (t *Table) join(a, b Job) {
	if a, b = t.find(a), t.find(b); a != b {
		t.one[a] = b
	}
}

func (t *Table) relate(a, b Job) { t.related[[2]Job{a, b}], t.related[[2]Job{b, a}] = true, true }

// problems are the occupations of one edition that the table takes for one.
func (t Table) problems() (out []rulefile.Text) {
	first := map[[2]string]Job{} // edition and class
	var jobs []Job
	for j := range t.names2 {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b Job) int { return strings.Compare(a.Edition+a.Code, b.Edition+b.Code) })
	for _, j := range jobs {
		class := t.find(j)
		at := [2]string{j.Edition, class.Edition + " " + class.Code}
		if other, ok := first[at]; ok {
			out = append(out, rulefile.Text{ZH: fmt.Sprintf("同一版本（%s）的 %s 与 %s 被视为同一职业，应改为 merged 或 split", j.Edition, other.Code, j.Code),
				EN: fmt.Sprintf("%s and %s of one edition (%s) become the same; say merged or split", other.Code, j.Code, j.Edition)})
		}
		first[at] = j
	}
	return out
}

// Same reports whether a and b count as the same occupation. It is symmetric, and
// true of an occupation and itself. A job without a code is the same as none.
func (t Table) Same(a, b Job) bool {
	if a.Code == "" || b.Code == "" {
		return false
	}
	if a.key() == b.key() {
		return true
	}
	if t.byName && a.Code == b.Code && a.Edition != b.Edition {
		if na, nb := t.nameOf(a), t.nameOf(b); na != "" && na == nb {
			return true
		}
	}
	x, y := t.find(a.key()), t.find(b.key())
	return x == y || t.related[[2]Job{x, y}]
}

// nameOf is the normal form of a job's name, as it is given or as the table has it.
func (t Table) nameOf(j Job) string {
	if name := NormalName(j.Name); name != "" {
		return name
	}
	return t.names2[j.key()]
}

// Lookup returns the occupations of the table, of any edition, that have a name,
// however it is spelled: with traditional characters, in full width, with spaces.
func (t Table) Lookup(name string) []Job {
	n := NormalName(name)
	if n == "" {
		return nil
	}
	return slices.Clone(t.names[n])
}

// Digest is the SHA-256 of what the table says, hexadecimal: entries in the order
// of their jobs, without what confirms them.
func (t Table) Digest() string {
	if t.digest == "" {
		return digest(t.Text())
	}
	return t.digest
}

// form names the form of a table's text.
const form = "sameness-1"

// Text is what the table says in its one form, of which Digest is the SHA-256.
// [ParseTable] reads it.
func (t Table) Text() []byte {
	if t.text == nil {
		return canonical(false, nil)
	}
	return slices.Clone(t.text)
}

// ParseTable reads the Text of a table, so that what was decided by one can be
// decided by it again when no rule file gives it any more. Error: Invalid
// sameness_text.
func ParseTable(text []byte) (Table, error) {
	wrong := fail.New(fail.Invalid, "sameness_text", "this is not the text of a table of same occupations").In("不是职业对应表的规范文本")
	var whole []json.RawMessage
	var name string
	var f File
	var byName bool
	var lines []string
	if json.Unmarshal(text, &whole) != nil || len(whole) != 3 || json.Unmarshal(whole[0], &name) != nil || name != form ||
		json.Unmarshal(whole[1], &byName) != nil || json.Unmarshal(whole[2], &lines) != nil {
		return Table{}, wrong
	}
	if byName {
		f.Names = CodeAndNameAgree
	}
	for _, l := range lines {
		var parts []json.RawMessage
		var e Entry
		if json.Unmarshal([]byte(l), &parts) != nil || len(parts) != 4 || json.Unmarshal(parts[0], &e.From) != nil || json.Unmarshal(parts[1], &e.To) != nil ||
			json.Unmarshal(parts[2], &e.Kind) != nil || json.Unmarshal(parts[3], &e.Among) != nil {
			return Table{}, wrong
		}
		f.Entries = append(f.Entries, e)
	}
	t := NewTable(f)
	if !bytes.Equal(t.text, text) {
		return Table{}, wrong
	}
	return t, nil
}

func canonical(byName bool, all []Entry) []byte {
	lines := []string{}
	for _, e := range all {
		b, _ := json.Marshal([]any{e.From, e.To, e.Kind, e.Among}) // cannot fail: texts and a boolean
		lines = append(lines, string(b))
	}
	slices.Sort(lines)
	b, _ := json.Marshal([]any{form, byName, slices.Compact(lines)})
	return b
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// NormalName is the form in which names of occupations are compared; see
// [standards.NormaliseTrade].
func NormalName(s string) string { return standards.NormaliseTrade(s) }
