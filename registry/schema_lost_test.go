package registry_test

import (
	"errors"
	"testing"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// A store whose schema row was lost is not migrated again: it would count every claim
// twice. One of the first release, which has no such row either, is brought up
// (TestFirstReleaseIsBroughtUp).
func TestLostSchemaRowIsRefused(t *testing.T) {
	e := registrytest.Bolt(t, t.TempDir())
	t.Cleanup(func() { _ = e.Close() })
	clock := &registrytest.Clock{}
	opt := kv.Options{Now: clock.Now, Process: "p"}
	if _, err := kv.Open(ctx, e, opt, registry.Migrations()); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string][]byte{"gone": nil, "older": []byte("1 institutions in full")} {
		if err := e.Apply(ctx, func(kv.Reader) ([]kv.Write, error) {
			return []kv.Write{{Table: "meta", Key: kv.Key("schema"), Value: row}}, nil
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Open(ctx, e, opt, registry.Migrations()); !errors.Is(err, kv.ErrSchemaLost) {
			t.Errorf("schema row %s: %v, want ErrSchemaLost", name, err)
		}
	}
}
