package credentials

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	mrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/needed"
)

// bundled is a register of three lists with one revoked, one suspended and one
// superseded certificate, and a QR key that is distrusted.
type bundled struct {
	keys
	set    jws.KeySet // with the distrusted key
	served map[string]string
	good   Token
	bad    []Token
}

const bundledLogKey = "zs.example.gov.cn/log+0b1c2d3e+AVJ3"

func newBundled(t testing.TB) *bundled {
	t.Helper()
	b := &bundled{keys: newKeys(t, "js"), served: map[string]string{}}
	stolen, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	noFail(t, err)
	thief, err := jws.NewSigner("js09", jws.QR, stolen)
	noFail(t, err)
	withStolen, err := jws.NewKeySet(append(b.keys.set.Keys(), jws.Key{ID: "js09", Purpose: jws.QR, State: jws.Distrusted, DistrustedFrom: testNow, Public: &stolen.PublicKey})...)
	noFail(t, err)
	b.set = withStolen
	byThief, err := SignToken(thief, sample())
	noFail(t, err)
	b.good = b.token(t, placed(4))
	altered := b.good[:50] + Token(nextChar(b.good[50])) + b.good[51:]
	b.bad = []Token{byThief, b.token(t, placed(1)), b.token(t, placed(2)), b.token(t, placed(3)), newKeys(t, "js").token(t, sample()), newKeys(t, "zj").token(t, sample()), altered}
	b.publish(t, testNow.Add(-time.Hour))
	return b
}

// publish sets what the register serves.
func (b *bundled) publish(t testing.TB, at time.Time) {
	t.Helper()
	d := sampleDirectory()
	d.IssuedAt = at
	directory, err := SignDirectory(b.signers[jws.Directory], d)
	noFail(t, err)
	for _, p := range bundlePurposes {
		b.served["/keys/"+string(p)+".json"] = string(b.set.JWKS(p))
	}
	b.served["/directory.jws"], b.served["/log/key"], b.served["/log/checkpoint"] = directory, bundledLogKey+"\n", "zs.example.gov.cn/log\n1\nAAAA\n\n— x\n"
	for i, p := range StatusPurposes() {
		l := NewStatusList(testOrigin, p, 0)
		l.ValidFrom, l.ValidUntil = at, at.Add(24*time.Hour)
		noFail(t, l.Set(1+i, true))
		noFail(t, l.Set(1, p != Refresh))
		noFail(t, l.Set(3, p != Suspension))
		text, err := l.Sign(b.signers[jws.Status])
		noFail(t, err)
		b.served["/status/"+StatusListName(p, 0)] = text
	}
}

func (b *bundled) read(path string, most int) ([]byte, error) {
	body, ok := b.served[path]
	if !ok {
		return nil, fail.New(fail.NotFound, "nothing", "nothing at %s", path)
	}
	if len(body) > most {
		return nil, fail.New(fail.TooLarge, "large", "%s is too large", path)
	}
	return []byte(body), nil
}

func (b *bundled) gather(t testing.TB) Bundle {
	t.Helper()
	out, err := GatherBundle(testOrigin, func() time.Time { return testNow.Add(300 * time.Millisecond) }, b.read)
	noFail(t, err)
	return out
}

func TestBundleRoundTripAndWhatItTells(t *testing.T) {
	reg := newBundled(t)
	b := reg.gather(t)
	file, err := b.Format()
	noFail(t, err)
	again, err := reg.gather(t).Format()
	noFail(t, err)
	if !bytes.Equal(file, again) {
		t.Error("the same parts give two files")
	}
	back, err := ParseBundle(file)
	noFail(t, err)
	opened, err := back.Open(testNow)
	noFail(t, err)
	if opened.LogKey != bundledLogKey || !strings.Contains(opened.Checkpoint, "/log\n1\n") || len(opened.Ages) != 10 || len(opened.Trust.StatusLists) != 3 {
		t.Errorf("%+v", opened)
	}
	v, err := VerifyOffline(string(reg.good), opened.Trust, testNow)
	if err != nil || v.First() != ReasonValid {
		t.Errorf("good: %v, %v", v.Reasons, err)
	}
	for i, want := range []Reason{ReasonKeyDistrusted, ReasonRevoked, ReasonSuspended, ReasonSuperseded, ReasonBadSignature, ReasonWrongRegistry, ReasonBadSignature} {
		v, err := VerifyOffline(string(reg.bad[i]), opened.Trust, testNow)
		if err != nil || v.Valid || v.First() != want {
			t.Errorf("bad %d: %v, %v; want %s", i, v.Reasons, err, want)
		}
	}
	age := func(name string, at time.Time) PartAge {
		o, err := back.Open(at)
		noFail(t, err)
		return o.Ages[slices.IndexFunc(o.Ages, func(a PartAge) bool { return a.Name == name })]
	}
	list := BundleStatus(Revocation, 0)
	if a := age(list, testNow); a.Remark(ZH) != "" || !a.Fetched.Equal(testNow) || !a.Signed.Equal(testNow.Add(-time.Hour)) || !a.Until.Equal(testNow.Add(23*time.Hour)) {
		t.Errorf("fresh: %+v", a)
	}
	if a := age(list, testNow.Add(2*time.Minute)); a.Stale || !a.Due || !strings.Contains(a.Remark(EN), "due for an update") {
		t.Errorf("due: %+v", a)
	}
	if a := age(list, testNow.Add(24*time.Hour)); !a.Stale || !strings.Contains(a.Remark(ZH), Sentence(ReasonStatusStale, ZH, Args{})) {
		t.Errorf("stale: %+v", a)
	}
	if a := age(BundleKeys(jws.QR), testNow.Add(24*time.Hour)); a.Remark(ZH) != "" || !a.Signed.IsZero() {
		t.Errorf("keys: %+v", a)
	}
}

