package course_test

import (
	"os"
	"strings"
	"testing"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

func embedded(t *testing.T) course.Rules {
	t.Helper()
	set, err := course.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules for Kunshan")
	}
	return r
}

// Due days are working days by the State Council's calendar: around the Spring
// Festival of 2026 (15 to 23 February off, the 14th and 28th worked).
func TestTimeline(t *testing.T) {
	r, cal := embedded(t), standards.EmbeddedCalendar()
	done := course.Dates{course.StepPlan: "2026-01-30", course.StepRoster: "2026-02-04", course.StepArrangement: "2026-02-09",
		course.StepResults: "2026-02-26", course.StepPublicity: "2026-02-27"}
	want := []course.Mark{
		{Step: course.StepPlan, Due: "2026-01-30", Done: "2026-01-30"},
		{Step: course.StepRoster, Due: "2026-02-04", Done: "2026-02-04"},
		{Step: course.StepArrangement, Due: "2026-02-06", Done: "2026-02-09", Late: 1},
		{Step: course.StepExam, Due: "2026-02-13", Done: "2026-02-13"},
		{Step: course.StepResults, Due: "2026-02-25", Done: "2026-02-26", Late: 1},
		{Step: course.StepPublicity, Due: "2026-02-27", Done: "2026-02-27"},
		{Step: course.StepIssue, Due: "2026-03-12"},
	}
	got := course.Timeline(r, cal, "2026-02-13", done, "2026-03-12")
	for i, m := range got {
		m.Basis = ""
		if m != want[i] {
			t.Errorf("%+v, want %+v", m, want[i])
		}
	}
	if got = course.Timeline(r, cal, "2026-02-13", done, "2026-03-16"); got[6].Late != 2 || !course.Late(got) {
		t.Errorf("two working days after the last day to issue: %+v", got[6])
	}
	if got = course.Timeline(r, cal, "2026-02-13", nil, "2026-02-12"); got[3].Done != "" || got[6].Due != "" {
		t.Errorf("before the exam: %+v %+v", got[3], got[6])
	}
}

func TestModes(t *testing.T) {
	r := embedded(t)
	if m, ok := r.Mode("exceptional_promotion"); !ok || m.Leads(standards.Junior) || !m.Leads(standards.Technician) || m.Scores {
		t.Errorf("%+v", m)
	}
	if m, ok := r.Mode("exam"); !ok || !m.Scores || !m.Eligibility || !m.Open("S") {
		t.Errorf("%+v", m)
	}
	if _, ok := r.Mode("appointment"); ok {
		t.Error("a post is no way to a certificate of a session")
	}
	if g, ok := r.Group("退役军人"); !ok || g.Code != "veteran" || len(r.Groups) != 9 {
		t.Errorf("groups %+v", r.Groups) // 九类群体, 江苏省2025—2027年行动方案 一
	}
}

func TestFilesAreRefused(t *testing.T) {
	src, err := os.ReadFile("data/course-sample.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"publicity_days": {"publicity_days: 5", "publicity_days: 0"},
		"a step twice":   {"{step: roster, after", "{step: plan, after"},
		"a step unknown": {"{step: roster, after", "{step: lunch, after"},
		"far":            {"days: -10", "days: -1000"},
		"mode no source": {", source: 职业技能等级认定工作规程（试行）}", "}"},
		"mode twice":     {"mode: competition", "mode: conversion"},
		"group twice":    {"code: youth", "code: migrant"},
		"no basis":       {"basis: {zh: 原职业资格证书编号, en: number of the 职业资格 certificate}", "per_year: 0"},
		"a date":         {"retain_months: 24", "retain_months: 24\nplatform_from: 2026-02-30"},
	} {
		changed := strings.Replace(string(src), change[0], change[1], 1)
		if changed == string(src) {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := rulefile.Parse[course.Rules]("x", []byte(changed)); fail.CodeOf(err) != "rulefile_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRules(f *testing.F) {
	src, err := os.ReadFile("data/course-sample.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := rulefile.Parse[course.Rules]("x", src)
		if err == nil {
			course.Timeline(r, standards.EmbeddedCalendar(), "2026-02-13", course.Dates{course.StepPlan: "2026-01-01"}, "2026-03-12")
		}
	})
}
