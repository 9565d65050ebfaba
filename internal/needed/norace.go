//go:build !race

package needed

// RaceDetector is off.
const RaceDetector = false
