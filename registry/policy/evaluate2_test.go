package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bajigong/standards"
)

func set(facts Facts, k FactKind, v string) { facts[k] = stated(v) }

// two is a row against testdata/full2.yaml: one change, and what comes of it. An
// allowed row has the yuan that are paid.
type two struct {
	name    string
	change  func(*Input)
	rule    string
	reason  Reason
	outcome Outcome
	detail  string // part of the Chinese detail or request; of an allowed row the yuan
}

var casesTwo = []two{
	{"nothing", func(in *Input) {}, "", "", Allow, "2400"},

	// 补贴对象
	{"on benefit", func(in *Input) { set(in.Facts, PersonGroup, "veteran,unemployment_benefit") }, "", "", Allow, "2400"},
	{"declared group", func(in *Input) { set(in.Facts, PersonGroup, "island_worker") }, "", "", Allow, "2400"},
	{"other group", func(in *Input) { set(in.Facts, PersonGroup, "retired") }, "groups", GroupNotCovered, Deny, "不属于补贴对象：企业在职职工、领取失业保险金人员、海岛职工"},
	{"no group", func(in *Input) { set(in.Facts, PersonGroup, "none") }, "groups", GroupNotCovered, Deny, "不属于补贴对象"},
	{"excluded group", func(in *Input) { set(in.Facts, PersonGroup, "enterprise_employee,civil_servant") }, "groups", GroupExcluded, Deny, "属于公务员"},
	{"group not known", func(in *Input) { delete(in.Facts, PersonGroup) }, "groups", FactMissing, Hold, "请补充：人员类别"},
	{"group of no table", func(in *Input) { set(in.Facts, PersonGroup, "enterprise_employee,pirate") }, "groups", FactUnusable, Hold, "pirate 未知"},
	{"group of no form", func(in *Input) { set(in.Facts, PersonGroup, "企业职工") }, "groups", FactUnusable, Hold, "应为以逗号分隔的类别代码"},

	// 年龄: both ends included; the birthday is the day the year is full (民法典 第二百条)
	{"sixteen today", func(in *Input) { in.Person.Born = "2010-03-05" }, "", "", Allow, "2400"},
	{"sixteen tomorrow", func(in *Input) { in.Person.Born = "2010-03-06" }, "ages", AgeNotCovered, Deny, "15 周岁，要求年满 16"},
	{"man of sixty", func(in *Input) { in.Person.Born = "1965-03-06" }, "", "", Allow, "2400"},
	{"man of sixty-one", func(in *Input) { in.Person.Born = "1965-03-05" }, "ages", AgeNotCovered, Deny, "61 周岁，要求不超过 60"},
	{"woman of fifty-five", func(in *Input) { in.Person = Person{"1970-03-06", Female} }, "", "", Allow, "2400"},
	{"woman of fifty-six", func(in *Input) { in.Person = Person{"1970-03-05", Female} }, "ages", AgeNotCovered, Deny, "不超过 55"},
	{"of fifty-six and no sex", func(in *Input) { in.Person = Person{Born: "1970-03-05"} }, "ages", FactMissing, Hold, "性别"},
	{"of fifty-six, sex as a fact", func(in *Input) { in.Person = Person{Born: "1970-03-05"}; set(in.Facts, PersonSex, "male") }, "", "", Allow, "2400"},
	{"of fifty and no sex", func(in *Input) { in.Person = Person{Born: "1976-03-05"} }, "", "", Allow, "2400"},
	{"of sixty-one and no sex", func(in *Input) { in.Person = Person{Born: "1965-03-05"} }, "ages", AgeNotCovered, Deny, "不超过 60"},
	{"no birth date", func(in *Input) { in.Person.Born = "" }, "ages", FactMissing, Hold, "周岁年龄"},
	{"age as a fact", func(in *Input) { in.Person.Born = ""; set(in.Facts, PersonAge, "35") }, "", "", Allow, "2400"},
	{"age of no form", func(in *Input) { in.Person.Born = ""; set(in.Facts, PersonAge, "三十五") }, "ages", FactUnusable, Hold, "整数周岁"},

	// facts with a date, alternatives, upper bounds
	{"insured now and not then", func(in *Input) {
		set(in.Facts, Insured, Yes)
		set(in.Facts, Insured.On(AtIssueMonth), No)
	}, "insured_then", FactMissing, Hold, "领取失业保险金（发证当月）"},
	{"on benefit then", func(in *Input) {
		set(in.Facts, Insured.On(AtIssueMonth), No)
		set(in.Facts, UnemploymentBenefit.On(AtIssueMonth), Yes)
	}, "", "", Allow, "2400"},
	{"neither then", func(in *Input) {
		set(in.Facts, Insured.On(AtIssueMonth), No)
		set(in.Facts, UnemploymentBenefit.On(AtIssueMonth), No)
	}, "insured_then", FactNotMet, Deny, "参保状态（发证当月）：否（来源：苏州市社保中心）；是否正在领取失业保险金（发证当月）：否"},
	{"not known then", func(in *Input) { delete(in.Facts, Insured.On(AtIssueMonth)) }, "insured_then", FactMissing, Hold, "请补充：参保状态（发证当月）"},
	{"months on application", func(in *Input) { set(in.Facts, InsuredMonths.On(AtApplication), "11") }, "months", FactNotMet, Deny, "11，要求至少 12"},
	{"months of another date", func(in *Input) {
		delete(in.Facts, InsuredMonths.On(AtApplication))
		set(in.Facts, InsuredMonths, "99")
	}, "months", FactMissing, Hold, "累计参保月数（申请时）"},
	{"trained too late", func(in *Input) { set(in.Facts, TrainedWithin, "13") }, "trained", FactNotMet, Deny, "13，要求至多 12"},

	// 评价机构
	{"employer, nothing known", func(in *Input) { in.Certificate.InstitutionClass, in.Certificate.PilotRecognised = "Y", Yes }, "institutions", FactMissing, Hold, "薪酬待遇挂钩"},
	{"employer, both known", func(in *Input) {
		in.Certificate.InstitutionClass, in.Certificate.PilotRecognised, in.Certificate.PayLinked = "Y", Yes, Yes
	}, "", "", Allow, "2400"},
	{"employer, one as a fact", func(in *Input) {
		in.Certificate.InstitutionClass, in.Certificate.PilotRecognised = "Y", Yes
		set(in.Facts, IssuerPayLinked, Yes)
	}, "", "", Allow, "2400"},
	{"employer without pilot", func(in *Input) {
		in.Certificate.InstitutionClass, in.Certificate.PilotRecognised, in.Certificate.PayLinked = "Y", No, Yes
	}, "institutions", ConditionNotMet, Deny, "试点认定：否"},
	{"other class", func(in *Input) { in.Certificate.InstitutionClass = "J" }, "institutions", InstitutionNotCovered, Deny, "类别为 J"},
	{"no class", func(in *Input) { in.Certificate.InstitutionClass = "" }, "institutions", CertificateLacks, Hold, "评价机构类别"},

	// 云眸
	{"not supervised", func(in *Input) { in.Certificate.Supervised = No }, "supervision", NotSupervised, Deny, "云眸"},
	{"supervision not known", func(in *Input) { in.Certificate.Supervised = "" }, "supervision", FactMissing, Hold, "云眸"},
	{"supervision as a fact", func(in *Input) { in.Certificate.Supervised = ""; set(in.Facts, IsSupervised, Yes) }, "", "", Allow, "2400"},
	{"supervised by the fact no", func(in *Input) { in.Certificate.Supervised = ""; set(in.Facts, IsSupervised, No) }, "supervision", NotSupervised, Deny, "：否"},
	{"issued before supervision began", func(in *Input) {
		in.Certificate.Supervised, in.Certificate.Issued = No, "2025-12-31"
		in.Facts[ApprovedCost] = stated("2400")
	}, "", "", Allow, "2400"},
	{"a kind without supervision", func(in *Input) { in.Certificate.Supervised, in.Certificate.Kind = No, KindQualification }, "", "", Allow, "2400"},

	// 可查: not yet is not never
	{"found by the province", func(in *Input) {
		set(in.Facts, NationallyQueryable, No)
		set(in.Facts, ProvinciallyFound, Yes)
	}, "", "", Allow, "2400"},
	{"found by neither", func(in *Input) {
		set(in.Facts, NationallyQueryable, No)
		set(in.Facts, ProvinciallyFound, No)
	}, "queryable", CertificatePending, Hold, "全国查询尚未更新；请待其可查后再办"},
	{"found by one and the other not known", func(in *Input) { set(in.Facts, NationallyQueryable, No) }, "queryable", FactMissing, Hold, "省级平台"},
	{"neither known", func(in *Input) { delete(in.Facts, NationallyQueryable) }, "queryable", FactMissing, Hold, "全国联网"},

	// window, by the day of application since that day decides
	{"the last day", func(in *Input) { in.Certificate.Issued = "2025-03-05" }, "", "", Allow, "2400"},
	{"a day late", func(in *Input) { in.Certificate.Issued = "2025-03-04" }, "window", OutsideWindow, Deny, "最迟应于2026年3月4日申请"},
	{"applied in time, received later", func(in *Input) { in.Certificate.Issued, in.Applied = "2025-03-04", "2026-03-04" }, "", "", Allow, "2400"},
	{"the third day", func(in *Input) { in.Certificate.Issued = "2026-03-02" }, "", "", Allow, "2400"},
	{"too early", func(in *Input) { in.Certificate.Issued = "2026-03-03" }, "window", WindowNotOpen, Hold, "2026年3月6日起方可申请"},
	{"applied before it was in force", func(in *Input) {
		in.Applied, in.Certificate.Issued = "2025-12-31", "2025-12-01"
		set(in.Facts, CatalogueListed, Yes)
	}, "in_force", NotInForce, Deny, "申请日期2025年12月31日"},

	// 补贴目录
	{"not in the catalogue", func(in *Input) { in.Certificate.Occupation = "6-31-01-02" }, "catalogue", NotInCatalogue, Deny, "《目录》无该职业（工种）6-31-01-02"},
	{"level not in the catalogue", func(in *Input) {
		in.Certificate.Occupation, in.Certificate.Trade, in.Certificate.Level = "4-10-01-05", "01", standards.Junior
	}, "catalogue", NotInCatalogue, Deny, "无初级工"},
	{"trade not in the catalogue", func(in *Input) { in.Certificate.Occupation, in.Certificate.Trade = "4-10-01-05", "02" }, "catalogue", NotInCatalogue, Deny, "无该职业（工种）"},
	{"trade in the catalogue", func(in *Input) { in.Certificate.Occupation, in.Certificate.Trade = "4-10-01-05", "01" }, "", "", Allow, "2000"},

	// amounts: min(cap, raised where scarce, set by the place), and not above the cost
	{"not scarce", func(in *Input) { in.Certificate.Occupation = "6-31-01-03" }, "", "", Allow, "2000"},
	{"set lower", func(in *Input) { set(in.Facts, ApprovedAmount, "1500.50") }, "", "", Allow, "1500.50"},
	{"set higher than the raised cap", func(in *Input) {
		set(in.Facts, ApprovedAmount, "3000")
		set(in.Facts, ApprovedCost, "9000")
	}, "", "", Allow, "2600"},
	{"cost lower", func(in *Input) { set(in.Facts, ApprovedCost, "1800") }, "", "", Allow, "1800"},
	{"not set", func(in *Input) { delete(in.Facts, ApprovedAmount) }, "amounts", FactMissing, Hold, "当地核定的补贴标准"},
	{"set to nothing", func(in *Input) { set(in.Facts, ApprovedAmount, "0") }, "amounts", FactUnusable, Hold, "大于零"},
	{"cost not known", func(in *Input) { delete(in.Facts, ApprovedCost) }, "cost", FactMissing, Hold, "核定成本"},
	{"a level that is not raised", func(in *Input) { in.Certificate.Level = standards.Junior }, "", "", Allow, "1000"},
	{"listed after receipt", func(in *Input) { in.Received = "2026-02-14"; in.Certificate.Issued = "2026-02-01" }, "", "", Allow, "2000"},
	{"listed on receipt", func(in *Input) {
		in.Received, in.Applied, in.Certificate.Issued = "2026-02-15", "2026-02-10", "2026-02-01"
	}, "", "", Allow, "2400"},
	{"first day of the quarter", func(in *Input) {
		in.Received, in.Now, in.Certificate.Occupation, in.Certificate.Trade = "2026-04-01", at("2026-04-01"), "4-10-01-05", "01"
	}, "", "", Allow, "2400"},
	{"last day of the quarter", func(in *Input) { in.Received, in.Now = "2026-03-31", at("2026-03-31") }, "", "", Allow, "2400"},
	{"after the quarter", func(in *Input) { in.Received = "2026-04-01"; in.Now = at("2026-04-01") }, "", "", Allow, "2000"},

	// who is paid, and by which way
	{"funder not known", func(in *Input) { delete(in.Facts, FundedBy) }, "beneficiary", FactMissing, Hold, "出资方"},
	{"funder of no form", func(in *Input) { set(in.Facts, FundedBy, "企业") }, "beneficiary", FactUnusable, Hold, "应为 个人（person）、企业（enterprise）、机构（institution） 之一"},
	{"by file", func(in *Input) { in.Channel = ByFile }, "channel", ChannelNotAllowed, Deny, "本次为人工报盘"},
	{"by hand", func(in *Input) { in.Channel = ByHand }, "channel", ChannelNotAllowed, Deny, "手工办理"},
	{"by the system", func(in *Input) { in.Channel = BySystem }, "", "", Allow, "2400"},
	{"by file with an approval", func(in *Input) {
		in.Channel = ByFile
		in.Exceptions = []Exception{{Rule: "channel", Document: "批〔2026〕1号", Approver: "省厅", On: "2026-03-05"}}
	}, "", "", Allow, "2400"},
	{"by file with an approval of tomorrow", func(in *Input) {
		in.Channel = ByFile
		in.Exceptions = []Exception{{Rule: "channel", Document: "批〔2026〕1号", Approver: "省厅", On: "2026-03-06"}}
	}, "channel", ChannelNotAllowed, Deny, "例外须有批准文号"},
	{"by file with an approval of nobody", func(in *Input) {
		in.Channel = ByFile
		in.Exceptions = []Exception{{Rule: "channel", Document: "批〔2026〕1号", On: "2026-03-05"}}
	}, "channel", ChannelNotAllowed, Deny, ""},
	{"an exception of a rule that allows none", func(in *Input) {
		in.Certificate.Supervised = No
		in.Exceptions = []Exception{{Rule: "supervision", Document: "批〔2026〕1号", Approver: "省厅", On: "2026-03-05"}}
	}, "supervision", NotSupervised, Deny, ""},

	// subjects
	{"for something else", func(in *Input) { in.Subject.Kind = ForPreJob }, "certificate", SubjectNotCovered, Deny, "申领事项为岗前培训，本政策凭证书申领"},

	// higher, in the order of issue
	{"higher paid, issued before", func(in *Input) { in.Claims = higherClaim(*in, "2026-02-19") }, "higher", HigherPaidReason, Deny, "更高等级已有申领"},
	{"higher paid, issued the same day", func(in *Input) { in.Claims = higherClaim(*in, "2026-02-20") }, "higher", HigherPaidReason, Deny, "更高等级已有申领"},
	{"higher paid, issued after", func(in *Input) { in.Claims = higherClaim(*in, "2026-02-21") }, "", "", Allow, "2400"},
	{"higher paid, issue not known", func(in *Input) { in.Claims = higherClaim(*in, "") }, "higher", FactMissing, Hold, "更高等级证书的发证日期"},
	{"higher paid, the newer one by a fact", func(in *Input) {
		in.Claims = higherClaim(*in, "")
		set(in.Facts, HigherIssuedLater, Yes)
	}, "", "", Allow, "2400"},
	{"higher paid, the older one by a fact", func(in *Input) {
		in.Claims = higherClaim(*in, "")
		set(in.Facts, HigherIssuedLater, No)
	}, "higher", HigherPaidReason, Deny, "更高等级已有申领"},
	{"higher held, issued before", func(in *Input) { in.Others = higherHeld(*in, "2026-02-01") }, "higher", HigherHeldReason, Deny, "更高等级（技师）"},
	{"higher held, issued after", func(in *Input) { in.Others = higherHeld(*in, "2026-02-21") }, "", "", Allow, "2400"},

	// rolling twelve months, one and on top of it two for scarce ones, base first
	{"a year to the day", func(in *Input) { in.Claims = claimsOn(*in, "2025-03-05 ") }, "", "", Allow, "2400"},
	{"one scarce before", func(in *Input) { in.Claims = claimsOn(*in, "2025-03-06s") }, "", "", Allow, "2400"},
	{"three scarce before", func(in *Input) { in.Claims = claimsOn(*in, "2025-03-06s", "2025-09-01s", "2026-01-01s") }, "frequency", FrequencyReached, Deny, "12 个月内已计 3 次，上限 1 次，紧缺职业（工种）另加 2 次"},
	{"three before, one too old", func(in *Input) { in.Claims = claimsOn(*in, "2025-03-05s", "2025-09-01s", "2026-01-01s") }, "", "", Allow, "2400"},
	{"one of them plain", func(in *Input) { in.Claims = claimsOn(*in, "2025-09-01 ", "2026-01-01s") }, "", "", Allow, "2400"},
	{"plain after a scarce one that filled the base", func(in *Input) {
		in.Certificate.Occupation = "6-31-01-03"
		in.Claims = claimsOn(*in, "2026-01-01s")
	}, "frequency", FrequencyReached, Deny, "（本次不属于）"},
	{"excepted", func(in *Input) {
		in.Claims = claimsOn(*in, "2025-03-06s", "2025-09-01s", "2026-01-01s")
		in.Exceptions = []Exception{{Rule: "frequency", Document: "批〔2026〕2号", Approver: "市局", On: "2026-03-01"}}
	}, "", "", Allow, "2400"},
}