// resum writes the sum of a changed bundle anew, as a forger would.
func resum(file []byte) []byte {
	_, body, _ := bytes.Cut(file, []byte("\n"))
	sum := sha256.Sum256(body)
	return append([]byte(bundleMagic+hex.EncodeToString(sum[:])+"\n"), body...)
}

// TestEveryFlippedBitOfABundleIsFound: damage is found by the sum. A forger who
// writes the sum anew makes no bad certificate good, as long as the keys are held
// against their fingerprint.
func TestEveryFlippedBitOfABundleIsFound(t *testing.T) {
	t.Parallel()
	reg := newBundled(t)
	b := reg.gather(t)
	file, err := b.Format()
	noFail(t, err)
	pin, err := b.Fingerprint()
	noFail(t, err)
	rng := mrand.New(mrand.NewPCG(5, 6))
	keysFrom, keysTo := bytes.Index(file, []byte(`{"name":"keys-`)), bytes.Index(file, []byte(`{"name":"log.vkey"`))
	newline := bytes.IndexByte(file, '\n')
	damaged, forged, opens := 0, 0, 0
	for i := range file {
		for bit := range 8 {
			if !needed.Tried(8*i+bit, 5, 17) {
				continue
			}
			changed := slices.Clone(file)
			changed[i] ^= 1 << bit
			if _, err := ParseBundle(changed); fail.CodeOf(err) != "bad_bundle" || i > newline && !strings.Contains(err.Error(), "damaged") {
				t.Fatalf("bit %d of byte %d: %v", bit, i, err)
			}
			damaged++
			if i <= newline || (i < keysFrom || i > keysTo) && rng.IntN(12) != 0 {
				continue
			}
			forged++
			opened, ok := reopened(resum(changed), pin)
			if !ok {
				continue
			}
			opens++
			for n, text := range reg.bad {
				if v, err := VerifyOffline(string(text), opened.Trust, testNow); err == nil && v.Valid {
					t.Fatalf("bit %d of byte %d makes certificate %d good: %v", bit, i, n, v.Reasons)
				}
			}
		}
	}
	t.Logf("%d flips found by the sum; of %d with the sum written anew %d open (times and the checkpoint) and make nothing good", damaged, forged, opens)
	if opens == 0 {
		t.Error("the test tried nothing")
	}
}

// reopened opens a bundle as `bajigong verify --pin` does.
func reopened(file []byte, pin string) (OpenedBundle, bool) {
	b, err := ParseBundle(file)
	if err != nil {
		return OpenedBundle{}, false
	}
	opened, err := b.Open(testNow)
	return opened, err == nil && CheckPin(opened.Fingerprint, pin) == nil
}

