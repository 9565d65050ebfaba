package uploads_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/internal/sheet"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// What the table of the package comment does not have is refused.
func TestReportStates(t *testing.T) {
	table := doctest.States(t, "doc.go", "Reports")
	doctest.Holds(t, table, uploads.States(), uploads.Actions())
	for _, from := range uploads.States() {
		if from.Chinese() == "" || from.English() == "" {
			t.Errorf("%s has no words", from)
		}
		for _, do := range uploads.Actions() {
			want := table.Next[string(from)][string(do)]
			got, err := from.Step(do)
			switch {
			case want == doctest.Refused:
				if fail.CodeOf(err) != "upload_state" || got != from {
					t.Errorf("%s of a report that is %s: %s, %v", do, from, got, err)
				}
			case err != nil || string(got) != want:
				t.Errorf("%s of a report that is %s: %s, %v; want %s", do, from, got, err, want)
			}
		}
	}
}

// 证件类型 201 and 数据类型 新增 stand in the table of eleven columns used in practice;
// everything else says that it is a sample.
func TestEmbeddedRules(t *testing.T) {
	set, err := uploads.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok || r.Sample == "" || r.Counts || r.IssuerConfirms || r.LateDays != 20 || r.Employer != "其他" {
		t.Fatalf("%+v", r)
	}
	if r.Document(standards.ResidentID) != "201" || r.Document(standards.Passport) != "" {
		t.Errorf("%+v", r.Documents)
	}
	for change, want := range map[uploads.Change]string{uploads.ChangeCorrect: "change", uploads.ChangeVoid: "cancel", uploads.ChangeCancel: "cancel",
		uploads.ChangeUndo: "change", uploads.ChangeReissue: "", uploads.ChangeSuspend: "", uploads.ChangeResume: ""} {
		if got := r.Types.Of(change); got != want {
			t.Errorf("%s is reported as %q, want %q", change, got, want)
		}
	}
	// 20 working days after 2 March 2026; no holiday lies between.
	if due := r.Due(standards.EmbeddedCalendar(), "2026-03-02"); due != "2026-03-30" {
		t.Errorf("due %s", due)
	}
}

