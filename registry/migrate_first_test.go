package registry_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
	"bajigong/internal/kv/kvtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// firstRelease is a register as the first release wrote it: its keys, its store, and
// codes on paper with what the release said of them. It was written with that
// release's own program text by testdata/first_release/make.go.txt (commit 9ebe5ab);
// people and keys are invented.
type firstRelease struct {
	files   map[string][]byte
	now     time.Time
	codes   []firstCode
	entries []kv.Write
}

type firstCode struct {
	Code    string   `json:"code"`     // of the first version
	CodeNow string   `json:"code_now"` // of the newest
	Number  string   `json:"number"`
	Verdict []string `json:"verdict"` // on the first
	Valid   bool     `json:"valid"`
}

func readFirstRelease(t testing.TB) (f firstRelease) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "first_release", "store.jsonl.gz.b64"))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 300_000 {
		t.Errorf("the fixture has %d bytes", len(text))
	}
	packed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	f.files = map[string][]byte{}
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			File  string    `json:"file"`
			Data  []byte    `json:"data"`
			Now   time.Time `json:"now"`
			Table kv.Table  `json:"table"`
			Key   []byte    `json:"key"`
			Value []byte    `json:"value"`
			firstCode
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		switch {
		case line.File != "":
			f.files[line.File] = line.Data
		case line.Code != "":
			f.codes = append(f.codes, line.firstCode)
		case line.Table != "":
			if line.Value == nil {
				line.Value = []byte{}
			}
			f.entries = append(f.entries, kv.Write{Table: line.Table, Key: line.Key, Value: line.Value})
		default:
			f.now = line.Now
		}
	}
	if err := lines.Err(); err != nil || len(f.codes) == 0 || len(f.entries) < 1000 {
		t.Fatalf("%v, %d codes, %d entries", err, len(f.codes), len(f.entries))
	}
	return f
}

// keysIn writes the key ring.
func (f firstRelease) keysIn(t testing.TB, dir string) {
	t.Helper()
	for name, data := range f.files {
		path := filepath.Join(dir, "keys", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// into writes the store as it was, around everything that a newer program does.
func (f firstRelease) into(t testing.TB, e kv.Engine) {
	t.Helper()
	for page := range slices.Chunk(f.entries, 500) {
		if err := e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) { return page, nil }); err != nil {
			t.Fatal(err)
		}
	}
}

// The store of the first release is brought up in pages. The process dies after each
// page, or while it is being committed, and the next one goes on.
func TestFirstReleaseIsBroughtUp(t *testing.T) {
	first := readFirstRelease(t)
	defer registry.SetMigrationPage(4)()
	for name, engine := range map[string]func(testing.TB, string) kv.Engine{"bbolt": registrytest.Bolt, "postgres": registrytest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first.keysIn(t, dir)
			e := engine(t, dir)
			first.into(t, e)
			clock := &registrytest.Clock{}
			clock.Set(first.now)
			opt := kv.Options{Now: clock.Now, Process: "old", Settle: 20 * time.Millisecond}

			kills := 0
			for done := false; !done; kills++ {
				if kills > 400 {
					t.Fatal("it comes to no end")
				}
				faulty := kvtest.NewFaulty(e)
				faulty.Always(kvtest.Unreachable) // dead
				switch kills % 4 {
				case 0: // after a page
					faulty.Next(kvtest.None)
				case 1: // before the commit, then after two pages
					faulty.Next(kvtest.Refused)
				case 2:
					faulty.Next(kvtest.None, kvtest.None)
				case 3: // in the commit, which was kept
					faulty.Next(kvtest.Kept, kvtest.Unreachable, kvtest.Unreachable)
				}
				_, err := kv.Open(ctx, faulty, opt, registry.Migrations())
				if err == nil {
					done = true
				} else if !errors.Is(err, kvtest.ErrFault) {
					t.Fatalf("%d: %v", kills, err)
				}
				// Half-way, a program of the first release is shut out.
				if kills > 0 {
					if _, err := kv.Open(ctx, e, opt, nil); !errors.Is(err, kv.ErrSchema) {
						t.Fatalf("after %d kills the first release may open the store: %v", kills, err)
					}
				}
			}
			if kills < 60 {
				t.Errorf("killed only %d times", kills)
			}
			t.Logf("%d times killed", kills)

			reg := registrytest.New(t, registrytest.Options{Dir: dir, Clock: clock, Engine: func(testing.TB, string) kv.Engine { return e }})
			reg.MustCheck()
			if n, err := reg.CountFigures(ctx); err != nil || n < 80 {
				t.Errorf("counted %d, %v", n, err)
			}
			if n, err := reg.PublishStatusLists(ctx); err != nil || n == 0 {
				t.Errorf("published %d lists, %v", n, err)
			}
			reg.MustCheck()
			for _, code := range first.codes {
				verdict, err := reg.VerdictByToken(ctx, code.Code)
				if err != nil || verdict.Valid != code.Valid || !slices.Equal(reasonsAsText(verdict), code.Verdict) {
					t.Errorf("the code of %s: %v %v, %v; the first release said %v %v", code.Number, verdict.Valid, reasonsAsText(verdict), err, code.Valid, code.Verdict)
				}
				if now, err := reg.VerdictByToken(ctx, code.CodeNow); err != nil || code.CodeNow != code.Code && !now.Valid {
					t.Errorf("the newest code of %s: %v %v", code.Number, reasonsAsText(now), err)
				}
			}
		})
	}
}

func reasonsAsText(v credentials.Verdict) (out []string) {
	for _, r := range v.Reasons {
		text, _ := json.Marshal(r)
		out = append(out, strings.Trim(string(text), `"`))
	}
	return out
}
