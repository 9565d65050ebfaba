package registry

import (
	"crypto/rand"
	"testing"
	"time"
)

// Ids of one second after the other are in their order, and within a second differ.
func TestIDsInTheOrderOfTheirSeconds(t *testing.T) {
	r := &randomness{r: rand.Reader}
	day := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	last := ""
	for _, at := range []time.Time{day, day.Add(time.Second), day.Add(time.Hour), day.AddDate(30, 0, 0), day.AddDate(79, 0, 0)} {
		one, other := r.idAt("c", at), r.idAt("c", at)
		if len(one) != len(r.id("c")) || one <= last || other <= last || one == other {
			t.Errorf("%s and %s at %s, after %s", one, other, at, last)
		}
		last = max(one, other)
	}
}
