package credentials

import (
	"encoding/json"
	"testing"

	"bajigong/credentials/jws"
	"bajigong/internal/needed"
)

func TestNpmJoseVerifiesWhatWeSign(t *testing.T) {
	r := mustRing(t)
	signer, err := r.Signer(jws.QR)
	noFail(t, err)
	token, err := SignToken(signer, sample())
	noFail(t, err)
	claims, err := sample().encode()
	noFail(t, err)
	statusSigner, err := r.Signer(jws.Status)
	noFail(t, err)
	set := []int{0, 7, 8, 130971, StatusListBits - 1}
	l := NewStatusList(testOrigin, Revocation, 0)
	l.ValidFrom = testNow
	for _, i := range set {
		noFail(t, l.Set(i, true))
	}
	list, err := l.Sign(statusSigner)
	noFail(t, err)
	input, err := json.Marshal(map[string]any{
		"token": token, "kid": signer.KID(), "claims": json.RawMessage(claims),
		"qrKeys": json.RawMessage(r.JWKS(jws.QR)), "otherKeys": json.RawMessage(mustRing(t).JWKS(jws.QR)),
		"statusList": list, "statusKeys": json.RawMessage(r.JWKS(jws.VC, jws.Status)), "set": set,
	})
	noFail(t, err)

	if out := needed.NodeScript(t, "testdata/check.mjs", []string{"jose", "@digitalbazaar/vc-bitstring-status-list"}, nil, input); out != "ok\n" {
		t.Fatal(out)
	}
}
