package policy

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"bajigong/standards"
)

// Cases are examples with their right answers for one policy, as a file has
// them; [ParseCases] reads them.
type Cases struct {
	File   string
	Policy string // id of the policy
	Cases  []Case
}

// A Case is one example: what is asked, and what a policy must answer. It has
// everything that its file's base gave to it.
type Case struct {
	ID     string
	Clause string   // document and clause that the case proves
	ZH     string   // what it shows
	Rules  []string // ids of the rules it proves

	Now         standards.Date // noon in Asia/Shanghai is meant
	Received    standards.Date
	Applied     standards.Date
	Certificate Certificate
	Subject     Subject
	Person      Person
	Facts       map[FactKind]string
	Others      []Certificate
	Claims      []PastClaim
	Exceptions  []Exception
	Channel     Channel
	Expect      Expect
}

// Expect is the right answer of a case. What is nil, or a nil list, is not
// compared; an empty list says that there must be none.
type Expect struct {
	Outcome  Outcome
	Amount   *Fen
	Advance  *Fen
	PayTo    *string
	Scarce   *bool
	Units    *int
	Year     *int
	Failing  []string // ids of the failing rules
	Reasons  []string // why they fail
	Missing  []string // facts that are missing
	Excepted []string // ids of the rules covered by an exception
}

// casePayer is who asks in a case; a claim of payer "self" is its own.
const casePayer = "self"

// ParseCases reads the cases of one policy from YAML, as strictly as [Parse]
// reads a policy and with the same errors; file is its name for messages.
//
//	policy: example-2026
//	base:                                  # what every case begins with
//	  now: 2026-03-05                      # civil date; received is the same day unless given
//	  certificate: {number: A1, kind: skill_level, occupation: 6-31-01-03, edition: "2022", level: junior,
//	                issued: 2026-02-20, mode: exam, origin: here, state: valid, entitled: entitled}
//	  facts: {insured: "yes"}
//	cases:
//	  - id: junior
//	    clause: 示例〔2026〕1号 二
//	    zh: 初级工1000元
//	    rules: [amounts]
//	    expect: {outcome: allow, yuan: 1000}
//	  - id: junior-paid-before
//	    clause: 示例〔2026〕1号 三
//	    zh: 同一职业同一等级已享受的不再补贴
//	    rules: [once]
//	    claims: [{fund: skill_uplift, occupation: 6-31-01-03, level: junior, state: confirmed, at: 2026-01-05, payer: other}]
//	    expect: {outcome: deny, failing: [once]}
//
// The members of a certificate, a claim, an exception, the subject and the
// person are those of their JSON; null takes away what the base gave. A member
// that a claim or another certificate does not give is, for edition and (of a
// certificate) all else but the number, that of the base's certificate. A fact
// is its value alone: source, time and reference are made up from the case.
func ParseCases(file string, src []byte) (Cases, error) {
	p := &problems{file: file}
	root, err := readYAML(file, src, p)
	if err != nil {
		return Cases{}, err
	}
	m := root.mapping([]string{"policy", "cases"}, []string{"base"})
	out := Cases{File: file, Policy: m["policy"].text()}
	var base Case
	if b, ok := m["base"]; ok {
		b.caseParts(&base, b.mapping(nil, casePartKeys), Certificate{})
	}
	for _, n := range m["cases"].list() {
		c := n.caseOver(base)
		if slices.ContainsFunc(out.Cases, func(o Case) bool { return o.ID == c.ID }) {
			n.problem("duplicate", "案例编号重复", "the id stands twice")
		}
		out.Cases = append(out.Cases, c)
	}
	if err := p.err(); err != nil {
		return Cases{}, err
	}
	return out, nil
}

var (
	casePartKeys = []string{"now", "received", "applied", "certificate", "subject", "person", "facts", "others", "claims", "exceptions", "channel"}
	caseKeys     = []string{"id", "clause", "zh", "rules", "expect"}
	expectKeys   = []string{"yuan", "advance_yuan", "pay_to", "scarce", "units", "year", "failing", "reasons", "missing", "excepted"}
)

func (n node) caseOver(base Case) Case {
	m := n.mapping(caseKeys, casePartKeys)
	out := base
	out.Facts = maps.Clone(base.Facts)
	out.ID, out.Clause, out.ZH = m["id"].text(), m["clause"].text(), m["zh"].text()
	for _, r := range m["rules"].list() {
		out.Rules = append(out.Rules, r.text())
	}
	n.caseParts(&out, m, base.Certificate)
	if m != nil && !out.Now.Valid() {
		n.problem("missing_key", "案例和 base 均缺少 now", "neither the case nor base has now")
	}
	out.Expect = m["expect"].expect()
	return out
}

