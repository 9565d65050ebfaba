package auditlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"bajigong/internal/fail"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func ExampleOpenCheckpoint() {
	signed := []byte("register.example.cn/log\n" +
		"3\n" +
		"Y3IbGmsIo9fAkoq83gk0iHswDG1HcxmInVSEfIoL8+M=\n" +
		"\n" +
		"— register.example.cn/log t1Wq9VwljmX7HXc+VO5gIdvQG4yaN+SWoWDMNSnU+AWekVW1jVD7uGvt43kUDg//OmxaBeRfWZkuYq4yhdPwkyBhHQI=\n")
	v, err := NewVerifier("register.example.cn/log+b755aaf5+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := OpenCheckpoint(signed, v)
	fmt.Println(c.Origin, c.Size, c.Root, err)
	// Output: register.example.cn/log 3 Y3IbGmsIo9fAkoq83gk0iHswDG1HcxmInVSEfIoL8+M= <nil>
}

func TestCheckpointFlips(t *testing.T) {
	p, v := published(t, newLog(t, 300)), verifierOf(t)
	if c, err := OpenCheckpoint(p.Note, v); err != nil || c != p.Checkpoint || c.Size != 300 || c.Origin != testOrigin {
		t.Fatalf("%+v, %v", c, err)
	}
	flips(p.Note, func(i int, changed []byte) {
		if _, err := OpenCheckpoint(changed, v); fail.KindOf(err) != fail.Invalid {
			t.Errorf("byte %d: %q opens: %v", i, changed, err)
		}
	})
	for cut := range p.Note {
		if _, err := OpenCheckpoint(p.Note[:cut], v); fail.KindOf(err) != fail.Invalid {
			t.Errorf("cut to %d: %v", cut, err)
		}
	}
	// The signature's last character before the padding has two spare bits.
	i := bytes.LastIndexByte(p.Note, '=') - 1
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	spare := bytes.Clone(p.Note)
	spare[i] = alphabet[strings.IndexByte(alphabet, p.Note[i])|1]
	_, err := OpenCheckpoint(spare, v)
	wantCode(t, err, fail.Invalid, "checkpoint_malformed")
}

func TestCheckpointOfAnotherKeyOrLog(t *testing.T) {
	p := published(t, newLog(t, 3))
	for _, vkey := range []string{newSigner(t, testOrigin, 2).VKey(), newSigner(t, "other.example.cn/log", 1).VKey()} {
		_, err := OpenCheckpoint(p.Note, newVerifier(t, vkey))
		wantCode(t, err, fail.Invalid, "checkpoint_untrusted")
	}
	_, err := OpenCheckpoint(p.Note, Verifier{})
	wantCode(t, err, fail.Invalid, "checkpoint_untrusted")
	// A log's key must not vouch for the text of another log.
	s := newSigner(t, testOrigin, 1)
	alien, err := s.sign(Checkpoint{Origin: "other.example.cn/log", Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenCheckpoint(alien, verifierOf(t))
	wantCode(t, err, fail.Invalid, "checkpoint_untrusted")
}

func TestCosignaturesAndReplacedKeys(t *testing.T) {
	p := published(t, newLog(t, 3))
	n, err := note.Open(p.Note, note.VerifierList(mustNote(t, newSigner(t, testOrigin, 1).VKey())))
	if err != nil {
		t.Fatal(err)
	}
	both, err := note.Sign(n, newSigner(t, "witness.example", 9).key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := OpenCheckpoint(both, verifierOf(t)); err != nil || c != p.Checkpoint {
		t.Fatal(err)
	}
	v := newVerifier(t, newSigner(t, testOrigin, 2).VKey(), newSigner(t, testOrigin, 1).VKey())
	if c, err := OpenCheckpoint(p.Note, v); err != nil || c != p.Checkpoint || v.Origin() != testOrigin {
		t.Fatal(err)
	}
}

func mustNote(t *testing.T, vkey string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerifierKeysAreStrict(t *testing.T) {
	vkey := newSigner(t, testOrigin, 1).VKey()
	for _, bad := range [][]string{
		nil, {""}, {"a"}, {vkey + "="}, {vkey, ""}, {vkey, newSigner(t, "other.example.cn/log", 1).VKey()},
		{strings.Replace(vkey, "register", "Register", 1)},
	} {
		_, err := NewVerifier(bad...)
		wantCode(t, err, fail.Invalid, "vkey_malformed")
	}
	for _, size := range []int{0, 31, 33, 64} {
		if _, err := NewSigner(testOrigin, make([]byte, size)); fail.KindOf(err) != fail.Internal {
			t.Errorf("seed of %d: %v", size, err)
		}
	}
	_, err := NewSigner("https://register.example.cn", make([]byte, 32))
	wantCode(t, err, fail.Invalid, "origin_malformed")
}

func TestParseCheckpointIsStrict(t *testing.T) {
	good := Checkpoint{Origin: testOrigin, Size: 12, Root: tlog.RecordHash([]byte("x"))}
	text := good.Text()
	if c, err := ParseCheckpoint(text); err != nil || c != good {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, bad := range []string{
		"", text[:len(text)-1], text + "extension\n", text + "\n", "\n" + text, strings.ReplaceAll(text, "\n", "\r\n"),
		strings.Replace(text, "\n12\n", "\n012\n", 1), strings.Replace(text, "\n12\n", "\n+12\n", 1),
		strings.Replace(text, "\n12\n", "\n-12\n", 1), strings.Replace(text, "\n12\n", "\n\n", 1),
		strings.Replace(text, "\n12\n", "\n9223372036854775807\n", 1), strings.Replace(text, testOrigin, "", 1),
		strings.Replace(text, testOrigin, "https://"+testOrigin, 1),
	} {
		_, err := ParseCheckpoint(bad)
		wantCode(t, err, fail.Invalid, "checkpoint_malformed")
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	p, v := published(f, newLog(f, 3)), verifierOf(f)
	f.Add(p.Note)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := OpenCheckpoint(b, v); err == nil && c != p.Checkpoint {
			t.Fatalf("%q opens", b)
		}
		if c, err := ParseCheckpoint(string(b)); err == nil && c.Text() != string(b) {
			t.Fatalf("%q parses and formats as %q", b, c.Text())
		}
	})
}

var errDisk = errors.New("no space left on device")

// faulty is a CheckpointStore that fails before, or after, it has saved.
type faulty struct {
	CheckpointStore
	before, after bool
}

func (f *faulty) Save(b []byte) error {
	if f.before {
		return errDisk
	}
	if err := f.CheckpointStore.Save(b); err != nil {
		return err
	}
	if f.after {
		return errDisk
	}
	return nil
}
