package credentials

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func sampleStatement() Statement {
	return Statement{Origin: testOrigin, At: testNow.Truncate(time.Second), Audience: "payer-kunshan", Subject: StatementClaim, ID: "c-1", TreeSize: 4711,
		Content: json.RawMessage(`{"outcome":"deny","failing":[{"rule":"once","zh":"同一职业<同一等级>"}]}`)}
}

func TestStatementRoundTrip(t *testing.T) {
	k := newKeys(t, "js")
	in := sampleStatement()
	in.Content = json.RawMessage(strings.ReplaceAll(string(in.Content), ",", ",\n  ")) // is compacted
	compact, err := SignStatement(k.signers[jws.Decision], in)
	noFail(t, err)
	got, key, err := OpenStatement(compact, k.set, jws.Limits{})
	noFail(t, err)
	want := sampleStatement()
	if string(got.Content) != string(want.Content) || !got.At.Equal(want.At) || got.Origin != want.Origin || got.Audience != want.Audience ||
		got.Subject != want.Subject || got.ID != want.ID || got.TreeSize != want.TreeSize || key.Purpose != jws.Decision {
		t.Errorf("got %+v by %s", got, key.ID)
	}
}

func TestStatementIsChecked(t *testing.T) {
	k := newKeys(t, "js")
	for name, edit := range map[string]func(*Statement){
		"origin":   func(s *Statement) { s.Origin = "skills" },
		"time":     func(s *Statement) { s.At = time.Time{} },
		"part":     func(s *Statement) { s.At = s.At.Add(time.Millisecond) },
		"audience": func(s *Statement) { s.Audience = "" },
		"subject":  func(s *Statement) { s.Subject = "promise" },
		"long id":  func(s *Statement) { s.ID = strings.Repeat("x", 65) },
		"long aud": func(s *Statement) { s.Audience = strings.Repeat("x", 201) },
		"content":  func(s *Statement) { s.Content = json.RawMessage(`[]`) },
		"no JSON":  func(s *Statement) { s.Content = json.RawMessage(`{`) },
		"none":     func(s *Statement) { s.Content = nil },
		"huge":     func(s *Statement) { s.Content = json.RawMessage(`{"x":"` + strings.Repeat("x", MaxStatement) + `"}`) },
	} {
		s := sampleStatement()
		edit(&s)
		if _, err := SignStatement(k.signers[jws.Decision], s); fail.CodeOf(err) != "bad_statement" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignStatement(k.signers[jws.QR], sampleStatement()); fail.CodeOf(err) != "wrong_purpose" {
		t.Errorf("signed with a QR key: %v", err)
	}
}

// What is signed by the right key and is not written in the one way, or by the
// wrong key, is no statement.
func TestStatementIsOpenedStrictly(t *testing.T) {
	k := newKeys(t, "js")
	payload, err := sampleStatement().payload()
	noFail(t, err)
	sign := func(purpose jws.Purpose, payload, typ string) string {
		compact, err := k.signers[purpose].Sign([]byte(payload), typ)
		noFail(t, err)
		return compact
	}
	for name, change := range map[string]string{
		"space":         strings.Replace(string(payload), `,"iat"`, `, "iat"`, 1),
		"order":         `{"iat":1772416800,` + strings.Replace(string(payload), `"iat":1772416800,`, "", 1)[1:],
		"member":        strings.Replace(string(payload), `{"iss"`, `{"exp":1,"iss"`, 1),
		"twice":         strings.Replace(string(payload), `{"iss"`, `{"sub":"check","iss"`, 1),
		"inside":        strings.Replace(string(payload), `"outcome":"deny"`, `"outcome":"deny","outcome":"allow"`, 1),
		"escaped":       strings.Replace(string(payload), "once", `o\u006ece`, 1) + " ",
		"tree size":     strings.Replace(string(payload), "4711", "-1", 1),
		"no content":    strings.Replace(string(payload), `"content":{`, `"c":{`, 1),
		"after the end": string(payload) + "{}",
	} {
		if change == string(payload) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, _, err := OpenStatement(sign(jws.Decision, change, TypStatement), k.set, jws.Limits{}); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if _, _, err := OpenStatement(sign(jws.Directory, string(payload), TypStatement), k.set, jws.Limits{}); !errors.Is(err, jws.ErrWrongPurpose) {
		t.Errorf("signed with a directory key: %v", err)
	}
	if _, _, err := OpenStatement(sign(jws.Decision, string(payload), "other"), k.set, jws.Limits{}); err == nil {
		t.Error("opened under another type")
	}
}

func TestEveryFlippedBitOfAStatementIsRefused(t *testing.T) {
	t.Parallel()
	k := newKeys(t, "js")
	compact, err := SignStatement(k.signers[jws.Decision], sampleStatement())
	noFail(t, err)
	flipEvery(t, compact, func(s string) error { _, _, err := OpenStatement(s, k.set, jws.Limits{}); return err })
}

func FuzzOpenStatement(f *testing.F) {
	k := newKeys(f, "js")
	payload, err := sampleStatement().payload()
	noFail(f, err)
	batch, err := sampleDecisionBatch().statement()
	noFail(f, err)
	now, err := batch.payload()
	noFail(f, err)
	before, err := marshalPlain(sampleDecisionBatch())
	noFail(f, err)
	for _, typ := range []string{TypStatement, typBatchBefore} {
		for _, p := range []string{string(payload), string(now), string(before)} {
			f.Add(p, typ)
			f.Add(strings.Replace(p, `,"iat"`, `, "iat"`, 1), typ)
		}
	}
	f.Fuzz(func(t *testing.T, payload, typ string) {
		compact, err := k.signers[jws.Decision].Sign([]byte(payload), typ)
		if err != nil {
			return
		}
		s, _, err := OpenStatement(compact, k.set, jws.Limits{})
		if err != nil {
			return
		}
		again, err := s.payload()
		if typ == typBatchBefore {
			var d DecisionBatch
			if d, err = s.Batch(); err == nil {
				again, err = marshalPlain(d)
			}
		}
		if err != nil || string(again) != payload {
			t.Fatalf("%q opened and reads %q: %v", payload, again, err)
		}
	})
}
