package policy

import (
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bajigong/standards"
)

// equivalent are the mutants that no input can tell from their policy, with the
// reason. Policy and mutant are patterns of [path.Match].
var equivalent = []struct{ policy, mutant, why string }{
	{"*", `Excludes\[*].Same with person`, "all claims that are given are the person's own"},
	{"jiangsu-2025-2027-training", "Supervision.Scope without training", "of a claim for a certificate it is the exam that must have been supervised"},
	{"jiangsu-2025-2027-training", `Supervision.Scope\[training] → evaluation`, "of a claim for a certificate it is the exam that must have been supervised"},
	{"kunshan-2020-67-enterprise", "Beneficiary.PayTo → funder", "another rule asks that the enterprise has paid"},
}

// notDeciding are the members of a policy that [Policy.Evaluate] does not read
// to decide: names and texts, and what chooses a policy or binds lower ones.
var notDeciding = []string{"ID", "Version", "Region", "Parent", "Fund", "Name", "Document", "Sample", "Note", "Unknown", "Digest",
	"Language", "Framework", "Money", "Bounds", "Under", "Source"}

// TestMutation changes every single rule of every official policy, one at a
// time, and runs the policy's cases: a change that no case sees survives. The
// score of each policy, with its survivors, is testdata/mutation.golden.
func TestMutation(t *testing.T) {
	all := mustCases(t)
	used, tried := map[int]bool{}, map[string]bool{}
	var report strings.Builder
	for _, p := range mustEmbedded(t).Official().current() {
		if p.Framework { // decides no claim; what it binds is looked at by NewSet
			continue
		}
		tried[p.ID] = true
		m := mutation{policy: p, cases: casesOf(all, p.ID)}
		m.run(t)
		var same int
		var survivors []string
		for _, name := range m.survivors {
			i := slices.IndexFunc(equivalent, func(e struct{ policy, mutant, why string }) bool {
				a, _ := path.Match(e.policy, p.ID)
				b, _ := path.Match(e.mutant, name)
				return a && b
			})
			if i >= 0 {
				same, used[i] = same+1, true
			} else {
				survivors = append(survivors, name)
			}
		}
		fmt.Fprintf(&report, "%s: %d of %d killed by %d cases, %d equivalent\n", p.ID, m.killed, m.total-same, len(m.cases), same)
		for _, s := range survivors {
			fmt.Fprintf(&report, "  survives: %s\n", s)
		}
	}
	for i, e := range equivalent {
		if !used[i] && (e.policy == "*" || tried[e.policy]) {
			t.Errorf("no surviving mutant %q of %s: it is not equivalent any more", e.mutant, e.policy)
		}
	}
	sameAsFile(t, "testdata/mutation.golden", report.String())
}

func sameAsFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (run with -update when that is right); now:\n%s", file, got)
	}
}

// mutation changes one policy in place, a change at a time, each undone.
type mutation struct {
	policy        Policy
	cases         []Case
	inputs        []Input
	total, killed int
	survivors     []string
}

func (m *mutation) run(t *testing.T) {
	for _, c := range m.cases {
		m.inputs = append(m.inputs, c.Input())
	}
	p := reflect.ValueOf(&m.policy).Elem()
	for i := range p.NumField() {
		if name := p.Type().Field(i).Name; !slices.Contains(notDeciding, name) {
			m.visit(t, p.Field(i), name)
		}
	}
}

// try runs the cases over the policy as it is changed now.
func (m *mutation) try(name string) {
	m.total++
	defer func() {
		if recover() != nil { // sections that need each other: such a policy is refused by Parse
			m.killed++
		}
	}()
	for i, in := range m.inputs {
		if len(m.cases[i].Expect.differs(m.policy.Evaluate(in))) > 0 {
			m.killed++
			copy(m.inputs[1:i+1], m.inputs[:i]) // the next change is often seen by the same case
			killer := m.cases[i]
			copy(m.cases[1:i+1], m.cases[:i])
			m.inputs[0], m.cases[0] = in, killer
			return
		}
	}
	m.survivors = append(m.survivors, name)
}

// set tries one other value of v.
func (m *mutation) set(v reflect.Value, other any, name string) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	v.Set(reflect.ValueOf(other).Convert(v.Type()))
	m.try(name)
	v.Set(old)
}

