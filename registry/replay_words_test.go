package registry

import (
	"strings"
	"testing"

	"bajigong/registry/policy"
)

// Decisions that were recorded before words were mended, and before they named the
// approvals of exceptions, are still the same when they are decided anew; others are not.
func TestADecisionIsTheSameInEarlierWords(t *testing.T) {
	text := func(kind policy.FactKind) policy.Text {
		return policy.Text{ZH: "请补充：" + kind.Name().ZH + "（值、来源）"}
	}
	now := policy.Decision{Missing: []policy.Missing{{Text: text(policy.PersonSex)}, {Text: text(policy.FundedBy)}},
		Excepted: []policy.Failure{{Rule: "often", Detail: policy.Text{ZH: policy.FundedBy.Name().ZH + "：企业（来源：甲）"}}}, Approvals: []policy.Exception{{Rule: "often", Document: "3号"}}}
	was := now
	was.Missing = []policy.Missing{{Text: policy.Text{ZH: "请补充：性别（male 或 female）（值、来源）"}}, {Text: policy.Text{ZH: "请补充：出资方（person、enterprise 或 institution）（值、来源）"}}}
	was.Excepted = []policy.Failure{{Rule: "often", Detail: policy.Text{ZH: "出资方（person、enterprise 或 institution）：enterprise（来源：甲）"}}}
	was.Approvals = nil
	if !sameDecision(was, now) || !sameDecision(now, now) {
		t.Error("the same decision in other words is taken for another one")
	}
	other := now
	other.Approvals = []policy.Exception{{Rule: "often", Document: "4号"}}
	if sameDecision(now, other) || sameDecision(other, now) {
		t.Error("another approval is not noticed")
	}
	was.Missing[0].ZH = "请补充：性别"
	if sameDecision(was, now) {
		t.Error("other words are not noticed")
	}
	for _, kind := range []policy.FactKind{policy.PersonSex, policy.FundedBy} {
		if strings.ContainsAny(kind.Name().ZH, "abcdefghijklmnopqrstuvwxyz") {
			t.Errorf("%s", kind.Name().ZH)
		}
	}
	for text, want := range map[string]string{"男": "male", "女": "female", "male": "male"} {
		if got := policy.PersonSex.ReadValue(text); got != want {
			t.Errorf("%s is %q", text, got)
		}
	}
	if got := policy.FundedBy.ReadValue(" 企业 "); got != "enterprise" {
		t.Error(got)
	}
}
