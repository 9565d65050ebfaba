package photos_test

import (
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/picture/bombs"
)

// A small JPEG that goes over its pixels thousands of times is refused before any
// of them is decoded; an archive could have 2000 of them.
func TestNormaliseRefusesManyScans(t *testing.T) {
	begun := time.Now()
	_, err := rules(t).Normalise(bombs.Progressive(2950, 4130, 1000))
	if fail.CodeOf(err) != "photo_large" {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
