package policy

import (
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bajigong/standards"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// cases: each makes one rule of testdata/full.yaml fail, or one thing missing,
// and nothing else.
var cases = []struct {
	name    string
	change  func(*Input)
	rule    string
	reason  Reason
	outcome Outcome
	detail  string // part of the Chinese detail or request
}{
	{"too early", func(in *Input) {
		in.Received, in.Certificate.Issued = "2025-12-31", "2025-12-01"
	}, "in_force", NotInForce, Deny, "受理日期2025年12月31日，政策自2026年1月1日起执行"},
	{"too late", func(in *Input) { in.Received = "2027-01-01" }, "in_force", NotInForce, Deny, "政策执行至2026年12月31日"},
	{"voided", func(in *Input) { in.Certificate.State = CertificateVoided }, "certificate", CertificateNotGood, Deny, "证书已撤销，自始无效"},
	{"cancelled", func(in *Input) { in.Certificate.State = CertificateCancelled }, "certificate", CertificateNotGood, Deny, "证书已注销"},
	{"superseded", func(in *Input) { in.Certificate.State = CertificateSuperseded }, "certificate", CertificateNotGood, Deny, "请以新版本为准"},
	{"expired", func(in *Input) { in.Certificate.State = CertificateExpired }, "certificate", CertificateNotGood, Deny, "已过有效期"},
	{"suspended", func(in *Input) { in.Certificate.State = CertificateSuspended }, "certificate", CertificatePending, Hold, "核查中，暂停使用；请待"},
	{"unpublished", func(in *Input) { in.Certificate.State = CertificateUnpublished }, "certificate", CertificatePending, Hold, "尚未公开"},
	{"not in the national query", func(in *Input) { in.Certificate.State = CertificateNotQueryable }, "certificate", CertificatePending, Hold, "全国查询尚未更新；请待"},
	{"no state", func(in *Input) { in.Certificate.State = "" }, "certificate", CertificateLacks, Hold, "请补充证书的当前状态"},
	{"strange state", func(in *Input) { in.Certificate.State = "ok" }, "certificate", CertificateLacks, Hold, "当前状态"},
	{"not entitled", func(in *Input) { in.Certificate.Entitled = NotEntitled }, "certificate", IssuerNotEntitled, Deny, "未备案本职业"},
	{"entitlement not known", func(in *Input) { in.Certificate.Entitled = NotAsserted }, "certificate", CertificateLacks, Hold, "发证机构资格"},
	{"from the future", func(in *Input) { in.Certificate.Issued = "2026-03-06" }, "certificate", IssuedAfterReceipt, Deny, "晚于受理日期"},
	{"no date of issue", func(in *Input) { in.Certificate.Issued = "" }, "certificate", CertificateLacks, Hold, "发证日期"},
	{"bad date of issue", func(in *Input) { in.Certificate.Issued = "2026-02-30" }, "certificate", CertificateLacks, Hold, "发证日期"},
	{"other kind", func(in *Input) { in.Certificate.Kind = KindTrainingCompletion }, "kinds", KindNotCovered, Deny, "培训合格证书"},
	{"no kind", func(in *Input) { in.Certificate.Kind = "" }, "kinds", CertificateLacks, Hold, "种类"},
	{"excluded mode", func(in *Input) { in.Certificate.Mode = ModeDirectRecognition }, "modes", ModeNotCovered, Deny, "直接认定"},
	{"no mode", func(in *Input) { in.Certificate.Mode = "" }, "modes", CertificateLacks, Hold, "取得方式"},
	{"other class", func(in *Input) { in.Certificate.InstitutionClass = "Y" }, "institutions", InstitutionNotCovered, Deny, "类别为 Y"},
	{"no class", func(in *Input) { in.Certificate.InstitutionClass = "" }, "institutions", CertificateLacks, Hold, "评价机构类别"},
	{"other place", func(in *Input) {
		in.Certificate.Kind, in.Certificate.Place = KindSpecialAbility, "320100"
	}, "place", PlaceNotCovered, Deny, "320100"},
	{"no place", func(in *Input) {
		in.Certificate.Kind, in.Certificate.Place = KindSpecialAbility, ""
	}, "place", CertificateLacks, Hold, "取得地"},
	{"after the window", func(in *Input) { in.Certificate.Issued = "2025-03-04" }, "window", OutsideWindow, Deny, "最迟应于2026年3月4日受理"},
	{"not insured", func(in *Input) { in.Facts[Insured] = stated(No) }, "insured", FactNotMet, Deny, "参保状态：否（来源：苏州市社保中心）"},
	{"insurance not known", func(in *Input) { delete(in.Facts, Insured) }, "insured", FactMissing, Hold, "请补充：参保状态"},
	{"no source", func(in *Input) { in.Facts[Insured] = Fact{Value: Yes, At: in.Now, Reference: "1"} }, "insured", FactUnusable, Hold, "缺少来源"},
	{"no reference", func(in *Input) { in.Facts[Insured] = Fact{Value: Yes, At: in.Now, Source: "1"} }, "insured", FactUnusable, Hold, "缺少凭据编号"},
	{"no time", func(in *Input) { in.Facts[Insured] = Fact{Value: Yes, Source: "1", Reference: "1"} }, "insured", FactUnusable, Hold, "缺少时间"},
	{"stated tomorrow", func(in *Input) {
		in.Facts[Insured] = Fact{Value: Yes, Source: "1", Reference: "1", At: at("2026-03-06")}
	}, "insured", FactUnusable, Hold, "晚于今天"},
	{"not yes or no", func(in *Input) { in.Facts[Insured] = stated("是") }, "insured", FactUnusable, Hold, "应为 yes 或 no"},
	{"pension", func(in *Input) { in.Facts[PensionEligible] = stated(Yes) }, "pension", FactNotMet, Deny, "养老金资格：是"},
	{"pension not known", func(in *Input) { delete(in.Facts, PensionEligible) }, "pension", FactMissing, Hold, "养老金"},
	{"too few months", func(in *Input) { in.Facts[InsuredMonths] = stated("11") }, "months", FactNotMet, Deny, "11，要求至少 12"},
	{"months not a number", func(in *Input) { in.Facts[InsuredMonths] = stated("12.5") }, "months", FactUnusable, Hold, "月数"},
	{"no amount", func(in *Input) { in.Certificate.Level = standards.Technician }, "amounts", NoAmount, Deny, "技师无补贴标准"},
	{"no level", func(in *Input) { in.Certificate.Level = 0 }, "amounts", CertificateLacks, Hold, "等级"},
	{"no occupation", func(in *Input) { in.Certificate.Occupation = "" }, "once", CertificateLacks, Hold, "职业编码"},
	{"no number", func(in *Input) { in.Certificate.Number = "" }, "reuse", CertificateLacks, Hold, "证书编号"},
	{"once", func(in *Input) {
		c := claimLike(*in)
		c.Certificate = "S000032058300263000999"
		in.Claims = []PastClaim{c}
	}, "once", OnceTaken, Deny, "同一职业、同一等级、同一工种已有申领：2026年2月21日 其他补贴经办机构"},
	{"same certificate", func(in *Input) {
		c := claimLike(*in)
		c.Level, c.Occupation, c.Fund, c.Certificate = standards.Junior, "4-10-01-05", FundAdvancedStudy, "s0000 320583 00263000001"
		in.Claims = []PastClaim{c}
	}, "reuse", CertificateUsed, Deny, "同一证书已有申领"},
	{"other fund", func(in *Input) {
		c := claimLike(*in)
		c.Level, c.Fund, c.Certificate = standards.Junior, FundTraining, "X"
		in.Claims = []PastClaim{c}
	}, "training", FundExcluded, Deny, "同一职业已有申领"},
	{"higher paid", func(in *Input) {
		c := claimLike(*in)
		c.Level, c.Trade, c.Certificate = standards.Technician, "02", "X"
		in.Claims = []PastClaim{c}
	}, "higher", HigherPaidReason, Deny, "更高等级已有申领"},
	{"higher held", func(in *Input) {
		c := in.Certificate
		c.Number, c.Level = "X", standards.Technician
		in.Others = []Certificate{c}
	}, "higher", HigherHeldReason, Deny, "更高等级（技师）"},
	{"higher under review", func(in *Input) {
		c := in.Certificate
		c.Number, c.Level, c.State = "X", standards.Technician, CertificateSuspended
		in.Others = []Certificate{c}
	}, "higher", CertificatePending, Hold, "核查中"},
	{"twice this year", func(in *Input) {
		a, b := claimLike(*in), claimLike(*in)
		a.Occupation, a.Certificate, b.Occupation, b.Certificate, b.ID, b.Fund = "1", "A", "2", "B", "claim-2", FundAppraisal
		in.Claims = []PastClaim{a, b}
	}, "frequency", FrequencyReached, Deny, "2026 年已计 2 次，上限 2 次"},
}

func TestEachRuleAlone(t *testing.T) {
	p := mustFull(t)
	if d := p.Evaluate(goodInput()); d.Outcome != Allow || d.Amount != 200050 {
		t.Fatalf("the good input must pass: %+v", d)
	}
	covered := map[string]bool{"refund": true, "scarce": true} // tested on their own below
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := goodInput()
			c.change(&in)
			d := p.Evaluate(in)
			covered[c.rule] = true
			if d.Outcome != c.outcome {
				t.Fatalf("outcome %s, want %s: %+v", d.Outcome, c.outcome, d)
			}
			if len(d.Failing)+len(d.Missing) != 1 {
				t.Fatalf("want exactly one thing wrong, got %+v %+v", d.Failing, d.Missing)
			}
			var rule, clause, said string
			var reason Reason
			if c.outcome == Deny {
				f := d.Failing[0]
				rule, clause, said, reason = f.Rule, f.Clause, f.Detail.ZH, f.Reason
				if d.Amount != 0 || len(d.Calculation) != 0 {
					t.Errorf("a refused claim has no amount: %+v", d)
				}
				if f.ZH == "" || f.EN == "" || f.Detail.EN == "" || strings.Contains(f.Detail.ZH+f.Detail.EN, "%!") {
					t.Errorf("sentences missing or broken: %+v", f)
				}
				if f.InPrinciple != (rule == "frequency") {
					t.Errorf("in_principle is %v", f.InPrinciple)
				}
			} else {
				m := d.Missing[0]
				rule, clause, said, reason = m.Rule, m.Clause, m.ZH, m.Reason
				if m.EN == "" || strings.Contains(m.ZH+m.EN, "%!") {
					t.Errorf("sentences missing or broken: %+v", m)
				}
			}
			if rule != c.rule || reason != c.reason || !strings.Contains(said, c.detail) {
				t.Errorf("got %s %s %q, want %s %s %q", rule, reason, said, c.rule, c.reason, c.detail)
			}
			for _, r := range p.Rules() {
				if r.ID == rule && r.Clause != clause {
					t.Errorf("clause %q, want %q", clause, r.Clause)
				}
			}
		})
	}
	for _, r := range p.Rules() {
		if !covered[r.ID] {
			t.Errorf("rule %s fails in no case", r.ID)
		}
	}
}