func TestRuleFilesAreRefused(t *testing.T) {
	const head = "id: a\nregion: \"320000\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\n"
	const rest = "counts: true\nlate_days: 5\nemployer: 其他\ndocuments: [{kind: resident_id, code: \"201\"}]\n"
	const types = "types: [{code: new, name: {zh: 新增, en: new}}, {code: change, name: {zh: 变更, en: changed}, changes: [correct]}]\n"
	for name, c := range map[string]struct{ src, code string }{
		"sound":              {head + rest + types, ""},
		"no new":             {head + rest + "types: [{code: change, name: {zh: 变更, en: changed}}]\n", "rulefile_invalid"},
		"no days":            {head + strings.Replace(rest, "5", "0", 1) + types, "rulefile_invalid"},
		"unknown document":   {head + strings.Replace(rest, "resident_id", "library_card", 1) + types, "rulefile_invalid"},
		"unknown change":     {head + rest + strings.Replace(types, "correct", "correkt", 1), "rulefile_invalid"},
		"new has a change":   {head + rest + "types: [{code: new, name: {zh: 新增, en: new}, changes: [correct]}]\n", "rulefile_invalid"},
		"two of one code":    {head + rest + strings.Replace(types, "code: change", "code: new", 1), "rulefile_invalid"},
		"nobody is employer": {head + strings.Replace(rest, "其他", "\"\"", 1) + types, "rulefile_invalid"},
	} {
		if _, err := rulefile.Parse[uploads.Rules]("f", []byte(c.src)); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

func TestGaps(t *testing.T) {
	part := func(from, to int, s uploads.State) uploads.Part {
		return uploads.Part{Upload: "u", From: from, To: to, State: s}
	}
	for name, c := range map[string]struct {
		parts    []uploads.Part
		from, to int
		gap      bool
		reported bool
	}{
		"nothing":               {nil, 1, 100, true, false},
		"the first part":        {[]uploads.Part{part(1, 40, uploads.Sent)}, 41, 100, true, false},
		"the first was taken":   {[]uploads.Part{part(41, 100, uploads.Sent)}, 1, 40, true, false},
		"the middle, unordered": {[]uploads.Part{part(71, 100, uploads.Sent), part(1, 40, uploads.Sent)}, 41, 70, true, false},
		"all, one not sent":     {[]uploads.Part{part(1, 40, uploads.Generated), part(41, 100, uploads.Queryable)}, 101, 100, false, false},
		"all sent":              {[]uploads.Part{part(1, 40, uploads.Returned), part(41, 100, uploads.Sent)}, 101, 100, false, true},
	} {
		from, to, gap := uploads.Gap(c.parts, 100)
		if from != c.from || to != c.to || gap != c.gap || uploads.Reported(c.parts, 100) != c.reported {
			t.Errorf("%s: %d to %d, %t; reported %t", name, from, to, gap, uploads.Reported(c.parts, 100))
		}
	}
}

var sample = uploads.Types{
	{Code: "new"}, {Code: "change", Changes: []uploads.Change{uploads.ChangeCorrect, uploads.ChangeUndo}},
	{Code: "cancel", Changes: []uploads.Change{uploads.ChangeVoid, uploads.ChangeCancel}},
}

// The life of a certificate that differs from its batch, step by step.
func TestRows(t *testing.T) {
	const day = standards.Date("2026-03-02")
	in := func(s uploads.State) uploads.Part { return uploads.Part{Upload: "u1", From: 1, To: 10, State: s} }
	changed := func(r uploads.Row, s uploads.State, c uploads.Change, valid bool) uploads.Row {
		return r.Changed(in(s), c, "", valid, sample, day)
	}
	var none uploads.Row
	for name, c := range map[string]struct {
		row   uploads.Row
		state uploads.State // of its standing when the part is sent
		waits string
	}{
		"follows its part":                 {none, uploads.Sent, ""},
		"corrected after it was generated": {changed(none, uploads.Generated, uploads.ChangeCorrect, true), uploads.Sent, "change"},
		"corrected, then voided":           {changed(changed(none, uploads.Sent, uploads.ChangeCorrect, true), uploads.Sent, uploads.ChangeVoid, false), uploads.Sent, "cancel"},
		"reissued":                         {changed(none, uploads.Queryable, uploads.ChangeReissue, true), uploads.Sent, ""},
		"suspended, and that undone": {changed(none, uploads.Queryable, uploads.ChangeSuspend, false).Changed(in(uploads.Queryable), uploads.ChangeUndo, uploads.ChangeSuspend, true, sample, day),
			uploads.Sent, ""},
		"voided, and that undone before anybody was told": {changed(none, uploads.Queryable, uploads.ChangeVoid, false).Changed(in(uploads.Queryable), uploads.ChangeUndo, uploads.ChangeVoid, true, sample, day),
			uploads.Sent, ""},
		"corrected, voided, and the voiding undone": {changed(changed(none, uploads.Sent, uploads.ChangeCorrect, true), uploads.Sent, uploads.ChangeVoid, false).
			Changed(in(uploads.Sent), uploads.ChangeUndo, uploads.ChangeVoid, true, sample, day), uploads.Sent, "change"},
		"voided, reported, and the voiding undone": {changed(none, uploads.Sent, uploads.ChangeVoid, false).TakeDue("u2").Follow("u2", uploads.Accepted, "").
			Changed(in(uploads.Sent), uploads.ChangeUndo, uploads.ChangeVoid, true, sample, day), uploads.Sent, "change"},
		"left out as invalid":                {uploads.OfPart(false), uploads.LeftOut, ""},
		"left out, resumed":                  {changed(uploads.OfPart(false), uploads.Sent, uploads.ChangeResume, true), uploads.Waiting, "new"},
		"left out for its document, voided":  {changed(uploads.OfPart(true), uploads.Sent, uploads.ChangeVoid, false), uploads.LeftOut, ""},
		"returned":                           {none.SentBack("u1", true), uploads.Returned, "new"},
		"returned, then corrected":           {changed(none.SentBack("u1", true), uploads.Returned, uploads.ChangeCorrect, true), uploads.Returned, "new"},
		"returned, then voided":              {changed(none.SentBack("u1", true), uploads.Returned, uploads.ChangeVoid, false), uploads.LeftOut, ""},
		"voided on the way, then returned":   {changed(none, uploads.Sent, uploads.ChangeVoid, false).SentBack("u1", false), uploads.LeftOut, ""},
		"corrected on the way, returned":     {changed(none, uploads.Sent, uploads.ChangeCorrect, true).SentBack("u1", true), uploads.Returned, "new"},
		"returned, reported again":           {none.SentBack("u1", true).TakeNew("u2"), uploads.Generated, ""},
		"and that withdrawn":                 {none.SentBack("u1", true).TakeNew("u2").GiveBack("u2", true, sample), uploads.Returned, "new"},
		"withdrawn after it was voided":      {changed(none.SentBack("u1", true).TakeNew("u2"), uploads.Returned, uploads.ChangeVoid, false).GiveBack("u2", false, sample), uploads.LeftOut, ""},
		"and sent":                           {none.SentBack("u1", true).TakeNew("u2").Follow("u2", uploads.Sent, ""), uploads.Sent, ""},
		"and accepted among returned ones":   {none.SentBack("u1", true).TakeNew("u2").Follow("u2", uploads.Sent, "").Follow("u2", uploads.Returned, ""), uploads.Accepted, ""},
		"and returned again":                 {none.SentBack("u1", true).TakeNew("u2").SentBack("u2", true), uploads.Returned, "new"},
		"still returned when others show":    {none.SentBack("u1", true).Follow("u1", uploads.Queryable, day), uploads.Returned, "new"},
		"the change is on its way":           {changed(none, uploads.Sent, uploads.ChangeVoid, false).TakeDue("u2"), uploads.Sent, ""},
		"the change was returned":            {changed(none, uploads.Sent, uploads.ChangeVoid, false).TakeDue("u2").GiveBack("u2", false, sample), uploads.Sent, "cancel"},
		"changed again on the way":           {changed(changed(none, uploads.Sent, uploads.ChangeCorrect, true).TakeDue("u2"), uploads.Sent, uploads.ChangeVoid, false), uploads.Sent, ""},
		"changed again, and then it arrived": {changed(changed(none, uploads.Sent, uploads.ChangeCorrect, true).TakeDue("u2"), uploads.Sent, uploads.ChangeVoid, false).Follow("u2", uploads.Accepted, ""), uploads.Sent, "cancel"},
		"a change that was only sent":        {changed(none, uploads.Sent, uploads.ChangeVoid, false).TakeDue("u2").Follow("u2", uploads.Sent, ""), uploads.Sent, ""},
	} {
		if got := c.row.Standing(in(uploads.Sent)).State; got != c.state || c.row.Waits() != c.waits {
			t.Errorf("%s: %s, waits for %q; want %s and %q: %+v", name, got, c.row.Waits(), c.state, c.waits, c.row)
		}
	}
	if got := in(uploads.Returned).Standing(); got.State != uploads.Accepted {
		t.Errorf("a certificate that was not returned is %s", got.State)
	}
	both := changed(changed(none, uploads.Sent, uploads.ChangeCorrect, true).TakeDue("u2"), uploads.Sent, uploads.ChangeVoid, false).GiveBack("u2", false, sample)
	if want := []uploads.Change{uploads.ChangeCorrect, uploads.ChangeVoid}; !reflect.DeepEqual(both.Due.Changes, want) || both.Due.Type != "cancel" {
		t.Errorf("%+v", both.Due)
	}
}

func TestReceipts(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want []uploads.ReturnedRow
		code string
	}{
		"returned ones only":      {"证书编号,退回原因\nS1,照片缺失\nS2,姓名不符\n", []uploads.ReturnedRow{{Number: "S1", Reason: "照片缺失"}, {Number: "S2", Reason: "姓名不符"}}, ""},
		"every row, by result":    {"序号,证书编号,处理结果,错误信息\n1,S1,成功,\n2,S2,失败,重复\n", []uploads.ReturnedRow{{Row: 2, Number: "S2", Reason: "重复"}}, ""},
		"by row":                  {"行号,原因\n3,重复\n", []uploads.ReturnedRow{{Row: 3, Reason: "重复"}}, ""},
		"an unknown result":       {"证书编号,处理结果,原因\nS1,再议,重复\n", nil, "receipt"},
		"a row that is no number": {"序号,原因\n三,重复\n", nil, "receipt"},
		"another table":           {"甲,乙\n1,2\n", nil, ""},
	} {
		got, err := uploads.ReadReceipt(strings.NewReader(c.src))
		if name == "another table" {
			if fail.KindOf(err) != fail.Invalid {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		if fail.CodeOf(err) != c.code || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// A workbook is read like a text.
	var b bytes.Buffer
	if err := sheet.WriteXLSX(&b, sheet.Table{Name: "回执", Header: []string{"证书编号", "退回原因"}, Rows: slices.Values([][]string{{"S1", "重复"}})}); err != nil {
		t.Fatal(err)
	}
	if got, err := uploads.ReadReceipt(&b); err != nil || len(got) != 1 || got[0].Number != "S1" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestResolve(t *testing.T) {
	numbers := []string{"S1", "S2", "S3"}
	for name, c := range map[string]struct {
		in   []uploads.ReturnedRow
		want map[int]string
	}{
		"by row and by number": {[]uploads.ReturnedRow{{Row: 1, Reason: "甲"}, {Number: " s3 ", Reason: "乙"}}, map[int]string{0: "甲", 2: "乙"}},
		"by both":              {[]uploads.ReturnedRow{{Row: 2, Number: "S2", Reason: "甲"}}, map[int]string{1: "甲"}},
		"none":                 {nil, map[int]string{}},
		"another row's number": {[]uploads.ReturnedRow{{Row: 1, Number: "S2", Reason: "甲"}}, nil},
		"an unknown number":    {[]uploads.ReturnedRow{{Number: "S4", Reason: "甲"}}, nil},
		"behind the end":       {[]uploads.ReturnedRow{{Row: 4, Reason: "甲"}}, nil},
		"before the beginning": {[]uploads.ReturnedRow{{Row: -1, Reason: "甲"}}, nil},
		"neither":              {[]uploads.ReturnedRow{{Reason: "甲"}}, nil},
		"without a reason":     {[]uploads.ReturnedRow{{Row: 1}}, nil},
		"twice, in two ways":   {[]uploads.ReturnedRow{{Row: 1, Reason: "甲"}, {Number: "S1", Reason: "乙"}}, nil},
		"a reason without end": {[]uploads.ReturnedRow{{Row: 1, Reason: strings.Repeat("甲", 201)}}, nil},
	} {
		got, err := uploads.Resolve(c.in, numbers)
		if c.want == nil {
			if fail.CodeOf(err) != "receipt" || len(fail.Of(err).Fields) == 0 {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		} else if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Whatever is sent as a receipt is read or refused in words, and what was read is
// in the report or refused.
func FuzzReceipt(f *testing.F) {
	f.Add([]byte("序号,证书编号,处理结果,退回原因\n1,S1,退回,重复\n2,S2,成功,\n"))
	f.Add([]byte("证书编号,原因\nS3,姓名不符\n"))
	f.Add([]byte("行号\t原因\n-1\t甲\n"))
	f.Add([]byte("PK\x03\x04"))
	numbers := []string{"S1", "S2", "S3"}
	f.Fuzz(func(t *testing.T, src []byte) {
		rows, err := uploads.ReadReceipt(bytes.NewReader(src))
		if err != nil {
			if k := fail.KindOf(err); k != fail.Invalid && k != fail.TooLarge {
				t.Fatalf("%v", err)
			}
			return
		}
		if len(rows) > uploads.MaxRows+1 {
			t.Fatalf("%d rows", len(rows))
		}
		back, err := uploads.Resolve(rows, numbers)
		if err != nil {
			if fail.CodeOf(err) != "receipt" {
				t.Fatal(err)
			}
			return
		}
		if len(back) != len(rows) {
			t.Fatalf("%d rows come to %d", len(rows), len(back))
		}
		for at, reason := range back {
			if at < 0 || at >= len(numbers) || strings.TrimSpace(reason) == "" {
				t.Fatalf("row %d is returned for %q", at, reason)
			}
		}
	})
}
