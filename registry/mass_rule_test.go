package registry

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bajigong/internal/doctest"
	"bajigong/internal/fail"
	"bajigong/registry/auditlog"
	"bajigong/standards"
)

// Every pair of the documented table happens as written; every other is refused.
func TestMassStateTable(t *testing.T) {
	table := doctest.States(t, "mass.go", "MassState")
	doctest.Holds(t, table, MassStates(), massActs())
	for _, from := range MassStates() {
		if zh, en := from.Words(); zh == "" || en == "" {
			t.Errorf("%s has no words", from)
		}
		for _, do := range massActs() {
			got, err := (MassChange{State: from}).next(do)
			want := MassState(table.Next[string(from)][string(do)])
			ok := want != doctest.Refused
			if ok != (err == nil) || ok && got.State != want || !ok && (fail.CodeOf(err) != "mass_state" || got.State != from) {
				t.Errorf("%s of %s gives %s, %v; the table says %q", do, from, got.State, err, want)
			}
			if err := massByRule(do, from); ok != (err == nil) || !ok && fail.CodeOf(err) != "mass_state" {
				t.Errorf("the rule of %s lets %s through with %v; the table says %q", do, from, err, want)
			}
		}
	}
}

// massByRule does an act through its own rule, everything else being right.
func massByRule(do massAct, from MassState) error {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	m := MassChange{State: from, By: "a", ApprovedBy: "b", UndoUntil: at.Add(time.Hour), Undo: &MassUndo{}}
	one, two := Actor{Account: "a"}, Actor{Account: "b"}
	var err error
	switch do {
	case massApprove:
		_, err = m.Approve(two, "h", MassPreview{Hash: "h", Affected: 1}, at)
	case massReject:
		_, err = m.Close(two, "不当", at)
	case massWithdraw:
		_, err = m.Close(one, "", at)
	case massPage:
		_, err = m.page(1, 1, []byte("x"), at)
	case massFinish:
		if from != MassRunning && from != MassApproved { // the last page finishes
			_, err = m.page(1, 1, nil, at)
		} else {
			_, err = m.next(massFinish)
		}
	case massUndo:
		_, err = m.GoBack(one, "误操作", at)
	case massRestore:
		_, err = m.restorePage(1, 0, []byte("x"), at)
	case massClose:
		_, err = m.restorePage(1, 0, nil, at)
	}
	return err
}

func TestMassRules(t *testing.T) {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	one, two, three := Actor{Account: "a"}, Actor{Account: "b"}, Actor{Account: "c"}
	proposed := MassChange{ID: "m-1", State: MassProposed, By: "a", UndoHours: 24}
	now := MassPreview{Hash: "new", Affected: 2, Certificates: 3}
	if _, err := proposed.Approve(one, "new", now, at); fail.CodeOf(err) != "second_person" {
		t.Errorf("approved by its proposer: %v", err)
	}
	if _, err := proposed.Approve(two, "old", now, at); fail.CodeOf(err) != "mass_preview_changed" || !strings.Contains(fail.Of(err).Fields[0].EN, "new") {
		t.Errorf("approved with an old hash: %v", err)
	}
	if _, err := proposed.Approve(two, "new", MassPreview{Hash: "new"}, at); fail.CodeOf(err) != "mass_nothing" {
		t.Errorf("approved to change nothing: %v", err)
	}
	m, err := proposed.Approve(two, "new", now, at)
	if err != nil || m.ApprovedBy != "b" || m.Effective != "2026-03-02" || m.Total != 3 || m.Confirmed.Hash != "new" {
		t.Fatalf("%+v %v", m, err)
	}
	if m, err = m.page(2, 1, []byte("x"), at); err != nil || m.State != MassRunning || m.Done != 2 {
		t.Fatalf("%+v %v", m, err)
	}
	if m, err = m.page(1, 1, nil, at.Add(time.Hour)); err != nil || m.State != MassDone || m.Done != 3 || m.Changed != 2 || !m.UndoUntil.Equal(at.Add(25*time.Hour)) {
		t.Fatalf("%+v %v", m, err)
	}
	for _, c := range []struct {
		by     Actor
		reason string
		at     time.Time
		code   string
	}{
		{one, "误操作", m.UndoUntil.Add(-time.Second), ""},
		{two, "误操作", m.UndoUntil.Add(-time.Second), ""},
		{three, "误操作", m.UndoUntil.Add(-time.Second), "not_allowed"},
		{one, "误操作", m.UndoUntil, "undo_over"},
		{one, " ", at, "mass_change"},
		{one, "11010519491231002X 误", at, "mass_change"},
	} {
		if _, err := m.GoBack(c.by, c.reason, c.at); fail.CodeOf(err) != c.code {
			t.Errorf("undo by %s at %s: %v, want %q", c.by.Account, c.at, err, c.code)
		}
	}
	if _, err := proposed.Close(two, "", at); fail.KindOf(err) != fail.Invalid {
		t.Errorf("rejected without a reason: %v", err)
	}
	if m, err := proposed.Close(one, "", at); err != nil || m.State != MassWithdrawn {
		t.Errorf("withdrawn: %+v %v", m, err)
	}
}

