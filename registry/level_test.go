package registry

import (
	"testing"

	"bajigong/credentials"
	"bajigong/standards"
)

// credentials may not import standards and has the words of the five examined
// levels itself; a verdict must read the same online and offline.
func TestLevelsReadTheSameOfflineAndOnline(t *testing.T) {
	for _, l := range standards.ExaminedLevels() {
		digit, _ := l.Digit()
		f := credentials.Claims{Level: digit}.Face()
		if f.Level != l.Code() || f.LevelZH != l.Certificate() || f.LevelEN != l.English() {
			t.Errorf("%s is %q %q %q offline and %q %q %q online", l, f.Level, f.LevelZH, f.LevelEN, l.Code(), l.Certificate(), l.English())
		}
	}
}
