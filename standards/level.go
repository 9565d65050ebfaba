package standards

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Level is one of the eight steps of the 新八级 sequence (人社部发〔2022〕14号).
// A higher level is larger, so levels compare with <. The zero Level is none.
// Its text form, in JSON too, is [Level.Code]; none is the empty text.
type Level uint8

// The eight levels, lowest first.
const (
	Apprentice        Level = iota + 1 // 学徒工: a status at an employer, no certificate
	Junior                             // 五级/初级工
	Intermediate                       // 四级/中级工
	Senior                             // 三级/高级工
	Technician                         // 二级/技师
	SeniorTechnician                   // 一级/高级技师
	SpecialTechnician                  // 特级技师: appointed to a post, 中办发〔2022〕58号
	ChiefTechnician                    // 首席技师: appointed to a post, 中办发〔2022〕58号
)

type levelFacts struct {
	code, name, grade, english string
	digit                      byte
}

// levelTable holds names as the certificate face writes them (人社鉴发〔2021〕1号)
// and the digits of the number rule (人社鉴发〔2019〕2号).
var levelTable = [...]levelFacts{
	Apprentice:        {"apprentice", "学徒工", "", "Apprentice worker", 0},
	Junior:            {"junior", "初级工", "五级", "Junior skilled worker", '5'},
	Intermediate:      {"intermediate", "中级工", "四级", "Intermediate skilled worker", '4'},
	Senior:            {"senior", "高级工", "三级", "Senior skilled worker", '3'},
	Technician:        {"technician", "技师", "二级", "Technician", '2'},
	SeniorTechnician:  {"senior_technician", "高级技师", "一级", "Senior technician", '1'},
	SpecialTechnician: {"special_technician", "特级技师", "", "Special-grade technician", 0},
	ChiefTechnician:   {"chief_technician", "首席技师", "", "Chief technician", 0},
}

// Levels returns all eight levels, lowest first.
func Levels() []Level {
	return []Level{Apprentice, Junior, Intermediate, Senior, Technician, SeniorTechnician, SpecialTechnician, ChiefTechnician}
}

// ExaminedLevels returns 五级 to 一级, lowest first.
func ExaminedLevels() []Level {
	return []Level{Junior, Intermediate, Senior, Technician, SeniorTechnician}
}

func (l Level) facts() levelFacts {
	if l.Valid() {
		return levelTable[l]
	}
	return levelFacts{}
}

// Valid reports whether l is one of the eight levels.
func (l Level) Valid() bool { return l >= Apprentice && l <= ChiefTechnician }

// Examined reports whether l is reached by examination and has an ordinary
// certificate: 五级 to 一级.
func (l Level) Examined() bool { return l >= Junior && l <= SeniorTechnician }

// Appointed reports whether l is a post given by an employer (评聘): 特级技师, 首席技师.
func (l Level) Appointed() bool { return l == SpecialTechnician || l == ChiefTechnician }

// Digit returns the level's digit in the 22-character certificate number, '5'
// for 五级 to '1' for 一级. It is false for levels that are not examined.
func (l Level) Digit() (byte, bool) {
	d := l.facts().digit
	return d, d != 0
}

// LevelOfDigit is the inverse of [Level.Digit].
func LevelOfDigit(d byte) (Level, bool) {
	for _, l := range ExaminedLevels() {
		if levelTable[l].digit == d {
			return l, true
		}
	}
	return 0, false
}

// Name returns the Chinese name: 高级工.
func (l Level) Name() string { return l.facts().name }

// Grade returns the grade: 三级; it is empty for levels without one.
func (l Level) Grade() string { return l.facts().grade }

// Certificate returns the level as the certificate writes it: 三级/高级工
// (人社鉴发〔2021〕1号); for levels without a grade it is the name.
func (l Level) Certificate() string {
	f := l.facts()
	if f.grade == "" {
		return f.name
	}
	return f.grade + "/" + f.name
}

// English returns the English name, for instance "Senior skilled worker".
func (l Level) English() string { return l.facts().english }

// Code returns the machine form used in JSON, for instance "senior_technician".
func (l Level) Code() string { return l.facts().code }

// String returns the code, or "none".
func (l Level) String() string {
	if !l.Valid() {
		return "none"
	}
	return l.Code()
}

// MarshalText returns the code; the zero Level is empty.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.Code()), nil }

// UnmarshalText accepts exactly what MarshalText gives. Words that people write
// are for [ParseLevel].
func (l *Level) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*l = 0
		return nil
	}
	for _, v := range Levels() {
		if v.Code() == string(b) {
			*l = v
			return nil
		}
	}
	return fail.New(fail.Invalid, "level_unknown", "the level must be one of %s", strings.Join(levelCodes(), ", ")).
		In("等级应为 %s 之一", strings.Join(levelCodes(), "、"))
}

func levelCodes() []string {
	var out []string
	for _, l := range Levels() {
		out = append(out, l.Code())
	}
	return out
}

