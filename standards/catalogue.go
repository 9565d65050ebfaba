package standards

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"bajigong/internal/fail"
)

// PartKind is a kind of examination part.
type PartKind string

// The parts of an evaluation. 综合评审 is held for 二级 and 一级 only (practice).
const (
	Theory PartKind = "theory" // 理论知识考试
	Skill  PartKind = "skill"  // 技能考核
	Review PartKind = "review" // 综合评审
)

// Part is one part of an evaluation.
type Part struct {
	Kind PartKind `json:"kind"`
	Name string   `json:"name"`
	Pass float64  `json:"pass"` // lowest passing score of 100
}

// Standard is one version of a 国家职业标准 or 评价规范.
type Standard struct {
	Occupation string           `json:"occupation"` // code; empty in the default for all occupations
	Version    string           `json:"version"`
	From       Date             `json:"from"`             // first exam date it governs
	Parts      map[Level][]Part `json:"parts"`            // per level
	Sample     []string         `json:"sample,omitempty"` // fields that no source confirms
}

// Restriction is an occupation of the 准入类: the 职业资格 is required, and a
// 等级证书 is refused.
type Restriction struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Sample bool   `json:"sample"` // not confirmed by a source that was read
}

// Catalogue holds occupations and the standards by which they are evaluated.
// It does not change once made.
type Catalogue struct {
	occupations map[string]Occupation
	standards   map[string][]Standard // by occupation code, "" the default; oldest first
	codes       []string
}

var tradeID = regexp.MustCompile(`^[0-9A-Za-z]{1,4}$`)

// NewCatalogue checks and joins occupations and standards. A standard with an
// empty occupation code is the default for all.
func NewCatalogue(occupations []Occupation, standards []Standard) (Catalogue, error) {
	c := Catalogue{occupations: map[string]Occupation{}, standards: map[string][]Standard{}}
	no := func(format string, args ...any) (Catalogue, error) {
		text := fmt.Sprintf(format, args...)
		return Catalogue{}, bad("catalogue_invalid", "职业目录数据有误："+text, "the catalogue is not sound: "+text)
	}
	for _, o := range occupations {
		if !occupationCode.MatchString(o.Code) || !plainText(o.Name, 60) {
			return no("occupation %q %q", o.Code, o.Name)
		}
		if _, twice := c.occupations[o.Code]; twice {
			return no("occupation %s twice", o.Code)
		}
		ids, names := map[string]bool{}, map[string]bool{}
		for _, t := range o.Trades {
			if !tradeID.MatchString(t.ID) || !plainText(t.Name, 60) || ids[t.ID] || names[t.Name] {
				return no("trade %q %q of %s", t.ID, t.Name, o.Code)
			}
			ids[t.ID], names[t.Name] = true, true
		}
		c.occupations[o.Code] = o
		c.codes = append(c.codes, o.Code)
	}
	slices.Sort(c.codes)
	for _, s := range standards {
		if _, ok := c.occupations[s.Occupation]; !ok && s.Occupation != "" {
			return no("standard %q of an unknown occupation %q", s.Version, s.Occupation)
		}
		if !s.From.Valid() || !plainText(s.Version, 60) {
			return no("standard %q from %q", s.Version, s.From)
		}
		for l, parts := range s.Parts {
			kinds := map[PartKind]bool{}
			for _, p := range parts {
				if !l.Examined() || !slices.Contains([]PartKind{Theory, Skill, Review}, p.Kind) || kinds[p.Kind] || !(p.Pass > 0 && p.Pass <= 100) || !plainText(p.Name, 30) {
					return no("part %q of %s in standard %q", p.Kind, l, s.Version)
				}
				kinds[p.Kind] = true
			}
		}
		c.standards[s.Occupation] = append(c.standards[s.Occupation], s)
	}
	for code, list := range c.standards {
		slices.SortFunc(list, func(a, b Standard) int { return strings.Compare(string(a.From), string(b.From)) })
		for i := 1; i < len(list); i++ {
			if list[i].From == list[i-1].From {
				return no("two standards of %q from %s", code, list[i].From)
			}
		}
	}
	return c, nil
}

