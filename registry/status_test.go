package registry_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// listsOf is a register with the words of these tests.
type listsOf struct{ *registrytest.Env }

func (e listsOf) change(number string, kind registry.ChangeKind) registry.Change {
	e.T.Helper()
	c, err := e.ChangeCertificate(ctx, e.Authority, number, registry.NewChange{Kind: kind, Document: "苏人社决〔2026〕3号", Reason: "涉嫌替考，调查期间"})
	if err != nil {
		e.T.Fatal(err)
	}
	return c.Changes[len(c.Changes)-1]
}

func (e listsOf) publish() int {
	e.T.Helper()
	n, err := e.PublishStatusLists(ctx)
	if err != nil {
		e.T.Fatal(err)
	}
	return n
}

func (e listsOf) served(name string) registry.SignedStatusList {
	e.T.Helper()
	l, err := e.PublishedStatusList(ctx, name)
	if err != nil {
		e.T.Fatal(err)
	}
	return l
}

// open opens a text as a verifier does whose clock is right.
func (e listsOf) open(text string) *credentials.StatusList {
	e.T.Helper()
	l, err := credentials.OpenStatusList(text, e.Keys.Public(), e.Clock.Now())
	if err != nil {
		e.T.Fatal(err)
	}
	return l
}

func (e listsOf) bit(l *credentials.StatusList, index uint64) bool {
	e.T.Helper()
	on, err := l.Get(int(index % credentials.StatusListBits))
	if err != nil {
		e.T.Fatal(err)
	}
	return on
}

func setBits(l *credentials.StatusList) (out []int) {
	for i := range l.Len() {
		if on, _ := l.Get(i); on {
			out = append(out, i)
		}
	}
	return out
}

func TestStatusListsArePublishedByTheJob(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	fresh := e.served("revocation-0") // before anything was issued
	if got := e.open(fresh.Text); len(setBits(got)) != 0 || fresh.Serial != 1 || fresh.Version != 0 || !got.ValidFrom.Equal(e.Clock.Now()) {
		t.Fatalf("fresh store: %+v", fresh)
	}
	got := e.MustCertificates(e.MustAdmit(1), 0, 3)
	if n := e.publish(); n < 3 {
		t.Errorf("%d published when list 0 began", n)
	}
	if n := e.publish(); n != 0 {
		t.Errorf("%d published when nothing changed", n)
	}
	before := e.served("suspension-0")
	e.Clock.Add(10 * time.Second)
	e.change(got[0].Number, registry.ChangeSuspend)
	if v, err := e.VerdictByToken(ctx, got[0].QR); err != nil || v.First() != credentials.ReasonSuspended {
		t.Errorf("the online verdict waits for the list: %v %v", v.Reasons, err)
	}
	if again := e.served("suspension-0"); again.Text != before.Text {
		t.Error("served before it was published")
	}
	if n := e.publish(); n != 1 {
		t.Errorf("%d published, want the one that changed", n)
	}
	after := e.served("suspension-0")
	list := e.open(after.Text)
	if !e.bit(list, got[0].StatusIndex) || e.bit(list, got[1].StatusIndex) || after.Serial != before.Serial+1 || after.Version != before.Version+1 || after.Position <= before.Position ||
		!list.ValidFrom.Equal(e.Clock.Now()) || !list.ValidUntil.Equal(e.Clock.Now().Add(24*time.Hour)) || list.TTL != registry.StatusTTL {
		t.Errorf("published: %+v %+v", after, list)
	}
	if set := setBits(list); len(set) != 1 {
		t.Errorf("set: %v", set)
	}

	// No job runs: after a minute the list is published by the first who asks.
	e.change(got[0].Number, registry.ChangeResume)
	e.Clock.Add(registry.StatusWithin)
	if e.served("suspension-0").Serial != after.Serial {
		t.Error("published on request before the job's time was over")
	}
	e.Clock.Add(time.Second)
	if l := e.served("suspension-0"); l.Serial != after.Serial+1 || len(setBits(e.open(l.Text))) != 0 {
		t.Errorf("left behind by the job: %+v", l)
	}

	// Unchanged lists are signed anew long before they end.
	last := e.served("refresh-0")
	e.Clock.Set(last.ValidFrom.Add(15*time.Minute - time.Second))
	e.publish()
	if e.served("refresh-0").Serial != last.Serial {
		t.Error("signed anew too early")
	}
	e.Clock.Add(time.Second)
	e.publish()
	if l := e.served("refresh-0"); l.Serial != last.Serial+1 || l.Version != last.Version || !l.ValidFrom.Equal(e.Clock.Now()) {
		t.Errorf("not signed anew: %+v after %+v", l, last)
	}
}

