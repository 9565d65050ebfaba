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

const heapOfTests = 768 << 20 // bytes; no test keeps nearly as much

// HardlyAnyCollections is FewCollections by the size of the heap instead of a rate, for
// the one package where that saves another fifth.
func HardlyAnyCollections() {
	if os.Getenv("GOGC") != "" || RaceDetector { // the detector's own memory comes on top
		FewCollections()
		return
	}
	debug.SetMemoryLimit(heapOfTests)
	debug.SetGCPercent(-1)
}
