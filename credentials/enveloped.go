package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// envelope begins the data: URL in which VC Data Model 2.0 §4.13 wraps a
// vc+jwt.
const envelope = "data:application/vc+jwt,"

// Enveloped returns a vc+jwt as an EnvelopedVerifiableCredential, the form in
// which a JSON document such as a presentation carries it:
//
//	{"@context":"https://www.w3.org/ns/credentials/v2","type":"EnvelopedVerifiableCredential","id":"data:application/vc+jwt,eyJ…"}
func Enveloped(compact string) ([]byte, error) {
	return marshalPlain(struct {
		Context string `json:"@context"`
		Type    string `json:"type"`
		ID      string `json:"id"`
	}{vcContext, "EnvelopedVerifiableCredential", envelope + compact})
}

// parseCompact tells a credential from the token of a QR code by its type.
// Whatever else it is, it is taken for a token, which is then refused.
func parseCompact(s string) (Scanned, error) {
	if !tokenShape(s) {
		return Scanned{}, notOurs()
	}
	if jws.PeekType(s) == TypVC {
		return Scanned{Credential: s}, nil
	}
	return Scanned{Token: Token(s)}, nil
}

// parseEnvelope reads the data: URL.
func parseEnvelope(s string) (Scanned, error) {
	compact, ok := strings.CutPrefix(s, envelope)
	if !ok || !tokenShape(compact) {
		return Scanned{}, fail.New(fail.Invalid, "bad_envelope", "this data: address holds no vc+jwt; it must begin with %s", envelope).
			In("该 data: 地址不是电子凭证，应以 %s 开头", envelope)
	}
	return Scanned{Credential: compact}, nil
}

// parseDocument reads a JSON document: an EnvelopedVerifiableCredential with its
// three members and no other. A credential as plain JSON proves nothing and is
// refused, so is one with an embedded proof, which this system does not make.
func parseDocument(s string) (Scanned, error) {
	var doc map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &doc) != nil || distinctMembers([]byte(s)) != nil {
		return Scanned{}, notOurs()
	}
	types := textOrTexts(doc["type"])
	switch {
	case slices.Contains(types, "VerifiableCredential") && doc["proof"] != nil:
		return Scanned{}, fail.New(fail.Invalid, "embedded_proof", "this register secures its credentials as vc+jwt and makes none with an embedded proof; use the file as it was downloaded").
			In("本系统的电子凭证均为 vc+jwt 格式，没有内嵌签名的格式；请使用下载的原始文件")
	case slices.Contains(types, "VerifiableCredential"):
		return Scanned{}, fail.New(fail.Invalid, "no_signature", "this credential has no signature and proves nothing; use the file as it was downloaded (vc+jwt)").
			In("该凭证内容没有签名，不能证明任何事项；请使用下载的原始文件（vc+jwt）")
	case !slices.Equal(types, []string{"EnvelopedVerifiableCredential"}):
		return Scanned{}, notOurs()
	}
	contexts := textOrTexts(doc["@context"])
	var id string
	if len(doc) != 3 || len(contexts) == 0 || contexts[0] != vcContext || json.Unmarshal(doc["id"], &id) != nil {
		return Scanned{}, fail.New(fail.Invalid, "bad_envelope", "an EnvelopedVerifiableCredential has @context (%s), type and id, and nothing else", vcContext).
			In("EnvelopedVerifiableCredential 只有 @context、type、id 三项")
	}
	return parseEnvelope(id)
}

// textOrTexts reads one text or a list of texts; nothing for anything else.
func textOrTexts(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil && raw != nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}

// distinctMembers fails with jws.ErrNoncanonical when an object anywhere in a
// JSON text has two members of one name, compared without case as encoding/json
// does: parsers differ in which of them they take (RFC 8259 §4).
func distinctMembers(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	type level struct {
		names map[string]bool // nil in a list
		value bool            // a value comes next
	}
	var open []level
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return jws.ErrMalformed.Because(err)
		}
		if top := len(open) - 1; top >= 0 && open[top].names != nil && !open[top].value && t != json.Delim('}') {
			name, _ := t.(string)
			if name = strings.ToLower(name); open[top].names[name] {
				return jws.ErrNoncanonical
			}
			open[top].names[name], open[top].value = true, true
			continue
		}
		if top := len(open) - 1; top >= 0 {
			open[top].value = false
		}
		switch t {
		case json.Delim('{'):
			open = append(open, level{names: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}
