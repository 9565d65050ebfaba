package registry_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/evaluators/corrections"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/kvtest"
	"bajigong/internal/needed"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// massEnv is a registry with two accounts of its authority.
type massEnv struct {
	*claimEnv
	second registry.Actor
}

func newMassEnv(t *testing.T, opts ...registrytest.Options) *massEnv {
	e := &massEnv{claimEnv: newClaimEnv(t, opts...)}
	e.second = e.Authority
	e.second.Account = "a-second"
	return e
}

func suspension(scope registry.MassScope) registry.NewMassChange {
	return registry.NewMassChange{Kind: registry.ChangeSuspend, Scope: scope, Document: "苏人社核〔2026〕5号", Reason: "批量核查"}
}

func (e *massEnv) mustPropose(in registry.NewMassChange) registry.MassChange {
	e.T.Helper()
	m, err := e.ProposeMassChange(ctx, e.Authority, in)
	if err != nil {
		e.T.Fatalf("propose: %v", err)
	}
	return m
}

func (e *massEnv) mustApprove(m registry.MassChange) registry.MassChange {
	e.T.Helper()
	p, err := e.PreviewMassChange(ctx, e.second, m.ID)
	if err == nil {
		m, err = e.ApproveMassChange(ctx, e.second, m.ID, p.Hash)
	}
	if err != nil {
		e.T.Fatalf("approve: %v", err)
	}
	return m
}

func (e *massEnv) mustRun(m registry.MassChange) registry.MassChange {
	e.T.Helper()
	m, err := e.RunMassChange(ctx, e.second, m.ID, nil)
	if err != nil {
		e.T.Fatalf("run: %v", err)
	}
	return m
}

// mustDo proposes, approves and carries out.
func (e *massEnv) mustDo(in registry.NewMassChange) registry.MassChange {
	e.T.Helper()
	return e.mustRun(e.mustApprove(e.mustPropose(in)))
}

func (e *massEnv) mustUndo(m registry.MassChange) registry.MassChange {
	e.T.Helper()
	m, err := e.UndoMassChange(ctx, e.Authority, m.ID, "范围有误")
	if err != nil {
		e.T.Fatalf("undo: %v", err)
	}
	return e.mustRun(m)
}

func (e *massEnv) status(c registry.Issued) registry.CertificateStatus {
	e.T.Helper()
	got, err := e.CertificateByNumber(ctx, e.Authority, c.Number)
	if err != nil {
		e.T.Fatal(err)
	}
	return got.Status
}

// bits are the set bits of a status list among those of certificates.
func (e *massEnv) bits(name string, of []registry.Issued) (n int) {
	e.T.Helper()
	if _, err := e.PublishStatusLists(ctx); err != nil {
		e.T.Fatal(err)
	}
	list, err := e.StatusList(ctx, name)
	if err != nil {
		e.T.Fatal(err)
	}
	opened, err := credentials.OpenStatusList(list, e.Keys.Public(), e.Clock.Now())
	if err != nil {
		e.T.Fatal(err)
	}
	for _, c := range of {
		bit, err := opened.Get(int(c.StatusIndex))
		if err != nil {
			e.T.Fatal(err)
		}
		if bit {
			n++
		}
	}
	return n
}

