package credit

import (
	"fmt"
	"strconv"
	"strings"
)

// Groups are the groups of a stored sum, ordered and without any that comes to
// nothing. They are kept as a text, because a score reads dozens of sums and
// reading this form takes a fraction of the time that members by name take:
//
//	late_upload credit-sample 2026 10 - -6 3 0;false_evaluation credit-sample 2026 0 D -100 1 1
//
// For each group, separated by semicolons: item, rule file, credit year, cap (0
// for none), band of the veto (- for none), points, events, vetoes.
type Groups []Group

// MarshalText writes the form above.
func (g Groups) MarshalText() ([]byte, error) {
	var b []byte
	for i, one := range g {
		if i > 0 {
			b = append(b, ';')
		}
		veto := one.Veto
		if veto == "" {
			veto = "-"
		}
		b = append(append(append(append(b, one.Item...), ' '), one.Rules...), ' ')
		b = append(strconv.AppendInt(b, int64(one.Year), 10), ' ')
		b = append(strconv.AppendInt(b, int64(one.Cap), 10), ' ')
		b = append(append(b, veto...), ' ')
		b = append(strconv.AppendInt(b, int64(one.Points), 10), ' ')
		b = append(strconv.AppendInt(b, int64(one.Events), 10), ' ')
		b = strconv.AppendInt(b, int64(one.Vetoes), 10)
	}
	return b, nil
}

// UnmarshalText reads exactly what MarshalText writes.
func (g *Groups) UnmarshalText(b []byte) error {
	out, err := parseGroups(string(b))
	if err != nil {
		return err
	}
	*g = out
	return nil
}

func parseGroups(text string) (Groups, error) {
	out := make(Groups, 0, 1+strings.Count(text, ";"))
	for rest, more := text, text != ""; more; {
		var one string
		one, rest, more = strings.Cut(rest, ";")
		g, ok := parseGroup(one)
		if !ok || g.empty() || len(out) > 0 && out[len(out)-1].compare(g.GroupKey) >= 0 {
			return nil, fmt.Errorf("groups of a credit sum: %q is not a group in its place", one)
		}
		out = append(out, g)
	}
	return out, nil
}

func parseGroup(text string) (g Group, ok bool) {
	var fields [8]string
	for i := range fields {
		var more bool
		fields[i], text, more = strings.Cut(text, " ")
		if fields[i] == "" || more != (i < len(fields)-1) {
			return g, false
		}
	}
	g.Item, g.Rules = fields[0], fields[1]
	if g.Veto = fields[4]; g.Veto == "-" {
		g.Veto = ""
	}
	for _, n := range []struct {
		from string
		to   *int
	}{{fields[2], &g.Year}, {fields[3], &g.Cap}, {fields[5], &g.Points}, {fields[6], &g.Events}, {fields[7], &g.Vetoes}} {
		v, err := strconv.Atoi(n.from)
		if err != nil || n.from[0] == '+' || n.from[0] == '0' && n.from != "0" || strings.HasPrefix(n.from, "-0") {
			return g, false // one number has one form
		}
		*n.to = v
	}
	return g, true
}