// Occupation returns the occupation with a code d-dd-dd-dd.
func (c Catalogue) Occupation(code string) (Occupation, bool) {
	o, ok := c.occupations[code]
	return o, ok
}

// Occupations returns all occupations by code.
func (c Catalogue) Occupations() []Occupation {
	out := make([]Occupation, 0, len(c.codes))
	for _, code := range c.codes {
		out = append(out, c.occupations[code])
	}
	return out
}

// Find returns the occupation with a name or code as files write them. Error
// code: occupation_unknown.
func (c Catalogue) Find(s string) (Occupation, error) {
	t := classText(s)
	if code, err := ParseOccupationCode(t); err == nil {
		if o, ok := c.occupations[code]; ok {
			return o, nil
		}
	}
	for _, code := range c.codes {
		if o := c.occupations[code]; o.Name == t {
			return o, nil
		}
	}
	return Occupation{}, occupationUnknown()
}

func occupationUnknown() error {
	return bad("occupation_unknown", "职业目录中没有该职业，请核对职业名称或编码（如 电工 6-31-01-03）", "the occupation is not in the catalogue; compare its name or code (such as 电工 6-31-01-03)")
}

// Standard returns the standard by which a level of an occupation, or of the
// trade with the catalogue id (empty for none), is evaluated on a date; an empty
// date takes the newest. The error says precisely why there is none. Error codes:
// occupation_restricted, occupation_unknown, trade_unknown, level_not_examined,
// level_not_allowed, levels_unknown, standard_not_in_force.
func (c Catalogue) Standard(code, trade string, level Level, on Date) (Standard, error) {
	if r, ok := Restricted(code); ok {
		return Standard{}, fail.New(fail.Invalid, "occupation_restricted", "%s requires the vocational qualification (准入类); a skill level certificate is not issued for it", r.Name).
			In("该职业属准入类，须取得职业资格：%s不发职业技能等级证书", r.Name)
	}
	o, ok := c.occupations[code]
	if !ok {
		return Standard{}, occupationUnknown()
	}
	levels, what := o.Levels, o.Name
	if trade != "" {
		t, ok := o.Trade(trade)
		if !ok {
			_, err := o.FindTrade(trade)
			return Standard{}, err
		}
		levels, what = t.Levels, o.Name+"（"+t.Name+"）"
	}
	switch {
	case !level.Valid():
		return Standard{}, levelUnknown()
	case level.Appointed():
		return Standard{}, fail.New(fail.Invalid, "level_not_examined", "%s is a post to which an employer appoints; it is not examined", level.Certificate()).
			In("%s为技术职务（岗位），由用人单位评聘，不组织考核", level.Certificate())
	case !level.Examined():
		return Standard{}, fail.New(fail.Invalid, "level_not_examined", "%s is not examined and has no certificate", level.Certificate()).
			In("%s由用人单位确定，不组织考核，不发等级证书", level.Certificate())
	case levels == 0:
		return Standard{}, fail.New(fail.Invalid, "levels_unknown", "the levels in which %s may be evaluated are not in the catalogue", what).
			In("目录中尚无%s可评价的等级", what)
	case !levels.Has(level):
		return Standard{}, fail.New(fail.Invalid, "level_not_allowed", "%s is not evaluated at %s; its levels are %s", what, level.Certificate(), levels.Chinese()).
			In("%s不设%s，可评价等级为 %s", what, level.Certificate(), levels.Chinese())
	}
	list := c.standards[code]
	if len(list) == 0 {
		list = c.standards[""]
	}
	for i := len(list) - 1; i >= 0; i-- {
		if s := list[i]; on == "" || s.From <= on {
			if len(s.Parts[level]) == 0 {
				return Standard{}, fail.New(fail.Invalid, "level_not_allowed", "the standard %s of %s has no parts for %s", s.Version, what, level.Certificate()).
					In("%s的标准（%s）没有%s的考核要求", what, s.Version, level.Certificate())
			}
			s.Occupation = code
			return s, nil
		}
	}
	return Standard{}, fail.New(fail.Invalid, "standard_not_in_force", "no standard of %s was in force on %s", what, on).
		In("%s在%s没有生效的标准", what, on.Chinese())
}