// Xianning's 2,600: the preview counts them and their claims, a second account is
// needed, the suspension shows in verdicts and status lists at once, neighbours
// are left alone, and the undo gives everything back.
func TestMassSuspension(t *testing.T) {
	e := newMassEnv(t, registrytest.Options{Rerun: kvtest.Rerun(5)})
	n := 2600
	if needed.RaceDetector {
		n = 1100
	}
	got := e.MustCertificates(e.issuer, 0, n)
	neighbour := e.MustAdmit(2)
	honest := e.MustCertificates(neighbour, 5000, 5100)
	e.Clock.Add(time.Hour)
	paid := e.mustReserve(e.kunshan, e.request(0, got[0].Number))
	if _, err := e.ConfirmClaim(ctx, e.kunshan, paid.Claim.ID, registry.Payment{Reference: "PAY", PaidOn: standards.DateOf(e.Clock.Now()), Amount: paid.Claim.Amount}); err != nil {
		t.Fatal(err)
	}
	e.mustReserve(e.kunshan, e.request(n/2, got[n/2].Number))
	e.mustReserve(e.kunshan, e.request(n-1, got[n-1].Number))
	e.mustReserve(e.kunshan, e.request(5050, honest[50].Number))
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[7].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "替考"}); err != nil {
		t.Fatal(err)
	}

	m := e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	p := m.Preview
	if m.State != registry.MassProposed || p.Certificates != n || p.Affected != n-1 || p.ByStatus[registry.CertificateVoided] != 1 || p.ByStatus[registry.CertificateValid] != n-1 {
		t.Fatalf("preview %+v", p)
	}
	amount := paid.Claim.Amount
	if !slices.Equal(p.Claims, []registry.MassClaims{{State: policy.Confirmed, Claims: 1, Amount: amount}, {State: policy.Reserved, Claims: 2, Amount: 2 * amount}}) ||
		!slices.Equal(p.Payers, []registry.MassPayer{{Payer: e.kunshan.Organisation, Claims: 3, Paid: amount, Reserved: 2 * amount}}) {
		t.Fatalf("claims %+v, payers %+v", p.Claims, p.Payers)
	}
	if _, err := e.ApproveMassChange(ctx, e.Authority, m.ID, p.Hash); fail.CodeOf(err) != "second_person" {
		t.Fatalf("approved by its proposer: %v", err)
	}
	if e.status(got[0]) != registry.CertificateValid {
		t.Fatal("a proposal has changed a certificate")
	}
	m = e.mustApprove(m)
	began := time.Now()
	pages := 0
	m, err := e.RunMassChange(ctx, e.second, m.ID, func(m registry.MassChange) { pages++ })
	if err != nil || m.State != registry.MassDone || m.Done != n || m.Total != n || m.Changed != n-1 || pages <= n/500 {
		t.Fatalf("done %+v after %d pages, %v", m, pages, err)
	}
	t.Logf("%d certificates suspended in %s", n-1, time.Since(began).Round(time.Millisecond))
	for _, i := range []int{0, 499, 500, n - 1} {
		v, err := e.VerdictByHandle(ctx, string(got[i].Handle))
		if err != nil || v.First() != credentials.ReasonSuspended || v.Since != string(m.Effective) {
			t.Errorf("verdict %d: %v since %s, %v", i, v.Reasons, v.Since, err)
		}
	}
	if bits := e.bits("suspension-0", got); bits != n-1 {
		t.Errorf("%d suspension bits", bits)
	}
	if bits := e.bits("suspension-0", honest); bits != 0 || e.status(honest[0]) != registry.CertificateValid {
		t.Errorf("the neighbour has %d bits", bits)
	}
	one, err := e.CertificateByNumber(ctx, e.Authority, got[3].Number)
	if err != nil || len(one.Changes) != 1 || one.Changes[0].Mass != m.ID || one.Changes[0].By != e.second.Account {
		t.Fatalf("changes %+v, %v", one.Changes, err)
	}
	if err := e.eventNames(one.Changes[0].LogIndex, one.Number); err != nil {
		t.Error(err)
	}
	if e.status(got[7]) != registry.CertificateVoided {
		t.Error("a voided certificate was swept along")
	}

	// One is voided for itself; the undo does not touch it.
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[9].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "替考"}); err != nil {
		t.Fatal(err)
	}
	m = e.mustUndo(m)
	if m.State != registry.MassUndone || m.Undo.Restored != n-2 || m.Undo.Kept != 1 || m.Undo.Done != m.Undo.Total {
		t.Fatalf("undone %+v", m.Undo)
	}
	if n := e.bits("suspension-0", got); n != 0 {
		t.Errorf("%d suspension bits are left", n)
	}
	if v, err := e.VerdictByHandle(ctx, string(got[0].Handle)); err != nil || !v.Valid {
		t.Errorf("verdict after the undo %v, %v", v.Reasons, err)
	}
	if e.status(got[9]) != registry.CertificateVoided {
		t.Error("the undo overruled a later decision")
	}
}

// eventNames reports whether the entry of the log names a certificate.
func (e *massEnv) eventNames(index uint64, number string) error {
	b, err := e.Proof(ctx, e.Authority, index)
	if err != nil {
		return err
	}
	if !strings.Contains(string(b.Event), `"`+number+`"`) || !strings.Contains(string(b.Event), "苏人社核〔2026〕5号") {
		return fmt.Errorf("entry %d does not name %s", index, number)
	}
	return nil
}

