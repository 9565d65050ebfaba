package web

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// directoryFilters are the filters of the directory, of its page and in the API.
var directoryFilters = []parameter{
	{Name: "occupation", Description: "code, name, or the beginning of a name"},
	{Name: "level", Description: "a level of the scope, such as senior or 三级"},
	{Name: "region", Description: "region code of the site: 2, 4 or 6 digits, with all that is in it"},
	{Name: "status", Description: "where the filing stands today", Enum: statusWords()},
	{Name: "class", Description: "Y employers, S social evaluators", Enum: []string{"S", "Y"}},
	{Name: "stars", Description: "at least so many stars in a rating that is in force", Enum: []string{"1", "2", "3", "4", "5"}},
}

func statusWords() (out []string) {
	for _, s := range registry.DirectoryStatuses() {
		out = append(out, string(s))
	}
	return out
}

func filterNames() (out []string) {
	for _, p := range directoryFilters {
		out = append(out, p.Name)
	}
	return out
}

// directoryFilter reads the filters of the query.
func (c *call) directoryFilter() (f registry.DirectoryFilter, err error) {
	values := map[string]string{}
	for _, name := range filterNames() {
		if values[name], err = c.query(name); err != nil {
			return f, err
		}
		values[name] = strings.TrimSpace(values[name])
	}
	f = registry.DirectoryFilter{Occupation: values["occupation"], Region: values["region"],
		Status: credentials.InstitutionStatus(values["status"]), Class: evaluators.Class(values["class"])}
	if text := values["stars"]; text != "" {
		if f.Stars, err = strconv.Atoi(text); err != nil {
			f.Stars = -1 // refused with the other filters
		}
	}
	if text := values["level"]; text != "" {
		if f.Level, err = standards.ParseLevel(text); err != nil {
			e := fail.Of(err)
			return f, fail.New(fail.Invalid, "directory_filter", "the directory cannot be filtered like this").In("目录筛选条件有误").
				At(fail.Field{Name: "level", Code: e.Code, ZH: e.ZH, EN: e.Text})
		}
	}
	return f, nil
}

func (s *Server) institutions(c *call, _ none) (registry.DirectoryPage, error) {
	page, err := c.page(pageMost)
	if err != nil {
		return registry.DirectoryPage{}, err
	}
	f, err := c.directoryFilter()
	if err != nil {
		return registry.DirectoryPage{}, err
	}
	return s.reg.FindInstitutions(c.ctx, f, page)
}

func (s *Server) institutionHistory(c *call, _ none) (registry.InstitutionHistory, error) {
	id, err := c.param("id")
	if err != nil {
		return registry.InstitutionHistory{}, err
	}
	return s.reg.HistoryOf(c.ctx, id)
}

// institutionWords is how pages name what concerns institutions.
type institutionWords struct {
	page
	// Names are occupations by code, for the scopes on this page.
	Names map[string]string
}

// directoryPage is one page of the directory of institutions.
type directoryPage struct {
	institutionWords
	registry.DirectoryPage
	// Filter is what was typed, Filtered whether anything was.
	Filter   map[string]string
	Filtered bool
}

// directoryRows is how many institutions a page shows.
const directoryRows = 20

func (s *Server) directoryPage(c *call) error {
	cursor, err := c.query("cursor")
	if err != nil {
		return err
	}
	p := directoryPage{institutionWords: s.institutionWords(c), Filter: map[string]string{}}
	p.filters = filterNames()
	p.Title = p.T("评价机构目录", "Directory of institutions")
	for _, name := range p.filters {
		p.Filter[name] = strings.TrimSpace(c.fiber.Query(name))
		p.Filtered = p.Filtered || p.Filter[name] != ""
	}
	f, err := c.directoryFilter()
	if err == nil {
		p.DirectoryPage, err = s.reg.FindInstitutions(c.ctx, f, registry.Page{Cursor: cursor, Limit: directoryRows})
	}
	if fail.CodeOf(err) == "directory_filter" {
		p.problems(err, "occupation", map[string]string{"level": "level", "region": "region", "status": "status", "class": "class", "stars": "stars"})
		c.status = fiber.StatusBadRequest
	} else if err != nil {
		return err
	}
	for _, inst := range p.Items {
		for _, f := range inst.Filings {
			for _, item := range f.ScopeNow {
				s.nameScope(c, p.Names, []evaluators.ScopeItem{item.ScopeItem})
			}
		}
	}
	if c.status == fiber.StatusOK {
		c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	}
	return s.pages.send(c, "directory", p)
}

func (s *Server) institutionWords(c *call) institutionWords {
	return institutionWords{page: s.pages.page(c.fiber, ""), Names: map[string]string{}}
}

// maxNames is how many occupations are looked up for one page; each is a read,
// and codes stand for themselves.
const maxNames = 100

func (s *Server) nameScope(c *call, names map[string]string, scope []evaluators.ScopeItem) {
	for _, item := range scope {
		if _, asked := names[item.Occupation]; asked {
			continue
		}
		if o, ok := s.reg.Starter().Occupation(item.Occupation); ok {
			names[item.Occupation] = o.Name
		} else if len(names) < maxNames {
			names[item.Occupation] = ""
			if o, err := s.reg.OccupationByCode(c.ctx, item.Occupation); err == nil {
				names[item.Occupation] = o.Name
			}
		}
	}
}