// caseParts fills what a case or the base gives. Other certificates begin as other.
func (n node) caseParts(c *Case, m map[string]node, other Certificate) {
	for key, to := range map[string]any{"now": &c.Now, "received": &c.Received, "applied": &c.Applied, "certificate": &c.Certificate,
		"subject": &c.Subject, "person": &c.Person, "channel": &c.Channel} {
		if at, ok := m[key]; ok {
			at.fill(reflect.ValueOf(to).Elem())
		}
	}
	if f, ok := m["facts"]; ok {
		c.Facts = f.caseFacts(c.Facts)
	}
	if at, ok := m["others"]; ok {
		c.Others = nil
		for i, x := range at.items() {
			o := other
			o.Number = "OTHER-" + strconv.Itoa(i+1)
			x.fill(reflect.ValueOf(&o).Elem())
			c.Others = append(c.Others, o)
		}
	}
	if at, ok := m["claims"]; ok {
		c.Claims = nil
		for i, x := range at.items() {
			c.Claims = append(c.Claims, x.pastClaim(i, c.Certificate))
		}
	}
	if at, ok := m["exceptions"]; ok {
		c.Exceptions = nil
		for _, x := range at.items() {
			var e Exception
			x.fill(reflect.ValueOf(&e).Elem())
			c.Exceptions = append(c.Exceptions, e)
		}
	}
}

func (n node) pastClaim(i int, mine Certificate) PastClaim {
	out := PastClaim{ID: "claim-" + strconv.Itoa(i+1), Payer: casePayer}
	n.fill(reflect.ValueOf(&out).Elem())
	if out.Occupation != "" && out.Edition == "" {
		out.Edition = mine.Edition
	}
	switch {
	case !out.Fund.Known():
		n.problem("fund", "应有 fund，可用：%s", "needs a fund, one of %s", fmt.Sprint(sortedKeys(funds)))
	case out.At.IsZero():
		n.problem("missing_key", "缺少键 at", "lacks the key at")
	case out.State == None:
		n.problem("missing_key", "缺少键 state", "lacks the key state")
	}
	return out
}

func (n node) caseFacts(base map[FactKind]string) map[FactKind]string {
	out := maps.Clone(base)
	if out == nil {
		out = map[FactKind]string{}
	}
	m, ok := n.ast.(ast.MapNode)
	if !ok {
		n.problem("yaml_mapping", "应为键值表", "must be a mapping of keys to values")
		return out
	}
	var keys []string
	for it := m.MapRange(); it.Next(); {
		if key, ok := scalar(it.Key()); ok {
			keys = append(keys, key)
		}
	}
	for key, at := range n.mapping(nil, keys) {
		kind, _, _ := strings.Cut(key, "@") // insured@issue_month is the fact insured at another time
		switch {
		case !FactKind(kind).Known():
			at.problem("unknown_fact", "未知的事实项，可用：%s", "no such fact; known are %s", strings.Join(factNames(), ", "))
		case at.null():
			delete(out, FactKind(key))
		default:
			out[FactKind(key)] = at.text()
		}
	}
	return out
}

func (n node) expect() Expect {
	m := n.mapping([]string{"outcome"}, expectKeys)
	out := Expect{Outcome: word(m["outcome"], Allow, Deny, Hold)}
	yuan := func(key string) *Fen {
		at, ok := m[key]
		if !ok {
			return nil
		}
		f, ok := ParseFen(at.text())
		if !ok {
			at.problem("yuan", "应为元，至多两位小数", "must be yuan with at most two decimals")
		}
		return &f
	}
	out.Amount, out.Advance = yuan("yuan"), yuan("advance_yuan")
	for key, to := range map[string]any{"pay_to": &out.PayTo, "scarce": &out.Scarce, "units": &out.Units, "year": &out.Year,
		"failing": &out.Failing, "reasons": &out.Reasons, "missing": &out.Missing, "excepted": &out.Excepted} {
		if at, ok := m[key]; ok {
			at.fill(reflect.ValueOf(to).Elem())
		}
	}
	return out
}

// items are the members of a list that may be empty.
func (n node) items() []node {
	if s, ok := n.ast.(*ast.SequenceNode); ok && len(s.Values) == 0 {
		return nil
	}
	return n.list()
}

func (n node) null() bool { _, is := n.ast.(*ast.NullNode); return is }

// fill sets to from n: members of a struct by their JSON names, over what it
// holds already. Null empties it.
func (n node) fill(to reflect.Value) {
	switch {
	case n.p == nil:
		return
	case n.null():
		to.SetZero()
		return
	}
	switch v := to.Addr().Interface().(type) {
	case *time.Time:
		*v = n.instant()
		return
	case *standards.Date:
		*v = n.date()
		return
	case *standards.Level:
		if s := n.text(); v.UnmarshalText([]byte(s)) != nil {
			n.problem("level", "不是等级代码，例如 senior", "is no code of a level, such as senior")
		}
		return
	}
	switch to.Kind() {
	case reflect.Struct:
		n.fillMembers(to)
	case reflect.Pointer:
		to.Set(reflect.New(to.Type().Elem()))
		n.fill(to.Elem())
	case reflect.Slice:
		to.Set(reflect.MakeSlice(to.Type(), 0, 0))
		for _, c := range n.items() {
			one := reflect.New(to.Type().Elem()).Elem()
			c.fill(one)
			to.Set(reflect.Append(to, one))
		}
	case reflect.Bool:
		to.SetBool(n.yes())
	case reflect.Int, reflect.Int64:
		to.SetInt(int64(n.number(0, 9999)))
	case reflect.String:
		s := n.text()
		if words := caseWords(to.Interface()); words != nil && s != "" && !slices.Contains(words, s) {
			n.problem("yaml_word", "应为 %s 之一", "must be one of %s", strings.Join(words, ", "))
		}
		to.SetString(s)
	default:
		n.problem("yaml_text", "不能在案例中给出", "cannot be given in a case")
	}
}

