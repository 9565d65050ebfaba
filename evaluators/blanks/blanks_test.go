package blanks_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators/blanks"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

var now = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// tried holds every pair of a documented table against the code.
func tried[S, A ~string](t *testing.T, file, of string, states []S, acts []A, code string, next func(S, A) (S, error), words func(S) (string, string)) {
	t.Helper()
	table := doctest.States(t, file, of)
	doctest.Holds(t, table, states, acts)
	for _, from := range states {
		for _, do := range acts {
			got, err := next(from, do)
			want := table.Next[string(from)][string(do)]
			if ok := want != doctest.Refused; ok != (err == nil) || ok && string(got) != want {
				t.Errorf("%s: %s of %s gives %s, %v; the table says %q", of, do, from, got, err, want)
			}
			if want == doctest.Refused && (fail.CodeOf(err) != code || fail.KindOf(err) != fail.Conflict || got != from || fail.Of(err).ZH == "") {
				t.Errorf("%s: %s of %s is refused with %v", of, do, from, err)
			}
		}
		if zh, en := words(from); zh == "" || en == "" {
			t.Errorf("%s: %s has no words", of, from)
		}
	}
}

func TestStateTables(t *testing.T) {
	tried(t, "state.go", "State", blanks.States(), blanks.Acts(), "blank_state", blanks.Next, blanks.State.Words)
	tried(t, "application.go", "ApplicationState", blanks.ApplicationStates(), blanks.ApplicationActs(), "blank_application_state", blanks.NextApplication, blanks.ApplicationState.Words)
	tried(t, "destruction.go", "DestructionState", blanks.DestructionStates(), blanks.DestructionActs(), "destruction_state", blanks.NextDestruction, blanks.DestructionState.Words)
	tried(t, "job.go", "JobState", blanks.JobStates(), blanks.JobActs(), "print_job_state", blanks.NextJob, blanks.JobState.Words)
}