// badInput breaks every rule of testdata/full.yaml that can fail together.
func badInput() Input {
	in := goodInput()
	in.Received = "2027-03-01"
	in.Certificate.Kind, in.Certificate.Place, in.Certificate.Mode, in.Certificate.InstitutionClass = KindSpecialAbility, "110000", ModeAward, "Y"
	in.Certificate.State, in.Certificate.Entitled = CertificateVoided, NotEntitled
	in.Certificate.Level = standards.Intermediate
	in.Facts = Facts{Insured: stated(No), PensionEligible: stated(Yes), InsuredMonths: stated("0")}
	own, study, higher := claimLike(in), claimLike(in), claimLike(in)
	own.Payer, own.ID = "payer-a", "claim-own"
	study.ID, study.Fund = "claim-2", FundApprenticeship
	higher.ID, higher.Level, higher.Certificate = "claim-3", standards.Senior, "Z"
	for i, c := range []*PastClaim{&own, &study, &higher} {
		c.Year, c.At = 2027, at("2027-01-10").AddDate(0, 0, i)
	}
	in.Now, in.Claims = at("2027-03-01"), []PastClaim{own, study, higher}
	other := in.Certificate
	other.Number, other.Level, other.State = "Y", standards.Technician, CertificateValid
	in.Others = []Certificate{other}
	return in
}

