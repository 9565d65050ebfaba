// Package picture says what it would cost to read a picture that somebody sent.
package picture

import "bytes"

// most is how many pixels may be gone over in all: 26 million pixels as a camera or
// a web site writes them progressively, in a dozen scans, with some to spare.
const most = 26_000_000 * 16

// startOfScan is the marker before each pass over the pixels of a JPEG (ITU-T T.81
// B.2.3).
var startOfScan = []byte{0xFF, 0xDA}

// Costly reports a JPEG that goes over its pixels so often that reading it is an
// attack: each pass of a progressive one may cost a dozen bytes, whatever the number
// of pixels. Markers in previews and the like count too, which is a few. Of other
// files it says false: their cost is that of their pixels.
func Costly(data []byte, pixels int) bool {
	scans := bytes.Count(data, startOfScan)
	return scans > 1 && pixels > most/scans
}
