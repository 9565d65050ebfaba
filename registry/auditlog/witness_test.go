package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A tester is a witness after C2SP tlog-witness and tlog-cosignature, without
// what this package has of them.
type tester struct {
	name string
	key  ed25519.PrivateKey
	at   uint64
}

func newTester(name string, seed byte) tester {
	return tester{name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), 1740787200}
}

func (w tester) public() []byte {
	return append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)
}

func (w tester) id() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n"), w.public()...))
	return sum[:4]
}

func (w tester) vkey() string {
	return fmt.Sprintf("%s+%x+%s", w.name, w.id(), base64.StdEncoding.EncodeToString(w.public()))
}

func (w tester) line(text string) string {
	sig := binary.BigEndian.AppendUint64(w.id(), w.at)
	sig = append(sig, ed25519.Sign(w.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", w.at, text))...)
	return "— " + w.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

func (w tester) parsed(t testing.TB) WitnessKey {
	t.Helper()
	k, err := ParseWitnessKey(w.vkey())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWitnessKeys(t *testing.T) {
	w := newTester("witness.example.org/w1", 1)
	k := w.parsed(t)
	if k.String() != w.vkey() || k.Name() != w.name || k.KeyHash() != binary.BigEndian.Uint32(w.id()) {
		t.Fatalf("%s became %s", w.vkey(), k)
	}
	flips([]byte(w.vkey()), func(i int, changed []byte) {
		if _, err := ParseWitnessKey(string(changed)); err == nil {
			t.Errorf("byte %d changed: %q is taken", i, changed)
		}
	})
	parts := strings.Split(w.vkey(), "+")
	mldsa := base64.StdEncoding.EncodeToString(append([]byte{6}, make([]byte, 1312)...))
	for _, bad := range []string{"", "a", "a+b", "a++", "+" + parts[1] + "+" + parts[2], parts[0] + "+" + strings.ToUpper(parts[1]) + "+" + parts[2],
		w.vkey() + "=", w.vkey() + "\n", newSigner(t, testOrigin, 1).VKey(), "a b+" + parts[1] + "+" + parts[2], "w+00000000+" + mldsa, strings.Repeat("w", 9000)} {
		_, err := ParseWitnessKey(bad)
		wantCode(t, err, fail.Invalid, "witness_key")
	}
	// The signed text does not say the name: one key is one witness.
	_, err := ParseWitnessKeys(w.vkey(), newTester("witness.example.org/w2", 1).vkey())
	wantCode(t, err, fail.Invalid, "witness_key")
	var many []string
	for i := range MaxWitnesses + 1 {
		many = append(many, newTester("w", byte(i+1)).vkey())
	}
	if keys, err := ParseWitnessKeys(many[1:]...); err != nil || len(keys) != MaxWitnesses {
		t.Fatal(err)
	}
	_, err = ParseWitnessKeys(many...)
	wantCode(t, err, fail.Invalid, "witness_key")
	_, err = CheckWitnesses(w.name, w.vkey())
	wantCode(t, err, fail.Invalid, "witness_key")
}

func TestCosignedCheckpoint(t *testing.T) {
	m := newLog(t, 300)
	p := published(t, m)
	a, b, c := newTester("a.example/w", 1), newTester("b.example/w", 2), newTester("c.example/w", 3)
	keys := []WitnessKey{a.parsed(t), b.parsed(t), c.parsed(t)}
	var got []Cosignature
	for i, w := range []tester{a, b} {
		one, _, err := keys[i].Read(WitnessAnswer{Status: 200, Body: []byte(c.line(p.Text()) + w.line(p.Text()))}, p.Checkpoint, 0)
		if err != nil || one.Witness.Name() != w.name || one.Time.Unix() != int64(w.at) {
			t.Fatalf("%+v, %v", one, err)
		}
		got = append(got, *one)
	}
	full := Cosign(p, testStart, got)
	if opened, err := OpenCheckpoint(full.Note, verifierOf(t)); err != nil || opened != p.Checkpoint {
		t.Fatalf("%+v, %v", opened, err)
	}
	// x/mod's note reads it, with our key as its Verifier.
	if n, err := note.Open(full.Note, note.VerifierList(keys[0], keys[1])); err != nil || len(n.Sigs) != 2 || n.Text != p.Text() {
		t.Fatal(err)
	}
	for quorum, want := range map[int]bool{0: true, 1: true, 2: true, 3: false} {
		found, err := VerifyCosignatures(full.Note, keys, quorum)
		if (err == nil) != want || want && len(found) != 2 {
			t.Fatalf("quorum %d: %v", quorum, err)
		}
		if !want {
			wantCode(t, err, fail.Invalid, "cosignatures_missing")
		}
	}
	// A repeated line is one witness, and signatures of another checkpoint are none.
	_, err := VerifyCosignatures(append(bytes.Clone(p.Note), a.line(p.Text())+a.line(p.Text())...), keys, 2)
	wantCode(t, err, fail.Invalid, "cosignatures_missing")
	_, err = VerifyCosignatures(append(bytes.Clone(p.Note), a.line(publishedAt(t, m, 299).Text())...), keys, 1)
	wantCode(t, err, fail.Invalid, "cosignature_malformed")
	// No byte of the whole can be changed.
	flips(full.Note, func(i int, changed []byte) {
		if _, err := OpenCheckpoint(changed, verifierOf(t)); err != nil {
			return
		}
		if _, err := VerifyCosignatures(changed, keys[:2], 2); err == nil {
			t.Errorf("byte %d changed and all is well: %q", i, changed)
		}
	})
}

// The answers are those of C2SP tlog-witness, "add-checkpoint".
func TestWitnessAnswers(t *testing.T) {
	p := published(t, newLog(t, 20))
	w, other := newTester("a.example/w", 1), newTester("b.example/w", 2)
	future := w
	future.at = 1 << 62
	impostor := other
	impostor.name = w.name
	size := func(text string) WitnessAnswer {
		return WitnessAnswer{Status: http.StatusConflict, ContentType: "text/x.tlog.size", Body: []byte(text)}
	}
	ok := func(body string) WitnessAnswer { return WitnessAnswer{Status: http.StatusOK, Body: []byte(body)} }
	for name, c := range map[string]struct {
		answer WitnessAnswer
		old    uint64
		known  uint64
		code   string
	}{
		"cosigned":               {ok(w.line(p.Text())), 0, 0, ""},
		"with others":            {ok(other.line(p.Text()) + w.line(p.Text())), 5, 0, ""},
		"with an impostor":       {ok(impostor.line(p.Text()) + w.line(p.Text())), 5, 0, ""},
		"another size":           {size("12\n"), 0, 12, ""},
		"begins anew":            {size("0\n"), 7, 0, ""},
		"another only":           {ok(other.line(p.Text())), 0, 0, "witness_answer"},
		"another text":           {ok(w.line("x")), 0, 0, "witness_answer"},
		"a time without end":     {ok(future.line(p.Text())), 0, 0, "witness_answer"},
		"nothing":                {ok(""), 0, 0, "witness_answer"},
		"no line":                {ok(w.line(p.Text()) + "\n"), 0, 0, "witness_answer"},
		"a page":                 {ok("<html>"), 0, 0, "witness_answer"},
		"cut off":                {ok(strings.TrimSuffix(w.line(p.Text()), "\n")), 0, 0, ""},
		"too long":               {ok(strings.Repeat(w.line(p.Text()), 200)), 0, 0, "witness_answer"},
		"longer than ours":       {size("21\n"), 0, 0, "witness_ahead"},
		"another at our size":    {size("20\n"), 20, 0, "witness_ahead"},
		"our size first":         {size("20\n"), 0, 20, ""},
		"the size that we asked": {size("12\n"), 12, 0, "witness_answer"},
		"a size with a zero":     {size("012\n"), 0, 0, "witness_answer"},
		"a size without end":     {size("12"), 0, 0, "witness_answer"},
		"a negative size":        {size("-1\n"), 0, 0, "witness_answer"},
		"a huge size":            {size("99999999999999999999\n"), 0, 0, "witness_answer"},
		"a size as text":         {WitnessAnswer{Status: 409, ContentType: "text/plain", Body: []byte("12\n")}, 0, 0, "witness_answer"},
		"log unknown":            {WitnessAnswer{Status: 404}, 0, 0, "witness_answer"},
		"key unknown":            {WitnessAnswer{Status: 403}, 0, 0, "witness_answer"},
		"proof refused":          {WitnessAnswer{Status: 422}, 0, 0, "witness_answer"},
		"a redirect":             {WitnessAnswer{Status: 302, Body: []byte(w.line(p.Text()))}, 0, 0, "witness_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			got, known, err := w.parsed(t).Read(c.answer, p.Checkpoint, c.old)
			if fail.CodeOf(err) != c.code || known != c.known {
				t.Fatalf("known %d, %v; want %d, %q", known, err, c.known, c.code)
			}
			if (got != nil) != (c.code == "" && c.answer.Status == 200) {
				t.Fatalf("cosignature %v", got)
			}
		})
	}
}

func TestSubmissionIsThatOfTheSpecification(t *testing.T) {
	h := tlog.RecordHash([]byte("x"))
	got := string(FormatSubmission(20852014, tlog.TreeProof{h, h}, []byte("origin\n3\nroot\n\n— origin sig\n")))
	want := "old 20852014\n" + h.String() + "\n" + h.String() + "\n\norigin\n3\nroot\n\n— origin sig\n"
	if got != want {
		t.Fatalf("%q", got)
	}
	if got := string(FormatSubmission(0, nil, []byte("o\n"))); got != "old 0\n\no\n" {
		t.Fatalf("%q", got)
	}
}

func TestCosignedIsStoredAndGivesWay(t *testing.T) {
	m := newLog(t, 9)
	p := published(t, m)
	w := newTester("a.example/w", 1)
	one, _, err := w.parsed(t).Read(WitnessAnswer{Status: 200, Body: []byte(w.line(p.Text()))}, p.Checkpoint, 0)
	if err != nil {
		t.Fatal(err)
	}
	read := func() (c Cosigned) {
		t.Helper()
		c, err := ReadCosigned(m, verifierOf(t))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := read(); c.Count != 0 || c.Fresh(testStart) {
		t.Fatalf("%+v", c)
	}
	want := Cosign(p, testStart, []Cosignature{*one})
	m.update(func(tx kv.Tx) {
		PutCosigned(tx, want)
		PutWitnessSize(tx, testOrigin, w.parsed(t), 9)
	})
	if c := read(); c.Checkpoint != p.Checkpoint || !bytes.Equal(c.Note, want.Note) || c.Count != 1 || !c.At.Equal(testStart) {
		t.Fatalf("%+v", c)
	}
	if n, err := WitnessSize(m, testOrigin, w.parsed(t)); err != nil || n != 9 {
		t.Fatal(n, err)
	}
	if n, err := WitnessSize(m, testOrigin+"-2", w.parsed(t)); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	at := func(count int, d time.Duration) Cosigned { return Cosigned{At: testStart.Add(d), Count: count} }
	for _, c := range []struct {
		have, next Cosigned
		want       bool
	}{
		{Cosigned{}, at(1, 0), true},
		{at(2, 0), at(2, time.Minute), true},
		{at(2, 0), at(3, time.Minute), true},
		{at(2, 0), at(1, time.Minute), false},
		{at(2, 0), at(1, CosignedFor-time.Second), false},
		{at(2, 0), at(1, CosignedFor), true},
		{at(2, 0), at(0, CosignedFor), false},
		{Cosigned{}, at(0, 0), false},
	} {
		if got := c.have.GivesWayTo(c.next); got != c.want {
			t.Errorf("%+v gives way to %+v: %v", c.have, c.next, got)
		}
	}
	m.update(func(tx kv.Tx) { tx.Put(tableWitnesses, cosignedKey(testOrigin), append(make([]byte, 9), "x"...)) })
	_, err = ReadCosigned(m, verifierOf(t))
	wantCode(t, err, fail.Internal, "log_damaged")
}

// FuzzWitnessAnswer: whatever a witness answers, only what it signed for this
// checkpoint is taken, and it reads the same once it is in the note.
func FuzzWitnessAnswer(f *testing.F) {
	c := Checkpoint{Origin: testOrigin, Size: 3, Root: tlog.RecordHash([]byte("x"))}
	signed, err := newSigner(f, testOrigin, 1).sign(c)
	if err != nil {
		f.Fatal(err)
	}
	w, other := newTester("a.example/w", 1), newTester("b.example/w", 2)
	f.Add(200, "", w.line(c.Text()), uint64(0))
	f.Add(200, "", other.line(c.Text())+w.line(c.Text()), uint64(2))
	f.Add(409, "text/x.tlog.size", "2\n", uint64(0))
	f.Add(409, "text/x.tlog.size", "3\n", uint64(3))
	f.Add(404, "", "", uint64(0))
	k := w.parsed(f)
	f.Fuzz(func(t *testing.T, status int, contentType, body string, old uint64) {
		got, known, err := k.Read(WitnessAnswer{status, contentType, []byte(body)}, c, old)
		if err != nil {
			if got != nil || known != 0 {
				t.Fatal("an error with an answer")
			}
			if code := fail.CodeOf(err); code != "witness_answer" && code != "witness_ahead" {
				t.Fatal(err)
			}
			return
		}
		if got == nil {
			if known > c.Size || known == old {
				t.Fatalf("to be asked again from %d after %d", known, old)
			}
			return
		}
		full := Cosign(Published{c, signed}, testStart, []Cosignature{*got})
		if _, err := VerifyCosignatures(full.Note, []WitnessKey{k}, 1); err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(full.Note, note.VerifierList(k))
		if err != nil || len(n.Sigs) != 1 {
			t.Fatal(err)
		}
	})
}

// The migration makes the rows that Append would have made, page by page, and a
// store in the middle of it goes on.
func TestFillMiddles(t *testing.T) {
	for _, size := range []uint64{0, 15, 16, 4096, 4097, largeSize} {
		var m *store
		switch size {
		case largeSize:
			m = largeLog(t)
		case 0:
			m = newStore(t) // not even an origin
		default:
			m = newLog(t, size)
		}
		want := m.rows(tableMiddle)
		for page := want; len(page) > 0; page = page[min(len(page), 1000):] {
			m.update(func(tx kv.Tx) {
				for _, e := range page[:min(len(page), 1000)] {
					tx.Delete(tableMiddle, e.Key)
				}
			})
		}
		var cursor []byte
		pages := 0
		for done := false; !done; pages++ {
			var next []byte
			m.update(func(tx kv.Tx) {
				var err error
				if next, done, err = FillMiddles(tx, cursor); err != nil {
					t.Fatal(err)
				}
			})
			cursor = next
		}
		if got := m.rows(tableMiddle); !slices.EqualFunc(got, want, func(a, b kv.Entry) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }) {
			t.Fatalf("size %d: %d rows, want %d", size, len(got), len(want))
		}
		if most := int(size/(stepWidth*middlesPage)) + 4; pages > most {
			t.Fatalf("size %d: %d pages", size, pages)
		}
	}
}

// What a cache answers is what the rows say, at every size that was published
// while it was filled.
func TestCacheAnswersAsTheRows(t *testing.T) {
	m, rnd, c := largeLog(t), newRand(), NewCache()
	for _, size := range []uint64{1, 15, 16, 17, 255, 256, 300, 4096, 5000, 65_536, 66_001, largeSize, 4097, 66_001} {
		at := publishedAt(t, m, size)
		for range 60 {
			i := rnd.Uint64N(size)
			err := m.read(func(r kv.Reader) error {
				b, err := c.MakeBundle(r, at, i)
				if err != nil {
					return err
				}
				_, err = VerifyBundle(b, verifierOf(t))
				return err
			})
			if err != nil {
				t.Fatalf("entry %d at %d: %v", i, size, err)
			}
		}
	}
}

// On an engine on which each read is a round trip a proof is two of them.
func TestProofIsTwoRoundTrips(t *testing.T) {
	m := largeLog(t)
	for _, c := range []*Cache{nil, NewCache()} {
		for _, i := range []uint64{0, 300, 65_535, largeSize - 1} {
			err := m.read(func(r kv.Reader) error {
				far := &remote{Reader: r, known: map[string]bool{}}
				if _, err := c.MakeBundle(far, publishedAtRows(t, r), i); err != nil {
					return err
				}
				if far.trips > 2 {
					return fmt.Errorf("%d round trips", far.trips)
				}
				return nil
			})
			if err != nil {
				t.Fatalf("entry %d: %v", i, err)
			}
		}
	}
}

func publishedAtRows(t testing.TB, r kv.Reader) Published {
	t.Helper()
	h, err := ReadHead(r)
	if err != nil {
		t.Fatal(err)
	}
	return Published{Checkpoint: Checkpoint{h.Origin, h.Size, h.Root()}}
}

// remote counts reads that were not asked for ahead.
type remote struct {
	kv.Reader
	known map[string]bool
	trips int
}

func (r *remote) trip(what string) {
	if !r.known[what] {
		r.trips++
	}
}

func (r *remote) Prefetch(reads []kv.Read) error {
	r.trips++
	for _, read := range reads {
		if read.Range != nil {
			r.known[fmt.Sprintf("%s %x %x %d", read.Table, read.Range.From, read.Range.To, read.Range.Limit)] = true
		} else {
			r.known[fmt.Sprintf("%s %x", read.Table, read.Key)] = true
		}
	}
	return nil
}

func (r *remote) Get(t kv.Table, key []byte) ([]byte, error) {
	r.trip(fmt.Sprintf("%s %x", t, key))
	return r.Reader.Get(t, key)
}

func (r *remote) GetMany(kv.Table, [][]byte) ([][]byte, error) { return nil, errors.New("not used") }

func (r *remote) Scan(t kv.Table, rng kv.Range) ([]kv.Entry, error) {
	r.trip(fmt.Sprintf("%s %x %x %d", t, rng.From, rng.To, rng.Limit))
	return r.Reader.Scan(t, rng)
}

// Publishing reads what is new and the path to it, not the log.
func TestPublishingIsIncremental(t *testing.T) {
	// 4,914 and 70,450 have the same right edge but for 65,536 more.
	small, large := newLog(t, largeSize-65_536), largeLog(t)
	rows := func(m *store, added uint64) (n int) {
		saved := publishedAt(t, m, m.head().Size-added)
		err := m.read(func(r kv.Reader) error {
			c := &rowCounter{Reader: r}
			_, err := extend(c, saved.Checkpoint)
			n = c.rows
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, added := range []uint64{1, 100, 4000} {
		a, b := rows(small, added), rows(large, added)
		if b > a+2*stepWidth || b > 300 {
			t.Fatalf("%d new entries: %d rows read at 4,914, %d at 70,450", added, a, b)
		}
		t.Logf("%d new entries: %d rows read at 4,914, %d at 70,450", added, a, b)
	}
}

type rowCounter struct {
	kv.Reader
	rows int
}

func (c *rowCounter) Get(t kv.Table, key []byte) ([]byte, error) {
	c.rows++
	return c.Reader.Get(t, key)
}

func (c *rowCounter) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	es, err := c.Reader.Scan(t, r)
	c.rows += len(es)
	return es, err
}
