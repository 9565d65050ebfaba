package registry_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	mrand "math/rand/v2"
	"os"
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
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

func lastFour(i int) string { d := invented.PersonAt(i).Document; return d[len(d)-4:] }

// wrongFour is another last four than those of a person.
func wrongFour(i int) string {
	if lastFour(i) == "0000" {
		return "0001"
	}
	return "0000"
}

func TestMatchDocument(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 4)
	again := e.MustCertificates(by, 0, 1) // the first person's second certificate
	try := func(c registry.Issued, last4 string) registry.HolderMatch {
		t.Helper()
		got, err := e.MatchDocument(ctx, string(c.Handle), last4, "198.51.100.7/32")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := func(what string, got registry.HolderMatch, answer registry.MatchAnswer, left int) {
		t.Helper()
		if got.Answer != answer || got.Left != left || got.Kind != credentials.MatchDocument || got.CheckedAt.IsZero() {
			t.Errorf("%s: %+v, want %s with %d left", what, got, answer, left)
		}
	}
	want("right", try(issued[0], strings.ToLower(lastFour(0))), registry.MatchSame, 4)
	want("wrong", try(issued[0], wrongFour(0)), registry.MatchDifferent, 3)
	want("on another paper of the same person", try(again[0], wrongFour(0)), registry.MatchDifferent, 2)
	want("another person", try(issued[1], lastFour(1)), registry.MatchSame, 4)
	want("wrong", try(again[0], wrongFour(0)), registry.MatchDifferent, 1)
	want("right", try(issued[0], lastFour(0)), registry.MatchSame, 0)
	for range 3 {
		want("spent, though right", try(issued[0], lastFour(0)), registry.MatchSpent, 0)
	}
	e.Clock.Add(24 * time.Hour)
	want("tomorrow", try(issued[0], lastFour(0)), registry.MatchSame, 4)
	want("again", try(issued[0], lastFour(0)), registry.MatchSame, 3)
	// Wrong answers are bounded over the window: twelve in 90 days, three are gone.
	for left := 2; left >= 0; left-- {
		want("the second day", try(issued[0], wrongFour(0)), registry.MatchDifferent, left)
	}
	e.Clock.Add(24 * time.Hour)
	for left := 4; left >= 0; left-- {
		want("the third day", try(issued[0], wrongFour(0)), registry.MatchDifferent, left)
	}
	e.Clock.Add(24 * time.Hour)
	want("one is left of twelve", try(issued[0], wrongFour(0)), registry.MatchDifferent, 0)
	want("none, on this day", try(issued[0], lastFour(0)), registry.MatchSpent, 0)
	e.Clock.Add(24 * time.Hour)
	want("nor the next", try(issued[0], lastFour(0)), registry.MatchSpent, 0)
	e.Clock.Add(90 * 24 * time.Hour)
	want("after the window", try(issued[0], lastFour(0)), registry.MatchSame, 4)

	for name, handle := range map[string]string{"unknown": "0000000000000", "malformed": "x", "empty": ""} {
		if _, err := e.MatchDocument(ctx, handle, "1234", "a"); fail.CodeOf(err) != "certificate_unknown" || fail.KindOf(err) != fail.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "123", "12345", "12 ?4"} {
		if _, err := e.MatchDocument(ctx, string(issued[0].Handle), bad, "a"); fail.CodeOf(err) != "last4" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A voided certificate is still held against its holder.
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[2].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	want("voided", try(issued[2], lastFour(2)), registry.MatchSame, 4)
	v, err := e.VerdictByHandle(ctx, string(issued[2].Handle))
	if err != nil || !slices.Equal(v.Matches, []credentials.MatchKind{credentials.MatchDocument}) {
		t.Errorf("offered: %v, %v", v.Matches, err)
	}
	// A batch that is not public has no certificates to ask about.
	if v, err := e.Lookup(ctx, registry.LookupQuery{Number: issued[1].Number, Name: issued[1].Name}); err != nil || v.Matches != nil {
		t.Errorf("a look-up offers %v, %v", v.Matches, err)
	}
}

// eventsOf are all events of a kind, as stored.
func eventsOf(t *testing.T, e *registrytest.Env, kind registry.EventKind) (out []string) {
	t.Helper()
	if _, err := e.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); ; i++ {
		b, err := e.Proof(ctx, e.Authority, i)
		if err != nil {
			return out
		}
		var ev registry.Event
		if json.Unmarshal(b.Event, &ev) == nil && ev.Kind == kind {
			out = append(out, string(b.Event))
		}
	}
}

