package standards

import (
	"strings"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
)

var normDay = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

func sampleNorm() Norm {
	return Norm{ID: "n-1", Institution: "i-1", Filing: "f-1", Class: "Y", Name: "电工评价规范", Occupation: "6-31-01-03", Document: "厂技〔2026〕1号", From: "2026-03-02",
		Parts: map[Level][]Part{Senior: {{Kind: Theory, Name: "理论", Pass: 70}, {Kind: Skill, Name: "实操", Pass: 80.5}}, Technician: {{Kind: Review, Name: "业绩评审", Pass: 60}}}}
}

func TestFileNorm(t *testing.T) {
	first, err := FileNorm(nil, sampleNorm(), normDay)
	if err != nil || first.Series != "n-1" || first.Version != 1 || first.State != NormFiled || first.Accepted != nil || !first.Recorded.Equal(normDay) {
		t.Fatalf("%+v %v", first, err)
	}
	next := sampleNorm()
	next.ID = "n-2"
	if next, err = FileNorm(&first, next, normDay); err != nil || next.Series != "n-1" || next.Version != 2 {
		t.Errorf("%+v %v", next, err)
	}
	if got := next.VersionText(); got != "电工评价规范（厂技〔2026〕1号，第 2 版）" {
		t.Error(got)
	}
	moved := sampleNorm()
	moved.Trade = "01"
	if _, err := FileNorm(&first, moved, normDay); fail.CodeOf(err) != "norm_series" {
		t.Errorf("another trade: %v", err)
	}
	// A state cannot be brought along.
	brought := sampleNorm()
	brought.State, brought.Accepted, brought.Version, brought.Series = NormAccepted, &normDay, 9, "n-9"
	if got, err := FileNorm(nil, brought, normDay); err != nil || got.State != NormFiled || got.Accepted != nil || got.Version != 1 || got.Series != "n-1" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestNormProblems(t *testing.T) {
	parts := func(p ...Part) func(*Norm) {
		return func(n *Norm) { n.Parts = map[Level][]Part{Senior: p} }
	}
	for name, c := range map[string]struct {
		change      func(*Norm)
		field, code string
	}{
		"class S: 用人单位 alone (中办发〔2022〕58号)": {func(n *Norm) { n.Class = "S" }, "", "norm_class"},
		"name":               {func(n *Norm) { n.Name = "" }, "name", "norm_invalid"},
		"document":           {func(n *Norm) { n.Document = " x" }, "document", "norm_invalid"},
		"date":               {func(n *Norm) { n.From = "" }, "from", "norm_invalid"},
		"conditions":         {func(n *Norm) { n.Conditions = strings.Repeat("满", maxConditions+1) }, "conditions", "norm_invalid"},
		"occupation":         {func(n *Norm) { n.Occupation = "电工" }, "occupation", "norm_invalid"},
		"准入类":                {func(n *Norm) { n.Occupation = "4-07-05-01" }, "occupation", "norm_invalid"},
		"no level":           {func(n *Norm) { n.Parts = nil }, "parts", "norm_invalid"},
		"no part":            {parts(), "parts.senior", "norm_invalid"},
		"a post":             {func(n *Norm) { n.Parts[ChiefTechnician] = n.Parts[Senior] }, "parts.chief_technician", "norm_invalid"},
		"level none":         {func(n *Norm) { n.Parts[0] = n.Parts[Senior] }, "parts", "norm_invalid"},
		"kind":               {parts(Part{Kind: "talk", Name: "x", Pass: 60}), "parts.senior[0].kind", "norm_invalid"},
		"kind twice":         {parts(Part{Kind: Skill, Name: "x", Pass: 60}, Part{Kind: Skill, Name: "y", Pass: 60}), "parts.senior[1].kind", "norm_invalid"},
		"no name":            {parts(Part{Kind: Skill, Pass: 60}), "parts.senior[0].name", "norm_invalid"},
		"pass mark 0":        {parts(Part{Kind: Skill, Name: "x"}), "parts.senior[0].pass", "norm_invalid"},
		"pass mark over 100": {parts(Part{Kind: Skill, Name: "x", Pass: 100.1}), "parts.senior[0].pass", "norm_invalid"},
	} {
		n := sampleNorm()
		c.change(&n)
		_, err := FileNorm(nil, n, normDay)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := c.field == ""
		for _, f := range fail.Of(err).Fields {
			found = found || f.Name == c.field
		}
		if !found {
			t.Errorf("%s: no field %s in %+v", name, c.field, fail.Of(err).Fields)
		}
	}
}

// The state table in the comment of Norm is what the code does, and every pair
// that is not in it is refused.
func TestNormStates(t *testing.T) {
	table := doctest.States(t, "norm.go", "Norm")
	doctest.Holds(t, table, NormStates(), NormSteps())
	for _, state := range NormStates() {
		for _, step := range NormSteps() {
			n := sampleNorm()
			n.State = state
			got, err := n.Decide(NormDecision{Step: step, Document: "文号", Reason: "理由"}, normDay)
			want := NormState(table.Next[string(state)][string(step)])
			may := want != doctest.Refused
			switch {
			case may && (err != nil || got.State != want || got.Decision.Step != step || !got.Decision.At.Equal(normDay) || (got.Accepted != nil) != (want == NormAccepted)):
				t.Errorf("%s %s: %+v %v, want %s", state, step, got, err, want)
			case !may && (fail.CodeOf(err) != "norm_state" || got.State != state):
				t.Errorf("%s %s: %s %v, want a refusal", state, step, got.State, err)
			}
		}
	}
	n := sampleNorm()
	n.State = NormFiled
	for _, d := range []NormDecision{{Step: "burn"}, {Step: NormRefuse, Reason: "理由"}, {Step: NormRefuse, Document: "文号"}, {Step: NormWithdraw}, {Step: NormAccept, Document: " x"}} {
		if _, err := n.Decide(d, normDay); fail.KindOf(err) != fail.Invalid {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

func TestNormGoverns(t *testing.T) {
	n := sampleNorm()
	n.State, n.Trade = NormAccepted, "01"
	if err := n.Governs("6-31-01-03", "01", Senior, "2026-03-02"); err != nil {
		t.Error(err)
	}
	err := Norm{ID: "n-1", State: NormFiled, Occupation: "6-31-01-03", Trade: "01", From: "2026-03-02"}.Governs("4-03-02-01", "", Junior, "2026-03-01")
	var codes []string
	for _, f := range fail.Of(err).Fields {
		codes = append(codes, f.Code)
	}
	if got := strings.Join(codes, " "); got != "norm_state norm_occupation norm_trade norm_level norm_from" {
		t.Errorf("reasons: %s", got)
	}
}
