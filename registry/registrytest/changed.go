package registrytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry"
)

// MustSeeChanges changes every member of some records of every table, one after the
// other, behind the register's back, and fails the test for each of which a check
// sees nothing, unless unsaid.go says why. It leaves the store as it was.
func (e *Env) MustSeeChanges() {
	e.T.Helper()
	SeesChanges(e.T, e.DB, e.Registry, 1)
}

// recordsTried is how many records of a table are changed at most.
const recordsTried = 4

// SeesChanges is [Env.MustSeeChanges] for a store that is not of this package. It
// tries every n-th change, and answers how many were seen by the comparison with
// events, and by the rest.
func SeesChanges(t testing.TB, db *kv.DB, reg *registry.Registry, n int) (byEvents, byOthers int) {
	t.Helper()
	s := &spoiler{t: t, db: db, reg: reg}
	if s.found() > 0 {
		t.Fatal("the store is not sound before anything was changed")
	}
	unseen, count := map[string]bool{}, 0
	unsaid := func(name string, table kv.Table) bool {
		for k := range Unsaid {
			if k == name || strings.HasSuffix(k, " *") && strings.HasPrefix(name, k[:len(k)-1]) || strings.HasPrefix(name, k+".") || strings.HasPrefix(name, k+"[") {
				return true
			}
		}
		return false
	}
	for _, table := range registry.RecordTables() {
		for _, entry := range s.rows(table) {
			for _, m := range membersIn(entry.Value) {
				name := string(table) + variantOf(table, entry.Value) + " " + plainPath(m)
				if unsaid(name, table) {
					continue
				}
				if count++; count%n != 0 {
					continue
				}
				spoilt := changedAt(entry.Value, m)
				if bytes.Equal(spoilt, entry.Value) {
					continue
				}
				s.put(table, entry.Key, spoilt)
				switch {
				case s.found("records and their events") > 0:
					byEvents++
				case s.found(partsOf[table]...) > 0 || len(partsOf[table]) > 0 && s.found() > 0:
					byOthers++
				default:
					unseen[name] = true
				}
				s.put(table, entry.Key, entry.Value)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unseen)) {
		t.Errorf("nobody sees a change of %s", name)
	}
	if s.found() > 0 {
		t.Error("the store is not as it was")
	}
	return byEvents, byOthers
}

// partsOf are the parts of a check that look at a table besides: they are asked
// first. Without any all parts are.
var partsOf = map[kv.Table][]string{
	"certificates": {"certificates"}, "versions": {"certificates"}, "claims": {"claims", "totals of claims"}, "claim_totals": {"totals of claims"},
	"payouts": {"claims"}, "payout_pages": {"claims"}, "results": {"certificates", "indexes"}, "reliance": {"reliance"}, "credit_sums": {"credit"}, "exam_days": {"exam dates"},
}

type spoiler struct {
	t   testing.TB
	db  *kv.DB
	reg *registry.Registry
}

func (s *spoiler) found(parts ...string) int {
	s.t.Helper()
	report, err := s.reg.Check(context.Background(), registry.Operator(), &registry.CheckOptions{Parts: parts})
	if err != nil {
		s.t.Fatal(err)
	}
	return report.Found
}

func (s *spoiler) put(table kv.Table, key, value []byte) {
	s.t.Helper()
	err := s.db.Update(context.Background(), func(tx kv.Tx) error { tx.Put(table, key, value); return nil })
	if err != nil {
		s.t.Fatal(err)
	}
}

// rows are records that have, together, every member that a record of the table has.
func (s *spoiler) rows(table kv.Table) (out []kv.Entry) {
	s.t.Helper()
	err := s.db.View(context.Background(), func(rd kv.Reader) error {
		out = nil
		seen := map[string]bool{}
		return kv.Each(rd, table, kv.Range{}, func(e kv.Entry) error {
			fresh := false
			for _, m := range membersIn(e.Value) {
				fresh = fresh || !seen[plainPath(m)]
			}
			if fresh && len(out) < recordsTried {
				for _, m := range membersIn(e.Value) {
					seen[plainPath(m)] = true
				}
				out = append(out, kv.Entry{Key: bytes.Clone(e.Key), Value: bytes.Clone(e.Value)})
			}
			return nil
		})
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// membersIn are the paths of the members of a JSON object, down to what is no object
// or list, in order; of lists the first and the last element.
func membersIn(value []byte) (out [][]any) {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	var down func(path []any, v any)
	down = func(path []any, v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				down(append(slices.Clip(path), name), v[name])
			}
		case []any:
			for i := range v {
				if i == 0 || i == len(v)-1 {
					down(append(slices.Clip(path), i), v[i])
				}
			}
		default:
			out = append(out, path)
		}
	}
	down(nil, v)
	return out
}

// plainPath is a path as people write it, the same for every element of a list.
func plainPath(path []any) string {
	var s strings.Builder
	for i, p := range path {
		if name, ok := p.(string); !ok {
			s.WriteString("[]")
		} else if i > 0 {
			s.WriteString("." + name)
		} else {
			s.WriteString(name)
		}
	}
	return s.String()
}

// changedAt changes the value at a path into another of its kind.
func changedAt(value []byte, path []any) []byte {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	_ = d.Decode(&v)
	at := v
	for _, p := range path[:len(path)-1] {
		if name, ok := p.(string); ok {
			at = at.(map[string]any)[name]
		} else {
			at = at.([]any)[p.(int)]
		}
	}
	if name, ok := path[len(path)-1].(string); ok {
		m := at.(map[string]any)
		m[name] = another(m[name])
	} else {
		list := at.([]any)
		list[path[len(path)-1].(int)] = another(list[path[len(path)-1].(int)])
	}
	out, _ := json.Marshal(v)
	return out
}

// variantOf tells records of a table apart of which other things are said.
func variantOf(table kv.Table, value []byte) string {
	var v struct {
		Imported any    `json:"imported"`
		What     string `json:"what"`
		Import   string `json:"import"`
	}
	switch _ = json.Unmarshal(value, &v); {
	case v.Imported != nil || v.Import != "":
		return "(imported)"
	case table == "reliance" && !slices.Contains([]string{"voided", "cancelled", "suspended", "resumed", "restored"}, v.What):
		return "(of no change of status)"
	}
	return ""
}

var aDay = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

func another(v any) any {
	switch v := v.(type) {
	case bool:
		return !v
	case json.Number:
		n, _ := v.Int64()
		return n + 1
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.Add(time.Hour).Format(time.RFC3339)
		}
		if t, err := time.Parse(time.DateOnly, v); err == nil && aDay.MatchString(v) {
			return t.AddDate(0, 0, 1).Format(time.DateOnly)
		}
		if v == "" {
			return "x"
		}
		// The last letter or digit becomes another: a hash stays a hash, an id an id.
		at := strings.LastIndexAny(v, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if at < 0 {
			return v + "改"
		}
		next := "b"
		if v[at] >= '0' && v[at] <= '9' {
			next = fmt.Sprint((v[at] - '0' + 1) % 10)
		} else if v[at] == 'b' {
			next = "c"
		}
		return v[:at] + next + v[at+1:]
	}
	return v
}
