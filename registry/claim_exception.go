package registry

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// exceptionsMost is how many rules one claim may be excepted from.
const exceptionsMost = 10

var ruleShape = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// cleanExceptions reads the approvals that a claim brings, and reports all that
// is wrong with them. Days are held against today later.
func cleanExceptions(in []policy.Exception) ([]policy.Exception, []fail.Field) {
	var bad requestFaults
	var out []policy.Exception
	bad.must(len(in) <= exceptionsMost, "exceptions", "too_many", fmt.Sprintf("例外批准最多 %d 项", exceptionsMost), fmt.Sprintf("at most %d exceptions", exceptionsMost))
	if len(in) > exceptionsMost {
		return nil, bad
	}
	for i, x := range in {
		at := func(member string) string { return fmt.Sprintf("exceptions[%d].%s", i, member) }
		x.Rule = strings.TrimSpace(x.Rule)
		bad.must(ruleShape.MatchString(x.Rule), at("rule"), "shape", "请填写政策中该条规定的标识", "name the rule by its id in the policy")
		bad.must(!slices.ContainsFunc(out, func(o policy.Exception) bool { return o.Rule == x.Rule }), at("rule"), "repeated", "同一规定只填一项例外批准", "one exception for a rule")
		var fields []fail.Field
		x.Document, fields = plainText(at("document"), "批准文号", x.Document, 100)
		bad = append(bad, fields...)
		x.Approver, fields = plainText(at("approver"), "批准单位", x.Approver, 100)
		bad = append(bad, fields...)
		bad.must(len(fields) > 0 || isOffice(x.Approver), at("approver"), "office", "批准单位应为单位名称（如××市人力资源和社会保障局），不得填写个人姓名", "the approver is an office by its name, never a person")
		bad.must(x.On.Valid(), at("on"), "date", "批准日期应写作 2026-03-01", "the date is written 2026-03-01")
		if x.Reference = strings.TrimSpace(x.Reference); x.Reference != "" {
			x.Reference, fields = plainText(at("reference"), "凭据编号", x.Reference, factMax)
			bad = append(bad, fields...)
		}
		out = append(out, x)
	}
	return out, bad
}

// sortedExceptions gives equal exceptions one form.
func sortedExceptions(in []policy.Exception) []policy.Exception {
	return slices.SortedFunc(slices.Values(in), func(a, b policy.Exception) int { return cmp.Compare(a.Rule, b.Rule) })
}

// officeEnds are the last characters of the names of offices, and officeWords the
// words that their English names have. They keep the names of persons out of what
// is shown, no more: who may approve stands in the policy's document.
var (
	officeEnds  = []string{"政府", "局", "厅", "部", "委", "委员会", "办", "办公室", "办公厅", "处", "科", "股", "室", "中心", "会", "院", "所", "站", "组", "会议"}
	officeWords = []string{"office", "bureau", "department", "ministry", "government", "committee", "commission", "center", "centre"}
)

func isOffice(name string) bool {
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		name = strings.ToLower(name)
		return slices.ContainsFunc(officeWords, func(w string) bool { return strings.Contains(name, w) })
	}
	name = strings.TrimRight(name, "）)〕] ")
	return len([]rune(name)) >= 4 && slices.ContainsFunc(officeEnds, func(end string) bool { return strings.HasSuffix(name, end) })
}

// exceptedBy refuses approvals of a day that is to come, and those of a rule that
// the policy does not have or that knows no exception.
func (q claimQuery) exceptedBy(p policy.Policy, today standards.Date) error {
	var bad requestFaults
	for i, x := range q.exceptions {
		at := func(member string) string { return fmt.Sprintf("exceptions[%d].%s", i, member) }
		bad.must(x.On <= today, at("on"), "date", "批准日期应不晚于今天", "the approval is not of a day to come")
		bad.must(p.Exceptable(x.Rule), at("rule"), "not_exceptable", fmt.Sprintf("政策 %s 没有该条规定，或该条规定不是“原则上”的规定，不适用例外批准", p.ID),
			fmt.Sprintf("policy %s has no such rule, or its text makes the rule without exception", p.ID))
	}
	if len(bad) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, "claim", "%d of the exceptions cannot be used", len(bad)).In("例外批准有 %d 处需要更正", len(bad)).At(bad...)
}