// higherClaim is a claim for the technician level of the same occupation.
func higherClaim(in Input, issued standards.Date) []PastClaim {
	c := claimLike(in)
	c.Level, c.Certificate, c.Issued, c.Fund = standards.Technician, "X", issued, FundSkillUplift
	c.At, c.Received = at("2024-01-01"), "2024-01-01"
	return []PastClaim{c}
}

func higherHeld(in Input, issued standards.Date) []Certificate {
	c := in.Certificate
	c.Number, c.Level, c.Issued = "X", standards.Technician, issued
	return []Certificate{c}
}

// claimsOn are claims for other occupations received on days; s marks a scarce one.
func claimsOn(in Input, days ...string) []PastClaim {
	var out []PastClaim
	for i, d := range days {
		c := claimLike(in)
		c.ID, c.Occupation, c.Certificate = fmt.Sprint("claim-", i), fmt.Sprintf("1-01-01-%02d", i), fmt.Sprint("N", i)
		c.Received, c.Scarce = standards.Date(d[:10]), d[10] == 's'
		c.At = at(c.Received)
		out = append(out, c)
	}
	return out
}

func TestEachSectionOfLanguage2(t *testing.T) {
	p := mustParse(t, "testdata/full2.yaml")
	for _, c := range casesTwo {
		t.Run(c.name, func(t *testing.T) {
			in := twoInput()
			c.change(&in)
			check(t, p, in, c)
		})
	}
}

