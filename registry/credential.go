package registry

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// CredentialByHandle is the certificate version behind a handle as a W3C
// credential (vc+jwt), signed now with the active VC key. Whoever has the handle
// holds the paper, and the credential says no more than the paper.
//
// It is made on demand and kept nowhere: a signature costs little, two of one
// version differ and mean the same, and nothing ever goes by the text of one. The QR token alone is signed at issue, since it is printed.
//
// NotFound: no such certificate is public. Conflict certificate_not_good, with
// the reason: the register does not sign anew what it would not call good today.
// The status lists would tell, but whoever forgets to read them would hold a
// fresh signature of the register on a certificate that is void. Credentials
// downloaded before stay what they are: the lists and VerdictByToken tell what
// has become of them.
func (r *Registry) CredentialByHandle(ctx context.Context, handle string) (string, error) {
	h, err := credentials.ParseHandle(handle)
	if err != nil {
		return "", noCredential()
	}
	var c credentials.Credential
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		c = credentials.Credential{}
		v, ok, err := versions.Lookup(rd, indexVersionsByHandle, kv.Key(string(h)))
		if err != nil {
			return err
		}
		if !ok {
			return noCredential()
		}
		verdict, _, err := r.verdictOn(rd, v, now)
		if err != nil {
			return err
		}
		if err := worthSigning(verdict); err != nil {
			return err
		}
		c, err = r.credentialOf(rd, v)
		return err
	})
	if err != nil {
		return "", err
	}
	signer, err := r.cfg.Keys.Signer(jws.VC)
	if err != nil {
		return "", err
	}
	return credentials.SignVC(signer, c)
}

// Downloadable reports whether CredentialByHandle signs a credential for the
// certificate of this verdict: nothing speaks against it. That the national query
// does not have it yet does not.
func Downloadable(v credentials.Verdict) bool {
	return v.Handle != "" && !slices.ContainsFunc(v.Reasons, func(r credentials.Reason) bool {
		return r != credentials.ReasonValid && r != credentials.ReasonNotYetPublished
	})
}

func noCredential() error {
	return fail.New(fail.NotFound, "not_found", "there is no certificate at this address; not found does not mean false").In("该地址没有查到证书，不等于假证")
}

func worthSigning(v credentials.Verdict) error {
	switch {
	case v.First() == credentials.ReasonUnknownCertificate:
		return noCredential()
	case Downloadable(v):
		return nil
	}
	zh, en := v.Sentence(credentials.ZH), v.Sentence(credentials.EN)
	return fail.New(fail.Conflict, "certificate_not_good", "no new credential is signed for this certificate: %s. %s", en, v.Next(credentials.EN)).
		In("该证书不再签发电子凭证：%s。%s", zh, v.Next(credentials.ZH)).
		At(fail.Field{Name: "certificate", Code: string(v.First()), ZH: zh, EN: en})
}

// credentialOf is what the credential of a version says. Occupation, trade and
// institution are as at issue and never change; name and document are those of
// the version.
func (r *Registry) credentialOf(rd kv.Reader, v Version) (credentials.Credential, error) {
	c, err := need(rd, certificates, kv.Key(v.Number), "certificate", "证书", v.Number)
	if err != nil {
		return credentials.Credential{}, err
	}
	p, err := r.paper(rd, v.Number, v.N)
	if err != nil {
		return credentials.Credential{}, err
	}
	claims := claimsOf(c, v, p)
	claims.Occupation = strings.TrimSuffix(claims.Occupation, "@"+standards.Edition2022)
	return credentials.Credential{Origin: r.cfg.Origin, Handle: v.Handle, Claims: claims,
		OccupationName: c.OccupationName, TradeName: c.TradeName, Institution: c.InstitutionName}, nil
}

// verdictByCredential is VerdictByToken of a vc+jwt.
func (r *Registry) verdictByCredential(ctx context.Context, compact string) (credentials.Verdict, error) {
	keys := r.cfg.Keys.Public()
	got, key, err := credentials.OpenVC(compact, keys, r.cfg.Now(), jws.Limits{})
	distrusted := errors.Is(err, jws.ErrDistrusted)
	if err != nil && !distrusted {
		return r.refusedToken(compact, keys)
	}
	var out credentials.Verdict
	if got.Origin != r.cfg.Origin {
		out, err = r.foreign(ctx)
	} else {
		err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
			out, err = r.verdictOnCredential(rd, got, distrusted, now)
			return err
		})
	}
	if out.KeyID != "" {
		out.KeyID = key.ID // and not that of the QR code
	}
	out.Form = credentials.TypVC
	return out, err
}

// verdictOnCredential compares an intact credential with the ledger, as
// verdictOnToken does with a token.
func (r *Registry) verdictOnCredential(rd kv.Reader, got credentials.Credential, distrusted bool, now time.Time) (credentials.Verdict, error) {
	v, ok, err := versions.Lookup(rd, indexVersionsByStatusIndex, kv.Key(uint64(got.Claims.Status)))
	if err != nil {
		return credentials.Verdict{}, err
	}
	if !ok || v.Number != got.Claims.Number {
		return notAsRegistered(credentials.ReasonUnknownCertificate, distrusted, now), nil
	}
	out, _, err := r.verdictOn(rd, v, now)
	if err != nil || out.First() == credentials.ReasonUnknownCertificate {
		return out, err
	}
	want, err := r.credentialOf(rd, v)
	if err != nil {
		return credentials.Verdict{}, err
	}
	if got != want {
		return notAsRegistered(credentials.ReasonBadSignature, distrusted, now), nil
	}
	return out, nil
}