// Voided certificates show valid again after the undo, in verdict and bits; and a
// claim that was refused meanwhile is replayed as refused (checked at the end).
func TestMassVoidingUndone(t *testing.T) {
	e := newMassEnv(t)
	got := e.MustCertificates(e.issuer, 0, 30)
	e.Clock.Add(time.Hour)
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[1].Number, registry.NewChange{Kind: registry.ChangeSuspend, Document: "x", Reason: "核查"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[2].Number, registry.NewChange{Kind: registry.ChangeCancel, Document: "x", Reason: "本人申请"}); err != nil {
		t.Fatal(err)
	}
	in := suspension(registry.MassScope{Session: got[0].Session})
	in.Kind = registry.ChangeVoid
	m := e.mustDo(in)
	if n := e.bits("revocation-0", got); n != 30 || m.Changed != 30 || m.Scope.Institution != e.issuer.Institution.ID {
		t.Fatalf("%d bits, %+v", n, m)
	}
	figures := func(voided, cancelled uint64) {
		t.Helper()
		if _, err := e.CountFigures(ctx); err != nil {
			t.Fatal(err)
		}
		h, err := e.HistoryOf(ctx, e.issuer.Institution.ID)
		if err != nil || len(h.Issued) != 1 || h.Issued[0].Voided != voided || h.Issued[0].VoidedSince != voided || h.Issued[0].Cancelled != cancelled {
			t.Errorf("figures %+v %v, want %d voided and %d cancelled", h.Issued, err, voided, cancelled)
		}
		e.MustCheck()
	}
	figures(30, 1)
	a, err := e.ReserveClaim(ctx, e.kunshan, e.request(5, got[5].Number))
	if err != nil || a.Outcome != policy.Deny {
		t.Fatalf("claim on a voided certificate: %+v %v", a, err)
	}
	e.mustUndo(m)
	figures(0, 1)
	if n := e.bits("revocation-0", got); n != 1 {
		t.Errorf("%d revocation bits are left, want that of the cancelled one", n)
	}
	for i, want := range []registry.CertificateStatus{registry.CertificateValid, registry.CertificateSuspended, registry.CertificateCancelled} {
		if s := e.status(got[i]); s != want {
			t.Errorf("certificate %d is %s, want %s", i, s, want)
		}
	}
	if v, err := e.VerdictByHandle(ctx, string(got[5].Handle)); err != nil || !v.Valid {
		t.Errorf("verdict %v, %v", v.Reasons, err)
	}
	if a := e.mustReserve(e.kunshan, e.request(5, got[5].Number)); a.Outcome != policy.Allow {
		t.Errorf("claim after the undo: %+v", a.Reasons)
	}
}

// What became public after the proposal changes the hash and must be confirmed
// knowingly; what becomes public after the approval is never in the set.
func TestMassSetIsFixedAtApproval(t *testing.T) {
	e := newMassEnv(t)
	first := e.MustCertificates(e.issuer, 0, 10)
	e.Clock.Add(time.Hour)
	m := e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	second := e.MustCertificates(e.issuer, 10, 15)
	e.Clock.Add(time.Hour)
	_, err := e.ApproveMassChange(ctx, e.second, m.ID, m.Preview.Hash)
	if fail.CodeOf(err) != "mass_preview_changed" {
		t.Fatalf("approved what nobody has seen: %v", err)
	}
	p, err := e.PreviewMassChange(ctx, e.second, m.ID)
	if err != nil || p.Certificates != 15 {
		t.Fatalf("present preview %+v, %v", p, err)
	}
	if m, err = e.ApproveMassChange(ctx, e.second, m.ID, p.Hash); err != nil || m.Preview.Certificates != 10 || m.Confirmed.Certificates != 15 {
		t.Fatalf("%+v, %v", m, err)
	}
	third := e.MustCertificates(e.issuer, 15, 20) // before the first page
	m = e.mustRun(m)
	if m.Changed != 15 || m.Total != 15 {
		t.Fatalf("changed %d of %d", m.Changed, m.Total)
	}
	for _, c := range []struct {
		of   []registry.Issued
		want registry.CertificateStatus
	}{{first, registry.CertificateSuspended}, {second, registry.CertificateSuspended}, {third, registry.CertificateValid}} {
		for _, one := range c.of {
			if s := e.status(one); s != c.want {
				t.Errorf("%s is %s, want %s", one.Number, s, c.want)
			}
		}
	}
	// Numbers taken before the approval and published after it are not in it.
	e.StepByStep()
	late := e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(30, 33))
	stopped, cancel := context.WithCancel(ctx)
	if _, err := e.Issue(stopped, e.issuer.Actor, late.ID, func(b registry.Batch) {
		if b.State == registry.BatchSigned {
			cancel()
		}
	}); err == nil {
		t.Fatal("the batch was published")
	}
	e.Clock.Add(time.Hour)
	m = e.mustApprove(e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID})))
	fifth := e.MustIssue(e.issuer, late.ID)
	if m = e.mustRun(m); m.Total != 20 || m.Changed != 5 || e.status(fifth[0]) != registry.CertificateValid {
		t.Errorf("published after the approval: %d of %d changed, %s", m.Changed, m.Total, e.status(fifth[0]))
	}
	// A certificate that is published in the very second of the preview is not in
	// its set either, whichever came first.
	e.Clock.Add(time.Hour)
	fourth := e.MustCertificates(e.issuer, 20, 22)
	m = e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	if m.Preview.ByStatus[registry.CertificateValid] != 3 {
		t.Fatalf("in the second of publication: %+v", m.Preview)
	}
	if m = e.mustRun(e.mustApprove(m)); m.Changed != 3 || e.status(fourth[0]) != registry.CertificateValid {
		t.Errorf("changed %d", m.Changed)
	}
}

