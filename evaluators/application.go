package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// ApplicationState is where an application for a filing 备案申请 stands. A pair
// that is not in the table is refused as a conflict; the test of this package
// reads this table.
//
//	state     | supplement | withdraw  | return   | admit    | refuse
//	----------+------------+-----------+----------+----------+--------
//	submitted | -          | withdrawn | returned | admitted | refused
//	returned  | submitted  | withdrawn | -        | -        | refused
//	admitted  | -          | -         | -        | -        | -
//	withdrawn | -          | -         | -        | -        | -
//	refused   | -          | -         | -        | -        | -
type ApplicationState string

// The states of an application.
const (
	Submitted ApplicationState = "submitted" // 已申请
	Returned  ApplicationState = "returned"  // 待补正
	Admitted  ApplicationState = "admitted"  // 已备案
	Withdrawn ApplicationState = "withdrawn" // 已撤回
	Refused   ApplicationState = "refused"   // 不予备案
)

// ApplicationStates lists every state.
func ApplicationStates() []ApplicationState {
	return []ApplicationState{Submitted, Returned, Admitted, Withdrawn, Refused}
}

// Chinese returns the word officials use; empty for a state that does not exist.
func (s ApplicationState) Chinese() string { return applicationWords[s].zh }

// English returns an English word; empty for a state that does not exist.
func (s ApplicationState) English() string { return applicationWords[s].en }

// Open reports whether something is still to come.
func (s ApplicationState) Open() bool { return s == Submitted || s == Returned }

var applicationWords = map[ApplicationState]words{
	Submitted: {"已申请", "submitted"}, Returned: {"待补正", "returned for correction"}, Admitted: {"已备案", "admitted"},
	Withdrawn: {"已撤回", "withdrawn"}, Refused: {"不予备案", "refused"},
}

// ApplicationStep is what may be done to an application.
type ApplicationStep string

// The steps.
const (
	Supplement ApplicationStep = "supplement" // 补正后重新提交, by the applicant
	Withdraw   ApplicationStep = "withdraw"   // 撤回, by the applicant
	Return     ApplicationStep = "return"     // 一次性告知补正, by the authority
	AdmitIt    ApplicationStep = "admit"      // 予以备案, by the authority
	Refuse     ApplicationStep = "refuse"     // 不予备案, by the authority, also when it was not corrected in time
)

// ApplicationSteps lists every step.
func ApplicationSteps() []ApplicationStep {
	return []ApplicationStep{Supplement, Withdraw, Return, AdmitIt, Refuse}
}

// nextApplication is the state table above.
var nextApplication = map[ApplicationState]map[ApplicationStep]ApplicationState{
	Submitted: {Withdraw: Withdrawn, Return: Returned, AdmitIt: Admitted, Refuse: Refused},
	Returned:  {Supplement: Submitted, Withdraw: Withdrawn, Refuse: Refused},
}

// An Application 备案申请 asks the authority to file an institution, or to renew
// one of its filings. The number parts, the dates and the granted ranges are the
// authority's to give, with the [Admission].
type Application struct {
	ID          string `json:"id"`
	Institution string `json:"institution"`
	ApplicationForm
	State   ApplicationState `json:"state"`
	Applied time.Time        `json:"applied"`
	History []ApplicationAct `json:"history,omitempty"`
	Filing  string           `json:"filing,omitempty"` // what it was admitted as
}

// ApplicationForm is what the applicant fills in, and fills in anew when it was
// returned.
type ApplicationForm struct {
	Renews      string      `json:"renews,omitempty"` // 续期: the filing it renews
	Class       Class       `json:"class"`
	Province    string      `json:"province"`
	Authority   string      `json:"authority"` // 备案机关 as a region of six digits
	SiteName    string      `json:"site_name,omitempty"`
	SiteAddress string      `json:"site_address,omitempty"`
	SiteRegion  string      `json:"site_region,omitempty"` // none means the institution's own
	Scope       []ScopeItem `json:"scope"`                 // without dates: the filing's apply
	Note        string      `json:"note,omitempty"`
}

// ApplicationAct is one step that was taken.
type ApplicationAct struct {
	Step   ApplicationStep `json:"step"`
	Reason string          `json:"reason,omitempty"`
	Basis  string          `json:"basis,omitempty"` // 依据, with a refusal
	At     time.Time       `json:"at"`
}

