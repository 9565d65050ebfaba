package registry_test

import (
	"encoding/base64"
	"testing"
	"unicode"

	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// What a replay finds is said in both languages, and never to the check alone.
func TestReplaySaysWhatItFindsInBothLanguages(t *testing.T) {
	e := newClaimEnv(t, registrytest.Options{NoCheck: true})
	cert := e.issue(1, "6-31-01-03", standards.Senior)
	v := *e.mustReserve(e.kunshan, e.request(1, cert.Number)).Claim
	e.tamper(v.ID, func(r map[string]any) {
		r["basis"] = base64.StdEncoding.EncodeToString(make([]byte, 32))
		r["certificate"] = "Y000000000000000000000"
	})
	got, err := e.ReplayClaim(ctx, e.kunshan, v.ID)
	if err != nil || got.Same || len(got.Problems) < 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, p := range got.Problems {
		han := false
		for _, r := range p.ZH {
			han = han || unicode.Is(unicode.Han, r)
		}
		if !han || p.EN == "" {
			t.Errorf("%+v", p)
		}
	}
}
