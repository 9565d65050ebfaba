package evaluators

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A Target is what a decision hits: a whole institution or, of everything the
// institution may do, what all the fields that are set have in common. Filing
// and Site exclude each other; a trade needs its occupation. A part that
// has none of a field is hit whatever a certificate has there; a field of the
// decision that the part does not say is not hit: the suspension of level three
// is none of the occupation as such.
type Target struct {
	Institution string `json:"institution"`
	Filing      string `json:"filing,omitempty"`
	// Province and Site are 省级代码 and 机构（站点）序列码 of the number prefix: two
	// and six digits. They hit every filing of the institution at that site.
	// Sequence codes are given by each province, so that one alone is not a site.
	Province   string             `json:"province,omitempty"`
	Site       string             `json:"site,omitempty"`
	Occupation string             `json:"occupation,omitempty"` // code d-dd-dd-dd
	Trade      string             `json:"trade,omitempty"`      // catalogue id
	Levels     standards.LevelSet `json:"levels,omitempty"`     // none means every level
}

// A Part is what a certificate is for, as far as decisions may hit it alone.
// Empty fields say nothing.
type Part struct {
	Occupation string
	Trade      string // catalogue id, empty when the certificate shows --
	Level      standards.Level
}

// Covers reports whether u is t or lies under it. A filing lies under its site
// only when u names that too.
func (t Target) Covers(u Target) bool {
	return t.Institution == u.Institution &&
		(t.Filing == "" || t.Filing == u.Filing) &&
		(t.Site == "" || t.Site == u.Site && t.Province == u.Province) &&
		(t.Occupation == "" || t.Occupation == u.Occupation) &&
		(t.Trade == "" || t.Trade == u.Trade) &&
		(t.Levels == 0 || u.Levels != 0 && t.Levels.Contains(u.Levels))
}

// part is what of the filing a question is about.
func (f Filing) part(p Part) Target {
	t := f.target(p.Occupation)
	t.Trade, t.Levels = p.Trade, standards.LevelsOf(p.Level)
	return t
}

// within returns t with the site of its filing, which decisions on the site
// cover.
func (t Target) within(filed []Filing) Target {
	if i := slices.IndexFunc(filed, func(f Filing) bool { return t.Filing != "" && f.ID == t.Filing }); i >= 0 {
		t.Province, t.Site = filed[i].Province, filed[i].Site
	}
	return t
}

// placed returns t with the province of its site when the filings leave no
// choice.
func (t Target) placed(filed []Filing) Target {
	if t.Site == "" || t.Province != "" {
		return t
	}
	found := ""
	for _, f := range filed {
		if f.Institution == t.Institution && f.Site == t.Site {
			if found != "" && found != f.Province {
				return t
			}
			found = f.Province
		}
	}
	t.Province = found
	return t
}

// filings returns those that t hits or has a part of.
func (t Target) filings(filed []Filing) (out []Filing) {
	for _, f := range filed {
		if f.Institution == t.Institution && (t.Filing == "" || f.ID == t.Filing) &&
			(t.Site == "" || f.Site == t.Site && f.Province == t.Province) {
			out = append(out, f)
		}
	}
	return out
}

// Chinese names the target for people: 备案 f-1 的职业 6-31-01-03 三级/高级工.
func (t Target) Chinese() string { return t.chinese() }

// English names the target for people.
func (t Target) English() string { return t.english() }

func (t Target) chinese() string {
	s := "机构 " + t.Institution
	switch {
	case t.Filing != "":
		s = "备案 " + t.Filing
	case t.Site != "":
		s += " 的站点 " + t.Province + t.Site
	}
	if t.Occupation != "" {
		s += " 的职业 " + t.Occupation
	}
	if t.Trade != "" {
		s += " 工种 " + t.Trade
	}
	if t.Levels != 0 {
		s += " 的等级 " + t.Levels.Chinese()
	}
	return s
}

