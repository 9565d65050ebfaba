package evaluators_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func dateOf(s string) standards.Date { return standards.Date(s) }

func joined(s []string) string { return strings.Join(s, ",") }

// ofKind is a decision with the days its kind needs.
func ofKind(id string, k evaluators.Kind, t evaluators.Target, effective standards.Date, recorded time.Time) evaluators.Decision {
	d := decision(id, k, t, effective, recorded)
	switch k {
	case evaluators.Rectify:
		d.Due = "2030-01-31"
	case evaluators.Blacklist:
		d.Until = "2030-06-30"
	}
	return d
}

// row says in the words of the table where a target stands; by asking what may
// be decided, since a suspension hides the rectification under it.
func row(t *testing.T, ds []evaluators.Decision, target evaluators.Target, on standards.Date, now time.Time) string {
	t.Helper()
	s, _ := evaluators.StatusAt(ds, target, on, now)
	if s == evaluators.Suspended {
		_, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, ds, ofKind("ask", evaluators.Accept, target, on, now), now)
		if err == nil {
			return "suspended+rectifying"
		}
	}
	return string(s)
}

// TestStateTable drives a target into every state of the documented table and
// tries every kind of decision there.
func TestStateTable(t *testing.T) {
	table := doctest.States(t, "doc.go", "States")
	paths := map[string][]evaluators.Kind{
		"registered":           nil,
		"rectifying":           {evaluators.Rectify},
		"suspended":            {evaluators.Suspend},
		"suspended+rectifying": {evaluators.Rectify, evaluators.Suspend},
		"exited":               {evaluators.ExitVoluntary},
		"removed":              {evaluators.Suspend, evaluators.ExitOrdered},
	}
	doctest.Holds(t, table, slices.Collect(maps.Keys(paths)), slices.DeleteFunc(evaluators.Kinds(), func(k evaluators.Kind) bool {
		return k == evaluators.Blacklist || k == evaluators.Unlist
	}))
	// On this day the filing has run out, so that nothing but the table refuses.
	const day = "2028-03-02"
	now := at("2028-03-02 09:00")
	for _, target := range []evaluators.Target{whole, oneFile, oneSite, cookOnly, cookAll, cookSenior, welderTrade, senior} {
		for from, path := range paths {
			for action, want := range table.Next[from] {
				kind := evaluators.Kind(action)
				if kind == evaluators.ExitExpired && (target.Occupation != "" || target.Levels != 0) {
					continue
				}
				var ds []evaluators.Decision
				for i, k := range path {
					ds = append(ds, ofKind(string(rune('a'+i)), k, target, "2028-03-01", at("2028-03-01 09:00")))
				}
				if s := row(t, ds, target, day, now); s != from {
					t.Fatalf("path to %s ends in %s", from, s)
				}
				d, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, ds, ofKind("z", kind, target, day, now), now)
				if want == doctest.Refused {
					if fail.KindOf(err) != fail.Conflict {
						t.Errorf("%s of %v while %s: error %v, want a conflict", kind, target, from, err)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s of %v while %s: %v", kind, target, from, err)
					continue
				}
				if s := row(t, append(ds, d), target, day, now); s != want {
					t.Errorf("%s of %v while %s gives %s, want %s", kind, target, from, s, want)
				}
			}
		}
	}
}

func TestBlacklistTable(t *testing.T) {
	table := doctest.States(t, "doc.go", "Blacklist")
	doctest.Holds(t, table, []string{"free", "listed"}, []evaluators.Kind{evaluators.Blacklist, evaluators.Unlist})
	now := at("2026-03-02 09:00")
	listed := ofKind("a", evaluators.Blacklist, whole, "2026-03-01", at("2026-03-01 09:00"))
	ended := decision("b", evaluators.ExitOrdered, whole, "2026-03-01", at("2026-03-01 09:00"))
	for from, past := range map[string][]evaluators.Decision{"free": {ended}, "listed": {ended, listed}} {
		for action, want := range table.Next[from] {
			kind := evaluators.Kind(action)
			d, err := evaluators.Decide(institution(), nil, past, ofKind("z", kind, whole, "2026-03-02", now), now)
			if want == doctest.Refused {
				wantConflict(t, err, map[string]string{"free": "not_blacklisted", "listed": "already_blacklisted"}[from])
				continue
			}
			if err != nil {
				t.Fatalf("%s while %s: %v", kind, from, err)
			}
			if _, barred := evaluators.Barred(append(past, d), "2026-03-02", now); barred != (want == "listed") {
				t.Errorf("%s while %s: barred %t", kind, from, barred)
			}
		}
	}
}

