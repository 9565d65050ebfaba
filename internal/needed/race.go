//go:build race

package needed

// RaceDetector is on: what takes seconds takes minutes.
const RaceDetector = true