// check holds one decision to its row: exactly one thing is wrong, or nothing.
func check(t *testing.T, p Policy, in Input, c two) {
	t.Helper()
	d := p.Evaluate(in)
	var rule, said string
	var reason Reason
	switch {
	case len(d.Failing) > 0:
		rule, reason, said = d.Failing[0].Rule, d.Failing[0].Reason, d.Failing[0].Detail.ZH
	case len(d.Missing) > 0:
		rule, reason, said = d.Missing[0].Rule, d.Missing[0].Reason, d.Missing[0].ZH
	}
	if d.Outcome != c.outcome || rule != c.rule || reason != c.reason || len(d.Failing)+len(d.Missing) > 1 {
		t.Fatalf("got %s %s %s %q, want %s %s %s\nfailing %+v\nmissing %+v", d.Outcome, rule, reason, said, c.outcome, c.rule, c.reason, d.Failing, d.Missing)
	}
	if c.outcome == Allow {
		if d.Amount.String() != c.detail {
			t.Errorf("%s yuan, want %s: %v", d.Amount, c.detail, d.Calculation)
		}
		return
	}
	if !strings.Contains(said, c.detail) || strings.Contains(fmt.Sprint(d.Failing, d.Missing), "%!") {
		t.Errorf("said %q, want %q", said, c.detail)
	}
	if d.Outcome == Hold && reason.Holds() != true {
		t.Errorf("%s holds and is not among the reasons that do", reason)
	}
}

