package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// RecordedDecision is what the register decided on a recorded claim, as it is
// signed for the payer. It names no person.
type RecordedDecision struct {
	Claim       string          `json:"claim"`
	Reference   string          `json:"reference"`
	Certificate string          `json:"certificate,omitempty"`
	Decided     time.Time       `json:"decided"`
	LogIndex    uint64          `json:"log_index"`
	Basis       []byte          `json:"basis"` // SHA-256 of what it rests on, which stays sealed
	Decision    policy.Decision `json:"decision"`
}

// SignedDecision is the decision of a recorded claim as a compact JWS of type
// [credentials.TypStatement], signed now, for its payer and for auditors of its
// region. Two of one claim differ in time and signature and say the same.
func (r *Registry) SignedDecision(ctx context.Context, by Actor, id string) (string, error) {
	var c Claim
	var out RecordedDecision
	err := r.view(ctx, func(rd kv.Reader, _ time.Time) (err error) {
		if c, err = claimFor(rd, by, ReadClaim, id); err != nil {
			return err
		}
		if c.Imported != nil {
			return fail.New(fail.Conflict, "not_decided", "claim %s was paid before it came here; nothing was decided", c.ID).
				In("申领 %s 为导入的历史发放记录，本系统未作决定", c.ID)
		}
		basis, sound, err := r.claimBasis(rd, c)
		if err == nil && !sound {
			err = fmt.Errorf("claim %s rests on a sealed basis other than its own", c.ID)
		}
		out = RecordedDecision{Claim: c.ID, Reference: c.Reference, Certificate: c.Certificate, Decided: c.Reserved, LogIndex: c.LogIndex, Basis: c.Basis, Decision: basis.Decision}
		return err
	})
	if err != nil {
		return "", err
	}
	return r.signStatement(credentials.Statement{Audience: c.Payer, Subject: credentials.StatementClaim, ID: c.ID, TreeSize: c.LogIndex}, out)
}

// SignedCheck is CheckClaim, and the answer as a compact JWS for the payer to keep.
func (r *Registry) SignedCheck(ctx context.Context, by Actor, req ClaimRequest) (ClaimAnswer, error) {
	out, err := r.CheckClaim(ctx, by, req)
	if err != nil {
		return out, err
	}
	out.Signed, err = r.signStatement(credentials.Statement{Audience: by.Organisation, Subject: credentials.StatementCheck, TreeSize: out.TreeSize}, out)
	return out, err
}

// signStatement signs content as said now by this register.
func (r *Registry) signStatement(s credentials.Statement, content any) (string, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	signer, err := r.cfg.Keys.Signer(jws.Decision)
	if err != nil {
		return "", err
	}
	s.Origin, s.At, s.Content = r.cfg.Origin, r.cfg.Now().UTC().Truncate(time.Second), body
	return credentials.SignStatement(signer, s)
}