// Admission is what the authority gives with 予以备案.
type Admission struct {
	Filing   string         `json:"-"`              // id of the filing that is made
	Code     string         `json:"code,omitempty"` // a renewal keeps its number parts: code and site may be empty
	Site     string         `json:"site,omitempty"`
	From     standards.Date `json:"from,omitempty"` // a renewal without it follows on the last day of the old filing
	Until    standards.Date `json:"until"`
	Scope    []ScopeItem    `json:"scope,omitempty"`  // narrower than applied for; none means as applied for
	Ranges   []SerialRange  `json:"ranges,omitempty"` // a renewal takes over those of the old filing
	Document string         `json:"document"`
}

// maxRounds bounds how often an application is returned.
const maxRounds = 20

// maxPending bounds the applications of one institution that are open at once.
const maxPending = 50

// Apply returns in as it is to be stored, submitted at now. filed and decisions
// are the institution's; pending are its applications that are open.
//
// Errors: Invalid application_invalid, with a field for everything wrong;
// Conflict institution_ended (it has left and was not readmitted),
// renewal_impossible, application_pending (the same filing is to be renewed by
// another application, or too many are open).
func Apply(inst Institution, filed []Filing, decisions []Decision, pending []Application, in Application, now time.Time) (Application, error) {
	in.State, in.Applied, in.History, in.Filing = Submitted, now.UTC(), nil, ""
	fs := text("id", in.ID, true, 64, "申请标识", "id of the application")
	if in.Institution != inst.ID {
		fs = append(fs, wrong("institution", "institution", "申请不属于该机构", "the application is not of this institution"))
	}
	if err := refuse("application_invalid", "备案申请有误", "the application is not right", append(fs, in.ApplicationForm.problems()...)); err != nil {
		return Application{}, err
	}
	if err := in.possible(inst, filed, decisions, now); err != nil {
		return Application{}, err
	}
	for _, p := range pending {
		if in.Renews != "" && p.Renews == in.Renews && p.State.Open() && p.ID != in.ID {
			return Application{}, fail.New(fail.Conflict, "application_pending", "application %s to renew filing %s is still open", p.ID, in.Renews).
				In("备案 %s 已有未办结的续期申请 %s", in.Renews, p.ID)
		}
	}
	if len(pending) >= maxPending {
		return Application{}, fail.New(fail.Conflict, "application_pending", "%d applications are open already", len(pending)).
			In("已有 %d 份未办结的申请，请等待办结或撤回", len(pending))
	}
	return in, nil
}

// possible asks what the records say to the application.
func (a Application) possible(inst Institution, filed []Filing, decisions []Decision, now time.Time) error {
	today := standards.DateOf(now)
	from := today
	if n := len(inst.Readmissions); n > 0 {
		from = max(from, inst.Readmissions[n-1].Effective)
	}
	if err := inst.mayFile(decisions, from, now); err != nil {
		return err
	}
	if a.Renews == "" {
		return nil
	}
	old, err := a.renewed(filed)
	if err != nil {
		return err
	}
	if old.Class != a.Class || old.Province != a.Province || old.Authority != a.Authority {
		return fail.New(fail.Conflict, "renewal_impossible", "a renewal keeps class, province and authority: filing %s has %s, %s, %s", old.ID, old.Class, old.Province, old.Authority).
			In("续期应与原备案一致：备案 %s 的类别、省份、备案机关为 %s、%s、%s；否则请申请新的备案", old.ID, old.Class, old.Province, old.Authority)
	}
	f := Filing{ID: a.ID, Institution: inst.ID, Renews: a.Renews, Class: old.Class, Code: old.Code, Province: old.Province, Site: old.Site}
	return f.follows(filed, decisions, today, now)
}

func (a Application) renewed(filed []Filing) (Filing, error) {
	at := slices.IndexFunc(filed, func(f Filing) bool { return f.ID == a.Renews && f.Institution == a.Institution })
	if at < 0 {
		return Filing{}, fail.New(fail.Conflict, "renewal_impossible", "there is no filing %s of institution %s to renew", a.Renews, a.Institution).
			In("机构 %s 没有可续期的备案 %s", a.Institution, a.Renews)
	}
	return filed[at], nil
}

