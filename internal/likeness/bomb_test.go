package likeness

import (
	"bytes"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/picture/bombs"
)

// A small JPEG that goes over its pixels thousands of times is refused before any
// of them is decoded: anybody may send one.
func TestReadRefusesManyScans(t *testing.T) {
	begun := time.Now()
	_, err := Read(bytes.NewReader(bombs.Progressive(2000, 2000, 2000)))
	if fail.CodeOf(err) != "picture_size" {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
