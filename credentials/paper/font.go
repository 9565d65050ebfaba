package paper

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"

	"bajigong/internal/fail"
)

// MaxFontBytes bounds a font file; the largest Chinese fonts in use have 40 MB.
const MaxFontBytes = 64 << 20

// A Font is one TrueType font that was found sound when it was opened. It does
// not change and may be used by several goroutines.
type Font struct {
	name    string // PostScript name, or "Font" when the file has none
	family  []string
	glyphs  int
	units   int // per em
	ascent  int
	descent int
	cap     int
	bbox    [4]int
	loca    []uint32
	glyf    []byte
	hmtx    []byte
	metrics int // entries of hmtx that have an advance of their own
	tables  map[string][]byte
	cmaps   []cmap // asked one after another
	thin    bool   // fixed pitch
}

// Name is the PostScript name of the font, such as FangSong.
func (f *Font) Name() string { return f.name }

// OpenFont reads a TrueType font (.ttf) of at most [MaxFontBytes]. data is kept
// and must not be changed. Errors are fail.Invalid, each with its own code and
// what to do: font_collection (.ttc), font_cff (OpenType with CFF outlines, .otf),
// font_woff, font_type1, font_bitmap, font_damaged, font_restricted (its maker
// forbids embedding), no_font (another kind of file), font_charmap (no Unicode
// map); fail.TooLarge, font_size.
func OpenFont(data []byte) (*Font, error) {
	if len(data) > MaxFontBytes {
		return nil, fail.New(fail.TooLarge, "font_size", "the font file has more than %d MB", MaxFontBytes>>20).In("字体文件超过 %d MB", MaxFontBytes>>20)
	}
	if err := fontKind(data); err != nil {
		return nil, err
	}
	f := &Font{}
	steps := []func([]byte) error{f.readDirectory, f.readHead, f.readMetrics, f.readGlyphs, f.readCharmap, f.readLicence, f.readName}
	for _, step := range steps {
		if err := step(data); err != nil {
			return nil, err
		}
	}
	return f, nil
}

const (
	wayOutZH = "请改用单个 TrueType 字体（.ttf，如仿宋 simfang.ttf），或在 Debian 上执行 apt install fonts-lxgw-wenkai"
	wayOutEN = "use a single TrueType font (.ttf, such as simfang.ttf), or on Debian: apt install fonts-lxgw-wenkai"
)

func badFont(code, en, zh string) *fail.Error {
	return fail.New(fail.Invalid, code, "%s; %s", en, wayOutEN).In("%s；%s", zh, wayOutZH)
}

// fontKind tells TrueType by its first bytes from what else is called a font.
func fontKind(data []byte) error {
	if len(data) < 12 {
		return badFont("font_damaged", "the font file is empty or cut off", "字体文件为空或不完整")
	}
	switch tag := string(data[:4]); {
	case tag == "\x00\x01\x00\x00" || tag == "true":
		return nil
	case tag == "ttcf":
		return badFont("font_collection", "this is a collection of fonts (.ttc), of which one has to be taken out first", "这是字体集合（.ttc），须先拆分出单个字体")
	case tag == "OTTO":
		return badFont("font_cff", "this is an OpenType font with CFF outlines (.otf), which is not taken", "这是 CFF 轮廓的 OpenType 字体（.otf），不支持")
	case tag == "wOFF" || tag == "wOF2":
		return badFont("font_woff", "this is a web font (WOFF)", "这是网页字体（WOFF）")
	case tag == "typ1" || tag == "%!PS" || tag == "%!Fo" || tag[:2] == "\x80\x01":
		return badFont("font_type1", "this is a PostScript Type 1 font", "这是 PostScript Type 1 字体")
	case tag == "STAR" || tag == "\x01fcp":
		return badFont("font_bitmap", "this is a bitmap font (BDF or PCF)", "这是点阵字体（BDF、PCF）")
	}
	return badFont("no_font", "this is not a font file", "这不是字体文件")
}

