package registry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// sameEnv has people with certificates of several kinds, one of them under two
// documents, and a city's text whose end is not known under a province's that is in
// force. pools are what the rows of a file are made of.
func sameEnv(t *testing.T) (e *claimEnv, fund policy.Fund, requests []registry.ClaimRequest) {
	t.Helper()
	fund = policy.FundAppraisal
	facts := "[" + rule("pay", "fact: issuer_pay_linked, want: 'no'") + ", " + rule("listed", "fact: issuer_task_listed, want: 'no'") + ", " + rule("trained", "fact: trained, want: 'yes'") + "]"
	common := map[string]string{"facts": facts, "kinds": rule("kinds", "allowed: [skill_level, special_ability]"),
		"frequency": rule("often", "max: 1, per: natural_year, counter: own, funds: ["+string(fund)+"], in_principle: 'yes'")}
	province := map[string]string{"region": `"320000"`, "parent": `"000000"`}
	city := map[string]string{"effective": rule("in_force", endUnknown), "unknown": "[{field: effective.until, zh: 未载明, en: not said}]"}
	for k, v := range common {
		province[k], city[k] = v, v
	}
	e = newClaimEnv(t)
	e = e.withPolicies(trial(t, "trial-city", fund, city), trial(t, "trial-province", fund, province))

	var numbers []string
	var owners []int
	have := func(i int, ns ...string) {
		for _, n := range ns {
			numbers, owners = append(numbers, n), append(owners, i)
		}
	}
	for i := range 6 {
		have(i, e.issue(i, "6-31-01-03", []standards.Level{standards.Senior, standards.Intermediate}[i%2]).Number)
		have(i, e.holds(i, fourTrades[1:1+i%3]...)...)
	}
	in := elsewhere(4, policy.KindSpecialAbility, "2532053010600001")
	in.Place, in.Occupation, in.OccupationName, in.Level = "320583", "6-31-01-03", "", standards.Senior
	e.mustRegister(in)
	have(4, in.Number)
	e.mustMerge(1, 2)
	for i, n := range numbers[:7] { // some were claimed, here and elsewhere
		q := e.request(owners[i], n)
		q.Policy, q.Fund, q.Facts = "", fund, policy.Facts{policy.Trained: e.fact(policy.Yes)}
		by := e.kunshan
		if i%3 == 0 {
			by = e.other
		}
		if i%2 == 0 {
			e.mustReserve(by, q)
		}
	}

	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) bool { return rnd.IntN(n) == 0 }
	for row := range 400 {
		at := rnd.IntN(len(numbers))
		p := invented.PersonAt(owners[at])
		if pick(6) { // the other document of the same person, or somebody else
			p = invented.PersonAt([]int{1, 2, 900}[rnd.IntN(3)])
		}
		q := registry.ClaimRequest{Reference: fmt.Sprintf("row-%d", row), Certificate: numbers[at], Document: p.Document, Name: p.Name}
		if pick(8) {
			q.Name = invented.PersonAt(7).Name
		}
		if strings.HasPrefix(q.Certificate, "25320530") && !pick(4) || pick(6) {
			q.CertificateKind = []policy.Kind{policy.KindSpecialAbility, policy.KindSkillLevel, policy.KindQualification, "medal"}[rnd.IntN(4)]
		}
		if pick(3) {
			q.Received = e.today().AddDays(rnd.IntN(420) - 400)
		}
		if pick(4) {
			q.Applied = e.today().AddDays(rnd.IntN(40) - 38)
		}
		q.Facts = policy.Facts{}
		for _, k := range []policy.FactKind{policy.Trained, policy.IssuerPayLinked, policy.IssuerTaskListed, policy.PolicyInForce, policy.RightRestored} {
			if pick(2) {
				q.Facts[k] = policy.Fact{Value: []string{policy.Yes, policy.Yes, policy.No}[rnd.IntN(3)], Source: "昆山社保", At: e.Clock.Now(), Reference: "SB-9"}
			}
		}
		if pick(5) {
			q.Channel = []policy.Channel{policy.BySystem, policy.ByHand}[rnd.IntN(2)]
		}
		if pick(3) {
			q.Exceptions = []policy.Exception{{Rule: []string{"often", "often", "once"}[rnd.IntN(3)], Document: "昆人社批〔2026〕3号", Approver: "昆山市人力资源和社会保障局", On: e.today().AddDays(-3)}}
		}
		if pick(12) {
			q.Subject = policy.Subject{Kind: policy.ForPreJob, From: "2026-01-05", To: "2026-01-20"}
		}
		if pick(20) {
			q.Document = "32058319900101001X"
		}
		requests = append(requests, q)
	}
	return e, fund, requests
}

