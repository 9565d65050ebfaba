package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
)

// Replay is a decision beside the same decision made anew.
type Replay struct {
	Claim string `json:"claim"`
	// Same: both are the same, byte for byte, and nothing else was found.
	Same     bool          `json:"same"`
	Problems []policy.Text `json:"problems"`
	// LogIndex is the entry of the audit log before which everything was taken as it stood.
	LogIndex   uint64          `json:"log_index"`
	Policy     string          `json:"policy"`
	Version    int             `json:"policy_version"`
	Digest     string          `json:"policy_digest"`
	Recorded   policy.Decision `json:"recorded"`
	Recomputed policy.Decision `json:"recomputed"`
}

// ReplayClaim decides a recorded claim anew: by the text of the policy that was in
// force for it, from the certificates and claims of the person as they stood
// before its entry of the audit log, and from the facts sealed with it. It is for
// its payer and for auditors of its region.
func (r *Registry) ReplayClaim(ctx context.Context, by Actor, id string) (out Replay, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		c, err := claimFor(rd, by, ReadClaim, id)
		if err != nil {
			return err
		}
		if c.Imported != nil {
			return fail.New(fail.Conflict, "not_decided", "claim %s was paid before it came here; nothing was decided", c.ID).
				In("申领 %s 为导入的历史发放记录，本系统未作决定", c.ID)
		}
		out = Replay{Claim: c.ID, Problems: []policy.Text{}, LogIndex: c.LogIndex, Policy: c.Policy, Version: c.PolicyVersion, Digest: c.PolicyDigest}
		p, basis, law, err := r.replayOf(rd, c, func(problem policy.Text) { out.Problems = append(out.Problems, problem) })
		if err != nil {
			return err
		}
		out.Recorded, out.Recomputed = basis.Decision, law.Evaluate(p.input(law, basis))
		if !sameDecision(out.Recorded, out.Recomputed) {
			out.Problems = append(out.Problems, policy.Text{ZH: "重新计算的结果与记录的决定不一致", EN: "recomputing it does not give the recorded decision"})
		}
		out.Same = len(out.Problems) == 0
		return nil
	})
	return out, err
}

// replayOf loads what a claim is replayed from.
func (r *Registry) replayOf(rd kv.Reader, c Claim, tell func(policy.Text)) (p replay, basis claimBasis, law policy.Policy, err error) {
	basis, sound, err := r.claimBasis(rd, c)
	if err != nil {
		return p, basis, law, err
	}
	if !sound {
		tell(policy.Text{ZH: "该申领的密封依据与登记时不一致", EN: "it rests on a sealed basis other than the one it was recorded with"})
	}
	if law, err = r.policyOf(rd, c); err != nil {
		return p, basis, law, err
	}
	p = replay{r: r, rd: rd, claim: c, tell: tell}
	own, err := claimsUnder(rd, c.Person)
	if err != nil {
		return p, basis, law, err
	}
	p.whole, err = r.wholeOf(rd, own)
	return p, basis, law, err
}

// sameDecision reports whether deciding a claim anew gives its recorded decision
// to the byte. One that was recorded before decisions named the approvals of their
// exceptions names none; they stand in its sealed basis.
func sameDecision(a, b policy.Decision) bool {
	if len(a.Excepted) > 0 && len(a.Approvals) == 0 {
		b.Approvals = nil
	}
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && (bytes.Equal(x, y) || earlierWords.Replace(string(x)) == string(y))
}

// earlierWords are words in which decisions were once given, each before those that
// say the same now: a decision is not another one because its words were mended.
var earlierWords = strings.NewReplacer(
	"出资方（person、enterprise 或 institution）：person", "出资方（个人、企业或机构）：个人",
	"出资方（person、enterprise 或 institution）：enterprise", "出资方（个人、企业或机构）：企业",
	"出资方（person、enterprise 或 institution）：institution", "出资方（个人、企业或机构）：机构",
	"出资方（person、enterprise 或 institution）", "出资方（个人、企业或机构）",
	"性别（male 或 female）", "性别（男或女）",
)