// TestForgedKeysNeedTheFingerprint says what the sum alone does not protect from:
// it is in the documentation, and here it is seen.
func TestForgedKeysNeedTheFingerprint(t *testing.T) {
	reg := newBundled(t)
	b := reg.gather(t)
	pin, err := b.Fingerprint()
	noFail(t, err)
	i := slices.IndexFunc(b.Parts, func(p BundlePart) bool { return p.Name == BundleKeys(jws.QR) })
	b.Parts[i].Text = strings.Replace(b.Parts[i].Text, "distrusted_from", "distrusted_fron", 1)
	opened, err := b.Open(testNow)
	noFail(t, err)
	if v, err := VerifyOffline(string(reg.bad[0]), opened.Trust, testNow); err != nil || !v.Valid {
		t.Fatalf("without the fingerprint nothing finds it: %v, %v", v.Reasons, err)
	}
	if err := CheckPin(opened.Fingerprint, pin); fail.CodeOf(err) != "pin_mismatch" {
		t.Errorf("with it: %v", err)
	}
	for _, text := range []string{pin, strings.ToUpper(pin[7:]), " " + pin[:20] + " " + pin[20:] + "\n"} {
		noFail(t, CheckPin(pin, text))
	}
	for _, text := range []string{"", "sha256:", pin[:70], pin + "0", strings.Replace(pin, "sha256", "md5", 1)} {
		if err := CheckPin(pin, text); fail.CodeOf(err) != "bad_pin" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestBundleIsStrict(t *testing.T) {
	reg := newBundled(t)
	b := reg.gather(t)
	file, err := b.Format()
	noFail(t, err)
	for name, swap := range map[string][2]string{
		"unknown member": {`"from"`, `"more":1,"from"`}, "white space": {`"from":`, `"from": `}, "unknown part": {`"name":"log.vkey"`, `"name":"log.vkez"`}, "path": {`"name":"log.vkey"`, `"name":"../x"`},
		"twice": {`"name":"directory.jws"`, `"name":"checkpoint"`}, "order": {`"name":"checkpoint"`, `"name":"keys-qr.json"`}, "zone": {`"fetched":"2026-03-02T04:00:00Z"`, `"fetched":"2026-03-02T12:00:00+08:00"`},
		"fraction": {`"fetched":"2026-03-02T04:00:00Z"`, `"fetched":"2026-03-02T04:00:00.5Z"`}, "control": {`"from":"https`, `"from":"\nhttps`}, "no parts": {`"parts":[`, `"parts":null,"x":[`}, "after": {"]}\n", "]}\n{}"},
		"list number": {`status-revocation-0`, `status-revocation-00`},
	} {
		changed := bytes.Replace(file, []byte(swap[0]), []byte(swap[1]), 1)
		if bytes.Equal(changed, file) {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := ParseBundle(resum(changed)); fail.CodeOf(err) != "bad_bundle" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{"", "x", "bajigong-bundle/1 sha256:\n", bundleMagic + strings.Repeat("0", 64) + "\n{}", string(file[:len(file)-1])} {
		if _, err := ParseBundle([]byte(s)); fail.CodeOf(err) != "bad_bundle" {
			t.Errorf("%.60q: %v", s, err)
		}
	}
	if _, err := ParseBundle(make([]byte, MaxBundle+1)); fail.KindOf(err) != fail.TooLarge {
		t.Errorf("too large: %v", err)
	}
	b.Parts[0].Text = strings.Repeat("x", maxNote+1)
	if _, err := b.Format(); fail.CodeOf(err) != "bad_bundle" {
		t.Errorf("a large part: %v", err)
	}
}

// TestGatherRefuses: a bundle is never made of what does not verify.
func TestGatherRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*bundled)
		code string
	}{
		"no qr keys":    {func(b *bundled) { delete(b.served, "/keys/qr.json") }, "nothing"},
		"bad keys":      {func(b *bundled) { b.served["/keys/qr.json"] = "{}" }, "bad_key_set"},
		"other purpose": {func(b *bundled) { b.served["/keys/qr.json"] = b.served["/keys/status.json"] }, "bad_key_set"},
		"key twice": {func(b *bundled) {
			b.served["/keys/status.json"] = strings.Replace(b.served["/keys/status.json"], "js03", "js01", 1)
		}, "bad_key_set"},
		"directory":       {func(b *bundled) { b.served["/directory.jws"] += "A" }, "jws_malformed"},
		"list":            {func(b *bundled) { b.served["/status/revocation-0"] = "x" }, "jws_malformed"},
		"list of another": {func(b *bundled) { b.served["/status/revocation-0"] = b.served["/status/suspension-0"] }, "other_list"},
		"list as second":  {func(b *bundled) { b.served["/status/revocation-1"] = b.served["/status/revocation-0"] }, "other_list"},
		"large":           {func(b *bundled) { b.served["/log/key"] = strings.Repeat("x", maxNote+1) }, "large"},
		"no directory":    {func(b *bundled) { delete(b.served, "/directory.jws") }, ""},
		"no log":          {func(b *bundled) { delete(b.served, "/log/key"); delete(b.served, "/log/checkpoint") }, ""},
		"no lists":        {func(b *bundled) { delete(b.served, "/status/revocation-0") }, ""},
	} {
		reg := newBundled(t)
		c.edit(reg)
		b, err := GatherBundle(testOrigin, func() time.Time { return testNow }, reg.read)
		if fail.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			_, err = b.Format()
			noFail(t, err)
		}
	}
}

