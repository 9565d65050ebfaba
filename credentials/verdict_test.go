package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

func TestSentences(t *testing.T) {
	var b bytes.Buffer
	for _, r := range Reasons() {
		for _, lang := range []Lang{ZH, EN} {
			for _, since := range []string{"", "2026-03-01"} {
				if since != "" && r != ReasonCancelled {
					continue
				}
				fmt.Fprintf(&b, "%s %s %s\n\t%s\n\t%s\n", r, r.Band(), lang, Sentence(r, lang, Args{Since: since}), Next(r, lang))
			}
		}
	}
	for _, s := range []InstitutionStatus{Filed, Rectifying, InstitutionOnHold, FilingExpired, FilingEnded, FilingRemoved, InstitutionExited, InstitutionUnknown} {
		fmt.Fprintf(&b, "institution %s: %s / %s\n", s, s.Text(ZH), s.Text(EN))
	}
	golden(t, "sentences.golden", b.Bytes())
}

func TestEveryReasonHasItsSentences(t *testing.T) {
	if len(sentences) != len(Reasons()) {
		t.Fatalf("%d reasons, %d sentences", len(Reasons()), len(sentences))
	}
	for _, r := range Reasons() {
		for _, lang := range []Lang{ZH, EN} {
			if Sentence(r, lang, Args{}) == "" || Next(r, lang) == "" {
				t.Errorf("%s has no words in %s", r, lang)
			}
		}
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		found, want []Reason
		valid       bool
		band        Band
	}{
		{nil, []Reason{ReasonValid}, true, Good},
		{[]Reason{ReasonValid}, []Reason{ReasonValid}, true, Good},
		{[]Reason{ReasonValid, ReasonSuspended}, []Reason{ReasonSuspended}, false, Caution},
		{[]Reason{ReasonSuperseded, ReasonVoided, ReasonVoided}, []Reason{ReasonVoided, ReasonSuperseded}, false, Bad},
		{[]Reason{ReasonStatusUnchecked, ReasonBadSignature}, []Reason{ReasonBadSignature, ReasonStatusUnchecked}, false, Bad},
		{[]Reason{ReasonStatusUnchecked}, []Reason{ReasonStatusUnchecked}, true, Unproven},
		{[]Reason{ReasonUnknownCertificate}, []Reason{ReasonUnknownCertificate}, false, Unproven},
		{[]Reason{ReasonNotYetPublished}, []Reason{ReasonNotYetPublished}, false, Unproven},
		{[]Reason{"no such reason", ReasonCancelled}, []Reason{ReasonCancelled}, false, Bad},
	} {
		var v Verdict
		v.Decide(c.found...)
		if !slices.Equal(v.Reasons, c.want) || v.Valid != c.valid || v.Band() != c.band {
			t.Errorf("%v: %v %v %s", c.found, v.Reasons, v.Valid, v.Band())
		}
	}
	if (Verdict{}).First() != ReasonUnknownCertificate {
		t.Error("a verdict that nobody decided must not read as valid")
	}
}

func TestVerdictJSON(t *testing.T) {
	index := uint64(1234)
	checked := time.Date(2026, 11, 21, 12, 53, 0, 0, time.UTC)
	face := sample().Face()
	v := Verdict{
		Since: "2026-03-01", Certificate: &face, CheckedAt: checked, Online: true, StatusChecked: &checked, KeyID: "js01", LogIndex: &index, Handle: "7k3m9qh2c4x5t",
		Institution: &Issuer{Prefix: "S000032058300", Name: "某某培训中心", NameNow: "某某培训中心", StatusAtIssue: Filed, StatusNow: InstitutionExited},
	}
	v.Decide(ReasonCancelled)
	b, err := json.MarshalIndent(v, "", "  ")
	noFail(t, err)
	golden(t, "verdict.golden.json", append(b, '\n'))
	var back Verdict
	noFail(t, json.Unmarshal(b, &back))
	again, err := json.MarshalIndent(back, "", "  ")
	noFail(t, err)
	if !bytes.Equal(again, b) {
		t.Errorf("no round trip: %s", again)
	}
}