func TestMassScopes(t *testing.T) {
	e := newMassEnv(t)
	senior := e.MustCertificates(e.issuer, 0, 4)
	junior := e.MustIssue(e.issuer, e.MustPublicise(e.issuer, e.MustPlanFor(e.issuer, "6-31-01-03", standards.Junior), registrytest.CSV(4, 7)).ID)
	care := e.MustIssue(e.issuer, e.MustPublicise(e.issuer, e.MustPlanFor(e.issuer, "4-10-01-05", standards.Senior), registrytest.CSV(7, 9)).ID)
	e.StepByStep()
	unpublished := e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(20, 25))
	stopped, cancel := context.WithCancel(ctx)
	if _, err := e.Issue(stopped, e.issuer.Actor, unpublished.ID, func(b registry.Batch) {
		if b.State == registry.BatchSigned {
			cancel()
		}
	}); err == nil {
		t.Fatal("the batch was published")
	}
	// A session whose first batch was aborted has two; the numbers of the first are burnt.
	if _, err := e.AbortBatch(ctx, e.issuer.Actor, unpublished.ID, "重新核对"); err != nil {
		t.Fatal(err)
	}
	again := e.MustIssue(e.issuer, unpublished.ID)
	unpublished = e.MustPublicise(e.issuer, e.MustPlan(e.issuer), registrytest.CSV(30, 35))
	stopped, cancel = context.WithCancel(ctx)
	if _, err := e.Issue(stopped, e.issuer.Actor, unpublished.ID, func(b registry.Batch) {
		if b.State == registry.BatchSigned {
			cancel()
		}
	}); err == nil {
		t.Fatal("the batch was published")
	}
	n := invented.PersonAt(50)
	old, err := e.RegisterElsewhere(ctx, e.issuer.Actor, []registry.Elsewhere{{Number: e.issuer.Filing.Number(2026, standards.Senior, 900).Format(), Name: n.Name, Document: n.Document,
		InstitutionName: "第1职业技能评价中心", Occupation: "6-31-01-03", Level: standards.Senior, Issued: senior[0].Issued}})
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(time.Hour)
	id := e.issuer.Institution.ID
	for name, c := range map[string]struct {
		scope           registry.MassScope
		want, elsewhere int
	}{
		"all":            {registry.MassScope{Institution: id}, 15, 1},
		"second batch":   {registry.MassScope{Session: again[0].Session}, 5, 0},
		"session":        {registry.MassScope{Session: junior[0].Session}, 3, 0},
		"first day":      {registry.MassScope{Institution: id, From: senior[0].Issued, Until: senior[0].Issued}, 5, 1},
		"from then on":   {registry.MassScope{Institution: id, From: junior[0].Issued}, 10, 0},
		"until then":     {registry.MassScope{Institution: id, Until: junior[0].Issued}, 8, 1},
		"occupation":     {registry.MassScope{Institution: id, Occupation: "4-10-01-05"}, 2, 0},
		"level":          {registry.MassScope{Institution: id, Level: standards.Senior}, 12, 1},
		"level and time": {registry.MassScope{Institution: id, Level: standards.Senior, From: care[0].Issued}, 7, 0},
		"filing":         {registry.MassScope{Institution: id, Filing: e.issuer.Filing.ID}, 15, 1},
	} {
		m := e.mustPropose(suspension(c.scope))
		if m.Preview.Certificates != c.want || m.Preview.Elsewhere != c.elsewhere {
			t.Errorf("%s: %+v, want %d and %d", name, m.Preview, c.want, c.elsewhere)
		}
	}
	for name, c := range map[string]struct {
		by   registry.Actor
		in   registry.NewMassChange
		code string
	}{
		"nobody":              {registry.Actor{}, suspension(registry.MassScope{Institution: id}), "key_required"},
		"an institution":      {e.issuer.Actor, suspension(registry.MassScope{Institution: id}), "not_allowed"},
		"another province":    {registry.Actor{Account: "x", Roles: []registry.Role{registry.RoleAuthority}, Region: "420000"}, suspension(registry.MassScope{Institution: id}), "not_allowed"},
		"no such institution": {e.Authority, suspension(registry.MassScope{Institution: "i-none"}), "not_found"},
		"no such session":     {e.Authority, suspension(registry.MassScope{Session: "s-none"}), "not_found"},
		"session of another":  {e.Authority, suspension(registry.MassScope{Session: senior[0].Session, Institution: "i-none"}), "not_found"},
		"no such filing":      {e.Authority, suspension(registry.MassScope{Institution: id, Filing: "f-none"}), "not_found"},
		"an unissued session": {e.Authority, suspension(registry.MassScope{Session: unpublished.ID}), "mass_nothing"},
		"an empty period":     {e.Authority, suspension(registry.MassScope{Institution: id, Until: "2026-01-01"}), "mass_nothing"},
		"nothing to lift":     {e.Authority, registry.NewMassChange{Kind: registry.ChangeResume, Lifts: "m-none", Document: "x", Reason: "x"}, "not_found"},
	} {
		if _, err := e.ProposeMassChange(ctx, c.by, c.in); fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	// The certificates of an unpublished batch are not swept along.
	if m := e.mustDo(suspension(registry.MassScope{Institution: id})); m.Changed != 15 {
		t.Errorf("changed %d", m.Changed)
	}
	if v, err := e.Lookup(ctx, registry.LookupQuery{Number: old[0].Number, Name: n.Name}); err != nil || v.First() != credentials.ReasonSuspended {
		t.Errorf("from elsewhere: %v %v", v.Reasons, err)
	}
	for _, one := range e.MustIssue(e.issuer, unpublished.ID) {
		if one.Status != registry.CertificateValid {
			t.Errorf("%s is %s", one.Number, one.Status)
		}
	}
}

