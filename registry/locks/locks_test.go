package locks_test

import (
	"fmt"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/registry/locks"
)

// The days are nobody's law: the file says that they are a sample.
func TestEmbeddedIsASample(t *testing.T) {
	set, err := locks.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, ok := set.On("320583", "2026-03-02")
	if !ok || r.Sample == "" || r.Days != 90 || r.LongestDays <= r.Days || r.PublicityDays == 0 || r.OverdueDays == 0 || r.WarnDays == 0 {
		t.Fatalf("%+v", r)
	}
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	if until := r.Until(at); !until.Equal(time.Date(2026, 5, 31, 1, 0, 0, 0, time.UTC)) {
		t.Errorf("until %s", until)
	}
}

func TestDays(t *testing.T) {
	for days, want := range map[int]string{0: "rulefile_invalid", -1: "rulefile_invalid", 1: "", 366: "", 367: "rulefile_invalid"} {
		src := fmt.Sprintf("id: a\nregion: \"320583\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\ndays: %d\n", days)
		if _, err := rulefile.Parse[locks.Rules]("f", []byte(src)); fail.CodeOf(err) != want {
			t.Errorf("%d days: %v, want %q", days, err, want)
		}
	}
}

// A file of the first release has days alone; the others are bounded and go together.
func TestTerms(t *testing.T) {
	for more, want := range map[string]string{
		"": "", "extend_days: 30\nlongest_days: 120\n": "", "extend_days: 30\n": "rulefile_invalid", "longest_days: 120\n": "rulefile_invalid",
		"extend_days: 30\nlongest_days: 60\n": "rulefile_invalid", "extend_days: 30\nlongest_days: 733\n": "rulefile_invalid",
		"publicity_days: 7\npublicity_counts_first: true\n": "", "publicity_days: 61\n": "rulefile_invalid", "publicity_days: -1\n": "rulefile_invalid",
		"overdue_days: 367\n": "rulefile_invalid", "warn_days: -1\n": "rulefile_invalid",
	} {
		src := "id: a\nregion: \"320583\"\nfrom: 2026-01-01\nname: {zh: 甲, en: a}\nsample: x\ndays: 60\n" + more
		if _, err := rulefile.Parse[locks.Rules]("f", []byte(src)); fail.CodeOf(err) != want {
			t.Errorf("%q: %v, want %q", more, err, want)
		}
	}
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	if r := (locks.Rules{Days: 60}); !r.Longest(at).Equal(r.Until(at)) {
		t.Errorf("without extensions: %s", r.Longest(at))
	}
	if _, ok := (locks.Rules{Days: 60}).Overdue(at); ok {
		t.Error("overdue without a rule")
	}
}
