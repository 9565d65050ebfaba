package credentials_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
)

// A verifier needs the public keys of a register. With its status lists it can say
// more, with its directory the names.
func ExampleVerifyOffline() {
	now := time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)
	text, published, list := somebodysCode(now)

	keys, err := jws.ParseJWKS(published, jws.QR, jws.Status) // as served at /keys/qr.json and /keys/status.json
	if err != nil {
		fmt.Println(err)
		return
	}
	trust := credentials.Trust{Keys: keys}
	verdict, err := credentials.VerifyOffline(text, trust, now)
	if err != nil {
		fmt.Println(credentials.Explain(err))
		return
	}
	fmt.Println(verdict.First(), verdict.Sentence(credentials.ZH))

	for _, served := range list { // as served at /status/revocation-0 and /status/suspension-0
		l, err := credentials.OpenStatusList(served, keys, now)
		if err != nil {
			fmt.Println(err)
			return
		}
		trust.StatusLists = append(trust.StatusLists, l)
	}
	verdict, _ = credentials.VerifyOffline(text, trust, now)
	fmt.Println(verdict.First(), verdict.Sentence(credentials.EN), "·", verdict.Basis(credentials.EN))
	fmt.Println(verdict.Certificate.Name, verdict.Certificate.LevelZH, verdict.Certificate.NumberGrouped)

	_, err = credentials.VerifyOffline("https://example.com/", trust, now)
	code, zh, _ := credentials.Explain(err)
	fmt.Println(code, zh)
	// Output:
	// status-unchecked 签名有效，未查状态
	// valid Valid certificate · Checked offline · status list 2 hours old
	// 欧阳娜娜 三级/高级工 S 0000 32 058300 25 3 000001
	// not_our_qr 这不是本系统证书的二维码；请扫描证书上的二维码，或粘贴其完整内容
}

// somebodysCode is a register in small: the text of a code, its public keys and
// its status lists.
func somebodysCode(now time.Time) (text string, keys []byte, lists []string) {
	const origin = "https://skills.example.org"
	signer := func(kid string, p jws.Purpose) (jws.Signer, jws.Key) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		s, err := jws.NewSigner(kid, p, private)
		if err != nil {
			panic(err)
		}
		return s, jws.Key{ID: kid, Purpose: p, State: jws.Active, Public: &private.PublicKey}
	}
	qr, qrKey := signer("js01", jws.QR)
	status, statusKey := signer("js02", jws.Status)
	set, err := jws.NewKeySet(qrKey, statusKey)
	if err != nil {
		panic(err)
	}
	token, err := credentials.SignToken(qr, credentials.Claims{Number: "S000032058300253000001", Name: "欧阳娜娜", DocumentMasked: "3****************X",
		Occupation: "6-31-01-03", Level: '3', Issued: "2025-06-30", Status: 130971})
	if err != nil {
		panic(err)
	}
	for _, p := range []credentials.StatusPurpose{credentials.Revocation, credentials.Suspension} {
		l := credentials.NewStatusList(origin, p, 0)
		l.ValidFrom, l.ValidUntil = now.Add(-2*time.Hour), now.Add(22*time.Hour)
		signed, err := l.Sign(status)
		if err != nil {
			panic(err)
		}
		lists = append(lists, signed)
	}
	return credentials.QRText(origin, "7k3m9qh2c4x5t", token), set.JWKS(), lists
}
