// Package bombs makes pictures for tests that no camera makes.
package bombs

import "encoding/binary"

// Progressive is a grey progressive JPEG (ITU-T T.81 G) of one even light, which
// goes over all its pixels as often as is asked for.
func Progressive(width, height, scans int) []byte {
	out := []byte{0xFF, 0xD8}
	segment := func(marker byte, body ...byte) {
		out = append(out, 0xFF, marker)
		out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
		out = append(out, body...)
	}
	table := make([]byte, 65)
	for i := 1; i < len(table); i++ {
		table[i] = 1
	}
	segment(0xDB, table...)
	segment(0xC2, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 1, 1, 0x11, 0)
	one := append([]byte{1}, make([]byte, 15)...)                // one code of one bit
	segment(0xC4, append(append([]byte{0x00}, one...), 0x00)...) // DC: no difference
	segment(0xC4, append(append([]byte{0x10}, one...), 0xE0)...) // AC: a run of 2¹⁴ blocks and more without anything
	blocks := ((width + 7) / 8) * ((height + 7) / 8)
	segment(0xDA, 1, 1, 0x00, 0, 0, 0x00)
	out = append(out, make([]byte, (blocks+7)/8)...)
	for range scans - 1 {
		segment(0xDA, 1, 1, 0x00, 1, 63, 0x00)
		n := 0
		for left := blocks; left > 0; left -= 1 << 14 {
			n += 15 // the code and 14 bits of its length, all zero
		}
		out = append(out, make([]byte, (n+7)/8)...)
	}
	return append(out, 0xFF, 0xD9)
}