func TestAllRulesTogether(t *testing.T) {
	var got []string
	for _, f := range decide(mustFull(t), badInput()).Failing {
		got = append(got, f.Rule+" "+string(f.Reason))
	}
	want := []string{
		"in_force policy_not_in_force", "certificate certificate_not_valid", "certificate issuer_not_entitled",
		"modes acquisition_mode_not_covered", "institutions institution_class_not_covered", "place place_not_covered", "window outside_window",
		"insured fact_not_met", "pension fact_not_met", "months fact_not_met", "amounts no_amount_for_level",
		"once already_claimed", "reuse certificate_already_used", "training other_subsidy_excludes",
		"higher higher_level_claimed", "higher higher_level_held", "frequency frequency_reached",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWhatIsMissingIsListedBesideWhatFails(t *testing.T) {
	in := badInput()
	in.Facts = nil
	d := decide(mustFull(t), in)
	if d.Outcome != Deny || len(d.Missing) != 3 || len(d.Failing) != 14 {
		t.Errorf("%s, %d missing, %d failing", d.Outcome, len(d.Missing), len(d.Failing))
	}
}

func TestOtherPayersStayUnnamed(t *testing.T) {
	in := badInput()
	for i := range in.Claims {
		if in.Claims[i].ID != "claim-own" {
			in.Claims[i].Payer, in.Claims[i].ID, in.Claims[i].Certificate = "secret-payer", "secret-claim", "S999932058300263000001"
		}
	}
	in.Others[0].Number = "secret-number"
	b, err := json.Marshal(decide(mustFull(t), in))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"secret", "S9999", "payer-a"} {
		if strings.Contains(string(b), s) {
			t.Errorf("the answer contains %q: %s", s, b)
		}
	}
	if !strings.Contains(string(b), `"claim":"claim-own","state":"confirmed"`) {
		t.Errorf("the asking payer must see its own claim: %s", b)
	}
	in.Payer = ""
	for i := range in.Claims {
		in.Claims[i].Payer = ""
	}
	for _, f := range decide(mustFull(t), in).Failing {
		if slices.ContainsFunc(f.Blocks, func(b Block) bool { return b.Own }) {
			t.Error("claims without payer belong to nobody")
		}
	}
}

func TestStatesThatCount(t *testing.T) {
	now := at("2026-03-05")
	for _, c := range []struct {
		state   State
		expires time.Time
		counts  bool
	}{
		{Reserved, now.Add(time.Second), true}, {Reserved, time.Time{}, true}, {Reserved, now, false}, {Reserved, now.Add(-time.Hour), false},
		{Confirmed, now.Add(-time.Hour), true}, {Released, time.Time{}, false}, {Expired, time.Time{}, false},
		{Duplicate, time.Time{}, true}, {None, time.Time{}, false},
	} {
		in := goodInput()
		p := claimLike(in)
		p.State, p.Expires = c.state, c.expires
		in.Claims = []PastClaim{p}
		d := decide(mustPolicy(t, "sample-2026"), in)
		if (d.Outcome == Deny) != c.counts {
			t.Errorf("%s until %v: %s", c.state, c.expires, d.Outcome)
		}
	}
}

func TestRefund(t *testing.T) {
	in := goodInput()
	c := claimLike(in)
	c.State = Refunded
	in.Claims = []PastClaim{c}
	if d := decide(mustPolicy(t, "sample-2026"), in); d.Outcome != Allow {
		t.Errorf("restoring: %+v", d)
	}
	if d := decide(mustFull(t), in); d.Outcome != Deny || len(d.Failing) != 2 {
		t.Errorf("not restoring: %+v", d)
	}
	// Kunshan's text is silent: ask.
	k := mustKunshan(t)
	in.Now = at("2021-06-01")
	in.Certificate.Issued = "2021-05-01"
	for k, f := range in.Facts {
		f.At = at("2021-05-30")
		in.Facts[k] = f
	}
	d := k.Evaluate(in)
	if d.Outcome != Hold || len(d.Missing) != 1 || d.Missing[0].Fact != string(RightRestored) {
		t.Fatalf("unknown: %+v", d)
	}
	restored := func(v string) Decision {
		f := in.Facts[Insured]
		f.Value = v
		in.Facts[RightRestored] = f
		return k.Evaluate(in)
	}
	if d := restored(Yes); d.Outcome != Allow {
		t.Errorf("restored: %+v", d)
	}
	if d := restored(No); d.Outcome != Deny || d.Failing[0].Reason != OnceTaken {
		t.Errorf("not restored: %+v", d)
	}
}

func TestAmounts(t *testing.T) {
	sample := mustPolicy(t, "sample-2026")
	for _, c := range []struct {
		level         standards.Level
		plain, scarce Fen
		said          string
	}{
		{standards.Junior, 100000, 130000, "基础 1000 元 × (1+30%) = 1300 元"},
		{standards.Intermediate, 150000, 195000, "基础 1500 元 × (1+30%) = 1950 元"},
		{standards.Senior, 200000, 260000, "基础 2000 元 × (1+30%) = 2600 元"},
		{standards.Technician, 350000, 455000, "基础 3500 元 × (1+30%) = 4550 元"},
		{standards.SeniorTechnician, 450000, 585000, "基础 4500 元 × (1+30%) = 5850 元"},
	} {
		in := goodInput()
		in.Certificate.Level = c.level
		if d := sample.Evaluate(in); d.Amount != c.plain || len(d.Calculation) != 1 {
			t.Errorf("%s: %s %v", c.level, d.Amount, d.Calculation)
		}
		in.Certificate.Occupation = "6-31-01-03"
		if d := sample.Evaluate(in); d.Amount != c.scarce || d.Calculation[1].ZH != c.said {
			t.Errorf("%s scarce: %s %v", c.level, d.Amount, d.Calculation)
		}
	}
	for _, l := range []standards.Level{standards.Apprentice, standards.SpecialTechnician, standards.ChiefTechnician} {
		in := goodInput()
		in.Certificate.Level = l
		if d := sample.Evaluate(in); d.Outcome != Deny || d.Failing[0].Reason != NoAmount {
			t.Errorf("%s: %+v", l, d)
		}
	}
}

func TestScarceListIsDatedAndMayNameTrades(t *testing.T) {
	p := mustFull(t)
	for _, c := range []struct {
		received          standards.Date
		occupation, trade string
		want              Fen
	}{
		{"2026-03-31", "6-31-01-03", "", 200050}, {"2026-04-01", "6-31-01-03", "", 240060}, {"2026-06-30", "6-31-01-03", "09", 240060},
		{"2026-07-01", "6-31-01-03", "", 200050}, {"2026-05-01", "6-31-01-04", "", 200050},
		{"2026-05-01", "4-10-01-05", "01", 240060}, {"2026-05-01", "4-10-01-05", "--", 200050},
	} {
		in := goodInput()
		in.Received, in.Certificate.Occupation, in.Certificate.Trade = c.received, c.occupation, c.trade
		if d := p.Evaluate(in); d.Amount != c.want {
			t.Errorf("%v: %s", c, d.Amount)
		}
	}
}

func TestYearTurnsInShanghai(t *testing.T) {
	p := mustPolicy(t, "sample-2026")
	in := goodInput()
	for i, n := range []string{"A", "B", "C"} {
		c := claimLike(in)
		c.ID, c.Occupation, c.Certificate, c.Year = n, n, n, 0 // the year of At
		c.At = time.Date(2026, 3, 1+i, 0, 0, 0, 0, time.UTC)
		in.Claims = append(in.Claims, c)
	}
	in.Now = time.Date(2026, 12, 31, 15, 59, 59, 0, time.UTC)
	if d := p.Evaluate(in); d.Outcome != Deny || d.Year != 2026 || d.Failing[0].Reason != FrequencyReached {
		t.Errorf("still 2026: %+v", d)
	}
	in.Now = time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC)
	if d := p.Evaluate(in); d.Outcome != Allow || d.Year != 2027 || d.On != "2027-01-01" {
		t.Errorf("already 2027: %+v", d)
	}
	// A claim reserved at that moment counts in 2027.
	for i := range in.Claims {
		in.Claims[i].At = in.Now
	}
	if d := p.Evaluate(in); d.Outcome != Deny {
		t.Errorf("three in 2027: %+v", d)
	}
}

