package registry_test

import (
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
)

// Check says that a photo is gone or exchanged, and that who fetched a certificate
// for its holder is gone, and names nobody.
func TestCheckFindsWhatShouldBeSealed(t *testing.T) {
	for name, c := range map[string]struct {
		table, field string
		other        []byte
		says         []string
	}{
		"photo gone":      {"session_photos", "photo", nil, []string{"photo of certificate S", "a photo of session "}},
		"photo exchanged": {"session_photos", "photo", []byte("another"), []string{"photo of certificate S", "not the one recorded"}},
		"proxy gone":      {"handouts", "proxy", nil, []string{"handout of S"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := registrytest.New(t, registrytest.Options{NoCheck: true})
			by := e.MustAdmit(1)
			s := e.MustPublicise(by, e.MustPlan(by), registrytest.CSV(0, 2))
			if _, err := e.UploadPhotos(ctx, by.Actor, s.ID, registry.PhotoUpload{File: zipOf(t, zipped{"2.jpg", portrait(t, 1)})}); err != nil {
				t.Fatal(err)
			}
			issued := e.MustIssue(by, s.ID)
			p := invented.PersonAt(40)
			if _, err := e.RecordHandout(ctx, by.Actor, issued[0].Number, registry.NewHandout{ProxyName: p.Name, ProxyDocument: p.Document}); err != nil {
				t.Fatal(err)
			}
			if got, err := e.Check(ctx, e.Authority, nil); err != nil || len(got.Problems) != 0 {
				t.Fatalf("before: %v, %v", got.Problems, err)
			}
			if n, err := registry.BreakSealed(ctx, e.Registry, c.table, c.field, c.other); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			got, err := e.Check(ctx, e.Authority, nil)
			all := strings.Join(got.Problems, "; ")
			for _, want := range c.says {
				if err != nil || !strings.Contains(all, want) {
					t.Errorf("%v, %s: nothing of %s", err, all, want)
				}
			}
			if strings.Contains(all, p.Name) || strings.Contains(all, p.Document) {
				t.Error(all)
			}
		})
	}
}
