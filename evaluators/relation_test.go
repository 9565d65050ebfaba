package evaluators_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

// typeTable reads the table in the comment of a type: rows by their first cell,
// columns by the heading.
func typeTable(t *testing.T, file, name string) map[string]map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == name {
			text = g.Doc.Text()
		}
	}
	table := map[string]map[string]string{}
	var columns []string
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case len(cells) < 2:
		case columns == nil:
			columns = cells[1:]
		default:
			row := map[string]string{}
			for i, c := range cells[1:] {
				if c != "-" {
					row[columns[i]] = c
				}
			}
			table[cells[0]] = row
		}
	}
	if len(table) == 0 {
		t.Fatalf("the comment of %s has no table", name)
	}
	return table
}

func TestRelationTable(t *testing.T) {
	table := typeTable(t, "relation.go", "Relation")
	for _, r := range evaluators.Relations() {
		for _, p := range evaluators.Powers() {
			if want := table[string(r)][string(p)] == "yes"; r.Gives(p) != want {
				t.Errorf("%s gives %s: %v, want %v", r, p, r.Gives(p), want)
			}
		}
		if r.Chinese() == "" || r.English() == "" {
			t.Errorf("%s has no words", r)
		}
	}
	if len(table) != 3 || evaluators.Relation("").Gives(evaluators.PowerKeep) {
		t.Error("a relation too many or one that is none")
	}
}

func supervised(t *testing.T, bodies ...evaluators.Body) evaluators.Filing {
	t.Helper()
	f, err := filing().Supervise(evaluators.Supervision{Bodies: bodies, Document: "苏人社函〔2026〕7号", From: "2026-03-01"}, at("2026-03-02 09:00"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var (
	county    = evaluators.Body{Relation: evaluators.RelationLocal, Region: "320583", ZH: "昆山市人社局", EN: "Kunshan bureau"}
	transport = evaluators.Body{Relation: evaluators.RelationTrade, Region: "320000", Department: "transport", ZH: "省交通运输厅", EN: "Transport", Occupations: []string{"4-02"}}
)

// Only the authority that files keeps a filing; one of a lower region that
// supervises it does not (苏政办发〔2019〕71号 十五).
func TestRelationTo(t *testing.T) {
	f := supervised(t, county, transport) // filed by 320500
	for _, c := range []struct {
		region, department string
		want               []evaluators.Relation
	}{
		{"320500", "", []evaluators.Relation{evaluators.RelationFiling, evaluators.RelationLocal}},
		{"320000", "", []evaluators.Relation{evaluators.RelationFiling, evaluators.RelationLocal}},
		{"000000", "", []evaluators.Relation{evaluators.RelationFiling, evaluators.RelationLocal}},
		{"320583", "", []evaluators.Relation{evaluators.RelationLocal}},
		{"320582", "", nil}, {"320100", "", nil}, {"330000", "", nil}, {"", "", nil}, {"32", "", nil},
		{"320000", "transport", []evaluators.Relation{evaluators.RelationTrade}},
		{"320500", "transport", nil},
	} {
		if got := f.RelationTo(c.region, c.department, "2026-03-02", at("2026-03-02 09:00")); !slices.Equal(got, c.want) {
			t.Errorf("%q %q: %v, want %v", c.region, c.department, got, c.want)
		}
	}
	for _, moment := range []struct{ on, known string }{{"2026-02-28", "2026-03-02 09:00"}, {"2026-03-02", "2026-03-02 08:59"}} {
		if got := f.RelationTo("320583", "", dateOf(moment.on), at(moment.known)); got != nil {
			t.Errorf("on %s as known %s: %v", moment.on, moment.known, got)
		}
	}
	if r, ok := evaluators.Holds([]evaluators.Relation{evaluators.RelationLocal}, evaluators.PowerKeep); ok {
		t.Errorf("%s keeps", r)
	}
	national := filing()
	national.Code, national.Authority = "0041", "000000"
	if got := national.RelationTo("320000", "", "2026-03-02", at("2026-03-02 09:00")); !slices.Equal(got, []evaluators.Relation{evaluators.RelationFiling}) {
		t.Errorf("the province of a site filed with the ministry: %v", got)
	}
	if got := national.RelationTo("320500", "", "2026-03-02", at("2026-03-02 09:00")); got != nil {
		t.Errorf("a prefecture: %v", got)
	}
}

func TestBodyFor(t *testing.T) {
	high := county
	high.Region, high.Levels = "320500", standards.LevelsOf(standards.Technician, standards.SeniorTechnician)
	f := supervised(t, high, county, transport)
	for _, c := range []struct {
		r          evaluators.Relation
		occupation string
		level      standards.Level
		region     string
	}{
		{evaluators.RelationLocal, cook, standards.Technician, "320500"},
		{evaluators.RelationLocal, cook, standards.Senior, "320583"},
		{evaluators.RelationTrade, cook, standards.Senior, ""},
		{evaluators.RelationTrade, "4-02-06-01", standards.Senior, "320000"},
		{evaluators.RelationFiling, cook, standards.Senior, "320500"},
	} {
		b, ok := f.BodyFor(c.r, c.occupation, c.level, "2026-03-02", at("2026-03-02 09:00"))
		if b.Region != c.region || ok != (c.region != "") {
			t.Errorf("%s %s %s: %+v", c.r, c.occupation, c.level, b)
		}
	}
}

func TestSuperviseNamesEveryFault(t *testing.T) {
	_, err := filing().Supervise(evaluators.Supervision{}, at("2026-03-02 09:00"))
	wantFields(t, err, "supervision_invalid", "from date", "document missing", "bodies count")
	other, odd := county, transport
	other.Relation, odd.Department = evaluators.RelationFiling, ""
	_, err = filing().Supervise(evaluators.Supervision{From: "2026-03-01", Document: "x", Bodies: []evaluators.Body{other, odd, {Region: "99"}}}, at("2026-03-02 09:00"))
	wantFields(t, err, "supervision_invalid", "bodies[0].region authority", "bodies[1].department missing",
		"bodies[2].relation relation", "bodies[2].region digits", "bodies[2].zh missing", "bodies[2].en missing")
}
