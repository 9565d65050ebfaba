package evaluators_test

import (
	"slices"
	"testing"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/standards"
)

func readmission(effective standards.Date) evaluators.Readmission {
	return evaluators.Readmission{Effective: effective, Document: "苏人社决〔2026〕50号", Basis: "示例管理办法第三十条"}
}

// An institution that was removed is filed anew after a readmission, under a new
// filing alone.
func TestReadmission(t *testing.T) {
	ds := []evaluators.Decision{
		decision("1", evaluators.Suspend, whole, "2026-02-01", at("2026-02-01 09:00")),
		decision("2", evaluators.ExitOrdered, whole, "2026-03-01", at("2026-03-01 09:00")),
	}
	old := filing()
	next := old
	next.ID, next.From, next.Scope = "F2", "2026-07-01", old.Scope[:1]
	now := at("2026-06-01 09:00")
	_, err := evaluators.Admit(institution(), []evaluators.Filing{old}, ds, next, now)
	wantConflict(t, err, "institution_ended")

	inst, err := institution().Readmit(ds, readmission("2026-07-01"), now)
	if err != nil {
		t.Fatal(err)
	}
	if len(institution().Readmissions) != 0 || inst.Readmissions[0].Former != "2" {
		t.Errorf("readmissions %+v", inst.Readmissions)
	}
	early := next
	early.From = "2026-06-30"
	_, err = evaluators.Admit(inst, []evaluators.Filing{old}, ds, early, now)
	wantConflict(t, err, "institution_ended")
	if next, err = evaluators.Admit(inst, []evaluators.Filing{old}, ds, next, now); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		on   standards.Date
		want evaluators.Status
	}{{"2026-06-30", evaluators.Removed}, {"2026-07-01", evaluators.Registered}} {
		if s, _ := inst.StatusAt(ds, c.on, at("2026-07-10 09:00")); s != c.want {
			t.Errorf("the institution on %s: %s", c.on, s)
		}
	}
	later := at("2026-07-10 09:00")
	q := evaluators.Question{Occupation: cook, Level: standards.Senior, ExamDate: "2026-07-05", Now: later}
	if e := evaluators.Entitled(inst, next, ds, q); !e.Entitled {
		t.Errorf("under the new filing: %v", e.Reasons)
	}
	if e := evaluators.Entitled(inst, old, ds, q); !slices.Contains(e.Reasons, evaluators.ReasonRemoved) {
		t.Errorf("under the old filing: %v", e.Reasons)
	}
	if s := evaluators.StatusNow(next, ds, cook, later); s != evaluators.Filed {
		t.Errorf("the new filing is %s", s)
	}
	if s := evaluators.StatusNow(old, ds, cook, later); s != evaluators.Removed {
		t.Errorf("the old filing is %s", s)
	}

	// Decisions on its new standing count, on the whole and on the part.
	filed := []evaluators.Filing{old, next}
	for _, target := range []evaluators.Target{whole, {Institution: "I1", Filing: "F2"}} {
		d, err := evaluators.Decide(inst, filed, ds, decision("3", evaluators.Suspend, target, "2026-07-10", later), later)
		if err != nil {
			t.Fatalf("suspend %+v: %v", target, err)
		}
		if e := evaluators.Entitled(inst, next, append(slices.Clone(ds), d), q); !slices.Contains(e.Reasons, evaluators.ReasonSuspended) {
			t.Errorf("suspended %+v: %v", target, e.Reasons)
		}
	}
	_, err = evaluators.Decide(inst, filed, ds, decision("3", evaluators.Suspend, oneFile, "2026-07-10", later), later)
	wantConflict(t, err, "already_ended")

	// It can end a second time.
	again := append(slices.Clone(ds), decision("3", evaluators.ExitVoluntary, whole, "2026-08-01", at("2026-08-01 09:00")))
	if s, _ := inst.StatusAt(again, "2026-08-01", at("2026-08-01 09:00")); s != evaluators.Exited {
		t.Errorf("after a second exit: %s", s)
	}
	third := next
	third.ID, third.From, third.Until, third.Scope = "F3", "2028-01-01", "2029-12-31", next.Scope
	_, err = evaluators.Admit(inst, filed, again, third, at("2026-08-02 09:00"))
	wantConflict(t, err, "institution_ended")
	// A renewal of what ended with the former standing is none.
	third.Renews = firstID
	_, err = evaluators.Admit(inst, filed, ds, third, at("2026-08-02 09:00"))
	wantConflict(t, err, "renewal_impossible")
}

func TestReadmitRefuses(t *testing.T) {
	now := at("2026-06-01 09:00")
	exit := []evaluators.Decision{decision("1", evaluators.ExitOrdered, whole, "2026-03-01", at("2026-03-01 09:00"))}
	if _, err := institution().Readmit(nil, readmission("2026-06-01"), now); fail.CodeOf(err) != "not_ended" {
		t.Errorf("what has not ended: %v", err)
	}
	_, err := institution().Readmit(exit, evaluators.Readmission{}, now)
	wantFields(t, err, "readmission_invalid", "effective date", "document missing", "basis missing")
	_, err = institution().Readmit(exit, readmission("2026-05-31"), now)
	wantFields(t, err, "readmission_invalid", "effective past")
	listed := func(from, until, recorded string) evaluators.Decision {
		d := decision("2", evaluators.Blacklist, whole, standards.Date(from), at(recorded))
		d.Until = standards.Date(until)
		return d
	}
	bar := listed("2026-03-01", "2026-06-30", "2026-03-01 09:00")
	for _, c := range []struct {
		name      string
		bar       evaluators.Decision
		effective standards.Date
		now       string
		ok        bool
	}{
		{"its last day", bar, "2026-06-30", "2026-06-30 23:59", false},
		{"from the day after, decided while it runs", bar, "2026-07-01", "2026-06-30 23:59", false},
		{"the day after", bar, "2026-07-01", "2026-07-01 00:00", true},
		{"not yet recorded", listed("2026-03-01", "2027-03-01", "2026-06-01 09:01"), "2026-06-01", "2026-06-01 09:00", true},
		{"to begin on the day", listed("2026-06-10", "2027-06-10", "2026-03-01 09:00"), "2026-06-10", "2026-06-01 09:00", false},
	} {
		_, err := institution().Readmit(append(slices.Clone(exit), c.bar), readmission(c.effective), at(c.now))
		if (err == nil) != c.ok || err != nil && fail.CodeOf(err) != "blacklisted" {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestChangeName(t *testing.T) {
	now := at("2026-06-01 09:00")
	i, err := institution().ChangeName(evaluators.NameChange{Name: "新名称", From: "2026-07-01", Document: "昆人社备〔2026〕3号"}, now)
	if err != nil || i.Names[1].Document == "" || i.NameOn("2026-06-30", now) != "昆山示例职业培训学校" || i.NameOn("2026-07-01", now) != "新名称" {
		t.Errorf("%+v, %v", i.Names, err)
	}
	_, err = institution().ChangeName(evaluators.NameChange{Name: "新名称", From: "2026-07-01"}, now)
	wantFields(t, err, "rename_invalid", "document missing")
}
