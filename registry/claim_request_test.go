package registry

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry/policy"
)

func goodRequest() ClaimRequest {
	p := invented.PersonAt(1)
	return ClaimRequest{Reference: "KS-2026/0001", Policy: "sample-2026", Certificate: "S000032058300263000001", Document: p.Document, Name: p.Name,
		Received: "2026-03-10", Facts: policy.Facts{policy.Insured: {Value: "yes", Source: "社保", At: time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC), Reference: "SB-1"}}}
}

func TestClaimRequestNamesWhatIsWrong(t *testing.T) {
	if _, err := goodRequest().parse(true); err != nil {
		t.Fatalf("a good request: %v", err)
	}
	for name, c := range map[string]struct {
		spoil  func(*ClaimRequest)
		fields []string
	}{
		"no reference":            {func(q *ClaimRequest) { q.Reference = " " }, []string{"reference"}},
		"reference with spaces":   {func(q *ClaimRequest) { q.Reference = "a b" }, []string{"reference"}},
		"reference too long":      {func(q *ClaimRequest) { q.Reference = strings.Repeat("a", 65) }, []string{"reference"}},
		"reference with identity": {func(q *ClaimRequest) { q.Reference = "K" + q.Document + "-1" }, []string{"reference"}},
		"neither policy nor fund": {func(q *ClaimRequest) { q.Policy = "" }, []string{"fund"}},
		"unknown fund":            {func(q *ClaimRequest) { q.Fund = "gold" }, []string{"fund"}},
		"no number":               {func(q *ClaimRequest) { q.Certificate = "" }, []string{"certificate"}},
		"number too short":        {func(q *ClaimRequest) { q.Certificate = "S00003205830026300001" }, []string{"certificate"}},
		"no name":                 {func(q *ClaimRequest) { q.Name = "" }, []string{"name"}},
		"spreadsheet document":    {func(q *ClaimRequest) { q.Document = "3.20583E+17" }, []string{"document"}},
		"unknown document kind":   {func(q *ClaimRequest) { q.DocumentKind = "library card" }, []string{"document_kind"}},
		"date that is none":       {func(q *ClaimRequest) { q.Received = "2026-02-30" }, []string{"received"}},
		"unknown fact":            {func(q *ClaimRequest) { q.Facts["shoe_size"] = policy.Fact{} }, []string{"facts.shoe_size"}},
		"fact without source": {func(q *ClaimRequest) {
			f := q.Facts[policy.Insured]
			f.Source = ""
			q.Facts[policy.Insured] = f
		}, []string{"facts.insured"}},
		"fact with a book in it": {func(q *ClaimRequest) {
			f := q.Facts[policy.Insured]
			f.Reference = strings.Repeat("字", factMax+1)
			q.Facts[policy.Insured] = f
		}, []string{"facts.insured"}},
		"everything": {func(q *ClaimRequest) { *q = ClaimRequest{} }, []string{"certificate", "document", "fund", "name", "reference"}},
	} {
		q := goodRequest()
		c.spoil(&q)
		_, err := q.parse(true)
		if fail.KindOf(err) != fail.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
			continue
		}
		var got []string
		for _, f := range fail.Of(err).Fields {
			got = append(got, f.Name)
			if f.ZH == "" || f.EN == "" || f.Code == "" {
				t.Errorf("%s: field %+v lacks a sentence", name, f)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.fields) {
			t.Errorf("%s: fields %v, want %v", name, got, c.fields)
		}
		if id := invented.PersonAt(1).Document; strings.Contains(err.Error(), id) {
			t.Errorf("%s: the error repeats the identity number", name)
		}
	}
	q := goodRequest()
	q.Reference = ""
	if _, err := q.parse(false); err != nil {
		t.Errorf("a check needs no reference: %v", err)
	}
}

