package registry_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// TestDistrustReachesEveryProcess: two machines have copies of one key ring and one
// store. A key that is distrusted on one of them is trusted no more on the other, and
// signs no more there, before anybody has copied the changed ring.
func TestDistrustReachesEveryProcess(t *testing.T) {
	connString := pgtest.New(t)
	e := registrytest.New(t)
	open := func(process string, keys *credentials.KeyRing) *registry.Registry {
		engine, err := pgkv.Open(t.Context(), connString, pgkv.Options{})
		must(t, err)
		db, err := kv.Open(t.Context(), engine, kv.Options{Now: e.Clock.Now, Process: process}, registry.Migrations())
		must(t, err)
		t.Cleanup(func() { db.Close() })
		c := e.Registry.Config()
		c.Keys = keys
		reg, err := registry.New(db, c)
		must(t, err)
		return reg
	}
	copied := filepath.Join(t.TempDir(), "keys")
	must(t, os.CopyFS(copied, os.DirFS(e.Keys.Dir())))
	must(t, os.Chmod(copied, 0o700))
	files, err := os.ReadDir(copied)
	must(t, err)
	for _, f := range files {
		must(t, os.Chmod(filepath.Join(copied, f.Name()), 0o600))
	}
	other, err := credentials.OpenKeyRing(copied, credentials.Opener{})
	must(t, err)
	one, two := open("one", e.Keys), open("two", other)
	must(t, one.BeginLog(bg))
	must(t, one.RecordKeys(bg))
	must(t, two.RecordKeys(bg))

	before := two.Config().Keys.Edition()
	for _, p := range jws.Purposes() {
		stolen, err := other.Signer(p)
		must(t, err)
		from := e.Clock.Now().Add(-time.Hour)
		must(t, e.Keys.Distrust(stolen.KID(), from, rand.Reader, e.Clock.Now()))
		must(t, one.RecordKeys(bg))
		must(t, two.RecordKeys(bg))
		key, ok := other.Public().Key(stolen.KID())
		if !ok || key.State != jws.Distrusted || !key.DistrustedFrom.Equal(from.UTC().Truncate(time.Second)) {
			t.Errorf("%s: the other process still has %s %s from %s", p, key.ID, key.State, key.DistrustedFrom)
		}
		mine, err := e.Keys.Signer(p)
		must(t, err)
		if theirs, err := other.Signer(p); err != nil || theirs.KID() != mine.KID() {
			t.Errorf("%s: one process signs with %s, the other with %v, %v", p, mine.KID(), theirs, err)
		}
		must(t, other.Reload())
		if key, _ := other.Public().Key(stolen.KID()); key.State != jws.Distrusted {
			t.Errorf("%s: the old copy, read again, trusts %s", p, key.ID)
		}
		if now := other.Edition(); now == before {
			t.Errorf("%s: what was verified under the old keys would go on to hold", p)
		} else {
			before = now
		}
	}
	// Said earlier by one: heard by the other, and recorded once.
	kid := ""
	for _, k := range e.Keys.Public().Keys() {
		if k.State == jws.Distrusted {
			kid = k.ID
		}
	}
	earlier := e.Clock.Now().Add(-48 * time.Hour)
	must(t, e.Keys.Distrust(kid, earlier, rand.Reader, e.Clock.Now()))
	must(t, one.RecordKeys(bg))
	must(t, two.RecordKeys(bg))
	if key, _ := other.Public().Key(kid); !key.DistrustedFrom.Equal(earlier.UTC().Truncate(time.Second)) {
		t.Errorf("distrusted from %s", key.DistrustedFrom)
	}
	head := func() string {
		b, err := one.Checkpoint(bg)
		must(t, err)
		return string(b)
	}
	was := head()
	must(t, two.RecordKeys(bg))
	must(t, one.RecordKeys(bg))
	if head() != was {
		t.Error("nothing has changed, and it was recorded again")
	}
}