// The log says that a try did not fit, once a day that tries are spent, and
// neither what was tried nor what would have been right.
func TestMatchEvents(t *testing.T) {
	e := registrytest.New(t)
	c := e.MustCertificates(e.MustAdmit(1), 0, 1)[0]
	for range 9 {
		if _, err := e.MatchDocument(ctx, string(c.Handle), wrongFour(0), "198.51.100.7/32"); err != nil {
			t.Fatal(err)
		}
	}
	wrong, spent := eventsOf(t, e, registry.HolderDiffers), eventsOf(t, e, registry.HolderTriesSpent)
	if len(wrong) != 5 || len(spent) != 1 {
		t.Fatalf("%d wrong, %d spent", len(wrong), len(spent))
	}
	for _, ev := range append(wrong, spent...) {
		if !strings.Contains(ev, c.Number) || strings.Contains(ev, `"`+lastFour(0)) || strings.Contains(ev, `"`+wrongFour(0)) || strings.Contains(ev, c.Name) || strings.Contains(ev, "198.51") {
			t.Errorf("event %s", ev)
		}
	}
}

// The store keeps no address from which somebody asked.
func TestMatchKeepsNoAddress(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt})
	c := e.MustCertificates(e.MustAdmit(1), 0, 1)[0]
	if _, err := e.MatchDocument(ctx, string(c.Handle), wrongFour(0), "203.0.113.77/32"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil || bytes.Contains(raw, []byte("203.0.113")) {
		t.Errorf("an address is in the store (%v)", err)
	}
}

