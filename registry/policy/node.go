package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"bajigong/internal/fail"
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
// keys are refused: a rule must be readable where it stands.
func readYAML(file string, src []byte, p *problems) (root node, err error) {
	root = node{p: p, path: file, line: 1}
	if len(src) > maxFile {
		return root, fail.New(fail.TooLarge, "policy_too_large", "%s is larger than %d bytes", file, maxFile).
			In("%s 超过 %d 字节", file, maxFile)
	}
	if tooDeep(src) {
		p.add(root, "yaml_deep", Text{fmt.Sprintf("嵌套超过 %d 层", maxDepth), fmt.Sprintf("nested deeper than %d", maxDepth)})
		return root, p.err()
	}
	// The parser is foreign code reading what an operator gave us: if it panics,
	// the file is refused like any other that cannot be read.
	defer func() {
		if r := recover(); r != nil {
			err = fail.New(fail.Invalid, "policy_invalid", "%s cannot be read as YAML", file).
				In("%s 无法按 YAML 读取", file).Because(fmt.Errorf("yaml parser: %v", r))
		}
	}()
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		var at yaml.Error
		say := "not YAML"
		if errors.As(err, &at) {
			say = at.GetMessage()
			if t := at.GetToken(); t != nil && t.Position != nil {
				root.line = t.Position.Line
			}
		}
		p.add(root, "yaml_syntax", Text{"YAML 语法错误：" + say, "YAML: " + say})
		return root, p.err()
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d != nil && d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) != 1 {
		p.add(root, "yaml_documents", Text{"文件应恰好含一个 YAML 文档", "the file must hold exactly one YAML document"})
		return root, p.err()
	}
	root = root.child(docs[0], "")
	root.path = "$"
	return root, nil
}

// tooDeep looks at brackets and indentation before the parser does, since that
// recurses.
func tooDeep(src []byte) bool {
	depth := 0
	for line := range strings.Lines(string(src)) {
		body := strings.TrimLeft(line, " -?:\t")
		if body != "" && len(line)-len(body) > 4*maxDepth {
			return true
		}
		for _, c := range body {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
			if depth > maxDepth {
				return true
			}
		}
	}
	return false
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
	if n.p == nil {
		return nil
	}
	var pairs []*ast.MappingValueNode
	switch m := n.ast.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		n.problem("yaml_mapping", "应为键值表", "must be a mapping of keys to values")
		return nil
	}
	out := map[string]node{}
	for _, pair := range pairs {
		if pair == nil || pair.Key == nil {
			continue
		}
		key, ok := scalar(pair.Key)
		if !ok {
			n.child(pair.Key, "").problem("yaml_key", "键应为单词", "a key must be a word")
			continue
		}
		at := n.child(pair.Key, "."+key)
		at.ast = pair.Value
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
