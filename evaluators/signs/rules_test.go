package signs_test

import (
	"reflect"
	"strings"
	"testing"

	"bajigong/evaluators/signs"
	"bajigong/internal/rulefile"
)

func sample(t testing.TB) signs.Rules {
	t.Helper()
	set, err := signs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok {
		t.Fatal("no rules for 320583")
	}
	return r
}

// No published rule has thresholds, so every rule of the embedded files says
// that its figures are a sample.
func TestEveryEmbeddedRuleSaysWhereItComesFrom(t *testing.T) {
	set, err := signs.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, file := range set.All() {
		v := reflect.ValueOf(file)
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
				rules++
				if n := f.Elem().FieldByName("Note").Interface().(signs.Note); n.Sample == "" {
					t.Errorf("%s: %s does not say that its figures are a sample", file.ID, v.Type().Field(i).Name)
				}
			}
		}
	}
	if rules != len(signs.Kinds()) {
		t.Errorf("the embedded file has %d rules, there are %d kinds of sign", rules, len(signs.Kinds()))
	}
	for _, k := range signs.Kinds() {
		if k.Chinese() == "" || k.English() == "" {
			t.Errorf("%s has no words", k)
		}
	}
}

const head = "id: x\nregion: \"320000\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: test\nagain_percent: 150\nanswer_days: 10\n"

func TestRuleFilesAreStrict(t *testing.T) {
	if _, err := rulefile.Parse[signs.Rules]("x", []byte(head+"velocity: {days: 60, batches: {free: 1, per_30_days: 1}, certificates: {free: 1, per_30_days: 1}, sample: test}\n")); err != nil {
		t.Errorf("a sound file: %v", err)
	}
	for name, body := range map[string]string{
		"no note":            "velocity: {days: 60, batches: {free: 1, per_30_days: 1}, certificates: {free: 1, per_30_days: 1}}\n",
		"unknown key":        "velocity: {days: 60, speed: 1, sample: test}\n",
		"window too long":    "rush: {days: 100, history_days: 400, batches_over: 1, certificates_over: 1, mean_percent_over: 200, peak_percent_over: 200, sample: test}\n",
		"level not examined": "all_passed: {levels: [chief_technician], rows: 20, share_percent_over: 99, sample: test}\n",
		"no levels":          "all_passed: {levels: [], rows: 20, share_percent_over: 99, sample: test}\n",
		"share of 100":       "same_scores: {rows: 20, share_percent_over: 100, sample: test}\n",
	} {
		if _, err := rulefile.Parse[signs.Rules](name, []byte(head+body)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := rulefile.Parse[signs.Rules]("x", []byte(strings.Replace(head, "150", "99", 1))); err == nil {
		t.Error("a review that opens again for less was taken")
	}
}

// FuzzRules: whatever is taken has figures within bounds and can be asked.
func FuzzRules(f *testing.F) {
	f.Add(head + "jump: {days: 30, history_days: 365, least_history_days: 120, certificates_over: 300, mean_percent_over: 400, peak_percent_over: 200, sample: x}\n")
	f.Add(head + "pension_age: {men: 63, women: 58, people_over: 4, share_percent_over: 10, source: x}\n")
	f.Fuzz(func(t *testing.T, src string) {
		r, err := rulefile.Parse[signs.Rules]("fuzz", []byte(src))
		if err != nil {
			return
		}
		if h := r.History(); h < 1 || h > signs.HistoryMax {
			t.Errorf("looks back %d days", h)
		}
		past := signs.Past{Admitted: "2026-01-01", First: "2026-01-01", Days: []signs.Day{{Date: "2026-01-02", Batches: 1, Certificates: 10}}}
		r.AfterPublishing(past, "2026-01-02")
		r.AfterDecision(past, "d", "2026-01-02")
		r.AfterResults(signs.Results{Session: "s", Rows: 50, Passed: 50}, "2026-01-02")
	})
}
