package auditlog

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
)

func mustBundle(t testing.TB, m *store, at Published, index uint64) (Bundle, []byte) {
	t.Helper()
	b, err := MakeBundle(m, at, index)
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b, data
}

func parseAndVerify(data []byte, v Verifier) (Proven, error) {
	b, err := ParseBundle(data)
	if err != nil {
		return Proven{}, err
	}
	return VerifyBundle(b, v)
}

func TestBundleOfEveryEntry(t *testing.T) {
	v := verifierOf(t)
	for _, size := range []uint64{1, 2, 7, 256, 300} {
		m := newLog(t, size)
		at := published(t, m)
		grow(t, m, 5)
		for i := range size {
			_, data := mustBundle(t, m, at, i)
			p, err := parseAndVerify(data, v)
			if err != nil || p.Index != i || !bytes.Equal(p.Event, testEvent(i)) || p.Checkpoint != at.Checkpoint {
				t.Fatalf("%d of %d: %+v, %v", i, size, p, err)
			}
			if e, _ := ReadEntry(m, i); !p.Time.Equal(e.Leaf.Time) {
				t.Fatalf("time %v", p.Time)
			}
		}
		_, err := MakeBundle(m, at, size)
		wantCode(t, err, fail.Conflict, "log_pending")
		_, err = MakeBundle(m, at, size+5)
		wantCode(t, err, fail.NotFound, "log_entry_unknown")
	}
}

func TestBundleFlips(t *testing.T) {
	m, v := newLog(t, 6), verifierOf(t)
	if err := m.erase(3); err != nil {
		t.Fatal(err)
	}
	at := published(t, m)
	for _, index := range []uint64{2, 3} {
		_, data := mustBundle(t, m, at, index)
		if _, err := parseAndVerify(data, v); err != nil {
			t.Fatal(err)
		}
		flips(data, func(i int, changed []byte) {
			if _, err := parseAndVerify(changed, v); fail.KindOf(err) != fail.Invalid {
				t.Errorf("byte %d of %s: %v", i, changed, err)
			}
		})
		for cut := range data {
			if _, err := parseAndVerify(data[:cut], v); fail.KindOf(err) != fail.Invalid {
				t.Errorf("cut to %d: %v", cut, err)
			}
		}
	}
}

// The parts are changed one by one below the JSON, so that each check of
// VerifyBundle is met, not only that of the form.
func TestBundleParts(t *testing.T) {
	m, v := newLog(t, 300), verifierOf(t)
	good, _ := mustBundle(t, m, published(t, m), 123)
	if _, err := VerifyBundle(good, v); err != nil {
		t.Fatal(err)
	}
	flips(good.Leaf, func(i int, changed []byte) {
		for _, event := range [][]byte{good.Event, nil} {
			b := good
			b.Leaf, b.Event = changed, event
			if _, err := VerifyBundle(b, v); fail.KindOf(err) != fail.Invalid {
				t.Errorf("leaf byte %d: %v", i, err)
			}
		}
	})
	flips(good.Event, func(i int, changed []byte) {
		b := good
		b.Event = changed
		_, err := VerifyBundle(b, v)
		wantCode(t, err, fail.Invalid, "event_mismatch")
	})
	flips(good.Salt[:], func(i int, changed []byte) {
		b := good
		b.Salt = [SaltSize]byte(changed)
		_, err := VerifyBundle(b, v)
		wantCode(t, err, fail.Invalid, "event_mismatch")
	})
	for i := range good.Proof {
		b := good
		b.Proof = append(b.Proof[:0:0], good.Proof...)
		b.Proof[i][5] ^= 1
		_, err := VerifyBundle(b, v)
		wantCode(t, err, fail.Invalid, "proof_mismatch")
		b.Proof = append(good.Proof[:i:i], good.Proof[i+1:]...)
		_, err = VerifyBundle(b, v)
		wantCode(t, err, fail.Invalid, "proof_mismatch")
	}
	for _, index := range []uint64{0, 122, 124, 299, 300, 1 << 62, 1<<64 - 1} {
		b := good
		b.Index = index
		_, err := VerifyBundle(b, v)
		wantCode(t, err, fail.Invalid, "proof_mismatch")
	}
	b := good
	b.Checkpoint = published(t, newLog(t, 299)).Note
	_, err := VerifyBundle(b, v)
	wantCode(t, err, fail.Invalid, "proof_mismatch")
	_, err = VerifyBundle(good, newVerifier(t, newSigner(t, testOrigin, 2).VKey()))
	wantCode(t, err, fail.Invalid, "checkpoint_untrusted")
}

