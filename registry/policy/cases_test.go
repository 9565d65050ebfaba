package policy

import (
	"slices"
	"strings"
	"testing"
)

func mustCases(t testing.TB) []Cases {
	t.Helper()
	all, err := EmbeddedCases()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// casesOf are all the cases of one policy, of every file that names it.
func casesOf(all []Cases, policy string) []Case {
	var out []Case
	for _, f := range all {
		if f.Policy == policy {
			out = append(out, f.Cases...)
		}
	}
	return out
}

// TestEmbeddedCases decides every case under the newest version of its policy.
// Each case names the document and clause that it proves.
func TestEmbeddedCases(t *testing.T) {
	for _, f := range mustCases(t) {
		p := mustPolicy(t, f.Policy)
		for _, c := range f.Cases {
			for _, r := range c.Rules {
				if !slices.ContainsFunc(p.Rules(), func(o Rule) bool { return o.ID == r }) {
					t.Errorf("%s %s: the policy has no rule %s", f.File, c.ID, r)
				}
			}
			for _, d := range c.Check(p) {
				t.Errorf("%s %s (%s): %s", f.File, c.ID, c.Clause, d)
			}
		}
	}
}

// TestEveryRuleHasACase fails for a rule of an official policy that no case names.
func TestEveryRuleHasACase(t *testing.T) {
	all := mustCases(t)
	for _, p := range mustEmbedded(t).Official().current() {
		for _, r := range p.Rules() {
			if !slices.ContainsFunc(casesOf(all, p.ID), func(c Case) bool { return slices.Contains(c.Rules, r.ID) }) {
				t.Errorf("%s: no case for rule %s (%s)", p.ID, r.ID, r.Clause)
			}
		}
	}
}

// What a file of cases looks like when it is wrong, and the line it is told on.
func TestParseCasesIsStrict(t *testing.T) {
	const head = "policy: x\nbase: {now: 2026-03-05}\ncases:\n  - {id: a, clause: 示例, zh: 示例, rules: [once], expect: {outcome: allow}"
	for name, row := range map[string]struct{ src, want string }{
		"sound":             {head + "}\n", ""},
		"unknown key":       {head + ", foo: 1}\n", "$.cases[0].foo"},
		"unknown member":    {head + ", certificate: {colour: red}}\n", "certificate.colour"},
		"unknown fact":      {head + ", facts: {weather: fine}}\n", "facts.weather"},
		"fact twice":        {head + ", facts: {insured: \"yes\", insured: \"no\"}}\n", "already defined"},
		"wrong level":       {head + ", certificate: {level: master}}\n", "code of a level"},
		"wrong word":        {head + ", certificate: {state: fine}}\n", "must be one of"},
		"wrong date":        {head + ", received: 2026-02-30}\n", "existing day"},
		"wrong time":        {head + ", claims: [{fund: training, state: confirmed, at: yesterday}]}\n", "2025-03-01T10"},
		"claim of no fund":  {head + ", claims: [{state: confirmed, at: 2026-01-01}]}\n", "fund"},
		"claim of no time":  {head + ", claims: [{fund: training, state: confirmed}]}\n", "lacks the key at"},
		"claim of no state": {head + ", claims: [{fund: training, at: 2026-01-01}]}\n", "lacks the key state"},
		"number in words":   {head + ", subject: {units: three}}\n", "whole number"},
		"id twice":          {head + "}\n  - {id: a, clause: 示例, zh: 示例, rules: [once], expect: {outcome: deny}}\n", "twice"},
		"no outcome":        {"policy: x\ncases: [{id: a, clause: 示例, zh: 示例, rules: [once], now: 2026-01-01, expect: {yuan: 1}}]\n", "outcome"},
		"no day":            {"policy: x\ncases: [{id: a, clause: 示例, zh: 示例, rules: [once], expect: {outcome: allow}}]\n", "has now"},
		"half a yuan cent":  {"policy: x\ncases: [{id: a, clause: 示例, zh: 示例, rules: [once], now: 2026-01-01, expect: {outcome: allow, yuan: 1.234}}]\n", "decimals"},
		"alias":             {"policy: &x x\ncases: *x\n", "$.policy"},
		"facts in a list":   {head + ", facts: [insured]}\n", "mapping"},
	} {
		_, err := ParseCases("x.yaml", []byte(row.src))
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: want an error with %q, got %v", name, row.want, err)
		}
	}
}

// A case begins with its base; what it gives stands in its place, null takes away.
func TestCaseOverItsBase(t *testing.T) {
	all, err := ParseCases("x.yaml", []byte(`
policy: x
base:
  now: 2026-03-05
  certificate: {number: A1, level: junior, occupation: 6-31-01-03, edition: "2022", trade: t1}
  facts: {insured: "yes", employed: "yes"}
  claims: [{fund: training, at: 2026-01-01, state: confirmed}]
cases:
  - {id: a, clause: c, zh: z, rules: [r], expect: {outcome: allow}, certificate: {level: senior, trade: null}, facts: {insured: null, insured_months: 12},
     others: [{level: technician}], claims: []}
  - {id: b, clause: c, zh: z, rules: [r], expect: {outcome: allow}}
`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := all.Cases[0].Input(), all.Cases[1].Input()
	if got := a.Certificate; got.Level.Code() != "senior" || got.Trade != "" || got.Number != "A1" {
		t.Errorf("certificate %+v", got)
	}
	if _, has := a.Facts[Insured]; has || a.Facts[Employed].Value != Yes || a.Facts[InsuredMonths].Value != "12" || len(a.Claims) != 0 {
		t.Errorf("facts %v, claims %v", a.Facts, a.Claims)
	}
	if o := a.Others[0]; o.Number == "A1" || o.Edition != "2022" || o.Level.Code() != "technician" {
		t.Errorf("other certificate %+v", o)
	}
	if b.Facts[Insured].Value != Yes || len(b.Claims) != 1 || b.Certificate.Trade != "t1" {
		t.Errorf("the base was changed by the case before: %+v", b)
	}
	if err := a.Facts.Validate(); err != nil {
		t.Error(err)
	}
}

func FuzzParseCases(f *testing.F) {
	f.Add([]byte("policy: x\ncases: [{id: a, clause: c, zh: z, rules: [r], now: 2026-01-01, expect: {outcome: allow}}]\n"))
	f.Add([]byte("policy: x\nbase: {certificate: null, facts: {insured: null}, others: [null]}\ncases: [null]\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		all, err := ParseCases("x.yaml", src)
		if err != nil {
			return
		}
		for _, c := range all.Cases {
			c.Check(Policy{DecidedBy: ByReceipt})
		}
	})
}
