package policy

import (
	"slices"
	"strings"
)

// clauseMark stands in a sentence for the document and clause of the rule,
// factMark for the fact that is asked for.
const (
	clauseMark = "{clause}"
	factMark   = "{fact}"
)

// reasonText is what is said about a reason: what is so by which clause, and what
// the person or the clerk can do next.
type reasonText struct{ sentence, next Text }

var reasonTexts = map[Reason]reasonText{
	NotInForce: {Text{"依据{clause}，本政策在判断日期不在执行期内。", "By {clause} the policy was not in force on the deciding date."},
		Text{"下一步：请核对受理（发证、申请）日期；日期无误的，请改按当日执行的政策申领。", "Next: check the dates; if they are right, claim under the policy in force on that day."}},
	NotDeciding: {Text{"依据{clause}，本政策为框架性规定，不直接核发补贴。", "By {clause} this policy is a framework and pays nothing itself."},
		Text{"下一步：请改按本地执行的具体政策申领。", "Next: claim under the policy of the place."}},
	CertificateNotGood: {Text{"依据{clause}，证书须有效；该证书已不能用于申领补贴。", "By {clause} the certificate must be valid; this one no longer counts."},
		Text{"下一步：请持证人向发证机构核实证书状态；已更正或补发的，请用新版本证书申领。", "Next: ask the institution about the certificate; if it was corrected or reissued, claim with the new version."}},
	IssuerNotEntitled: {Text{"依据{clause}，发证机构发证时须具备本职业（工种）本等级的资格。", "By {clause} the institution must have been entitled to issue this occupation and level."},
		Text{"下一步：请持证人联系发证机构说明情况；对备案情况有异议的，请向其备案的人力资源社会保障部门申请核实。", "Next: ask the institution; if its filing is disputed, ask the authority with which it is filed to look into it."}},
	IssuedAfterReceipt: {Text{"依据{clause}，受理时应已取得证书；发证日期晚于受理日期。", "By {clause} the certificate must exist on receipt; it was issued later."},
		Text{"下一步：请核对发证日期和受理日期；证书在受理后取得的，请重新申领。", "Next: check both dates; if the certificate is the later one, claim anew."}},
	KindNotCovered: {Text{"依据{clause}，该种类的证书不在补贴范围内。", "By {clause} certificates of this kind are not paid for."},
		Text{"下一步：请核对证书种类；持有其他证书的，可用补贴范围内的证书申领。", "Next: check the kind; claim with a certificate that is paid for, if there is one."}},
	ModeNotCovered: {Text{"依据{clause}，以该方式取得的证书不在补贴范围内。", "By {clause} certificates acquired in this way are not paid for."},
		Text{"下一步：请向发证机构核实取得方式；登记有误的，由发证机构更正后再申领。", "Next: ask the institution how it was acquired; if the record is wrong, have it corrected and claim then."}},
	InstitutionNotCovered: {Text{"依据{clause}，该类别评价机构颁发的证书不在补贴范围内。", "By {clause} certificates of this class of institution are not paid for."},
		Text{"下一步：请核对发证机构类别；登记有误的，请向发证机构申请更正。", "Next: check the institution's class; if the record is wrong, ask the institution to correct it."}},
	ConditionNotMet: {Text{"依据{clause}，发证机构不符合规定的条件。", "By {clause} the institution lacks a condition that is demanded."},
		Text{"下一步：请发证机构提供薪酬挂钩、试点认定或承接名单的依据；核实后重新核验。", "Next: the institution supplies the proof of linked pay, recognition or listing; check again then."}},
	NotSupervised: {Text{"依据{clause}，未纳入监管平台的培训、评价不予补贴。", "By {clause} training and exams off the supervised platform are not paid for."},
		Text{"下一步：请培训（评价）机构核实监管平台记录；已纳入的，补报监管编号后重新核验。", "Next: the institution checks the platform; if it was on it, report the reference and check again."}},
	PlaceNotCovered: {Text{"依据{clause}，该证书须在规定的地区取得。", "By {clause} the certificate must have been acquired in the region named."},
		Text{"下一步：请核对取得地；可咨询取得地的补贴经办机构。", "Next: check the place; ask the payer of the place where it was acquired."}},
	OutsideWindow: {Text{"依据{clause}，已超过规定的申领期限。", "By {clause} the time in which to claim is over."},
		Text{"下一步：请核对发证日期和受理（申请）日期；期限内已提交的，请提供提交凭据后重新核验。", "Next: check the dates; if it was handed in in time, bring the proof and check again."}},
	WindowNotOpen: {Text{"依据{clause}，尚未到可以申领的日期。", "By {clause} it is too early to claim."},
		Text{"下一步：请自所列日期起重新提交。", "Next: hand it in again from the day named."}},
	GroupNotCovered: {Text{"依据{clause}，本人不属于规定的补贴对象。", "By {clause} the person is in none of the groups that are paid for."},
		Text{"下一步：请核对人员类别；身份有变化的，提供证明后重新核验，或改按对应人员的政策申领。", "Next: check the person's groups; bring proof of a change, or claim under the policy for that group."}},
	GroupExcluded: {Text{"依据{clause}，该类人员不享受本项补贴。", "By {clause} persons of this group are not paid for."},
		Text{"下一步：请核对人员类别；已不属于该类人员的，提供证明后重新核验。", "Next: check the person's groups; bring proof if the person has left the group."}},
	AgeNotCovered: {Text{"依据{clause}，年龄不在规定范围内。", "By {clause} the person's age is outside the bounds."},
		Text{"下一步：请核对证件上的出生日期；有误的，更正后重新核验。", "Next: check the date of birth on the document; have it corrected if it is wrong."}},
	FactNotMet: {Text{"依据{clause}，所核实的情况不符合规定条件。", "By {clause} what was found does not meet the condition."},
		Text{"下一步：请向所列来源核实；情况有误或已变化的，更新后重新核验。", "Next: ask the source that is named; if it is wrong or has changed, update it and check again."}},
	NotInCatalogue: {Text{"依据{clause}，该职业（工种）或等级未列入补贴目录。", "By {clause} the occupation, trade or level is not in the subsidy catalogue."},
		Text{"下一步：请核对职业（工种）和等级；可查阅当地公布的补贴目录。", "Next: check occupation, trade and level against the catalogue the place has published."}},
	NoAmount: {Text{"依据{clause}，该等级没有补贴标准。", "By {clause} there is no amount for this level."},
		Text{"下一步：请核对证书等级；等级无误的，不能按本政策申领。", "Next: check the level; if it is right, this policy pays nothing for it."}},
	SubjectNotCovered: {Text{"依据{clause}，申领事项与本政策不符。", "By {clause} the policy is for something else than what is claimed."},
		Text{"下一步：请核对申领事项，并按对应事项的政策申领。", "Next: check what is claimed for, and claim under the policy for it."}},
	UnitsReached: {Text{"依据{clause}，累计月数（年数）超过上限。", "By {clause} the months or years of all claims are too many."},
		Text{"下一步：请按剩余月数（年数）重新提交；已无剩余的，不能再申领。", "Next: claim again for what is left, if anything is."}},
	UnitsBeyondPeriod: {Text{"依据{clause}，申领的月数（年数）超过培训（用工）起止日期。", "By {clause} more months or years are claimed than the period has."},
		Text{"下一步：请核对起止日期和申领的月数（年数）后重新提交。", "Next: check the dates and the number, and hand it in again."}},
	ChannelNotAllowed: {Text{"依据{clause}，本项补贴应通过信息系统申领，不受理人工报盘和手工办理。", "By {clause} claims come through the system, not by file or by hand."},
		Text{"下一步：请通过系统申领；确需例外的，先取得批准文号并登记。", "Next: claim through the system, or have an exception approved and recorded first."}},
	OnceTaken: {Text{"依据{clause}，同一事项只能享受一次，已有申领。", "By {clause} the same is paid for once only, and has been claimed."},
		Text{"下一步：请核对所列申领；本机构的申领有误的，先解除锁定或更正；其他机构的，请向该机构核实。", "Next: look at the claim named; release or correct it if it is yours and wrong, or ask the other payer."}},
	CertificateUsed: {Text{"依据{clause}，同一证书只能享受一次，已有申领。", "By {clause} a certificate is paid for once only, and has been claimed for."},
		Text{"下一步：请核对证书编号和所列申领；有其他证书的，可用其他证书申领。", "Next: check the number and the claim named; claim with another certificate, if there is one."}},
	FundExcluded: {Text{"依据{clause}，已享受的其他补贴与本项补贴不能同时享受。", "By {clause} another subsidy that was claimed excludes this one."},
		Text{"下一步：请核对所列申领；该申领已解除或追回的，重新核验。", "Next: look at the claim named; check again if it was released or recovered."}},
	HigherPaidReason: {Text{"依据{clause}，同一职业已享受更高等级补贴，不再享受较低等级。", "By {clause} a higher level of the occupation was claimed, which bars the lower."},
		Text{"下一步：请核对等级和所列申领；更高等级申领有误的，先由其经办机构更正。", "Next: check the levels and the claim named; have its payer correct it if it is wrong."}},
	HigherHeldReason: {Text{"依据{clause}，已持有同一职业更高等级证书，不再享受较低等级。", "By {clause} a higher certificate of the occupation is held, which bars the lower."},
		Text{"下一步：请改用更高等级证书申领；该证书不属于本人的，请向发证机构核实。", "Next: claim with the higher certificate; if it is not the person's, ask its institution."}},
	FrequencyReached: {Text{"依据{clause}，享受次数已达上限。", "By {clause} the number of claims is reached."},
		Text{"下一步：请核对所列申领；规定为“原则上”的，可凭批准文号申请例外，否则请在下一周期申领。", "Next: look at the claims named; where the rule is one in principle an approved exception may pass, else claim in the next period."}},
	FactMissing: {Text{"依据{clause}，还需核实：{fact}。", "By {clause} this must be known: {fact}."},
		Text{"下一步：请补充{fact}，并写明来源、时间和凭据编号后重新核验。", "Next: supply {fact} with source, time and reference, and check again."}},
	FactUnusable: {Text{"依据{clause}，所报内容不能使用：{fact}。", "By {clause} this is needed, and what was reported cannot be used: {fact}."},
		Text{"下一步：请按要求重新填报{fact}，并写明来源、时间和凭据编号。", "Next: report {fact} again in the form asked for, with source, time and reference."}},
	CertificateLacks: {Text{"依据{clause}，证书信息不完整。", "By {clause} more must be known of the certificate."},
		Text{"下一步：请发证机构或登记该证书的部门补全所列信息后重新核验。", "Next: the institution, or who registered the certificate, completes what is named; check again then."}},
	CertificatePending: {Text{"依据{clause}，证书状态待定，暂不能办理。", "By {clause} the state of a certificate must be settled first."},
		Text{"下一步：请待核查、公开或联网更新完成后重新核验，申领期限请留意；不因此作出不予补贴的决定。", "Next: check again when the review, publication or update is done, and mind the time in which to claim; nothing is refused for it."}},
	SubjectLacks: {Text{"依据{clause}，申领事项信息不完整。", "By {clause} more must be known of what is claimed for."},
		Text{"下一步：请补全所列的起止日期、职业、等级或开班编号后重新提交。", "Next: complete the dates, occupation, level or class named, and hand it in again."}},
	noMatch: {Text{"姓名、证件号码、证书编号不一致，或本登记系统没有该证书。", "The name, document and number do not belong together, or this register does not have the certificate."},
		Text{"下一步：请逐项核对证件和证书后重新提交；仍不一致的，请持证人联系发证机构。", "Next: check all three against document and certificate; if they are right, the holder asks the institution."}},
}