func (t Target) english() string {
	s := "institution " + t.Institution
	switch {
	case t.Filing != "":
		s = "filing " + t.Filing
	case t.Site != "":
		s = "site " + t.Province + t.Site + " of " + s
	}
	if t.Occupation != "" {
		s = "occupation " + t.Occupation + " of " + s
	}
	if t.Trade != "" {
		s = "trade " + t.Trade + " of " + s
	}
	if t.Levels != 0 {
		s = "level " + t.Levels.String() + " of " + s
	}
	return s
}

// CheckTarget returns t with the province of its site, and a field for whatever
// of it the institution does not have.
func CheckTarget(inst Institution, filed []Filing, t Target) (Target, []fail.Field) {
	t = t.placed(filed)
	return t, t.problems(inst, filed)
}

// problems says what of the target does not exist.
func (t Target) problems(inst Institution, filed []Filing) (fs []fail.Field) {
	if t.Institution != inst.ID {
		return append(fs, wrong("institution", "institution",
			fmt.Sprintf("决定针对机构 %q，不是 %q", t.Institution, inst.ID),
			fmt.Sprintf("the decision is on institution %q, not on %q", t.Institution, inst.ID)))
	}
	under := t.filings(filed)
	switch {
	case t.Filing != "" && t.Site != "":
		return append(fs, wrong("site", "both", "备案与站点只能写一项：备案已有站点", "name a filing or a site, not both: a filing has its site"))
	case t.Filing != "" && len(under) == 0:
		return append(fs, wrong("filing", "filing",
			fmt.Sprintf("机构 %s 没有备案 %s", inst.ID, t.Filing),
			fmt.Sprintf("institution %s has no filing %s", inst.ID, t.Filing)))
	case t.Site == "" && t.Province != "":
		return append(fs, wrong("province", "site", "省级代码须与站点序列码同时填写", "a province is written together with a site"))
	case t.Site != "" && len(under) == 0:
		return append(fs, wrong("site", "site",
			fmt.Sprintf("机构 %s 的备案中没有站点 %s%s；同一序列码见于多省时须写明省级代码", inst.ID, t.Province, t.Site),
			fmt.Sprintf("no filing of institution %s is at site %s%s; where several provinces gave it one code, write the province too", inst.ID, t.Province, t.Site)))
	}
	return append(fs, t.scopeProblems(under)...)
}

// scopeProblems says what is in no scope of the filings concerned.
func (t Target) scopeProblems(under []Filing) (fs []fail.Field) {
	if t.Trade != "" && t.Occupation == "" {
		return append(fs, wrong("trade", "occupation", "写工种须同时写职业", "a trade is written together with its occupation"))
	}
	var occupation, trade bool
	var levels standards.LevelSet
	for _, f := range under {
		for _, s := range f.everIn(time.Time{}) {
			if t.Occupation != "" && s.Occupation != t.Occupation {
				continue
			}
			occupation = true
			if t.Trade != "" && s.Trade != "" && s.Trade != t.Trade {
				continue
			}
			trade = true
			levels |= s.Levels
		}
	}
	switch {
	case t.Occupation != "" && !occupation:
		fs = append(fs, wrong("occupation", "occupation",
			fmt.Sprintf("%s 不在备案范围内", t.Occupation),
			fmt.Sprintf("occupation %s is not in the scope of any filing concerned", t.Occupation)))
	case t.Trade != "" && !trade:
		fs = append(fs, wrong("trade", "trade",
			fmt.Sprintf("工种 %s 不在备案范围内", t.Trade),
			fmt.Sprintf("trade %s is not in the scope of any filing concerned", t.Trade)))
	case !levels.Contains(t.Levels):
		missing := t.Levels &^ levels
		fs = append(fs, wrong("levels", "level",
			fmt.Sprintf("等级 %s 不在备案范围内", missing.Chinese()),
			fmt.Sprintf("level %s is not in the scope of any filing concerned", missing)))
	}
	return fs
}