func TestWindowEndsOnTheSameDayOfTheMonth(t *testing.T) {
	for _, c := range []struct {
		issued standards.Date
		months int
		last   standards.Date
	}{
		{"2025-03-05", 12, "2026-03-05"}, {"2024-02-29", 12, "2025-02-28"}, {"2025-01-31", 1, "2025-02-28"},
		{"2025-08-31", 6, "2026-02-28"}, {"2025-12-31", 2, "2026-02-28"}, {"2025-11-30", 3, "2026-02-28"}, {"2023-11-30", 3, "2024-02-29"},
	} {
		if got := c.issued.AddMonths(c.months); got != c.last {
			t.Errorf("%s and %d months: %s, want %s", c.issued, c.months, got, c.last)
		}
	}
	in := goodInput()
	in.Certificate.Issued = "2025-03-05"
	if d := decide(mustFull(t), in); d.Outcome != Allow {
		t.Errorf("the last day belongs to the window: %+v", d.Failing)
	}
}

func TestGranularity(t *testing.T) {
	in := goodInput()
	in.Certificate.Trade = "01"
	c := claimLike(in)
	c.Trade, c.Certificate = "02", "X"
	in.Claims = []PastClaim{c}
	if d := decide(mustFull(t), in); d.Outcome != Allow || d.OnceKey != "uplift/occupation=2022:6-18-01-01/level=senior/trade=01" {
		t.Errorf("by trade: %+v", d)
	}
	p := mustPolicy(t, "sample-2026")
	if d := p.Evaluate(in); d.Outcome != Deny || d.OnceKey != "skill_uplift/occupation=2022:6-18-01-01/level=senior" {
		t.Errorf("by occupation and level: %+v", d)
	}
	p.Once.Same = []Sameness{SameOccupation}
	in.Claims[0].Level = standards.Junior
	if d := p.Evaluate(in); d.Outcome != Deny || d.OnceKey != "skill_uplift/occupation=2022:6-18-01-01" {
		t.Errorf("by occupation: %+v", d)
	}
	// No trade is written "--" on paper.
	in.Certificate.Trade, in.Claims[0].Trade, in.Claims[0].Level = "--", "", standards.Senior
	if d := decide(mustFull(t), in); d.Outcome != Deny {
		t.Errorf("-- is no trade: %+v", d)
	}
}

