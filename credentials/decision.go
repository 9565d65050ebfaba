package credentials

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// TypStatement is the header type of a signed [Statement].
const TypStatement = "bajigong-decision+jwt"

// typBatchBefore is the header type under which decisions over files were signed in
// a form of their own, before they were statements. They open for ever.
const typBatchBefore = "bajigong-decision-batch+jwt"

// Size limits in characters. A decision over a file with the most policies that it
// may name has about 20,000.
const (
	MaxStatement     = 1 << 20
	MaxDecisionBatch = 32 << 10
)

// DecisionPoliciesMost is how many policies a decision over a file may name.
const DecisionPoliciesMost = 100

// MaxAudience is how long the name of the organisation that a statement is for may
// be, in bytes: what takes payers into a register holds them to the same bound.
const MaxAudience = 100

// A Statement is what the register answered a subsidy system, to be kept with the
// payment's papers: anybody with the keys of /keys/decision.json can check years
// later that the register said so. It is a compact JWS of type TypStatement, and
// names members by RFC 7519 §4.1 where that has names:
//
//	{"iss":"https://skills.example.org","iat":1772416800,"aud":"payer-kunshan","sub":"claim","id":"c-7f3a…",
//	 "tree_size":4711,"content":{"outcome":"allow",…}}
type Statement struct {
	Origin   string    `json:"-"`
	At       time.Time `json:"-"` // whole seconds
	Audience string    `json:"-"` // the organisation that asked
	Subject  string    `json:"-"` // what Content is: check, claim or batch
	// ID is the id of what Content says, empty for what was not recorded.
	ID string `json:"-"`
	// TreeSize is the size of the audit log that Content rests on.
	TreeSize uint64 `json:"-"`
	// Content is a JSON object without personal data.
	Content json.RawMessage `json:"-"`
}

// statementPayload is the payload, its members in the order in which it is written.
type statementPayload struct {
	Issuer   string          `json:"iss"`
	IssuedAt int64           `json:"iat"`
	Audience string          `json:"aud"`
	Subject  string          `json:"sub"`
	ID       string          `json:"id,omitempty"`
	TreeSize uint64          `json:"tree_size"`
	Content  json.RawMessage `json:"content"`
}

// The subjects of statements.
const (
	StatementCheck = "check" // an answer that reserved nothing
	StatementClaim = "claim" // the decision of a recorded claim
	StatementBatch = "batch" // the decision over a file, see DecisionBatch
)

func (s Statement) payload() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return marshalPlain(statementPayload{s.Origin, s.At.Unix(), s.Audience, s.Subject, s.ID, s.TreeSize, s.Content})
}

func (s Statement) check() error {
	if _, err := ParseOrigin(s.Origin); err != nil {
		return badStatement("the origin is malformed")
	}
	if s.At.Unix() <= 0 || s.At.Nanosecond() != 0 {
		return badStatement("iat is no whole second after 1970")
	}
	if s.Audience == "" || len(s.Audience) > MaxAudience || len(s.ID) > 64 {
		return badStatement("aud is missing or longer than %d bytes, or id is longer than 64", MaxAudience)
	}
	if !slices.Contains([]string{StatementCheck, StatementClaim, StatementBatch}, s.Subject) {
		return badStatement("sub is none of check, claim and batch")
	}
	if len(s.Content) == 0 || s.Content[0] != '{' || !json.Valid(s.Content) {
		return badStatement("the content is no JSON object")
	}
	if s.Subject == StatementBatch {
		_, err := s.Batch()
		return err
	}
	return nil
}

// SignStatement returns the signed text of s. Content is compacted. It fails
// (fail.Invalid) when the key is no decision key (wrong_purpose) or s is
// malformed (bad_statement; bad_decision of a decision over a file).
func SignStatement(key jws.Signer, s Statement) (string, error) {
	if key.Purpose() != jws.Decision {
		return "", fail.New(fail.Invalid, "wrong_purpose", "key %s is for %q and may not sign decisions", key.KID(), key.Purpose()).In("密钥 %s 不用于决定签名", key.KID())
	}
	payload, err := s.payload()
	if err != nil {
		return "", err
	}
	if len(payload) > MaxStatement/2 {
		return "", badStatement("the content is too long to be signed")
	}
	return key.Sign(payload, TypStatement)
}

// OpenStatement returns the statement in a signed text, and the key. The text must
// be the one way to write what it says. A decision over a file that was signed in
// its earlier form is answered as the statement that says the same. lim.Existed
// matters for distrusted keys; its other members are set here. The error is a
// jws.Err value or fail.Invalid, bad_statement or, of a decision over a file,
// bad_decision. With jws.ErrDistrusted alone the statement is filled beside it.
func OpenStatement(compact string, set jws.KeySet, lim jws.Limits) (Statement, jws.Key, error) {
	lim.MaxChars, lim.Typ = MaxStatement, TypStatement
	read := readStatement
	if jws.PeekType(compact) == typBatchBefore {
		lim.MaxChars, lim.Typ, read = MaxDecisionBatch, typBatchBefore, readBatchBefore
	}
	opened, err := jws.Open(compact, set, jws.Decision, lim)
	if opened.Payload == nil {
		return Statement{}, jws.Key{}, err
	}
	if err := distinctMembers(opened.Payload); err != nil {
		return Statement{}, jws.Key{}, err
	}
	s, again, bad := read(opened.Payload)
	switch {
	case bad != nil:
		return Statement{}, jws.Key{}, bad
	case !bytes.Equal(again, opened.Payload):
		return Statement{}, jws.Key{}, jws.ErrNoncanonical
	}
	return s, opened.Key, err
}

