package registry

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry/policy"
	"bajigong/standards"
)

func workMonths() policy.Subject {
	return policy.Subject{Kind: policy.ForWorkMonths, From: "2026-01-01", To: "2026-02-28", Units: 2}
}

func approval() policy.Exception {
	return policy.Exception{Rule: "frequency", Document: "昆人社〔2026〕5号", Approver: "昆山市人力资源和社会保障局", On: "2026-03-01"}
}

// faultsOf are the fields that a request is refused for.
func faultsOf(t *testing.T, name string, q ClaimRequest) []string {
	t.Helper()
	_, err := q.parse(true)
	var got []string
	for _, f := range faultFields(err) {
		got = append(got, f.Name)
		if f.ZH == "" || f.EN == "" || f.Code == "" {
			t.Errorf("%s: field %+v lacks a sentence", name, f)
		}
	}
	slices.Sort(got)
	return got
}

func TestSubjectsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*policy.Subject)
		fields []string
	}{
		"good":                          {func(*policy.Subject) {}, nil},
		"no kind":                       {func(s *policy.Subject) { s.Kind = "" }, []string{"subject.kind", "subject.units"}},
		"unknown kind":                  {func(s *policy.Subject) { s.Kind = "holiday" }, []string{"subject.kind", "subject.units"}},
		"days that the policy asks for": {func(s *policy.Subject) { s.From, s.To = "", "" }, nil},
		"no such day":                   {func(s *policy.Subject) { s.To = "2026-02-30" }, []string{"subject.to"}},
		"ends before it begins":         {func(s *policy.Subject) { s.To = "2025-12-31" }, []string{"subject.to"}},
		"ten years":                     {func(s *policy.Subject) { s.To = "2036-01-01" }, []string{"subject.to"}},
		"no months":                     {func(s *policy.Subject) { s.Units = 0 }, []string{"subject.units"}},
		"ten years of months":           {func(s *policy.Subject) { s.Units = 121 }, []string{"subject.units"}},
		"two pre-job trainings":         {func(s *policy.Subject) { *s = policy.Subject{Kind: policy.ForPreJob, Units: 2} }, []string{"subject.units"}},
		"one pre-job training":          {func(s *policy.Subject) { *s = policy.Subject{Kind: policy.ForPreJob, Units: 1} }, nil},
		"no occupation code":            {func(s *policy.Subject) { s.Occupation = "电工" }, []string{"subject.occupation"}},
		"trade without occupation":      {func(s *policy.Subject) { s.Trade = "矿井维修电工" }, []string{"subject.trade"}},
		"no employer code":              {func(s *policy.Subject) { s.Employer = "12345" }, []string{"subject.employer"}},
		"identity as course":            {func(s *policy.Subject) { s.Course = invented.PersonAt(1).Document }, []string{"subject.course"}},
	} {
		q := goodRequest()
		q.Certificate, q.Subject = "", workMonths()
		c.spoil(&q.Subject)
		if got := faultsOf(t, name, q); !slices.Equal(got, c.fields) {
			t.Errorf("%s: fields %v, want %v", name, got, c.fields)
		}
	}
	q := goodRequest()
	q.Certificate, q.Policy, q.Subject = "", "", workMonths()
	if got := faultsOf(t, "no fund", q); got != nil {
		t.Errorf("a subject alone names its policy: %v", got)
	}
}

func TestExceptionsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*policy.Exception)
		fields []string
	}{
		"good":                    {func(*policy.Exception) {}, nil},
		"no rule":                 {func(x *policy.Exception) { x.Rule = "" }, []string{"exceptions[0].rule"}},
		"no document":             {func(x *policy.Exception) { x.Document = "" }, []string{"exceptions[0].document"}},
		"identity in document":    {func(x *policy.Exception) { x.Document = "批" + invented.PersonAt(1).Document }, []string{"exceptions[0].document"}},
		"no approver":             {func(x *policy.Exception) { x.Approver = "" }, []string{"exceptions[0].approver"}},
		"a person approves":       {func(x *policy.Exception) { x.Approver = "王建国" }, []string{"exceptions[0].approver"}},
		"a head approves":         {func(x *policy.Exception) { x.Approver = "王建国局长" }, []string{"exceptions[0].approver"}},
		"office in English":       {func(x *policy.Exception) { x.Approver = "Kunshan Human Resources Bureau" }, nil},
		"office with a bracket":   {func(x *policy.Exception) { x.Approver = "昆山市人社局（就业促进科）" }, nil},
		"no day":                  {func(x *policy.Exception) { x.On = "" }, []string{"exceptions[0].on"}},
		"identity as a reference": {func(x *policy.Exception) { x.Reference = invented.PersonAt(1).Document }, []string{"exceptions[0].reference"}},
	} {
		q, x := goodRequest(), approval()
		c.spoil(&x)
		q.Exceptions = []policy.Exception{x}
		if got := faultsOf(t, name, q); !slices.Equal(got, c.fields) {
			t.Errorf("%s: fields %v, want %v", name, got, c.fields)
		}
	}
	q := goodRequest()
	q.Exceptions = []policy.Exception{approval(), approval()}
	if got := faultsOf(t, "twice", q); !slices.Equal(got, []string{"exceptions[1].rule"}) {
		t.Errorf("one rule twice: %v", got)
	}
	q.Exceptions, q.Channel = slices.Repeat([]policy.Exception{approval()}, exceptionsMost+1), "pigeon"
	if got := faultsOf(t, "too many", q); !slices.Equal(got, []string{"channel", "exceptions"}) {
		t.Errorf("too many, by pigeon: %v", got)
	}
}

