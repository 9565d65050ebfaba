package torture_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/fstest"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestFill fills a register in three loads, goes on after a larger size was asked
// for, and asks what is there; registrytest then checks every invariant.
func TestFill(t *testing.T) {
	var buffer *torture.Buffer
	e := registrytest.New(t, registrytest.Options{Engine: func(t testing.TB, dir string) kv.Engine {
		engine, err := boltkv.Open(filepath.Join(dir, "store.db"), boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		buffer = torture.NewBuffer(engine)
		return buffer
	}})
	cfg := e.Config()
	var err error
	if cfg.Policies, err = cfg.Policies.With(fstest.MapFS{"policies/measured.yaml": {Data: torture.MeasuredPolicy}}); err != nil {
		t.Fatal(err)
	}
	reg, err := registry.New(e.DB, cfg)
	if err != nil {
		t.Fatal(err)
	}
	town := torture.NewTown(1)
	f := &torture.Filling{Town: town, Registry: reg, Move: e.Clock.Set, Keep: func(ctx context.Context) (uint64, error) {
		if err := buffer.Flush(ctx); err != nil {
			return 0, err
		}
		var head auditlog.Head
		err := e.DB.View(ctx, func(rd kv.Reader) (err error) {
			head, err = auditlog.ReadHead(rd)
			return err
		})
		return head.Size, err
	}}
	for _, size := range []torture.TownSize{{Certificates: 2000, Claims: 1000, Load: 1000}, {Certificates: 2500, Claims: 1600, Past: 700, Load: 1000}} {
		if err := f.Grow(t.Context(), size); err != nil {
			t.Fatal(err)
		}
		if town.Certificates < size.Certificates || town.Certificates > size.Certificates+size.Load || town.Recorded() < size.Claims || town.Recorded() > town.Certificates || town.Past != size.Past {
			t.Errorf("%d certificates and %d claims for %+v", town.Certificates, town.Recorded(), size)
		}
	}
	for _, what := range []string{"paid", "reserved", "released", "refunded"} {
		if town.Claims[what] == 0 {
			t.Errorf("no claim is %s: %v", what, town.Claims)
		}
	}
	if refused := town.Claims["refused"]; refused == 0 || refused > town.Recorded()/10 {
		t.Errorf("%d of %d claims are refused", refused, town.Recorded())
	}
	people := map[int]int{}
	for _, h := range town.Sample {
		people[h.Person]++
	}
	if len(town.Sample) != town.Certificates || len(people) == len(town.Sample) {
		t.Errorf("%d certificates, %d of them in the sample, of %d people", town.Certificates, len(town.Sample), len(people))
	}
	for _, h := range town.Sample[:20] {
		c, err := e.CertificateByNumber(t.Context(), e.Authority, h.Number)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := e.VerdictByHandle(t.Context(), string(c.Handle)); err != nil || !v.Valid {
			t.Errorf("%s: %+v, %v", h.Number, v, err)
		}
	}
	if page, _, err := e.Claims(t.Context(), torture.TownPayer(0), registry.Page{Limit: 10}); err != nil || len(page) != 10 {
		t.Errorf("%d claims of a payer, %v", len(page), err)
	}
	if today := standards.DateOf(e.Clock.Now()); today <= standards.DateOf(torture.Begin) {
		t.Errorf("the clock stands at %s", today)
	}
}
