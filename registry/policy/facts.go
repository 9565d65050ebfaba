package policy

import (
	"strconv"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// FactKind names a fact that the payer brings, because the register cannot know it,
// or knows it of its own certificates alone ([NationallyQueryable]).
type FactKind string

// The facts that policies ask for.
const (
	Employed        FactKind = "employed"         // yes or no: an employee of an enterprise 企业在职职工
	Insured         FactKind = "insured"          // yes or no: in the insurance 参保
	InsuredMonths   FactKind = "insured_months"   // whole months insured
	PensionEligible FactKind = "pension_eligible" // yes or no: entitled to a monthly pension
	PolicyInForce   FactKind = "policy_in_force"  // yes or no: the policy's authority says it still applies
	ScarceListed    FactKind = "scarce_listed"    // yes or no: on the local list of scarce occupations
	RightRestored   FactKind = "right_restored"   // yes or no: the refund gave the right to claim back
	// NationallyQueryable, yes or no: the national query 全国联网查询 finds the
	// certificate. No is "not yet": it holds a claim and never refuses one. Where the
	// register knows, it puts its own fact in the place of the payer's.
	NationallyQueryable FactKind = "nationally_queryable"
)

type factForm struct {
	count bool // else yes or no
	asked bool // asked by a section of its own, never by a FactRule
	name  Text
}

var factForms = map[FactKind]factForm{
	Employed:            {name: Text{"是否为企业在职职工", "employment by an enterprise"}},
	Insured:             {name: Text{"参保状态", "insurance status"}},
	InsuredMonths:       {count: true, name: Text{"累计参保月数", "months insured"}},
	PensionEligible:     {name: Text{"是否具有按月领取养老金资格", "entitlement to a monthly pension"}},
	NationallyQueryable: {name: Text{"全国联网是否可查", "the certificate's being found by the national query"}},
	PolicyInForce:       {asked: true, name: Text{"政策是否仍然有效", "confirmation that the policy is still in force"}},
	ScarceListed:        {asked: true, name: Text{"该职业（工种）是否列入当地紧缺目录", "listing among the locally scarce occupations"}},
	RightRestored:       {asked: true, name: Text{"追回后是否恢复申领资格", "restoration of the right to claim by the refund"}},
}

// Known reports whether k is one of the facts.
func (k FactKind) Known() bool { _, ok := factForms[k]; return ok }

// Name returns what the fact says, as a person would ask for it.
func (k FactKind) Name() Text {
	if f, ok := factForms[k]; ok {
		return f.name
	}
	return Text{ZH: string(k), EN: string(k)}
}

// The values of a fact that answers a question.
const (
	Yes = "yes"
	No  = "no"
)

// A Fact is something outside the register, as somebody stated it. Value is yes
// or no, or a whole number, by its kind. Source says who stated it, At when,
// Reference where it can be looked up again. All four are needed for a fact to count.
type Fact struct {
	Value     string    `json:"value"`
	Source    string    `json:"source"`
	At        time.Time `json:"at"`
	Reference string    `json:"reference"`
}

// Facts are the outside facts of one claim.
type Facts map[FactKind]Fact

// Validate reports facts of unknown kinds and values of the wrong form as
// fail.Invalid with a field each. A fact that is absent is not an error:
// evaluating asks for it.
func (f Facts) Validate() error {
	var fields []fail.Field
	for _, k := range sortedKeys(f) {
		if !k.Known() {
			fields = append(fields, fail.Field{Name: "facts." + string(k), Code: "unknown_fact",
				ZH: "未知的事实项，可用：" + strings.Join(factNames(), "、"),
				EN: "no such fact; known are " + strings.Join(factNames(), ", ")})
			continue
		}
		if why, bad := f[k].unusable(k, time.Time{}); bad {
			fields = append(fields, fail.Field{Name: "facts." + string(k), Code: "fact_form", ZH: why.ZH, EN: why.EN})
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return fail.New(fail.Invalid, "facts", "%d of the facts cannot be read", len(fields)).
		In("有 %d 项事实无法识别", len(fields)).At(fields...)
}

func factNames() []string {
	var out []string
	for _, k := range sortedKeys(factForms) {
		out = append(out, string(k))
	}
	return out
}

// unusable says why a fact cannot be used. A zero now skips the check against
// facts stated on a later day than now.
func (f Fact) unusable(k FactKind, now time.Time) (Text, bool) {
	form := factForms[k]
	_, number := count(f.Value)
	switch {
	case form.count && !number:
		return Text{"应为不带小数的月数，例如 12", "must be a whole number, such as 12"}, true
	case !form.count && f.Value != Yes && f.Value != No:
		return Text{"应为 yes 或 no", "must be yes or no"}, true
	case strings.TrimSpace(f.Source) == "":
		return Text{"缺少来源（由谁提供）", "lacks its source: who says so"}, true
	case f.At.IsZero():
		return Text{"缺少时间（何时核查）", "lacks its time: when it was looked up"}, true
	case strings.TrimSpace(f.Reference) == "":
		return Text{"缺少凭据编号（可再次查证）", "lacks its reference: where it can be looked up again"}, true
	case !now.IsZero() && standards.DateOf(f.At) > standards.DateOf(now):
		return Text{"核查时间晚于今天", "was stated on a day after today"}, true
	}
	return Text{}, false
}

// count reads a whole number of at most four digits.
func count(s string) (int, bool) {
	if !digits(s) || len(s) > 4 {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