func code(t testing.TB, text string) blanks.Code {
	t.Helper()
	c, err := blanks.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func span(t testing.TB, first, last string) blanks.Range {
	t.Helper()
	r := blanks.Range{First: code(t, first), Last: code(t, last)}
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseCode(t *testing.T) {
	for text, want := range map[string]string{
		"JS-00012345": "JS-00012345", " js00000001 ": "JS00000001", "000001": "000001", "A1B2": "A1B2",
		"": "", "JS": "", "JS_01": "", "流水01": "", "1234567890123456": "", "320583199001011234": "", "32058319900101123X": "", "ABCDEFGHIJKLM1": "", "1 2": "",
	} {
		c, err := blanks.ParseCode(text)
		if got := c.String(); (want == "") != (err != nil) || err == nil && got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func FuzzParseCode(f *testing.F) {
	for _, s := range []string{"JS-00012345", "000001", "999999999999999", "A-", "--1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := blanks.ParseCode(text)
		if err != nil {
			return
		}
		again, err := blanks.ParseCode(c.String())
		if err != nil || again != c {
			t.Fatalf("%q: %+v, then %+v, %v", text, c, again, err)
		}
		if len(c.String()) > blanks.PrefixMost+blanks.DigitsMost || c.String() != strings.ToUpper(strings.TrimSpace(text)) {
			t.Fatalf("%q is %q", text, c)
		}
	})
}

func rules(t testing.TB) blanks.Rules {
	t.Helper()
	set, err := blanks.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules")
	}
	return r
}

// What comes with the product is a sample and says so.
func TestEmbeddedIsASample(t *testing.T) {
	r := rules(t)
	if r.Sample == "" || r.Code.Sample == "" || r.Spare.Sample == "" || r.LowStock.Sample == "" || r.Stocktaking.Sample == "" {
		t.Fatalf("%+v", r)
	}
	if r.Spare.Value != 110 || r.LowStock.Value != 50 || r.Stocktaking.Value != 3 || r.Approver != blanks.ByInstitution {
		t.Fatalf("%+v", r)
	}
}

func TestProblems(t *testing.T) {
	src, err := os.ReadFile("data/blanks-sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, say string }{
		"approver":   {"approver: institution", "approver: printer", "approver is"},
		"digits":     {"digits_max: 15", "digits_max: 16", "1 to 15 digits"},
		"prefix":     {"prefix_max: 12", "prefix_max: 13", "prefix of code"},
		"percent":    {"value: 110", "value: 90", "spare_percent is"},
		"no origin":  {"low_stock: {value: 50, sample: 低库存 50 份提醒 of the same system}", "low_stock: {value: 50}", "low_stock has either"},
		"no quarter": {"value: 3,", "value: 0,", "stocktaking_months is"},
	} {
		if !strings.Contains(string(src), c.old) {
			t.Fatalf("%s: the sample has no %q", name, c.old)
		}
		_, err := rulefile.Parse[blanks.Rules]("x.yaml", []byte(strings.Replace(string(src), c.old, c.new, 1)))
		if fail.CodeOf(err) != "rulefile_invalid" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// 领用 ≤ 合格人数 × 110 %，否则说明原因 (sample rules)
func TestMayTake(t *testing.T) {
	r := rules(t)
	for _, c := range []struct {
		taken, returned, passed, quantity int
		reason, code                      string
	}{
		{0, 0, 100, 110, "", ""}, {0, 0, 100, 111, "", "blank_allowance"}, {0, 0, 100, 111, "打印机卡纸", ""}, {0, 0, 100, 111, "  ", "blank_allowance"},
		{110, 0, 100, 1, "", "blank_allowance"}, {110, 1, 100, 1, "", ""}, {0, 0, 1, 2, "", ""}, {0, 0, 1, 3, "", "blank_allowance"},
		{0, 0, 0, 1, "备用", "nobody_passed"},
	} {
		err := r.MayTake(blanks.Use{Taken: c.taken, Returned: c.returned}, c.passed, c.quantity, c.reason)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestLowAndDue(t *testing.T) {
	r := rules(t)
	for n, low := range map[int]bool{0: true, 49: true, 50: false} {
		if r.Low(blanks.Stock{Counts: map[blanks.State]int{blanks.InStock: n}}) != low {
			t.Errorf("%d", n)
		}
	}
	if d := r.CountDue(blanks.Stock{Since: "2026-01-31"}); d != "2026-04-30" {
		t.Error(d)
	}
	if d := r.CountDue(blanks.Stock{Since: "2026-01-31", Counted: "2026-03-01"}); d != "2026-06-01" {
		t.Error(d)
	}
}

func show(runs []blanks.Run) string {
	var out []string
	for _, r := range runs {
		out = append(out, fmt.Sprintf("%s %s %s", r.Range, r.State, r.Session))
	}
	return strings.Join(out, "; ")
}

// apply moves as the ledger does: what is kept and what is moved, joined.
func apply(m blanks.Move, runs []blanks.Run) ([]blanks.Run, error) {
	kept, moved, err := m.Apply(runs)
	if err != nil {
		return runs, err
	}
	for _, one := range moved {
		kept = append(kept, one.Run)
	}
	for _, r := range runs {
		if r.Last.Number < m.Range.First.Number || r.First.Number > m.Range.Last.Number {
			kept = append(kept, r)
		}
	}
	return blanks.Join(kept), nil
}

func TestMoves(t *testing.T) {
	runs := []blanks.Run{{Range: span(t, "A001", "A100"), Institution: "i", State: blanks.Sent, Application: "b"}}
	for _, step := range []struct {
		act         blanks.Act
		first, last string
		session     string
		code        string
		want        string
	}{
		{blanks.Take, "A001", "A001", "s", "blank_state", ""},
		{blanks.Receive, "A001", "A100", "", "", "A001–A100 stock "},
		{blanks.Take, "A011", "A020", "s", "", "A001–A010 stock ; A011–A020 taken s; A021–A100 stock "},
		{blanks.Print, "A011", "A011", "z", "blank_session", ""},
		{blanks.Print, "A011", "A012", "s", "", "A001–A010 stock ; A011–A012 printed s; A013–A020 taken s; A021–A100 stock "},
		{blanks.Print, "A013", "A014", "s", "", "A001–A010 stock ; A011–A014 printed s; A015–A020 taken s; A021–A100 stock "},
		{blanks.Print, "A014", "A015", "s", "blank_state", ""}, // never twice
		{blanks.Lose, "A014", "A014", "", "blank_state", ""},
		{blanks.Return, "A019", "A020", "s", "", "A001–A010 stock ; A011–A014 printed s; A015–A018 taken s; A019–A100 stock "},
		{blanks.Spoil, "A099", "A101", "", "blank_unknown", ""},
		{blanks.Spoil, "B001", "B001", "", "blank_unknown", ""},
		{blanks.Receive, "A001", "A020", "", "blank_state", ""},
		{blanks.Spoil, "A014", "A015", "", "", "A001–A010 stock ; A011–A013 printed s; A014–A015 spoiled s; A016–A018 taken s; A019–A100 stock "},
	} {
		before := show(runs)
		after, err := apply(blanks.Move{Act: step.act, Range: span(t, step.first, step.last), Institution: "i", Session: step.session, Reason: "x"}, runs)
		if fail.CodeOf(err) != step.code || err == nil && show(after) != step.want || err != nil && show(after) != before {
			t.Fatalf("%s %s–%s: %v\n%s\nwant %s", step.act, step.first, step.last, err, show(after), step.want)
		}
		n := 0
		for _, r := range after {
			n += r.Size()
		}
		if n != 100 {
			t.Fatalf("%d blanks of 100 are left", n)
		}
		runs = after
	}
	if _, err := apply(blanks.Move{Act: blanks.Take, Range: span(t, "A001", "A001"), Institution: "other", Session: "s"}, runs); fail.CodeOf(err) != "blank_unknown" {
		t.Errorf("another institution's blank: %v", err)
	}
}

// 打印数 = 领用 − 退回 − 作废 (one institution's system; losses are ours)
func TestUse(t *testing.T) {
	u := blanks.Use{}
	for _, m := range []struct {
		from, to blanks.State
		n        int
	}{{blanks.InStock, blanks.Taken, 10}, {blanks.Taken, blanks.Printed, 6}, {blanks.Taken, blanks.InStock, 1}, {blanks.Printed, blanks.Spoiled, 1},
		{blanks.Taken, blanks.Spoiled, 1}, {blanks.Taken, blanks.Lost, 1}, {blanks.Lost, blanks.Spoiled, 1}} {
		if !blanks.OfSession(m.from, m.to) {
			t.Errorf("%v is not of the session", m)
		}
		u = u.Move(m.from, m.to, m.n)
	}
	if u != (blanks.Use{Taken: 10, Returned: 1, Spoiled: 3, Printed: 5}) || u.Left() != 1 {
		t.Errorf("%+v, %d left", u, u.Left())
	}
	for _, m := range [][2]blanks.State{{blanks.InStock, blanks.Spoiled}, {blanks.InStock, blanks.Lost}, {blanks.Spoiled, blanks.Waiting}, {blanks.Waiting, blanks.Spoiled}, {blanks.Sent, blanks.InStock}} {
		if blanks.OfSession(m[0], m[1]) {
			t.Errorf("%v is of the session", m)
		}
	}
}

func TestCompare(t *testing.T) {
	stock := []blanks.Range{span(t, "A021", "A100"), span(t, "A001", "A010")}
	for _, c := range []struct {
		counted          []blanks.Range
		missing, surplus string
	}{
		{stock, "[]", "[]"},
		{nil, "[A001–A010 A021–A100]", "[]"},
		{[]blanks.Range{span(t, "A001", "A009"), span(t, "A022", "A100")}, "[A010 A021]", "[]"},
		{[]blanks.Range{span(t, "A001", "A100")}, "[]", "[A011–A020]"},
		{[]blanks.Range{span(t, "A005", "A030"), span(t, "B001", "B002")}, "[A001–A004 A031–A100]", "[A011–A020 B001–B002]"},
	} {
		missing, surplus, err := blanks.Compare(stock, c.counted)
		if err != nil || fmt.Sprint(missing) != c.missing || fmt.Sprint(surplus) != c.surplus {
			t.Errorf("%v: missing %v, surplus %v, %v", c.counted, missing, surplus, err)
		}
	}
	if _, _, err := blanks.Compare(stock, []blanks.Range{span(t, "A001", "A002"), span(t, "A002", "A003")}); fail.CodeOf(err) != "stocktaking_twice" {
		t.Error(err)
	}
}

// The approver is data: the notice of 2021 lets institutions print by themselves.
func TestApplication(t *testing.T) {
	r := rules(t)
	mine, colleague, office := blanks.Party{Account: "a"}, blanks.Party{Account: "b"}, blanks.Party{Account: "x", Authority: true}
	a, err := r.Apply(blanks.Application{Quantity: 10, Purpose: "第一季度", By: "a"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		by      blanks.Party
		granted int
		code    string
	}{{mine, 0, "second_person"}, {office, 0, "blank_approver"}, {colleague, 11, "blank_application"}, {colleague, -1, "blank_application"}, {colleague, 4, ""}, {colleague, 0, ""}} {
		if _, err := a.Decide(blanks.ApproveApplication, c.by, c.granted, "", now); fail.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := a.Decide(blanks.RejectApplication, colleague, 0, "", now); fail.CodeOf(err) != "blank_application" {
		t.Errorf("rejected without a word: %v", err)
	}
	a, _ = a.Decide(blanks.ApproveApplication, colleague, 4, "", now)
	for _, c := range []struct {
		ranges []blanks.Range
		code   string
	}{{nil, "blank_range"}, {[]blanks.Range{span(t, "A000001", "A000005")}, "blank_quantity"}, {[]blanks.Range{span(t, "A001", "A004")}, "blank_range"},
		{[]blanks.Range{span(t, "A000001", "A000002"), span(t, "A000002", "A000003")}, "blank_range"}, {[]blanks.Range{span(t, "A000001", "A000002"), span(t, "B000002", "B000003")}, ""}} {
		if _, err := a.Send(r, colleague, c.ranges, now); fail.CodeOf(err) != c.code {
			t.Errorf("%v: %v", c.ranges, err)
		}
	}
	if _, err := a.Send(r, mine, []blanks.Range{span(t, "A000001", "A000004")}, now); fail.CodeOf(err) != "second_person" {
		t.Error(err)
	}
	r.Approver = blanks.ByAuthority
	a, _ = r.Apply(blanks.Application{Quantity: 10, Purpose: "第一季度", By: "a"}, now)
	if _, err := a.Decide(blanks.ApproveApplication, colleague, 0, "", now); fail.CodeOf(err) != "blank_approver" {
		t.Error(err)
	}
	if _, err := a.Decide(blanks.ApproveApplication, office, 0, "", now); err != nil {
		t.Error(err)
	}
}

func TestDestruction(t *testing.T) {
	d := blanks.Destruction{State: blanks.DestructionWaiting, By: "a", SecondPerson: true}
	for _, c := range []struct {
		do               blanks.DestructionAct
		by, document, as string
		code             string
	}{{blanks.DestroyBatch, "a", "销毁记录1号", "碎纸", "second_person"}, {blanks.DestroyBatch, "b", "", "碎纸", "destruction"}, {blanks.DestroyBatch, "b", "销毁记录1号", "", "destruction"},
		{blanks.DestroyBatch, "b", "销毁记录1号", "碎纸", ""}, {blanks.DissolveBatch, "a", "", "", ""}} {
		if _, err := d.End(c.do, blanks.Party{Account: c.by}, c.document, c.as, now); fail.CodeOf(err) != c.code {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestPrints(t *testing.T) {
	p := blanks.Prints{Number: "S"}
	step := func(version int, reason, code string, kind blanks.PrintKind) {
		t.Helper()
		next, got, err := p.Next(version, reason)
		if fail.CodeOf(err) != code || err == nil && got != kind {
			t.Fatalf("version %d, %q: %s, %v", version, reason, got, err)
		}
		if err == nil {
			p = next
		}
	}
	step(1, "", "", blanks.FirstPrint)
	step(1, "", "print_reason", "")
	step(1, "纸张破损", "", blanks.Reprint)
	p = p.Spoil(1).Spoil(1)
	if !p.Due(1) {
		t.Error("all prints are spoiled and it is not due")
	}
	step(1, "", "", blanks.Reprint) // after 作废 no reason
	if p.Due(1) || !p.Due(2) {
		t.Error("due")
	}
	step(2, "", "", blanks.FirstPrint) // 补发 needs a new print
	if p = p.Spoil(1); p.Standing != 1 || p.N != 4 {
		t.Errorf("%+v", p)
	}
}