func TestLinesForPeople(t *testing.T) {
	at := func(d time.Duration) *time.Time { x := testNow.Add(-d); return &x }
	v := Verdict{CheckedAt: testNow}
	v.Decide()
	for want, edit := range map[string]func(*Verdict){
		"在线查验 2026-03-02 12:00":         func(v *Verdict) { v.Online = true },
		"离线查验 2026-03-02 12:00 · 无状态清单": func(*Verdict) {},
		"离线查验 · 状态清单更新于 0 分钟前":          func(v *Verdict) { v.StatusChecked = at(-time.Minute) },
		"离线查验 · 状态清单更新于 59 分钟前":         func(v *Verdict) { v.StatusChecked = at(59 * time.Minute) },
		"离线查验 · 状态清单更新于 3 小时前":          func(v *Verdict) { v.StatusChecked = at(3*time.Hour + 59*time.Minute) },
		"离线查验 · 状态清单更新于 2 天前":           func(v *Verdict) { v.StatusChecked = at(49 * time.Hour) },
	} {
		x := v
		edit(&x)
		if got := x.Basis(ZH); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if x.Basis(EN) == "" {
			t.Error("no English")
		}
	}
	x := v
	x.StatusChecked = at(time.Hour)
	if got := x.Basis(EN); got != "Checked offline · status list 1 hour old" {
		t.Error(got)
	}
	v.Institution = &Issuer{StatusAtIssue: Filed, StatusNow: InstitutionExited}
	if got := v.Standing(ZH); got != "发证时 已备案 · 现在 已退出（不影响本证书）" {
		t.Error(got)
	}
	v.Decide(ReasonVoided)
	if got := v.Standing(ZH); got != "发证时 已备案 · 现在 已退出" {
		t.Error(got)
	}
	if got := v.Standing(EN); got != "at issue filed · now left" {
		t.Error(got)
	}
	if got := (Verdict{}).Standing(ZH); got != "" {
		t.Error(got)
	}
}

