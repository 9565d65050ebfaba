package paper

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
)

// Fonts is a chain of fonts: a character is drawn with the first that has it.
type Fonts struct {
	chain []*Font
}

// NewFonts makes the chain. Error: fail.Invalid, no_font, when there is none.
func NewFonts(chain ...*Font) (Fonts, error) {
	if len(chain) == 0 || slices.Contains(chain, nil) {
		return Fonts{}, fail.New(fail.Invalid, "no_font", "no font was found to print with; name a TrueType file in the configuration (fonts), or on Debian: apt install fonts-lxgw-wenkai; or print from the browser, which needs none").
			In("未找到可用于打印的字体；请在配置 fonts 中指定 TrueType 字体文件，或在 Debian 上执行 apt install fonts-lxgw-wenkai；也可使用浏览器打印页，无需字体文件")
	}
	return Fonts{chain: slices.Clone(chain)}, nil
}

// Names are the PostScript names of the fonts, in the order of the chain.
func (f Fonts) Names() (out []string) {
	for _, one := range f.chain {
		out = append(out, one.name)
	}
	return out
}

// pick is the font of a character and its glyph; the place is -1 when none has it.
func (f Fonts) pick(r rune) (place, gid int) {
	for i, one := range f.chain {
		if gid := one.glyph(r); gid > 0 {
			return i, gid
		}
	}
	return -1, 0
}

// joining are scripts whose letters change with their neighbours or are written
// from right to left. Drawn one after another they would be wrong, so they count
// as missing even with a font that has them; a browser sets them right.
var joining = []*unicode.RangeTable{unicode.Arabic, unicode.Hebrew, unicode.Tibetan, unicode.Mongolian, unicode.Devanagari, unicode.Bengali,
	unicode.Tamil, unicode.Telugu, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.New_Tai_Lue, unicode.Tai_Le, unicode.Mn, unicode.Variation_Selector}

// Missing returns the characters of text that no font of the chain has, each
// once, in the order of their first use, and those that cannot be set without
// joining letters (Arabic, Tibetan, Mongolian …). Line ends do not count.
func (f Fonts) Missing(text string) (out []rune) {
	for _, r := range text {
		if r == '\n' || r == '\r' || slices.Contains(out, r) {
			continue
		}
		if place, _ := f.pick(r); place < 0 || unicode.In(r, joining...) {
			out = append(out, r)
		}
	}
	return out
}

// missingGlyph is what is said of one text. It names the characters, which are
// needed to find a font, and never the text they stand in.
func missingGlyph(name string, row int, missing []rune) fail.Field {
	var list []string
	for _, r := range missing {
		if unicode.IsPrint(r) {
			list = append(list, fmt.Sprintf("%U %c", r, r))
		} else {
			list = append(list, fmt.Sprintf("%U", r))
		}
	}
	all := strings.Join(list, ", ")
	return fail.Field{Name: name, Row: row, Code: "glyph_missing", ZH: "字体中没有字符 " + all, EN: "the fonts have no " + all}
}

func glyphsMissing(who string, bad []fail.Field) error {
	return fail.New(fail.Invalid, "glyph_missing", "%s has characters that the fonts do not have: %s. Add a font that has them (fonts in the configuration; 天珩全字库, 花园明朝 or 全宋体 cover the extensions B to H), or print from the browser", who, join(bad, func(f fail.Field) string { return f.EN })).
		In("%s有字体中没有的字符：%s。请在配置 fonts 中追加含有该字的字体（如天珩全字库、花园明朝、全宋体，覆盖 CJK 扩展 B 至 H 区），或使用浏览器打印页", who, join(bad, func(f fail.Field) string { return f.ZH })).At(bad...)
}

func join(bad []fail.Field, say func(fail.Field) string) string {
	var out []string
	for _, one := range bad {
		if text := one.Name + ": " + say(one); !slices.Contains(out, text) && len(out) < 5 {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// Found is a font file that was found on the machine.
type Found struct {
	Path string // within the file system that was searched
	Font *Font
	// Warning says why it is not what the notice asks for; nil for 仿宋.
	Warning *rulefile.Text
}

// fangSong are the names by which files of 仿宋 go, in lower case.
var fangSong = []string{"simfang", "fangsong", "仿宋", "fzfs", "stfangso", "fandolfang"}

// others are fonts known to have the characters of names, the best first. Kai is
// nearest to 仿宋 among what Debian has.
var others = []string{"lxgwwenkai-regular", "lxgwwenkaigb-regular", "simkai", "kaiti", "notoserif", "simsun", "uming", "ukai", "droidsansfallback"}

// CheckFangSong answers the warning for a font that is not 仿宋, nil for one that is:
// 人社鉴发〔2021〕1号 asks for 仿宋小四.
func CheckFangSong(f *Font) *rulefile.Text {
	for _, name := range append([]string{f.name}, f.family...) {
		name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
		if slices.ContainsFunc(fangSong, func(n string) bool { return strings.Contains(name, n) }) {
			return nil
		}
	}
	return &rulefile.Text{ZH: fmt.Sprintf("字体 %s 不是仿宋；人社鉴发〔2021〕1号要求证书使用仿宋小四，请在配置 fonts 中指定仿宋字体文件", f.name),
		EN: fmt.Sprintf("the font %s is not 仿宋 FangSong, which 人社鉴发〔2021〕1号 asks for (12 pt); name a file of 仿宋 in the configuration (fonts)", f.name)}
}

// FindFonts looks in folders of a file system (such as usr/share/fonts below
// os.DirFS("/")) for fonts to print with and returns a chain: 仿宋 first, then
// others known to have Chinese, one file of each. Files that cannot be opened
// and folders that are not there are passed over. At most [MaxFilesSearched]
// entries are looked at. A machine without any answers an empty chain.
func FindFonts(files fs.FS, folders ...string) []Found {
	best := map[int]string{}
	seen := 0
	for _, folder := range folders {
		_ = fs.WalkDir(files, folder, func(name string, d fs.DirEntry, err error) error {
			if seen++; seen > MaxFilesSearched {
				return fs.SkipAll
			}
			if err != nil || d.IsDir() || !strings.EqualFold(path.Ext(name), ".ttf") {
				return nil // a folder that cannot be read holds up no other
			}
			if rank := rankOf(path.Base(name)); rank >= 0 && (best[rank] == "" || name < best[rank]) {
				best[rank] = name
			}
			return nil
		})
	}
	var out []Found
	for rank := range len(fangSong) + len(others) {
		if best[rank] == "" {
			continue
		}
		data, err := fs.ReadFile(files, best[rank])
		if err != nil {
			continue
		}
		f, err := OpenFont(data)
		if err != nil || f.glyph('证') == 0 {
			continue
		}
		out = append(out, Found{Path: best[rank], Font: f, Warning: CheckFangSong(f)})
	}
	return out
}

// MaxFilesSearched bounds the search of [FindFonts].
const MaxFilesSearched = 20_000

// rankOf is the place of a file's name among the known ones, -1 for others.
func rankOf(name string) int {
	name = strings.ToLower(strings.ReplaceAll(name, " ", ""))
	for i, known := range slices.Concat(fangSong, others) {
		if strings.Contains(name, known) && !strings.Contains(name, "bold") && !strings.Contains(name, "light") {
			return i
		}
	}
	return -1
}
