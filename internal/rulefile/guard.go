package rulefile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Bounds of one YAML document.
type Bounds struct {
	Bytes int // of the file
	Depth int // brackets within brackets, and levels of indentation
}

// Why a document was refused before anything of it was read.
type Why string

// The reasons.
const (
	TooLarge  Why = "large"
	TooDeep   Why = "deep"
	NotYAML   Why = "syntax"
	Documents Why = "documents" // not exactly one
	Broken    Why = "broken"    // the parser panicked
)

// Refused is the error of [Tree].
type Refused struct {
	Why  Why
	Line int    // 0 when it is not known
	Said string // what the parser said, in one line
}

func (r *Refused) Error() string { return fmt.Sprintf("yaml %s: %s", r.Why, r.Said) }

// Tree parses the one document in src. It is the one place where the parser,
// foreign code that recurses over what an operator gave us, meets a file: it is
// kept within bounds before, and a panic of it refuses the file like any other
// that cannot be read. The error is always a [*Refused]. Anchors, aliases and
// tags are in the tree, for the caller to refuse.
func Tree(src []byte, within Bounds) (root ast.Node, err error) {
	if len(src) > within.Bytes {
		return nil, &Refused{Why: TooLarge, Said: fmt.Sprintf("larger than %d bytes", within.Bytes)}
	}
	if tooDeep(src, within.Depth) {
		return nil, &Refused{Why: TooDeep, Said: fmt.Sprintf("nested deeper than %d", within.Depth)}
	}
	defer func() {
		if r := recover(); r != nil {
			root, err = nil, &Refused{Why: Broken, Said: fmt.Sprint(r)}
		}
	}()
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, notYAML(err)
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d != nil && d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	if len(docs) != 1 {
		return nil, &Refused{Why: Documents, Said: "exactly one document is expected"}
	}
	return docs[0], nil
}

func notYAML(err error) error {
	out := &Refused{Why: NotYAML, Said: "not YAML"}
	var at yaml.Error
	if !errors.As(err, &at) {
		return out
	}
	out.Said = strings.Join(strings.Fields(at.GetMessage()), " ")
	if t := at.GetToken(); t != nil && t.Position != nil {
		out.Line = t.Position.Line
	}
	return out
}

// tooDeep looks at brackets and indentation before the parser does.
func tooDeep(src []byte, most int) bool {
	depth := 0
	for line := range strings.Lines(string(src)) {
		body := strings.TrimLeft(line, " -?:\t")
		if body != "" && len(line)-len(body) > 4*most {
			return true
		}
		for _, c := range body {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(depth-1, 0)
			}
			if depth > most {
				return true
			}
		}
	}
	return false
}
