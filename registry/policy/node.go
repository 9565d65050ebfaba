package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

const (
	maxFile  = 256 << 10 // bytes of a policy or region file
	maxDepth = 16        // brackets within brackets
	maxText  = 600       // characters of one sentence
)

// problems gathers everything wrong with a file, so that its author sees all of
// it at once. The Row of a field is the line in the file.
type problems struct {
	file   string
	fields []fail.Field
}

func (p *problems) add(n node, code string, say Text) {
	p.fields = append(p.fields, fail.Field{Name: n.path, Row: n.line, Code: code, ZH: say.ZH, EN: say.EN})
}

// err is fail.Invalid "policy_invalid" with a field for each problem, in the
// order of lines, or nil.
func (p *problems) err() error {
	if len(p.fields) == 0 {
		return nil
	}
	slices.SortStableFunc(p.fields, func(a, b fail.Field) int { return a.Row - b.Row })
	first := p.fields[0]
	return fail.New(fail.Invalid, "policy_invalid", "%s:%d: %s: %s (problems in all: %d)", p.file, first.Row, first.Name, first.EN, len(p.fields)).
		In("%s 第 %d 行 %s：%s（共 %d 处）", p.file, first.Row, first.Name, first.ZH, len(p.fields)).At(p.fields...)
}

// node is a place in the file. A node that is not there reads as zero values:
// its absence was already reported.
type node struct {
	p    *problems
	ast  ast.Node
	path string
	line int
}

// readYAML returns the one document in src. Anchors, aliases, tags and merge
// keys are refused where they stand, by their nodes being none that a rule is
// read from: a rule must be readable where it stands.
func readYAML(file string, src []byte, p *problems) (root node, err error) {
	root = node{p: p, path: file, line: 1}
	tree, err := rulefile.Tree(src, rulefile.Bounds{Bytes: maxFile, Depth: maxDepth})
	if refused := (*rulefile.Refused)(nil); errors.As(err, &refused) {
		return root.refused(file, refused)
	}
	root = root.child(tree, "")
	root.path = "$"
	return root, nil
}

// refused is the error for a file of which nothing could be read.
func (n node) refused(file string, r *rulefile.Refused) (node, error) {
	switch r.Why {
	case rulefile.TooLarge:
		return n, fail.New(fail.TooLarge, "policy_too_large", "%s is larger than %d bytes", file, maxFile).
			In("%s 超过 %d 字节", file, maxFile)
	case rulefile.Broken:
		return n, fail.New(fail.Invalid, "policy_invalid", "%s cannot be read as YAML", file).
			In("%s 无法按 YAML 读取", file).Because(r)
	case rulefile.TooDeep:
		n.p.add(n, "yaml_deep", Text{fmt.Sprintf("嵌套超过 %d 层", maxDepth), fmt.Sprintf("nested deeper than %d", maxDepth)})
	case rulefile.Documents:
		n.p.add(n, "yaml_documents", Text{"文件应恰好含一个 YAML 文档", "the file must hold exactly one YAML document"})
	default:
		if r.Line > 0 {
			n.line = r.Line
		}
		n.p.add(n, "yaml_syntax", Text{"YAML 语法错误：" + r.Said, "YAML: " + r.Said})
	}
	return n, n.p.err()
}

func (n node) child(a ast.Node, step string) node {
	c := node{p: n.p, ast: a, path: n.path + step, line: n.line}
	if a != nil {
		if t := a.GetToken(); t != nil && t.Position != nil {
			c.line = t.Position.Line
		}
	}
	return c
}

func (n node) problem(code, zh, en string, args ...any) {
	if n.p != nil {
		n.p.add(n, code, textf(zh, args...)(en, args...))
	}
}

// mapping returns the members of a mapping. All of required must be there, and
// nothing but required and optional may be.
func (n node) mapping(required, optional []string) map[string]node {
	pairs, ok := n.pairs()
	if !ok {
		return nil
	}
	out := map[string]node{}
	for _, pair := range pairs {
		key, at := pair.key, pair.value
		switch {
		case !slices.Contains(required, key) && !slices.Contains(optional, key):
			at.problem("unknown_key", "没有这个键，可用：%s", "no such key; known are %s", strings.Join(slices.Concat(required, optional), ", "))
		case out[key].p != nil:
			at.problem("duplicate_key", "键重复", "the key stands twice")
		default:
			out[key] = at
		}
	}
	for _, key := range required {
		if out[key].p == nil {
			n.problem("missing_key", "缺少键 %s", "lacks the key %s", key)
		}
	}
	return out
}

type pair struct {
	key   string
	value node // its line is that of the key
}

