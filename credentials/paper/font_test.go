package paper

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

// tinyFont makes a TrueType font with a box as the outline of every character of
// text, all but the last of which are made of parts: the box, moved. Its only
// map is format 12 when beyond is set, 4 otherwise.
func tinyFont(name, text string, beyond bool) []byte {
	be := binary.BigEndian
	box := []byte{0, 1, 0, 100, 0, 0, 3, 132, 3, 32, 0, 3, 0, 0} // 1 contour, 100 0 900 800, 4 points
	box = append(box, 1, 1, 1, 1)                                // on the curve, words
	for _, v := range []int16{100, 0, 800, 0, 0, 800, 0, -800} { // x, then y as differences
		box = be.AppendUint16(box, uint16(v))
	}
	composed := []byte{0xFF, 0xFF, 0, 100, 0, 0, 3, 132, 3, 32, 0, 0x03, 0, 1, 0, 10, 0, 20}
	rs := []rune(text)
	slices.Sort(rs) // as a map has them
	outlines := [][]byte{{}, box}
	for range rs[1:] {
		outlines = append(outlines, composed)
	}
	var glyf, hmtx, loca []byte
	for _, o := range outlines {
		loca = be.AppendUint32(loca, uint32(len(glyf)))
		glyf = append(glyf, o...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		hmtx = append(be.AppendUint16(hmtx, 1000), 0, 100)
	}
	loca = be.AppendUint32(loca, uint32(len(glyf)))
	head := make([]byte, 54)
	be.PutUint32(head, 0x00010000)
	be.PutUint32(head[12:], 0x5F0F3CF5)
	be.PutUint16(head[18:], 1000)
	be.PutUint16(head[40:], 1000)
	be.PutUint16(head[42:], 880)
	be.PutUint16(head[50:], 1)
	hhea := make([]byte, 36)
	be.PutUint32(hhea, 0x00010000)
	be.PutUint16(hhea[4:], 880)
	be.PutUint16(hhea[34:], uint16(len(outlines)))
	maxp := make([]byte, 32)
	be.PutUint32(maxp, 0x00010000)
	be.PutUint16(maxp[4:], uint16(len(outlines)))
	be.PutUint16(maxp[6:], 4)
	be.PutUint16(maxp[8:], 1)
	be.PutUint16(maxp[28:], 1)
	be.PutUint16(maxp[30:], 1)
	tables := map[string][]byte{"head": head, "hhea": hhea, "maxp": maxp, "hmtx": hmtx, "loca": loca, "glyf": glyf, "cmap": tinyMap(rs, beyond), "name": tinyName(name)}
	return sfntFile(tables)
}

// tinyMap gives the characters, which must be in order, glyphs 1, 2, …
func tinyMap(rs []rune, beyond bool) []byte {
	be := binary.BigEndian
	out := []byte{0, 0, 0, 1, 0, 3, 0, 10, 0, 0, 0, 12}
	if beyond {
		out = append(out, 0, 12, 0, 0)
		out = be.AppendUint32(out, uint32(16+12*len(rs)))
		out = be.AppendUint32(append(out, 0, 0, 0, 0), uint32(len(rs)))
		for i, r := range rs {
			for _, v := range []int{int(r), int(r), i + 1} {
				out = be.AppendUint32(out, uint32(v))
			}
		}
		return out
	}
	n := len(rs) + 1
	out[7] = 1
	for _, v := range []int{4, 16 + 8*n, 0, 2 * n, 0, 0, 0} {
		out = be.AppendUint16(out, uint16(v))
	}
	each := func(of func(i int, r rune) int, last int) {
		for i, r := range rs {
			out = be.AppendUint16(out, uint16(of(i, r)))
		}
		out = be.AppendUint16(out, uint16(last))
	}
	same := func(_ int, r rune) int { return int(r) }
	each(same, 0xFFFF)
	out = append(out, 0, 0)
	each(same, 0xFFFF)
	each(func(i int, r rune) int { return i + 1 - int(r) }, 1)
	each(func(int, rune) int { return 0 }, 0)
	return out
}

func tinyName(name string) []byte {
	out := []byte{0, 0, 0, 1, 0, 18, 0, 3, 0, 1, 4, 9, 0, 6, 0, byte(2 * len(name)), 0, 0}
	for _, c := range []byte(name) {
		out = append(out, 0, c)
	}
	return out
}

func mustOpen(t testing.TB, data []byte) *Font {
	t.Helper()
	f, err := OpenFont(data)
	must(t, err)
	return f
}

// A chain of two fonts: the second has the characters beyond the BMP. They are
// drawn and copied out, with no font of the machine.
func TestRareCharactersFromAFurtherFont(t *testing.T) {
	first := mustOpen(t, tinyFont("First", "欧阳", false))
	rare := mustOpen(t, tinyFont("Rare", "𠮷𬭎", true))
	fonts, err := NewFonts(first, rare)
	must(t, err)
	if got := fonts.Missing("欧阳𬭎𠮷\U000323AF"); !slices.Equal(got, []rune{0x323AF}) {
		t.Errorf("missing %U", got)
	}
	var b bytes.Buffer
	d := newDocument(&b, fonts, "x", false)
	p := d.page(a4Width, a4Height)
	p.text(30, 50, 24, "欧𬭎阳𠮷")
	p.end()
	must(t, d.close())
	path := save(t, "rare.pdf", b.Bytes())
	if text := strings.TrimSpace(run(t, "pdftotext", path, "-")); text != "欧𬭎阳𠮷" {
		t.Errorf("copied out as %q", text)
	}
	if list := run(t, "pdffonts", path); strings.Count(list, "yes yes yes") != 2 {
		t.Errorf("%s", list)
	}
	// Each glyph is a box of 0.8 × 0.8 em: ink in the middle of four places.
	stem := strings.TrimSuffix(path, ".pdf")
	run(t, "pdftoppm", "-r", "72", "-gray", "-singlefile", path, stem)
	const side = 596 // poppler rounds up
	pgm, err := os.ReadFile(stem + ".pgm")
	must(t, err)
	pixels := pgm[len(pgm)-side*842:]
	for i := range 4 {
		x, y := 85+12+24*i, 142-9 // 30 and 50 mm in points
		if pixels[y*side+x] > 100 {
			t.Errorf("character %d is a hole", i+1)
		}
	}
}

// A page of ours is drawn with the parts of composed glyphs and nothing else of
// the font.
func TestSubsetHasThePartsAndNothingElse(t *testing.T) {
	f := mustOpen(t, tinyFont("Parts", "一二三四五六", false))
	s := newSubset(f)
	for _, r := range "五三五" {
		s.cid(r)
	}
	if s.cid('三') != 2 || len(s.runes) != 2 {
		t.Errorf("cids %v", s.cids)
	}
	tables := map[string][]byte{}
	data := s.file()
	for i := range u16(data, 4) {
		rec := data[12+16*i:]
		tables[string(rec[:4])] = data[u32(rec, 8) : u32(rec, 8)+u32(rec, 12)]
	}
	// .notdef, two characters, one part.
	if n := u16(tables["maxp"], 4); n != 4 || len(tables["loca"]) != 4*5 || len(tables["hmtx"]) != 4*4 || tables["cmap"] != nil {
		t.Errorf("%d glyphs", n)
	}
	whole := checksum(data)
	if whole != 0xB1B0AFBA {
		t.Errorf("check sum %x", whole)
	}
	if a, b := s.tag(), newSubset(f).tag(); a == b || len(a) != 6 {
		t.Errorf("tags %s, %s", a, b)
	}
}

// Two characters with one glyph copy out each as itself.
func TestOneGlyphOfTwoCharacters(t *testing.T) {
	data := tinyFont("Twins", "一", true)
	f := mustOpen(t, data)
	twin := *f
	twin.cmaps = []cmap{{12, slices.Concat(group(0x2F00, 1), group(0x4E00, 1))}}
	fonts, err := NewFonts(&twin)
	must(t, err)
	var b bytes.Buffer
	d := newDocument(&b, fonts, "x", false)
	p := d.page(a4Width, a4Height)
	p.text(30, 50, 24, "一⼀")
	p.end()
	must(t, d.close())
	if !bytes.Contains(d.subsets[0].toUnicode(), []byte("<0001> <4E00>\n<0002> <2F00>")) {
		t.Errorf("%s", d.subsets[0].toUnicode())
	}
}

func group(r, gid int) []byte {
	be := binary.BigEndian
	return be.AppendUint32(be.AppendUint32(be.AppendUint32(nil, uint32(r)), uint32(r)), uint32(gid))
}

func TestEachUnfitFontSaysWhatToDo(t *testing.T) {
	good := tinyFont("Good", "一二", true)
	table := func(data []byte, tag string) int {
		for i := range u16(data, 4) {
			if string(data[12+16*i:16+16*i]) == tag {
				return u32(data, 12+16*i+8)
			}
		}
		t.Fatalf("no table %s", tag)
		return 0
	}
	changed := func(tag string, at int, b ...byte) []byte {
		data := slices.Clone(good)
		copy(data[table(data, tag)+at:], b)
		return data
	}
	renamed := bytes.ReplaceAll(bytes.ReplaceAll(slices.Clone(good), []byte("glyf"), []byte("CBDT")), []byte("loca"), []byte("CBLC"))
	restricted := sfntFile(withTable(t, good, "OS/2", append(make([]byte, 8), 0, 2)))
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"nothing":              {nil, "font_damaged"},
		"a collection":         {append([]byte("ttcf"), good...), "font_collection"},
		"CFF":                  {append([]byte("OTTO"), good[4:]...), "font_cff"},
		"WOFF":                 {append([]byte("wOFF"), good...), "font_woff"},
		"WOFF2":                {append([]byte("wOF2"), good...), "font_woff"},
		"Type 1":               {append([]byte("%!PS-AdobeFont"), good...), "font_type1"},
		"a bitmap font":        {append([]byte("STARTFONT 2.1"), good...), "font_bitmap"},
		"bitmaps alone":        {renamed, "font_bitmap"},
		"a page of HTML":       {[]byte("<!doctype html><html>"), "no_font"},
		"cut off":              {good[:len(good)/2], "font_damaged"},
		"a wrong magic":        {changed("head", 12, 0), "font_damaged"},
		"outlines behind":      {changed("loca", 4, 0xFF), "font_damaged"},
		"a part of itself":     {changed("glyf", 36+12, 0, 2), "font_damaged"},
		"a part that is not":   {changed("glyf", 36+12, 9, 9), "font_damaged"},
		"no Unicode":           {changed("cmap", 4, 0, 1), "font_charmap"},
		"map too short":        {changed("cmap", 12+12, 0, 0xFF), "font_damaged"},
		"forbidden by maker":   {restricted, "font_restricted"},
		"too many metrics":     {changed("hhea", 34, 0xFF, 0xFF), "font_damaged"},
		"no characters at all": {changed("maxp", 4, 0, 0), "font_damaged"},
	} {
		_, err := OpenFont(c.data)
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		e := fail.Of(err)
		if e.Code != c.code || e.Kind != fail.Invalid || !strings.Contains(e.Text, "fonts-lxgw-wenkai") || !strings.Contains(e.ZH, "仿宋") {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if _, err := OpenFont(make([]byte, MaxFontBytes+1)); fail.CodeOf(err) != "font_size" {
		t.Errorf("a huge file: %v", err)
	}
	if _, err := NewFonts(); fail.CodeOf(err) != "no_font" || !strings.Contains(fail.Of(err).ZH, "浏览器") {
		t.Errorf("no font: %v", err)
	}
}

func withTable(t testing.TB, data []byte, tag string, table []byte) map[string][]byte {
	t.Helper()
	f := mustOpen(t, data)
	out := map[string][]byte{}
	for name, b := range f.tables {
		out[name] = b
	}
	out[tag] = table
	return out
}

// Every character of the map of an installed font is where another reader of
// fonts (FreeType, through the page that poppler draws) finds it; here only that
// both maps of the font agree on the BMP.
func TestBothMapsOfAFontAgree(t *testing.T) {
	f := chinese(t).chain[0]
	if len(f.cmaps) < 2 {
		needed.Missing(t, "a font with two maps (Debian: fonts-lxgw-wenkai)")
	}
	n := 0
	for r := 0x20; r < 0xFFFF; r++ {
		if a, b := f.cmaps[0].glyph(r), f.cmaps[1].glyph(r); a != b {
			t.Errorf("%U: glyph %d and %d", r, a, b)
		} else if a > 0 {
			n++
		}
	}
	if n < 20_000 {
		t.Errorf("only %d characters", n)
	}
}

func TestFindFontsPrefersFangSong(t *testing.T) {
	good := func(name string) *fstest.MapFile {
		return &fstest.MapFile{Data: tinyFont(name, "证", false)}
	}
	files := fstest.MapFS{
		"fonts/a/LXGWWenKai-Regular.ttf": good("LXGWWenKai-Regular"), "fonts/a/LXGWWenKai-Bold.ttf": good("LXGWWenKai-Bold"),
		"fonts/b/simfang.ttf": good("FangSong"), "fonts/b/DejaVuSans.ttf": good("DejaVuSans"), "fonts/b/simkai.ttf": {Data: []byte("broken")},
		"fonts/b/uming.ttc": {Data: []byte("ttcf")}, "fonts/b/ukai.ttf": {Data: tinyFont("Latin", "a", false)},
	}
	var got []string
	for _, f := range FindFonts(files, "nowhere", "fonts") {
		got = append(got, f.Font.Name())
		if (f.Warning == nil) != (f.Font.Name() == "FangSong") {
			t.Errorf("%s: warning %v", f.Font.Name(), f.Warning)
		}
	}
	if !slices.Equal(got, []string{"FangSong", "LXGWWenKai-Regular"}) {
		t.Errorf("found %v", got)
	}
	if found := FindFonts(fstest.MapFS{}, "fonts"); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestWrapKeepsMarksAndWordsTogether(t *testing.T) {
	fonts := chinese(t)
	for _, width := range []float64{12, 20, 33, 47} {
		text := "本证书（电工）表明，持证人Abdurahman已通过评价。编号S000032，阿卜杜·艾力"
		lines := fonts.wrap(text, 12, width, 0)
		if strings.Join(lines, "") != text {
			t.Fatalf("%v lost something: %q", width, lines)
		}
		for i, line := range lines {
			rs := []rune(line)
			if i > 0 && strings.ContainsRune(noHead, rs[0]) && width > 15 || strings.ContainsRune(noTail, rs[len(rs)-1]) {
				t.Errorf("%v: line %q", width, line)
			}
			if fonts.width(line, 12) > width+0.01 {
				t.Errorf("%v: %q is too wide", width, line)
			}
		}
	}
}

func FuzzOpenFont(f *testing.F) {
	f.Add(tinyFont("A", "一二三", true))
	f.Add(tinyFont("B", "一二三", false))
	f.Add([]byte("OTTO00000000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		font, err := OpenFont(data)
		if err != nil {
			if fail.KindOf(err) == fail.Internal {
				t.Error(err)
			}
			return
		}
		// What was opened can be printed.
		fonts, err := NewFonts(font)
		must(t, err)
		var b bytes.Buffer
		d := newDocument(&b, fonts, "x", false)
		p := d.page(a4Width, a4Height)
		text := ""
		for _, r := range "一二三a𠮷" {
			if len(fonts.Missing(string(r))) == 0 {
				text += string(r)
			}
		}
		p.text(10, 10, 12, text)
		p.end()
		must(t, d.close())
	})
}
