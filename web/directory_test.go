package web

import (
	"net/url"
	"strings"
	"testing"

	"bajigong/credentials"
	"bajigong/evaluators"
	"bajigong/internal/invented"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// mustAdmitAt admits an institution in a region with one filing of a scope.
func (s *siteTest) mustAdmitAt(n int, name, region string, class evaluators.Class, site string, scope []evaluators.ScopeItem, until standards.Date) (evaluators.Institution, evaluators.Filing) {
	s.t.Helper()
	inst, err := s.AdmitInstitution(s.t.Context(), s.Authority, evaluators.Institution{Name: name, USCC: invented.USCC(n), Region: region})
	if err != nil {
		s.t.Fatal(err)
	}
	f, err := s.RecordFiling(s.t.Context(), s.Authority, evaluators.Filing{Institution: inst.ID, Class: class, Code: "0000", Province: "32", Site: site, Authority: "320000",
		From: standards.DateOf(s.Clock.Now()), Until: until, Scope: scope, Document: "苏人社备〔2026〕1号"})
	if err != nil {
		s.t.Fatal(err)
	}
	return inst, f
}

func TestDirectoryFilters(t *testing.T) {
	s := newSite(t) // number 1: 昆山 320583, 电工 and 养老护理员
	low, high := standards.LevelsOf(standards.Junior, standards.Intermediate), standards.LevelsOf(standards.Technician, standards.SeniorTechnician)
	a, _ := s.mustAdmitAt(31, "南京电工评价中心", "320106", evaluators.Social, "000031", []evaluators.ScopeItem{{Occupation: "6-31-01-03", Levels: low}}, "2028-12-31")
	b, _ := s.mustAdmitAt(32, "苏州烹饪评价中心", "320505", evaluators.Employer, "000032", []evaluators.ScopeItem{{Occupation: "4-03-02-01", Levels: high}}, "2028-12-31")
	c, _ := s.mustAdmitAt(33, "太仓电工评价中心", "320585", evaluators.Social, "000033", []evaluators.ScopeItem{{Occupation: "6-31-01-03", Levels: high}}, standards.DateOf(s.Clock.Now()).AddDays(1))
	d, _ := s.mustAdmitAt(34, "常熟电工评价中心", "320581", evaluators.Social, "000034", []evaluators.ScopeItem{{Occupation: "6-31-01-03", Levels: low}}, "2028-12-31")
	s.MustRemove(d.ID)
	s.Clock.Set(s.Clock.Now().AddDate(0, 0, 3)) // c has run out
	one := s.issuer.Institution
	for query, want := range map[string][]string{
		"":                                   {one.ID, a.ID, b.ID, c.ID, d.ID},
		"occupation=6-31-01-03":              {one.ID, a.ID, c.ID, d.ID},
		"occupation=电工":                      {one.ID, a.ID, c.ID, d.ID},
		"occupation=中式烹":                     {b.ID},
		"level=二级":                           {one.ID, b.ID, c.ID},
		"level=technician":                   {one.ID, b.ID, c.ID},
		"occupation=电工&level=junior":         {one.ID, a.ID, d.ID},
		"region=32":                          {one.ID, a.ID, b.ID, c.ID, d.ID},
		"region=3205":                        {one.ID, b.ID, c.ID, d.ID},
		"region=320583":                      {one.ID},
		"region=33":                          {},
		"region=000000":                      {one.ID, a.ID, b.ID, c.ID, d.ID},
		"region=3205&occupation=电工":          {one.ID, c.ID, d.ID},
		"status=filed":                       {one.ID, a.ID, b.ID},
		"status=expired":                     {c.ID},
		"status=ended":                       {d.ID},
		"status=suspended":                   {},
		"status=filed&region=3205":           {one.ID, b.ID},
		"class=Y":                            {b.ID},
		"class=S&status=filed&occupation=电工": {one.ID, a.ID},
		"occupation=4-99-99-99":              {},
	} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		// Whatever the size of a page, all of them together are the same list.
		for _, limit := range []string{"1", "2", "500"} {
			q.Set("limit", limit)
			q.Del("cursor")
			got := map[string]int{}
			for range 30 {
				page := into[registry.DirectoryPage](s.get("", "/api/v1/institutions?"+q.Encode()).want(200))
				for _, i := range page.Items {
					got[i.ID]++
				}
				if q.Set("cursor", page.Next); page.Next == "" {
					break
				}
			}
			for _, id := range want {
				if got[id] != 1 {
					t.Errorf("%s by %s: %s is listed %d times", query, limit, id, got[id])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%s by %s: %d institutions, want %d", query, limit, len(got), len(want))
			}
		}
	}
	for _, query := range []string{"level=99级", "region=32a", "region=320", "status=unknown", "class=Z", "occupation=" + strings.Repeat("电", 61)} {
		s.get("", "/api/v1/institutions?"+query).problem(400, "directory_filter")
		r, doc := s.page("/directory?" + query)
		r.want(400)
		count(t, doc, "#problems li", 1)
	}
}

func TestDirectoryPageKeepsItsFilters(t *testing.T) {
	s := newSite(t)
	for i := 2; i <= 23; i++ {
		s.MustAdmit(i)
	}
	_, doc := s.page("/directory?occupation=电工&level=senior&lang=en")
	count(t, doc, "tbody tr", directoryRows)
	wantAttr(t, doc, "#occupation", "value", "电工")
	wantAttr(t, doc, "#level option[selected]", "value", "senior")
	wantAttr(t, doc, "form.filters button", "value", "en")
	next, _ := doc.Find("a[rel=next]").Attr("href")
	u, err := url.Parse(next)
	if err != nil || u.Query().Get("occupation") != "电工" || u.Query().Get("level") != "senior" || u.Query().Get("lang") != "en" {
		t.Fatalf("the next page %q loses a filter", next)
	}
	_, doc = s.page(next)
	count(t, doc, "tbody tr", 3)
	if other, _ := doc.Find("a.switch").Attr("href"); !strings.Contains(other, "level=senior") || !strings.Contains(other, "cursor=") || strings.Contains(other, "lang=") {
		t.Errorf("the other language is %q", other)
	}
	wantAttr(t, doc, "nav.paging a:first-child", "href", "/directory?lang=en&level=senior&occupation="+url.QueryEscape("电工"))

	// A name that fits several occupations asks which; one that fits none says so.
	_, doc = s.page("/directory?occupation=工&level=senior")
	if n := doc.Find(".choices a").Length(); n < 5 || n > 20 {
		t.Errorf("%d choices", n)
	}
	if href, _ := doc.Find(".choices a").First().Attr("href"); !strings.Contains(href, "level=senior") {
		t.Errorf("the choice %q loses the level", href)
	}
	_, doc = s.page("/directory?occupation=无此职业")
	if got := text(doc, "p.notice"); !strings.Contains(got, "没有符合条件的机构") {
		t.Errorf("%q", got)
	}
}

func TestInstitutionPage(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 3)
	inst := s.issuer.Institution
	s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: inst.ID, Kind: "suspend", Effective: standards.DateOf(s.Clock.Now()),
		Document: "苏人社〔2026〕9号", Basis: "办法第十条", Reason: "核查"}).want(201)
	if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[0].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	_, doc := s.page("/directory/" + inst.ID)
	count(t, doc, "main > p.notice", 1) // not counted yet
	if got := text(doc, "main > p.aside:last-child"); !strings.Contains(got, "正在计入") {
		t.Errorf("%q", got)
	}
	if _, err := s.CountFigures(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, doc := s.page("/directory/" + inst.ID)
	r.want(200)
	wantText(t, doc, "h1", inst.Name)
	if title := doc.Find("title").Text(); !strings.Contains(title, inst.Name) || !strings.Contains(title, "测试") {
		t.Errorf("title %q", title)
	}
	wantText(t, doc, ".facts .status", "‖ 暂停")
	count(t, doc, "section.filing", 1)
	wantText(t, doc, "section.filing h3 .code", s.issuer.Filing.Prefix())
	wantText(t, doc, ".rows:first-of-type tbody tr:first-child th[scope=row]", "暂停")
	if got := text(doc, "table"); !strings.Contains(got, "苏人社〔2026〕9号") || !strings.Contains(got, "整个机构") || !strings.Contains(got, "核查") {
		t.Errorf("decisions: %q", got)
	}
	years := doc.Find("table").Last()
	if got := strings.Join(strings.Fields(years.Find("tbody tr").Text()), " "); got != "2026年 3 三级/高级工 3 0 1" && got != "2026年 3 三级 / 高级工 3 0 1" {
		t.Errorf("issued: %q", got)
	}
	h := into[registry.InstitutionHistory](s.get("", "/api/v1/institutions/"+inst.ID+"/history").want(200))
	if len(h.Issued) != 1 || h.Issued[0].Issued != 3 || h.Issued[0].VoidedSince != 1 || h.Issued[0].Voided != 1 || h.Behind ||
		len(h.Filings[0].Statuses) != 2 || h.Filings[0].Statuses[1].Status != credentials.InstitutionOnHold || h.Decisions[0].Document != "苏人社〔2026〕9号" {
		t.Errorf("%+v", h)
	}
	s.get("", "/api/v1/institutions/i-none/history").problem(404, "not_found")
	r, _ = s.page("/directory/i-none")
	r.want(404)
}

