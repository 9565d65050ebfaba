package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const policiesPage = "../../docs/policies.md"

// TestPoliciesPage keeps the tables of docs/policies.md: each document with the
// policies taken from it, how many clauses they cite and how many cases prove
// them. Run with -update after a policy or case was added.
func TestPoliciesPage(t *testing.T) {
	page, err := os.ReadFile(policiesPage)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for name, table := range map[string]string{"policies": policiesTable(t), "readings": readingsTable(t)} {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
		i, j := strings.Index(text, begin), strings.Index(text, end)
		if i < 0 || j < i {
			t.Fatalf("%s has no place for the table of %s", policiesPage, name)
		}
		text = text[:i+len(begin)] + "\n" + table + "\n" + text[j:]
	}
	if *update {
		if err := os.WriteFile(policiesPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(page) {
		t.Errorf("%s is not up to date; run with -update", policiesPage)
	}
}

// policiesTable has a row for each policy, under its document, and the sums.
func policiesTable(t *testing.T) string {
	all, policies := mustCases(t), mustEmbedded(t).Official().current()
	slices.SortStableFunc(policies, func(a, b Policy) int {
		return strings.Compare(a.Document.Number+"\x00"+a.ID, b.Document.Number+"\x00"+b.ID)
	})
	var b strings.Builder
	b.WriteString("| document | policy | region | fund | quotes | rules | clauses | cases |\n|---|---|---|---|---|---:|---:|---:|\n")
	var rules, clauses, cases int
	documents := map[string]bool{}
	for _, p := range policies {
		cited, reported := map[string]bool{}, 0
		for _, r := range p.Rules() {
			cited[r.Clause] = true
			if r.Secondary {
				reported++
			}
		}
		quotes := "own words"
		switch {
		case reported == len(p.Rules()) || p.Amounts.Of == AmountApproved && reported == len(p.Rules())-1:
			quotes = "reported"
		case reported > 0:
			quotes = fmt.Sprintf("%d reported", reported)
		}
		name := p.ID
		if p.Framework {
			name += " (framework)"
		}
		c := casesOf(all, p.ID)
		fmt.Fprintf(&b, "| %s | %s %s | %s | %s | %s | %d | %d | %d |\n", p.Document.Number, name, p.Name.ZH, p.Region, p.Fund, quotes, len(p.Rules()), len(cited), len(c))
		rules, clauses, cases, documents[p.Document.Number] = rules+len(p.Rules()), clauses+len(cited), cases+len(c), true
	}
	fmt.Fprintf(&b, "| **%d documents** | **%d policies** | | | | **%d** | **%d** | **%d** |\n", len(documents), len(policies), rules, clauses, cases)
	return b.String()
}

// readingsTable has what the texts leave open and how it was read.
func readingsTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| policy | about | taken as | the text |\n|---|---|---|---|\n")
	for _, p := range mustEmbedded(t).Official().current() {
		for _, g := range p.Unknown {
			if g.TakenAs != "" {
				fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.ID, g.Field, g.TakenAs, g.EN)
			}
		}
	}
	return b.String()
}

// Notices of the nation bind the provinces: 人社部发〔2024〕40号 三 by its amounts and
// its three times, 人社部发〔2025〕18号 by once a year and two more times.
func TestNationalNoticesBindTheProvinces(t *testing.T) {
	set := mustEmbedded(t)
	jiangsu := mustPolicy(t, "jiangsu-2025-22-uplift")
	in2024 := mustPolicy(t, "cn-2024-40-uplift")
	in2024.ID, in2024.Region, in2024.Parent, in2024.Bounds = "jiangsu-2024", "320000", Nation, nil
	for name, c := range map[string]struct {
		p      Policy
		change func(*Policy)
		field  string // empty: allowed
	}{
		"2025 as it is":           {jiangsu, func(*Policy) {}, ""},
		"2025 twice a year":       {jiangsu, func(p *Policy) { p.Frequency.Max = 2 }, "frequency.max"},
		"2025 three more":         {jiangsu, func(p *Policy) { p.Frequency.Extra.Max = 3 }, "frequency.extra"},
		"2025 one more":           {jiangsu, func(p *Policy) { p.Frequency.Extra.Max = 1 }, ""},
		"2024 the same":           {in2024, func(*Policy) {}, ""},
		"2024 less for senior":    {in2024, func(p *Policy) { p.Amounts.Levels[2].Fen = 1800_00 }, ""},
		"2024 junior above":       {in2024, func(p *Policy) { p.Amounts.Levels[0].Fen = 1001_00 }, "amounts.junior"},
		"2024 intermediate above": {in2024, func(p *Policy) { p.Amounts.Levels[1].Fen = 1501_00 }, "amounts.intermediate"},
		"2024 senior above":       {in2024, func(p *Policy) { p.Amounts.Levels[2].Fen = 2001_00 }, "amounts.senior"},
		"2024 four times":         {in2024, func(p *Policy) { p.Frequency.Max = 4 }, "frequency.max"},
	} {
		p := c.p
		frequency, extra := *p.Frequency, Extra{}
		if p.Frequency.Extra != nil {
			extra = *p.Frequency.Extra
			frequency.Extra = &extra
		}
		p.Frequency, p.Amounts.Levels = &frequency, slices.Clone(p.Amounts.Levels)
		c.change(&p)
		others := slices.DeleteFunc(set.Official().Policies(), func(o Policy) bool { return o.ID == p.ID })
		_, err := NewSet(set.Regions(), append(others, p)...)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (err == nil || !strings.Contains(err.Error(), c.field)):
			t.Errorf("%s: want a refusal about %s, got %v", name, c.field, err)
		}
	}
}
