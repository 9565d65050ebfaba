package registry_test

import (
	"crypto/rand"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// trust is what an auditor carries who fetched everything a moment ago.
func trust(e *registrytest.Env) credentials.Trust {
	e.T.Helper()
	keys, err := jws.ParseJWKS(e.Keys.JWKS(jws.QR), jws.QR)
	must(e.T, err)
	directoryKeys, err := jws.ParseJWKS(e.Keys.JWKS(jws.Directory), jws.Directory)
	must(e.T, err)
	statusKeys, err := jws.ParseJWKS(e.Keys.JWKS(jws.Status), jws.Status)
	must(e.T, err)
	text, err := e.Directory(bg)
	must(e.T, err)
	directory, err := credentials.OpenDirectory(text, directoryKeys)
	must(e.T, err)
	out := credentials.Trust{Keys: keys, Directory: &directory, Origins: []string{registrytest.Origin}}
	for _, p := range credentials.StatusPurposes() {
		text, err := e.StatusList(bg, credentials.StatusListName(p, 0))
		must(e.T, err)
		list, err := credentials.OpenStatusList(text, statusKeys, e.Clock.Now())
		must(e.T, err)
		out.StatusLists = append(out.StatusLists, list)
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func offline(e *registrytest.Env, text string) credentials.Verdict {
	e.T.Helper()
	v, err := credentials.VerifyOffline(text, trust(e), e.Clock.Now())
	must(e.T, err)
	return v
}

func online(e *registrytest.Env, text string) credentials.Verdict {
	e.T.Helper()
	v, err := e.VerdictByToken(bg, text)
	must(e.T, err)
	return v
}

// TestStolenKey: a key is stolen, certificates were signed before and after. What
// the register holds stays good online; offline nothing of that key is believed
// until it is signed anew; what the thief signs is refused everywhere.
func TestStolenKey(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	before := e.MustCertificates(by, 0, 600)
	thief, err := e.Keys.Signer(jws.QR)
	must(t, err)
	e.Clock.Add(time.Hour)
	stolen := e.Clock.Now()
	e.Clock.Add(time.Hour)
	after := e.MustCertificates(by, 600, 610)
	voided, err := e.ChangeCertificate(bg, e.Authority, after[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1", Reason: "冒名"})
	must(t, err)

	count := func() (n, late int) {
		t.Helper()
		must(t, e.TouchedByKey(bg, registry.Operator(), thief.KID(), func(one registry.Touched) error {
			n++
			if one.After {
				late++
			}
			return nil
		}))
		return n, late
	}
	if n, late := count(); n != 610 || late != 0 {
		t.Fatalf("%d touched, %d after", n, late)
	}
	if _, err := e.ResignByKey(bg, registry.Operator(), thief.KID(), nil); fail.CodeOf(err) != "key_in_trust" {
		t.Fatal(err)
	}
	must(t, e.Keys.Distrust(thief.KID(), stolen, rand.Reader, e.Clock.Now()))
	if n, late := count(); n != 610 || late != 10 {
		t.Fatalf("%d touched, %d after", n, late)
	}
	for _, kid := range []string{"js99", e.Keys.Public().Keys(jws.VC)[0].ID} {
		if err := e.TouchedByKey(bg, registry.Operator(), kid, nil); fail.CodeOf(err) != "no_key" {
			t.Errorf("%s: %v", kid, err)
		}
	}
	if _, err := e.ResignByKey(bg, e.Authority, thief.KID(), nil); fail.KindOf(err) != fail.Forbidden {
		t.Errorf("the authority signs codes anew: %v", err)
	}

	// The old paper: good online, not to be believed offline.
	for _, old := range []string{before[3].QR, after[3].QR} {
		if v := online(e, old); !v.Valid {
			t.Errorf("online: %v", v.Reasons)
		}
		if v := offline(e, old); v.First() != credentials.ReasonKeyDistrusted {
			t.Errorf("offline: %v", v.Reasons)
		}
	}
	// What the thief makes up: another name on a real certificate's place, and a
	// certificate that is not there.
	scanned, err := credentials.ParseAny(before[3].QR)
	must(t, err)
	claims, _, err := credentials.OpenToken(scanned.Token, e.Keys.Public(), stolen.Add(-time.Second))
	must(t, err)
	forge := func(change func(*credentials.Claims)) string {
		c := claims
		change(&c)
		token, err := credentials.SignToken(thief, c)
		must(t, err)
		return string(token)
	}
	for name, text := range map[string]string{
		"another name":      forge(func(c *credentials.Claims) { c.Name = "冒名者" }),
		"no certificate":    forge(func(c *credentials.Claims) { c.Number = "S000032058300253999999"; c.Status = 99 }),
		"another's place":   forge(func(c *credentials.Claims) { c.Status = int(before[4].StatusIndex) }),
		"the highest level": forge(func(c *credentials.Claims) { c.Level = '1' }),
	} {
		if v := online(e, text); v.Valid || v.First() != credentials.ReasonKeyDistrusted || v.Certificate != nil {
			t.Errorf("%s online: %v", name, v.Reasons)
		}
		if v := offline(e, text); v.First() != credentials.ReasonKeyDistrusted {
			t.Errorf("%s offline: %v", name, v.Reasons)
		}
	}

	// Re-signing stops after the first page and goes on.
	stop := errors.New("stop")
	func() {
		defer func() { _ = recover() }()
		_, _ = e.ResignByKey(bg, registry.Operator(), thief.KID(), func(int) { panic(stop) })
	}()
	left, _ := count()
	if left == 610 || left < 100 {
		t.Fatalf("%d left after one page", left)
	}
	n, err := e.ResignByKey(bg, registry.Operator(), thief.KID(), nil)
	must(t, err)
	if n != left-1 {
		t.Errorf("%d signed anew, %d were left and one of them is void", n, left)
	}
	if n, err := e.ResignByKey(bg, registry.Operator(), thief.KID(), nil); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n, _ := count(); n != 1 { // the void one
		t.Errorf("%d left", n)
	}
	again, err := e.CertificateByNumber(bg, by.Actor, before[3].Number)
	must(t, err)
	if again.Handle != before[3].Handle || again.StatusIndex != before[3].StatusIndex || again.QR == before[3].QR {
		t.Error("handle and place stay, the code changes")
	}
	for _, v := range []credentials.Verdict{online(e, again.QR), offline(e, again.QR), online(e, before[3].QR)} {
		if !v.Valid {
			t.Errorf("after re-signing: %v", v.Reasons)
		}
	}
	if v := online(e, after[0].QR); v.First() != credentials.ReasonVoided || voided.Status != registry.CertificateVoided {
		t.Errorf("the void one: %v", v.Reasons)
	}
}

// TestKeysAreInTheLog: every change of the ring is recorded once, whoever sees it.
func TestKeysAreInTheLog(t *testing.T) {
	e := registrytest.New(t)
	size := func() uint64 {
		t.Helper()
		b, err := e.Checkpoint(bg)
		must(t, err)
		n, err := strconv.ParseUint(strings.Split(string(b), "\n")[1], 10, 64)
		must(t, err)
		return n
	}
	begin := size()
	for range 3 {
		must(t, e.RecordKeys(bg))
	}
	if size() != begin+1 {
		t.Fatalf("%d entries", size()-begin)
	}
	kid, err := e.Keys.RotateEarly(jws.QR, rand.Reader, e.Clock.Now())
	must(t, err)
	must(t, e.RecordKeys(bg))
	must(t, e.RecordKeys(bg))
	if size() != begin+2 {
		t.Fatalf("%d entries", size()-begin)
	}
	bundle, err := e.Proof(bg, e.Authority, begin+1)
	must(t, err)
	key, _ := e.Keys.Public().Key(kid)
	if !strings.Contains(string(bundle.Event), kid+" qr active "+key.Thumbprint()) {
		t.Errorf("the event is %s", bundle.Event)
	}
}

// TestADistrustedDirectoryKeySignsNothingMore: what is kept in memory is signed
// anew by the next key.
func TestADistrustedDirectoryKeySignsNothingMore(t *testing.T) {
	e := registrytest.New(t)
	e.MustAdmit(1)
	old, err := e.Keys.Signer(jws.Directory)
	must(t, err)
	for range 2 {
		text, err := e.Directory(bg)
		must(t, err)
		_, err = credentials.OpenDirectory(text, e.Keys.Public())
		must(t, err)
	}
	must(t, e.Keys.Distrust(old.KID(), e.Clock.Now(), rand.Reader, e.Clock.Now()))
	text, err := e.Directory(bg)
	must(t, err)
	_, err = credentials.OpenDirectory(text, e.Keys.Public())
	must(t, err)
}

// TestOldPaper: eleven years, five keys and three names later, from an
// institution that has left: still valid, and said so in the right words.
func TestOldPaper(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 3)
	year := 365 * 24 * time.Hour
	for range 5 {
		e.Clock.Add(2 * year)
		for _, p := range []jws.Purpose{jws.QR, jws.Status, jws.Directory} {
			_, err := e.Keys.Rotate(p, rand.Reader, e.Clock.Now())
			must(t, err)
		}
	}
	e.Clock.Add(year)
	_, err := e.RecordDecision(bg, e.Authority, evaluators.Decision{Target: evaluators.Target{Institution: by.Institution.ID}, Kind: evaluators.ExitVoluntary,
		Effective: today(e), Document: "苏人社〔2037〕1号", Basis: "自愿退出"})
	must(t, err)
	corrected, err := e.ReissueCertificate(bg, by.Actor, issued[1].Number, registry.Reissue{Basis: "申请1", Reason: "遗失"})
	must(t, err)
	_, err = e.ChangeCertificate(bg, e.Authority, issued[2].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1", Reason: "冒名"})
	must(t, err)
	for where, v := range map[string]credentials.Verdict{"online": online(e, issued[0].QR), "offline": offline(e, issued[0].QR)} {
		if !v.Valid || v.Sentence(credentials.ZH) != "证书有效" {
			t.Errorf("%s: %v", where, v.Reasons)
		}
		i := v.Institution
		if i == nil || i.StatusAtIssue != credentials.Filed || i.StatusNow != credentials.InstitutionExited {
			t.Errorf("%s: the institution is %+v", where, i)
		}
		if k, _ := e.Keys.Public().Key(v.KeyID); k.State != jws.Retired {
			t.Errorf("%s: key %s is %s", where, v.KeyID, k.State)
		}
	}
	for where, v := range map[string]credentials.Verdict{"online": online(e, issued[1].QR), "offline": offline(e, issued[1].QR)} {
		if v.First() != credentials.ReasonSuperseded {
			t.Errorf("the paper that was replaced, %s: %v", where, v.Reasons)
		}
	}
	if v := offline(e, corrected.QR); !v.Valid {
		t.Errorf("the new paper: %v", v.Reasons)
	}
	if v := offline(e, issued[2].QR); v.First() != credentials.ReasonRevoked || slices.Contains(v.Reasons, credentials.ReasonSuperseded) {
		t.Errorf("the void one offline: %v", v.Reasons)
	}
}
