package dump

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"filippo.io/age"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// endless gives one text again and again, and counts.
type endless struct {
	text string
	read int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		n += copy(b[n:], e.text[(e.read+n)%len(e.text):])
	}
	e.read += n
	return n, nil
}

// TestAnEndlessHeaderIsNotKept: an encrypted file with recipients without end is given
// up after a megabyte.
func TestAnEndlessHeaderIsNotKept(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	more := &endless{text: "-> X25519 " + strings.Repeat("A", 43) + "\n" + strings.Repeat("A", 43) + "\n"}
	_, _, err = Open(io.MultiReader(strings.NewReader("age-encryption.org/v1\n"), io.LimitReader(more, 1<<30)), Identities{id})
	if fail.CodeOf(err) != "dump_damaged" || more.read > 4<<20 {
		t.Errorf("%v after %d bytes", err, more.read)
	}
	// A true one is read to its end, however long.
	var file bytes.Buffer
	out, err := Create(&file, Recipients{id.Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	if _, err := out.Write(want); err != nil || out.Close() != nil {
		t.Fatal(err)
	}
	in, done, err := Open(&file, Identities{id})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if got, err := io.ReadAll(in); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestTablesWithoutEndAreNotKept: a reader keeps the count of each table; a file of
// ever new ones, which packs to next to nothing, is given up.
func TestTablesWithoutEndAreNotKept(t *testing.T) {
	var content bytes.Buffer
	w, err := NewWriter(&content, testHeader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxTables + 1 {
		if err := w.Put(kv.Table(fmt.Sprintf("t%06d", i)), []byte("k"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&content)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil; n++ {
		_, _, err = r.Next()
	}
	if fail.CodeOf(err) != "dump_damaged" || n != maxTables+1 {
		t.Errorf("%v after %d tables", err, n)
	}
}
