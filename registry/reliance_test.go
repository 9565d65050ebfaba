package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/sheet"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// feed reads a payer's whole feed in pages.
func (e *claimEnv) feed(by registry.Actor) (out []registry.RelianceView) {
	e.T.Helper()
	after := uint64(0)
	for {
		page, err := e.Reliance(ctx, by, after, 7, 0)
		if err != nil {
			e.T.Fatalf("reliance: %v", err)
		}
		out = append(out, page.Items...)
		if after = page.Next; !page.More {
			return out
		}
	}
}

func (e *claimEnv) mustChange(number string, kind registry.ChangeKind) {
	e.T.Helper()
	if _, err := e.ChangeCertificate(ctx, e.Authority, number, registry.NewChange{Kind: kind, Document: "苏人社撤〔2026〕3号", Reason: "考试替考"}); err != nil {
		e.T.Fatalf("%s: %v", kind, err)
	}
}

func told(es []registry.RelianceView) string {
	var out []string
	for _, e := range es {
		out = append(out, fmt.Sprintf("%d %s %s %s %s", e.Seq, e.What, e.Advice, e.State, e.Paid))
	}
	return strings.Join(out, "\n")
}

// The whole story of one certificate under two claims of one payer's, and of what
// concerns nobody: released, expired and refused claims.
func TestRelianceFollowsACertificate(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	other := e.issue(2, "6-31-01-03", standards.Senior)
	released := e.mustReserve(e.other, e.request(1, cert.Number)).Claim
	if _, err := e.ReleaseClaim(ctx, e.other, released.ID, "本人撤回"); err != nil {
		t.Fatal(err)
	}
	claim := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	refused := e.mustReserve(e.other, e.request(1, cert.Number))
	if refused.Outcome != policy.Deny || refused.Claim == nil {
		t.Fatalf("second claim %+v", refused)
	}
	e.mustReserve(e.other, e.request(2, other.Number))

	e.mustChange(cert.Number, registry.ChangeSuspend)
	e.mustChange(cert.Number, registry.ChangeResume)
	e.mustConfirm(e.kunshan, claim.ID, "PAY-1", claim.Amount)
	if _, err := e.ReissueCertificate(ctx, e.issuer.Actor, cert.Number, registry.Reissue{Basis: "补发申请 1", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	e.mustChange(cert.Number, registry.ChangeCancel)
	e.mustChange(cert.Number, registry.ChangeVoid)
	yes := true
	if _, err := e.RefundClaim(ctx, e.kunshan, claim.ID, registry.Refund{Amount: claim.Amount, Reason: "撤销追回", Restores: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.RecordIntegrity(ctx, e.Authority, registry.NewIntegrityEntry{Certificate: cert.Number, Kind: "cheating", Occurred: standards.DateOf(e.Clock.Now()),
		Document: "苏人社诚〔2026〕1号", Basis: "考试替考"}); err != nil {
		t.Fatal(err)
	}
	got := e.feed(e.kunshan)
	want := fmt.Sprintf("1 suspended hold reserved 0\n2 resumed none reserved 0\n3 reissued none confirmed %[1]s\n4 cancelled notify confirmed %[1]s\n5 voided recover confirmed %[1]s\n6 integrity notify refunded 0", claim.Amount)
	if told(got) != want {
		t.Fatalf("feed\n%s\nwant\n%s", told(got), want)
	}
	void := got[4]
	if void.Claim != claim.ID || void.Reference != claim.Reference || void.Certificate != cert.Number || void.Since != cert.Issued || void.Effective != standards.DateOf(void.At) ||
		void.Document != "苏人社撤〔2026〕3号" || void.Reason != "考试替考" || void.Institution != e.issuer.Institution.ID || void.Status != registry.CertificateVoided || void.LogIndex == 0 || void.ID == "" ||
		void.AdviceName.ZH != "应追回：已发放的补贴须依法追回" {
		t.Errorf("voided %+v", void)
	}
	if es := e.feed(e.other); len(es) != 0 {
		t.Errorf("released, refused and foreign claims: %s", told(es))
	}
	if text := asJSON(t, got); strings.Contains(text, invented.PersonAt(1).Name) || strings.Contains(text, invented.PersonAt(1).Document) || strings.Contains(text, "苏人社诚") {
		t.Error("the feed names the person, or says what the integrity entry is")
	}
	again := e.feed(e.kunshan)
	if asJSON(t, again) != asJSON(t, got) {
		t.Error("the feed has changed")
	}
}

func TestRelianceCursor(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustReserve(e.kunshan, e.request(1, cert.Number))
	for range 3 {
		e.mustChange(cert.Number, registry.ChangeSuspend)
		e.mustChange(cert.Number, registry.ChangeResume)
	}
	page, err := e.Reliance(ctx, e.kunshan, 2, 3, 0)
	if err != nil || len(page.Items) != 3 || page.Items[0].Seq != 3 || page.Next != 5 || !page.More {
		t.Fatalf("%+v, %v", page, err)
	}
	if page, err = e.Reliance(ctx, e.kunshan, 6, 0, 0); err != nil || len(page.Items) != 0 || page.Next != 6 || page.More {
		t.Fatalf("at the end: %+v, %v", page, err)
	}
	if _, err = e.Reliance(ctx, e.kunshan, 7, 0, 0); fail.CodeOf(err) != "cursor_ahead" {
		t.Errorf("beyond the end: %v", err)
	}
	if _, err = e.Reliance(ctx, e.kunshan, 0, 501, 0); fail.CodeOf(err) != "limit" {
		t.Errorf("limit 501: %v", err)
	}
	for name, by := range map[string]registry.Actor{"public": {}, "authority": e.Authority, "institution": e.issuer.Actor, "operator": registry.Operator()} {
		if _, err := e.Reliance(ctx, by, 0, 0, 0); fail.KindOf(err) != fail.Forbidden && fail.KindOf(err) != fail.Unauthorized {
			t.Errorf("%s reads a feed: %v", name, err)
		}
	}
	for through, want := range map[uint64]uint64{4: 4, 2: 4, 6: 6} {
		_ = want
		if _, err := e.AcknowledgeReliance(ctx, e.kunshan, through); err != nil {
			t.Errorf("acknowledge %d: %v", through, err)
		}
	}
	if _, err := e.AcknowledgeReliance(ctx, e.kunshan, 7); fail.CodeOf(err) != "cursor_ahead" {
		t.Errorf("acknowledge 7: %v", err)
	}
	if page, err = e.Reliance(ctx, e.kunshan, 0, 0, 0); err != nil || page.Acknowledged != 6 || len(page.Items) != 6 {
		t.Errorf("acknowledged: %+v, %v", page, err)
	}
}

// A reader that waits is answered when the entry comes, and goes empty-handed when
// none does.
func TestRelianceWaits(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustReserve(e.kunshan, e.request(1, cert.Number))
	began := time.Now()
	if page, err := e.Reliance(ctx, e.kunshan, 0, 0, 700*time.Millisecond); err != nil || len(page.Items) != 0 || time.Since(began) < 600*time.Millisecond {
		t.Fatalf("%+v after %s, %v", page, time.Since(began), err)
	}
	done := make(chan registry.RelianceFeed)
	go func() {
		page, err := e.Reliance(ctx, e.kunshan, 0, 0, registry.RelianceWaitMost)
		if err != nil {
			t.Error(err)
		}
		done <- page
	}()
	time.Sleep(50 * time.Millisecond)
	e.mustChange(cert.Number, registry.ChangeSuspend)
	select {
	case page := <-done:
		if len(page.Items) != 1 {
			t.Errorf("%+v", page)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still waiting")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Reliance(ended, e.kunshan, 1, 0, time.Minute); err == nil {
		t.Error("waits after the end")
	}
}

// Xianning: hundreds of certificates voided at once. Every claim that holds money
// or a reservation has exactly one entry; a change of one certificate that comes
// while the outbox is not empty is told after it; the undo is told too.
func TestRelianceOfAMassVoiding(t *testing.T) {
	e := newMassEnv(t, registrytest.Options{Rerun: kvtest.Rerun(5)})
	const people, claimed = 620, 300
	got := e.MustCertificates(e.issuer, 0, people)
	e.Clock.Add(time.Hour)
	states := map[string]policy.State{}
	for i := range claimed {
		by := e.kunshan
		if i%3 == 0 {
			by = e.other
		}
		c := e.mustReserve(by, e.request(i*2, got[i*2].Number)).Claim
		states[c.ID] = policy.Reserved
		switch {
		case i%2 == 0:
			e.mustConfirm(by, c.ID, "PAY-"+c.ID, c.Amount)
			states[c.ID] = policy.Confirmed
		case i%7 == 0:
			if _, err := e.ReleaseClaim(ctx, by, c.ID, "撤回"); err != nil {
				t.Fatal(err)
			}
			delete(states, c.ID)
		}
	}
	in := suspension(registry.MassScope{Institution: e.issuer.Institution.ID})
	in.Kind = registry.ChangeVoid
	m := e.mustDo(in)
	if m.Changed != people {
		t.Fatalf("%+v", m)
	}
	seen := map[string]int{}
	for _, by := range []registry.Actor{e.kunshan, e.other} {
		for i, entry := range e.feed(by) {
			seen[entry.Claim]++
			want := registry.AdviceRecover
			if states[entry.Claim] == policy.Reserved {
				want = registry.AdviceStop
			}
			if entry.Seq != uint64(i+1) || entry.State != states[entry.Claim] || entry.Advice != want || entry.What != registry.RelianceVoided || (entry.Paid > 0) != (entry.State == policy.Confirmed) {
				t.Fatalf("%+v, claim is %s", entry, states[entry.Claim])
			}
		}
	}
	if len(seen) != len(states) {
		t.Fatalf("%d claims were told, %d are concerned", len(seen), len(states))
	}
	for id, n := range seen {
		if n != 1 || states[id] == "" {
			t.Errorf("claim %s: %d entries", id, n)
		}
	}
	e.MustCheck()
	e.recoveries(states)
	e.mustUndo(m)
	n := len(e.feed(e.kunshan)) + len(e.feed(e.other))
	if n != 2*len(states) {
		t.Errorf("%d entries after the undo, want %d", n, 2*len(states))
	}
	q := registry.RecoveryQuery{Institution: e.issuer.Institution.ID}
	rows, totals, _, err := e.Recoveries(ctx, e.Authority, q, registry.Page{Limit: 500})
	if err != nil || len(totals) != 0 || len(rows) != len(states) || !rows[0].Withdrawn || rows[0].Outstanding != 0 {
		t.Errorf("after the undo: %d rows, totals %+v, %v", len(rows), totals, err)
	}
}

// recoveries holds the list of recoveries against the claims, as everybody who may
// see it does.
func (e *massEnv) recoveries(states map[string]policy.State) {
	t := e.T
	q := registry.RecoveryQuery{Institution: e.issuer.Institution.ID, From: standards.DateOf(e.Clock.Now()), To: standards.DateOf(e.Clock.Now())}
	read := func(by registry.Actor) (rows []registry.Recovery, totals []registry.RecoveryTotal) {
		page := registry.Page{Limit: 100}
		for {
			some, sums, next, err := e.Recoveries(ctx, by, q, page)
			if err != nil {
				t.Fatal(err)
			}
			if page.Cursor == "" {
				totals = sums
			}
			rows = append(rows, some...)
			if page.Cursor = next; next == "" {
				return rows, totals
			}
		}
	}
	rows, totals := read(e.Authority)
	paid := policy.Fen(0)
	for _, row := range rows {
		if states[row.Claim] != row.State || row.Withdrawn || row.Outstanding != row.Paid {
			t.Fatalf("%+v", row)
		}
		paid += row.Outstanding
	}
	sum, n := policy.Fen(0), 0
	for _, s := range totals {
		sum, n = sum+s.Outstanding, n+s.Claims
	}
	if len(rows) != len(states) || n != len(rows) || sum != paid || paid == 0 || len(totals) != 4 {
		t.Errorf("%d rows with %s, totals of %d with %s: %+v", len(rows), paid, n, sum, totals)
	}
	own, _ := read(e.kunshan)
	if len(own) == 0 || len(own) >= len(rows) || slices.ContainsFunc(own, func(r registry.Recovery) bool { return r.Payer != e.kunshan.Organisation }) {
		t.Errorf("the payer sees %d of %d", len(own), len(rows))
	}
	// An authority of the payer's region alone sees its payer in full and nothing else.
	local := registry.Actor{Account: "a-ks", Roles: []registry.Role{registry.RoleAuthority}, Region: "320583"}
	region := e.issuer.Filing.Region
	seen, _ := read(local)
	for _, row := range seen {
		if row.Payer != e.kunshan.Organisation && (row.Claim != "" || row.Reference != "" || row.Seq != 0) || row.Payer == e.kunshan.Organisation && row.Claim == "" {
			t.Fatalf("an authority elsewhere sees %+v (institution in %s)", row, region)
		}
	}
	if far, _ := read(registry.Actor{Account: "a-zj", Roles: []registry.Role{registry.RoleAuthority}, Region: "330000"}); len(far) != 0 {
		t.Errorf("an authority of another province sees %d", len(far))
	}
	for name, by := range map[string]registry.Actor{"public": {}, "institution": e.issuer.Actor} {
		if _, _, _, err := e.Recoveries(ctx, by, q, registry.Page{}); err == nil {
			t.Errorf("%s sees recoveries", name)
		}
	}
	for _, bad := range []registry.RecoveryQuery{{}, {Institution: q.Institution, From: "x"}, {Institution: q.Institution, From: "2026-03-02", To: "2026-03-01"}} {
		if _, _, _, err := e.Recoveries(ctx, e.Authority, bad, registry.Page{}); fail.CodeOf(err) != "recoveries" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	before := q
	before.From, before.To = "", q.From.AddDays(-1)
	if rows, _, _, err := e.Recoveries(ctx, e.Authority, before, registry.Page{}); err != nil || len(rows) != 0 {
		t.Errorf("before the voiding: %d rows, %v", len(rows), err)
	}
	file, err := e.RecoveryFile(ctx, e.Authority, q)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sheet.Read(bytes.NewReader(file), sheet.Limits{})
	if err != nil || len(s.Rows) != len(rows) || s.Header[3] != "经办机构" || s.Rows[0].Cells[3] != rows[0].Payer || s.Rows[0].Cells[11] != rows[0].Outstanding.String() {
		t.Errorf("workbook: %+v, %v", s, err)
	}
}

// Two processes carry out and tell of a mass change at once; a crash between the
// change and the telling loses nothing, and what happens to one of its
// certificates meanwhile is told after it.
func TestRelianceOutbox(t *testing.T) {
	e := newMassEnv(t)
	got := e.MustCertificates(e.issuer, 0, 120)
	e.Clock.Add(time.Hour)
	var claims []*registry.ClaimView
	for i := range 120 {
		claims = append(claims, e.mustReserve(e.kunshan, e.request(i, got[i].Number)).Claim)
	}
	m := e.mustApprove(e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID})))
	if _, err := registry.MassStepOnly(ctx, e.Registry, e.second, m.ID); err != nil {
		t.Fatal(err)
	}
	e.MustCheck()
	if n := len(e.feed(e.kunshan)); n != 0 {
		t.Fatalf("%d entries before the outbox is read", n)
	}
	e.mustChange(got[7].Number, registry.ChangeVoid)
	e.MustCheck()
	if n := len(e.feed(e.kunshan)); n != 0 {
		t.Fatalf("%d entries: a later change was told before an earlier one", n)
	}
	// A claim that is paid after the change and before it is told was reserved then.
	e.mustConfirm(e.kunshan, claims[3].ID, "PAY-3", claims[3].Amount)
	errs := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := e.SpreadReliance(ctx)
			errs <- err
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	es := e.feed(e.kunshan)
	if len(es) != 121 || es[120].What != registry.RelianceVoided || es[120].Advice != registry.AdviceStop {
		t.Fatalf("%d entries, the last %s", len(es), told(es[len(es)-1:]))
	}
	for _, entry := range es[:120] {
		if entry.State != policy.Reserved || entry.Paid != 0 || entry.Advice != registry.AdviceHold {
			t.Fatalf("%s", told([]registry.RelianceView{entry}))
		}
	}
	if n, err := e.SpreadReliance(ctx); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

// Check sees an entry that is missing, one that says something else, and a gap.
func TestCheckFindsReliance(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{NoCheck: true})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	e.mustReserve(e.kunshan, e.request(1, cert.Number))
	e.mustChange(cert.Number, registry.ChangeSuspend)
	e.mustChange(cert.Number, registry.ChangeVoid)
	if got := problems(t, e.Env, "certificate"); got != 0 {
		t.Fatalf("%d problems in a sound register", got)
	}
	registry.ChangeReliance(t, e.Registry, e.kunshan.Organisation, 2, func(entry *registry.RelianceEntry) *registry.RelianceEntry {
		entry.Advice = registry.AdviceNotify
		return entry
	})
	if problems(t, e.Env, "does not say what became of") != 1 {
		t.Error("another advice is not seen")
	}
	registry.ChangeReliance(t, e.Registry, e.kunshan.Organisation, 2, func(*registry.RelianceEntry) *registry.RelianceEntry { return nil })
	if problems(t, e.Env, "nobody was told") != 1 || problems(t, e.Env, "its counter says") != 1 {
		t.Error("a missing entry is not seen")
	}
}

func problems(t *testing.T, e *registrytest.Env, with string) (n int) {
	t.Helper()
	report, err := e.Check(ctx, registry.Operator(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Problems {
		if strings.Contains(p, with) {
			n++
		}
	}
	return n
}

// A payment reported after the voiding has to come back, and the list of recoveries
// has it once, with what was paid.
func TestReliancePaidAfterVoiding(t *testing.T) {
	e := newClaimEnv(t)
	cert, good := e.issue(1, "6-31-01-03", standards.Senior), e.issue(2, "6-31-01-03", standards.Senior)
	claim := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	fine := e.mustReserve(e.kunshan, e.request(2, good.Number)).Claim
	e.mustChange(cert.Number, registry.ChangeVoid)
	for _, c := range []*registry.ClaimView{fine, claim} {
		e.mustConfirm(e.kunshan, c.ID, "PAY-"+c.ID, c.Amount)
		if len(e.feed(e.kunshan)) < 2 { // the confirmation may have told it already
			registry.RelianceOfPayment(t, e.Registry, c.ID)
		}
	}
	want := fmt.Sprintf("1 voided stop reserved 0\n2 paid_void recover confirmed %s", claim.Amount)
	if es := e.feed(e.kunshan); told(es) != want {
		t.Errorf("feed\n%s\nwant\n%s", told(es), want)
	}
	rows, totals, _, err := e.Recoveries(ctx, e.kunshan, registry.RecoveryQuery{Institution: e.issuer.Institution.ID}, registry.Page{})
	if err != nil || len(rows) != 1 || rows[0].StateThen != policy.Reserved || rows[0].State != policy.Confirmed || rows[0].Outstanding != claim.Amount || len(totals) != 1 || totals[0].Outstanding != claim.Amount {
		t.Errorf("%+v %+v, %v", rows, totals, err)
	}
}

// Collisions concern the claims they name, a merge every claim of the person.
func TestRelianceOfCollisionAndMerge(t *testing.T) {
	e := newClaimEnv(t)
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	claim := e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	found, err := e.CertificateByNumber(ctx, e.Authority, cert.Number)
	if err != nil {
		t.Fatal(err)
	}
	registry.RelianceOfClaims(t, e.Registry, registry.RelianceCollision, nil, claim.ID, claim.ID, "c-unknown")
	e.mustConfirm(e.kunshan, claim.ID, "PAY", claim.Amount)
	registry.RelianceOfClaims(t, e.Registry, registry.RelianceMerged, &found.Person)
	want := fmt.Sprintf("1 collision hold reserved 0\n2 merged notify confirmed %s", claim.Amount)
	if es := e.feed(e.kunshan); told(es) != want || es[0].Certificate != cert.Number || es[1].Institution != e.issuer.Institution.ID {
		t.Errorf("feed\n%s\nwant\n%s", told(es), want)
	}
}