var casesWork = []two{
	{"nothing", func(in *Input) {}, "", "", Allow, "1000"},
	{"six months", func(in *Input) { in.Subject.To, in.Subject.Units = "2026-06-30", 6 }, "", "", Allow, "3000"},
	{"seven months", func(in *Input) { in.Subject.To, in.Subject.Units = "2026-07-31", 7 }, "subject", UnitsReached, Deny, "本次申领 7，上限 6"},
	{"more months than worked", func(in *Input) { in.Subject.Units = 3 }, "subject", UnitsBeyondPeriod, Deny, "申领 3 个月，2026年1月1日至2026年2月28日不足"},
	{"begun months count", func(in *Input) { in.Subject.To, in.Subject.Units = "2026-03-01", 3 }, "", "", Allow, "1500"},
	{"certificate instead", func(in *Input) { in.Subject = Subject{}; set(in.Facts, IsSupervised, Yes) }, "subject", SubjectNotCovered, Deny, "申领事项为证书，应为以工代训"},
	{"no first day", func(in *Input) { in.Subject.From = ""; set(in.Facts, IsSupervised, Yes) }, "subject", SubjectLacks, Hold, "起始日期"},
	{"no last day", func(in *Input) { in.Subject.To = "" }, "subject", SubjectLacks, Hold, "截止日期"},
	{"days in the wrong order", func(in *Input) { in.Subject.To = "2025-12-31" }, "subject", SubjectLacks, Hold, "不得早于"},
	{"other person", func(in *Input) { set(in.Facts, PersonGroup, "graduate") }, "groups", GroupNotCovered, Deny, "就业困难人员"},
	{"training to be supervised", func(in *Input) {
		in.Subject.From, in.Subject.To, in.Subject.Units = "2026-03-01", "2026-03-31", 1
	}, "supervision", FactMissing, Hold, "云眸"},
	{"training supervised", func(in *Input) {
		in.Subject.From, in.Subject.To, in.Subject.Units = "2026-03-01", "2026-03-31", 1
		set(in.Facts, IsSupervised, Yes)
	}, "", "", Allow, "500"},
	{"same days again", func(in *Input) { in.Claims = workClaims("2026-02-28", "2026-03-31", 1) }, "once", OnceTaken, Deny, "同一事项、同一时段已有申领"},
	{"a claim without days", func(in *Input) { in.Claims = workClaims("", "", 1) }, "once", FactMissing, Hold, "起止日期是否与本次重叠"},
	{"a claim without days, of these", func(in *Input) {
		in.Claims = workClaims("", "", 1)
		set(in.Facts, PeriodOverlaps, Yes)
	}, "once", OnceTaken, Deny, "同一时段"},
	{"a claim without days, of others", func(in *Input) {
		in.Claims = workClaims("", "", 1)
		set(in.Facts, PeriodOverlaps, No)
	}, "", "", Allow, "1000"},
	{"the days after", func(in *Input) { in.Claims = workClaims("2026-03-01", "2026-03-31", 1) }, "", "", Allow, "1000"},
	{"four months before", func(in *Input) { in.Claims = workClaims("2025-09-01", "2025-12-31", 4) }, "", "", Allow, "1000"},
	{"five months before", func(in *Input) { in.Claims = workClaims("2025-08-01", "2025-12-31", 5) }, "subject", UnitsReached, Deny, "已计 5，本次 2，上限 6"},
	{"five months before, paid back", func(in *Input) {
		in.Claims = workClaims("2025-08-01", "2025-12-31", 5)
		in.Claims[0].State = Refunded
	}, "subject", FactMissing, Hold, "恢复申领资格"},
	{"pre-job training of the same days", func(in *Input) {
		in.Claims = workClaims("2026-01-01", "2026-01-10", 1)
		in.Claims[0].Fund, in.Claims[0].Subject = FundPreJob, ForPreJob
	}, "pre_job", FundExcluded, Deny, "同一时段已有申领"},
}

