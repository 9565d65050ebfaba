//go:build race

package registry_test

// raceDetector is on: what takes seconds takes minutes.
const raceDetector = true
