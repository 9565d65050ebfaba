package policy

import (
	"strings"
	"testing"
)

// sameJobs says that code 6-31-01-03 of 2022 was 6-07-06-05 in 1999.
type sameJobs struct{}

func (sameJobs) Same(a, b Job) bool {
	x, y := Job{Edition: "2022", Code: "6-31-01-03"}, Job{Edition: "1999", Code: "6-07-06-05"}
	return a == b || a == x && b == y || a == y && b == x
}
func (sameJobs) Digest() string { return "t" }

// A list that says of which edition of 职业分类大典 its codes are is not read as if
// those of another were the same: the table of same occupations tells, where the
// policy asks for it, or who knows the list.
func TestListsHaveAnEdition(t *testing.T) {
	for name, c := range map[string]struct {
		keys    string
		edition string
		code    string
		table   Equivalence
		rule    string // that is asked about; empty: none
		listed  bool
	}{
		"no edition said":                {"", "1999", "6-31-01-03", nil, "", true},
		"the same edition":               {"edition: \"2022\"", "2022", "6-31-01-03", nil, "", true},
		"of the certificate none known":  {"edition: \"2022\"", "", "6-31-01-03", nil, "", true},
		"another edition, the same code": {"edition: \"2022\"", "1999", "6-31-01-03", sameJobs{}, "catalogue", false},
		"another edition by the table":   {"edition: \"2022\", across_editions: yes", "1999", "6-07-06-05", sameJobs{}, "", true},
		"not in the table":               {"edition: \"2022\", across_editions: yes", "1999", "6-31-01-03", sameJobs{}, "", false},
		"the table is not there":         {"edition: \"2022\", across_editions: yes", "1999", "6-07-06-05", nil, "catalogue", false},
	} {
		t.Run(name, func(t *testing.T) {
			keys := ""
			for _, k := range strings.Split(c.keys, ", ") {
				if k != "" {
					keys += "  " + k + "\n"
				}
			}
			p := changed(t, "testdata/full2.yaml", "  name: 目录\n", "  name: 目录\n"+keys)
			in := twoInput()
			in.Certificate.Edition, in.Certificate.Occupation, in.Equivalence = c.edition, c.code, c.table
			delete(in.Facts, CatalogueListed)
			d := p.Evaluate(in)
			asked, failed := "", false
			for _, m := range d.Missing {
				if m.Fact == string(CatalogueListed) {
					asked = m.Rule
				}
			}
			for _, f := range d.Failing {
				failed = failed || f.Reason == NotInCatalogue
			}
			if asked != c.rule || failed != (!c.listed && c.rule == "") {
				t.Errorf("asked %q, not listed %t: %+v %+v", asked, failed, d.Missing, d.Failing)
			}
			list := ScarceList{From: "2020-01-01", Edition: p.Catalogue.Edition, Across: p.Catalogue.Across, Entries: []ScarceEntry{{Occupation: "6-31-01-03"}}}
			listed, sure := list.has(newEvaluation(&p, in))
			if listed != c.listed || sure != (c.rule == "") {
				t.Errorf("on a list of scarce occupations: %t, sure %t", listed, sure)
			}
		})
	}
}