// plain is a text of JSON without what tells only when it was said.
func plain(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A row of a file is decided exactly as a single check with the same input, whatever
// a request may say: the outcome, every failing rule and missing fact, the amount,
// and what is to be confirmed.
func TestARowIsDecidedAsASingleCheck(t *testing.T) {
	e, fund, requests := sameEnv(t)
	seen := map[string]int{}
	for i, q := range requests { // one row each: rows of one person reckon with each other
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		lines, _, _, err := e.check(e.kunshan, append(b, '\n'), registry.ClaimBatchAsk{Fund: fund}, "")
		if err != nil {
			t.Fatalf("row %d: %v\n%s", i, err, b)
		}
		e.sameAsOne(q, fund, lines[0], seen)
	}
	for _, want := range []string{"allow", "deny", "hold", "invalid", "unconfirmed", "no_match", "excepted"} {
		if seen[want] < 3 {
			t.Errorf("%d rows are %s: the test proves nothing about them (%v)", seen[want], want, seen)
		}
	}
}

func (e *claimEnv) sameAsOne(q registry.ClaimRequest, fund policy.Fund, l registry.ClaimBatchLine, seen map[string]int) {
	t := e.T.(*testing.T)
	t.Helper()
	q.Fund = fund
	one, err := e.CheckClaim(ctx, e.kunshan, q)
	seen[string(l.Outcome)]++
	if err != nil {
		fields := fail.Of(err).Fields
		for i := range fields {
			fields[i].Row = l.Row
		}
		if l.Outcome != registry.BatchInvalid || len(fields) > 0 && plain(t, fields) != plain(t, l.Problems) {
			t.Errorf("%s: alone %v %+v, in a file %s %+v", q.Reference, err, fields, l.Outcome, l.Problems)
		}
		return
	}
	if len(one.Unconfirmed) > 0 {
		seen["unconfirmed"]++
	}
	if !one.Match {
		seen["no_match"]++
		one.Decision = &policy.Decision{}
	}
	if len(one.Decision.Excepted) > 0 {
		seen["excepted"]++
	}
	d := one.Decision
	if one.Outcome != policy.Allow {
		d.Amount = 0
	}
	type said struct {
		Outcome     string
		Reasons     []policy.Reason
		Amount      policy.Fen
		Policy      string
		Version     int
		Failing     []policy.Failure
		Missing     []policy.Missing
		Note        *policy.Text
		Unconfirmed []registry.UnconfirmedPolicy
	}
	alone := said{string(one.Outcome), one.Reasons, d.Amount, d.Policy, d.Version, append([]policy.Failure{}, d.Failing...), append([]policy.Missing{}, d.Missing...), one.Note, one.Unconfirmed}
	row := said{string(l.Outcome), l.Reasons, l.Amount, l.Policy, l.Version, append([]policy.Failure{}, l.Failing...), append([]policy.Missing{}, l.Missing...), l.Note, l.Unconfirmed}
	if a, b := plain(t, alone), plain(t, row); a != b {
		t.Errorf("%s\nalone     %s\nin a file %s", q.Reference, a, b)
	}
}

// The decisions themselves are the same to the byte, those of a whole file gathered
// at once and those made one by one.
func TestAFileIsDecidedToTheSameBytes(t *testing.T) {
	e, fund, requests := sameEnv(t)
	var file strings.Builder
	for _, q := range requests {
		b, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(append(b, '\n'))
	}
	n, differ, err := e.DecideBoth(ctx, e.kunshan, []byte(file.String()), registry.ClaimBatchAsk{Fund: fund})
	if err != nil || n < 100 || len(differ) > 0 {
		t.Errorf("%d rows, %v\n%s", n, err, strings.Join(differ, "\n"))
	}
}

// A table has a column for the kind of certificate 证书种类, by code or by name, and
// one for the day of application 申请日期.
func TestATableNamesTheKindOfCertificates(t *testing.T) {
	e, fund, _ := sameEnv(t)
	p := invented.PersonAt(4)
	q := registry.ClaimRequest{Reference: "K", Certificate: "2532053010600001", Document: p.Document, Name: p.Name, CertificateKind: policy.KindSpecialAbility,
		Received: e.today(), Applied: e.today().AddDays(-2),
		Facts: policy.Facts{policy.Trained: {Value: policy.Yes, Source: "昆山社保", At: time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC), Reference: "SB-9"}}}
	seen := map[string]int{}
	for _, kind := range []string{"special_ability", "专项职业能力证书", " 专项职业能力证书"} {
		file := "流水号,证书编号,证书种类,证件号码,姓名,受理日期,申请日期,trained\nK," + q.Certificate + "," + kind + "," + p.Document + "," + p.Name + "," + string(q.Received) + "," + string(q.Applied) + ",是\n"
		ask := registry.ClaimBatchAsk{Fund: fund, Source: "昆山社保", At: time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC), Reference: "SB-9"}
		for form, data := range map[string][]byte{"csv": []byte(file)} {
			lines, _, _, err := e.check(e.kunshan, data, ask, "")
			if err != nil {
				t.Fatalf("%s: %v", form, err)
			}
			e.sameAsOne(q, fund, lines[0], seen)
			if lines[0].Outcome == registry.BatchInvalid || len(lines[0].Reasons) > 0 && lines[0].Reasons[0] == registry.NoMatch {
				t.Errorf("%s, %q: %+v", form, kind, lines[0])
			}
		}
	}
	file := "证书编号,certificate_kind,证件号码,姓名\n" + q.Certificate + ",奖状," + p.Document + "," + p.Name + "\n"
	lines, _, _, err := e.check(e.kunshan, []byte(file), registry.ClaimBatchAsk{Fund: fund}, "")
	if err != nil || lines[0].Outcome != registry.BatchInvalid || lines[0].Problems[len(lines[0].Problems)-1].Name != "certificate_kind" {
		t.Errorf("a kind that is none: %+v, %v", lines, err)
	}
}