func damaged(what string) error {
	return badFont("font_damaged", fmt.Sprintf("the font file is damaged (%s)", what), fmt.Sprintf("字体文件已损坏（%s）", what))
}

func u16(b []byte, at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
func i16(b []byte, at int) int { return int(int16(binary.BigEndian.Uint16(b[at:]))) }
func u32(b []byte, at int) int { return int(binary.BigEndian.Uint32(b[at:])) }

func (f *Font) readDirectory(data []byte) error {
	n := u16(data, 4)
	if len(data) < 12+16*n {
		return damaged("table directory")
	}
	f.tables = make(map[string][]byte, n)
	for i := range n {
		rec := data[12+16*i:]
		at, size := u32(rec, 8), u32(rec, 12)
		if at > len(data) || size > len(data)-at {
			return damaged("table " + printable(string(rec[:4])))
		}
		f.tables[string(rec[:4])] = data[at : at+size : at+size]
	}
	if f.tables["glyf"] == nil || f.tables["loca"] == nil {
		for _, bitmap := range []string{"CBDT", "EBDT", "sbix", "bdat"} {
			if f.tables[bitmap] != nil {
				return badFont("font_bitmap", "this font has bitmaps and no outlines", "这是点阵字体，没有轮廓")
			}
		}
		if f.tables["CFF "] != nil || f.tables["CFF2"] != nil {
			return badFont("font_cff", "this font has CFF outlines, which are not taken", "这是 CFF 轮廓的字体，不支持")
		}
	}
	for tag, least := range map[string]int{"head": 54, "hhea": 36, "maxp": 6, "hmtx": 4, "loca": 4, "glyf": 1, "cmap": 4} {
		if len(f.tables[tag]) < least {
			return damaged("table " + tag)
		}
	}
	return nil
}

func printable(tag string) string {
	b := []byte(tag)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

func (f *Font) readHead([]byte) error {
	head, maxp := f.tables["head"], f.tables["maxp"]
	f.units, f.glyphs = u16(head, 18), u16(maxp, 4)
	for i := range f.bbox {
		f.bbox[i] = i16(head, 36+2*i)
	}
	if u32(head, 12) != 0x5F0F3CF5 || f.units < 16 || f.units > 16384 || f.glyphs == 0 {
		return damaged("head")
	}
	return nil
}

func (f *Font) readMetrics([]byte) error {
	hhea := f.tables["hhea"]
	f.ascent, f.descent, f.metrics, f.hmtx = i16(hhea, 4), i16(hhea, 6), u16(hhea, 34), f.tables["hmtx"]
	if f.metrics == 0 || f.metrics > f.glyphs || len(f.hmtx) < 4*f.metrics+2*(f.glyphs-f.metrics) {
		return damaged("hmtx")
	}
	f.cap = f.ascent * 7 / 10
	if os2 := f.tables["OS/2"]; len(os2) >= 90 && u16(os2, 0) >= 2 {
		f.cap = i16(os2, 88)
	}
	if post := f.tables["post"]; len(post) >= 16 {
		f.thin = u32(post, 12) != 0
	}
	return nil
}

// readGlyphs checks every outline's place and that composed glyphs end
// somewhere, so that nothing can fail any more while a page is drawn.
func (f *Font) readGlyphs([]byte) error {
	loca, glyf := f.tables["loca"], f.tables["glyf"]
	long := u16(f.tables["head"], 50) != 0
	size := 2
	if long {
		size = 4
	}
	if len(loca) < size*(f.glyphs+1) {
		return damaged("loca")
	}
	f.glyf, f.loca = glyf, make([]uint32, f.glyphs+1)
	for i := range f.loca {
		at := 0
		if long {
			at = u32(loca, 4*i)
		} else {
			at = 2 * u16(loca, 2*i)
		}
		if at > len(glyf) || i > 0 && uint32(at) < f.loca[i-1] {
			return damaged("loca")
		}
		f.loca[i] = uint32(at)
	}
	return f.checkComponents()
}

// checkComponents follows the parts of composed glyphs. A part that is not
// there, or that has itself as a part, makes the font useless for a subset.
func (f *Font) checkComponents() error {
	depth := make([]uint8, f.glyphs) // 0 not seen, 1 being followed, above: done
	var follow func(gid, level int) error
	follow = func(gid, level int) error {
		if depth[gid] == 1 || level > 16 {
			return damaged("glyf: endless composition")
		}
		if depth[gid] > 1 {
			return nil
		}
		depth[gid] = 1
		err := components(f.outline(gid), func(_, part int) error {
			if part >= f.glyphs {
				return damaged("glyf: missing part")
			}
			return follow(part, level+1)
		})
		depth[gid] = 2
		return err
	}
	for gid := range f.glyphs {
		if err := follow(gid, 0); err != nil {
			return err
		}
	}
	return nil
}

// outline is the glyf entry of a glyph; empty for a blank.
func (f *Font) outline(gid int) []byte { return f.glyf[f.loca[gid]:f.loca[gid+1]] }

// advance is the width of a glyph in thousandths of the type size.
func (f *Font) advance(gid int) int {
	return (u16(f.hmtx, 4*min(gid, f.metrics-1))*1000 + f.units/2) / f.units
}

// bearing is the left side bearing of a glyph in font units.
func (f *Font) bearing(gid int) int {
	if gid < f.metrics {
		return i16(f.hmtx, 4*gid+2)
	}
	return i16(f.hmtx, 4*f.metrics+2*(gid-f.metrics))
}

// components calls with for every part of a composed glyph with the place of its
// index in the outline. Other glyphs have none.
func components(outline []byte, with func(at, gid int) error) error {
	if len(outline) == 0 {
		return nil
	}
	if len(outline) < 10 {
		return damaged("glyf")
	}
	if i16(outline, 0) >= 0 {
		return nil
	}
	const words, scale, more, xy, twoByTwo = 1, 8, 32, 64, 128
	for at := 10; ; {
		if len(outline) < at+4 {
			return damaged("glyf")
		}
		flags := u16(outline, at)
		if err := with(at+2, u16(outline, at+2)); err != nil {
			return err
		}
		at += 6
		if flags&words != 0 {
			at += 2
		}
		switch {
		case flags&scale != 0:
			at += 2
		case flags&xy != 0:
			at += 4
		case flags&twoByTwo != 0:
			at += 8
		}
		if flags&more == 0 {
			return nil
		}
	}
}

// cmap is one table from characters to glyphs.
type cmap struct {
	format int
	data   []byte
}

func (f *Font) readCharmap([]byte) error {
	table := f.tables["cmap"]
	n := u16(table, 2)
	if len(table) < 4+8*n {
		return damaged("cmap")
	}
	// 12 has all of Unicode, 4 the BMP alone.
	for _, format := range []int{12, 4} {
		for i := range n {
			rec := table[4+8*i:]
			platform, encoding, at := u16(rec, 0), u16(rec, 2), u32(rec, 4)
			unicode := platform == 0 && encoding != 5 || platform == 3 && (encoding == 1 || encoding == 10)
			if !unicode || at > len(table)-2 || u16(table, at) != format {
				continue
			}
			one, ok := openCmap(format, table[at:])
			if !ok {
				return damaged("cmap")
			}
			f.cmaps = append(f.cmaps, one)
			break
		}
	}
	if len(f.cmaps) == 0 {
		return badFont("font_charmap", "the font has no Unicode character map, as symbol fonts do", "该字体没有 Unicode 字符映射（符号字体）")
	}
	return nil
}

func openCmap(format int, b []byte) (cmap, bool) {
	if format == 12 {
		if len(b) < 16 {
			return cmap{}, false
		}
		groups := u32(b, 12)
		if groups > (len(b)-16)/12 {
			return cmap{}, false
		}
		return cmap{12, b[16 : 16+12*groups]}, true
	}
	if len(b) < 16 {
		return cmap{}, false
	}
	// The length of the table is not relied on: it overflows in large fonts.
	segments := u16(b, 6) / 2
	return cmap{4, b}, segments > 0 && len(b) >= 16+8*segments
}

// glyph returns the glyph of a character, 0 when the font has none.
func (f *Font) glyph(r rune) int {
	for _, c := range f.cmaps {
		if gid := c.glyph(int(r)); gid > 0 && gid < f.glyphs {
			return gid
		}
	}
	return 0
}

func (c cmap) glyph(r int) int {
	if c.format == 12 {
		lo, hi := 0, len(c.data)/12
		for lo < hi {
			mid := (lo + hi) / 2
			g := c.data[12*mid:]
			switch {
			case r < u32(g, 0):
				hi = mid
			case r > u32(g, 4):
				lo = mid + 1
			default:
				return u32(g, 8) + r - u32(g, 0)
			}
		}
		return 0
	}
	if r > 0xFFFF {
		return 0
	}
	n := u16(c.data, 6) / 2
	ends, starts, deltas, offsets := 14, 16+2*n, 16+4*n, 16+6*n
	lo, hi := 0, n
	for lo < hi {
		if mid := (lo + hi) / 2; u16(c.data, ends+2*mid) < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == n || u16(c.data, starts+2*lo) > r {
		return 0
	}
	delta, offset := u16(c.data, deltas+2*lo), u16(c.data, offsets+2*lo)
	if offset == 0 {
		return (r + delta) & 0xFFFF
	}
	at := offsets + 2*lo + offset + 2*(r-u16(c.data, starts+2*lo))
	if at+2 > len(c.data) {
		return 0
	}
	if gid := u16(c.data, at); gid != 0 {
		return (gid + delta) & 0xFFFF
	}
	return 0
}

// readLicence keeps to what the maker of the font set down in OS/2 fsType: a
// font with restricted licence, or one that must not be cut to a subset or be
// embedded but as bitmaps, cannot go into a file.
func (f *Font) readLicence([]byte) error {
	os2 := f.tables["OS/2"]
	if len(os2) < 10 {
		return nil
	}
	if t := u16(os2, 8); t&0xF == 2 || t&0x300 != 0 {
		return badFont("font_restricted", "the maker of this font does not allow it to be embedded in files (OS/2 fsType)", "该字体的授权设置不允许嵌入文件（OS/2 fsType）")
	}
	return nil
}

// readName takes the PostScript name and the family names in all languages. A
// font without names still serves.
func (f *Font) readName([]byte) error {
	f.name = "Font"
	table := f.tables["name"]
	if len(table) < 6 {
		return nil
	}
	n, texts := u16(table, 2), u16(table, 4)
	for i := range n {
		if len(table) < 6+12*(i+1) {
			return nil
		}
		rec := table[6+12*i:]
		at, size, id := texts+u16(rec, 10), u16(rec, 8), u16(rec, 6)
		if at+size > len(table) || id != 1 && id != 6 {
			continue
		}
		text := nameText(u16(rec, 0), table[at:at+size])
		if id == 6 && f.name == "Font" {
			f.name = postScriptName(text)
		} else if id == 1 && !slices.Contains(f.family, text) && text != "" {
			f.family = append(f.family, text)
		}
	}
	return nil
}

func nameText(platform int, b []byte) string {
	if platform == 1 {
		return printable(string(b))
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

// postScriptName keeps what may stand in a PDF name without escapes.
func postScriptName(s string) string {
	var out []byte
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' {
			out = append(out, c)
		}
	}
	if len(out) == 0 || len(out) > 60 {
		return "Font"
	}
	return string(out)
}