// noMatch is what the register says instead of a decision, when there is no
// certificate to decide about.
const noMatch Reason = "no_match"

// Reasons lists every reason code, in order of the codes.
func Reasons() []Reason { return sortedKeys(reasonTexts) }

// ReasonText returns what is said about a reason and the next step for the person
// or the clerk. In the sentence {clause} stands for the rule's document and
// clause, and in both {fact} for the fact that is asked for; [Decision.Steps]
// fills them in. An unknown reason has no texts.
func ReasonText(r Reason) (sentence, next Text) {
	t := reasonTexts[r]
	return t.sentence, t.next
}

// A Step is a reason of a decision with its sentence and what to do next. It is
// no part of the decision, so that its words may change.
type Step struct {
	Rule     string `json:"rule"`
	Reason   Reason `json:"reason"`
	Fact     string `json:"fact,omitempty"` // of a reason that holds
	Sentence Text   `json:"sentence"`
	Next     Text   `json:"next"`
}

// Steps returns a step for each failing rule, or for each missing fact when none fails.
func (d Decision) Steps() []Step {
	out := []Step{}
	for _, f := range d.Failing {
		out = append(out, f.Step())
	}
	if len(out) > 0 {
		return out
	}
	for _, m := range d.Missing {
		out = append(out, m.Step())
	}
	return out
}