// Documents of other kinds are compared by their last four too; of a short one
// four characters would be most, and nothing is offered.
func TestMatchOtherDocuments(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	csv := "姓名,证件类型,证件号码,理论成绩,技能成绩\nJOHN SMITH,护照,E12345678,80,80\nJANE DOE,护照,AB1234C,80,80\n"
	issued := e.MustIssue(by, e.MustPublicise(by, e.MustPlan(by), csv).ID)
	got, err := e.MatchDocument(ctx, string(issued[0].Handle), "５６７８", "a")
	if err != nil || got.Answer != registry.MatchSame {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = e.MatchDocument(ctx, string(issued[1].Handle), "234C", "a")
	if v, verr := e.VerdictByHandle(ctx, string(issued[1].Handle)); err != nil || verr != nil || got.Answer != registry.MatchNone || len(v.Matches) != 0 {
		t.Errorf("a passport of seven characters: %+v, %v, offered %v", got, err, v.Matches)
	}
}

// An address has its own bound, whoever it asks about.
func TestMatchFromOneAddress(t *testing.T) {
	e := registrytest.New(t)
	issued := e.MustCertificates(e.MustAdmit(1), 0, 16)
	spent := 0
	for range 5 {
		for i, c := range issued {
			got, err := e.MatchDocument(ctx, string(c.Handle), lastFour(i), "198.51.100.7/32")
			if err != nil {
				t.Fatal(err)
			}
			if got.Answer == registry.MatchSpent {
				spent++
			}
		}
	}
	if spent != 5*16-60 {
		t.Errorf("%d of 80 were refused, 60 are answered", spent)
	}
	if got, err := e.MatchDocument(ctx, string(issued[0].Handle), lastFour(0), "198.51.100.8/32"); err != nil || got.Answer != registry.MatchSame {
		t.Errorf("from another address: %+v, %v", got, err)
	}
}

// Parallel tries get no more answers than one after another. They are counted in
// the Update that answers, which is alone among the writers of all processes; with
// BAJIGONG_TEST_ENGINE=postgres the same holds there.
func TestMatchRace(t *testing.T) {
	e := registrytest.New(t)
	c := e.MustCertificates(e.MustAdmit(1), 0, 1)[0]
	var wg sync.WaitGroup
	var mu sync.Mutex
	answers := map[registry.MatchAnswer]int{}
	for i := range 32 {
		wg.Go(func() {
			got, err := e.MatchDocument(ctx, string(c.Handle), fmt.Sprintf("%04d", i), fmt.Sprintf("198.51.100.%d/32", i))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			answers[got.Answer]++
		})
	}
	wg.Wait()
	if answers[registry.MatchSpent] != 27 || answers[registry.MatchSame]+answers[registry.MatchDifferent] != 5 {
		t.Errorf("%v", answers)
	}
}

// face is a picture with enough in it to be told from another.
func face(seed uint64) *image.Gray {
	rnd := mrand.New(mrand.NewPCG(seed, 1))
	m := image.NewGray(image.Rect(0, 0, 295, 413))
	for i := range m.Pix {
		m.Pix[i] = 200
	}
	for range 60 {
		x0, y0, w, h, v := rnd.IntN(295), rnd.IntN(413), 8+rnd.IntN(60), 8+rnd.IntN(60), uint8(rnd.IntN(256))
		for y := y0; y < min(y0+h, 413); y++ {
			for x := x0; x < min(x0+w, 295); x++ {
				m.SetGray(x, y, color.Gray{Y: v})
			}
		}
	}
	return m
}

// mustPhoto gives a certificate a photo by a correction and returns its new form.
func mustPhoto(t testing.TB, e *registrytest.Env, by registrytest.Issuer, number string, m image.Image) registry.Issued {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	in := registry.NewCorrection{Photo: b.Bytes(), Basis: "更正申请 1", Reason: "补录照片", Proofs: []corrections.Proof{{Kind: "holder_application", Reference: "申请表 1"}}}
	c, err := e.ProposeCorrection(ctx, by.Actor, number, in)
	if err != nil {
		t.Fatal(err)
	}
	if c.State == corrections.Proposed {
		if _, err = e.ApproveCorrection(ctx, colleague(by), c.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	out, err := e.CertificateByNumber(ctx, by.Actor, number)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMatchPhoto(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 2)
	c := mustPhoto(t, e, by, issued[0].Number, face(1))
	if v, err := e.VerdictByHandle(ctx, string(c.Handle)); err != nil || !slices.Equal(v.Matches, []credentials.MatchKind{credentials.MatchDocument, credentials.MatchPhoto}) {
		t.Fatalf("offered %v, %v", v.Matches, err)
	}
	blank := image.NewGray(image.Rect(0, 0, 200, 300))
	for i, one := range []struct {
		picture image.Image
		want    registry.MatchAnswer
	}{{face(1), registry.MatchSame}, {face(2), registry.MatchDifferent}, {blank, registry.MatchUnclear}, {face(3), registry.MatchDifferent}, {face(1), registry.MatchSame}, {face(1), registry.MatchSpent}} {
		got, err := e.MatchPhoto(ctx, string(c.Handle), one.picture, "a")
		if err != nil || got.Answer != one.want || got.Left != max(4-i, 0) || got.Kind != credentials.MatchPhoto {
			t.Errorf("try %d: %+v, %v, want %s", i, got, err, one.want)
		}
	}
	// The document has tries of its own.
	if got, err := e.MatchDocument(ctx, string(c.Handle), lastFour(0), "a"); err != nil || got.Answer != registry.MatchSame {
		t.Errorf("%+v, %v", got, err)
	}
	for name, handle := range map[string]string{"without a photo": string(issued[1].Handle), "the version before the photo": string(issued[0].Handle)} {
		if got, err := e.MatchPhoto(ctx, handle, face(1), "a"); err != nil || got.Answer != registry.MatchNone {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := e.MatchPhoto(ctx, "0000000000000", face(1), "a"); fail.CodeOf(err) != "certificate_unknown" {
		t.Error(err)
	}
	if n := len(eventsOf(t, e, registry.HolderDiffers)); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestReceipts(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 2)
	e.Clock.Add(37 * time.Second)
	v, err := e.VerdictByHandle(ctx, string(issued[0].Handle))
	if err != nil {
		t.Fatal(err)
	}
	minute := strings.TrimPrefix(v.Basis(credentials.ZH), "在线查验 ")
	right := registry.ReceiptClaim{Receipt: v.Receipt, Number: issued[0].Number, At: minute, Answer: credentials.ReasonValid}
	ask := func(what string, in registry.ReceiptClaim, want bool) {
		t.Helper()
		if got, err := e.CheckReceipt(ctx, in); err != nil || got.True != want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	ask("as the page shows it", right, true)
	for what, change := range map[string]func(*registry.ReceiptClaim){
		"by its code": func(in *registry.ReceiptClaim) { in.Number = issued[0].Handle.Grouped() },
		"typed loosely": func(in *registry.ReceiptClaim) {
			in.Receipt = strings.ToLower(strings.ReplaceAll(in.Receipt, "-", " "))
		},
		"number with spaces": func(in *registry.ReceiptClaim) { in.Number = credentials.GroupNumber(in.Number) },
	} {
		in := right
		change(&in)
		ask(what, in, true)
	}
	for what, change := range map[string]func(*registry.ReceiptClaim){
		"another certificate": func(in *registry.ReceiptClaim) { in.Number = issued[1].Number },
		"no certificate":      func(in *registry.ReceiptClaim) { in.Number = "S000032058300253999999" },
		"no number":           func(in *registry.ReceiptClaim) { in.Number = "?" },
		"a minute later": func(in *registry.ReceiptClaim) {
			at, _ := time.Parse("2006-01-02 15:04", minute)
			in.At = at.Add(time.Minute).Format("2006-01-02 15:04")
		},
		"another answer": func(in *registry.ReceiptClaim) { in.Answer = credentials.ReasonVoided },
		"another receipt": func(in *registry.ReceiptClaim) {
			in.Receipt = map[bool]string{true: "1", false: "0"}[in.Receipt[0] == '0'] + in.Receipt[1:]
		},
	} {
		in := right
		change(&in)
		ask(what, in, false)
	}
	for field, in := range map[string]registry.ReceiptClaim{
		"receipt": {Receipt: "7K3M", Number: "x1234", At: minute, Answer: "valid"}, "number": {Receipt: v.Receipt, At: minute, Answer: "valid"},
		"at": {Receipt: v.Receipt, Number: "x1234", At: "yesterday", Answer: "valid"}, "answer": {Receipt: v.Receipt, Number: "x1234", At: minute, Answer: "fine"},
	} {
		if _, err := e.CheckReceipt(ctx, in); fail.CodeOf(err) != "receipt_claim" || fail.Of(err).Fields[0].Name != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	// It holds when the certificate is voided since, and when the key is rotated.
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.ReissueCertificate(ctx, by.Actor, issued[1].Number, registry.Reissue{Basis: "补发申请 1", Reason: "遗失"}); err != nil {
		t.Fatal(err)
	}
	ask("after voiding", right, true)
	if _, err := e.Keys.RotateSecret(credentials.SecretIndex, rand.Reader, e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	ask("after a rotation", right, true)
	for i, first := range []credentials.Reason{credentials.ReasonVoided, credentials.ReasonSuperseded} {
		if v, err = e.VerdictByHandle(ctx, string(issued[i].Handle)); err != nil || v.First() != first {
			t.Fatalf("%v, %v", v.Reasons, err)
		}
		ask(string(first), registry.ReceiptClaim{Receipt: v.Receipt, Number: issued[i].Number, At: strings.TrimPrefix(v.Basis(credentials.ZH), "在线查验 "), Answer: first}, true)
	}
}

func TestSignIn(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	a, err := e.CreateAccount(ctx, e.Authority, registry.NewAccount{Name: "远帆公司", Organisation: invented.USCC(7), Roles: []registry.Role{registry.RoleEmployer}, Region: "320583"})
	if err != nil {
		t.Fatal(err)
	}
	key, apiKey, err := e.IssueKey(ctx, e.Authority, a.ID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if registry.KeyID(apiKey) != key.ID || registry.KeyID("x") != "" {
		t.Error("the id of a key")
	}
	begin := func() string {
		t.Helper()
		s, secret, err := e.SignIn(ctx, apiKey)
		if err != nil || len(secret) != 43 || s.Account != a.ID {
			t.Fatalf("%+v, %v", s, err)
		}
		return secret
	}
	open := func(what, secret string, want bool) {
		t.Helper()
		s, by, err := e.SignedIn(ctx, secret)
		if (err == nil) != want || want && (by.Account != a.ID || by.Via != "session:"+s.ID || by.Roles[0] != registry.RoleEmployer || by.Organisation != invented.USCC(7)) {
			t.Errorf("%s: %+v, %v", what, by, err)
		}
		if !want && fail.CodeOf(err) != "sign_in_ended" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bad := range []string{"", "x", apiKey[:len(apiKey)-1] + "A", strings.Replace(apiKey, "bjg_", "bjh_", 1)} {
		if _, _, err := e.SignIn(ctx, bad); fail.CodeOf(err) != "key_unknown" && bad != apiKey {
			t.Errorf("%q: %v", bad, err)
		}
	}
	secret := begin()
	open("at once", secret, true)
	open("a wrong secret", strings.Repeat("A", 43), false)
	open("no secret", "", false)
	if _, err := e.Authenticate(ctx, secret); err == nil {
		t.Error("the secret of a sign-in is an API key")
	}
	e.Clock.Add(registry.SignInIdle - time.Second)
	open("before it is idle", secret, true)
	e.Clock.Add(registry.SignInIdle - time.Second)
	open("used in between", secret, true)
	e.Clock.Add(registry.SignInIdle)
	open("idle", secret, false)
	secret = begin()
	for range 4 {
		e.Clock.Add(registry.SignInLife / 4)
		_, _, err = e.SignedIn(ctx, secret)
	}
	if fail.CodeOf(err) != "sign_in_ended" {
		t.Errorf("after its life: %v", err)
	}
	secret = begin()
	other := begin()
	if err := e.SignOut(ctx, secret); err != nil {
		t.Fatal(err)
	}
	open("signed out", secret, false)
	open("the other one", other, true)
	if err := e.SignOut(ctx, secret); err != nil {
		t.Errorf("again: %v", err)
	}
	e.Clock.Add(time.Second)
	for range 20 { // the oldest makes room
		begin()
	}
	open("one of too many", other, false)
	secret = begin()
	if _, err := e.RevokeKey(ctx, e.Authority, key.ID); err != nil {
		t.Fatal(err)
	}
	open("with a revoked key", secret, false)
	if len(eventsOf(t, e, registry.SignedIn)) < 20 || len(eventsOf(t, e, registry.SignedOut)) != 1 {
		t.Error("events of signing in and out")
	}
}

// The store alone gives nobody a way in: the secret is not in it.
func TestSignInIsStoredHashed(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Engine: registrytest.Bolt})
	a, err := e.CreateAccount(ctx, e.Authority, registry.NewAccount{Name: "审计", Roles: []registry.Role{registry.RoleAuditor}, Region: "320000"})
	if err != nil {
		t.Fatal(err)
	}
	_, apiKey, err := e.IssueKey(ctx, e.Authority, a.ID, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := e.SignIn(ctx, apiKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(e.Dir, "store.db"))
	if err != nil || bytes.Contains(raw, []byte(secret)) || bytes.Contains(raw, []byte(apiKey[24:])) || !bytes.Contains(raw, []byte("signed_in")) {
		t.Errorf("the secret stands in the store (%v)", err)
	}
}

func TestEmployerAccount(t *testing.T) {
	e := registrytest.New(t)
	for name, in := range map[string]registry.NewAccount{
		"without a name": {Name: "a", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583"},
		"and a payer":    {Name: "a", Organisation: "x", Roles: []registry.Role{registry.RoleEmployer, registry.RolePayer}, Region: "320583"},
		"and authority":  {Name: "a", Organisation: "x", Roles: []registry.Role{registry.RoleEmployer, registry.RoleAuthority}, Region: "320583"},
	} {
		if _, err := e.CreateAccount(ctx, e.Authority, in); fail.CodeOf(err) != "account" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// An employer is not an institution, whatever it calls itself.
	by := e.MustAdmit(1)
	employer := registry.Actor{Account: "a-x", Organisation: by.Institution.ID, Roles: []registry.Role{registry.RoleEmployer}, Region: "320583"}
	if _, _, err := e.Sessions(ctx, employer, by.Institution.ID, registry.Page{}); fail.KindOf(err) != fail.Forbidden {
		t.Error(err)
	}
}

func TestCheckList(t *testing.T) {
	e := registrytest.New(t, registrytest.Options{Rerun: kvtest.Rerun(3)})
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 6)
	if _, err := e.ChangeCertificate(ctx, e.Authority, issued[1].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	driver := invented.PersonAt(500)
	if _, err := e.RegisterElsewhere(ctx, e.Authority, []registry.Elsewhere{{Number: "T" + driver.Document, Name: driver.Name, Document: driver.Document,
		Occupation: "6-31-01-03", Level: 4, Issued: "2024-05-01", InstitutionName: "安全生产考试中心"}}); err != nil {
		t.Fatal(err)
	}
	employer := registry.Actor{Account: "a-employer", Organisation: invented.USCC(7), Roles: []registry.Role{registry.RoleEmployer}, Region: "320583", Via: "test"}
	intact, end := strings.CutSuffix(issued[4].QR, "11")
	altered := intact + "12"
	if !end {
		altered = intact[:len(intact)-2] + "11"
	}
	rows := []registry.ListRow{
		{Row: 2, Number: issued[0].Number, Name: issued[0].Name},
		{Row: 3, Number: issued[1].Number, Name: issued[1].Name},
		{Row: 4, Number: issued[2].Number, Name: issued[0].Name},                                                  // somebody else's
		{Row: 5, Number: "S000032058300253999999", Name: issued[0].Name},                                          // nobody's
		{Row: 7, QR: issued[3].QR},                                                                                // the code
		{Row: 8, QR: issued[3].Handle.Grouped(), Name: issued[3].Name},                                            // the same by its 13 characters
		{Row: 9, QR: string(issued[4].Handle), Name: issued[3].Name},                                              // on a namesake's paper
		{Row: 10, QR: altered},                                                                                    // changed
		{Row: 11, QR: "https://zs.other.example.cn/c/" + string(issued[4].Handle)},                                // another system
		{Row: 12, Number: "S00003205830X253000001", Name: "张三"},                                                   // cannot be read
		{Row: 13, Number: issued[5].Number},                                                                       // a number alone
		{Row: 14, Number: "T" + driver.Document, Name: driver.Name},                                               // with an identity number in it
		{Row: 15, Number: strings.ToLower(credentials.GroupNumber(issued[0].Number)), Name: " " + issued[0].Name}, // row 2 again
	}
	got, err := e.CheckList(ctx, employer, rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"valid", "voided", "unknown-certificate", "unknown-certificate", "valid", "valid", "unknown-certificate", "bad-signature", "wrong-registry",
		"number_character", "two_facts", "valid", "valid"}
	for i, a := range got.Answers {
		said := string(a.First())
		if a.Problem != nil {
			said = a.Problem.Code
		}
		if a.Row != rows[i].Row || said != want[i] && (a.Problem == nil || i != 9) {
			t.Errorf("row %d: %s, want %s (%+v)", a.Row, said, want[i], a)
		}
		if found := a.Certificate != nil; found != (said == "valid" || said == "voided") {
			t.Errorf("row %d: certificate %+v", a.Row, a.Certificate)
		}
	}
	if got.Rows != 13 || got.Good != 5 || got.Bad != 8 || got.Duplicates != 2 || got.Answers[5].DuplicateOf != 7 || got.Answers[12].DuplicateOf != 2 || got.LeftLists != 19 || got.LeftRows != 10000-13 {
		t.Errorf("%+v", got)
	}
	if f := got.Answers[0].Certificate; f.Name != "" || f.Occupation == "" || f.Level != "senior" || f.Issued == "" || f.Institution != by.Institution.Name {
		t.Errorf("what is told of a number and name: %+v", f)
	}
	if f := got.Answers[4].Certificate; f.Name != issued[3].Name {
		t.Errorf("what is told of a code: %+v", f)
	}
	if f := got.Answers[11].Certificate; strings.Contains(f.Number, driver.Document) || f.Origin != "elsewhere" {
		t.Errorf("a number with an identity number in it: %+v", f)
	}
	// No oracle: a wrong name answers as a wrong number does.
	a, b := got.Answers[2], got.Answers[3]
	a.Row, b.Row = 0, 0
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("they differ:\n%+v\n%+v", a, b)
	}
	// Each answer is that of the single question, receipt and all.
	for i, one := range map[int]registry.LookupQuery{0: {Number: issued[0].Number, Name: issued[0].Name}, 1: {Number: issued[1].Number, Name: issued[1].Name}} {
		v, err := e.Lookup(ctx, one)
		if err != nil || v.Receipt != got.Answers[i].Receipt || v.First() != got.Answers[i].First() {
			t.Errorf("row %d: %s %v, alone %s %v (%v)", rows[i].Row, got.Answers[i].Receipt, got.Answers[i].Reasons, v.Receipt, v.Reasons, err)
		}
	}
	ev := eventsOf(t, e, registry.ListChecked)
	if len(ev) != 1 || !strings.Contains(ev[0], `"rows":13`) || !strings.Contains(ev[0], `"bad":8`) || !strings.Contains(ev[0], "a-employer") || strings.Contains(ev[0], issued[0].Number) {
		t.Errorf("events %v", ev)
	}
	for name, by := range map[string]registry.Actor{"an institution": by.Actor, "a payer": registrytest.Payer("x", "320583"), "an employer of nobody": {Account: "y", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583"}} {
		if _, err := e.CheckList(ctx, by, rows); fail.KindOf(err) != fail.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := e.CheckList(ctx, registry.Actor{}, rows); fail.KindOf(err) != fail.Unauthorized {
		t.Error(err)
	}
	if _, err := e.CheckList(ctx, e.Authority, rows); err != nil {
		t.Error(err)
	}
	for code, rows := range map[string][]registry.ListRow{"list_empty": nil, "list_rows": make([]registry.ListRow, 2001)} {
		if _, err := e.CheckList(ctx, employer, rows); fail.CodeOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// Lists at the same time, over the account's day: no more are answered than the
// day has.
func TestListRace(t *testing.T) {
	e := registrytest.New(t)
	employer := registry.Actor{Account: "a-employer", Organisation: "e", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583", Via: "test"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for range 32 {
		wg.Go(func() {
			_, err := e.CheckList(ctx, employer, []registry.ListRow{{Number: "S000032058300253999999", Name: "张三"}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				codes["answered"]++
				return
			}
			codes[fail.CodeOf(err)]++
		})
	}
	wg.Wait()
	if codes["answered"] != 20 || codes["lists_spent"] != 12 {
		t.Errorf("%v", codes)
	}
	e.Clock.Add(24 * time.Hour)
	if _, lists, rows, err := e.ListLimits(ctx, employer); err != nil || lists != 20 || rows != 10000 {
		t.Errorf("%d lists, %d rows, %v", lists, rows, err)
	}
}

// On PostgreSQL each read is a round trip: a longer list takes no more of them.
func TestListReadsAreBatched(t *testing.T) {
	var c *calls
	e := registrytest.New(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		c = &calls{Engine: registrytest.Bolt(t, dir)}
		return c
	}})
	issued := e.MustCertificates(e.MustAdmit(1), 0, 120)
	employer := registry.Actor{Account: "a-employer", Organisation: "e", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583", Via: "test"}
	reads := func(n int) int {
		var rows []registry.ListRow
		for i, one := range issued[:n] {
			switch i % 3 {
			case 0:
				rows = append(rows, registry.ListRow{Number: one.Number, Name: one.Name})
			case 1:
				rows = append(rows, registry.ListRow{QR: one.QR})
			default:
				rows = append(rows, registry.ListRow{QR: string(one.Handle)})
			}
		}
		c.reset()
		if got, err := e.CheckList(ctx, employer, rows); err != nil || got.Good != n {
			t.Fatalf("%+v, %v", got, err)
		}
		return c.total()
	}
	if few, many := reads(6), reads(120); many > few || few > 30 {
		t.Errorf("%d reads for 6 rows, %d for 120", few, many)
	}
}

func BenchmarkCheckList(b *testing.B) {
	e := registrytest.New(b, registrytest.Options{NoCheck: true})
	issued := e.MustCertificates(e.MustAdmit(1), 0, 2000)
	employer := registry.Actor{Account: "a-employer", Organisation: "e", Roles: []registry.Role{registry.RoleEmployer}, Region: "320583", Via: "test"}
	for _, kind := range []string{"numbers", "codes"} {
		rows := make([]registry.ListRow, len(issued))
		for i, c := range issued {
			if rows[i] = (registry.ListRow{Number: c.Number, Name: c.Name}); kind == "codes" {
				rows[i] = registry.ListRow{QR: c.QR}
			}
		}
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				e.Clock.Add(24 * time.Hour)
				if got, err := e.CheckList(ctx, employer, rows); err != nil || got.Good != len(rows) {
					b.Fatalf("%d good, %v", got.Good, err)
				}
			}
			b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// How long the answer takes does not say whether there is such a certificate: the
// number of a 特种作业操作证 is the identity number of its holder.
func TestReceiptTimeTellsNothing(t *testing.T) {
	e := registrytest.New(t)
	by := e.MustAdmit(1)
	issued := e.MustCertificates(by, 0, 1)
	took := func(number string) time.Duration {
		least := time.Hour
		for range 9 {
			begun := time.Now()
			if got, err := e.CheckReceipt(ctx, registry.ReceiptClaim{Receipt: "7K3M-9QH2", Number: number, At: "2026-03-02 12:00", Answer: credentials.ReasonValid}); err != nil || got.True {
				t.Fatal(got, err)
			}
			least = min(least, time.Since(begun))
		}
		return least
	}
	there := took(issued[0].Number)
	for name, number := range map[string]string{"no certificate": "S000032058300253999999", "no number": "?", "no code": "0000-00000-0000"} {
		if not := took(number); 2*not < there {
			t.Errorf("%s: %v, a certificate: %v", name, not, there)
		}
	}
}
