package needed

import (
	"os"
	"runtime/debug"
)

// testGC is the rate of collection of tests, in percent of what lives: they make
// thousands of small registers and keep none.
const testGC = 400

// FewCollections is for the TestMain of a package whose tests make much garbage: they
// then take about a fifth less processor time. A rate in the environment (GOGC) stays.
func FewCollections() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(testGC)
	}
}