func TestDecideNamesEveryFault(t *testing.T) {
	now := at("2026-03-02 09:00")
	for _, c := range []struct {
		name string
		in   evaluators.Decision
		want []string
	}{
		{"empty", evaluators.Decision{}, []string{"id missing", "kind kind", "institution institution", "effective date", "document missing", "basis missing"}},
		{"filing of nobody", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Filing: "F9"}, "2026-03-02", now), []string{"filing filing"}},
		{"occupation out of scope", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: "1-01-01-01"}, "2026-03-02", now), []string{"occupation occupation"}},
		{"no such day", decision("1", evaluators.Suspend, whole, "2026-02-29", now), []string{"effective date"}},
		{"a period of a resumption", func() evaluators.Decision {
			d := decision("1", evaluators.Resume, whole, "2026-03-02", now)
			d.Until, d.Due, d.FinishUntil, d.HoldsIssue = "2026-04-02", "2026-04-02", "2026-04-02", true
			return d
		}(), []string{"until kind", "due kind", "finish_until kind", "holds_issue kind"}},
		{"a rectification without a day", decision("1", evaluators.Rectify, whole, "2026-03-02", now), []string{"due missing"}},
		{"a blacklist without an end", decision("1", evaluators.Blacklist, whole, "2026-03-02", now), []string{"until missing"}},
		{"a blacklist of a part", ofKind("1", evaluators.Blacklist, oneFile, "2026-03-02", now), []string{"kind target"}},
		{"an exit at expiry of an occupation", decision("1", evaluators.ExitExpired, cookAll, "2028-03-02", now), []string{"kind target"}},
		{"a suspension that is over before it is recorded", func() evaluators.Decision {
			d := decision("1", evaluators.Suspend, whole, "2026-02-01", now)
			d.Until = "2026-03-01"
			return d
		}(), []string{"until order"}},
		{"a last day before the first", func() evaluators.Decision {
			d := decision("1", evaluators.Suspend, whole, "2026-05-01", now)
			d.Until = "2026-04-30"
			return d
		}(), []string{"until order"}},
		{"no such last day", func() evaluators.Decision {
			d := decision("1", evaluators.Suspend, whole, "2026-03-02", now)
			d.Until = "2026-04-31"
			return d
		}(), []string{"until date"}},
		{"a site of nobody", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Site: "999999"}, "2026-03-02", now), []string{"site site"}},
		{"a site in another province", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Province: "33", Site: "058300"}, "2026-03-02", now), []string{"site site"}},
		{"a province alone", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Province: "32"}, "2026-03-02", now), []string{"province site"}},
		{"filing and site", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Filing: firstID, Site: "058300"}, "2026-03-02", now), []string{"site both"}},
		{"a trade alone", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Trade: "02"}, "2026-03-02", now), []string{"trade occupation"}},
		{"a trade out of scope", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: welder, Trade: "01"}, "2026-03-02", now), []string{"trade trade"}},
		{"a level out of scope", decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: welder, Levels: standards.LevelsOf(standards.Senior, standards.Technician)}, "2026-03-02", now), []string{"levels level"}},
		{"a suspension lets nothing finish", func() evaluators.Decision {
			d := decision("1", evaluators.Suspend, whole, "2026-03-02", now)
			d.FinishSessions = []string{"S1"}
			return d
		}(), []string{"finish_sessions kind"}},
		{"sessions", func() evaluators.Decision {
			d := decision("1", evaluators.ExitVoluntary, whole, "2026-03-02", now)
			d.Document = ""
			d.FinishSessions = []string{"S1", "", "S1"}
			return d
		}(), []string{"finish_sessions[1] missing", "finish_sessions[2] repeated"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, nil, c.in, now)
			wantFields(t, err, "decision_invalid", c.want...)
		})
	}
}

