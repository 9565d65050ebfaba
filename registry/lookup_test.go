package registry_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A look-up by number and whole document is a try at the document too: it shares the
// holder's book with the last four characters, or it would be the way around it.
func TestLookupSharesTheHoldersTries(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	issued, again := e.MustCertificates(by, 0, 3), e.MustCertificates(by, 0, 1)
	right := func(i int) string { return invented.PersonAt(i).Document }
	look := func(number, document, from string) credentials.Reason {
		t.Helper()
		v, err := e.LookupFrom(ctx, registry.LookupQuery{Number: number, Document: document}, from)
		if err != nil {
			t.Fatal(err)
		}
		return v.First()
	}
	try := func(c registry.Issued, last4 string) registry.HolderMatch {
		t.Helper()
		m, err := e.MatchDocument(ctx, string(c.Handle), last4, "198.51.100.7/32")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	// Right ones take no try, and five right answers about the last four none here.
	for range 7 {
		if got := look(issued[0].Number, strings.ToLower(right(0)), "a"); got != credentials.ReasonValid {
			t.Fatal(got)
		}
	}
	if m := try(issued[0], lastFour(0)); m.Left != 4 {
		t.Errorf("after right look-ups: %+v", m)
	}
	for range 4 {
		try(issued[0], lastFour(0))
	}
	if got := look(again[0].Number, right(0), "a"); got != credentials.ReasonValid {
		t.Errorf("after right tries at the last four: %s", got)
	}
	e.Clock.Add(24 * time.Hour)
	// Wrong ones count for the holder over his certificates, from wherever they come.
	for i := range 5 {
		if got := look([]string{issued[0].Number, again[0].Number}[i%2], right(7), fmt.Sprint("b", i)); got != credentials.ReasonUnknownCertificate {
			t.Fatal(got)
		}
	}
	if m := try(issued[0], lastFour(0)); m.Answer != registry.MatchSpent {
		t.Errorf("the last four after five wrong look-ups: %+v", m)
	}
	spent, err := e.LookupFrom(ctx, registry.LookupQuery{Number: again[0].Number, Document: right(0)}, "c")
	none, err2 := e.LookupFrom(ctx, registry.LookupQuery{Number: "S000032058300253999999", Document: right(0)}, "c")
	if err != nil || err2 != nil || spent.First() != credentials.ReasonUnknownCertificate || fmt.Sprint(spent) != fmt.Sprint(none) {
		t.Errorf("spent %+v (%v), not there %+v (%v)", spent, err, none, err2)
	}
	if v, err := e.LookupFrom(ctx, registry.LookupQuery{Number: again[0].Number, Name: invented.PersonAt(0).Name}, "c"); err != nil || !v.Valid {
		t.Errorf("by name: %v, %v", v.Reasons, err)
	}
	if got := look(issued[1].Number, right(1), "c"); got != credentials.ReasonValid {
		t.Errorf("another holder: %s", got)
	}
	// A wrong name with the right document is no try at the document.
	for range 6 {
		if v, err := e.LookupFrom(ctx, registry.LookupQuery{Number: issued[2].Number, Name: "不是他", Document: right(2)}, "d"); err != nil || v.First() != credentials.ReasonUnknownCertificate {
			t.Fatal(v.Reasons, err)
		}
	}
	if m := try(issued[2], lastFour(2)); m.Left != 4 {
		t.Errorf("after wrong names: %+v", m)
	}
	// Wrong last fours count here.
	for range 2 {
		try(issued[1], wrongFour(1))
	}
	for range 3 {
		look(issued[1].Number, right(7), "e")
	}
	if got := look(issued[1].Number, right(1), "e"); got != credentials.ReasonUnknownCertificate {
		t.Errorf("after five wrong tries of both kinds: %s", got)
	}
	for _, ev := range eventsOf(t, e, registry.HolderDiffers) {
		if strings.Contains(ev, right(7)) || !strings.Contains(ev, `"kind":"document"`) {
			t.Errorf("event %s", ev)
		}
	}
	e.Clock.Add(24 * time.Hour)
	if got := look(issued[1].Number, right(1), "e"); got != credentials.ReasonValid {
		t.Errorf("tomorrow: %s", got)
	}
}

// One network address has so many wrong ones in a day, whether the numbers are there
// or not: nobody uses up the tries of holder after holder.
func TestLookupFromOneAddress(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 1)
	q := registry.LookupQuery{Number: "S000032058300253999999", Document: invented.PersonAt(5).Document}
	for i := range 60 {
		if _, err := e.LookupFrom(ctx, q, "a"); err != nil {
			t.Fatal(i, err)
		}
	}
	for name, number := range map[string]string{"not there": q.Number, "there": issued[0].Number} {
		if _, err := e.LookupFrom(ctx, registry.LookupQuery{Number: number, Document: invented.PersonAt(0).Document}, "a"); fail.CodeOf(err) != "lookups_spent" || fail.KindOf(err) != fail.RateLimited {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := e.LookupFrom(ctx, registry.LookupQuery{Number: issued[0].Number, Document: invented.PersonAt(0).Document}, "b"); err != nil || !v.Valid {
		t.Errorf("from another: %v, %v", v.Reasons, err)
	}
	if v, err := e.LookupFrom(ctx, registry.LookupQuery{Number: issued[0].Number, Name: invented.PersonAt(0).Name}, "a"); err != nil || !v.Valid {
		t.Errorf("by name: %v, %v", v.Reasons, err)
	}
}

// Many at once give no more answers than one after the other.
func TestLookupRace(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 1)
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			_, _ = e.LookupFrom(ctx, registry.LookupQuery{Number: issued[0].Number, Document: invented.PersonAt(100 + i).Document}, fmt.Sprint(i))
		})
	}
	all.Wait()
	if n := len(eventsOf(t, e, registry.HolderDiffers)); n != 5 {
		t.Errorf("%d documents were compared, 5 a day are", n)
	}
}