func TestHigherExcludesLower(t *testing.T) {
	p := mustFull(t)
	in := goodInput()
	in.Certificate.Level = standards.Junior
	higher := in.Certificate
	higher.Number, higher.Level = "X", standards.Senior
	in.Others = []Certificate{higher}
	if d := p.Evaluate(in); d.Outcome != Deny {
		t.Errorf("held: %+v", d)
	}
	p.Higher.By = HigherPaid
	if d := p.Evaluate(in); d.Outcome != Allow {
		t.Errorf("holding alone does not bar where only paid claims do: %+v", d.Failing)
	}
	p.Higher.By = HigherHeld
	for name, change := range map[string]func(*Certificate){
		"voided":           func(c *Certificate) { c.State = CertificateVoided },
		"other occupation": func(c *Certificate) { c.Occupation = "4-10-01-05" },
		"lower":            func(c *Certificate) { c.Level = standards.Junior },
		"kind not covered": func(c *Certificate) { c.Kind = KindTrainingCompletion },
		"the same one":     func(c *Certificate) { c.Number = in.Certificate.Number },
	} {
		o := higher
		change(&o)
		in.Others = []Certificate{o}
		if d := p.Evaluate(in); d.Outcome != Allow {
			t.Errorf("%s must not bar: %+v", name, d.Failing)
		}
	}
	// Lower first, then higher: both are paid.
	in = goodInput()
	c := claimLike(in)
	c.Level, c.Certificate = standards.Junior, "X"
	in.Claims = []PastClaim{c}
	if d := p.Evaluate(in); d.Outcome != Allow {
		t.Errorf("lower first: %+v", d.Failing)
	}
}

