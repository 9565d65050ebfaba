package eligibility

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// BasisKind is on what basis somebody applies 申报依据.
type BasisKind string

// The bases. 破格 and 越级 admit to the exam (允许破格或越级参加技师、高级技师考评,
// 苏人社发〔2018〕76号 三（四）2); they are no way to a certificate without one.
const (
	Normal        BasisKind = "normal"         // 正常
	Exceptional   BasisKind = "exceptional"    // 破格
	LevelSkipping BasisKind = "level_skipping" // 越级
)

// BasisKinds lists the bases.
func BasisKinds() []BasisKind { return []BasisKind{Normal, Exceptional, LevelSkipping} }

type basisWords struct{ zh, en string }

var basisNames = map[BasisKind]basisWords{
	Normal: {"正常", "normal"}, Exceptional: {"破格", "exceptional"}, LevelSkipping: {"越级", "level-skipping"},
}

// Chinese returns the word officials use; empty for a basis that does not exist.
func (k BasisKind) Chinese() string { return basisNames[k].zh }

// English returns it in English.
func (k BasisKind) English() string { return basisNames[k].en }

// ParseBasisKind reads a basis as forms and files write it: 正常, 正常申报, 破格,
// 越级, or the code; nothing is normal. Error: Invalid basis_unknown.
func ParseBasisKind(s string) (BasisKind, error) {
	t := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "申报")
	if t == "" {
		return Normal, nil
	}
	for _, k := range BasisKinds() {
		if t == string(k) || t == k.Chinese() || t == k.English() {
			return k, nil
		}
	}
	return "", fail.New(fail.Invalid, "basis_unknown", "the application basis is normal, exceptional or level_skipping").
		In("申报依据应为 正常、破格 或 越级")
}

// Basis is the basis of one application. For 破格 and 越级 document, approver and
// date are needed.
type Basis struct {
	Kind     BasisKind      `json:"kind"`               // empty is normal
	Document string         `json:"document,omitempty"` // 文号 or title of what approves it
	Approver string         `json:"approver,omitempty"` // who approved: an office, not a person
	Date     standards.Date `json:"date,omitempty"`     // of the approval
}

// problems says what is missing for the basis to count on a date.
func (b Basis) problems(on standards.Date) (out []rulefile.Text) {
	say := func(ok bool, zh, en string) {
		if !ok {
			out = append(out, rulefile.Text{ZH: b.Kind.Chinese() + "申报：" + zh, EN: b.Kind.English() + " application: " + en})
		}
	}
	filled := func(s string) bool {
		n := utf8.RuneCountInString(strings.TrimSpace(s))
		return n > 0 && n <= maxText
	}
	say(filled(b.Document), fmt.Sprintf("应写明依据文件，不超过 %d 个字", maxText), fmt.Sprintf("the document of approval is needed, at most %d characters", maxText))
	say(filled(b.Approver), fmt.Sprintf("应写明批准单位，不超过 %d 个字", maxText), fmt.Sprintf("the approver is needed, at most %d characters", maxText))
	say(b.Date.Valid(), "应写明批准日期，如 2026-03-02", "the date of approval is needed, such as 2026-03-02")
	say(!b.Date.Valid() || b.Date <= on, fmt.Sprintf("批准日期 %s 晚于申报日期 %s", b.Date, on), fmt.Sprintf("it was approved on %s, after the date of application %s", b.Date, on))
	return out
}

// Eligible says whether somebody may take the exam on a basis, by which
// conditions, and if not, why not. On the normal basis one condition has to be
// satisfied. On another, one has to be satisfied but for what the region's rules
// waive for it at this level; a basis that is not allowed or not complete is
// refused even if the normal one would do. A waiver reaches neither scores nor
// publicity.
func Eligible(result Result, b Basis) (ok bool, keys []string, reasons []rulefile.Text) {
	keys = result.Keys()
	waived, reasons := result.waived(b)
	if len(reasons) > 0 {
		return false, nil, reasons
	}
	for _, u := range result.Unsatisfied {
		if !slices.ContainsFunc(u.Missing, func(m Missing) bool { return !slices.Contains(waived, m.Kind) }) {
			keys = append(keys, u.Key)
		}
		reasons = append(reasons, rulefile.Text{ZH: u.Key + "：" + u.ZH, EN: u.Key + ": " + u.EN})
	}
	slices.Sort(keys)
	if len(keys) > 0 {
		return true, keys, nil
	}
	if len(reasons) == 0 {
		l := result.Question.Level
		reasons = append(reasons, rulefile.Text{ZH: fmt.Sprintf("规则文件中没有%s的申报条件", l.Certificate()), EN: fmt.Sprintf("the rule files have no conditions for %s", l.Certificate())})
	}
	return false, nil, reasons
}

// waived returns what a basis waives, or why it cannot count.
func (r Result) waived(b Basis) (waived []MissingKind, reasons []rulefile.Text) {
	switch b.Kind {
	case "", Normal:
		return nil, nil
	case Exceptional, LevelSkipping:
	default:
		return nil, []rulefile.Text{{ZH: "申报依据应为 正常、破格 或 越级", EN: "the application basis is normal, exceptional or level_skipping"}}
	}
	reasons = b.problems(r.Question.On)
	for _, w := range r.Waivers {
		if w.Basis == b.Kind && slices.Contains(w.Levels, r.Question.Level) {
			return w.Waives, reasons
		}
	}
	l := r.Question.Level
	return nil, append(reasons, rulefile.Text{ZH: fmt.Sprintf("本地区规则不允许%s申报%s", b.Kind.Chinese(), l.Certificate()),
		EN: fmt.Sprintf("the rules of this region allow no %s application for %s", b.Kind.English(), l.Certificate())})
}