// Parts returns the parts of the standard that [Catalogue.Standard] finds.
func (c Catalogue) Parts(code, trade string, level Level, on Date) ([]Part, error) {
	s, err := c.Standard(code, trade, level, on)
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.Parts[level]), nil
}

//go:embed data/catalogue.json
var catalogueJSON []byte

// starterFile is the form of data/catalogue.json. Levels are written as the
// digits of certificate numbers: "54321". What Sample names is not confirmed;
// Source says of the rest where it was read, and is for people.
type starterFile struct {
	Edition  string
	Note     string
	Standard struct {
		Version string
		From    Date
		Sample  []string
		Source  map[string]string
		Parts   []struct {
			Kind   PartKind
			Name   string
			Pass   float64
			Levels string
		}
	}
	Restricted  []Restriction
	Groups      map[string]string
	Occupations []struct {
		Code, Name, Levels string
		Trades             []struct{ ID, Name, Levels string }
		Sample             []string
		Source             map[string]string
	}
}

type starterData struct {
	catalogue  Catalogue
	restricted []Restriction
}

var starter = sync.OnceValue(func() starterData {
	d, err := parseStarter(catalogueJSON)
	if err != nil {
		panic(err) // a fault of the binary; a test reads the file
	}
	return d
})

func parseStarter(b []byte) (starterData, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var f starterFile
	if err := dec.Decode(&f); err != nil {
		return starterData{}, fmt.Errorf("starter catalogue: %w", err)
	}
	std := Standard{Version: f.Standard.Version, From: f.Standard.From, Sample: f.Standard.Sample, Parts: map[Level][]Part{}}
	for _, p := range f.Standard.Parts {
		levels, err := levelDigits(p.Levels)
		if err != nil {
			return starterData{}, err
		}
		for _, l := range levels.Levels() {
			std.Parts[l] = append(std.Parts[l], Part{Kind: p.Kind, Name: p.Name, Pass: p.Pass})
		}
	}
	var list []Occupation
	for _, in := range f.Occupations {
		if len(in.Code) != 10 {
			return starterData{}, fmt.Errorf("starter catalogue: code %q", in.Code)
		}
		levels, err := levelDigits(in.Levels)
		if err != nil {
			return starterData{}, err
		}
		o := Occupation{
			Code: in.Code, Edition: f.Edition, Name: in.Name, Levels: levels, Sample: in.Sample,
			MinorCode: in.Code[:7], MiddleCode: in.Code[:4], MajorCode: in.Code[:1],
			MinorName: f.Groups[in.Code[:7]], MiddleName: f.Groups[in.Code[:4]], MajorName: f.Groups[in.Code[:1]],
		}
		for _, t := range in.Trades {
			trade := Trade{ID: t.ID, Name: t.Name, Levels: levels}
			if t.Levels != "" {
				if trade.Levels, err = levelDigits(t.Levels); err != nil {
					return starterData{}, err
				}
			}
			o.Trades = append(o.Trades, trade)
		}
		list = append(list, o)
	}
	c, err := NewCatalogue(list, []Standard{std})
	if err != nil {
		return starterData{}, err
	}
	return starterData{c, f.Restricted}, nil
}

func levelDigits(s string) (LevelSet, error) {
	var set LevelSet
	for i := range len(s) {
		l, ok := LevelOfDigit(s[i])
		if !ok || set.Has(l) {
			return 0, fmt.Errorf("starter catalogue: levels %q", s)
		}
		set |= LevelsOf(l)
	}
	return set, nil
}

// Starter returns the embedded catalogue of commonly examined occupations.
// Which of its values are not confirmed by a source stands in the Sample fields.
func Starter() Catalogue { return starter().catalogue }

// Restricted reports whether an occupation is of the 准入类, so that no skill
// level certificate is issued for it. The list is a sample of the catalogue of
// 2021, recalled, and not complete.
func Restricted(code string) (Restriction, bool) {
	for _, r := range starter().restricted {
		if r.Code == code {
			return r, true
		}
	}
	return Restriction{}, false
}