// A county's authority does not reach what another region registered, and cannot
// approve what a wider one proposed.
func TestMassKeepsToItsRegion(t *testing.T) {
	e := newMassEnv(t)
	e.MustCertificates(e.issuer, 0, 3)
	n := invented.PersonAt(50)
	if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: e.issuer.Filing.Number(2026, standards.Senior, 900).Format(), Name: n.Name, Document: n.Document,
		InstitutionName: "第1职业技能评价中心", Occupation: "6-31-01-03", Level: standards.Senior, Issued: "2026-01-05"}}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(time.Hour)
	county := registry.Actor{Account: "a-county", Roles: []registry.Role{registry.RoleAuthority}, Region: "320583"}
	m := e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	if m.Preview.Certificates != 4 {
		t.Errorf("the province sees %d", m.Preview.Certificates)
	}
	if _, err := e.ApproveMassChange(ctx, county, m.ID, m.Preview.Hash); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("the county approves for the province: %v", err)
	}
	if m, err := e.CloseMassChange(ctx, e.second, m.ID, "范围过大"); err != nil || m.State != registry.MassRejected {
		t.Errorf("%+v, %v", m, err)
	}
	m, err := e.ProposeMassChange(ctx, county, suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	if err != nil || m.Preview.Certificates != 3 {
		t.Fatalf("the county sees %+v, %v", m.Preview, err)
	}
	if m = e.mustRun(e.mustApprove(m)); m.Changed != 3 {
		t.Errorf("changed %d", m.Changed)
	}
	if _, err := e.MassChangeByID(ctx, e.issuer.Actor, m.ID); fail.CodeOf(err) != "not_allowed" {
		t.Errorf("the institution reads whose payers are touched: %v", err)
	}
	waiting, _, err := e.MassChanges(ctx, county, "", registry.Page{})
	if err != nil || len(waiting) != 0 {
		t.Errorf("waiting %d, %v", len(waiting), err)
	}
	if all, _, err := e.MassChanges(ctx, e.second, e.issuer.Institution.ID, registry.Page{}); err != nil || len(all) != 2 {
		t.Errorf("%d of the institution, %v", len(all), err)
	}
}