// step takes one step by the table, and keeps it in the history.
func (a Application) step(act ApplicationAct, now time.Time) (Application, error) {
	to, ok := nextApplication[a.State][act.Step]
	if !ok {
		return Application{}, fail.New(fail.Conflict, "application_state", "application %s is %s; it cannot take %q", a.ID, a.State.English(), act.Step).
			In("申请 %s %s，不能办理此事项", a.ID, a.State.Chinese())
	}
	if act.Step == Return && len(a.History) >= 2*maxRounds {
		return Application{}, fail.New(fail.Conflict, "too_many_rounds", "application %s was returned %d times; admit or refuse it", a.ID, maxRounds).
			In("申请 %s 已退回补正 %d 次，请作出予以或不予备案的决定", a.ID, maxRounds)
	}
	act.At = now.UTC()
	a.State, a.History = to, append(slices.Clip(a.History), act)
	return a, nil
}

// Supplement returns the application with the form filled in anew 补正. Errors:
// Invalid application_invalid; Conflict application_state, renewal_impossible,
// institution_ended.
func (a Application) Supplement(inst Institution, filed []Filing, decisions []Decision, form ApplicationForm, now time.Time) (Application, error) {
	if form.Renews != a.Renews {
		return Application{}, refuse("application_invalid", "备案申请有误", "the application is not right", []fail.Field{wrong("renews", "changed",
			"补正不能改变所续期的备案，请撤回后重新申请", "a correction cannot change what is renewed: withdraw, and apply anew")})
	}
	if err := refuse("application_invalid", "备案申请有误", "the application is not right", form.problems()); err != nil {
		return Application{}, err
	}
	if form.Authority != a.Authority {
		return Application{}, refuse("application_invalid", "备案申请有误", "the application is not right", []fail.Field{wrong("authority", "changed",
			"补正不能改变备案机关，请撤回后重新申请", "a correction cannot change the authority: withdraw, and apply anew")})
	}
	a.ApplicationForm = form
	if err := a.possible(inst, filed, decisions, now); err != nil {
		return Application{}, err
	}
	return a.step(ApplicationAct{Step: Supplement}, now)
}

// Withdraw ends the application at the applicant's wish. Error: Conflict
// application_state.
func (a Application) Withdraw(reason string, now time.Time) (Application, error) {
	if err := stepTexts(reason, false, "", false); err != nil {
		return Application{}, err
	}
	return a.step(ApplicationAct{Step: Withdraw, Reason: reason}, now)
}

// Return asks the applicant to correct the application; reason says everything
// that has to be corrected at once 一次性告知. Errors: Invalid step_invalid;
// Conflict application_state, too_many_rounds.
func (a Application) Return(reason string, now time.Time) (Application, error) {
	if err := stepTexts(reason, true, "", false); err != nil {
		return Application{}, err
	}
	return a.step(ApplicationAct{Step: Return, Reason: reason}, now)
}

// Refuse ends the application with a reason and the rule it rests on. Errors:
// Invalid step_invalid; Conflict application_state.
func (a Application) Refuse(reason, basis string, now time.Time) (Application, error) {
	if err := stepTexts(reason, true, basis, true); err != nil {
		return Application{}, err
	}
	return a.step(ApplicationAct{Step: Refuse, Reason: reason, Basis: basis}, now)
}

func stepTexts(reason string, needsReason bool, basis string, needsBasis bool) error {
	fs := text("reason", reason, needsReason, 1000, "理由", "reason")
	return refuse("step_invalid", "填写不完整", "something is missing", append(fs, text("basis", basis, needsBasis, 500, "依据", "basis")...))
}

// Admit returns the application as admitted and the filing it becomes. filed and
// decisions are the institution's.
//
// Errors: Invalid filing_invalid, with a field for everything wrong, a scope
// wider than applied for too; Conflict application_state and those of [Admit].
func (a Application) Admit(inst Institution, filed []Filing, decisions []Decision, in Admission, now time.Time) (Application, Filing, error) {
	next, err := a.step(ApplicationAct{Step: AdmitIt}, now)
	if err != nil {
		return Application{}, Filing{}, err
	}
	f := Filing{ID: in.Filing, Institution: a.Institution, Class: a.Class, Code: in.Code, Province: a.Province, Site: in.Site,
		SiteName: a.SiteName, SiteAddress: a.SiteAddress, SiteRegion: a.SiteRegion, Authority: a.Authority,
		From: in.From, Until: in.Until, Scope: a.Scope, Ranges: in.Ranges, Document: in.Document, Renews: a.Renews, Application: a.ID}
	if len(in.Scope) > 0 {
		f.Scope = in.Scope
	}
	if a.Renews != "" {
		old, err := a.renewed(filed)
		if err != nil {
			return Application{}, Filing{}, err
		}
		f = f.goOnFrom(old, now)
	}
	if err := refuse("filing_invalid", "备案信息有误", "the filing is not right", a.beyond(f.Scope)); err != nil {
		return Application{}, Filing{}, err
	}
	if f, err = Admit(inst, filed, decisions, f, now); err != nil {
		return Application{}, Filing{}, err
	}
	next.Filing = f.ID
	return next, f, nil
}

