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
	if !ok || r.Sample == "" || r.Days != 90 {
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
