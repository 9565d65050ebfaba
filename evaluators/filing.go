package evaluators

import (
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// Class is the first character of a certificate number 评价机构类别代码.
type Class string

// The two classes of the national rule.
const (
	Employer Class = "Y" // 用人单位: examines its own people
	Social   Class = "S" // 社会培训评价组织: examines the public
)

// ProvincialCode is the institution part of the number of everybody filed with a
// province; 0001–9999 are filed with the ministry.
const ProvincialCode = "0000"

// A Filing 备案 is one admission of an institution: the parts of the numbers it
// issues under, its site, its dates, and what it may examine. A filing covers
// its first and its last day.
type Filing struct {
	ID          string         `json:"id"`
	Institution string         `json:"institution"`
	Class       Class          `json:"class"`
	Code        string         `json:"code"`     // 评价机构代码, four digits, 0000 when filed with a province
	Province    string         `json:"province"` // 机构（站点）所在地省级代码, two digits
	Site        string         `json:"site"`     // 机构（站点）序列码, six digits given by the province
	SiteName    string         `json:"site_name,omitempty"`
	SiteAddress string         `json:"site_address,omitempty"`
	Region      string         `json:"region,omitempty"` // of the site, six digits; the institution's when it was not given
	Authority   string         `json:"authority"`        // 备案机关 as a region of six digits; 000000 is the ministry
	From        standards.Date `json:"from"`
	Until       standards.Date `json:"until"`
	Scope       []ScopeItem    `json:"scope"`
	Ranges      []SerialRange  `json:"ranges,omitempty"` // granted 号段; none means all serials
	Document    string         `json:"document"`         // 备案文号
	Recorded    time.Time      `json:"recorded"`         // the store's time, UTC

	Renews      string `json:"renews,omitempty"`      // 续期: the filing that this one goes on from
	Application string `json:"application,omitempty"` // 备案申请 it was admitted on
	SiteRegion  string `json:"site_region,omitempty"` // six digits; none means the institution's own region
	// Former is the last decision on the institution's former standing, when it
	// was admitted anew after an exit (see [Readmission]). Decisions up to it do
	// not hit this filing.
	Former string `json:"former,omitempty"`

	// What was recorded on the filing later. Each list is only ever added to.
	ScopeChanges []ScopeChange   `json:"scope_changes,omitempty"` // 扩项、减项
	SiteChanges  []SiteChange    `json:"site_changes,omitempty"`  // 考点
	Bodies       []Supervision   `json:"bodies,omitempty"`        // 备案机关、属地监管机关、行业主管部门
	Groups       []AdmittedGroup `json:"groups,omitempty"`        // class Y: whom it may examine besides its own people
	Recognitions []Recognition   `json:"recognitions,omitempty"`  // class Y: 薪酬挂钩、试点认定
}

// Prefix returns the first 13 characters of the numbers issued under the filing:
// class, institution, province and site. Two filings of one institution that do
// not overlap in time may share a prefix, and then share the serial numbers too.
func (f Filing) Prefix() string { return string(f.Class) + f.Code + f.Province + f.Site }

// Covers reports whether the dates of the filing include on.
func (f Filing) Covers(on standards.Date) bool { return f.From <= on && on <= f.Until }

func (f Filing) target(occupation string) Target {
	return Target{Institution: f.Institution, Filing: f.ID, Province: f.Province, Site: f.Site, Occupation: occupation}
}

// Admit returns in as it is to be stored, recorded at now, after checking it
// against its institution's earlier filings and decisions. That no other
// institution has a filing with this prefix is for the registry's index to say.
//
// Errors: Invalid filing_invalid, with a field for everything wrong; Conflict
// blacklisted, institution_ended (it has left or was removed and was not
// readmitted by the first day), filing_exists (the ID is taken), filing_overlaps
// (an earlier filing with the same prefix has not ended and shares a day),
// renewal_impossible (what it renews is not there, has ended, or has other number
// parts).
func Admit(inst Institution, filed []Filing, decisions []Decision, in Filing, now time.Time) (Filing, error) {
	in.Recorded = now.UTC()
	if in.Region == "" {
		in.Region = inst.Region
	}
	if err := refuse("filing_invalid", "备案信息有误", "the filing is not right", in.problems(inst)); err != nil {
		return Filing{}, err
	}
	today := standards.DateOf(now)
	if d, barred := Barred(decisions, today, now); barred {
		return Filing{}, d.Barring()
	}
	if err := inst.mayFile(decisions, in.From, now); err != nil {
		return Filing{}, err
	}
	in.Former = inst.former(in.From, now)
	if err := in.follows(filed, decisions, today, now); err != nil {
		return Filing{}, err
	}
	for _, f := range filed {
		if f.ID == in.ID {
			return Filing{}, fail.New(fail.Conflict, "filing_exists", "filing %s is already recorded", f.ID).
				In("备案 %s 已记录", f.ID)
		}
		if f.Prefix() == in.Prefix() && f.From <= in.Until && in.From <= f.Until &&
			f.StatusAt(decisions, today, now) != Terminated {
			return Filing{}, fail.New(fail.Conflict, "filing_overlaps", "filing %s has the same number parts %s from %s to %s; the new one must begin after that, or the old one must end first",
				f.ID, f.Prefix(), f.From, f.Until).
				In("备案 %s 的编码 %s 相同，有效期 %s 至 %s；新备案应在其后开始，或先终止原备案", f.ID, f.Prefix(), f.From, f.Until)
		}
	}
	return in, nil
}

func (f Filing) problems(inst Institution) []fail.Field {
	fs := text("id", f.ID, true, 64, "备案标识", "id of the filing")
	if f.Institution != inst.ID {
		fs = append(fs, wrong("institution", "institution",
			fmt.Sprintf("备案属于机构 %q，不是 %q", f.Institution, inst.ID),
			fmt.Sprintf("the filing is of institution %q, not of %q", f.Institution, inst.ID)))
	}
	fs = append(fs, f.partProblems()...)
	fs = append(fs, text("site_name", f.SiteName, false, 100, "站点名称", "name of the site")...)
	fs = append(fs, text("site_address", f.SiteAddress, false, 200, "站点地址", "address of the site")...)
	fs = append(fs, region("region", f.Region, "站点所在地区划代码", "region of the site")...)
	fs = append(fs, f.authorityProblems()...)
	if f.SiteRegion != "" {
		fs = append(fs, region("site_region", f.SiteRegion, "站点所在地区划代码", "region of the site")...)
	}
	fs = append(fs, text("document", f.Document, true, 100, "备案文号", "number of the filing document")...)
	fs = append(fs, period("", f.From, f.Until, true)...)
	if len(f.Scope) == 0 {
		fs = append(fs, wrong("scope", "missing", "备案范围不能为空", "the scope is empty"))
	}
	if len(f.Scope) > maxScope || len(f.Ranges) > maxScope {
		return append(fs, wrong("scope", "too_many", fmt.Sprintf("备案范围和号段各不超过 %d 项，请分成多项备案", maxScope),
			fmt.Sprintf("scope and ranges have at most %d items each; record several filings", maxScope)))
	}
	for i, s := range f.Scope {
		fs = append(fs, s.problems(f, fmt.Sprintf("scope[%d].", i))...)
	}
	return append(fs, rangeProblems(f.Ranges)...)
}

// maxScope bounds the items of a filing, and the sessions a decision names.
const maxScope = 1000

// partProblems checks the parts of the number, 人社鉴发〔2019〕2号.
func (f Filing) partProblems() (fs []fail.Field) {
	if f.Class != Employer && f.Class != Social {
		fs = append(fs, wrong("class", "class",
			fmt.Sprintf("机构类别应为 Y（用人单位）或 S（社会培训评价组织），实为 %q", f.Class),
			fmt.Sprintf("the class must be Y (employer) or S (social evaluator), not %q", f.Class)))
	}
	fs = append(fs, digits("code", f.Code, 4, "评价机构代码", "institution code")...)
	fs = append(fs, province("province", f.Province, "所在地省级代码", "province code")...)
	return append(fs, digits("site", f.Site, 6, "机构（站点）序列码", "site code")...)
}

// authorityProblems: a provincial filing is made in its own province.
func (f Filing) authorityProblems() []fail.Field {
	if f.Code != ProvincialCode && f.Authority == ministry {
		return nil
	}
	fs := region("authority", f.Authority, "备案机关区划代码", "region of the filing authority")
	if len(fs) == 0 && f.Code == ProvincialCode && f.Authority[:2] != f.Province {
		fs = append(fs, wrong("authority", "province",
			fmt.Sprintf("省级备案（机构代码 0000）的备案机关应在省 %s 内，实为 %s", f.Province, f.Authority),
			fmt.Sprintf("a provincial filing (code 0000) is made in its province %s, not with %s", f.Province, f.Authority)))
	}
	return fs
}

// period checks two dates, each of which may be absent unless needed.
func period(at string, from, until standards.Date, needed bool) (fs []fail.Field) {
	for _, d := range []struct {
		name   string
		date   standards.Date
		zh, en string
	}{{"from", from, "起始日期", "first day"}, {"until", until, "截止日期", "last day"}} {
		if d.date == "" && needed {
			fs = append(fs, wrong(at+d.name, "missing", d.zh+"不能为空", "the "+d.en+" is missing"))
		} else if d.date != "" && !d.date.Valid() {
			fs = append(fs, wrong(at+d.name, "date", d.zh+"应为实际存在的日期，如 2026-03-02",
				"the "+d.en+" must be an existing day, for instance 2026-03-02"))
		}
	}
	if len(fs) == 0 && from != "" && until != "" && until < from {
		fs = append(fs, wrong(at+"until", "order",
			fmt.Sprintf("截止日期 %s 早于起始日期 %s", until, from),
			fmt.Sprintf("the last day %s is before the first day %s", until, from)))
	}
	return fs
}