func workClaims(from, to standards.Date, units int) []PastClaim {
	return []PastClaim{{ID: "c", Payer: "payer-b", Fund: FundWorkTraining, State: Confirmed, At: at("2026-01-05"),
		Subject: ForWorkMonths, From: from, To: to, Units: units}}
}

func TestClaimsWithoutCertificate(t *testing.T) {
	p := mustParse(t, "testdata/work2.yaml")
	for _, c := range casesWork {
		t.Run(c.name, func(t *testing.T) {
			in := workInput()
			c.change(&in)
			check(t, p, in, c)
		})
	}
}

// changed is testdata/full2.yaml with other text in it.
func changed(t *testing.T, file string, pairs ...string) Policy {
	t.Helper()
	src := policyFiles(t)[file]
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(src, pairs[i]) {
			t.Fatalf("%s has no %q", file, pairs[i])
		}
		src = strings.Replace(src, pairs[i], pairs[i+1], 1)
	}
	p, err := Parse(file, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const lineAmounts = "  mean: at_most\n  levels: [{level: junior, yuan: 1000}, {level: senior, yuan: 2000}]\n  per: claim"

// TestOtherFormsOfSections has the forms that the two files do not.
func TestOtherFormsOfSections(t *testing.T) {
	amounts := "amounts:\n  id: amounts\n  clause: 十六\n  zh: 标准\n  en: amounts\n" + lineAmounts
	full := "testdata/full2.yaml"
	for _, c := range []struct {
		p Policy
		two
	}{
		{changed(t, full, amounts, "amounts: catalogue"), two{"amounts of the catalogue", func(in *Input) { in.Certificate.Occupation = "6-31-01-03" }, "", "", Allow, "2000"}},
		{changed(t, full, amounts, "amounts: catalogue"), two{"raised amounts of the catalogue", func(in *Input) { set(in.Facts, ApprovedCost, "9999") }, "", "", Allow, "2600.65"}},
		{changed(t, full, amounts, "amounts: catalogue", "year: 2026", "year: 2025"), two{"catalogue of another year", func(in *Input) {}, "catalogue", FactMissing, Hold, "列入补贴目录"}},
		{changed(t, full, amounts, "amounts: catalogue", "year: 2026", "year: 2025"), two{"listed elsewhere, amount set by the place", func(in *Input) {
			set(in.Facts, CatalogueListed, Yes)
			set(in.Facts, ApprovedAmount, "1000")
		}, "", "", Allow, "1300"}},
		{changed(t, full, "year: 2026", "year: 2025"), two{"not listed elsewhere", func(in *Input) { set(in.Facts, CatalogueListed, No) }, "catalogue", NotInCatalogue, Deny, "：否"}},
		{changed(t, full, amounts, "amounts: unknown", "unknown: none", "unknown: [{field: amounts, zh: 由当地确定, en: set by the place}]"), two{"set by the place", func(in *Input) {}, "", "", Allow, "2400"}},
		{changed(t, full, amounts, "amounts: unknown", "unknown: none", "unknown: [{field: amounts, zh: 由当地确定, en: set by the place}]"), two{"not set by the place", func(in *Input) { delete(in.Facts, ApprovedAmount) }, "amounts", FactMissing, Hold, "当地核定"}},
		{changed(t, full, amounts, "amounts: unknown", "uplift_percent: 30", "uplift_percent: 30\n  raises_approved: yes", "unknown: none", "unknown: [{field: amounts, zh: 由当地确定, en: set by the place}]"),
			two{"set by the place and raised", func(in *Input) {
				set(in.Facts, ApprovedAmount, "1000")
			}, "", "", Allow, "1300"}},
		{changed(t, full, "back_pay: covered", "back_pay: none"), two{"no back-pay", func(in *Input) {
			in.Received, in.Applied, in.Certificate.Issued = "2026-02-15", "2026-02-10", "2026-02-01"
		}, "", "", Allow, "2000"}},
		{changed(t, full, "back_pay: covered", "back_pay: unknown", "unknown: none", "unknown: [{field: scarce.back_pay, zh: 未载明, en: not said}]"), two{"back-pay not said", func(in *Input) {
			in.Received, in.Applied, in.Certificate.Issued = "2026-02-15", "2026-02-10", "2026-02-01"
		}, "scarce", FactMissing, Hold, "紧缺目录"}},
		{changed(t, full, "back_pay: covered", "back_pay: unknown", "unknown: none", "unknown: [{field: scarce.back_pay, zh: 未载明, en: not said}]"), two{"back-pay not said and not needed", func(in *Input) {}, "", "", Allow, "2400"}},
		{changed(t, full, "order: issue", "order: submission"), two{"in the order of submission", func(in *Input) { in.Claims = higherClaim(*in, "2026-02-21") }, "higher", HigherPaidReason, Deny, ""}},
		{changed(t, full, "by: held", "by: none"), two{"higher does not matter", func(in *Input) { in.Claims = higherClaim(*in, "2026-02-01") }, "", "", Allow, "2400"}},
		{changed(t, full, "base_first", "extra_first"), two{"extra first leaves the base", func(in *Input) {
			in.Certificate.Occupation = "6-31-01-03"
			in.Claims = claimsOn(*in, "2025-09-01s", "2026-01-01s")
		}, "", "", Allow, "2000"}},
		{changed(t, full, "base_first", "extra_first"), two{"extra first, all used", func(in *Input) {
			in.Claims = claimsOn(*in, "2025-09-01s", "2025-10-01s", "2026-01-01s")
		}, "frequency", FrequencyReached, Deny, ""}},
		{changed(t, full, "per: rolling\n  months: 12", "per: natural_year"), two{"calendar year", func(in *Input) { in.Claims = claimsOn(*in, "2026-01-01s", "2026-01-02s", "2026-01-03s") }, "frequency", FrequencyReached, Deny, "2026 年已计 3 次"}},
		{changed(t, full, "per: rolling\n  months: 12", "per: lifetime"), two{"in all", func(in *Input) { in.Claims = claimsOn(*in, "2001-01-01s", "2002-01-02s", "2003-01-03s") }, "frequency", FrequencyReached, Deny, "累计已计 3 次"}},
		{changed(t, full, "days: 365, not_before_days: 3", "same_year: yes"), two{"the year before", func(in *Input) { in.Certificate.Issued = "2025-12-31" }, "window", OutsideWindow, Deny, "应于当年申请"}},
		{changed(t, full, "pay_to: funder", "pay_to: institution"), two{"to the institution", func(in *Input) { delete(in.Facts, FundedBy) }, "", "", Allow, "2400"}},
		{changed(t, "testdata/work2.yaml", "same: [subject, period]", "same: [course]"), two{"no number of its class", func(in *Input) {}, "once", SubjectLacks, Hold, "开班编号"}},
		{changed(t, "testdata/work2.yaml", "same: [subject, period]", "same: [course]"), two{"the same class", func(in *Input) {
			in.Subject.Course = "K1"
			in.Claims = workClaims("2025-01-01", "2025-01-02", 1)
			in.Claims[0].Course = "K1"
		}, "once", OnceTaken, Deny, "同一班次"}},
		{changed(t, "testdata/work2.yaml", "same: [period]", "same: [person]"), two{"not with pre-job training at all", func(in *Input) {
			in.Claims = workClaims("2020-01-01", "2020-01-10", 1)
			in.Claims[0].Fund, in.Claims[0].Subject = FundPreJob, ForPreJob
		}, "pre_job", FundExcluded, Deny, "同一人员"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := twoInput()
			if c.p.Subject != nil {
				in = workInput()
			}
			c.change(&in)
			check(t, c.p, in, c.two)
		})
	}
}

// 昆政办发〔2020〕67号 二（四）4: paid to the enterprise at the standard of scarce
// occupations whatever the occupation.
func TestUpliftForAllOccupations(t *testing.T) {
	src := policyFiles(t)["testdata/full2.yaml"]
	from, to := strings.Index(src, "scarce:\n"), strings.Index(src, "amount_for_scarce_always: none")
	p := changed(t, "testdata/full2.yaml", src[from:to], "scarce: none\n", "amount_for_scarce_always: none",
		"amount_for_scarce_always: {id: always, clause: 二十九, zh: 一律按紧缺标准, en: always, uplift_percent: 30}",
		"  extra: {for: scarce, max: 2, order: base_first}\n", "")
	check(t, p, func() Input {
		in := twoInput()
		in.Certificate.Occupation, in.Facts[ApprovedCost], in.Facts[ApprovedAmount] = "6-31-01-03", stated("9000"), stated("9000")
		return in
	}(), two{"", nil, "", "", Allow, "2600"})
	if d := p.Evaluate(twoInput()); d.Scarce {
		t.Error("counted as scarce although nobody looked")
	}
}

func TestFrameworkDecidesNothing(t *testing.T) {
	p := changed(t, "testdata/full2.yaml", "framework: no", "framework: yes")
	check(t, p, twoInput(), two{"", nil, "in_force", NotDeciding, Deny, "框架"})
}

func TestExceptedRulesAreNamed(t *testing.T) {
	in := twoInput()
	in.Claims = claimsOn(in, "2025-03-06s", "2025-09-01s", "2026-01-01s")
	in.Exceptions = []Exception{{Rule: "frequency", Document: "批〔2026〕2号", Approver: "市局", On: "2026-03-01"}}
	p := mustParse(t, "testdata/full2.yaml")
	d := p.Evaluate(in)
	if d.Outcome != Allow || len(d.Excepted) != 1 || d.Excepted[0].Rule != "frequency" || !d.Excepted[0].InPrinciple || len(d.Excepted[0].Blocks) != 3 {
		t.Errorf("%+v", d)
	}
	if got := p.Taken(in); len(got) != 0 {
		t.Errorf("taken: %+v", got)
	}
	in.Exceptions = nil
	if got := p.Taken(in); len(got) != 1 {
		t.Errorf("taken: %+v", got)
	}
	for rule, want := range map[string]bool{"frequency": true, "channel": true, "once": false, "": false} {
		if p.Exceptable(rule) != want {
			t.Errorf("%q may be excepted: %t", rule, !want)
		}
	}
}

type tableOfTwo struct{ a, b Job }

func (t tableOfTwo) Same(a, b Job) bool { return a == t.a && b == t.b || a == t.b && b == t.a }
func (tableOfTwo) Digest() string       { return "d1" }

// TestSameOccupationAcrossEditions is 4.4 of the rule “同一职业同一等级”: what the
// classification renamed is the same occupation only by a table.
func TestSameOccupationAcrossEditions(t *testing.T) {
	p := mustFull(t)
	for _, c := range []struct {
		edition, code string
		table         Equivalence
		same          bool
	}{
		{"2015", "6-18-01-01", nil, true},  // as before: equal codes
		{"2015", "6-04-01-01", nil, false}, //
		{"2015", "6-04-01-01", tableOfTwo{Job{Edition: "2015", Code: "6-04-01-01"}, Job{Edition: "2022", Code: "6-18-01-01"}}, true}, // renamed
		{"2015", "6-18-01-01", tableOfTwo{}, false}, // the code means something else now
		{"2022", "6-18-01-01", tableOfTwo{}, true},
		{"", "6-18-01-01", tableOfTwo{}, true}, // edition not known
		{"", "6-04-01-01", tableOfTwo{}, false},
	} {
		in := goodInput()
		in.Equivalence = c.table
		claim := claimLike(in)
		claim.Edition, claim.Occupation, claim.Certificate = c.edition, c.code, "X"
		in.Claims = []PastClaim{claim}
		d := p.Evaluate(in)
		if (d.Outcome == Deny) != c.same || (d.Equivalence == "d1") != (c.table != nil) {
			t.Errorf("%+v: %s %q %+v", c, d.Outcome, d.Equivalence, d.Failing)
		}
		held := in.Certificate
		held.Edition, held.Occupation, held.Level, held.Number = c.edition, c.code, standards.Technician, "Y"
		in.Claims, in.Others = nil, []Certificate{held}
		if d := p.Evaluate(in); (d.Outcome == Deny) != c.same {
			t.Errorf("held, %+v: %s %+v", c, d.Outcome, d.Failing)
		}
	}
}

// TestLanguage2DoesNotDependOnOrder shuffles what a decision is given.
func TestLanguage2DoesNotDependOnOrder(t *testing.T) {
	p := mustParse(t, "testdata/full2.yaml")
	in := twoInput()
	in.Claims = append(claimsOn(in, "2025-09-01s", "2025-10-01 ", "2026-01-01s"), higherClaim(in, "2026-01-01")...)
	in.Others = append(higherHeld(in, "2026-01-01"), higherHeld(in, "2026-02-01")...)
	in.Others[1].Number = "Z"
	want := p.Evaluate(in)
	slices.Reverse(in.Claims)
	slices.Reverse(in.Others)
	if got := p.Evaluate(in); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\n%+v", got, want)
	}
}