// When nothing changed the job writes nothing.
func TestTheJobIsCheapWhenNothingChanged(t *testing.T) {
	var faulty *kvtest.Faulty
	e := listsOf{registrytest.New(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		faulty = kvtest.NewFaulty(registrytest.Bolt(t, dir))
		return faulty
	}})}
	e.MustCertificates(e.MustAdmit(1), 0, 1)
	e.publish()
	before := faulty.Applies()
	for range 10 {
		e.publish()
		e.served("revocation-0")
	}
	if n := faulty.Applies() - before; n != 0 {
		t.Errorf("%d groups were written", n)
	}
}

// The mark is written with the bit: what dies between them and the publication
// leaves nothing unpublished.
func TestAMarkSurvivesACrash(t *testing.T) {
	var faulty *kvtest.Faulty
	e := listsOf{registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3), Engine: func(t testing.TB, dir string) kv.Engine {
		faulty = kvtest.NewFaulty(registrytest.Bolt(t, dir))
		return faulty
	}})}
	got := e.MustCertificates(e.MustAdmit(1), 0, 1)
	e.publish()
	e.change(got[0].Number, registry.ChangeVoid)
	// take, store and release each fail once, before and after the commit.
	for _, faults := range [][]kvtest.Fault{{kvtest.Refused}, {kvtest.None, kvtest.Refused}, {kvtest.None, kvtest.Unreachable}, {kvtest.Lost, kvtest.Lost}} {
		faulty.Next(faults...)
		if _, err := e.PublishStatusLists(ctx); err == nil {
			t.Logf("%v did not fail", faults)
		}
		for range 4 {
			_ = e.DB.Update(ctx, func(tx kv.Tx) error { tx.Put("test", []byte("k"), nil); return nil })
		}
		e.Clock.Add(registry.LeaseTime) // what died gave nothing back
	}
	e.publish()
	if set := setBits(e.open(e.served("revocation-0").Text)); len(set) != 1 || uint64(set[0]) != got[0].StatusIndex {
		t.Errorf("published %v, want %d", set, got[0].StatusIndex)
	}
}

// stored reads what is published without asking for a publication.
func (e listsOf) stored(name string) (head struct {
	Serial, Version, Position uint64
	ValidFrom                 time.Time `json:"valid_from"`
}, text string) {
	e.T.Helper()
	purpose, list, err := credentials.ParseStatusListName(name)
	if err != nil {
		e.T.Fatal(err)
	}
	err = e.DB.View(ctx, func(rd kv.Reader) error {
		b, err := rd.Get("status_published", kv.Key(string(purpose), uint64(list)))
		if err != nil || b == nil {
			return err
		}
		if err := json.Unmarshal(b, &head); err != nil {
			return err
		}
		b, err = rd.Get("status_texts", kv.Key(string(purpose), uint64(list)))
		text = string(b)
		return err
	})
	if err != nil {
		e.T.Fatal(err)
	}
	return head, text
}

// marked reports whether a list waits to be published.
func (e listsOf) marked(name string) (marked bool) {
	e.T.Helper()
	purpose, list, err := credentials.ParseStatusListName(name)
	if err != nil {
		e.T.Fatal(err)
	}
	if err := e.DB.View(ctx, func(rd kv.Reader) error {
		b, err := rd.Get("status_due", kv.Key(string(purpose), uint64(list)))
		marked = b != nil
		return err
	}); err != nil {
		e.T.Fatal(err)
	}
	return marked
}

// publisher is one process that publishes, stopped at any point.
type publisher struct {
	listsOf
	lease  *registry.Lease
	drafts []registry.StatusDraft // signed, not stored
}

