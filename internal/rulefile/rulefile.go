// Package rulefile reads the rules that differ by place and time: YAML files,
// each in force in a region from a date on. What no source confirms is a sample
// and says so; nothing of it stands in code.
//
// Every file begins with a heading (type [Head]):
//
//	id: course-national          # unique among the files of its kind
//	region: "000000"             # GB/T 2260, six digits; 000000 is the nation
//	from: 2022-01-01             # first day, civil date in Asia/Shanghai
//	name: {zh: 认定流程规则（样例）, en: Course of a session (sample)}
//	source: 人社职司便函〔2020〕17号   # what confirms the file, or
//	sample: practice, not confirmed  # why it is only a sample
//
// Entries inside a file may have a source or sample of their own, which then
// counts for them instead.
package rulefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"bajigong/internal/fail"
)

// MaxBytes bounds one file.
const MaxBytes = 1 << 20

// Text is a text for people in both languages.
type Text struct {
	ZH string `yaml:"zh" json:"zh"`
	EN string `yaml:"en" json:"en"`
}

// Head is the heading of every file.
type Head struct {
	ID     string `yaml:"id" json:"id"`
	Region string `yaml:"region" json:"region"` // six digits
	From   string `yaml:"from" json:"from"`     // 2026-03-01
	Name   Text   `yaml:"name" json:"name"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Heading returns the heading; a type that embeds Head is a [File].
func (h Head) Heading() Head { return h }

// File is what one file holds. Problems says what is wrong with it beyond its
// form, one sentence each in Chinese and English; none when it is sound.
type File interface {
	Heading() Head
	Problems() []Text
}

var (
	idForm     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	regionForm = regexp.MustCompile(`^\d{6}$`)
	dateForm   = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
)

// Parse reads one file strictly: keys that are not known, anchors and aliases
// are refused. name is for messages. Error: Invalid rulefile_invalid.
func Parse[T File](name string, src []byte) (out T, err error) {
	wrong := func(zh, en string) (T, error) {
		var none T
		return none, fail.New(fail.Invalid, "rulefile_invalid", "%s: %s", name, en).In("%s：%s", name, zh)
	}
	tree, err := Tree(src, Bounds{Bytes: MaxBytes, Depth: maxDepth})
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		return wrong(refused.words())
	}
	aliases := &aliasFinder{}
	ast.Walk(aliases, tree)
	if aliases.found {
		return wrong("不得使用锚点和别名", "anchors and aliases are not allowed")
	}
	// The decoder is the same foreign code as the parser: see [Tree].
	defer func() {
		if r := recover(); r != nil {
			out, err = wrong("无法按 YAML 读取", "cannot be read as YAML")
		}
	}()
	if err := yaml.NewDecoder(bytes.NewReader(nil), yaml.Strict()).DecodeFromNode(tree, &out); err != nil {
		return wrong(oneLine(err), oneLine(err))
	}
	var problems []Text
	say := func(ok bool, zh, en string) {
		if !ok {
			problems = append(problems, Text{zh, en})
		}
	}
	h := out.Heading()
	say(idForm.MatchString(h.ID), "id 应为小写字母、数字和连字符", "id has lower-case words joined by hyphens")
	say(regionForm.MatchString(h.Region), "region 应为六位行政区划代码（加引号）", "region has six digits (in quotes)")
	say(dateForm.MatchString(h.From), "from 应为日期，如 2026-03-01", "from is a date such as 2026-03-01")
	say(h.Name.ZH != "" && h.Name.EN != "", "name 应有 zh 和 en", "name has zh and en")
	say((h.Source != "") != (h.Sample != ""), "source（来源）与 sample（样例说明）应且只应有一项", "there is either a source or a sample, not both")
	problems = append(problems, out.Problems()...)
	if len(problems) > 0 {
		var zh, en []string
		for _, p := range problems {
			zh, en = append(zh, p.ZH), append(en, p.EN)
		}
		return wrong(strings.Join(zh, "；"), strings.Join(en, "; "))
	}
	return out, nil
}

// maxDepth is how deep brackets or lines may nest; the parser recurses.
const maxDepth = 32

// words says a refusal.
func (r *Refused) words() (zh, en string) {
	switch r.Why {
	case TooLarge:
		return "文件超过 1 MB", "the file is larger than 1 MB"
	case TooDeep:
		return "嵌套过深", "nested too deeply"
	case Documents:
		return "应恰好有一份 YAML 文档", "exactly one YAML document is expected"
	case Broken:
		return "无法按 YAML 读取", "cannot be read as YAML"
	}
	at := ""
	if r.Line > 0 {
		at = fmt.Sprintf("[%d] ", r.Line)
	}
	return "不是有效的 YAML：" + at + r.Said, "not YAML: " + at + r.Said
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(yaml.FormatError(err, false, false)), " ")
}

type aliasFinder struct{ found bool }

func (a *aliasFinder) Visit(n ast.Node) ast.Visitor {
	switch n.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType:
		a.found = true
	}
	return a
}

// Set is the files of one kind. It does not change once made.
type Set[T File] struct{ files []T }

// NewSet makes a set. Error: Invalid rulefile_invalid when two files have one id,
// or one region and first day.
func NewSet[T File](files ...T) (Set[T], error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b T) int { return strings.Compare(a.Heading().From, b.Heading().From) })
	ids, places := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		h := f.Heading()
		place := h.Region + " " + h.From
		if ids[h.ID] || places[place] {
			return Set[T]{}, fail.New(fail.Invalid, "rulefile_invalid", "two rule files of one kind have the id %s, or region and date %s", h.ID, place).
				In("同类规则文件的 id %s 或地区与起始日期 %s 重复", h.ID, place)
		}
		ids[h.ID], places[place] = true, true
	}
	return Set[T]{files}, nil
}

// ReadSet reads every file of fsys that matches pattern.
func ReadSet[T File](fsys fs.FS, pattern string) (Set[T], error) {
	names, err := fs.Glob(fsys, pattern)
	if err != nil {
		return Set[T]{}, err
	}
	var files []T
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return Set[T]{}, fmt.Errorf("read rule file: %w", err)
		}
		f, err := Parse[T](name, src)
		if err != nil {
			return Set[T]{}, err
		}
		files = append(files, f)
	}
	return NewSet(files...)
}

// With returns the set with more files; one with an id of the set takes its place.
func (s Set[T]) With(more ...T) (Set[T], error) {
	files := slices.DeleteFunc(slices.Clone(s.files), func(f T) bool {
		return slices.ContainsFunc(more, func(m T) bool { return m.Heading().ID == f.Heading().ID })
	})
	return NewSet(append(files, more...)...)
}

// All returns the files, the oldest first.
func (s Set[T]) All() []T { return slices.Clone(s.files) }

// ByID returns the file with an id: what was decided by it is judged by it.
func (s Set[T]) ByID(id string) (out T, ok bool) {
	i := slices.IndexFunc(s.files, func(f T) bool { return f.Heading().ID == id })
	if i < 0 {
		return out, false
	}
	return s.files[i], true
}

// On returns what is in force in a region on a date (2026-03-01): the newest
// file of the nearest region that has one by then, from the county over the
// prefecture and the province to the nation.
func (s Set[T]) On(region, date string) (out T, ok bool) {
	for _, r := range Upward(region) {
		for _, f := range s.files {
			if h := f.Heading(); h.Region == r && h.From <= date {
				out, ok = f, true
			}
		}
		if ok {
			return out, true
		}
	}
	return out, false
}

// Upward lists a region and those above it, the nation 000000 last.
func Upward(region string) []string {
	var out []string
	if len(region) == 6 {
		out = append(out, region, region[:4]+"00", region[:2]+"0000")
	}
	return slices.Compact(append(out, "000000"))
}
