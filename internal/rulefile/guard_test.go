package rulefile_test

import (
	"errors"
	"strings"
	"testing"

	"bajigong/internal/rulefile"
)

func TestTreeKeepsTheParserWithinBounds(t *testing.T) {
	within := rulefile.Bounds{Bytes: 100, Depth: 4}
	for name, c := range map[string]struct {
		src  string
		why  rulefile.Why // empty: read
		line int
	}{
		"one document":        {"a: 1\n", "", 0},
		"a marked document":   {"# c\n---\na: 1\n", "", 0},
		"as deep as may be":   {"a: [[[[1]]]]", "", 0},
		"too deep":            {"a: [[[[[1]]]]]", rulefile.TooDeep, 0},
		"too far in":          {strings.Repeat(" ", 17) + "a: 1", rulefile.TooDeep, 0},
		"too large":           {"a: " + strings.Repeat("x", 98), rulefile.TooLarge, 0},
		"not YAML":            {"a: 1\nb: {c", rulefile.NotYAML, 2},
		"nothing":             {"", rulefile.Documents, 0},
		"two documents":       {"a: 1\n---\nb: 1\n", rulefile.Documents, 0},
		"anchors are no harm": {"a: &x 1\nb: *x\n", "", 0},
	} {
		root, err := rulefile.Tree([]byte(c.src), within)
		var refused *rulefile.Refused
		if c.why == "" {
			if err != nil || root == nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if !errors.As(err, &refused) || refused.Why != c.why || refused.Line != c.line || refused.Said == "" {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte("? [a]\n: - {b: |\n  c}"))
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		root, err := rulefile.Tree(src, rulefile.Bounds{Bytes: 1 << 12, Depth: 16})
		var refused *rulefile.Refused
		if (root == nil) != (err != nil) || err != nil && !errors.As(err, &refused) {
			t.Errorf("%v %v", root, err)
		}
	})
}