func TestStatisticsPage(t *testing.T) {
	s := newSite(t)
	_, doc := s.page("/statistics")
	if got := text(doc, "p.notice"); !strings.Contains(got, "还没有可统计的证书") {
		t.Errorf("%q", got)
	}
	s.MustCertificates(s.issuer, 0, 4) // 三级
	p := s.MustPublicise(s.issuer, s.MustPlanFor(s.issuer, "4-10-01-05", standards.Junior), registrytest.CSV(2, 8))
	s.MustIssue(s.issuer, p.ID)
	if _, err := s.CountFigures(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, doc := s.page("/statistics")
	r.want(200)
	var got []string
	for _, td := range doc.Find("table.levels tfoot td.figure").EachIter() {
		got = append(got, td.Text())
	}
	if strings.Join(got, "|") != "10|8|" {
		t.Errorf("total %q", got)
	}
	count(t, doc, "table.levels tbody tr", 2)
	wantText(t, doc, "table.levels tbody tr:first-child td:nth-child(2)", "6")
	wantAttr(t, doc, "table.levels tbody tr:first-child rect", "width", "100")
	wantAttr(t, doc, "table.levels tbody tr:last-child rect", "width", "66")
	if got := text(doc, ".targets"); !strings.Contains(got, "目标 2,000,000 人次") || !strings.Contains(got, "200万人次") {
		t.Errorf("targets: %q", got)
	}
	v := into[registry.PublicStatistics](s.get("", "/api/v1/statistics/public").want(200))
	if v.Years[0].Issued != 10 || *v.Years[0].People != 8 || v.Years[0].High != 4 || v.Targets[1].Done != 4 || v.Years[0].Before != nil {
		t.Errorf("%+v", v)
	}
	r, _ = s.page("/statistics?year=2019")
	r.want(404)
	_, doc = s.page("/statistics?year=2026&lang=en")
	wantAttr(t, doc, "a.switch", "href", "/statistics?year=2026")
}

func TestStatisticsReport(t *testing.T) {
	s := newSite(t)
	s.MustCertificates(s.issuer, 0, 4)
	if _, err := s.CountFigures(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Clock.Set(s.Clock.Now().AddDate(1, 0, 0))
	const path = "/api/v1/statistics?period=2026"
	got := into[registry.Statistics](s.get("authority", path+"&by=occupation").want(200))
	if len(got.Rows) != 1 || got.Rows[0].Key != "6-31-01-03" || got.Rows[0].Name.ZH != "电工" || got.Rows[0].Issued != 4 || got.Total.Before == nil || got.Running {
		t.Errorf("%+v", got)
	}
	s.get("auditor", path).want(200)
	s.get("", path).problem(401, "key_required")
	s.get("institution", path).problem(403, "not_allowed")
	s.get("payer", path).problem(403, "not_allowed")
	s.get("authority", path+"&region=330100").problem(403, "not_allowed")
	for _, bad := range []string{"?period=2026-13", "?period=", path[len("/api/v1/statistics"):] + "&by=name", path[len("/api/v1/statistics"):] + "&region=32",
		path[len("/api/v1/statistics"):] + "&origin=x", path[len("/api/v1/statistics"):] + "&format=xls"} {
		s.get("authority", "/api/v1/statistics"+bad).problem(400, "statistics_query")
	}
	r := s.get("authority", path+"&by=level&format=csv").want(200)
	want := "编码,名称,人次,人数,上年同期人次,上年同期人数,同期比(%),高技能人次,高技能占比(%),撤销数,注销数,其中已撤销\r\nsenior,三级 / 高级工,4,4,0,0,,4,100.00,0,0,0\r\n,合计,4,4,0,0,,4,100.00,0,0,0\r\n"
	if have := string(r.Body); have != want && have != strings.ReplaceAll(want, " / ", "/") {
		t.Errorf("CSV %q", have)
	}
	if r.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(r.Header.Get("Content-Disposition"), "statistics-320000-2026-level.csv") {
		t.Errorf("headers %v", r.Header)
	}
	if r := s.get("authority", path+"&format=csv-bom"); !strings.HasPrefix(string(r.Body), "\xEF\xBB\xBF") {
		t.Error("no BOM")
	}
	cells := into[list[registry.FigureCell]](s.get("authority", "/api/v1/statistics/cells?month=2026-03").want(200))
	if len(cells.Items) != 1 || cells.Items[0].Issued != 4 || cells.Items[0].Class != "S" || cells.Items[0].Region != "320583" {
		t.Errorf("%+v", cells)
	}
	s.get("authority", "/api/v1/statistics/cells?month=2026").problem(400, "statistics_query")
	s.get("payer", "/api/v1/statistics/cells?month=2026-03").problem(403, "not_allowed")
}