func TestBundleFormIsStrictButSpaceIsFree(t *testing.T) {
	m, v := newLog(t, 6), verifierOf(t)
	_, data := mustBundle(t, m, published(t, m), 2)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, data, "", "\t"); err != nil {
		t.Fatal(err)
	}
	if _, err := parseAndVerify(pretty.Bytes(), v); err != nil {
		t.Fatal(err)
	}
	s := string(data)
	for name, bad := range map[string]string{
		"empty":         "",
		"null":          "null",
		"array":         "[" + s + "]",
		"two":           s + s,
		"unknown name":  strings.Replace(s, `{`, `{"x":1,`, 1),
		"repeated name": strings.Replace(s, `{`, `{"index":2,`, 1),
		"other case":    strings.Replace(s, `"index"`, `"Index"`, 1),
		"escaped name":  strings.Replace(s, `"index"`, `"\u0069ndex"`, 1),
		"escaped value": strings.Replace(s, `kind`, `\u006bind`, 1),
		"other number":  strings.Replace(s, `"index":2`, `"index":2.0`, 1),
		"other format":  strings.Replace(s, "bundle-1", "bundle-2", 1),
		"event only":    s[:strings.Index(s, `"salt"`)] + s[strings.Index(s, `"event"`):],
		"salt only":     s[:strings.Index(s, `"event"`)] + s[strings.Index(s, `"proof"`):],
		"null proof":    s[:strings.Index(s, `"proof"`)] + `"proof":null}`,
		"too long":      s + strings.Repeat(" ", MaxBundle),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseBundle([]byte(bad))
			wantCode(t, err, fail.Invalid, "bundle_malformed")
		})
	}
}

func TestBundleOfErasedEventProvesTheTimeOnly(t *testing.T) {
	m := newLog(t, 6)
	m.sleep(time.Hour)
	if err := m.erase(2); err != nil {
		t.Fatal(err)
	}
	_, data := mustBundle(t, m, published(t, m), 2)
	p, err := parseAndVerify(data, verifierOf(t))
	if err != nil || p.Event != nil || p.Time.Before(testStart) || bytes.Contains(data, []byte("salt")) {
		t.Fatalf("%+v, %v", p, err)
	}
}

func TestLargestEventFitsABundle(t *testing.T) {
	m := newLog(t, 1)
	// Characters that take the most room in a JSON string.
	for _, c := range []string{`\"`, "\u2028", " \n"} {
		event := []byte(`"` + strings.Repeat(c, (MaxEvent-2)/len(c)) + `"`)
		if c == " \n" {
			event = append(bytes.Repeat([]byte("\n"), MaxEvent-2), "{}"...)
		}
		if _, err := m.append(event, testSalt(1)); err != nil {
			t.Fatal(err)
		}
		h := m.head()
		_, data := mustBundle(t, m, published(t, m), h.Size-1)
		if p, err := parseAndVerify(data, verifierOf(t)); err != nil || !bytes.Equal(p.Event, event) {
			t.Fatal(err)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	m := newLog(f, 6)
	_, data := mustBundle(f, m, published(f, m), 2)
	f.Add(data)
	f.Add([]byte(`{"format":"bajigong-log-bundle-1","checkpoint":"","index":0,"leaf":"","proof":[]}`))
	v := verifierOf(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := ParseBundle(in)
		if err != nil {
			return
		}
		again, err := b.Format()
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, in); err != nil || !bytes.Equal(again, compact.Bytes()) {
			t.Fatalf("%s parses and formats as %s", in, again)
		}
		if p, err := VerifyBundle(b, v); err == nil && p.Event != nil && !bytes.Equal(p.Event, testEvent(p.Index)) {
			t.Fatalf("%s verifies", in)
		}
	})
}