func TestRequestsKeepTheirDigest(t *testing.T) {
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
	// What a request of the first release was stored with.
	const first = "2b2c2f0e94693ee276b0497b1377c4e955b467a60240cf7cbc10e1d076e8f33a"
	plain := digest(func(*ClaimRequest) {})
	if got := hex.EncodeToString(plain); got != first {
		t.Errorf("the digest of an old request is %s, stored was %s", got, first)
	}
	if !bytes.Equal(digest(func(q *ClaimRequest) { q.Channel = policy.BySystem }), plain) {
		t.Error("by the system is what is meant when nothing is said")
	}
	two := approval()
	two.Rule = "system_only"
	both := digest(func(q *ClaimRequest) { q.Exceptions = []policy.Exception{two, approval()} })
	if !bytes.Equal(digest(func(q *ClaimRequest) { q.Exceptions = []policy.Exception{approval(), two} }), both) {
		t.Error("the order of exceptions makes another request")
	}
	seen := map[string]string{string(plain): "plain", string(both): "two exceptions"}
	for name, change := range map[string]func(*ClaimRequest){
		"applied":          func(q *ClaimRequest) { q.Applied = "2026-03-01" },
		"by file":          func(q *ClaimRequest) { q.Channel = policy.ByFile },
		"by hand":          func(q *ClaimRequest) { q.Channel = policy.ByHand },
		"exception":        func(q *ClaimRequest) { q.Exceptions = []policy.Exception{approval()} },
		"subject":          func(q *ClaimRequest) { q.Certificate, q.Subject = "", workMonths() },
		"subject and cert": func(q *ClaimRequest) { q.Subject = workMonths() },
		"other months": func(q *ClaimRequest) {
			q.Certificate, q.Subject = "", workMonths()
			q.Subject.From, q.Subject.Units = "2026-02-01", 1
		},
	} {
		d := string(digest(change))
		if other, same := seen[d]; same {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
	}
}

func TestDaysOfAClaim(t *testing.T) {
	for applied, ok := range map[standards.Date]bool{"": true, "2026-03-10": true, "2025-03-09": true, "2026-03-11": false, "2025-03-08": false} {
		q := goodRequest()
		q.Applied = applied
		parsed, err := q.parse(true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.appliedOn("2026-03-10"); (err == nil) != ok {
			t.Errorf("applied %q, received 2026-03-10: %v", applied, err)
		}
	}
}

// 苏人社发〔2018〕76号 三（三）1: pay linked to levels and the pilot recognised, as
// recorded when the certificate came.
func TestWhatWasRecognisedThen(t *testing.T) {
	received, now := claimDay, claimDay.Add(30*24*time.Hour)
	rec := func(from standards.Date, recorded time.Time, ended bool) evaluators.Recognition {
		return evaluators.Recognition{Kind: evaluators.PayLinked, From: from, Recorded: recorded, Ended: ended}
	}
	for name, c := range map[string]struct {
		have []evaluators.Recognition
		want policy.Known
	}{
		"never":                       {nil, policy.No},
		"recorded before":             {[]evaluators.Recognition{rec("2026-01-01", claimDay.Add(-time.Hour), false)}, policy.Yes},
		"from after the day of issue": {[]evaluators.Recognition{rec("2026-03-21", claimDay.Add(-time.Hour), false)}, policy.No},
		"recorded afterwards":         {[]evaluators.Recognition{rec("2026-01-01", claimDay.Add(time.Hour), false)}, ""},
		"withdrawn before": {[]evaluators.Recognition{rec("2026-01-01", claimDay.Add(-2*time.Hour), false),
			rec("2026-02-01", claimDay.Add(-time.Hour), true)}, policy.No},
		"withdrawn afterwards for then": {[]evaluators.Recognition{rec("2026-01-01", claimDay.Add(-2*time.Hour), false),
			rec("2026-02-01", claimDay.Add(time.Hour), true)}, policy.Yes},
	} {
		if got := recognisedThen(evaluators.Filing{Recognitions: c.have}, evaluators.PayLinked, "2026-03-20", received, now); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestWhoWasListedThen(t *testing.T) {
	exam := standards.Date("2026-03-10")
	entry := credit.Entry{Region: "320500", Occupations: []string{"6-31-01-03"}, From: "2026-01-01", Until: "2026-12-31", Recorded: exam.Time().Add(23 * time.Hour)}
	late, gone, goneLate, over := entry, entry, entry, entry
	late.Recorded = exam.AddDays(1).Time()
	gone.Removed = &credit.Withdrawal{On: "2026-03-01", At: exam.Time()}
	goneLate.Removed = &credit.Withdrawal{On: "2026-03-01", At: exam.AddDays(2).Time()}
	over.Until = "2026-03-09"
	for name, c := range map[string]struct {
		have []credit.Entry
		q    credit.ListQuery
		want policy.Known
	}{
		"on no list":              {nil, credit.ListQuery{}, policy.No},
		"recorded on the day":     {[]credit.Entry{entry}, credit.ListQuery{}, policy.Yes},
		"recorded the day after":  {[]credit.Entry{late}, credit.ListQuery{}, ""},
		"removed before":          {[]credit.Entry{gone}, credit.ListQuery{}, policy.No},
		"removed in retrospect":   {[]credit.Entry{goneLate}, credit.ListQuery{}, policy.Yes},
		"ended the day before":    {[]credit.Entry{over}, credit.ListQuery{}, policy.No},
		"for another occupation":  {[]credit.Entry{entry}, credit.ListQuery{Occupation: "4-10-01-05"}, policy.No},
		"work of a county below":  {[]credit.Entry{entry}, credit.ListQuery{Region: "320583"}, policy.Yes},
		"work of another's count": {[]credit.Entry{entry}, credit.ListQuery{Region: "320100"}, policy.No},
	} {
		c.q.On = exam
		if got := listedThen(c.have, c.q, exam.AddDays(60).Time()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// GB 11643: an identity number says when its holder was born and the sex; it is
// read only when the policy asks.
func TestWhatADocumentSays(t *testing.T) {
	id := standards.Document{Kind: standards.ResidentID, Number: "11010519491231002X"}
	if got := personOf(id, policy.Needs{Person: true}); got != (policy.Person{Born: "1949-12-31", Sex: policy.Female}) {
		t.Errorf("%s: %+v", id, got)
	}
	if got := personOf(id, policy.Needs{}); got != (policy.Person{}) {
		t.Errorf("nobody asks, and it says %+v", got)
	}
	if got := personOf(standards.Document{Kind: standards.Passport, Number: "E12345678"}, policy.Needs{Person: true}); got != (policy.Person{}) {
		t.Errorf("a passport says %+v", got)
	}
	if s := strings.TrimSpace(id.String()); strings.Contains(s, "1949") {
		t.Errorf("printed: %s", s)
	}
}

func faultFields(err error) []fail.Field {
	if err == nil {
		return nil
	}
	return fail.Of(err).Fields
}