func TestFactKeys(t *testing.T) {
	for k, known := range map[FactKind]bool{"insured": true, "insured@issue": true, "insured@issue_month": true, "insured@application": true,
		"insured@receipt": false, "insured@": false, "insured@payment": false, "@issue": false, "nothing@issue": false} {
		if k.Known() != known {
			t.Errorf("%s known: %t", k, !known)
		}
	}
	if k, d := Insured.On(AtIssueMonth).Split(); k != Insured || d != AtIssueMonth || Insured.On(AtReceipt) != Insured || Insured.On("") != Insured {
		t.Errorf("%s %s", k, d)
	}
	good := Facts{Insured.On(AtIssue): stated(Yes), ApprovedAmount: stated("1500.5"), PersonGroup: stated("veteran,poor"), PersonSex: stated("female"), PersonAge: stated("40")}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := Facts{Insured.On(AtIssue): stated("12"), ApprovedAmount: stated("-1"), PersonGroup: stated("veteran,"), PersonSex: stated("男"), "insured@never": stated(Yes)}
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "5 of the facts") {
		t.Errorf("%v", err)
	}
}

func TestFullYears(t *testing.T) {
	for _, c := range []struct {
		born, on standards.Date
		want     int
	}{{"1990-06-01", "2026-05-31", 35}, {"1990-06-01", "2026-06-01", 36}, {"2004-02-29", "2025-02-27", 20}, {"2004-02-29", "2025-02-28", 21}, {"2030-01-01", "2026-01-01", 0}} {
		if got := fullYears(c.born, c.on); got != c.want {
			t.Errorf("born %s, on %s: %d, want %d", c.born, c.on, got, c.want)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	two, work := mustParse(b, "testdata/full2.yaml"), mustParse(b, "testdata/work2.yaml")
	kunshan := mustPolicy(b, "sample-2026")
	deny := badInput()
	in := twoInput()
	in.Claims = claimsOn(in, "2022-03-05 ", "2023-03-05 ", "2024-03-05 ", "2025-03-05 ")
	for name, c := range map[string]struct {
		p  Policy
		in Input
	}{"sample allow": {kunshan, goodInput()}, "full deny": {mustFull(b), deny}, "language 2 allow": {two, in}, "language 2 work": {work, workInput()}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.p.Evaluate(c.in)
			}
		})
	}
}