func TestRequestsAreTheSameByTheirContent(t *testing.T) {
	digest := func(change func(*ClaimRequest)) []byte {
		r := goodRequest()
		change(&r)
		q, err := r.parse(true)
		if err != nil {
			t.Fatal(err)
		}
		d, err := q.digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	want := digest(func(*ClaimRequest) {})
	shanghai := time.FixedZone("CST", 8*3600)
	for name, same := range map[string]func(*ClaimRequest){
		"other reference": func(q *ClaimRequest) { q.Reference = "other" },
		"spaces":          func(q *ClaimRequest) { q.Certificate, q.Name = " s0000 32058300 263000001 ", q.Name+" " },
		"document kind":   func(q *ClaimRequest) { q.DocumentKind = "居民身份证" },
		"time zone": func(q *ClaimRequest) {
			f := q.Facts[policy.Insured]
			f.At = f.At.In(shanghai)
			q.Facts[policy.Insured] = f
		},
	} {
		if !bytes.Equal(digest(same), want) {
			t.Errorf("%s: taken for another request", name)
		}
	}
	for name, other := range map[string]func(*ClaimRequest){
		"certificate": func(q *ClaimRequest) { q.Certificate = "S000032058300263000002" },
		"person":      func(q *ClaimRequest) { q.Document = invented.PersonAt(2).Document },
		"name":        func(q *ClaimRequest) { q.Name = "某某" },
		"policy":      func(q *ClaimRequest) { q.Policy = "kunshan-2020-67" },
		"fund":        func(q *ClaimRequest) { q.Fund = policy.FundSkillUplift },
		"received":    func(q *ClaimRequest) { q.Received = "2026-03-09" },
		"no facts":    func(q *ClaimRequest) { q.Facts = nil },
		"fact": func(q *ClaimRequest) {
			f := q.Facts[policy.Insured]
			f.Value = "no"
			q.Facts[policy.Insured] = f
		},
	} {
		if bytes.Equal(digest(other), want) {
			t.Errorf("%s: taken for the same request", name)
		}
	}
}

func TestReceivedIsWithinAYearUpToToday(t *testing.T) {
	for received, ok := range map[string]bool{"": true, "2026-03-10": true, "2025-03-09": true, "2026-03-11": false, "2025-03-08": false} {
		q := goodRequest()
		if err := q.Received.UnmarshalText([]byte(received)); err != nil {
			t.Fatal(err)
		}
		parsed, err := q.parse(true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.receivedOn("2026-03-10"); (err == nil) != ok {
			t.Errorf("received %q on 2026-03-10: %v", received, err)
		}
	}
}

func TestIdentityNumbersAreSeenInTexts(t *testing.T) {
	id := invented.PersonAt(5).Document
	wrong := []byte(id)
	wrong[16] = '0' + (wrong[16]-'0'+1)%10
	for text, want := range map[string]bool{
		id: true, "K-" + id: true, "追回" + id + "的补贴": true, "9" + id: true, id + "7": true, strings.ToLower(id): true,
		string(wrong): false, id[:17]: false, "202603100000000001": false, "": false, "追回原因": false,
		// As people and their spreadsheets write it: grouped, with hyphens, full width.
		id[:6] + " " + id[6:14] + " " + id[14:]: true, id[:6] + "-" + id[6:14] + "-" + id[14:]: true, "追回" + wide(id) + "的补贴": true,
		id[:6] + "\u200b" + id[6:]: true, id[:6] + "、" + id[6:]: false, "2026-03-10 2026-03-11 12": false,
	} {
		if got := holdsIdentity(text); got != want {
			t.Errorf("holdsIdentity(%q) = %t", text, got)
		}
	}
}

// wide writes ASCII in full width.
func wide(s string) string {
	return strings.Map(func(r rune) rune { return r + '０' - '0' }, s)
}

func TestAccountNumbersAreSeenInBankTexts(t *testing.T) {
	for text, want := range map[string]bool{"账户 6222 0012 3456 7890 已销户": true, "账户" + wide("622200123456") + "已销户": true,
		"账户６２２２－００１２－３４５６已销户": true, "账户已销户，代码 12345678901": false} {
		if _, bad := bankText("reason", "退票原因", text); (len(bad) > 0) != want {
			t.Errorf("%s: %+v", text, bad)
		}
	}
}

// Who states a fact is quoted in the decision, which is signed and names nobody.
func TestSourcesOfFactsNameNobody(t *testing.T) {
	id := invented.PersonAt(5).Document
	q := goodRequest()
	q.Facts = policy.Facts{policy.Insured: {Value: policy.Yes, Source: "社保 " + id, At: time.Unix(1, 0), Reference: "1"}}
	_, err := q.parse(true)
	if e := fail.Of(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Code != "personal" || e.Fields[0].Name != "facts.insured" {
		t.Error(err)
	}
}