// levelWords are the words of which a written level is composed, longest first.
// Words with level 0 say nothing about the level.
var levelWords = func() []levelWord {
	words := []levelWord{
		{text: "国家职业资格"}, {text: "职业技能等级"}, {text: "技术等级"}, {text: "职业资格"}, {text: "职业技能"}, {text: "技能等级"}, {text: "等级"}, {text: "level"},
		{text: "学徒", level: Apprentice}, {text: "特级", level: SpecialTechnician}, {text: "首席", level: ChiefTechnician},
	}
	for _, l := range Levels() {
		f := levelTable[l]
		for _, text := range []string{f.code, strings.ReplaceAll(f.code, "_", ""), f.name, squeeze(strings.ToLower(f.english))} {
			words = append(words, levelWord{text: text, level: l})
		}
	}
	for _, g := range []struct {
		forms string
		l     Level
	}{
		{"5 五 伍 v", Junior}, {"4 四 肆 iv", Intermediate}, {"3 三 叁 iii", Senior}, {"2 二 贰 ii", Technician}, {"1 一 壹 i", SeniorTechnician},
	} {
		for _, form := range strings.Fields(g.forms) {
			words = append(words, levelWord{form, g.l, true}, levelWord{form + "级", g.l, true})
		}
	}
	for _, p := range []struct {
		word string
		l    Level
	}{{"初级", Junior}, {"中级", Intermediate}, {"高级", Senior}} {
		for _, tail := range []string{"", "技能", "技工"} {
			words = append(words, levelWord{text: p.word + tail, level: p.l})
		}
	}
	sort.SliceStable(words, func(i, j int) bool { return len(words[i].text) > len(words[j].text) })
	return words
}()

type levelWord struct {
	text  string
	level Level
	grade bool // 三级, 3, Ⅲ; else a name
}

var traditional = strings.NewReplacer("級", "级", "學", "学", "師", "师", "資", "资", "職", "职", "業", "业", "國", "国", "術", "术", "參", "叁", "叄", "叁", "貳", "贰", "壹", "壹")

// squeeze removes all white space and invisible characters.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// ParseLevel reads a level as people and files write it: 三级, 高级工, 三级/高级工,
// 高级工(三级), 高級工（三級）, 国家职业资格三级, 3, Ⅲ级, senior. When it is written
// twice both must agree. Error codes: level_missing, level_unknown, level_conflict.
func ParseLevel(s string) (Level, error) {
	t := traditional.Replace(strings.ToLower(squeeze(norm.NFKC.String(s))))
	if t == "" {
		return 0, fail.New(fail.Invalid, "level_missing", "the level is missing; write for instance 三级/高级工").
			In("未填写等级，应如“三级/高级工”")
	}
	if len(t) > 100 {
		return 0, levelUnknown()
	}
	var found Level
	seen := map[bool]bool{} // a grade and a name may each stand once: 33 is no level
rest:
	for t != "" {
		if r := []rune(t)[0]; strings.ContainsRune("/\\()[]、,，-—·:|", r) {
			t = t[len(string(r)):]
			continue
		}
		for _, w := range levelWords {
			if !strings.HasPrefix(t, w.text) {
				continue
			}
			t = t[len(w.text):]
			if w.level != 0 && found != 0 && w.level != found {
				return 0, fail.New(fail.Invalid, "level_conflict", "the level names both %s and %s; write one, for instance %s", found.Certificate(), w.level.Certificate(), found.Certificate()).
					In("等级前后不一致：既写了%s又写了%s，应如“%s”", found.Certificate(), w.level.Certificate(), found.Certificate())
			}
			if w.level != 0 {
				if seen[w.grade] {
					return 0, levelUnknown()
				}
				found, seen[w.grade] = w.level, true
			}
			continue rest
		}
		return 0, levelUnknown()
	}
	if found == 0 {
		return 0, levelUnknown()
	}
	return found, nil
}

func levelUnknown() error {
	return fail.New(fail.Invalid, "level_unknown", "the level is not known; write 五级/初级工, 四级/中级工, 三级/高级工, 二级/技师 or 一级/高级技师").
		In("等级无法识别，应为 五级/初级工、四级/中级工、三级/高级工、二级/技师、一级/高级技师 之一")
}

// LevelSet is a set of levels. In JSON it is a list of codes, lowest first.
type LevelSet uint16

// LevelsOf returns the set of the levels given; none (0) is left out.
func LevelsOf(levels ...Level) LevelSet {
	var s LevelSet
	for _, l := range levels {
		if l.Valid() {
			s |= 1 << l
		}
	}
	return s
}

// LevelRange returns the set of all levels from low to high, both included.
func LevelRange(low, high Level) LevelSet {
	var s LevelSet
	for l := low; l <= high; l++ {
		s |= LevelsOf(l)
	}
	return s
}

// Has reports whether l is in s.
func (s LevelSet) Has(l Level) bool { return l.Valid() && s&(1<<l) != 0 }

// Contains reports whether every level of t is in s.
func (s LevelSet) Contains(t LevelSet) bool { return t&^s == 0 }

// Levels returns the levels of s, lowest first.
func (s LevelSet) Levels() []Level {
	var out []Level
	for _, l := range Levels() {
		if s.Has(l) {
			out = append(out, l)
		}
	}
	return out
}

// String returns the codes with commas.
func (s LevelSet) String() string { return s.join(Level.Code, ",") }

// Chinese returns the certificate names: 五级/初级工、四级/中级工.
func (s LevelSet) Chinese() string { return s.join(Level.Certificate, "、") }

func (s LevelSet) join(f func(Level) string, sep string) string {
	var out []string
	for _, l := range s.Levels() {
		out = append(out, f(l))
	}
	return strings.Join(out, sep)
}

// MarshalJSON writes the list of codes, lowest first; an empty set is [].
func (s LevelSet) MarshalJSON() ([]byte, error) {
	levels := s.Levels()
	if levels == nil {
		levels = []Level{}
	}
	return json.Marshal(levels)
}

// UnmarshalJSON reads a list of codes in any order.
func (s *LevelSet) UnmarshalJSON(b []byte) error {
	var levels []Level
	if err := json.Unmarshal(b, &levels); err != nil {
		return err
	}
	*s = LevelsOf(levels...)
	return nil
}