// Two publishers are interleaved at random: bits change, one signs, the other
// stores, one dies between the two, leases run out, clocks jump forward and back.
// After every step what is published is never older than before, and says exactly
// what the ledger was at its time.
func TestAnOlderListNeverReplacesANewerOne(t *testing.T) {
	t.Parallel()
	steps, seeds := 250, 2
	if needed.RaceDetector {
		steps, seeds = 100, 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			pair(t, func(t *testing.T, one, two *registrytest.Env) {
				rnd := mathrand.New(mathrand.NewPCG(uint64(seed), 5))
				got := one.MustCertificates(one.MustAdmit(1), 0, 5)
				two.Clock.Set(one.Clock.Now())
				ps := []*publisher{{listsOf: listsOf{one}}, {listsOf: listsOf{two}}}
				suspended := map[string]bool{}
				states := map[uint64][]int{0: nil}               // version → set bits
				times := map[uint64]time.Time{0: got[0].Created} // version → when
				version := uint64(0)
				before, _ := ps[0].stored("suspension-0")
				outcomes := map[string]int{}
				for step := range steps {
					p := ps[rnd.IntN(2)]
					what := ""
					switch k := rnd.IntN(13); {
					case k < 3:
						c := got[rnd.IntN(len(got))]
						kind := registry.ChangeSuspend
						if suspended[c.Number] {
							kind = registry.ChangeResume
						}
						done := p.change(c.Number, kind)
						suspended[c.Number] = !suspended[c.Number]
						version++
						times[version] = done.Recorded
						for _, c := range got {
							if suspended[c.Number] {
								states[version] = append(states[version], int(c.StatusIndex))
							}
						}
						slices.Sort(states[version])
						what = "change"
					case k < 5:
						if l, err := p.TakeLease(ctx, registry.StatusLease); err == nil {
							p.lease = l
							what = "take"
						}
					case k < 7:
						if rnd.IntN(3) == 0 {
							if err := p.CommitMoment(ctx); err != nil {
								t.Fatal(err)
							}
						}
						d, err := p.DraftStatus(ctx, credentials.Suspension, 0)
						if err != nil {
							t.Fatal(err)
						}
						p.drafts = append(p.drafts, d)
						what = "sign"
					case k < 10 && len(p.drafts) > 0:
						i := rnd.IntN(len(p.drafts))
						d := p.drafts[i]
						p.drafts = slices.Delete(p.drafts, i, i+1)
						lease := p.lease
						if rnd.IntN(2) == 0 {
							lease = nil // as on request
						}
						stored, err := p.StoreStatus(ctx, lease, d)
						if err != nil && fail.CodeOf(err) != "lease_lost" {
							t.Fatal(err)
						}
						what = fmt.Sprintf("store %t %v", stored, fail.CodeOf(err))
					case k == 10:
						p.drafts, p.lease = nil, nil
						what = "die"
					default:
						p.Clock.Add(time.Duration(rnd.IntN(75)-15) * time.Second)
						what = "jump"
					}
					outcomes[what]++
					head, text := p.stored("suspension-0")
					if head.Version != version && !p.marked("suspension-0") {
						t.Fatalf("step %d (%s): version %d is published of %d and nothing is marked", step, what, head.Version, version)
					}
					if head.Serial == 0 {
						continue
					}
					if head.Serial < before.Serial || head.Version < before.Version || head.Position < before.Position || head.ValidFrom.Before(before.ValidFrom) {
						t.Fatalf("step %d (%s): %+v after %+v", step, what, head, before)
					}
					before = head
					list, err := credentials.OpenStatusList(text, one.Keys.Public(), head.ValidFrom)
					if err != nil {
						t.Fatal(err)
					}
					if set := setBits(list); !slices.Equal(set, states[head.Version]) || !list.ValidFrom.Equal(head.ValidFrom) {
						t.Fatalf("step %d (%s): version %d has bits %v, want %v", step, what, head.Version, set, states[head.Version])
					}
					if next, ok := times[head.Version+1]; times[head.Version].After(head.ValidFrom) || ok && next.Before(head.ValidFrom) {
						t.Fatalf("step %d (%s): version %d of %s to %s is valid from %s", step, what, head.Version, times[head.Version], next, head.ValidFrom)
					}
				}
				t.Log(outcomes)
				for _, p := range ps { // whatever happened, it ends published
					p.Clock.Set(later(one.Clock.Now(), two.Clock.Now()).Add(registry.LeaseTime))
				}
				ps[1].publish()
				if head, _ := ps[0].stored("suspension-0"); head.Version != version {
					t.Errorf("at the end version %d is published of %d", head.Version, version)
				}
			})
		})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Place 131,071 is the last of list 0, place 131,072 the first of list 1: both