// Lifting resumes what the mass suspension suspended and still holds, and not
// what was suspended for itself.
func TestMassSuspensionIsLifted(t *testing.T) {
	e := newMassEnv(t)
	got := e.MustCertificates(e.issuer, 0, 8)
	e.Clock.Add(time.Hour)
	single := registry.NewChange{Kind: registry.ChangeSuspend, Document: "x", Reason: "另案核查"}
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[0].Number, single); err != nil {
		t.Fatal(err)
	}
	s := e.mustDo(suspension(registry.MassScope{Institution: e.issuer.Institution.ID}))
	if s.Changed != 7 {
		t.Fatalf("suspended %d", s.Changed)
	}
	if _, err := e.ChangeCertificate(ctx, e.Authority, got[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "x", Reason: "替考"}); err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(48 * time.Hour)
	if _, err := e.UndoMassChange(ctx, e.Authority, s.ID, "误"); fail.CodeOf(err) != "undo_over" {
		t.Fatalf("undone after its window: %v", err)
	}
	lift := registry.NewMassChange{Kind: registry.ChangeResume, Lifts: s.ID, Document: "苏人社核〔2026〕5号", Reason: "核查无误"}
	m := e.mustPropose(lift)
	if m.Preview.Certificates != 6 || m.Preview.Affected != 6 {
		t.Fatalf("lifting %+v", m.Preview)
	}
	m = e.mustRun(e.mustApprove(m))
	want := []registry.CertificateStatus{registry.CertificateSuspended, registry.CertificateVoided, registry.CertificateValid}
	for i, s := range want {
		if e.status(got[i]) != s {
			t.Errorf("certificate %d is %s, want %s", i, e.status(got[i]), s)
		}
	}
	if _, err := e.ProposeMassChange(ctx, e.Authority, lift); fail.CodeOf(err) != "mass_nothing" {
		t.Errorf("lifted twice: %v", err)
	}
	if m = e.mustUndo(m); m.Undo.Restored != 6 || e.status(got[2]) != registry.CertificateSuspended {
		t.Errorf("the lifting undone: %+v", m.Undo)
	}
}

// A crash between pages, on the way there and on the way back: a new process goes
// on at the cursor and nothing happens twice.
func TestMassChangeResumes(t *testing.T) {
	engines(t, massChangeResumes)
}

func massChangeResumes(t *testing.T, open func(testing.TB, string) kv.Engine) {
	var faulty *kvtest.Faulty
	e := newMassEnv(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		faulty = kvtest.NewFaulty(open(t, dir))
		return faulty
	}})
	got := e.MustCertificates(e.issuer, 0, 1100)
	e.Clock.Add(time.Hour)
	stopAfter := func(page int, run func(context.Context, func(registry.MassChange)) error) {
		t.Helper()
		stopped, cancel := context.WithCancel(ctx)
		defer cancel()
		n := 0
		if err := run(stopped, func(registry.MassChange) {
			if n++; n == page {
				cancel()
			}
		}); err == nil {
			t.Fatal("it was not stopped")
		}
	}
	m := e.mustApprove(e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID})))
	run := func(ctx context.Context, progress func(registry.MassChange)) error {
		_, err := e.RunMassChange(ctx, e.second, m.ID, progress)
		return err
	}
	stopAfter(1, run)
	if half, err := e.MassChangeByID(ctx, e.second, m.ID); err != nil || half.State != registry.MassRunning || half.Done != 500 || half.Changed != 500 {
		t.Fatalf("after one page %+v, %v", half, err)
	}
	// The commit is made and its answer lost; then one is refused.
	faulty.Next(kvtest.Again, kvtest.Kept, kvtest.Refused)
	_ = run(ctx, nil)
	for range 3 {
		if err := e.ResumeMassChanges(ctx); err != nil {
			t.Fatal(err)
		}
	}
	m, err := e.MassChangeByID(ctx, e.second, m.ID)
	if err != nil || m.State != registry.MassDone || m.Done != 1100 || m.Changed != 1100 {
		t.Fatalf("resumed %+v, %v", m, err)
	}
	if n := e.bits("suspension-0", got); n != 1100 {
		t.Errorf("%d bits", n)
	}
	if m, err = e.ApproveMassChange(ctx, e.second, m.ID, "whatever"); err != nil || m.State != registry.MassDone {
		t.Errorf("approved again: %+v, %v", m.State, err)
	}
	if m, err = e.UndoMassChange(ctx, e.second, m.ID, "误操作"); err != nil {
		t.Fatal(err)
	}
	stopAfter(2, run)
	if err := e.ResumeMassChanges(ctx); err != nil {
		t.Fatal(err)
	}
	if m, err = e.MassChangeByID(ctx, e.second, m.ID); err != nil || m.State != registry.MassUndone || m.Undo.Restored != 1100 {
		t.Fatalf("undone %+v, %v", m, err)
	}
	if n := e.bits("suspension-0", got); n != 0 {
		t.Errorf("%d bits are left", n)
	}
}