func TestFrequencyOverALife(t *testing.T) {
	p := mustFull(t)
	p.Frequency.Per = PerLifetime
	in := goodInput()
	for _, n := range []string{"A", "B"} {
		c := claimLike(in)
		c.ID, c.Occupation, c.Certificate, c.Year = n, n, n, 2019
		in.Claims = append(in.Claims, c)
	}
	if d := p.Evaluate(in); d.Outcome != Deny || d.Failing[0].Reason != FrequencyReached {
		t.Errorf("%+v", d)
	}
	p.Frequency.Per = PerNaturalYear
	if d := p.Evaluate(in); d.Outcome != Allow {
		t.Errorf("other years do not count: %+v", d.Failing)
	}
	in.Claims[0].Fund, in.Claims[0].Year, in.Claims[1].Year = FundPreJob, 2026, 2026
	if d := p.Evaluate(in); d.Outcome != Allow {
		t.Errorf("funds outside the counter do not count: %+v", d.Failing)
	}
}

func TestDecidedByDateOfIssue(t *testing.T) {
	p := mustFull(t)
	p.DecidedBy = ByIssue
	in := goodInput()
	in.Received, in.Certificate.Issued = "2027-01-10", "2026-12-30"
	if d := p.Evaluate(in); d.Outcome != Allow || d.On != "2026-12-30" || d.Year != 2027 {
		t.Errorf("%+v", d)
	}
	in.Certificate.Issued = "2025-12-30"
	if d := p.Evaluate(in); d.Outcome != Deny || d.Failing[0].Reason != NotInForce || !strings.HasPrefix(d.Failing[0].Detail.ZH, "发证日期") {
		t.Errorf("%+v", d)
	}
	in.Certificate.Issued = ""
	if d := p.Evaluate(in); d.Outcome != Hold || len(d.Missing) != 1 || d.Missing[0].Fact != "certificate.issued" {
		t.Errorf("%+v", d)
	}
}

func TestCertificatesFromElsewhere(t *testing.T) {
	in := goodInput()
	in.Certificate.Origin, in.Certificate.Entitled = OriginElsewhere, NotAsserted
	if d := decide(mustFull(t), in); d.Outcome != Allow {
		t.Errorf("entitlement is not asserted for certificates from elsewhere: %+v", d)
	}
	in.Certificate.Entitled = NotEntitled
	if d := decide(mustFull(t), in); d.Outcome != Deny {
		t.Errorf("but known lack of it refuses: %+v", d)
	}
}

func TestKunshanAsksWhatItsTextDoesNotSay(t *testing.T) {
	p := mustKunshan(t)
	in := goodInput()
	in.Facts = nil
	d := p.Evaluate(in)
	var facts []string
	for _, m := range d.Missing {
		facts = append(facts, m.Fact)
	}
	if d.Outcome != Hold || !slices.Equal(facts, []string{"policy_in_force", "insured", "employed", "scarce_listed"}) {
		t.Errorf("in 2026: %s %v", d.Outcome, facts)
	}
	if d.Amount != 0 || len(d.Calculation) != 1 {
		t.Errorf("the amount depends on the missing list: %s %v", d.Amount, d.Calculation)
	}
	in = goodInput()
	in.Facts[PolicyInForce], in.Facts[ScarceListed] = stated(Yes), stated(Yes)
	if d := p.Evaluate(in); d.Outcome != Allow || d.Amount != 260000 || len(d.Unknown) != len(p.Unknown) {
		t.Errorf("confirmed: %+v", d)
	}
	in.Facts[PolicyInForce] = stated(No)
	if d := p.Evaluate(in); d.Outcome != Deny || d.Failing[0].Reason != NotInForce {
		t.Errorf("no longer in force: %+v", d)
	}
	// The enterprise was paid for the same training.
	in = goodInput()
	in.Facts[PolicyInForce] = stated(Yes)
	c := claimLike(in)
	c.Fund, c.Certificate = FundEnterpriseDirect, ""
	in.Claims = []PastClaim{c}
	var rules []string
	for _, f := range p.Evaluate(in).Failing {
		rules = append(rules, f.Rule)
	}
	if !slices.Equal(rules, []string{"once", "enterprise_direct"}) {
		t.Errorf("enterprise paid directly: %v", rules)
	}
	// Other certificates are refused for their kind and, from outside, their place.
	in = goodInput()
	in.Facts[PolicyInForce] = stated(Yes)
	in.Certificate.Kind, in.Certificate.Place = KindSpecialOperation, "320500"
	rules = nil
	for _, f := range p.Evaluate(in).Failing {
		rules = append(rules, f.Rule)
	}
	if !slices.Equal(rules, []string{"kinds", "place"}) {
		t.Errorf("special operation licence: %v", rules)
	}
}

