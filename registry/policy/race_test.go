//go:build race

package policy

// raceDetector is on: what takes seconds takes minutes.
const raceDetector = true
