package evaluators_test

import (
	"testing"

	"bajigong/evaluators"
	"bajigong/standards"
)

func TestCheckNumber(t *testing.T) {
	good := "S000032058300263000001"
	face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Issued: "2026-03-25"}
	for _, c := range []struct {
		name   string
		number string
		set    func(*evaluators.Filing, *evaluators.Face, *standards.LevelNumber)
		want   []string
	}{
		{name: "right", number: good},
		{name: "without an exam", number: good, set: func(_ *evaluators.Filing, f *evaluators.Face, _ *standards.LevelNumber) { f.ExamDate = "" }},
		{name: "a short site", number: good, set: func(_ *evaluators.Filing, _ *evaluators.Face, n *standards.LevelNumber) { n.Site = "58300" },
			want: []string{"E1 number_shape", "E5 number_filing"}},
		{name: "a serial of seven digits", number: good, set: func(_ *evaluators.Filing, _ *evaluators.Face, n *standards.LevelNumber) { n.Serial = 1000000 },
			want: []string{"E1 number_shape"}},
		{name: "no such province", number: good, set: func(_ *evaluators.Filing, _ *evaluators.Face, n *standards.LevelNumber) { n.Province = "38" },
			want: []string{"E2 number_province", "E5 number_filing"}},
		{name: "no such class", number: good, set: func(_ *evaluators.Filing, _ *evaluators.Face, n *standards.LevelNumber) { n.Class = 'J' },
			want: []string{"E3 number_class", "E3 number_class"}},
		{name: "the other class", number: "Y000032058300263000001", want: []string{"E3 number_class"}},
		{name: "institution code", number: "S004132058300263000001", want: []string{"E4 number_institution"}},
		{name: "province", number: "S000033058300263000001", want: []string{"E5 number_filing"}},
		{name: "site", number: "S000032058301263000001", want: []string{"E5 number_filing"}},
		{name: "no filing", number: good, set: func(f *evaluators.Filing, _ *evaluators.Face, _ *standards.LevelNumber) { *f = evaluators.Filing{} },
			want: []string{"E5 number_filing"}},
		{name: "issued before the filing", number: "S000032058300253000001", set: func(_ *evaluators.Filing, f *evaluators.Face, _ *standards.LevelNumber) { f.Issued = "2025-12-31" },
			want: []string{"E5 number_filing"}},
		{name: "year", number: "S000032058300253000001", want: []string{"E6 number_year"}},
		{name: "level", number: "S000032058300264000001", want: []string{"E7 number_level"}},
		{name: "scope", number: "S000032058300262000001", set: func(_ *evaluators.Filing, f *evaluators.Face, _ *standards.LevelNumber) {
			f.Occupation, f.Trade, f.Level = welder, "02", standards.Technician
		}, want: []string{"E8 number_scope"}},
		{name: "scope on another day", number: "S000032058300273000001", set: func(_ *evaluators.Filing, f *evaluators.Face, _ *standards.LevelNumber) {
			f.Occupation, f.Trade, f.ExamDate, f.Issued = welder, "02", "2027-01-10", "2027-01-25"
		}, want: []string{"E8 number_scope"}},
		{name: "scope on the exam's day, not on the day of issue", number: "S000032058300273000001", set: func(_ *evaluators.Filing, f *evaluators.Face, _ *standards.LevelNumber) {
			f.Occupation, f.Trade, f.ExamDate, f.Issued = welder, "02", "2026-12-30", "2027-01-15"
		}},
		{name: "serial 000000", number: good, set: func(_ *evaluators.Filing, _ *evaluators.Face, n *standards.LevelNumber) { n.Serial = 0 },
			want: []string{"E9 number_serial"}},
		{name: "outside the range", number: good, set: func(f *evaluators.Filing, _ *evaluators.Face, _ *standards.LevelNumber) {
			f.Ranges = []evaluators.SerialRange{{Year: 2026, Level: standards.Senior, First: 2, Last: 9}}
		}, want: []string{"E9 number_serial"}},
		{name: "a range for another level", number: good, set: func(f *evaluators.Filing, _ *evaluators.Face, _ *standards.LevelNumber) {
			f.Ranges = []evaluators.SerialRange{{Year: 2026, Level: standards.Junior, First: 1, Last: 9}}
		}, want: []string{"E9 number_serial"}},
		{name: "year and level", number: "S000032058300244000001", want: []string{"E6 number_year", "E7 number_level"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := standards.ParseLevelNumber(c.number)
			if err != nil {
				t.Fatal(err)
			}
			f, face := filing(), face
			if c.set != nil {
				c.set(&f, &face, &n)
			}
			var got []string
			for _, p := range evaluators.CheckNumber(n, f, face) {
				got = append(got, p.Rule+" "+p.Code)
				if p.Name != "number" || p.ZH == "" || p.EN == "" {
					t.Errorf("problem %+v is not complete", p)
				}
			}
			if joined(got) != joined(c.want) {
				t.Errorf("problems %v, want %v", got, c.want)
			}
		})
	}
}

// The number has no check digit: every wrong digit must contradict the record,
// except in the serial, where the ranges are all there is.
func TestEveryWrongDigitBeforeTheSerialIsCaught(t *testing.T) {
	good := "S000032058300263000001"
	face := evaluators.Face{Occupation: cook, Level: standards.Senior, ExamDate: "2026-03-10", Issued: "2026-03-25"}
	tried := 0
	for i := range 16 {
		for _, c := range "YS0123456789" {
			wrong := good[:i] + string(c) + good[i+1:]
			n, err := standards.ParseLevelNumber(wrong)
			if err != nil || wrong == good {
				continue
			}
			tried++
			if len(evaluators.CheckNumber(n, filing(), face)) == 0 {
				t.Errorf("%s passes", wrong)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d wrong numbers were well formed", tried)
	}
}
