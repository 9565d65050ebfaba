package credentials

import (
	"strings"
	"sync"

	"rsc.io/qr/coding"
)

// symbol is a QR code at level M without its quiet zone, one byte a module.
type symbol struct {
	version int
	side    int
	dark    []byte
}

// segmentsOf splits a text as the code holds it best: the digits at its end, which
// are the token of [QRText], as one numeric segment of 3⅓ bits each, what is
// before as bytes.
func segmentsOf(text string) []coding.Encoding {
	prefix := strings.TrimRight(text, "0123456789")
	digits := text[len(prefix):]
	switch {
	case len(digits) < 8: // a segment of its own costs more than it saves
		return []coding.Encoding{coding.String(text)}
	case prefix == "":
		return []coding.Encoding{coding.Num(digits)}
	}
	return []coding.Encoding{coding.String(prefix), coding.Num(digits)}
}

// symbolVersion is the smallest version at level M that holds the segments, 0
// when none up to most does.
func symbolVersion(segments []coding.Encoding, most int) int {
	for v := 1; v <= most; v++ {
		bits := 0
		for _, s := range segments {
			bits += s.Bits(coding.Version(v))
		}
		if bits <= coding.Version(v).DataBytes(coding.M)*8 {
			return v
		}
	}
	return 0
}

// masked is how a version looks before any data: the plan of mask 0, and for each
// mask the modules in which it differs from mask 0.
type masked struct {
	plan *coding.Plan
	diff [8][]byte
}

// plans are made once, each when its version is first needed.
var plans = func() (out [MaxVersion + 1]func() (*masked, error)) {
	for v := range out {
		out[v] = sync.OnceValues(func() (*masked, error) { return planOf(coding.Version(v)) })
	}
	return out
}()

func planOf(v coding.Version) (*masked, error) {
	var out masked
	for mask := range coding.Mask(8) {
		p, err := coding.NewPlan(v, coding.M, mask)
		if err != nil {
			return nil, err
		}
		if mask == 0 {
			out.plan = p
		}
		for y, row := range p.Pixel {
			for x, pixel := range row {
				out.diff[mask] = append(out.diff[mask], byte((pixel^out.plan.Pixel[y][x])&coding.Black))
			}
		}
	}
	return &out, nil
}

// newSymbol encodes segments in a version that holds them, with the mask of the
// least penalty (ISO/IEC 18004, 7.8.3).
func newSymbol(segments []coding.Encoding, version int) (*symbol, error) {
	m, err := plans[version]()
	if err != nil {
		return nil, err
	}
	code, err := m.plan.Encode(segments...)
	if err != nil {
		return nil, err
	}
	n := code.Size
	plain := make([]byte, n*n)
	for y := range n {
		for x := range n {
			if code.Black(x, y) {
				plain[y*n+x] = 1
			}
		}
	}
	out, least := &symbol{version: version, side: n, dark: make([]byte, n*n)}, -1
	trial := make([]byte, n*n)
	for _, diff := range m.diff {
		for i, d := range diff {
			trial[i] = plain[i] ^ d
		}
		if p := penalty(trial, n); least < 0 || p < least {
			least = p
			copy(out.dark, trial)
		}
	}
	return out, nil
}

// penalty counts what makes a code hard to read: long runs, blocks, what looks
// like a finder, and too much of one colour.
func penalty(dark []byte, n int) (total int) {
	count := 0
	for i := range n {
		total += linePenalty(dark[i*n:], n, 1) + linePenalty(dark[i:], n, n)
		for x := range n {
			count += int(dark[i*n+x])
			if i > 0 && x > 0 {
				if sum := dark[i*n+x] + dark[i*n+x-1] + dark[(i-1)*n+x] + dark[(i-1)*n+x-1]; sum == 0 || sum == 4 {
					total += 3
				}
			}
		}
	}
	percent := count * 100 / (n * n)
	return total + max(percent-50, 50-percent)/5*10
}

func linePenalty(line []byte, n, step int) (total int) {
	const finder, mirrored = 0b10111010000, 0b00001011101
	run, last, window := 0, byte(2), 0
	for i := range n {
		d := line[i*step]
		if d == last {
			if run++; run == 5 {
				total += 3
			} else if run > 5 {
				total++
			}
		} else {
			run, last = 1, d
		}
		window = (window<<1 | int(d)) & 0x7FF
		if i >= 10 && (window == finder || window == mirrored) {
			total += 40
		}
	}
	return total
}