// are printed, published, verified, and answer ever after.
func TestTheSecondListBegins(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	by := e.MustAdmit(1)
	first := e.MustCertificates(by, 0, 1)
	for _, p := range credentials.StatusPurposes() {
		if _, err := e.StatusList(ctx, credentials.StatusListName(p, 1)); fail.CodeOf(err) != "no_status_list" {
			t.Errorf("%s-1 before anybody has a place in it: %v", p, err)
		}
	}
	if _, err := e.StatusListAt(ctx, "revocation-1", e.Clock.Now().Add(-time.Second)); fail.CodeOf(err) != "no_status_list" {
		t.Errorf("its past: %v", err)
	}
	// All places of list 0 but one are given out.
	if err := e.AllotStatus(ctx, credentials.StatusListBits-1); err != nil {
		t.Fatal(err)
	}
	seam := e.MustCertificates(by, 1, 4) // places 131,071 to 131,073
	lists := map[uint64]int{}
	for _, c := range seam {
		lists[c.StatusIndex/credentials.StatusListBits]++
	}
	if lists[0] != 1 || lists[1] != 2 {
		t.Fatalf("places in lists: %v", lists)
	}
	began := e.Clock.Now()
	e.publish()
	for _, p := range credentials.StatusPurposes() {
		l := e.open(e.served(credentials.StatusListName(p, 1)).Text)
		if l.List != 1 || len(setBits(l)) != 0 || l.URL() != registrytest.Origin+"/status/"+string(p)+"-1" {
			t.Errorf("%s: %+v", p, l)
		}
		if _, err := e.StatusList(ctx, credentials.StatusListName(p, 2)); fail.CodeOf(err) != "no_status_list" {
			t.Errorf("%s-2: %v", p, err)
		}
	}
	for _, c := range slices.Concat(first, seam) {
		e.Clock.Add(time.Minute)
		e.change(c.Number, registry.ChangeVoid)
		e.publish()
		trust := credentials.Trust{Keys: e.Keys.Public()}
		for _, p := range credentials.StatusPurposes() {
			trust.StatusLists = append(trust.StatusLists, e.open(e.served(credentials.StatusListName(p, int(c.StatusIndex/credentials.StatusListBits))).Text))
		}
		if v, err := credentials.VerifyOffline(c.QR, trust, e.Clock.Now()); err != nil || v.First() != credentials.ReasonRevoked {
			t.Errorf("%s with place %d offline: %v %v", c.Number, c.StatusIndex, v.Reasons, err)
		}
	}
	e.Clock.Add(time.Minute)
	if _, err := e.StatusListAt(ctx, "revocation-1", began.Add(-time.Second)); fail.CodeOf(err) != "status_before_first" {
		t.Errorf("list 1 before it began: %v", err)
	}
	if l, err := e.StatusListAt(ctx, "revocation-1", began); err != nil || len(setBits(e.open(l.Text))) != 0 {
		t.Errorf("list 1 when it began: %v", err)
	}
}