func (n node) fillMembers(to reflect.Value) {
	at := map[string]int{}
	for i := range to.NumField() {
		f := to.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		at[cmp.Or(name, strings.ToLower(f.Name))] = i
	}
	for key, member := range n.mapping(nil, sortedKeys(at)) {
		member.fill(to.Field(at[key]))
	}
}

// instant reads a civil date, whose noon is meant, or a time by RFC 3339.
func (n node) instant() time.Time {
	s := n.text()
	if d := standards.Date(s); d.Valid() {
		return noon(d)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		n.problem("yaml_date", "应为日期 2025-03-01，或时刻 2025-03-01T10:00:00+08:00", "must be a day 2025-03-01 or a time 2025-03-01T10:00:00+08:00")
	}
	return t
}

func noon(d standards.Date) time.Time { return d.Time().Add(12 * time.Hour) }

// caseWords lists what a word of the type of v may be; nil when any is taken.
func caseWords(v any) []string {
	switch v.(type) {
	case Kind:
		return texts(sortedKeys(kinds))
	case Mode:
		return texts(AllModes())
	case Fund:
		return texts(sortedKeys(funds))
	case CertificateState:
		return texts(sortedKeys(certificateStates))
	case Entitlement:
		return texts([]Entitlement{Entitled, NotEntitled, NotAsserted})
	case Origin:
		return texts([]Origin{OriginHere, OriginElsewhere})
	case Known:
		return []string{Yes, No}
	case Sex:
		return texts([]Sex{Female, Male})
	case State:
		return texts(States()[1:])
	case Channel:
		return texts([]Channel{BySystem, ByFile, ByHand})
	case SubjectKind:
		return texts([]SubjectKind{ForPreJob, ForWorkMonths, ForApprentice, ForGraduate, ForStudy, ForTrainingOnly})
	}
	return nil
}

func texts[W ~string](words []W) []string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}

// Input is what the case asks.
func (c Case) Input() Input {
	in := Input{
		Now: noon(c.Now), Received: c.Received, Payer: casePayer, Certificate: c.Certificate,
		Others: slices.Clone(c.Others), Claims: slices.Clone(c.Claims), Facts: Facts{},
		Applied: c.Applied, Subject: c.Subject, Person: c.Person, Channel: c.Channel, Exceptions: slices.Clone(c.Exceptions),
	}
	for k, v := range c.Facts {
		in.Facts[k] = Fact{Value: v, Source: "案例", At: noon(c.Now), Reference: c.ID}
	}
	return in
}

// Check decides the case under p and says, a line each, what differs from what
// the case expects; nothing when p is right.
func (c Case) Check(p Policy) []string { return c.Expect.differs(p.Evaluate(c.Input())) }

func (x Expect) differs(d Decision) []string {
	var out []string
	differ := func(what string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			out = append(out, fmt.Sprintf("%s: want %v, got %v", what, want, got))
		}
	}
	var rules, reasons, missing, excepted []string
	for _, f := range d.Failing {
		rules, reasons = append(rules, f.Rule), append(reasons, string(f.Reason))
	}
	for _, m := range d.Missing {
		missing = append(missing, m.Fact)
	}
	for _, f := range d.Excepted {
		excepted = append(excepted, f.Rule)
	}
	differ("outcome", x.Outcome, d.Outcome)
	for _, l := range []struct {
		what      string
		want, got []string
	}{{"failing", x.Failing, rules}, {"reasons", x.Reasons, reasons}, {"missing", x.Missing, missing}, {"excepted", x.Excepted, excepted}} {
		if l.want != nil {
			differ(l.what, sortedSet(l.want), sortedSet(l.got))
		}
	}
	if x.Amount != nil {
		differ("yuan", *x.Amount, d.Amount)
	}
	if x.Advance != nil {
		differ("advance_yuan", *x.Advance, d.AdvanceMost)
	}
	if x.PayTo != nil {
		differ("pay_to", *x.PayTo, d.PayTo)
	}
	if x.Scarce != nil {
		differ("scarce", *x.Scarce, d.Scarce)
	}
	if x.Units != nil {
		differ("units", *x.Units, d.Units)
	}
	if x.Year != nil {
		differ("year", *x.Year, d.Year)
	}
	return out
}

func sortedSet(words []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(append([]string{}, words...))))
}

//go:embed cases/*.yaml
var embeddedCases embed.FS

// EmbeddedCases returns the cases of the policies compiled into the program, a
// file each, in the order of their names.
func EmbeddedCases() ([]Cases, error) {
	names, err := fs.Glob(embeddedCases, "cases/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []Cases
	for _, name := range names {
		src, err := embeddedCases.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c, err := ParseCases(name, src)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
