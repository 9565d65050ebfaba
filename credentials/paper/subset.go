package paper

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// A subset is one font as one document uses it: characters get numbers (CIDs) in
// the order of their first use, so that pages can be written while later
// characters are not known yet, and the font follows at the end with just these
// glyphs, the first as 1 and so on. Two characters with one glyph (兀 and its
// compatibility form) get two numbers, so that each copies out as itself.
type subset struct {
	font  *Font
	runes []rune // of CID 1, 2, …
	cids  map[rune]uint16
}

func newSubset(f *Font) *subset { return &subset{font: f, cids: map[rune]uint16{}} }

// cid is the number of a character that the font has. A document has room for
// 65,534 different ones; Chinese names and words stay far below.
func (s *subset) cid(r rune) uint16 {
	if c, ok := s.cids[r]; ok {
		return c
	}
	s.runes = append(s.runes, r)
	c := uint16(len(s.runes))
	s.cids[r] = c
	return c
}

// tag is the six letters before the name of a subset, PDF 32000-1 9.6.4. It
// follows from the characters, so that equal input gives equal bytes.
func (s *subset) tag() string {
	h := fnv.New64a()
	for _, r := range s.runes {
		_ = binary.Write(h, binary.BigEndian, r)
	}
	n := h.Sum64()
	var out [6]byte
	for i := range out {
		out[i] = 'A' + byte(n%26)
		n /= 26
	}
	return string(out[:])
}

// file is the font file with the glyphs of the subset and their parts.
func (s *subset) file() []byte {
	f := s.font
	gids := []int{0} // .notdef first
	for _, r := range s.runes {
		gids = append(gids, f.glyph(r))
	}
	place := map[int]int{} // old to new, for parts alone
	var glyf []byte
	loca := []uint32{0}
	for i := 0; i < len(gids); i++ {
		outline := slices.Clone(f.outline(gids[i]))
		// checkComponents has been through all of them: no error is possible.
		_ = components(outline, func(at, part int) error {
			to, ok := place[part]
			if !ok {
				to = len(gids)
				gids, place[part] = append(gids, part), to
			}
			binary.BigEndian.PutUint16(outline[at:], uint16(to))
			return nil
		})
		glyf = append(glyf, outline...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		loca = append(loca, uint32(len(glyf)))
	}
	return s.assemble(gids, glyf, loca)
}

func (s *subset) assemble(gids []int, glyf []byte, loca []uint32) []byte {
	f, be := s.font, binary.BigEndian
	var hmtx, offsets []byte
	for _, gid := range gids {
		hmtx = be.AppendUint16(hmtx, uint16(u16(f.hmtx, 4*min(gid, f.metrics-1))))
		hmtx = be.AppendUint16(hmtx, uint16(f.bearing(gid)))
	}
	for _, at := range loca {
		offsets = be.AppendUint32(offsets, at)
	}
	head, hhea, maxp := slices.Clone(f.tables["head"]), slices.Clone(f.tables["hhea"]), slices.Clone(f.tables["maxp"])
	be.PutUint32(head[8:], 0) // checkSumAdjustment; set below
	be.PutUint16(head[50:], 1)
	be.PutUint16(hhea[34:], uint16(len(gids)))
	be.PutUint16(maxp[4:], uint16(len(gids)))
	tables := map[string][]byte{"head": head, "hhea": hhea, "maxp": maxp, "hmtx": hmtx, "loca": offsets, "glyf": glyf}
	for _, tag := range []string{"cvt ", "fpgm", "prep"} { // hinting
		if t := f.tables[tag]; len(t) > 0 {
			tables[tag] = t
		}
	}
	return sfntFile(tables)
}

// sfntFile puts tables together to a TrueType file.
func sfntFile(tables map[string][]byte) []byte {
	be := binary.BigEndian
	tags := make([]string, 0, len(tables))
	for tag := range tables {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	n, power := len(tags), 0
	for 2<<power <= n {
		power++
	}
	out := be.AppendUint32(nil, 0x00010000)
	for _, v := range []int{n, 16 << power, power, 16*n - 16<<power} {
		out = be.AppendUint16(out, uint16(v))
	}
	at, headAt := 12+16*n, 0
	for _, tag := range tags {
		t := tables[tag]
		if tag == "head" {
			headAt = at
		}
		out = append(out, tag...)
		out = be.AppendUint32(out, checksum(t))
		out = be.AppendUint32(out, uint32(at))
		out = be.AppendUint32(out, uint32(len(t)))
		at += (len(t) + 3) &^ 3
	}
	for _, tag := range tags {
		out = append(out, tables[tag]...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	if headAt > 0 {
		be.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	}
	return out
}

func checksum(b []byte) (sum uint32) {
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	if len(b) > 0 {
		var last [4]byte
		copy(last[:], b)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}

// widths writes the W array of the CIDFont, PDF 32000-1 9.7.4.3.
func (s *subset) widths(w io.Writer) {
	fmt.Fprint(w, "[1 [")
	for i, r := range s.runes {
		if i > 0 {
			fmt.Fprint(w, " ")
		}
		fmt.Fprint(w, s.font.advance(s.font.glyph(r)))
	}
	fmt.Fprint(w, "]]")
}

// toUnicode is the CMap by which text is copied and searched, PDF 32000-1
// 9.10.3: UTF-16, so characters beyond the BMP are two units.
func (s *subset) toUnicode() []byte {
	var out []byte
	out = append(out, "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"...)
	for from := 0; from < len(s.runes); from += 100 { // at most 100 a block
		block := s.runes[from:min(from+100, len(s.runes))]
		out = fmt.Appendf(out, "%d beginbfchar\n", len(block))
		for i, r := range block {
			out = fmt.Appendf(out, "<%04X> <", from+i+1)
			out = append(utf16Hex(out, string(r)), ">\n"...)
		}
		out = append(out, "endbfchar\n"...)
	}
	return append(out, "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"...)
}