// goOnFrom fills in what a renewal has from the filing it renews: number parts,
// the day after its last, the site as it stands, other sites, and what was
// recorded on it for days still to come.
func (f Filing) goOnFrom(old Filing, now time.Time) Filing {
	f.Code, f.Site = cmp.Or(f.Code, old.Code), cmp.Or(f.Site, old.Site)
	f.From = cmp.Or(f.From, old.Until.AddDays(1))
	own := old.SiteOn("", min(old.Until, max(old.From, standards.DateOf(now))), now)
	f.SiteName, f.SiteAddress, f.SiteRegion = cmp.Or(f.SiteName, own.Name), cmp.Or(f.SiteAddress, own.Address), cmp.Or(f.SiteRegion, own.Region)
	f.SiteChanges = old.carriedTo(f, now)
	for _, g := range old.Groups {
		if g.Until == "" || g.Until >= f.From {
			f.Groups = append(f.Groups, g)
		}
	}
	f.Recognitions = slices.Clone(old.Recognitions)
	return f
}

// beyond names what of a scope was not applied for.
func (a Application) beyond(scope []ScopeItem) (fs []fail.Field) {
	for i, s := range scope {
		for _, l := range s.Levels.Levels() {
			if !slices.ContainsFunc(a.Scope, func(t ScopeItem) bool {
				return t.Occupation == s.Occupation && (t.Trade == "" || t.Trade == s.Trade) && t.Levels.Has(l)
			}) {
				fs = append(fs, wrong(fmt.Sprintf("scope[%d].levels", i), "not_applied_for",
					fmt.Sprintf("%s %s%s不在申请范围内", s.Occupation, s.Trade, l.Certificate()),
					fmt.Sprintf("%s %s %s was not applied for", s.Occupation, s.Trade, l.Code())))
			}
		}
	}
	return fs
}

func (a ApplicationForm) problems() (fs []fail.Field) {
	if a.Class != Employer && a.Class != Social {
		fs = append(fs, wrong("class", "class", fmt.Sprintf("机构类别应为 Y（用人单位）或 S（社会培训评价组织），实为 %q", a.Class),
			fmt.Sprintf("the class must be Y (employer) or S (social evaluator), not %q", a.Class)))
	}
	fs = append(fs, province("province", a.Province, "所在地省级代码", "province code")...)
	if a.Authority != ministry {
		fs = append(fs, region("authority", a.Authority, "备案机关区划代码", "region of the filing authority")...)
	}
	if a.SiteRegion != "" {
		fs = append(fs, region("site_region", a.SiteRegion, "站点所在地区划代码", "region of the site")...)
	}
	fs = append(fs, text("site_name", a.SiteName, false, 100, "站点名称", "name of the site")...)
	fs = append(fs, text("site_address", a.SiteAddress, false, 200, "站点地址", "address of the site")...)
	fs = append(fs, text("note", a.Note, false, 1000, "说明", "note")...)
	switch {
	case len(a.Scope) == 0:
		return append(fs, wrong("scope", "missing", "申请范围不能为空", "the scope is empty"))
	case len(a.Scope) > maxScope:
		return append(fs, wrong("scope", "too_many", fmt.Sprintf("申请范围不超过 %d 项", maxScope), fmt.Sprintf("the scope has at most %d items", maxScope)))
	}
	for i, s := range a.Scope {
		at := fmt.Sprintf("scope[%d].", i)
		if s.From != "" || s.Until != "" {
			fs = append(fs, wrong(at+"from", "dates", "申请范围不填日期，随备案有效期", "the scope of an application has no dates: the filing's apply"))
		}
		fs = append(fs, ScopeItem{Occupation: s.Occupation, Trade: s.Trade, Levels: s.Levels}.problems(Filing{}, at)...)
	}
	return fs
}
