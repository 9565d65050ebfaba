package paper

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// width is how wide a line of text is, in mm at a size in points.
func (f Fonts) width(s string, size float64) float64 {
	total := 0
	for _, r := range s {
		if place, gid := f.pick(r); place >= 0 {
			total += f.chain[place].advance(gid)
		}
	}
	return float64(total) * size / 1000 / pt
}

// Characters that may not begin or end a line (GB/T 15834 puts no closing mark
// at the head of a line and no opening one at its end). The dot of names from
// minority languages stays with the part before it.
const (
	noHead = "，。、；：？！）》〉」』】〕·•・．,.;:?!)]}%”’…—/-"
	noTail = "（《〈「『【〔([{“‘"
)

// wrap breaks text into lines of at most width mm. Chinese breaks anywhere but
// at such marks, Latin words and numbers stay whole where they fit.
// The first line is shorter by indent mm.
func (f Fonts) wrap(text string, size, width, indent float64) (lines []string) {
	for _, paragraph := range strings.Split(text, "\n") {
		rs := []rune(strings.TrimSpace(paragraph))
		for len(rs) > 0 {
			most := width
			if len(lines) == 0 {
				most -= indent
			}
			n := f.lineEnd(rs, size, most)
			lines = append(lines, strings.TrimRight(string(rs[:n]), " "))
			rs = rs[n:]
			for len(rs) > 0 && rs[0] == ' ' {
				rs = rs[1:]
			}
		}
	}
	return lines
}

// lineEnd is how many runes of rs make the first line, at least one.
func (f Fonts) lineEnd(rs []rune, size, width float64) int {
	fits, used := 0, 0.0
	for fits < len(rs) {
		w := f.width(string(rs[fits]), size)
		if fits > 0 && used+w > width+0.001 {
			break
		}
		used += w
		fits++
	}
	if fits == len(rs) {
		return fits
	}
	for n := fits; n > 0; n-- {
		if breakable(rs[n-1], rs[n]) {
			return n
		}
	}
	if fits > 1 && strings.ContainsRune(noHead, rs[fits]) {
		return fits - 1 // its last letter goes with the mark
	}
	return fits // one long word: break it where the line ends
}

func breakable(before, after rune) bool {
	if strings.ContainsRune(noHead, after) || strings.ContainsRune(noTail, before) || after == ' ' {
		return false
	}
	if before == ' ' {
		return true
	}
	word := func(r rune) bool { return r < 0x2E80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '\'') }
	return !(word(before) && word(after))
}

// fitted is text that fits a box.
type fitted struct {
	lines []string
	size  float64 // points
	lead  float64 // mm from one baseline to the next
}

// leading is the distance of baselines for a size of type.
const leading = 1.35

// fit finds the largest size, from size down to floor in half points, at which
// text fits a box of width × height mm. ok is false when even floor is too large.
func (f Fonts) fit(text string, width, height, size, floor float64) (out fitted, ok bool) {
	if !strings.Contains(text, "\n") && height < 2*floor*leading/pt {
		return f.fitLine(text, width, min(size, max(floor, math.Floor(height*pt/leading*10)/10)), floor)
	}
	for s := size; s >= floor; s -= 0.5 {
		lead := s * leading / pt
		lines := f.wrap(text, s, width, 0)
		if float64(len(lines))*lead <= height+0.01 && !slices.ContainsFunc(lines, func(l string) bool { return f.width(l, s) > width+0.01 }) {
			return fitted{lines, s, lead}, true
		}
	}
	return fitted{}, false
}

// fitLine is fit for one line.
func (f Fonts) fitLine(text string, width, size, floor float64) (fitted, bool) {
	if w := f.width(text, size); w > width {
		size = float64(int(size*width/w*10)) / 10
	}
	if size < floor {
		return fitted{}, false
	}
	return fitted{[]string{text}, size, size * leading / pt}, true
}

// align is where text stands in its box.
type align int

const (
	left align = iota
	centre
	right
)

// block draws fitted text in a box, in its middle from top to bottom.
func (p *page) block(b fitted, x, y, width, height float64, a align) {
	// The middle of a Chinese character lies some 0.38 of its size above the
	// baseline.
	top := y + (height-float64(len(b.lines))*b.lead)/2
	for i, line := range b.lines {
		base := top + (float64(i)+0.5)*b.lead + 0.36*b.size/pt
		p.aligned(x, base, width, b.size, line, a)
	}
}

func (p *page) aligned(x, base, width, size float64, line string, a align) {
	if a != left {
		w := p.doc.fonts.width(line, size)
		if a == centre {
			w /= 2
			x += width / 2
		} else {
			x += width
		}
		x -= w
	}
	p.text(x, base, size, line)
}
