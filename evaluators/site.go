package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// SiteState is where a place of examination 考点 of a filing stands. The filing's
// own site, named by the six digits of its numbers, is open from its first day
// and is never closed: it ends with the filing. Any other is absent until it is
// opened, and a closed one stays closed; another id is opened in its place. A
// pair that is not in the table is refused as a conflict; the test of this
// package reads this table.
//
//	state     | open | change    | suspend   | resume | close
//	----------+------+-----------+-----------+--------+-------
//	absent    | open | -         | -         | -      | -
//	open      | -    | open      | suspended | -      | closed
//	suspended | -    | suspended | -         | open   | closed
//	closed    | -    | -         | -         | -      | -
type SiteState string

// The states of a site.
const (
	SiteAbsent    SiteState = "absent"    // 未启用
	SiteOpen      SiteState = "open"      // 启用
	SiteSuspended SiteState = "suspended" // 暂停
	SiteClosed    SiteState = "closed"    // 关闭
)

// Chinese returns the word officials use; empty for a state that does not exist.
func (s SiteState) Chinese() string { return siteWords[s].zh }

// English returns an English word; empty for a state that does not exist.
func (s SiteState) English() string { return siteWords[s].en }

var siteWords = map[SiteState]words{
	SiteAbsent: {"未启用", "not opened"}, SiteOpen: {"启用", "open"},
	SiteSuspended: {"暂停", "suspended"}, SiteClosed: {"已关闭", "closed"},
}

// SiteChangeKind is what a change does to a site.
type SiteChangeKind string

// The kinds of change.
const (
	OpenSite    SiteChangeKind = "open"    // 增设
	MoveSite    SiteChangeKind = "change"  // 变更名称、地址
	SuspendSite SiteChangeKind = "suspend" // 暂停: nobody is examined and nothing issued there until resumed
	ResumeSite  SiteChangeKind = "resume"  // 恢复
	CloseSite   SiteChangeKind = "close"   // 撤销考点
)

// SiteChangeKinds lists every kind of change.
func SiteChangeKinds() []SiteChangeKind {
	return []SiteChangeKind{OpenSite, MoveSite, SuspendSite, ResumeSite, CloseSite}
}

// nextSite is the state table above.
var nextSite = map[SiteState]map[SiteChangeKind]SiteState{
	SiteAbsent:    {OpenSite: SiteOpen},
	SiteOpen:      {MoveSite: SiteOpen, SuspendSite: SiteSuspended, CloseSite: SiteClosed},
	SiteSuspended: {MoveSite: SiteSuspended, ResumeSite: SiteOpen, CloseSite: SiteClosed},
}

// A SiteChange is a recorded change of one site. It counts from its date, or from
// when it was recorded if that is later.
type SiteChange struct {
	Site     string         `json:"site,omitempty"` // none is the filing's own site; others have an id of their own
	Kind     SiteChangeKind `json:"kind"`
	Name     string         `json:"name,omitempty"`    // with open and change
	Address  string         `json:"address,omitempty"` // with open and change
	Region   string         `json:"region,omitempty"`  // six digits, with open and change
	From     standards.Date `json:"from"`
	Document string         `json:"document"`
	Reason   string         `json:"reason,omitempty"`
	Relation Relation       `json:"relation,omitempty"` // in which the authority acted
	Recorded time.Time      `json:"recorded"`
}

// InForce returns the moment from which the change counts.
func (c SiteChange) InForce() time.Time {
	if start := c.From.Time(); start.After(c.Recorded) {
		return start.UTC()
	}
	return c.Recorded
}

// A Site is a place of examination as it stands.
type Site struct {
	ID      string         `json:"id,omitempty"` // none is the filing's own site
	Name    string         `json:"name,omitempty"`
	Address string         `json:"address,omitempty"`
	Region  string         `json:"region,omitempty"` // none means the institution's own
	State   SiteState      `json:"state"`
	Since   standards.Date `json:"since"` // the date of the change that made it so
	by      SiteChange
}

// SitesOn returns the filing's own site and every other that was ever opened, as
// they stood on a date and were known at a time. A change that the table does not
// allow in the order of coming into force changes nothing.
func (f Filing) SitesOn(on standards.Date, known time.Time) []Site {
	out := []Site{{Name: f.SiteName, Address: f.SiteAddress, Region: f.SiteRegion, State: SiteOpen, Since: f.From}}
	for _, c := range f.siteChanges(on, known) {
		at := slices.IndexFunc(out, func(s Site) bool { return s.ID == c.Site })
		if at < 0 {
			at = len(out)
			out = append(out, Site{ID: c.Site, State: SiteAbsent})
		}
		if to, ok := nextSite[out[at].State][c.Kind]; ok {
			out[at] = out[at].after(c, to)
		}
	}
	return slices.DeleteFunc(out, func(s Site) bool { return s.State == SiteAbsent })
}

func (s Site) after(c SiteChange, to SiteState) Site {
	if s.State != to {
		s.State, s.Since, s.by = to, c.From, c
	}
	s.Name, s.Address, s.Region = cmp.Or(c.Name, s.Name), cmp.Or(c.Address, s.Address), cmp.Or(c.Region, s.Region)
	return s
}

// SiteOn returns one site, absent if it is not open yet or never was.
func (f Filing) SiteOn(id string, on standards.Date, known time.Time) Site {
	for _, s := range f.SitesOn(on, known) {
		if s.ID == id {
			return s
		}
	}
	return Site{ID: id, State: SiteAbsent}
}

func (f Filing) siteChanges(on standards.Date, known time.Time) []SiteChange {
	var out []SiteChange
	for _, c := range f.SiteChanges {
		if !c.Recorded.After(known) && c.From <= on {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b SiteChange) int {
		return cmp.Or(a.InForce().Compare(b.InForce()), a.Recorded.Compare(b.Recorded))
	})
	return out
}

