package evaluators_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

const (
	cook    = "4-03-02-01"
	welder  = "6-18-02-04"
	firstID = "F1"
)

// at is a moment on a civil date in Asia/Shanghai, written 2026-03-02 14:00.
func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, standards.Zone)
	if err != nil {
		panic(err)
	}
	return t
}

func institution() evaluators.Institution {
	return evaluators.Institution{
		ID: "I1", Name: "昆山示例职业培训学校", Region: "320583",
		Names: []evaluators.NameChange{{Name: "昆山示例职业培训学校", From: "2026-01-05", Recorded: at("2026-01-05 09:00")}},
	}
}

// filing covers 2026 and 2027; cook at all examined levels, welder's trade 02 up
// to Senior and in 2026 only.
func filing() evaluators.Filing {
	return evaluators.Filing{
		ID: firstID, Institution: "I1", Class: evaluators.Social, Code: "0000", Province: "32", Site: "058300",
		Authority: "320500", From: "2026-01-01", Until: "2027-12-31", Document: "苏人社备〔2026〕1号",
		Recorded: at("2026-01-05 10:00"),
		Scope: []evaluators.ScopeItem{
			{Occupation: cook, Levels: standards.LevelRange(standards.Junior, standards.SeniorTechnician)},
			{Occupation: welder, Trade: "02", Levels: standards.LevelRange(standards.Junior, standards.Senior), Until: "2026-12-31"},
		},
	}
}

func decision(id string, k evaluators.Kind, t evaluators.Target, effective standards.Date, recorded time.Time) evaluators.Decision {
	return evaluators.Decision{ID: id, Kind: k, Target: t, Effective: effective, Recorded: recorded,
		Document: "昆人社决〔2026〕" + id + "号", Basis: "示例管理办法第二十条"}
}

var (
	whole    = evaluators.Target{Institution: "I1"}
	oneFile  = evaluators.Target{Institution: "I1", Filing: firstID}
	cookOnly = evaluators.Target{Institution: "I1", Filing: firstID, Occupation: cook}
	cookAll  = evaluators.Target{Institution: "I1", Occupation: cook}

	oneSite     = evaluators.Target{Institution: "I1", Province: "32", Site: "058300"}
	cookSenior  = evaluators.Target{Institution: "I1", Filing: firstID, Occupation: cook, Levels: standards.LevelsOf(standards.Senior)}
	welderTrade = evaluators.Target{Institution: "I1", Occupation: welder, Trade: "02"}
	senior      = evaluators.Target{Institution: "I1", Levels: standards.LevelsOf(standards.Senior)}
)

// wantFields checks that err is of the code and has exactly these field/code
// pairs, each with both languages.
func wantFields(t *testing.T, err error, code string, want ...string) {
	t.Helper()
	if fail.KindOf(err) != fail.Invalid || fail.CodeOf(err) != code {
		t.Fatalf("error %v, want Invalid %s", err, code)
	}
	var got []string
	for _, f := range fail.Of(err).Fields {
		got = append(got, f.Name+" "+f.Code)
		if f.ZH == "" || f.EN == "" {
			t.Errorf("field %s %s has no text in one language", f.Name, f.Code)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("fields %q, want %q", got, want)
	}
}

func wantConflict(t *testing.T, err error, code string) *fail.Error {
	t.Helper()
	if fail.KindOf(err) != fail.Conflict || fail.CodeOf(err) != code {
		t.Fatalf("error %v, want Conflict %s", err, code)
	}
	var e *fail.Error
	if !errors.As(err, &e) || e.ZH == "" || e.Text == "" {
		t.Fatalf("error %v lacks a language", err)
	}
	return e
}
