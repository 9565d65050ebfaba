package web

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/signs"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/standards"
)

// publishedRows is how many decisions or inspections a page shows.
const publishedRows = 20

// decisionsPage is one page of the decisions that are public 双公示.
type decisionsPage struct {
	institutionWords
	Rows []decisionRow
	Next string
}

// decisionRow is a decision with what it hits, in words.
type decisionRow struct {
	registry.PublishedDecision
	Part string
}

func (s *Server) decisionsPage(c *call) error {
	cursor, err := c.query("cursor")
	if err != nil {
		return err
	}
	p := decisionsPage{institutionWords: s.institutionWords(c)}
	p.Title = p.T("行政决定公示", "Published decisions")
	found, next, err := s.reg.PublishedDecisions(c.ctx, registry.Page{Cursor: cursor, Limit: publishedRows})
	if err != nil {
		return err
	}
	p.Next = next
	for _, d := range found {
		p.Rows = append(p.Rows, decisionRow{d, s.part(c, p.institutionWords, d.Target)})
	}
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.pages.send(c, "decisions", p)
}

// part is what a decision hits, in words.
func (s *Server) part(c *call, p institutionWords, t evaluators.Target) string {
	var parts []string
	if t.Filing != "" {
		parts = append(parts, p.T("其中一项备案", "one of its filings"))
	}
	if t.Site != "" {
		parts = append(parts, p.T("站点 ", "site ")+t.Province+" "+t.Site)
	}
	if t.Occupation != "" {
		s.nameScope(c, p.Names, []evaluators.ScopeItem{{Occupation: t.Occupation}})
		parts = append(parts, cmp.Or(p.Names[t.Occupation], t.Occupation))
	}
	if t.Trade != "" {
		trade := t.Trade
		if o, err := s.reg.OccupationByCode(c.ctx, t.Occupation); err == nil {
			trade = o.TradeText(t.Trade)
		}
		parts = append(parts, p.T("工种 ", "trade ")+trade)
	}
	if t.Levels != 0 {
		parts = append(parts, p.Levels(t.Levels))
	}
	if len(parts) == 0 {
		return p.T("整个机构", "the whole institution")
	}
	return strings.Join(parts, p.T("，", ", "))
}

// inspectionsPage is one page of the inspections that are public 一公开.
type inspectionsPage struct {
	page
	Rows []registry.PublishedInspection
	Next string
	// Draws are those that the rows came from, each once.
	Draws []drawnBy
}

// drawnBy is a draw; Proof is nil while some of its inspections are not public.
type drawnBy struct {
	ID    string
	Proof *registry.DrawProof
}

func (s *Server) inspectionsPage(c *call) error {
	cursor, err := c.query("cursor")
	if err != nil {
		return err
	}
	p := inspectionsPage{page: s.pages.page(c.fiber, "")}
	p.Title = p.T("双随机抽查结果公开", "Results of random inspections")
	if p.Rows, p.Next, err = s.reg.PublishedInspections(c.ctx, registry.Page{Cursor: cursor, Limit: publishedRows}); err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, i := range p.Rows {
		if asked[i.Draw] {
			continue
		}
		asked[i.Draw] = true
		one := drawnBy{ID: i.Draw}
		proof, err := s.reg.DrawProof(c.ctx, i.Draw)
		if err == nil {
			one.Proof = &proof
		} else if fail.KindOf(err) != fail.NotFound {
			return err
		}
		p.Draws = append(p.Draws, one)
	}
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.pages.send(c, "inspections", p)
}

// DrawName is the name of a draw, empty as long as it is not public.
func (p inspectionsPage) DrawName(id string) string {
	for _, d := range p.Draws {
		if d.ID == id && d.Proof != nil {
			return d.Proof.Draw.Name
		}
	}
	return ""
}

// Mark is the sign beside an outcome.
func (p inspectionsPage) Mark(o signs.Outcome) credentials.Band {
	switch o {
	case signs.OutcomeSound:
		return credentials.Good
	case signs.OutcomeFound:
		return credentials.Caution
	}
	return credentials.Unproven
}

// creditOfPage is what the page of an institution says of its credit.
type creditOfPage struct {
	registry.PublicStanding
	// Lists are the task lists 承接补贴任务名单 it is on today.
	Lists []listedOn
}

// listedOn is a place on a task list; List is nil when the list was not found
// among those looked through.
type listedOn struct {
	credit.Entry
	List *credit.TaskList
}

// taskListsLooked is how many pages of task lists are read for their names.
const taskListsLooked = 4

// creditFor reads what the public may know of an institution's credit; nothing
// when no credit rules are in force where it is.
func (s *Server) creditFor(c *call, institution string) (*creditOfPage, error) {
	standing, err := s.reg.PublicStanding(c.ctx, institution)
	if fail.CodeOf(err) == "credit_rules_missing" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &creditOfPage{PublicStanding: standing}
	for _, e := range standing.Lists {
		out.Lists = append(out.Lists, listedOn{Entry: e})
	}
	if len(out.Lists) == 0 {
		return out, nil
	}
	page := registry.Page{Limit: pageMost}
	for range taskListsLooked {
		lists, next, err := s.reg.TaskLists(c.ctx, page)
		if err != nil {
			return nil, err
		}
		for i := range lists {
			for n := range out.Lists {
				if out.Lists[n].Entry.List == lists[i].ID {
					out.Lists[n].List = &lists[i]
				}
			}
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	return out, nil
}

// Here reports whether this page is the one at an address or under it.
func (p page) Here(path string) bool {
	return p.Path == path || strings.HasPrefix(p.Path, path+"/")
}

// Day is a time as a civil date in Shanghai.
func (p page) Day(t time.Time) string { return string(standards.DateOf(t)) }

// Score writes points 信用分 that the rules show to the public.
func (p page) Score(points *int) string {
	return p.T("，"+strconv.Itoa(*points)+" 分", ", "+strconv.Itoa(*points)+" points")
}