func TestDecideConflicts(t *testing.T) {
	suspended := decision("1", evaluators.Suspend, whole, "2026-03-01", at("2026-03-01 09:00"))
	lifting := decision("2", evaluators.Resume, whole, "2026-06-01", at("2026-03-01 09:00"))
	leaving := decision("3", evaluators.ExitVoluntary, whole, "2026-12-31", at("2026-03-01 09:00"))
	now := at("2026-04-01 09:00")
	for _, c := range []struct {
		name string
		ds   []evaluators.Decision
		in   evaluators.Decision
		code string // empty: accepted
		says string // part of the English text
	}{
		{"the id is taken", []evaluators.Decision{suspended}, decision("1", evaluators.Resume, whole, "2026-04-01", now), "decision_exists", "decision 1"},
		{"twice", []evaluators.Decision{suspended}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "already_suspended", "suspension from 2026-03-01"},
		{"twice, to be lifted", []evaluators.Decision{suspended, lifting}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "already_suspended", "resumption from 2026-06-01"},
		{"again from the day it is lifted", []evaluators.Decision{suspended, lifting}, decision("9", evaluators.Suspend, whole, "2026-06-01", now), "", ""},
		{"a part of what is suspended", []evaluators.Decision{suspended}, decision("9", evaluators.Suspend, oneFile, "2026-04-01", now), "", ""},
		{"resuming the part when the whole is suspended", []evaluators.Decision{suspended}, decision("9", evaluators.Resume, cookOnly, "2026-04-01", now), "not_suspended", "suspended is institution I1"},
		{"resuming the whole when a part is suspended", []evaluators.Decision{decision("1", evaluators.Suspend, cookOnly, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Resume, whole, "2026-04-01", now), "not_suspended", "suspended is occupation 4-03-02-01 of filing F1"},
		{"resuming a part that is suspended no more", []evaluators.Decision{
			decision("1", evaluators.Suspend, cookOnly, "2026-03-01", at("2026-03-01 09:00")),
			decision("2", evaluators.Resume, cookOnly, "2026-03-02", at("2026-03-02 09:00")),
			decision("3", evaluators.Suspend, whole, "2026-03-03", at("2026-03-03 09:00"))},
			decision("9", evaluators.Resume, oneFile, "2026-04-01", now), "not_suspended", "suspended is institution I1"},
		{"before an exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.Suspend, whole, "2026-04-01", now), "", ""},
		{"an order before a voluntary exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.ExitOrdered, whole, "2026-04-01", now), "", ""},
		{"after an exit to come", []evaluators.Decision{leaving}, decision("9", evaluators.Suspend, whole, "2027-01-01", now), "already_ended", "voluntary exit from 2026-12-31"},
		{"a part of what has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneFile, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, cookOnly, "2026-04-01", now), "already_ended", "filing F1 has ended"},
		{"the whole when a part has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneFile, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, whole, "2026-04-01", now), "", ""},
		{"a rectification during another", []evaluators.Decision{ofKind("1", evaluators.Rectify, whole, "2026-03-01", at("2026-03-01 09:00"))},
			ofKind("9", evaluators.Rectify, whole, "2026-04-01", now), "already_rectifying", "order to rectify from 2026-03-01"},
		{"twice within a period", []evaluators.Decision{till(suspended, "2026-04-30")}, decision("9", evaluators.Suspend, whole, "2026-04-30", now), "already_suspended", "make 2026-05-01 the effective date"},
		{"again after a period", []evaluators.Decision{till(suspended, "2026-04-30")}, decision("9", evaluators.Suspend, whole, "2026-05-01", now), "", ""},
		{"resuming after a period", []evaluators.Decision{till(suspended, "2026-03-31")}, decision("9", evaluators.Resume, whole, "2026-04-01", now), "not_suspended", "not suspended"},
		{"a filing at a site that has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, oneSite, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, oneFile, "2026-04-01", now), "already_ended", "site 32058300 of institution I1 has ended"},
		{"a level of a trade that has ended", []evaluators.Decision{decision("1", evaluators.ExitOrdered, welderTrade, "2026-03-01", at("2026-03-01 09:00"))},
			decision("9", evaluators.Suspend, evaluators.Target{Institution: "I1", Occupation: welder, Trade: "02", Levels: standards.LevelsOf(standards.Senior)}, "2026-04-01", now), "already_ended", "trade 02"},
		{"leaving at expiry before it", nil, decision("9", evaluators.ExitExpired, oneFile, "2027-12-31", now), "not_expired", "in force to 2027-12-31"},
		{"leaving at expiry", nil, decision("9", evaluators.ExitExpired, oneFile, "2028-01-01", now), "", ""},
		{"with a date before the suspension it lifts", []evaluators.Decision{suspended}, decision("9", evaluators.Resume, whole, "2026-01-01", now), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, c.ds, c.in, now)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if e := wantConflict(t, err, c.code); !strings.Contains(e.Text, c.says) {
				t.Errorf("text %q does not say %q", e.Text, c.says)
			}
		})
	}
}

func TestDecideStampsTheStoresTime(t *testing.T) {
	in := decision("1", evaluators.Suspend, whole, "2026-01-01", at("2020-01-01 00:00"))
	now := at("2026-03-02 09:00")
	d, err := evaluators.Decide(institution(), nil, nil, in, now)
	if err != nil || !d.Recorded.Equal(now) || !d.InForce().Equal(now) {
		t.Errorf("recorded %s, in force %s, %v", d.Recorded, d.InForce(), err)
	}
	d.Effective = "2026-03-03"
	if !d.InForce().Equal(at("2026-03-03 00:00")) {
		t.Errorf("in force %s", d.InForce())
	}
}

func TestEveryWordIsThere(t *testing.T) {
	seen := map[string]bool{}
	check := func(id, zh, en string) {
		if zh == "" || en == "" || seen[id] || seen[zh] || seen[en] {
			t.Errorf("%s: %q, %q is missing or used twice", id, zh, en)
		}
		seen[id], seen[zh], seen[en] = true, true, true
	}
	for _, k := range evaluators.Kinds() {
		check("kind "+string(k), k.Chinese(), k.English())
	}
	clear(seen)
	for _, s := range evaluators.Statuses() {
		check("status "+string(s), s.Chinese(), s.English())
	}
	for _, r := range evaluators.Reasons() {
		check("reason "+string(r), r.Chinese(), r.English())
	}
}

func till(d evaluators.Decision, until standards.Date) evaluators.Decision {
	d.Until = until
	return d
}

// What was stored before a decision had parts, periods and cases is read as it
// was, and written so again.
func TestStoredDecisionsStayAsTheyAre(t *testing.T) {
	const stored = `{"id":"d-000001-x","institution":"I1","filing":"F1","occupation":"4-03-02-01","kind":"suspend","effective":"2026-03-01",` +
		`"recorded":"2026-03-01T01:00:00Z","document":"昆人社决〔2026〕1号","basis":"示例管理办法第二十条","reason":"核查"}`
	var d evaluators.Decision
	if err := json.Unmarshal([]byte(stored), &d); err != nil {
		t.Fatal(err)
	}
	if d.Target != cookOnly || d.Kind != evaluators.Suspend {
		t.Errorf("%+v", d)
	}
	if again, err := json.Marshal(d); err != nil || string(again) != stored {
		t.Errorf("%s %v", again, err)
	}
}

// A site gets its province from the filings, unless two provinces gave its code.
func TestASiteIsOfAProvince(t *testing.T) {
	now := at("2026-03-02 09:00")
	in := decision("1", evaluators.Suspend, evaluators.Target{Institution: "I1", Site: "058300"}, "2026-03-02", now)
	d, err := evaluators.Decide(institution(), []evaluators.Filing{filing()}, nil, in, now)
	if err != nil || d.Target != oneSite {
		t.Fatalf("%+v %v", d.Target, err)
	}
	other := filing()
	other.ID, other.Province = "F2", "33"
	_, err = evaluators.Decide(institution(), []evaluators.Filing{filing(), other}, nil, in, now)
	wantFields(t, err, "decision_invalid", "site site")
	in.Province = "33"
	d, err = evaluators.Decide(institution(), []evaluators.Filing{filing(), other}, nil, in, now)
	if err != nil {
		t.Fatal(err)
	}
	q := question("2026-03-25 09:00")
	if e := evaluators.Entitled(institution(), filing(), []evaluators.Decision{d}, q); !e.Entitled {
		t.Errorf("the site of another province is hit: %v", e.Reasons)
	}
	if e := evaluators.Entitled(institution(), other, []evaluators.Decision{d}, q); e.Entitled {
		t.Error("the site is not hit")
	}
}