// Step returns the failure's sentence and next step.
func (f Failure) Step() Step {
	sentence, next := ReasonText(f.Reason)
	fill := filler(f.Clause, Text{})
	return Step{Rule: f.Rule, Reason: f.Reason, Sentence: fill(sentence), Next: fill(next)}
}

// Step returns the sentence and next step of what is missing.
func (m Missing) Step() Step {
	sentence, next := ReasonText(m.Reason)
	name := Text{ZH: m.Fact, EN: m.Fact}
	if k := FactKind(m.Fact); k.Known() {
		name = k.Name()
	}
	fill := filler(m.Clause, name)
	return Step{Rule: m.Rule, Reason: m.Reason, Fact: m.Fact, Sentence: fill(sentence), Next: fill(next)}
}

func filler(clause string, fact Text) func(Text) Text {
	put := func(text, fact string) string {
		// A clause may have the mark of a fact in it: one pass, from left to right.
		var out strings.Builder
		for {
			i := strings.IndexByte(text, '{')
			if i < 0 {
				out.WriteString(text)
				return out.String()
			}
			out.WriteString(text[:i])
			switch text = text[i:]; {
			case strings.HasPrefix(text, clauseMark):
				out.WriteString(clause)
				text = text[len(clauseMark):]
			case strings.HasPrefix(text, factMark):
				out.WriteString(fact)
				text = text[len(factMark):]
			default:
				out.WriteByte('{')
				text = text[1:]
			}
		}
	}
	return func(t Text) Text { return Text{ZH: put(t.ZH, fact.ZH), EN: put(t.EN, fact.EN)} }
}

// holdReasons are the reasons that hold a claim; all others refuse it.
var holdReasons = []Reason{FactMissing, FactUnusable, CertificateLacks, CertificatePending, WindowNotOpen, SubjectLacks}

// Holds reports whether the reason holds a claim instead of refusing it.
func (r Reason) Holds() bool { return slices.Contains(holdReasons, r) }
