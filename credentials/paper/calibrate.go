package paper

import (
	"fmt"
	"io"

	"bajigong/internal/fail"
)

// Calibration is a sheet that shows where a printer prints: rulers along the
// edges, and for each box of a blank its outline with a cross in the upper left
// corner and its name. It is printed on plain paper, laid over a blank against a
// window, and what differs goes into the layout (one field) or the offset (all of
// it). shift is the offset to be tried.
func Calibration(w io.Writer, fonts Fonts, blank Blank, shift Shift) error {
	d := newDocument(w, fonts, "套打校准页 Calibration", false)
	g := d.page(blank.Width, blank.Height)
	lines := []string{
		"套打校准页 · " + blank.Name.ZH,
		"1. 用普通纸按实际大小（100%，不缩放）打印本页，与空白证书叠放，对光比较。",
		"2. 用尺量标尺：顶边和左边的刻度应与纸边的距离一致；相差多少毫米，就在 --offset 中填多少（右、下为正）。",
		"3. 个别字段有偏差的，在版式文件中修改该字段的 x、y（毫米，自纸张左上角起）。",
		fmt.Sprintf("本页偏移 --offset %.1f,%.1f", shift.X, shift.Y),
		"Print at 100 % on plain paper, hold it with a blank against the light. The rulers give the distance from the edge in mm: put the difference into --offset (right and down are positive), or correct x and y of one field in the layout.",
	}
	var all string
	for _, l := range lines {
		all += l
	}
	for _, b := range blank.Boxes {
		all += labels[b.Field].ZH
	}
	if missing := fonts.Missing(all + "0123456789mm×., "); len(missing) > 0 {
		return glyphsMissing("the calibration page", []fail.Field{missingGlyph("text", 0, missing)})
	}
	g.shift(shift)
	rulers(g)
	for _, b := range blank.Boxes {
		g.stroke(faint)
		g.rect(b.X, b.Y, b.Width, b.Height, 0.3)
		g.stroke(black)
		g.line(b.X-3, b.Y, b.X+3, b.Y, 0.4)
		g.line(b.X, b.Y-3, b.X, b.Y+3, 0.4)
		g.fill(quiet)
		g.text(b.X+1, b.Y+3.4, 7, fmt.Sprintf("%s %.1f, %.1f mm", labels[b.Field].ZH, b.X, b.Y))
	}
	g.fill(ink)
	y := 26.0
	for i, l := range lines {
		size := 9.0
		if i == 0 {
			size = 14
		}
		for _, part := range fonts.wrap(l, size, g.width-44, 0) {
			g.text(22, y, size, part)
			y += size * 1.6 / pt
		}
	}
	g.end()
	return d.close()
}

// rulers draws a millimetre scale along the upper and left edge and across the
// middle of the page.
func rulers(g *page) {
	g.stroke(black).fill(black)
	tick := func(i int) float64 {
		switch {
		case i%10 == 0:
			return 5
		case i%5 == 0:
			return 3.5
		}
		return 2
	}
	for i := 5; i < int(g.width)-4; i++ {
		g.line(float64(i), 5, float64(i), 5+tick(i), 0.2)
		if i%10 == 0 {
			g.aligned(float64(i)-5, 13, 10, 6, fmt.Sprint(i), centre)
		}
	}
	for i := 5; i < int(g.height)-4; i++ {
		g.line(5, float64(i), 5+tick(i), float64(i), 0.2)
		if i%10 == 0 && i > 15 {
			g.text(10.8, float64(i)+0.8, 6, fmt.Sprint(i))
		}
	}
}
