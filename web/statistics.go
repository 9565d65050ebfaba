package web

import (
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"bajigong/evaluators/figures"
	"bajigong/internal/fail"
	"bajigong/registry"
)

var statisticsParameters = []parameter{
	{Name: "period", Description: "2026, 2026Q1 or 2026-03"},
	{Name: "by", Description: "what the rows stand for; level when absent", Enum: listingWords()},
	{Name: "region", Description: "six digits; the caller's own when absent"},
	{Name: "origin", Description: "issued here, registered from elsewhere, or imported from before; here when absent", Enum: []string{string(registry.OriginHere), string(registry.OriginElsewhere), string(registry.OriginImported)}},
	{Name: "format", Description: "json when absent", Enum: []string{"json", "csv", "csv-bom"}},
}

func listingWords() (out []string) {
	for _, l := range figures.Listings() {
		out = append(out, string(l))
	}
	return out
}

// statistics answers a report as JSON or CSV.
func (s *Server) statistics(c *call) error {
	values := map[string]string{}
	for _, p := range statisticsParameters {
		var err error
		if values[p.Name], err = c.query(p.Name); err != nil {
			return err
		}
	}
	format := values["format"]
	if format != "" && format != "json" && format != "csv" && format != "csv-bom" {
		return fail.New(fail.Invalid, "statistics_query", "the report cannot be asked for like this").In("统计条件有误").
			At(fail.Field{Name: "format", Code: "unknown", ZH: "应为 json、csv 或 csv-bom", EN: "json, csv or csv-bom"})
	}
	report, err := s.reg.Statistics(c.ctx, c.by, registry.StatisticsQuery{Period: values["period"], Region: values["region"],
		By: figures.Listing(values["by"]), Origin: registry.Origin(values["origin"])})
	if err != nil {
		return err
	}
	if format == "" || format == "json" {
		return c.json(report)
	}
	name := fmt.Sprintf("statistics-%s-%s-%s.csv", report.Region, report.Period, report.By)
	c.fiber.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	c.fiber.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	return c.fiber.Status(c.status).Send(figures.CSV(report.By, report.Rows, report.Total, format == "csv-bom"))
}

func (s *Server) statisticsCells(c *call, _ none) (list[registry.FigureCell], error) {
	month, err := c.query("month")
	if err != nil {
		return list[registry.FigureCell]{}, err
	}
	region, err := c.query("region")
	if err != nil {
		return list[registry.FigureCell]{}, err
	}
	page, err := c.page(pageMost)
	if err != nil {
		return list[registry.FigureCell]{}, err
	}
	cells, next, err := s.reg.StatisticsCells(c.ctx, c.by, month, region, page)
	return listOf(cells, next), err
}

func (s *Server) publicStatistics(c *call, _ none) (registry.PublicStatistics, error) {
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.reg.PublicStatistics(c.ctx)
}

// statisticsPage shows the public what was issued, by level and year.
type statisticsPage struct {
	page
	registry.PublicStatistics
	// Shown is the year that is shown by level; nil when there is none yet.
	Shown *registry.YearFigures
}

func (s *Server) statisticsPage(c *call) error {
	year, err := c.query("year")
	if err != nil {
		return err
	}
	p := statisticsPage{page: s.pages.page(c.fiber, "")}
	p.filters = []string{"year"}
	p.Title = p.T("证书统计", "Certificates in figures")
	if p.PublicStatistics, err = s.reg.PublicStatistics(c.ctx); err != nil {
		return err
	}
	for i := range p.Years {
		if year == "" && i == 0 || year == strconv.Itoa(p.Years[i].Year) {
			p.Shown = &p.Years[i]
		}
	}
	if year != "" && p.Shown == nil {
		return fail.New(fail.NotFound, "not_found", "there are no figures of %s", cutText(year, 10)).In("没有 %s 年的统计数据", cutText(year, 10))
	}
	c.fiber.Set(fiber.HeaderCacheControl, "public, max-age=60")
	return s.pages.send(c, "statistics", p)
}

// Number writes a figure with separators: 2,600.
func (p page) Number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Persons writes 人数, or a dash where there is none that is exact.
func (p page) Persons(n *uint64) string {
	if n == nil {
		return "–"
	}
	return p.Number(*n)
}

// Percent writes a share; a dash when there is none.
func (p page) Percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return strconv.FormatFloat(*share*100, 'f', 1, 64) + "%"
}

// Signed writes a change with its sign.
func (p page) Signed(change *float64) string {
	if change == nil {
		return "–"
	}
	if *change > 0 {
		return "+" + p.Percent(change)
	}
	return p.Percent(change)
}

// Bar is the length of a level's bar, 0 to 100 of the longest.
func (p statisticsPage) Bar(n uint64) int {
	longest := uint64(1)
	for _, l := range p.Shown.Levels {
		longest = max(longest, l.Issued)
	}
	return int(n * 100 / longest)
}

// Part is what share of a whole a figure is.
func (p page) Part(n, whole uint64) string {
	if whole == 0 {
		return "–"
	}
	return strconv.FormatFloat(float64(n)*100/float64(whole), 'f', 1, 64) + "%"
}

// Reached is how much of a target is reached, in percent.
func (p page) Reached(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }

// Meter is the length of a target's bar, 0 to 100.
func (p page) Meter(share float64) int { return int(min(share, 1) * 100) }