// readStatement reads a payload and writes it again in its one form.
func readStatement(payload []byte) (s Statement, again []byte, err error) {
	var p statementPayload
	if err := decodeStrictly(payload, &p); err != nil {
		return s, nil, badStatement("the content is no statement").Because(err)
	}
	s = Statement{Origin: p.Issuer, At: time.Unix(p.IssuedAt, 0).UTC(), Audience: p.Audience, Subject: p.Subject, ID: p.ID, TreeSize: p.TreeSize, Content: p.Content}
	again, err = s.payload()
	return s, again, err
}

// readBatchBefore is readStatement for the earlier form of decisions over files.
func readBatchBefore(payload []byte) (s Statement, again []byte, err error) {
	var d DecisionBatch
	if err := decodeStrictly(payload, &d); err != nil {
		return s, nil, badDecision("the content is not a decision over a file").Because(err)
	}
	if s, err = d.statement(); err == nil {
		again, err = marshalPlain(d)
	}
	return s, again, err
}

func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func badStatement(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_statement", format, args...).In("决定文书不合要求")
}

// DecisionBatch is the one signed decision over a file of claims that were checked
// before payment. It names no person: rows stand in the results, which it binds by
// their hash. It is a [Statement] to the payer of subject batch, with the run as its
// id and this content:
//
//	{"file":"9f86…","results":"60303…","policies":[{"id":"sample-2026","version":1,"digest":"4b22…"}],
//	 "rows":3,"allow":1,"deny":1,"hold":0,"invalid":1,"amount_fen":260000,"tree_from":412}
//
// File is the SHA-256 of the file as it was sent, Results that of the answer's
// lines of rows, each with its line feed; both are 64 hexadecimal digits. The rows
// were answered while the audit log had TreeFrom to TreeSize entries.
//
// Its members by name and order are those of the form before statements.
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

// batchContent is the content of the statement.
type batchContent struct {
	File     string           `json:"file"`
	Results  string           `json:"results"`
	Policies []DecisionPolicy `json:"policies"`
	Rows     int              `json:"rows"`
	Allow    int              `json:"allow"`
	Deny     int              `json:"deny"`
	Hold     int              `json:"hold"`
	Invalid  int              `json:"invalid"`
	Amount   int64            `json:"amount_fen"`
	TreeFrom uint64           `json:"tree_from"`
}

// statement is the statement that says d. Error: bad_decision.
func (d DecisionBatch) statement() (Statement, error) {
	if err := d.check(); err != nil {
		return Statement{}, err
	}
	content, err := marshalPlain(batchContent{d.File, d.Results, d.Policies, d.Rows, d.Allow, d.Deny, d.Hold, d.Invalid, d.Amount, d.TreeFrom})
	return Statement{Origin: d.Issuer, At: time.Unix(d.IssuedAt, 0).UTC(), Audience: d.Payer, Subject: StatementBatch, ID: d.Run, TreeSize: d.TreeSize, Content: content}, err
}

// Batch is the decision over a file that s says. Error: fail.Invalid, bad_decision.
func (s Statement) Batch() (DecisionBatch, error) {
	var c batchContent
	if s.Subject != StatementBatch || decodeStrictly(s.Content, &c) != nil {
		return DecisionBatch{}, badDecision("the content is not a decision over a file")
	}
	d := DecisionBatch{s.Origin, s.At.Unix(), s.ID, s.Audience, c.File, c.Results, c.Policies, c.Rows, c.Allow, c.Deny, c.Hold, c.Invalid, c.Amount, c.TreeFrom, s.TreeSize}
	again, err := d.statement()
	if err != nil {
		return DecisionBatch{}, err
	}
	var compact bytes.Buffer
	if json.Compact(&compact, s.Content) != nil || !bytes.Equal(compact.Bytes(), again.Content) {
		return DecisionBatch{}, badDecision("the content is not written in its one form")
	}
	return d, nil
}

// SignDecisionBatch returns the signed text of d. It fails (fail.Invalid) when the
// key is no decision key (wrong_purpose) or d is malformed (bad_decision).
func SignDecisionBatch(key jws.Signer, d DecisionBatch) (string, error) {
	s, err := d.statement()
	if err != nil {
		return "", err
	}
	return SignStatement(key, s)
}

// OpenDecisionBatch is [OpenStatement] for a decision over a file, in either form,
// of at most MaxDecisionBatch characters.
func OpenDecisionBatch(compact string, set jws.KeySet, lim jws.Limits) (DecisionBatch, error) {
	if len(compact) > MaxDecisionBatch {
		return DecisionBatch{}, jws.ErrTooLarge
	}
	s, _, err := OpenStatement(compact, set, lim)
	if s.Origin == "" {
		return DecisionBatch{}, err
	}
	d, bad := s.Batch()
	if bad != nil {
		return DecisionBatch{}, bad
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