func TestNewMassChangeNamesEveryFault(t *testing.T) {
	good := NewMassChange{Kind: ChangeSuspend, Scope: MassScope{Institution: "i-1"}, Document: "苏人社〔2026〕1号", Reason: "核查"}
	for name, c := range map[string]struct {
		change func(*NewMassChange)
		want   string
	}{
		"right":            {func(*NewMassChange) {}, ""},
		"empty":            {func(m *NewMassChange) { *m = NewMassChange{} }, "kind, document, reason, scope.institution"},
		"undo":             {func(m *NewMassChange) { m.Kind = ChangeUndo }, "kind"},
		"resume nothing":   {func(m *NewMassChange) { m.Kind = ChangeResume }, "lifts"},
		"void and lift":    {func(m *NewMassChange) { m.Kind, m.Lifts, m.Scope = ChangeVoid, "m-1", MassScope{} }, "lifts"},
		"lift and scope":   {func(m *NewMassChange) { m.Kind, m.Lifts = ChangeResume, "m-1" }, "scope"},
		"session narrowed": {func(m *NewMassChange) { m.Scope.Session, m.Scope.From = "s-1", "2026-01-01" }, "scope.session"},
		"no such day":      {func(m *NewMassChange) { m.Scope.From, m.Scope.Until = "2026-02-29", "x" }, "scope.from, scope.until"},
		"backwards":        {func(m *NewMassChange) { m.Scope.From, m.Scope.Until = "2026-03-02", "2026-03-01" }, "scope.until"},
		"personal":         {func(m *NewMassChange) { m.Reason = "冒用11010519491231002X" }, "reason"},
		"long":             {func(m *NewMassChange) { m.Document = strings.Repeat("文", 101) }, "document"},
	} {
		in := good
		c.change(&in)
		_, err := in.check()
		var got []string
		if err != nil {
			for _, f := range fail.Of(err).Fields {
				got = append(got, f.Name)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

// An undo gives back exactly the status before it, from every status and by every
// kind of change, and only when nothing came after.
func TestUndoGivesBackTheStatus(t *testing.T) {
	at := time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)
	histories := [][]ChangeKind{nil, {ChangeSuspend}, {ChangeCancel}, {ChangeSuspend, ChangeResume}, {ChangeSuspend, ChangeCancel}, {ChangeVoid}}
	for _, history := range histories {
		c := Certificate{Number: "x", Status: CertificateValid, Issued: "2026-01-01"}
		for _, kind := range history {
			var err error
			if c, err = c.Change(NewChange{Kind: kind, Document: "d", Reason: "r"}, Actor{Account: "a"}, at); err != nil {
				t.Fatal(err)
			}
		}
		for _, kind := range []ChangeKind{ChangeVoid, ChangeCancel, ChangeSuspend, ChangeResume} {
			m := MassChange{ID: "m-1", Kind: kind, Effective: standards.DateOf(at), ApprovedBy: "b", Undo: &MassUndo{By: "b", Reason: "误"}}
			to, ok := changeTable[kind][c.Status]
			changed, did := c.InMass(m, at)
			if did != ok || did && (changed.Status != to || statusAfter(changed.Changes) != to) || !did && len(changed.Changes) != len(c.Changes) {
				t.Fatalf("%s after %v: %s %t, want %s %t", kind, history, changed.Status, did, to, ok)
			}
			if !did {
				if _, back := c.Undo(m, at); back {
					t.Errorf("%s after %v was undone and never done", kind, history)
				}
				continue
			}
			if _, twice := changed.InMass(m, at); twice {
				t.Errorf("%s after %v was done twice", kind, history)
			}
			back, ok := changed.Undo(m, at)
			if !ok || back.Status != c.Status || statusAfter(back.Changes) != c.Status || len(back.Changes) != len(c.Changes)+2 {
				t.Errorf("%s after %v undone: %s, want %s", kind, history, back.Status, c.Status)
			}
			if _, again := back.Undo(m, at); again {
				t.Errorf("%s after %v was undone twice", kind, history)
			}
			if later, err := changed.Change(NewChange{Kind: ChangeVoid, Document: "d", Reason: "r"}, Actor{Account: "a"}, at); err == nil {
				if _, ok := later.Undo(m, at); ok {
					t.Errorf("%s after %v was undone behind a later change", kind, history)
				}
			}
			for i := range changed.Changes { // the replay at each entry of the log
				changed.Changes[i].LogIndex = uint64(i)
			}
			if changed.statusBefore(uint64(len(history))) != c.Status {
				t.Errorf("before %s after %v it was %s", kind, history, changed.statusBefore(uint64(len(history))))
			}
		}
	}
}

// A page of the longest numbers and texts fits one entry of the log, or its
// certificates could not be found there.
func TestMassPageFitsTheLog(t *testing.T) {
	numbers := make([]string, bulkPage)
	for i := range numbers {
		numbers[i] = strings.Repeat("证", 40) // the longest that standards.ParseNumber takes
	}
	b, err := json.Marshal(Event{Kind: CertificatesRestored, Object: "m-0123456789abcdef", Institution: "i-0123456789abcdef", By: strings.Repeat("a", 64), Via: strings.Repeat("k", 64),
		Detail: map[string]any{"change": ChangeSuspend, "effective": "2026-03-02", "document": strings.Repeat("文", 100), "reason": strings.Repeat("由", 500), "certificates": numbers}})
	if err != nil || len(b) > auditlog.MaxEvent {
		t.Errorf("a page has %d bytes, %v", len(b), err)
	}
}
