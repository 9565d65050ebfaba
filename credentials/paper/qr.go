package paper

import (
	"strconv"

	"bajigong/credentials"
)

// The QR code on paper. A module is never smaller than 0.43 mm, which is 5 dots
// of a printer with 300 dpi and what phones read from 10 cm; so a code of version
// 13 is 30 mm wide and one of version 15 is 33 mm, without its quiet zone.
const (
	qrLeast       = 30.0 // mm
	qrModuleLeast = 0.43 // mm
	qrQuiet       = 4    // modules
	qrBox         = 34.0 // mm, with the quiet zone: 30 without it at version 13, 0.40 mm a module at 15
)

// qrModule is the width of a module, mm, when the code is at least least wide.
func qrModule(code *credentials.Image, least float64) float64 {
	return max(least/float64(code.Modules()-2*qrQuiet), qrModuleLeast)
}

// qr draws the code as one path, its quiet zone from x, y on. One path has no
// seams between its parts, whatever a viewer smooths.
func (p *page) qr(code *credentials.Image, x, y, module float64) {
	side := float64(code.Modules()) * module
	p.op("q 1 1 1 rg").at(x, y+side).num(side*pt, side*pt).op("re f 0 0 0 rg")
	p.num(module*pt, 0, 0, -module*pt).at(x, y).op("cm")
	for r := range code.Runs() {
		p.out = strconv.AppendInt(p.out, int64(r.X), 10)
		p.out = append(p.out, ' ')
		p.out = strconv.AppendInt(p.out, int64(r.Y), 10)
		p.out = append(p.out, ' ')
		p.out = strconv.AppendInt(p.out, int64(r.Width), 10)
		p.out = append(p.out, " 1 re\n"...)
	}
	p.op("f Q")
}