// ChangeSite returns the filing with in recorded at now.
//
// Errors: Invalid site_change_invalid, with a field for everything wrong;
// Conflict site_state (the state of the site does not allow it), suspended_above
// (the 备案机关 suspended it, the 属地监管机关 cannot lift that), filing_ended,
// too_many_changes.
func (f Filing) ChangeSite(decisions []Decision, in SiteChange, now time.Time) (Filing, error) {
	in.Recorded = now.UTC()
	if err := refuse("site_change_invalid", "考点变更有误", "the change of site is not right", in.problems(f)); err != nil {
		return Filing{}, err
	}
	if err := f.over(decisions, in.InForce(), now); err != nil {
		return Filing{}, err
	}
	if len(f.SiteChanges) >= maxChanges {
		return Filing{}, tooMany("考点", "changes of sites")
	}
	at := in.InForce()
	site := f.SiteOn(in.Site, standards.DateOf(at), at)
	state := site.State
	if state == SiteSuspended && in.Kind == ResumeSite && in.Relation == RelationLocal && site.by.Relation == RelationFiling {
		return Filing{}, fail.New(fail.Conflict, "suspended_above", "site %s was suspended by the filing authority (%s), which alone lifts it", in.label(), site.by.Document).
			In("考点 %s 由备案机关暂停（%s），应由备案机关恢复", in.label(), site.by.Document)
	}
	if _, ok := nextSite[state][in.Kind]; !ok {
		return Filing{}, fail.New(fail.Conflict, "site_state", "site %s of filing %s is %s on %s; it cannot take %q", in.label(), f.ID, state.English(), standards.DateOf(at), in.Kind).
			In("备案 %s 的考点 %s 在 %s %s，不能作此变更", f.ID, in.label(), standards.DateOf(at), state.Chinese())
	}
	f.SiteChanges = append(slices.Clip(f.SiteChanges), in)
	return f, nil
}

func (c SiteChange) label() string { return cmp.Or(c.Site, "（备案站点 own）") }

func (c SiteChange) problems(f Filing) []fail.Field {
	fs := text("site", c.Site, false, 20, "考点标识", "id of the site")
	placed := c.Kind == OpenSite || c.Kind == MoveSite
	switch {
	case !slices.Contains(SiteChangeKinds(), c.Kind):
		fs = append(fs, wrong("kind", "kind", fmt.Sprintf("变更种类 %q 不存在，应为 open、change、suspend、resume 或 close", c.Kind),
			fmt.Sprintf("there is no kind of change %q; write open, change, suspend, resume or close", c.Kind)))
	case c.Site == "" && c.Kind == CloseSite:
		fs = append(fs, wrong("site", "own", "备案站点随备案终止，不能单独关闭；请办理备案退出", "the filing's own site ends with the filing: record its exit instead"))
	case c.Kind == OpenSite:
		fs = append(fs, text("site", c.Site, true, 20, "考点标识", "id of the site")...)
		fs = append(fs, text("name", c.Name, true, 100, "考点名称", "name of the site")...)
		fs = append(fs, text("address", c.Address, true, 200, "考点地址", "address of the site")...)
	case c.Kind == MoveSite && c.Name == "" && c.Address == "" && c.Region == "":
		fs = append(fs, wrong("address", "missing", "未填写变更后的名称、地址或区划", "the new name, address or region is missing"))
	case !placed && (c.Name != "" || c.Address != "" || c.Region != ""):
		fs = append(fs, wrong("address", "kind", "只有增设和变更可以填写名称、地址和区划", "name, address and region come with open and change only"))
	}
	if placed {
		fs = append(fs, text("name", c.Name, false, 100, "考点名称", "name of the site")...)
		fs = append(fs, text("address", c.Address, false, 200, "考点地址", "address of the site")...)
		if c.Region != "" {
			fs = append(fs, region("region", c.Region, "考点所在地区划代码", "region of the site")...)
		}
	}
	fs = append(fs, text("document", c.Document, true, 100, "变更文号", "number of the document")...)
	fs = append(fs, text("reason", c.Reason, c.Kind == SuspendSite, 1000, "事由", "reason")...)
	fs = append(fs, day("from", c.From, "生效日期", "effective date")...)
	if c.From.Valid() && !f.Covers(c.From) {
		fs = append(fs, wrong("from", "outside", fmt.Sprintf("生效日期不在备案有效期 %s 至 %s 内", f.From, f.Until),
			fmt.Sprintf("the effective date is not within the filing, %s to %s", f.From, f.Until)))
	}
	return fs
}

// carriedTo returns the changes that open, in a renewal from a day on, the other
// sites which stand in f when the renewal is recorded; a suspension goes with
// its site.
func (f Filing) carriedTo(next Filing, now time.Time) (out []SiteChange) {
	for _, s := range f.SitesOn(min(f.Until, max(f.From, standards.DateOf(now))), now) {
		if s.ID != "" && s.State != SiteClosed {
			out = append(out, SiteChange{Site: s.ID, Kind: OpenSite, Name: s.Name, Address: s.Address, Region: s.Region,
				From: next.From, Document: next.Document, Recorded: now.UTC()})
		}
		if s.State == SiteSuspended {
			c := s.by
			c.From, c.Recorded = next.From, now.UTC()
			out = append(out, c)
		}
	}
	return out
}

// fact is the change that made the state, or the filing where there is none.
func (s Site) fact(f Filing) Fact {
	if s.by.Kind == "" {
		return f.fact()
	}
	return s.by.fact(f)
}

func (c SiteChange) fact(f Filing) Fact {
	return Fact{Filing: f.ID, Document: c.Document, Effective: c.From, Recorded: c.Recorded}
}