func TestVerifyOffline(t *testing.T) {
	k, foreign, strangers := newKeys(t, "js"), newKeys(t, "zj"), newKeys(t, "js")
	c := sample()
	token := k.token(t, c)
	text := QRText(testOrigin, handleOf(7), token)
	directory := sampleDirectory()
	lists := func(at time.Time, revoked, suspended, refreshed bool) []*StatusList {
		var out []*StatusList
		for p, on := range map[StatusPurpose]bool{Revocation: revoked, Suspension: suspended, Refresh: refreshed} {
			l := NewStatusList(testOrigin, p, 0)
			l.ValidFrom, l.ValidUntil = at, at.Add(24*time.Hour)
			noFail(t, l.Set(c.Status, on))
			out = append(out, l)
		}
		return out
	}
	fresh := testNow.Add(-3 * time.Hour)
	elsewhere := lists(fresh, true, true, true)
	for _, l := range elsewhere {
		l.Origin = "https://other.example.org"
	}
	otherNumber := lists(fresh, true, true, true)
	for _, l := range otherNumber {
		l.List = 1
	}
	key, _ := k.set.Key("js01")
	key.State, key.DistrustedFrom = jws.Distrusted, testNow
	distrusted, err := jws.NewKeySet(key)
	noFail(t, err)
	vcToken, err := k.signers[jws.VC].Sign([]byte(`{}`), "")
	noFail(t, err)

	for name, x := range map[string]struct {
		text    string
		trust   Trust
		reasons []Reason
		checked bool // status known
		face    bool
	}{
		"good":                  {text, Trust{k.set, &directory, lists(fresh, false, false, false), nil}, []Reason{ReasonValid}, true, true},
		"token alone":           {string(token), Trust{k.set, &directory, lists(fresh, false, false, false), nil}, []Reason{ReasonValid}, true, true},
		"no list":               {text, Trust{Keys: k.set, Directory: &directory}, []Reason{ReasonStatusUnchecked}, false, true},
		"one list":              {text, Trust{Keys: k.set, StatusLists: lists(fresh, false, false, false)[:1]}, []Reason{ReasonStatusUnchecked}, false, true},
		"list of another":       {text, Trust{k.set, &directory, elsewhere, nil}, []Reason{ReasonStatusUnchecked}, false, true},
		"list of other number":  {text, Trust{k.set, &directory, otherNumber, nil}, []Reason{ReasonStatusUnchecked}, false, true},
		"revoked":               {text, Trust{k.set, nil, lists(fresh, true, false, false), nil}, []Reason{ReasonRevoked}, true, true},
		"superseded":            {text, Trust{k.set, nil, lists(fresh, true, false, true), nil}, []Reason{ReasonSuperseded}, true, true},
		"suspended":             {text, Trust{k.set, nil, lists(fresh, false, true, false), nil}, []Reason{ReasonSuspended}, true, true},
		"revoked and suspended": {text, Trust{k.set, nil, lists(fresh, true, true, false), nil}, []Reason{ReasonRevoked, ReasonSuspended}, true, true},
		"stale":                 {text, Trust{k.set, nil, lists(testNow.Add(-25*time.Hour), false, false, false), nil}, []Reason{ReasonStatusStale}, true, true},
		"stale but revoked":     {text, Trust{k.set, nil, lists(testNow.Add(-25*time.Hour), true, false, false), nil}, []Reason{ReasonRevoked, ReasonStatusStale}, true, true},
		"newest list counts":    {text, Trust{k.set, nil, append(lists(fresh, false, true, false), lists(testNow.Add(-time.Hour), false, false, false)...), nil}, []Reason{ReasonValid}, true, true},
		"forged site":           {QRText("https://evil.example", handleOf(7), token), Trust{k.set, &directory, lists(fresh, false, false, false), nil}, []Reason{ReasonWrongRegistry}, true, true},
		"other origin of ours":  {text, Trust{k.set, &directory, lists(fresh, false, false, false), []string{"https://old.example.org", testOrigin}}, []Reason{ReasonValid}, true, true},
		"another registry":      {QRText("https://zj.example.org", handleOf(7), foreign.token(t, c)), Trust{Keys: k.set, Directory: &directory}, []Reason{ReasonWrongRegistry}, false, false},
		"another's token":       {string(foreign.token(t, c)), Trust{Keys: k.set}, []Reason{ReasonWrongRegistry}, false, false},
		"unknown key of ours":   {string(token), Trust{Keys: jws.KeySet{}, Directory: &directory}, []Reason{ReasonUnknownKey}, false, false},
		"same id, other key":    {string(strangers.token(t, c)), Trust{Keys: k.set}, []Reason{ReasonBadSignature}, false, false},
		"key of other purpose":  {vcToken, Trust{Keys: k.set}, []Reason{ReasonUnknownKey}, false, false},
		"altered":               {QRText(testOrigin, handleOf(7), token[:60]+"A"+token[61:]), Trust{Keys: k.set}, []Reason{ReasonBadSignature}, false, false},
		"distrusted key":        {text, Trust{distrusted, nil, lists(fresh, false, false, false), nil}, []Reason{ReasonKeyDistrusted}, true, true},
	} {
		v, err := VerifyOffline(x.text, x.trust, testNow)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(v.Reasons, x.reasons) || (v.StatusChecked != nil) != x.checked || (v.Certificate != nil) != x.face || v.Online {
			t.Errorf("%s: %+v", name, v)
		}
		if wantValid := x.reasons[0] == ReasonValid || x.reasons[0] == ReasonStatusUnchecked || x.reasons[0] == ReasonStatusStale; v.Valid != wantValid {
			t.Errorf("%s: valid is %v", name, v.Valid)
		}
		if !x.checked && v.Sentence(ZH) == Sentence(ReasonValid, ZH, Args{}) {
			t.Errorf("%s: says 证书有效 without a status list", name)
		}
	}

	v, err := VerifyOffline(text, Trust{k.set, &directory, lists(fresh, false, false, false), nil}, testNow)
	noFail(t, err)
	b, err := json.MarshalIndent(v, "", "  ")
	noFail(t, err)
	golden(t, "offline.golden.json", append(b, '\n'))
	if got := v.Standing(ZH); got != "发证时 已备案 · 现在 已退出（不影响本证书）" {
		t.Error(got)
	}
	if got := v.Basis(ZH); got != "离线查验 · 状态清单更新于 3 小时前" {
		t.Error(got)
	}

	mixed := lists(fresh, false, false, false)
	for _, l := range mixed {
		if l.Purpose == Suspension {
			l.ValidFrom = fresh.Add(-time.Hour)
		}
	}
	v, err = VerifyOffline(text, Trust{k.set, &directory, mixed, nil}, testNow)
	if err != nil || !v.StatusChecked.Equal(fresh.Add(-time.Hour)) {
		t.Errorf("the older of two lists counts: %v, %v", v.StatusChecked, err)
	}

	if _, err := VerifyOffline(testOrigin+"/c/"+string(handleOf(7)), Trust{Keys: k.set}, testNow); fail.CodeOf(err) != "no_token" {
		t.Errorf("address alone: %v", err)
	}
	if _, err := VerifyOffline("hello", Trust{}, testNow); fail.CodeOf(err) != "not_our_qr" {
		t.Errorf("foreign text: %v", err)
	}
	noTrade := c
	noTrade.Trade = ""
	v, err = VerifyOffline(string(k.token(t, noTrade)), Trust{Keys: k.set, Directory: &directory}, testNow)
	if err != nil || v.Certificate.Trade != "--" || v.Certificate.Occupation != "电工" {
		t.Errorf("no trade: %+v, %v", v.Certificate, err)
	}
	otherDirectory := sampleDirectory()
	otherDirectory.Registry = "zj"
	v, err = VerifyOffline(string(token), Trust{Keys: k.set, Directory: &otherDirectory}, testNow)
	if err != nil || v.Certificate.Occupation != "" || v.Institution != nil {
		t.Errorf("names from another registry's directory: %+v, %v", v, err)
	}
	if isJWS(errors.New("x")) {
		t.Error("the test's own tool")
	}
}
