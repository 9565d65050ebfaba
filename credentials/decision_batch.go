package credentials

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// TypDecisionBatch is the header type of the signed decision over a file.
const TypDecisionBatch = "bajigong-decision-batch+jwt"

// MaxDecisionBatch is the size limit of one in characters. With the most policies
// that one may name it has about 20,000.
const MaxDecisionBatch = 32 << 10

// DecisionPoliciesMost is how many policies a decision over a file may name.
const DecisionPoliciesMost = 100

// DecisionBatch is the one signed decision over a file of claims that were checked
// before payment. It names no person: rows stand in the results, which it binds by
// their hash. It is a compact JWS of a decision key:
//
//	{"alg":"ES256","kid":"js06","typ":"bajigong-decision-batch+jwt"}
//	{"iss":"https://zs.example.gov.cn","iat":1773968400,"run":"cb-0123456789abcdef","payer":"ks-payer",
//	 "file":"9f86…","results":"60303…","policies":[{"id":"sample-2026","version":1,"digest":"4b22…"}],
//	 "rows":3,"allow":1,"deny":1,"hold":0,"invalid":1,"amount_fen":260000,"tree_from":412,"tree_size":412}
//
// File is the SHA-256 of the file as it was sent, Results that of the answer's
// lines of rows, each with its line feed; both are 64 hexadecimal digits. The rows
// were answered while the audit log had TreeFrom to TreeSize entries.
type DecisionBatch struct {
	Issuer   string           `json:"iss"`
	IssuedAt int64            `json:"iat"` // NumericDate, RFC 7519 §2
	Run      string           `json:"run"`
	Payer    string           `json:"payer"`
	File     string           `json:"file"`
	Results  string           `json:"results"`
	Policies []DecisionPolicy `json:"policies"` // by id and version
	Rows     int              `json:"rows"`
	Allow    int              `json:"allow"`
	Deny     int              `json:"deny"`
	Hold     int              `json:"hold"`
	Invalid  int              `json:"invalid"`
	Amount   int64            `json:"amount_fen"` // of the rows that are allowed
	TreeFrom uint64           `json:"tree_from"`
	TreeSize uint64           `json:"tree_size"`
}

// DecisionPolicy is a policy by which rows were decided. Digest is the SHA-256 of
// its file.
type DecisionPolicy struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// SignDecisionBatch returns the signed text of d. It fails (fail.Invalid) when s is
// no decision key (wrong_purpose) or d is malformed (bad_decision).
func SignDecisionBatch(s jws.Signer, d DecisionBatch) (string, error) {
	if s.Purpose() != jws.Decision {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign decisions", s.KID(), s.Purpose()).In("密钥 %s 不用于决定签名", s.KID())
	}
	if err := d.check(); err != nil {
		return "", err
	}
	payload, err := marshalPlain(d)
	if err != nil {
		return "", err
	}
	return s.Sign(payload, TypDecisionBatch)
}

// OpenDecisionBatch returns the decision in a signed text that is the one proper
// text of it: signed by a decision key of set, with these members in this order and
// no other. lim.Existed matters for distrusted keys; its other members are set
// here. The error is a jws.Err value or fail.Invalid, bad_decision. With
// jws.ErrDistrusted alone the decision is filled beside it.
func OpenDecisionBatch(compact string, set jws.KeySet, lim jws.Limits) (DecisionBatch, error) {
	lim.MaxChars, lim.Typ = MaxDecisionBatch, TypDecisionBatch
	opened, err := jws.Open(compact, set, jws.Decision, lim)
	if opened.Payload == nil {
		return DecisionBatch{}, err
	}
	var d DecisionBatch
	dec := json.NewDecoder(bytes.NewReader(opened.Payload))
	dec.DisallowUnknownFields()
	if dec.Decode(&d) != nil {
		return DecisionBatch{}, badDecision("the content is not a decision over a file")
	}
	if err := d.check(); err != nil {
		return DecisionBatch{}, err
	}
	if again, err := marshalPlain(d); err != nil || !bytes.Equal(again, opened.Payload) {
		return DecisionBatch{}, jws.ErrNoncanonical
	}
	return d, err
}

func (d DecisionBatch) check() error {
	if _, err := ParseOrigin(d.Issuer); err != nil {
		return badDecision("iss is not the origin of a register")
	}
	switch {
	case d.IssuedAt <= 0:
		return badDecision("iat is missing")
	case d.Run == "" || len(d.Run) > 64 || d.Payer == "" || len(d.Payer) > 200:
		return badDecision("run or payer is missing or too long")
	case !isSHA256(d.File) || !isSHA256(d.Results):
		return badDecision("file and results are SHA-256 hashes of 64 hexadecimal digits")
	case min(d.Allow, d.Deny, d.Hold, d.Invalid) < 0 || d.Rows <= 0 || d.Rows != d.Allow+d.Deny+d.Hold+d.Invalid:
		return badDecision("the outcomes do not add up to the rows")
	case d.Amount < 0 || d.Allow == 0 && d.Amount > 0:
		return badDecision("the amount is not that of rows that are allowed")
	case d.TreeFrom > d.TreeSize:
		return badDecision("the audit log cannot have shrunk")
	case d.Policies == nil || len(d.Policies) > DecisionPoliciesMost || !slices.IsSortedFunc(d.Policies, comparePolicies):
		return badDecision("the policies are missing, too many or out of order")
	}
	for i, p := range d.Policies {
		if p.ID == "" || len(p.ID) > 64 || p.Version < 1 || !isSHA256(p.Digest) || i > 0 && comparePolicies(d.Policies[i-1], p) == 0 {
			return badDecision("policy %d is malformed or stands twice", i+1)
		}
	}
	return nil
}

func comparePolicies(a, b DecisionPolicy) int {
	if c := strings.Compare(a.ID, b.ID); c != 0 {
		return c
	}
	return a.Version - b.Version
}

// isSHA256 reports 64 hexadecimal digits in lower case.
func isSHA256(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64 && strings.ToLower(s) == s
}

func badDecision(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_decision", format, args...).In("批量预检决定的内容不合要求")
}
