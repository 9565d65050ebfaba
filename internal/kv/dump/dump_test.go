package dump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
)

var testHeader = Header{
	Format: Format, ID: strings.Repeat("0", 31) + "1", Made: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC),
	Origin: "https://zs.example.gov.cn", Schema: 2, SchemaName: "two", Time: time.Date(2026, 3, 2, 0, 59, 59, 0, time.UTC),
	Log: &Log{Origin: "zs.example.gov.cn/log", Size: 3, Root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
}

type record struct {
	t          kv.Table
	key, value string
}

var testRecords = []record{
	{"accounts", "a", "{}"}, {"accounts", "b", ""}, {"accounts", "b\x00", strings.Repeat("高级工", 30)},
	{"meta", "time", "2026-03-02T00:59:59Z"}, {"sealed", "\x00", "\x00\xff"}, {"sealed", "\xff", strings.Repeat("\xff", 200)},
}

func contentOf(t testing.TB, h Header, records []record) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Put(r.t, []byte(r.key), []byte(r.value)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func packed(t testing.TB, content []byte, to Recipients) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := Create(&out, to)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Write(content)
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// unpacked is what a file says, whole or not at all.
func unpacked(file []byte, with Identities) (h Header, out []record, err error) {
	content, done, err := Open(bytes.NewReader(file), with)
	if err != nil {
		return h, nil, err
	}
	defer done()
	return read(content)
}

func read(content io.Reader) (h Header, out []record, err error) {
	r, err := NewReader(content)
	if err != nil {
		return h, nil, err
	}
	for {
		t, e, err := r.Next()
		if err == io.EOF {
			return r.Header(), out, nil
		}
		if err != nil {
			return h, nil, err
		}
		out = append(out, record{t, string(e.Key), string(e.Value)})
	}
}

func TestRoundTrip(t *testing.T) {
	for _, records := range [][]record{nil, testRecords[:1], testRecords} {
		file := packed(t, contentOf(t, testHeader, records), nil)
		h, got, err := unpacked(file, nil)
		if err != nil || !reflect.DeepEqual(h, testHeader) || !reflect.DeepEqual(got, records) {
			t.Errorf("%d records: %+v %v %v", len(records), h, got, err)
		}
	}
}

// TestEveryFlip: a file in which one byte is another says what it said, or is
// refused.
func TestEveryFlip(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	content := contentOf(t, testHeader, testRecords)
	for _, kind := range []struct {
		name string
		file []byte
		read func([]byte) (Header, []record, error)
		same int // places where a change may be without effect
	}{
		{"content", content, func(b []byte) (Header, []record, error) { return read(bytes.NewReader(b)) }, 0},
		{"packed", packed(t, content, nil), func(b []byte) (Header, []record, error) { return unpacked(b, nil) }, 40},
		{"encrypted", packed(t, content, Recipients{id.Recipient()}), func(b []byte) (Header, []record, error) { return unpacked(b, Identities{id}) }, 40},
	} {
		t.Run(kind.name, func(t *testing.T) {
			same := 0
			for i := range kind.file {
				for _, flip := range []byte{1 << rand.N(8), 0xff, 0x80, 1} {
					file := bytes.Clone(kind.file)
					file[i] ^= flip
					h, got, err := kind.read(file)
					if err == nil {
						same++
						if !reflect.DeepEqual(h, testHeader) || !reflect.DeepEqual(got, testRecords) {
							t.Fatalf("byte %d ^ %x: accepted as something else", i, flip)
						}
					} else if fail.KindOf(err) == fail.Internal {
						t.Fatalf("byte %d ^ %x: %v", i, flip, err)
					}
				}
			}
			if same > kind.same {
				t.Errorf("%d changes went unnoticed", same)
			}
		})
	}
}

// TestEveryCut: a file that lacks its end is refused, wherever it was cut, and so
// is one with something behind it.
func TestEveryCut(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	content := contentOf(t, testHeader, testRecords)
	plain, sealed := packed(t, content, nil), packed(t, content, Recipients{id.Recipient()})
	for i := range content {
		if _, _, err := read(bytes.NewReader(content[:i])); err == nil || fail.KindOf(err) == fail.Internal {
			t.Fatalf("content of %d bytes: %v", i, err)
		}
	}
	for i := range plain {
		if _, _, err := unpacked(plain[:i], nil); err == nil || fail.KindOf(err) == fail.Internal {
			t.Fatalf("file of %d bytes: %v", i, err)
		}
	}
	for i := range sealed {
		if _, _, err := unpacked(sealed[:i], Identities{id}); err == nil || fail.KindOf(err) == fail.Internal {
			t.Fatalf("encrypted file of %d bytes: %v", i, err)
		}
	}
	for name, file := range map[string][]byte{"a byte": append(bytes.Clone(plain), 0), "itself": append(bytes.Clone(plain), plain...)} {
		if _, _, err := unpacked(file, nil); err == nil {
			t.Errorf("%s follows: accepted", name)
		}
	}
	// A dump cut between two records with a trailer of its own is another dump;
	// one from which a record was taken out has a trailer that is not its own.
	missing := bytes.Replace(content, frameOf(nil, tagRecord, []byte("b")), nil, 1)
	if _, _, err := read(bytes.NewReader(missing)); fail.CodeOf(err) != "dump_damaged" {
		t.Errorf("a record less: %v", err)
	}
}

func TestOtherFilesAreNoDumps(t *testing.T) {
	for name, file := range map[string][]byte{"empty": nil, "text": []byte("SQLite format 3\x00 and so on and on"), "zstd": packed(t, []byte("something else altogether"), nil)} {
		if _, _, err := unpacked(file, nil); fail.CodeOf(err) != "dump_unknown" {
			t.Errorf("%s: %v", name, err)
		}
	}
	newer := strings.Replace(string(contentOf(t, testHeader, nil)), `"format":1`, `"format":9`, 1)
	if _, _, err := read(strings.NewReader(newer)); fail.CodeOf(err) != "dump_format_newer" {
		t.Errorf("a newer format: %v", err)
	}
}

func TestEncryption(t *testing.T) {
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	to, err := ParseRecipients("# safe 1\n" + mine.Recipient().String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	file := packed(t, contentOf(t, testHeader, testRecords), to)
	if bytes.Contains(file, []byte("accounts")) {
		t.Error("readable")
	}
	with, err := ParseIdentities(mine.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, got, err := unpacked(file, append(Identities{other}, with...)); err != nil || len(got) != len(testRecords) {
		t.Errorf("%v, %v", got, err)
	}
	if _, _, err := unpacked(file, nil); fail.CodeOf(err) != "dump_encrypted" {
		t.Errorf("without a key: %v", err)
	}
	if _, _, err := unpacked(file, Identities{other}); fail.CodeOf(err) != "dump_wrong_identity" {
		t.Errorf("with another key: %v", err)
	}
	if _, err := ParseRecipients("age1nonsense"); fail.CodeOf(err) != "dump_recipient" {
		t.Errorf("a recipient that is none: %v", err)
	}
	if _, err := ParseIdentities("AGE-SECRET-KEY-1GEHEIM"); fail.CodeOf(err) != "dump_identity" || strings.Contains(err.Error(), "GEHEIM") {
		t.Errorf("an identity that is none: %v", err)
	}
}

func TestWriterKeepsOrder(t *testing.T) {
	for _, after := range []record{{"b", "k", ""}, {"b", "j", ""}, {"a", "z", ""}, {"", "k", ""}, {"b", "", ""}, {"B", "k", ""}} {
		w, err := NewWriter(io.Discard, testHeader)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Put("b", []byte("k"), nil); err != nil {
			t.Fatal(err)
		}
		if w.Put(after.t, []byte(after.key), nil) == nil {
			t.Errorf("%q %q after b k: accepted", after.t, after.key)
		}
		if _, err := w.Close(); err == nil {
			t.Errorf("%q %q after b k: closed", after.t, after.key)
		}
	}
	bad := testHeader
	bad.Made = bad.Made.Add(1)
	if _, err := NewWriter(io.Discard, bad); fail.CodeOf(err) != "dump_header" {
		t.Error(err)
	}
}

// TestWriteTurnsPages dumps a store of many small entries and a few large ones.
func TestWriteTurnsPages(t *testing.T) {
	e, err := boltkv.Open(filepath.Join(t.TempDir(), "store.db"), boltkv.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var want []record
	for i := range 3*pageRecords + 7 {
		want = append(want, record{"small", fmt.Sprintf("%06d", i), "v"})
	}
	for i := range 50 {
		want = append(want, record{"some_large", fmt.Sprintf("%06d", i), strings.Repeat("x", 1<<19+i)})
	}
	err = e.Apply(t.Context(), func(kv.Reader) (ws []kv.Write, err error) {
		for _, r := range want {
			ws = append(ws, kv.Write{Table: r.t, Key: []byte(r.key), Value: []byte(r.value)})
		}
		return ws, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var at []Progress
	err = e.View(t.Context(), func(rd kv.Reader) error {
		w, err := NewWriter(&out, testHeader)
		if err != nil {
			return err
		}
		if err := Write(t.Context(), w, rd, func(p Progress) { at = append(at, p) }); err != nil {
			return err
		}
		_, err = w.Close()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := read(&out)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%d of %d, %v", len(got), len(want), err)
	}
	if last := at[len(at)-1]; last.Tables != 2 || last.Table != 2 || last.Records != uint64(len(want)) || len(at) < 8 {
		t.Errorf("progress %+v", at)
	}
}

// FuzzReader: whatever is accepted is what a Writer writes, byte for byte.
func FuzzReader(f *testing.F) {
	f.Add(contentOf(f, testHeader, testRecords))
	f.Add(contentOf(f, testHeader, nil))
	small := testHeader
	small.Log, small.Origin = nil, ""
	f.Add(contentOf(f, small, testRecords[:2]))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, records, err := read(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again := contentOf(t, h, records); !bytes.Equal(again, b) {
			t.Errorf("%q is written as %q", b, again)
		}
	})
}
