package credit

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/rulefile"
	"bajigong/standards"
)

// ListRules say whom a region may choose to carry subsidised work 承接补贴性任务,
// from a date on.
type ListRules struct {
	rulefile.Head `yaml:",inline"`

	// Bands are the credit bands that may be chosen; any when empty.
	Bands []string `yaml:"bands,omitempty" json:"bands,omitempty"`
	// Stars is the least star rating; none is asked for when 0.
	Stars int `yaml:"stars,omitempty" json:"stars,omitempty"`
	// Methods are the ways of choosing.
	Methods []Method `yaml:"methods" json:"methods"`
}

// Method is a way of choosing 选定方式.
type Method struct {
	Code   string `yaml:"code" json:"code"`
	Name   Text   `yaml:"name" json:"name"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Sample string `yaml:"sample,omitempty" json:"sample,omitempty"`
}

// Problems says what is wrong with a file beyond its form.
func (r ListRules) Problems() []Text {
	var p problems
	p.say(r.Stars >= 0 && r.Stars <= 5, "stars 应为 0 至 5", "stars is 0 to 5")
	p.say(len(r.Bands) <= 20, "bands 最多 20 项", "there are at most 20 bands")
	p.say(len(r.Methods) > 0 && len(r.Methods) <= most, "应有 methods", "there are methods")
	for _, m := range r.Methods {
		p.say(codeForm.MatchString(m.Code), "选定方式代码 "+m.Code+" 有误", "the method code "+m.Code+" is not right")
		p.named("选定方式 method", m.Code, m.Name)
	}
	return p
}

// A TaskList 承接补贴任务名单 is one selection of institutions with its basis.
type TaskList struct {
	ID       string         `json:"id"`
	Region   string         `json:"region"` // GB/T 2260: whose work is carried
	Name     string         `json:"name"`
	Document string         `json:"document"`
	Basis    string         `json:"basis"`
	Method   string         `json:"method"` // of the rule file
	From     standards.Date `json:"from"`
	Until    standards.Date `json:"until"`
	Recorded time.Time      `json:"recorded"`
	// Rules, Bands and Stars are the criteria when it was made.
	Rules  string   `json:"rules"`
	Sample string   `json:"sample,omitempty"`
	Bands  []string `json:"bands,omitempty"`
	Stars  int      `json:"stars,omitempty"`
	// Entries is how many institutions were ever entered.
	Entries int `json:"entries"`
}

// An Entry is one institution on a task list.
type Entry struct {
	ID          string `json:"id"`
	List        string `json:"list"`
	Region      string `json:"region"` // of the list
	Institution string `json:"institution"`
	// Occupations it may carry work for, by code; every one when empty.
	Occupations []string       `json:"occupations,omitempty"`
	From        standards.Date `json:"from"`
	Until       standards.Date `json:"until"`
	Recorded    time.Time      `json:"recorded"`
	// Band and StarsHad are what the institution had when it was chosen.
	Band     string      `json:"band"`
	StarsHad int         `json:"stars"`
	Removed  *Withdrawal `json:"removed,omitempty"`
}

// NewList returns in as it is to be stored. Errors: Invalid task_list_invalid;
// Conflict list_rules_missing.
func NewList(files rulefile.Set[ListRules], in TaskList, now time.Time) (TaskList, error) {
	var f faults
	f.text("id", in.ID, true, 64, "标识", "id")
	f.text("name", in.Name, true, 100, "名单名称", "name")
	f.text("document", in.Document, true, 100, "文号", "document")
	f.text("basis", in.Basis, true, 500, "依据", "basis")
	f.span("from", "until", in.From, in.Until)
	rules, ok := files.On(in.Region, string(standards.DateOf(now)))
	if ok && !slices.ContainsFunc(rules.Methods, func(m Method) bool { return m.Code == in.Method }) {
		f.add("method", "unknown", fmt.Sprintf("名单规则 %s 中没有选定方式 %s", rules.ID, in.Method), fmt.Sprintf("the list rules %s have no method %s", rules.ID, in.Method))
	}
	if err := f.refuse("task_list_invalid", "承接补贴任务名单有误", "the task list is not right"); err != nil {
		return TaskList{}, err
	}
	if !ok {
		return TaskList{}, conflict("list_rules_missing", in.Region+" 没有施行中的名单规则文件", "no list rule file is in force in "+in.Region)
	}
	in.Recorded, in.Entries = now.UTC(), 0
	in.Rules, in.Sample, in.Bands, in.Stars = rules.ID, rules.Sample, rules.Bands, rules.Stars
	return in, nil
}

// Candidacy is an institution that is to be entered, with what is known of it.
type Candidacy struct {
	Entry
	Row     int  // place in the request, from 1
	Exists  bool // the institution is in the register
	Already bool // it is on the list
}

// Enter returns the entries as they are to be stored: all, or none with every
// reason. Errors: Invalid task_list_invalid; Conflict task_list_criteria.
func (l TaskList) Enter(in []Candidacy, now time.Time) ([]Entry, error) {
	var f, unmet faults
	var out []Entry
	seen := map[string]bool{}
	for _, c := range in {
		c.Entry.List, c.Region, c.Recorded, c.Removed = l.ID, l.Region, now.UTC(), nil
		if c.From == "" {
			c.From = l.From
		}
		if c.Until == "" {
			c.Until = l.Until
		}
		at := func(name string) string { return fmt.Sprintf("institutions[%d].%s", c.Row-1, name) }
		if !c.Exists {
			f.add(at("institution"), "unknown", "没有该评价机构", "there is no such institution")
		}
		if seen[c.Institution] {
			f.add(at("institution"), "repeated", "该机构重复", "the institution is there twice")
		}
		seen[c.Institution] = true
		f.span(at("from"), at("until"), c.From, c.Until)
		if c.From < l.From || c.Until > l.Until {
			f.add(at("from"), "outside", fmt.Sprintf("应在名单期限 %s 至 %s 之内", l.From, l.Until), fmt.Sprintf("must lie within the list's dates, %s to %s", l.From, l.Until))
		}
		if len(c.Occupations) > most {
			f.add(at("occupations"), "too_many", "最多 200 个职业", "at most 200 occupations")
		}
		if c.Already {
			unmet.add(at("institution"), "listed", "该机构已在本名单内", "the institution is on this list already")
		}
		l.criteria(&unmet, at("institution"), c)
		out = append(out, c.Entry)
	}
	if err := f.refuse("task_list_invalid", "承接补贴任务名单有误", "the task list is not right"); err != nil {
		return nil, err
	}
	if len(unmet) > 0 {
		return nil, fail.New(fail.Conflict, "task_list_criteria", "%d reason(s) against the selection by the list rules %s; nothing was entered", len(unmet), l.Rules).
			In("按名单规则 %s，有 %d 项不符合选定条件；未录入任何机构", l.Rules, len(unmet)).At(unmet...)
	}
	return out, nil
}

func (l TaskList) criteria(f *faults, at string, c Candidacy) {
	if !c.Exists {
		return
	}
	if len(l.Bands) > 0 && !slices.Contains(l.Bands, c.Band) {
		f.add(at, "band", fmt.Sprintf("信用等级 %s，应为 %v（%s）", c.Band, l.Bands, l.Rules), fmt.Sprintf("its credit band is %s and must be one of %v (%s)", c.Band, l.Bands, l.Rules))
	}
	if c.StarsHad < l.Stars {
		f.add(at, "stars", fmt.Sprintf("星级 %d，应不低于 %d（%s）", c.StarsHad, l.Stars, l.Rules), fmt.Sprintf("it has %d star(s) and must have %d (%s)", c.StarsHad, l.Stars, l.Rules))
	}
}

// Remove takes an institution off the list from a day on, which is not before
// the entry was in force. Errors: Invalid task_list_invalid; Conflict
// task_list_removed.
func (e Entry) Remove(in Withdrawal, now time.Time) (Entry, error) {
	if e.Removed != nil {
		return e, conflict("task_list_removed", fmt.Sprintf("该机构已自 %s 移出名单", e.Removed.On.Chinese()), fmt.Sprintf("the institution was removed from %s on", e.Removed.On))
	}
	var f faults
	f.text("document", in.Document, true, 100, "文号", "document")
	f.text("reason", in.Reason, true, 500, "事由", "reason")
	switch {
	case !in.On.Valid():
		f.add("on", "date", "移出日期应为实际存在的日期，如 2026-03-02", "the day of removal must be an existing day, for instance 2026-03-02")
	case in.On < e.From || in.On > e.Until:
		f.add("on", "outside", fmt.Sprintf("移出日期应在 %s 至 %s 之间", e.From, e.Until), fmt.Sprintf("the day of removal lies between %s and %s", e.From, e.Until))
	}
	if err := f.refuse("task_list_invalid", "移出名单有误", "the removal is not right"); err != nil {
		return e, err
	}
	in.At = now.UTC()
	e.Removed = &in
	return e, nil
}

// ListQuery asks whether an institution was chosen to carry subsidised work.
type ListQuery struct {
	Occupation string         // code; empty: for any
	Region     string         // whose work: its own list, or one of a region above; empty: any list
	On         standards.Date // the day, usually of the exam
	Known      time.Time      // as known at this time
}

// Listed returns the entries of an institution that answer the question with
// yes, in the order given; none is no.
func Listed(entries []Entry, q ListQuery) (out []Entry) {
	for _, e := range entries {
		gone := e.Removed != nil && !e.Removed.At.After(q.Known) && q.On >= e.Removed.On
		if e.Recorded.After(q.Known) || q.On < e.From || q.On > e.Until || gone {
			continue
		}
		if q.Occupation != "" && len(e.Occupations) > 0 && !slices.Contains(e.Occupations, q.Occupation) {
			continue
		}
		if q.Region != "" && !slices.Contains(rulefile.Upward(q.Region), e.Region) {
			continue
		}
		out = append(out, e)
	}
	return out
}