func TestAnswerDoesNotDependOnOrder(t *testing.T) {
	p := mustFull(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		in := badInput()
		for range rnd.IntN(6) {
			c := in.Claims[rnd.IntN(3)]
			c.ID += string(rune('a' + rnd.IntN(26)))
			c.State = States()[rnd.IntN(len(States()))]
			c.At = c.At.Add(time.Duration(rnd.IntN(3)) * 24 * time.Hour)
			in.Claims = append(in.Claims, c)
			o := in.Others[0]
			o.Number += string(rune('a' + rnd.IntN(26)))
			o.Level = standards.Levels()[rnd.IntN(8)]
			in.Others = append(in.Others, o)
		}
		// Equal ids would leave nothing to order by.
		slices.SortFunc(in.Claims, func(a, b PastClaim) int { return strings.Compare(a.ID, b.ID) })
		in.Claims = slices.CompactFunc(in.Claims, func(a, b PastClaim) bool { return a.ID == b.ID })
		want := p.Evaluate(in)
		claims, others := slices.Clone(in.Claims), slices.Clone(in.Others)
		rnd.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		rnd.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		shuffled := in
		shuffled.Claims, shuffled.Others = claims, others
		before := slices.Clone(claims)
		if got := p.Evaluate(shuffled); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
		if !reflect.DeepEqual(before, claims) {
			t.Fatal("Evaluate changed its input")
		}
	}
}

// TestRandomHistories lets people reserve, pay, release, refund and report late
// at random and holds the two promises: never more than three a natural year and
// never the same occupation and level twice, among claims that were allowed.
func TestRandomHistories(t *testing.T) {
	p := mustPolicy(t, "sample-2026")
	occupations := []string{"6-18-01-01", "6-31-01-03", "4-10-01-05"}
	allowed, refused, late, twice := 0, 0, 0, 0
	for seed := range uint64(150) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		now := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC)
		var claims []PastClaim
		for step := range 80 {
			now = now.Add(time.Duration(rnd.IntN(60)) * time.Hour)
			in := goodInput()
			in.Now, in.Claims = now, claims
			in.Facts = Facts{Insured: stated(Yes)}
			in.Certificate.Occupation = occupations[rnd.IntN(len(occupations))]
			in.Certificate.Level = standards.ExaminedLevels()[rnd.IntN(5)]
			in.Certificate.Number = in.Certificate.Occupation + in.Certificate.Level.Code()
			switch rnd.IntN(4) {
			case 0, 1:
				d := p.Evaluate(in)
				if d.Outcome != Allow {
					refused++
					break
				}
				allowed++
				state, err := Move(None, Reserve)
				if err != nil {
					t.Fatal(err)
				}
				c := in.Certificate
				claims = append(claims, PastClaim{ID: string(rune('A' + step)), Payer: "p", Fund: FundSkillUplift, Policy: d.Policy, Occupation: c.Occupation,
					Level: c.Level, Certificate: c.Number, State: state, At: now, Expires: now.Add(100 * time.Hour), Year: d.Year})
			default:
				if len(claims) == 0 {
					break
				}
				i := rnd.IntN(len(claims))
				c := &claims[i]
				state := StateAt(c.State, c.Expires, now)
				event := []Event{Confirm, Release, Refund}[rnd.IntN(3)]
				if event == Confirm && state != Confirmed {
					about := in
					about.Received = standards.DateOf(c.At)
					about.Claims = slices.Delete(slices.Clone(claims), i, i+1)
					about.Certificate.Occupation, about.Certificate.Level, about.Certificate.Number = c.Occupation, c.Level, c.Certificate
					event = Payment(state, p.Taken(about))
				}
				to, err := Move(state, event)
				if err != nil {
					break
				}
				switch event {
				case LatePayment:
					late++
				case LatePaymentTooLate:
					twice++
				}
				c.State = to
			}
			year, once := map[int]int{}, map[string]bool{}
			for _, c := range claims {
				if s := StateAt(c.State, c.Expires, now); s != Reserved && s != Confirmed {
					continue
				}
				year[c.Year]++
				key := c.Occupation + c.Level.Code()
				if year[c.Year] > 3 || once[key] {
					t.Fatalf("seed %d step %d: %d in %d, %s twice: %v; %+v", seed, step, year[c.Year], c.Year, key, once[key], claims)
				}
				once[key] = true
			}
		}
	}
	if allowed < 500 || refused < 500 || late < 50 || twice < 50 {
		t.Errorf("the histories are too tame: %d allowed, %d refused, %d late, %d twice", allowed, refused, late, twice)
	}
}