func (m *mutation) visit(t *testing.T, v reflect.Value, at string) {
	switch x := v.Interface().(type) {
	case Rule, Text, []GroupName:
		return
	case standards.Date:
		if x != "" {
			m.set(v, x.AddDays(-1), at+" a day earlier")
			m.set(v, x.AddDays(1), at+" a day later")
		}
		return
	case standards.Level:
		if x != 0 {
			for _, l := range standards.Levels() {
				if l != x {
					m.set(v, l, at+" → "+l.Code())
				}
			}
		}
		return
	case Fen:
		if x != 0 {
			m.set(v, x+100, at+" +1 yuan")
			m.set(v, x-100, at+" -1 yuan")
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if r := v.FieldByName("Rule"); r.IsValid() && r.Interface().(Rule).ID == "" {
			return // the policy has no such rule
		}
		for i := range v.NumField() {
			if m.refused(at + "." + v.Type().Field(i).Name) {
				continue
			}
			m.visit(t, v.Field(i), at+"."+v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			m.set(v, reflect.Zero(v.Type()).Interface(), at+" dropped")
			m.visit(t, v.Elem(), at)
		}
	case reflect.Slice:
		m.visitList(t, v, at)
	case reflect.Bool:
		if !strings.HasSuffix(at, ".Sample") {
			m.set(v, !v.Bool(), at+" turned")
		}
	case reflect.Int:
		if v.Int() != 0 { // zero is not there
			m.set(v, v.Int()+1, at+" +1")
			m.set(v, v.Int()-1, at+" -1")
		}
	case reflect.String:
		m.visitWord(t, v, at)
	default:
		t.Errorf("%s: no mutation is known for %s", at, v.Type())
	}
}

// refused reports whether Parse takes no other value at a place than it has.
func (m *mutation) refused(at string) bool {
	if s := m.policy.Scarce; s != nil && strings.HasPrefix(at, "Scarce.List") && strings.HasSuffix(at, ".Across") {
		return (s.List == nil || s.List.Edition == "") && !slices.ContainsFunc(s.Lists, func(l ScarceList) bool { return l.Edition != "" })
	}
	switch at {
	case "Amounts.AtMost": // amounts: unknown has no cap
		return m.policy.Amounts.Of == AmountApproved
	case "Scarce.RaisesApproved":
		return m.policy.Amounts.Of != AmountApproved || m.policy.Scarce.Percent == 0
	case "Effective.GoesFirst": // chooses between texts: TestWhatIsKnownToBeInForceGoesFirst
		return true
	case "Catalogue.Across": // goes with an edition only
		return m.policy.Catalogue.Edition == ""
	case "Subject.Certificate": // all sections about certificates would have to change
		return true
	}
	return false
}

func (m *mutation) visitWord(t *testing.T, v reflect.Value, at string) {
	words, known := m.words(v, at)
	if !known {
		t.Errorf("%s: no mutation is known for %s", at, v.Type())
	}
	for _, w := range words {
		if w != v.String() {
			m.set(v, w, at+" → "+w)
		}
	}
}

// words are the values that a word at a place may have. An empty list is a text
// that decides nothing.
func (m *mutation) words(v reflect.Value, at string) (words []string, known bool) {
	switch v.Interface().(type) {
	case End:
		return texts([]End{EndKnown, EndOpen, EndUnknown}), true
	case DecidingDate:
		return texts([]DecidingDate{ByReceipt, ByIssue, ByApplication}), true
	case FactDate:
		if strings.HasPrefix(at, "Queryable.") { // the language has receipt only
			return nil, true
		}
		return texts([]FactDate{AtApplication, AtIssue, AtIssueMonth}), true
	case AmountSource:
		if c := m.policy.Catalogue; c == nil || len(c.Entries) == 0 { // one that stands elsewhere asks for the approved amount too
			return texts([]AmountSource{AmountOfTable, AmountApproved}), true
		}
		return texts([]AmountSource{AmountOfTable, AmountOfCatalogue, AmountApproved}), true
	}
	if v.Len() == 0 && v.CanSet() && !strings.HasSuffix(at, "[]") { // not there
		return nil, true
	}
	switch v.Interface().(type) {
	case FactKind:
		if strings.HasPrefix(at, "Queryable.") {
			return texts([]FactKind{NationallyQueryable, ProvinciallyFound}), true
		}
		return texts(sortedKeys(factForms)), true
	case PersonGroupCode:
		words = texts(sortedKeys(groupNames))
		for _, d := range m.policy.Groups.Declared {
			words = append(words, string(d.Code))
		}
		return words, true
	case Payee:
		if strings.HasPrefix(at, "Prepayment.") { // the language has no funder there
			return texts([]Payee{PayPerson, PayEnterprise, PayInstitution}), true
		}
		return texts(sortedKeys(payees)), true
	case Condition:
		return texts(sortedKeys(conditionFacts)), true
	case Scope:
		return texts([]Scope{ScopeTraining, ScopeEvaluation}), true
	case BackPay:
		return texts([]BackPay{BackPayNone, BackPayCovered, BackPayUnknown}), true
	case Sameness:
		return m.sameness(at), true
	case HigherBy:
		return texts([]HigherBy{HigherPaid, HigherHeld, HigherNone}), true
	case Period:
		return texts([]Period{PerNaturalYear, PerLifetime, PerRolling}), true
	}
	if w := caseWords(v.Interface()); w != nil {
		return w, true
	}
	switch at[strings.LastIndex(at, ".")+1:] {
	case "Name":
		return nil, true
	case "Want":
		return []string{Yes, No, "person", "enterprise", "institution"}, true
	case "Region":
		return []string{"110000", Nation}, true
	case "Occupation":
		return m.used(func(c Certificate) string { return c.Occupation }), true
	}
	switch {
	case strings.Contains(at, "Classes["):
		return []string{"S", "Y", "Z"}, true
	case strings.Contains(at, "Trades["):
		return m.used(func(c Certificate) string { return c.Trade }), true
	}
	return nil, false
}

// sameness are the parts that Parse takes at a place; other policies cannot be.
func (m *mutation) sameness(at string) []string {
	parts := []Sameness{SameOccupation, SameTrade, SameLevel}
	switch {
	case strings.HasPrefix(at, "Reuse."):
		return texts([]Sameness{SameCertificate})
	case strings.HasPrefix(at, "Higher."):
		parts = parts[:2]
	case !m.policy.forCertificate(), m.policy.Language == 2 && strings.HasPrefix(at, "Excludes["):
		parts = append(parts, SameSubject, SamePeriod, SameCourse)
	}
	if m.policy.Language == 2 && strings.HasPrefix(at, "Excludes[") {
		parts = append(parts, SamePerson)
	}
	return texts(parts)
}

// used are the values that the certificates of the cases have.
func (m *mutation) used(of func(Certificate) string) []string {
	var out []string
	for _, c := range m.cases {
		out = append(out, of(c.Certificate))
	}
	return slices.DeleteFunc(sortedSet(out), func(s string) bool { return s == "" })
}

func (m *mutation) visitList(t *testing.T, v reflect.Value, at string) {
	for i := range v.Len() {
		if _, same := v.Interface().([]Sameness); same && v.Len() == 1 {
			continue // Parse refuses an empty list
		}
		less := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v.Slice(0, i))
		m.set(v, reflect.AppendSlice(less, v.Slice(i+1, v.Len())).Interface(), fmt.Sprintf("%s without %s", at, brief(v.Index(i))))
	}
	if v.Len() > 0 {
		for _, x := range m.foreign(v, at) {
			more := reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()+1), v)
			m.set(v, reflect.Append(more, x).Interface(), fmt.Sprintf("%s with %s", at, brief(x)))
		}
	}
	for i := range v.Len() {
		m.visit(t, v.Index(i), fmt.Sprintf("%s[%s]", at, brief(v.Index(i))))
	}
}