// Eleven years, five status keys and an institution that is gone: every list that
// was ever served still verifies, and every address answers with what holds now.
func TestAddressesOfStatusListsAnswerForEver(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	by := e.MustAdmit(1)
	got := e.MustCertificates(by, 0, 2)
	if err := e.AllotStatus(ctx, credentials.StatusListBits); err != nil {
		t.Fatal(err)
	}
	got = append(got, e.MustCertificates(by, 2, 4)...)
	e.change(got[0].Number, registry.ChangeVoid)
	e.change(got[2].Number, registry.ChangeVoid)
	e.publish()
	e.MustRemove(by.Institution.ID)
	names := []string{"revocation-0", "suspension-0", "refresh-0", "revocation-1", "suspension-1", "refresh-1"}
	var texts []string
	var kids []string
	for round := range 6 {
		e.publish()
		for _, name := range names {
			text := e.served(name).Text
			texts = append(texts, text)
			if kid, err := jws.PeekKID(text); err == nil && !slices.Contains(kids, kid) {
				kids = append(kids, kid)
			}
		}
		if round == 5 {
			break
		}
		e.Clock.Set(e.Clock.Now().AddDate(2, 0, 73))
		if _, err := e.Keys.Rotate(jws.Status, rand.Reader, e.Clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if len(kids) != 6 {
		t.Errorf("keys %v signed, want six", kids)
	}
	for _, text := range texts {
		e.open(text)
	}
	for i, name := range names {
		l := e.open(texts[len(texts)-len(names)+i])
		want := 0
		if strings.HasPrefix(name, "revocation") {
			want = 1
		}
		if credentials.StatusListName(l.Purpose, l.List) != name || len(setBits(l)) != want || l.Stale(e.Clock.Now()) {
			t.Errorf("%s after eleven years: %v", name, setBits(l))
		}
	}
	for i, c := range got { // the papers of then
		trust := credentials.Trust{Keys: e.Keys.Public()}
		for _, name := range names {
			trust.StatusLists = append(trust.StatusLists, e.open(e.served(name).Text))
		}
		want := credentials.ReasonValid
		if i%2 == 0 {
			want = credentials.ReasonRevoked
		}
		if v, err := credentials.VerifyOffline(c.QR, trust, e.Clock.Now()); err != nil || v.First() != want {
			t.Errorf("%d: %v %v, want %s", i, v.Reasons, err, want)
		}
	}
}

// A key that signs in place of another signs the lists soon; one that is not
// trusted any more signs nothing that is served.
func TestListsAreSignedAnewWhenTheKeyChanges(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	e.MustCertificates(e.MustAdmit(1), 0, 1)
	e.publish()
	old := e.served("revocation-0")
	kid, err := e.Keys.Rotate(jws.Status, rand.Reader, e.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if n := e.publish(); n != 3 {
		t.Errorf("%d lists signed anew, want 3", n)
	}
	now := e.served("revocation-0")
	if got, _ := jws.PeekKID(now.Text); got != kid || now.Version != old.Version {
		t.Errorf("signed by %s, want %s", got, kid)
	}
	if e.publish() != 0 {
		t.Error("signed anew again and again")
	}
	e.Clock.Add(time.Minute)
	if err := e.Keys.Distrust(kid, e.Clock.Now().Add(-time.Hour), rand.Reader, e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := credentials.OpenStatusList(now.Text, e.Keys.Public(), e.Clock.Now()); !errors.Is(err, jws.ErrDistrusted) {
		t.Fatalf("signed by a key that is not trusted: %v", err)
	}
	e.publish()
	e.open(e.served("revocation-0").Text)

	// A process whose copy of the ring is older than the text leaves it alone.
	stale := registrytest.New(t, registrytest.Options{NoCheck: true}) // another ring altogether
	cfg := e.Config()
	cfg.Keys = stale.Keys
	other, err := registry.New(e.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := other.PublishStatusLists(ctx); n != 0 || err != nil {
		t.Errorf("a process with another ring signed %d lists anew: %v", n, err)
	}
}

// What the lists were at every second, kept beside the register, is what it
// answers about the past.
func TestStatusListsOfThePast(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	by := e.MustAdmit(1)
	begin := e.Clock.Now()
	got := e.MustCertificates(by, 0, 8)
	began := got[0].Created
	past := lifeOf(e, got)
	e.checkPast(past, began)

	for at, code := range map[time.Time]string{
		e.Clock.Now():                            "status_at_future",
		e.Clock.Now().Add(time.Second):           "status_at_future",
		e.Clock.Now().AddDate(500, 0, 0):         "status_at_future",
		began.Add(-time.Second):                  "status_before_first",
		begin.AddDate(-10, 0, 0):                 "status_before_first",
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC): "status_before_first",
	} {
		if _, err := e.StatusListAt(ctx, "revocation-0", at); fail.CodeOf(err) != code {
			t.Errorf("%s: %v, want %s", at, err, code)
		}
	}
	if _, err := e.StatusListAt(ctx, "revocation-1", began); fail.CodeOf(err) != "no_status_list" {
		t.Error(err)
	}
	if _, err := e.StatusListAt(ctx, "message-0", began); fail.KindOf(err) != fail.NotFound {
		t.Error(err)
	}
	// It says that moment and no other, and proves nothing about today.
	at := began.Add(500 * time.Millisecond)
	l, err := e.StatusListAt(ctx, "revocation-0", at)
	if err != nil {
		t.Fatal(err)
	}
	list := e.open(l.Text)
	if !list.ValidFrom.Equal(began) || !list.ValidUntil.Equal(began) || list.TTL != 0 || !list.Stale(e.Clock.Now()) {
		t.Errorf("%+v", list)
	}
	if again, err := e.StatusListAt(ctx, "revocation-0", began); err != nil || again.Text != l.Text {
		t.Errorf("asked again it is another text: %v", err)
	}
}

// A moment that was answered never changes, also when another process has a clock
// that is behind.
func TestTheAnsweredPastIsOver(t *testing.T) {
	pair(t, func(t *testing.T, one, two *registrytest.Env) {
		e := listsOf{one}
		got := e.MustCertificates(e.MustAdmit(1), 0, 1)
		two.Clock.Set(one.Clock.Now())
		one.Clock.Add(10 * time.Minute) // on PostgreSQL the clock of one process
		at := one.Clock.Now().Add(-time.Minute)
		before, err := e.StatusListAt(ctx, "revocation-0", at)
		if err != nil {
			t.Fatal(err)
		}
		listsOf{two}.change(got[0].Number, registry.ChangeVoid)
		fresh, err := registry.New(one.DB, one.Config()) // with no cache
		if err != nil {
			t.Fatal(err)
		}
		one.Clock.Add(time.Hour)
		after, err := fresh.StatusListAt(ctx, "revocation-0", at)
		if err != nil || !bytes.Equal(e.open(after.Text).Bits(), e.open(before.Text).Bits()) {
			t.Errorf("the past has changed: %v", err)
		}
	})
}

// pastOf is what the lists of the purposes were from a moment on.
type pastOf struct {
	from time.Time
	bits map[credentials.StatusPurpose][]int
}

// lifeOf lets certificates be suspended, resumed, voided, undone and reissued,
// several within one second now and then, and keeps what the rule says of each.
func lifeOf(e listsOf, got []registry.Issued) (past []pastOf) {
	e.T.Helper()
	rnd := mathrand.New(mathrand.NewPCG(3, 9))
	type paper struct {
		index      int
		superseded bool
	}
	papers := map[string][]paper{}
	status := map[string]registry.CertificateStatus{}
	for _, c := range got {
		papers[c.Number] = []paper{{index: int(c.StatusIndex)}}
		status[c.Number] = registry.CertificateValid
	}
	note := func() {
		now := pastOf{from: e.Clock.Now(), bits: map[credentials.StatusPurpose][]int{}}
		for number, all := range papers {
			for _, p := range all {
				if p.superseded {
					now.bits[credentials.Refresh] = append(now.bits[credentials.Refresh], p.index)
				}
				if p.superseded || status[number] == registry.CertificateVoided || status[number] == registry.CertificateCancelled {
					now.bits[credentials.Revocation] = append(now.bits[credentials.Revocation], p.index)
				}
				if status[number] == registry.CertificateSuspended {
					now.bits[credentials.Suspension] = append(now.bits[credentials.Suspension], p.index)
				}
			}
		}
		for _, bits := range now.bits {
			slices.Sort(bits)
		}
		past = append(past, now)
	}
	note()
	for range 60 {
		e.Clock.Add(time.Duration(rnd.IntN(3)) * 40 * time.Second) // also none
		c := got[rnd.IntN(len(got))]
		switch s := status[c.Number]; {
		case s == registry.CertificateValid && rnd.IntN(3) == 0:
			again, err := e.ReissueCertificate(ctx, e.Authority, c.Number, registry.Reissue{Basis: "补发申请20260302", Reason: "证书遗失"})
			if err != nil {
				e.T.Fatal(err)
			}
			all := papers[c.Number]
			all[len(all)-1].superseded = true
			papers[c.Number] = append(all, paper{index: int(again.StatusIndex)})
		case s == registry.CertificateValid && rnd.IntN(8) > 0:
			e.change(c.Number, registry.ChangeSuspend)
			status[c.Number] = registry.CertificateSuspended
		case s == registry.CertificateSuspended && rnd.IntN(8) > 0:
			e.change(c.Number, registry.ChangeResume)
			status[c.Number] = registry.CertificateValid
		case s == registry.CertificateValid || s == registry.CertificateSuspended:
			e.change(c.Number, registry.ChangeCancel)
			status[c.Number] = registry.CertificateCancelled
		case s == registry.CertificateCancelled:
			e.change(c.Number, registry.ChangeVoid)
			status[c.Number] = registry.CertificateVoided
		}
		note()
		if rnd.IntN(5) == 0 {
			e.publish()
		}
	}
	e.Clock.Add(time.Minute)
	return past
}

// checkPast compares the answers about each moment of a life with what was noted.
func (e listsOf) checkPast(past []pastOf, began time.Time) {
	e.T.Helper()
	for i, p := range past {
		moments := []time.Time{later(p.from, began)}
		if i+1 < len(past) {
			moments = append(moments, past[i+1].from.Add(-time.Second))
			if past[i+1].from.Equal(p.from) {
				continue // the end of a second counts
			}
		}
		for _, at := range moments {
			for _, purpose := range credentials.StatusPurposes() {
				l, err := e.StatusListAt(ctx, credentials.StatusListName(purpose, 0), at)
				if err != nil {
					e.T.Fatalf("%s at %s: %v", purpose, at, err)
				}
				if set := setBits(e.open(l.Text)); !slices.Equal(set, p.bits[purpose]) {
					e.T.Errorf("%s at %s: %v, want %v", purpose, at, set, p.bits[purpose])
				}
			}
		}
	}
}

// A store without history gets the whole of it from the changes of its
// certificates: every moment is answered as before.
func TestMigrationOfStatusHistory(t *testing.T) {
	e := listsOf{registrytest.New(t)}
	by := e.MustAdmit(1)
	defer registry.SetMigrationPage(30)()
	got := e.MustCertificates(by, 0, 100)
	past := lifeOf(e, got[:12])
	old := registry.Elsewhere{Number: "S000032058301263000999", Name: "王建国", Document: firstDocument(), Occupation: "6-31-01-03", Level: got[0].Level,
		Issued: "2026-03-02", InstitutionName: by.Institution.Name}
	if _, err := e.RegisterElsewhere(ctx, by.Actor, []registry.Elsewhere{old}); err != nil {
		t.Fatal(err)
	}
	e.change(old.Number, registry.ChangeVoid) // nothing of ours is printed
	e.publish()
	before := e.served("suspension-0")
	for _, table := range []kv.Table{"status_history", "status_bases", "status_lists", "status_due", "status_published", "status_texts", "status_to_sign", "leases"} {
		err := e.DB.Update(ctx, func(tx kv.Tx) error {
			return kv.Each(tx, table, kv.Range{}, func(entry kv.Entry) error { tx.Delete(table, entry.Key); return nil })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if report, err := e.Check(ctx, registry.Operator(), nil); err != nil || report.Found == 0 {
		t.Fatalf("check of the old store finds %d problems, %v", report.Found, err)
	}
	i := slices.IndexFunc(registry.Migrations(), func(m kv.Migration) bool { return m.Name == "history of status lists" })
	pages := 0
	var cursor []byte
	for done := false; !done; pages++ {
		var next []byte // not the cursor: the function may run more than once
		if err := e.DB.Update(ctx, func(tx kv.Tx) (err error) {
			next, done, err = registry.Migrations()[i].Step(tx, cursor)
			return err
		}); err != nil || pages > 100 {
			t.Fatalf("page %d: %v", pages, err)
		}
		cursor = next
	}
	if pages < 4 {
		t.Errorf("%d pages of 100 certificates and their versions", pages)
	}
	again, err := registry.New(e.DB, e.Config()) // with no cache
	if err != nil {
		t.Fatal(err)
	}
	e.Registry = again
	e.MustCheck()
	e.publish()
	if now := e.served("suspension-0"); !bytes.Equal(e.open(now.Text).Bits(), e.open(before.Text).Bits()) {
		t.Error("the list is another one")
	}
	e.checkPast(past, got[0].Created)
	e.change(got[20].Number, registry.ChangeVoid) // and it goes on
	e.publish()
}

// Thousands of changes: bases keep what is read short, and the past is the same
// with them and without.
func TestBasesOfHistory(t *testing.T) {
	e := listsOf{registrytest.New(t, registrytest.Options{NoCheck: true})} // bits of no certificate
	e.MustCertificates(e.MustAdmit(1), 0, 1)
	rnd := mathrand.New(mathrand.NewPCG(1, 1))
	on := map[int]bool{}
	var moments []time.Time
	var want [][]int
	for range 40 {
		e.Clock.Add(time.Minute)
		var raised, cleared []int
		for _, i := range rnd.Perm(5000)[:1+rnd.IntN(900)] {
			if i *= 26; on[i] {
				cleared = append(cleared, i)
			} else {
				raised = append(raised, i)
			}
			on[i] = !on[i]
		}
		for change, to := range map[*[]int]bool{&raised: true, &cleared: false} {
			if err := e.SetStatusBits(ctx, credentials.Suspension, 0, to, *change...); err != nil {
				t.Fatal(err)
			}
		}
		if rnd.IntN(4) == 0 {
			e.publish()
		}
		moments = append(moments, e.Clock.Now())
		var set []int
		for i := range on {
			if on[i] {
				set = append(set, i)
			}
		}
		slices.Sort(set)
		want = append(want, set)
	}
	e.Clock.Add(time.Minute)
	e.publish()
	count := func(table kv.Table) (n int) {
		if err := e.DB.View(ctx, func(rd kv.Reader) error {
			return kv.Each(rd, table, kv.Range{}, func(kv.Entry) error { n++; return nil })
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	entries, bases := count("status_history"), count("status_bases")
	if bases < 2 || bases > entries/registry.BaseEvery {
		t.Errorf("%d bases of %d entries", bases, entries)
	}
	compare := func(what string) {
		fresh, err := registry.New(e.DB, e.Config())
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range moments {
			if i%4 != 0 && i < len(moments)-4 {
				continue
			}
			l, err := fresh.StatusListAt(ctx, "suspension-0", at)
			if err != nil {
				t.Fatal(err)
			}
			if set := setBits(e.open(l.Text)); !slices.Equal(set, want[i]) {
				t.Errorf("%s, %s: %d bits, want %d", what, at, len(set), len(want[i]))
			}
		}
	}
	compare("with bases")
	e.MustCheckOnly(t, "base of version", "its history leads to other bits", "differs from the ledger")
	e.strip(t, "status_bases")
	compare("without")
	t.Logf("%d entries, %d bases", entries, bases)
}

// MustCheckOnly fails when check finds a problem that has one of the words.
func (e listsOf) MustCheckOnly(t *testing.T, words ...string) {
	t.Helper()
	report, err := e.Check(ctx, registry.Operator(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range report.Problems {
		for _, w := range words {
			if strings.Contains(problem, w) {
				t.Error(problem)
			}
		}
	}
}

func (e listsOf) strip(t *testing.T, table kv.Table) {
	t.Helper()
	if err := e.DB.Update(ctx, func(tx kv.Tx) error {
		return kv.Each(tx, table, kv.Range{}, func(entry kv.Entry) error { tx.Delete(table, entry.Key); return nil })
	}); err != nil {
		t.Fatal(err)
	}
}

// Whatever is changed behind the register's back, check says so.
func TestCheckOfPublishedLists(t *testing.T) {
	list0 := func(purpose string) []byte { return kv.Key(purpose, uint64(0)) }
	edit := func(tx kv.Tx, table kv.Table, key []byte, fn func(map[string]any)) error {
		b, err := tx.Get(table, key)
		if err != nil {
			return err
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		fn(v)
		b, err = json.Marshal(v)
		tx.Put(table, key, b)
		return err
	}
	for name, c := range map[string]struct {
		want   string
		broken func(e listsOf, tx kv.Tx, first []kv.Entry) error // first entries of the history of suspensions
	}{
		"nothing": {"", func(listsOf, kv.Tx, []kv.Entry) error { return nil }},
		"a bit is cleared without history": {"leads to other bits", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			return kv.Each(tx, "status_bits", kv.Prefix(list0("suspension")), func(e kv.Entry) error { tx.Delete("status_bits", e.Key); return nil })
		}},
		"an entry of the history is gone": {"differs from the ledger of that time", func(_ listsOf, tx kv.Tx, h []kv.Entry) error {
			tx.Delete("status_history", h[len(h)-1].Key)
			return nil
		}},
		"an entry says the opposite": {"leads to other bits", func(_ listsOf, tx kv.Tx, h []kv.Entry) error {
			tx.Put("status_history", h[len(h)-1].Key, []byte{0})
			return nil
		}},
		"the text is another list's": {"as published is", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			b, err := tx.Get("status_texts", list0("revocation"))
			tx.Put("status_texts", list0("suspension"), b)
			return err
		}},
		"the text is gone": {"does not open", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			tx.Delete("status_texts", list0("suspension"))
			return nil
		}},
		"the text is damaged": {"does not open", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			b, err := tx.Get("status_texts", list0("suspension"))
			b[len(b)/2] ^= 1
			tx.Put("status_texts", list0("suspension"), b)
			return err
		}},
		"an older version is said to be published": {"not marked to be published", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			return edit(tx, "status_published", list0("suspension"), func(v map[string]any) { v["version"] = 1 })
		}},
		"a version that is not": {"has 2", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			return edit(tx, "status_published", list0("suspension"), func(v map[string]any) { v["version"] = 9 })
		}},
		"the mark is gone": {"not marked to be published", func(e listsOf, tx kv.Tx, _ []kv.Entry) error {
			tx.Put("counters", kv.Key("status-version", "suspension", uint64(0)), binary.BigEndian.AppendUint64(nil, 7))
			return nil
		}},
		"an entry lies after the publication that has it": {"recorded after", func(e listsOf, tx kv.Tx, h []kv.Entry) error {
			last := h[len(h)-1]
			parts, err := kv.ParseKey(last.Key)
			tx.Delete("status_history", last.Key)
			tx.Put("status_history", kv.Key(parts[0], parts[1], uint64(e.Clock.Now().Unix()+1000), parts[3], parts[4]), last.Value)
			return err
		}},
		"a list does not say since when": {"does not say since when", func(_ listsOf, tx kv.Tx, _ []kv.Entry) error {
			tx.Delete("status_lists", kv.Key(uint64(0)))
			return nil
		}},
		"a base is wrong": {"the base of version", func(_ listsOf, tx kv.Tx, h []kv.Entry) error {
			parts, err := kv.ParseKey(h[0].Key)
			tx.Put("status_bases", kv.Key(parts[:4]...), make([]byte, credentials.StatusListBits/8))
			return err
		}},
		"a base of nothing": {"which its history does not have", func(_ listsOf, tx kv.Tx, h []kv.Entry) error {
			tx.Put("status_bases", kv.Key("suspension", uint64(0), uint64(1), uint64(1)), make([]byte, credentials.StatusListBits/8))
			return nil
		}},
		"valid from the future": {"which the store has not reached", func(e listsOf, tx kv.Tx, _ []kv.Entry) error {
			return edit(tx, "status_published", list0("suspension"), func(v map[string]any) { v["valid_from"] = e.Clock.Now().Add(time.Hour) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := listsOf{registrytest.New(t, registrytest.Options{NoCheck: true, Engine: registrytest.Bolt})}
			got := e.MustCertificates(e.MustAdmit(1), 0, 2)
			for _, one := range got {
				e.Clock.Add(time.Minute)
				e.change(one.Number, registry.ChangeSuspend)
			}
			e.publish()
			if err := e.DB.Update(ctx, func(tx kv.Tx) error {
				h, err := tx.Scan("status_history", kv.Range{From: list0("suspension"), To: list0("suspensioo"), Limit: 10})
				if err != nil || len(h) != 2 {
					return fmt.Errorf("%d entries of history: %w", len(h), err)
				}
				return c.broken(e, tx, h)
			}); err != nil {
				t.Fatal(err)
			}
			report, err := e.Check(ctx, registry.Operator(), nil)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(report.Problems, "\n")
			if c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("check says %q, want %q", text, c.want)
			}
		})
	}
}
