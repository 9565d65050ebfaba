package credentials

import (
	"bytes"
	"encoding/json"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// TypStatement is the header type of a signed [Statement].
const TypStatement = "bajigong-decision+jwt"

// MaxStatement is the size limit of a signed statement in characters.
const MaxStatement = 1 << 20

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
	Subject  string    `json:"-"` // what Content is: check or claim
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
	if s.Audience == "" || len(s.Audience) > 64 || len(s.ID) > 64 {
		return badStatement("aud is missing, or aud or id is longer than 64 bytes")
	}
	switch s.Subject {
	case StatementCheck, StatementClaim:
	default:
		return badStatement("sub is neither check nor claim")
	}
	if len(s.Content) == 0 || s.Content[0] != '{' || !json.Valid(s.Content) {
		return badStatement("the content is no JSON object")
	}
	return nil
}

// SignStatement returns the signed text of s. Content is compacted. It fails
// (fail.Invalid) when the key is no decision key (wrong_purpose) or s is
// malformed (bad_statement).
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

// OpenStatement returns the statement in a signed text, and the key. The text
// must be the one way to write what it says. The error is a jws.Err value or
// fail.Invalid, bad_statement.
func OpenStatement(compact string, set jws.KeySet) (Statement, jws.Key, error) {
	opened, err := jws.Open(compact, set, jws.Decision, jws.Limits{MaxChars: MaxStatement, Typ: TypStatement})
	if err != nil {
		return Statement{}, jws.Key{}, err
	}
	if err := distinctMembers(opened.Payload); err != nil {
		return Statement{}, jws.Key{}, err
	}
	var p statementPayload
	d := json.NewDecoder(bytes.NewReader(opened.Payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Statement{}, jws.Key{}, badStatement("the content is no statement").Because(err)
	}
	s := Statement{Origin: p.Issuer, At: time.Unix(p.IssuedAt, 0).UTC(), Audience: p.Audience, Subject: p.Subject, ID: p.ID, TreeSize: p.TreeSize, Content: p.Content}
	again, err := s.payload()
	if err != nil {
		return Statement{}, jws.Key{}, err
	}
	if !bytes.Equal(again, opened.Payload) {
		return Statement{}, jws.Key{}, badStatement("it is not written in its one form")
	}
	return s, opened.Key, nil
}

func badStatement(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_statement", format, args...).In("决定文书不合要求")
}