func TestGoldenDecisions(t *testing.T) {
	scarce := goodInput()
	scarce.Certificate.Occupation = "6-31-01-03"
	missing := goodInput()
	missing.Facts = nil
	for name, d := range map[string]Decision{
		"sample-allow": decide(mustPolicy(t, "sample-2026"), scarce),
		"sample-hold":  decide(mustPolicy(t, "sample-2026"), missing),
		"kunshan-hold": decide(mustKunshan(t), missing),
		"full-deny":    decide(mustFull(t), badInput()),
	} {
		d.Digest = "digest of the file" // it changes with every comment there
		got, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		file := filepath.Join("testdata", name+".golden.json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs (run with -update and read the difference):\n%s", file, got)
		}
		var back Decision
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, d) {
			t.Errorf("%s does not survive JSON: %v", name, err)
		}
	}
}

func TestFactsValidate(t *testing.T) {
	if err := goodInput().Facts.Validate(); err != nil {
		t.Error(err)
	}
	err := Facts{"married": stated(Yes), InsuredMonths: stated("a year"), Insured: stated(Yes)}.Validate()
	if err == nil || !strings.Contains(err.Error(), "2 of the facts") {
		t.Errorf("got %v", err)
	}
}

func TestFirstAndLastDaysBelong(t *testing.T) {
	p := mustFull(t)
	for _, day := range []standards.Date{"2026-01-01", "2026-12-31"} {
		in := goodInput()
		in.Received, in.Certificate.Issued = day, day // and a certificate may be claimed on its day of issue
		if d := p.Evaluate(in); d.Outcome != Allow {
			t.Errorf("%s: %+v", day, d.Failing)
		}
	}
	in := goodInput()
	in.Received, in.Certificate.Issued = "2021-12-31", "2021-12-01"
	if d := decide(mustKunshan(t), in); d.Outcome != Allow {
		t.Errorf("the last day the text speaks of needs no confirmation: %+v", d.Missing)
	}
	in.Received = "2022-01-01"
	if d := decide(mustKunshan(t), in); d.Outcome != Hold {
		t.Errorf("the day after does: %s", d.Outcome)
	}
}

func TestHigherByTrade(t *testing.T) {
	p := mustFull(t)
	in := goodInput()
	in.Certificate.Trade = "01"
	o := in.Certificate
	o.Number, o.Level, o.Trade = "X", standards.Technician, "02"
	in.Others = []Certificate{o}
	if d := p.Evaluate(in); d.Outcome != Deny {
		t.Errorf("by occupation another trade bars: %s", d.Outcome)
	}
	p.Higher.Same = []Sameness{SameOccupation, SameTrade}
	if d := p.Evaluate(in); d.Outcome != Allow {
		t.Errorf("by trade another trade does not bar: %+v", d.Failing)
	}
	in.Others[0].Trade = "01"
	if d := p.Evaluate(in); d.Outcome != Deny {
		t.Errorf("by trade the same trade bars: %s", d.Outcome)
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		place, region string
		want          bool
	}{
		{"320583", "320583", true}, {"320583", "320500", true}, {"320583", "320000", true}, {"320583", Nation, true},
		{"320500", "320583", false}, {"320100", "320500", false}, {"3205831", "320500", false}, {"3205", "320500", false},
	} {
		if within(c.place, c.region) != c.want {
			t.Errorf("%s in %s: want %v", c.place, c.region, c.want)
		}
	}
	in := goodInput()
	in.Certificate.Kind, in.Certificate.Place = KindSpecialAbility, "320583"
	if d := decide(mustFull(t), in); d.Outcome != Allow {
		t.Errorf("acquired in the city: %+v", d.Failing)
	}
}

func TestFactForms(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "12": 12, "9999": 9999, "10000": -1, "": -1, "-1": -1, "1.5": -1, "1x": -1} {
		if n, ok := count(s); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v", s, n, ok)
		}
	}
	in := goodInput()
	in.Facts[Insured] = Fact{Value: Yes, Source: "a", Reference: "b", At: in.Now.Add(time.Hour)} // their clock, the same day
	if d := decide(mustFull(t), in); d.Outcome != Allow {
		t.Errorf("stated today: %+v", d.Missing)
	}
}

// 查不到，不等于假证: that the national query does not have a certificate yet holds a
// claim and never refuses it.
func TestNotYetQueryableHolds(t *testing.T) {
	p := mustFull(t)
	p.Facts = append(p.Facts, FactRule{Rule: Rule{ID: "national", Text: Text{"应可查", "must be found"}}, Fact: NationallyQueryable, Want: Yes})
	for value, want := range map[string]Outcome{Yes: Allow, No: Hold, "": Hold} {
		in := goodInput()
		if value != "" {
			in.Facts[NationallyQueryable] = stated(value)
		}
		d := p.Evaluate(in)
		if d.Outcome != want || want == Hold && (len(d.Missing) != 1 || d.Missing[0].Fact != string(NationallyQueryable)) || len(d.Failing) > 0 {
			t.Errorf("%q: %s %+v %+v", value, d.Outcome, d.Failing, d.Missing)
		}
	}
}