// How long the window is stands in the rules; a register without rules refuses.
func TestMassUndoWindowIsData(t *testing.T) {
	e := newMassEnv(t)
	got := e.MustCertificates(e.issuer, 0, 2)
	e.Clock.Add(time.Hour)
	cfg := e.Config()
	rules := cfg.Rules.Corrections.All()[0]
	rules.ID, rules.Region, rules.Mass.UndoHours, rules.SecondPerson = "short", "320000", 2, false
	var err error
	if cfg.Rules.Corrections, err = cfg.Rules.Corrections.With(rules); err != nil {
		t.Fatal(err)
	}
	if e.Registry, err = registry.New(e.DB, cfg); err != nil {
		t.Fatal(err)
	}
	m := e.mustDo(suspension(registry.MassScope{Session: got[0].Session}))
	if m.UndoHours != 2 || !m.UndoUntil.Equal(m.Ended.Add(2*time.Hour)) {
		t.Errorf("window of %d hours until %s", m.UndoHours, m.UndoUntil)
	}
	e.Clock.Set(m.UndoUntil)
	if _, err := e.UndoMassChange(ctx, e.second, m.ID, "误操作"); fail.CodeOf(err) != "undo_over" {
		t.Errorf("undone at the end of the window: %v", err)
	}
	e.Clock.Set(m.UndoUntil.Add(-time.Second)) // the store's time does not go back
	if _, err := e.UndoMassChange(ctx, e.second, m.ID, "误操作"); fail.CodeOf(err) != "" && fail.CodeOf(err) != "undo_over" {
		t.Error(err)
	}
	cfg.Rules.Corrections = rulefile.Set[corrections.Rules]{}
	if e.Registry, err = registry.New(e.DB, cfg); err != nil {
		t.Fatal(err)
	}
	in := suspension(registry.MassScope{Session: got[0].Session})
	in.Kind = registry.ChangeVoid
	if _, err := e.ProposeMassChange(ctx, e.Authority, in); fail.CodeOf(err) != "no_rules" {
		t.Errorf("without rules: %v", err)
	}
	if _, err := e.ProposeCorrection(ctx, e.issuer.Actor, got[0].Number, correctName("欧阳娜娜")); fail.CodeOf(err) != "no_rules" {
		t.Errorf("a correction without rules: %v", err)
	}
}

// The check of all invariants sees a mass change that says other than its
// certificates, and a status that no change leads to.
func TestCheckFindsAForgedMassChange(t *testing.T) {
	for name, c := range map[string]struct {
		table, old, new string
		say             string
	}{
		"changed fewer":       {"mass_changes", `"changed":3`, `"changed":2`, "says it changed 2"},
		"approved by himself": {"mass_changes", `"approved_by":"a-second"`, `"approved_by":"a-authority"`, "approved by the account that proposed it"},
		"another kind":        {"mass_changes", `"kind":"suspend"`, `"kind":"void"`, "is to void"},
		"status alone":        {"certificates", `"status":"suspended"`, `"status":"valid"`, "its changes lead to suspended"},
		"another mass change": {"certificates", `"mass":"m-`, `"mass":"x-`, "which is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newMassEnv(t, registrytest.Options{NoCheck: true})
			got := e.MustCertificates(e.issuer, 0, 3)
			e.Clock.Add(time.Hour)
			e.mustDo(suspension(registry.MassScope{Session: got[0].Session}))
			e.MustCheck()
			if err := e.DB.Update(ctx, func(tx kv.Tx) error {
				entries, err := tx.Scan(kv.Table(c.table), kv.Range{Limit: 1})
				if err != nil || !strings.Contains(string(entries[0].Value), c.old) {
					return fmt.Errorf("%s has no %s: %v", entries[0].Value, c.old, err)
				}
				tx.Put(kv.Table(c.table), entries[0].Key, []byte(strings.Replace(string(entries[0].Value), c.old, c.new, 1)))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			report, err := e.Check(ctx, registry.Operator(), nil)
			if err != nil || !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, c.say) }) {
				t.Errorf("problems %q, %v; want %q", report.Problems, err, c.say)
			}
		})
	}
}

