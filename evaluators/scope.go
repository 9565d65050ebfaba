package evaluators

import (
	"fmt"
	"slices"
	"time"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A ScopeItem is what a filing covers: an occupation or one of its trades, at
// some levels, within dates.
type ScopeItem struct {
	Occupation string             `json:"occupation"`      // code d-dd-dd-dd
	Trade      string             `json:"trade,omitempty"` // catalogue id; none means the whole occupation with all its trades
	Levels     standards.LevelSet `json:"levels"`
	From       standards.Date     `json:"from,omitempty"`  // none means the filing's
	Until      standards.Date     `json:"until,omitempty"` // none means the filing's
}

// scope returns the items that cover occupation, trade and level on whatever
// day, as far as recorded by known, or the reason why there is none.
func (f Filing) scope(occupation, trade string, level standards.Level, known time.Time) ([]ScopeItem, Reason) {
	var items []ScopeItem
	reason := ReasonOutOfScopeOccupation
	for _, s := range f.everIn(known) {
		switch {
		case s.Occupation != occupation:
		case s.Trade != "" && s.Trade != trade:
			if reason == ReasonOutOfScopeOccupation {
				reason = ReasonOutOfScopeTrade
			}
		case !s.Levels.Has(level):
			reason = ReasonOutOfScopeLevel
		default:
			items = append(items, s)
		}
	}
	if len(items) > 0 {
		reason = ""
	}
	return items, reason
}

// anyCovers reports whether one of the items is in force on a date, within the
// dates of the filing.
func (f Filing) anyCovers(items []ScopeItem, on standards.Date) bool {
	return f.Covers(on) && slices.ContainsFunc(items, func(s ScopeItem) bool {
		return s.From <= on && (s.Until == "" || on <= s.Until)
	})
}

func (s ScopeItem) problems(f Filing, at string) (fs []fail.Field) {
	if code, err := standards.ParseOccupationCode(s.Occupation); err != nil || code != s.Occupation {
		fs = append(fs, wrong(at+"occupation", "occupation",
			fmt.Sprintf("职业代码应形如 4-03-02-01，实为 %q", s.Occupation),
			fmt.Sprintf("the occupation code must read like 4-03-02-01, not %q", s.Occupation)))
	}
	fs = append(fs, text(at+"trade", s.Trade, false, 20, "工种", "trade")...)
	if s.Levels == 0 {
		fs = append(fs, wrong(at+"levels", "missing", "未填写等级", "the levels are missing"))
	}
	for _, l := range s.Levels.Levels() {
		if !l.Examined() {
			fs = append(fs, wrong(at+"levels", "not_examined",
				fmt.Sprintf("%s不经考试认定，不能列入认定范围", l.Name()),
				fmt.Sprintf("%s is not awarded by examination and cannot be in the scope", l.English())))
		}
	}
	fs = append(fs, period(at, s.From, s.Until, false)...)
	if s.From != "" && s.From < f.From {
		fs = append(fs, wrong(at+"from", "outside",
			fmt.Sprintf("早于备案起始日期 %s", f.From), fmt.Sprintf("before the filing begins on %s", f.From)))
	}
	if s.Until > f.Until {
		fs = append(fs, wrong(at+"until", "outside",
			fmt.Sprintf("晚于备案截止日期 %s", f.Until), fmt.Sprintf("after the filing ends on %s", f.Until)))
	}
	return fs
}

// CheckScope compares a scope with the catalogue of occupations and returns a
// field for each thing that no certificate could be issued for: an occupation or
// trade that does not exist, one of the 准入类, a level that the standard does not
// have. The codes are those of [standards.Catalogue.Standard]. An item without a
// trade passes at a level that the occupation or any of its trades has. Levels
// that the catalogue does not know are not held against it.
func CheckScope(c standards.Catalogue, scope []ScopeItem) []fail.Field {
	var fs []fail.Field
	for i, s := range scope {
		var codes []string
		for _, l := range s.Levels.Levels() {
			err := evaluated(c, s, l)
			code := fail.CodeOf(err)
			if err == nil || code == "levels_unknown" || slices.Contains(codes, code) {
				continue
			}
			codes = append(codes, code)
			fs = append(fs, wrong(fmt.Sprintf("scope[%d].%s", i, scopeField(code)), code, fail.Of(err).ZH, fail.Of(err).Text))
		}
	}
	return fs
}

func scopeField(code string) string {
	switch code {
	case "occupation_restricted", "occupation_unknown":
		return "occupation"
	case "trade_unknown":
		return "trade"
	}
	return "levels"
}

// evaluated returns nil when the item is evaluated at the level by the newest
// standard.
func evaluated(c standards.Catalogue, s ScopeItem, l standards.Level) error {
	_, err := c.Standard(s.Occupation, s.Trade, l, "")
	if err == nil || s.Trade != "" {
		return err
	}
	occ, _ := c.Occupation(s.Occupation)
	for _, t := range occ.Trades {
		if _, err := c.Standard(s.Occupation, t.ID, l, ""); err == nil {
			return nil
		}
	}
	return err
}