// pairs returns the members of a mapping in their order, whatever their keys.
func (n node) pairs() ([]pair, bool) {
	if n.p == nil {
		return nil, false
	}
	var members []*ast.MappingValueNode
	switch m := n.ast.(type) {
	case *ast.MappingNode:
		members = m.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{m}
	default:
		n.problem("yaml_mapping", "应为键值表", "must be a mapping of keys to values")
		return nil, false
	}
	var out []pair
	for _, m := range members {
		if m == nil || m.Key == nil {
			continue
		}
		key, ok := scalar(m.Key)
		if !ok {
			n.child(m.Key, "").problem("yaml_key", "键应为单词", "a key must be a word")
			continue
		}
		at := n.child(m.Key, "."+key)
		at.ast = m.Value
		out = append(out, pair{key, at})
	}
	return out, true
}

// list returns the members of a sequence, which must not be empty.
func (n node) list() []node {
	if n.p == nil {
		return nil
	}
	s, ok := n.ast.(*ast.SequenceNode)
	if !ok || len(s.Values) == 0 {
		n.problem("yaml_list", "应为非空列表", "must be a list with at least one member")
		return nil
	}
	var out []node
	for i, v := range s.Values {
		c := n.child(v, "["+strconv.Itoa(i)+"]")
		if v == nil {
			c.problem("yaml_text", "不能为空", "must not be empty")
		}
		out = append(out, c)
	}
	return out
}

func scalar(a ast.Node) (string, bool) {
	switch v := a.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		if v.Value == nil {
			return "", false
		}
		return strings.TrimSpace(v.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if t := a.GetToken(); t != nil {
			return t.Value, true
		}
	}
	return "", false
}

// text returns a scalar as it is written, without surrounding space.
func (n node) text() string {
	if n.p == nil {
		return ""
	}
	s, ok := scalar(n.ast)
	if s = strings.TrimSpace(s); !ok || s == "" {
		n.problem("yaml_text", "应为非空文字", "must be a text that is not empty")
		return ""
	}
	if len([]rune(s)) > maxText {
		n.problem("yaml_text", "超过 %d 字", "longer than %d characters", maxText)
		return ""
	}
	return s
}

// is reports whether n is the scalar word.
func (n node) is(word string) bool {
	if n.p == nil {
		return false
	}
	s, ok := scalar(n.ast)
	return ok && s == word
}

func (n node) date() standards.Date {
	s := n.text()
	if s == "" {
		return ""
	}
	d := standards.Date(s)
	if !d.Valid() {
		n.problem("yaml_date", "应为实际存在的日期，写作 2025-03-01", "must be an existing day written 2025-03-01")
		return ""
	}
	return d
}

func (n node) number(low, high int) int {
	s := n.text()
	if s == "" {
		return 0
	}
	v, ok := count(s)
	if !ok || v < low || v > high {
		n.problem("yaml_number", "应为 %d 至 %d 的整数", "must be a whole number from %d to %d", low, high)
		return 0
	}
	return v
}

func (n node) yes() bool {
	s := n.text()
	if s != "" && s != "true" && s != "false" {
		n.problem("yaml_bool", "应为 true 或 false", "must be true or false")
	}
	return s == "true"
}

// flag reads yes or no, which language 2 says where language 1 says true or
// false; it takes both.
func (n node) flag() bool {
	s := n.text()
	if s != "" && s != "true" && s != "false" && s != Yes && s != No {
		n.problem("yaml_bool", "应为 yes 或 no", "must be yes or no")
	}
	return s == "true" || s == Yes
}

// yuan reads an amount of money above zero, at most a million yuan.
func (n node) yuan() Fen {
	fen, ok := ParseFen(n.text())
	if !ok || fen == 0 || fen > 100_000_000 {
		n.problem("yuan", "应为元，至多两位小数，例如 1000 或 1000.50", "must be yuan with at most two decimals, such as 1000 or 1000.50")
	}
	return fen
}

func (n node) region() string {
	s := n.text()
	if s != "" && (len(s) != 6 || !digits(s)) {
		n.problem("yaml_region", "应为 6 位行政区划代码（加引号）", "must be a 6-digit region code, in quotes")
		return ""
	}
	return s
}

// word returns a scalar that must be one of the words.
func word[W ~string](n node, words ...W) W {
	s := n.text()
	if s != "" && !slices.Contains(words, W(s)) {
		var all []string
		for _, w := range words {
			all = append(all, string(w))
		}
		n.problem("yaml_word", "应为 %s 之一", "must be one of %s", strings.Join(all, ", "))
		return ""
	}
	return W(s)
}

// wordList returns a list of different words.
func wordList[W ~string](n node, words ...W) []W {
	var out []W
	for _, c := range n.list() {
		w := word(c, words...)
		if w != "" && slices.Contains(out, w) {
			c.problem("duplicate", "重复", "stands twice")
			continue
		}
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}
