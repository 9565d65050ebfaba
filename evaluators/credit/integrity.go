package credit

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// IntegrityRules are the kinds of entries in the integrity files 诚信档案 of
// candidates and examiners, in one region from a date on.
type IntegrityRules struct {
	rulefile.Head `yaml:",inline"`

	Kinds []IntegrityKind `yaml:"kinds" json:"kinds"`
	// AppealDays is how many working days after it was recorded an entry can be
	// appealed against.
	AppealDays int `yaml:"appeal_days" json:"appeal_days"`
}

// IntegrityKind is something a person can be entered for.
type IntegrityKind struct {
	Code string `yaml:"code" json:"code"`
	Name Text   `yaml:"name" json:"name"`
	// Subjects are whom it can befall.
	Subjects []SubjectKind `yaml:"subjects" json:"subjects"`
	// BarMonths is how long the person may not take part; not barred when 0.
	BarMonths int `yaml:"bar_months" json:"bar_months"`
	// FileMonths is how long the entry stays on file.
	FileMonths int `yaml:"file_months" json:"file_months"`
	// BarredOnAppeal says that the bar holds while an appeal runs.
	BarredOnAppeal bool   `yaml:"barred_on_appeal" json:"barred_on_appeal"`
	Source         string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample         string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// SubjectKind is what a person is in an integrity file.
type SubjectKind string

// The kinds of subjects.
const (
	SubjectCandidate SubjectKind = "candidate" // 考生, named by a person id
	SubjectExaminer  SubjectKind = "examiner"  // 考评人员, named by an examiner id
)

// Problems says what is wrong with a file beyond its form.
func (r IntegrityRules) Problems() []Text {
	var p problems
	seen := map[string]bool{}
	p.say(len(r.Kinds) > 0 && len(r.Kinds) <= most, "应有 kinds，最多 200 项", "there are kinds, at most 200")
	p.say(r.AppealDays >= 1 && r.AppealDays <= 250, "appeal_days 应为 1 至 250", "appeal_days is 1 to 250")
	for _, k := range r.Kinds {
		p.say(codeForm.MatchString(k.Code) && !seen[k.Code], "代码 "+k.Code+" 有误或重复", "the code "+k.Code+" is not right or there twice")
		seen[k.Code] = true
		p.named("种类 kind", k.Code, k.Name)
		p.say(k.BarMonths >= 0 && k.BarMonths <= 1200, "bar_months 应为 0 至 1200", "bar_months is 0 to 1200")
		p.say(k.FileMonths >= max(1, k.BarMonths) && k.FileMonths <= 1200, "file_months 应不短于 bar_months，为 1 至 1200", "file_months is 1 to 1200 and not less than bar_months")
		p.say(len(k.Subjects) > 0, "种类 "+k.Code+" 应有 subjects", "the kind "+k.Code+" has subjects")
		for _, s := range k.Subjects {
			p.say(s == SubjectCandidate || s == SubjectExaminer, "subjects 应为 candidate 或 examiner", "subjects are candidate or examiner")
		}
	}
	return p
}

// IntegrityState is how far an entry has come; see the package comment.
type IntegrityState string

// The states of an entry.
const (
	IntegrityInForce   IntegrityState = "in_force"
	IntegrityAppealed  IntegrityState = "appealed"  // 申诉中
	IntegrityAnnulled  IntegrityState = "annulled"  // 申诉成立，自始无效
	IntegrityConfirmed IntegrityState = "confirmed" // 申诉不成立，维持
)

// IntegrityStates lists every state.
func IntegrityStates() []IntegrityState {
	return []IntegrityState{IntegrityInForce, IntegrityAppealed, IntegrityAnnulled, IntegrityConfirmed}
}

// Chinese returns the word officials use.
func (s IntegrityState) Chinese() string {
	return map[IntegrityState]string{IntegrityInForce: "有效", IntegrityAppealed: "申诉中", IntegrityAnnulled: "已撤销（申诉成立）", IntegrityConfirmed: "维持（申诉不成立）"}[s]
}

// IntegrityAct is what may be done to an entry.
type IntegrityAct string

// The acts.
const (
	IntegrityAppeal IntegrityAct = "appeal"
	IntegrityUphold IntegrityAct = "uphold"
	IntegrityReject IntegrityAct = "reject"
)

// IntegrityActs lists every act.
func IntegrityActs() []IntegrityAct {
	return []IntegrityAct{IntegrityAppeal, IntegrityUphold, IntegrityReject}
}

var integrityNext = map[IntegrityState]map[IntegrityAct]IntegrityState{
	IntegrityInForce:  {IntegrityAppeal: IntegrityAppealed},
	IntegrityAppealed: {IntegrityUphold: IntegrityAnnulled, IntegrityReject: IntegrityConfirmed},
}

// Subject names a person without saying who it is: a person id of the register,
// or the id of an examiner.
type Subject struct {
	Kind SubjectKind `json:"kind"`
	ID   string      `json:"id"`
}

// IntegrityEntry is one entry of an integrity file.
type IntegrityEntry struct {
	ID             string         `json:"id"`
	Kind           string         `json:"kind"`
	Name           Text           `json:"name"`
	Rules          string         `json:"rules"`
	Sample         string         `json:"sample,omitempty"`
	Region         string         `json:"region"` // of the authority that recorded it
	Occurred       standards.Date `json:"occurred"`
	From           standards.Date `json:"from,omitempty"`  // first day of the bar; none when empty
	Until          standards.Date `json:"until,omitempty"` // last day of the bar
	FileUntil      standards.Date `json:"file_until"`      // last day on file
	AppealUntil    standards.Date `json:"appeal_until"`
	BarredOnAppeal bool           `json:"barred_on_appeal"`
	Session        string         `json:"session,omitempty"`
	Document       string         `json:"document"`
	Basis          string         `json:"basis"`
	Recorded       time.Time      `json:"recorded"`
	State          IntegrityState `json:"state"`
	Appeal         *Appeal        `json:"appeal,omitempty"`
}

// Appeal 申诉 is an appeal against an entry and its outcome.
type Appeal struct {
	Ground   string     `json:"ground"`
	At       time.Time  `json:"at"`
	Decided  *time.Time `json:"decided,omitempty"`
	Upheld   bool       `json:"upheld,omitempty"`
	Document string     `json:"document,omitempty"`
	Reason   string     `json:"reason,omitempty"`
}

// IntegrityFile 诚信档案 are the entries of one person, oldest first.
type IntegrityFile struct {
	Subject
	Entries []IntegrityEntry `json:"entries"`
}

// MaxIntegrityEntries is how many entries one file has.
const MaxIntegrityEntries = 200

// Enter returns the file with one more entry. The bar begins on the day the entry
// is recorded: nobody is barred before it could be known. Its end and the time on
// file count from that day. Errors: Invalid
// integrity_invalid; Conflict integrity_rules_missing, integrity_full.
func (p IntegrityFile) Enter(files rulefile.Set[IntegrityRules], cal standards.Calendar, in IntegrityEntry, now time.Time) (IntegrityFile, error) {
	today := standards.DateOf(now)
	var f faults
	f.text("id", in.ID, true, 64, "标识", "id")
	f.past("occurred", in.Occurred, today, "发生日期", "day it happened")
	f.text("document", in.Document, true, 100, "文号", "document")
	f.text("basis", in.Basis, true, 500, "依据", "basis")
	f.text("session", in.Session, false, 64, "认定批次", "session")
	rules, inForce := files.On(in.Region, string(in.Occurred))
	i := slices.IndexFunc(rules.Kinds, func(k IntegrityKind) bool { return k.Code == in.Kind })
	switch {
	case inForce && i < 0:
		f.add("kind", "unknown", fmt.Sprintf("诚信档案规则 %s 中没有种类 %s", rules.ID, in.Kind), fmt.Sprintf("the integrity rules %s have no kind %s", rules.ID, in.Kind))
	case inForce && !slices.Contains(rules.Kinds[i].Subjects, p.Kind):
		f.add("kind", "not_of_subject", fmt.Sprintf("种类 %s 适用于 %v", in.Kind, rules.Kinds[i].Subjects), fmt.Sprintf("the kind %s is for %v", in.Kind, rules.Kinds[i].Subjects))
	}
	if err := f.refuse("integrity_invalid", "诚信记录有误", "the integrity entry is not right"); err != nil {
		return p, err
	}
	if !inForce {
		return p, conflict("integrity_rules_missing", fmt.Sprintf("%s 没有在 %s 施行的诚信档案规则文件", in.Region, in.Occurred), fmt.Sprintf("no integrity rule file is in force in %s on %s", in.Region, in.Occurred))
	}
	if len(p.Entries) >= MaxIntegrityEntries {
		return p, conflict("integrity_full", "该档案记录已达上限", "the file has as many entries as it can have")
	}
	k := rules.Kinds[i]
	in.Name, in.Rules, in.Sample, in.BarredOnAppeal = k.Name, rules.ID, rules.Sample, k.BarredOnAppeal
	in.From, in.Until = "", ""
	if k.BarMonths > 0 {
		in.From, in.Until = today, addMonths(today, k.BarMonths).AddDays(-1)
	}
	in.FileUntil = addMonths(today, k.FileMonths).AddDays(-1)
	in.AppealUntil, _ = cal.AddWorkingDays(today, rules.AppealDays)
	in.Recorded, in.State, in.Appeal = now.UTC(), IntegrityInForce, nil
	p.Entries = append(slices.Clone(p.Entries), in)
	return p, nil
}

// act applies fn to an entry if its state allows it.
func (p IntegrityFile) act(id string, do IntegrityAct, fn func(*IntegrityEntry) error) (IntegrityFile, error) {
	i := slices.IndexFunc(p.Entries, func(e IntegrityEntry) bool { return e.ID == id })
	if i < 0 {
		return p, conflict("integrity_unknown", "档案中没有记录 "+id, "the file has no entry "+id)
	}
	p.Entries = slices.Clone(p.Entries)
	e := &p.Entries[i]
	next, ok := integrityNext[e.State][do]
	if !ok {
		return p, conflict("integrity_state", fmt.Sprintf("诚信记录 %s %s，不能进行此操作（%s）", id, e.State.Chinese(), do), fmt.Sprintf("the integrity entry %s is %s; it does not allow: %s", id, e.State, do))
	}
	if err := fn(e); err != nil {
		return p, err
	}
	e.State = next
	return p, nil
}

// Appeal files the appeal of the person. Errors: Invalid integrity_invalid;
// Conflict integrity_state, integrity_appeal_late.
func (p IntegrityFile) Appeal(id, ground string, now time.Time) (IntegrityFile, error) {
	return p.act(id, IntegrityAppeal, func(e *IntegrityEntry) error {
		var f faults
		f.text("ground", ground, true, 500, "申诉理由", "ground")
		if err := f.refuse("integrity_invalid", "申诉有误", "the appeal is not right"); err != nil {
			return err
		}
		if today := standards.DateOf(now); today > e.AppealUntil {
			return conflict("integrity_appeal_late", fmt.Sprintf("申诉期限已于 %s 届满（规则 %s）", e.AppealUntil.Chinese(), e.Rules), fmt.Sprintf("an appeal could be filed until %s (rules %s)", e.AppealUntil, e.Rules))
		}
		e.Appeal = &Appeal{Ground: ground, At: now.UTC()}
		return nil
	})
}

// Decide decides on the appeal. Upheld: the entry is void from the start.
func (p IntegrityFile) Decide(id string, upheld bool, document, reason string, now time.Time) (IntegrityFile, error) {
	do := IntegrityReject
	if upheld {
		do = IntegrityUphold
	}
	return p.act(id, do, func(e *IntegrityEntry) error {
		var f faults
		f.text("document", document, true, 100, "文号", "document")
		f.text("reason", reason, true, 500, "理由", "reason")
		if err := f.refuse("integrity_invalid", "申诉决定有误", "the decision is not right"); err != nil {
			return err
		}
		at := now.UTC()
		decided := *e.Appeal
		decided.Decided, decided.Upheld, decided.Document, decided.Reason = &at, upheld, document, reason
		e.Appeal = &decided
		return nil
	})
}

// Barred returns the entry by which the person may not take part on a day, as
// known at a time; of several the one that ends last.
func (p IntegrityFile) Barred(on standards.Date, known time.Time) (out IntegrityEntry, ok bool) {
	for _, e := range p.Entries {
		if e.Recorded.After(known) || e.From == "" || on < e.From || e.Until != "" && on > e.Until {
			continue
		}
		if a := e.Appeal; a != nil && !a.At.After(known) {
			decided := a.Decided != nil && !a.Decided.After(known)
			if decided && a.Upheld || !decided && !e.BarredOnAppeal {
				continue
			}
		}
		if !ok || out.Until != "" && (e.Until == "" || e.Until > out.Until) {
			out, ok = e, true
		}
	}
	return out, ok
}

// OnFile returns the entries that are still on file on a day and were not
// annulled.
func (p IntegrityFile) OnFile(on standards.Date) (out []IntegrityEntry) {
	for _, e := range p.Entries {
		if e.State != IntegrityAnnulled && (e.FileUntil == "" || on <= e.FileUntil) {
			out = append(out, e)
		}
	}
	return out
}