// foreign are members that the list v does not have: each word there is, an
// amount for each level without one, an occupation that the cases use.
func (m *mutation) foreign(v reflect.Value, at string) []reflect.Value {
	has := func(word string) bool {
		for i := range v.Len() {
			if brief(v.Index(i)) == word {
				return true
			}
		}
		return false
	}
	var out []reflect.Value
	switch x := reflect.New(v.Type().Elem()).Elem(); x.Interface().(type) {
	case LevelAmount:
		for _, l := range standards.Levels() {
			if !has(l.Code()) {
				out = append(out, reflect.ValueOf(LevelAmount{Level: l, Fen: 100}))
			}
		}
	case ScarceEntry, CatalogueEntry:
		for _, code := range m.used(func(c Certificate) string { return c.Occupation }) {
			if !has(code) {
				x.FieldByName("Occupation").SetString(code)
				more := reflect.New(x.Type()).Elem()
				more.Set(x)
				out = append(out, more)
			}
		}
	case standards.Level:
		for _, l := range standards.Levels() {
			if !has(l.Code()) {
				out = append(out, reflect.ValueOf(l))
			}
		}
	default:
		if x.Kind() != reflect.String {
			return nil // a whole rule more is another policy
		}
		words, _ := m.words(x, at+"[]")
		foreign := slices.DeleteFunc(slices.Clone(words), has)
		if named := m.named(x, foreign); len(named) > 0 {
			foreign = named
		} else if len(foreign) > 1 {
			foreign = foreign[:1]
		}
		for _, w := range foreign {
			out = append(out, reflect.ValueOf(w).Convert(x.Type()))
		}
	}
	return out
}

// named are, of the open lists of funds and groups of persons, the words that the
// policy's cases name, so that what these lists get later leaves the scores as
// they are. Of other lists they are all words.
func (m *mutation) named(x reflect.Value, words []string) []string {
	says := func(string) bool { return true }
	switch x.Interface().(type) {
	case Fund:
		says = func(w string) bool {
			return slices.ContainsFunc(m.inputs, func(in Input) bool {
				return slices.ContainsFunc(in.Claims, func(c PastClaim) bool { return string(c.Fund) == w })
			})
		}
	case PersonGroupCode:
		says = func(w string) bool {
			return slices.ContainsFunc(m.inputs, func(in Input) bool {
				return slices.Contains(strings.Split(in.Facts[PersonGroup].Value, ","), w)
			})
		}
	}
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !says(w) })
}

// brief names a member of a list.
func brief(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case standards.Level:
		return x.Code()
	case LevelAmount:
		return x.Level.Code()
	case ScarceEntry:
		return x.Occupation
	case CatalogueEntry:
		return x.Occupation
	case FactNeed:
		return string(x.Fact)
	}
	if v.Kind() == reflect.String {
		return v.String()
	}
	if r := v.FieldByName("Rule"); r.IsValid() {
		return r.Interface().(Rule).ID
	}
	return v.Type().Name()
}