func TestBundleFollows(t *testing.T) {
	newKey := func(t *testing.T, kid string, p jws.Purpose) jws.Key {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		noFail(t, err)
		return jws.Key{ID: kid, Purpose: p, State: jws.Active, Public: &k.PublicKey}
	}
	with := func(t *testing.T, b *bundled, edit func([]jws.Key) []jws.Key) {
		set, err := jws.NewKeySet(edit(b.set.Keys())...)
		noFail(t, err)
		b.set = set
	}
	at := func(id string) func(jws.Key) bool { return func(k jws.Key) bool { return k.ID == id } }
	for name, c := range map[string]struct {
		edit func(*testing.T, *bundled)
		at   time.Duration // when it is published again, after the first time
		code string
		new  []string
	}{
		"the same":    {func(*testing.T, *bundled) {}, 0, "", nil},
		"later":       {func(*testing.T, *bundled) {}, 20 * time.Minute, "", nil},
		"a bit older": {func(*testing.T, *bundled) {}, -9 * time.Minute, "", nil},
		"older":       {func(*testing.T, *bundled) {}, -11 * time.Minute, "bundle_older", nil},
		"new key": {func(t *testing.T, b *bundled) {
			with(t, b, func(k []jws.Key) []jws.Key { return append(k, newKey(t, "js10", jws.QR)) })
		}, 0, "", []string{"js10"}},
		"key gone": {func(t *testing.T, b *bundled) {
			with(t, b, func(k []jws.Key) []jws.Key { return slices.DeleteFunc(k, at("js09")) })
		}, 0, "key_replaced", nil},
		"key replaced": {func(t *testing.T, b *bundled) {
			with(t, b, func(k []jws.Key) []jws.Key {
				return append(slices.DeleteFunc(k, at("js01")), newKey(t, "js01", jws.QR))
			})
		}, 0, "key_replaced", nil},
		"trusted again": {func(t *testing.T, b *bundled) {
			with(t, b, func(k []jws.Key) []jws.Key {
				i := slices.IndexFunc(k, at("js09"))
				k[i].State, k[i].DistrustedFrom = jws.Active, time.Time{}
				return k
			})
		}, 0, "key_replaced", nil},
		"distrusted now": {func(t *testing.T, b *bundled) {
			with(t, b, func(k []jws.Key) []jws.Key {
				i := slices.IndexFunc(k, at("js01"))
				k[i].State, k[i].DistrustedFrom = jws.Distrusted, testNow
				return k
			})
		}, 0, "", nil},
		"log key":        {func(_ *testing.T, b *bundled) { b.served["/log/key"] = "other+0b1c2d3e+AVJ3" }, 0, "log_replaced", nil},
		"log gone":       {func(_ *testing.T, b *bundled) { delete(b.served, "/log/key") }, 0, "log_replaced", nil},
		"list gone":      {func(_ *testing.T, b *bundled) { delete(b.served, "/status/suspension-0") }, 0, "bundle_older", nil},
		"directory gone": {func(_ *testing.T, b *bundled) { delete(b.served, "/directory.jws") }, 0, "bundle_older", nil},
	} {
		t.Run(name, func(t *testing.T) {
			reg := newBundled(t)
			earlier := reg.gather(t)
			if c.at != 0 {
				reg.publish(t, testNow.Add(-time.Hour+c.at))
			}
			c.edit(t, reg)
			for _, p := range bundlePurposes {
				reg.served["/keys/"+string(p)+".json"] = string(reg.set.JWKS(p))
			}
			added, err := reg.gather(t).Follows(earlier, testNow)
			if fail.CodeOf(err) != c.code || !slices.Equal(added, c.new) {
				t.Errorf("%v, %v", added, err)
			}
		})
	}
}

func FuzzParseBundle(f *testing.F) {
	reg := newBundled(f)
	file, err := reg.gather(f).Format()
	noFail(f, err)
	_, body, _ := bytes.Cut(file, []byte("\n"))
	f.Add(body)
	f.Add([]byte(`{"from":"","parts":[]}` + "\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		file := resum(append([]byte("\n"), body...))
		b, err := ParseBundle(file)
		if err != nil {
			return
		}
		again, err := b.Format()
		if err != nil || !bytes.Equal(again, file) {
			t.Fatalf("no round trip: %v\n%q\n%q", err, file, again)
		}
		_, _ = b.Open(testNow)
	})
}