// Undone while it runs, it goes back over what was done and no further.
func TestMassChangeIsStoppedHalfway(t *testing.T) {
	e := newMassEnv(t)
	got := e.MustCertificates(e.issuer, 0, 700)
	e.Clock.Add(time.Hour)
	m := e.mustApprove(e.mustPropose(suspension(registry.MassScope{Session: got[0].Session})))
	m, err := e.RunMassChange(ctx, e.second, m.ID, func(m registry.MassChange) {
		if m.State == registry.MassRunning {
			if _, err := e.UndoMassChange(ctx, e.second, m.ID, "范围有误"); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || m.State != registry.MassUndone || m.Changed != 500 || m.Undo.Restored != 500 {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, i := range []int{0, 499, 500, 699} {
		if c, err := e.CertificateByNumber(ctx, e.second, got[i].Number); err != nil || c.Status != registry.CertificateValid || len(c.Changes) != 2*(1-i/500) {
			t.Errorf("certificate %d: %s with %d changes, %v", i, c.Status, len(c.Changes), err)
		}
	}
	// Approved and undone before the first page: nothing is done.
	m = e.mustApprove(e.mustPropose(suspension(registry.MassScope{Session: got[0].Session})))
	if m = e.mustUndo(m); m.State != registry.MassUndone || m.Undo.Restored != 0 {
		t.Errorf("%+v", m)
	}
}

// Run by several at once, every page is done once and everybody sees the end.
func TestMassChangeIsRunOnce(t *testing.T) {
	e := newMassEnv(t)
	e.MustCertificates(e.issuer, 0, 600)
	e.Clock.Add(time.Hour)
	m := e.mustApprove(e.mustPropose(suspension(registry.MassScope{Institution: e.issuer.Institution.ID})))
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if m, err := e.RunMassChange(ctx, e.second, m.ID, nil); err != nil || m.State != registry.MassDone || m.Changed != 600 || m.Done != 600 {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
	all.Wait()
}

// The claims on a set are found among those of many others, which lie between
// its numbers: one filing numbers all its sessions of a level in one sequence. All
// of it is one page of the register, and more than one of its claims.
func TestMassFindsClaimsAmongOthers(t *testing.T) {
	e := newMassEnv(t)
	first := e.MustCertificates(e.issuer, 0, 50)
	between := e.MustIssue(e.issuer, e.MustPublicise(e.issuer, e.MustPlanFor(e.issuer, "4-10-01-05", standards.Senior), registrytest.CSV(1000, 1380)).ID)
	last := e.MustCertificates(e.issuer, 2000, 2050)
	e.Clock.Add(time.Hour)
	for i := range 380 {
		e.mustReserve(e.other, e.request(1000+i, between[i].Number))
	}
	for i := range 3 {
		e.mustReserve(e.kunshan, e.request(i, first[i].Number))
	}
	e.mustReserve(e.kunshan, e.request(2003, last[3].Number))
	e.mustReserve(e.kunshan, e.request(2049, last[49].Number))
	id := e.issuer.Institution.ID
	for name, c := range map[string]struct {
		scope registry.MassScope
		want  int
	}{
		"around":  {registry.MassScope{Institution: id, Occupation: "6-31-01-03"}, 5},
		"between": {registry.MassScope{Session: between[0].Session}, 380},
		"last":    {registry.MassScope{Session: last[0].Session}, 2},
		"all":     {registry.MassScope{Institution: id}, 385},
	} {
		p := e.mustPropose(suspension(c.scope)).Preview
		if len(p.Claims) != 1 || p.Claims[0].Claims != c.want || p.Claims[0].State != policy.Reserved {
			t.Errorf("%s: %+v, want %d", name, p.Claims, c.want)
		}
	}
}

func boltEngine(t testing.TB, dir string) kv.Engine {
	t.Helper()
	e, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}