// Mark is the sign beside a status: good, caution, bad or unproven.
func (p institutionWords) Mark(status credentials.InstitutionStatus) credentials.Band {
	switch status {
	case credentials.Filed:
		return credentials.Good
	case credentials.InstitutionOnHold, credentials.Rectifying:
		return credentials.Caution
	case credentials.InstitutionUnknown:
		return credentials.Unproven
	}
	return credentials.Bad
}

// StarChoices are what the filter by stars offers.
func (p directoryPage) StarChoices() []string { return []string{"5", "4", "3", "2", "1"} }

// StarText is a number of stars as the page writes it.
func (p institutionWords) StarText(n int) string { return strings.Repeat("★", n) }

// Word is a status in words.
func (p institutionWords) Word(status credentials.InstitutionStatus) string {
	return status.Text(p.Lang)
}

// Levels lists levels as the directory writes them, one by one.
func (p institutionWords) Levels(set standards.LevelSet) string {
	var out []string
	for _, l := range set.Levels() {
		out = append(out, p.LevelOf(l))
	}
	return strings.Join(out, p.T("、", ", "))
}

// ClassName is the class of an institution's numbers in words.
func (p institutionWords) ClassName(class evaluators.Class) string {
	return map[evaluators.Class]string{evaluators.Employer: p.T("用人单位", "Employer"), evaluators.Social: p.T("社会培训评价组织", "Social evaluator")}[class]
}

// StatusChoices and ClassChoices are what one can filter by.
func (p directoryPage) StatusChoices() []credentials.InstitutionStatus {
	return registry.DirectoryStatuses()
}

// ClassChoices are the classes of institutions.
func (p directoryPage) ClassChoices() []evaluators.Class {
	return []evaluators.Class{evaluators.Social, evaluators.Employer}
}

// LevelChoices are the levels a filing can have.
func (p directoryPage) LevelChoices() []standards.Level { return standards.ExaminedLevels() }

// institutionPage is one institution over time.
type institutionPage struct {
	institutionWords
	History registry.InstitutionHistory
	// Credit is nil when no credit rules are in force.
	Credit *creditOfPage
}

func (s *Server) institutionPage(c *call) error {
	id, err := c.param("id")
	if err != nil {
		return err
	}
	p := institutionPage{institutionWords: s.institutionWords(c)}
	if p.History, err = s.reg.HistoryOf(c.ctx, id); err != nil {
		return err
	}
	if p.Credit, err = s.creditFor(c, id); err != nil {
		return err
	}
	if p.Credit != nil {
		for _, l := range p.Credit.Lists {
			for _, code := range l.Occupations {
				s.nameScope(c, p.Names, []evaluators.ScopeItem{{Occupation: code}})
			}
		}
	}
	p.Title = p.History.Name
	for _, f := range p.History.Filings {
		s.nameScope(c, p.Names, f.Scope)
	}
	for _, d := range p.History.Decisions {
		if d.Occupation != "" {
			s.nameScope(c, p.Names, []evaluators.ScopeItem{{Occupation: d.Occupation}})
		}
	}
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.pages.send(c, "institution", p)
}

// Standing is the institution's own status, as the directory writes it.
func (p institutionPage) Standing() credentials.InstitutionStatus {
	return map[evaluators.Status]credentials.InstitutionStatus{evaluators.Registered: credentials.Filed, evaluators.Suspended: credentials.InstitutionOnHold, evaluators.Rectifying: credentials.Rectifying,
		evaluators.Exited: credentials.InstitutionExited, evaluators.Removed: credentials.FilingRemoved}[p.History.Status]
}

// StandingWord is that status in words.
func (p institutionPage) StandingWord() string {
	return p.T(p.History.Status.Chinese(), p.History.Status.English())
}

// Decided is what a decision does, in words.
func (p institutionWords) Decided(kind evaluators.Kind) string {
	return p.T(kind.Chinese(), kind.English())
}

// About is what a decision hits.
func (p institutionPage) About(d registry.PublicDecision) string {
	var parts []string
	for _, f := range p.History.Filings {
		if f.ID == d.Filing {
			parts = append(parts, p.T("备案 ", "filing ")+f.Prefix)
		}
	}
	if d.Site != "" {
		parts = append(parts, p.T("站点 ", "site ")+d.Province+d.Site)
	}
	if d.Occupation != "" {
		parts = append(parts, cmp.Or(p.Names[d.Occupation], d.Occupation))
	}
	if d.Trade != "" {
		parts = append(parts, p.T("工种 ", "trade ")+d.Trade)
	}
	if len(d.Levels.Levels()) > 0 {
		parts = append(parts, p.Levels(d.Levels))
	}
	if len(parts) == 0 {
		return p.T("整个机构", "the whole institution")
	}
	return strings.Join(parts, p.T("，", ", "))
}
