package web

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"bajigong/evaluators"
	"bajigong/evaluators/credit"
	"bajigong/evaluators/signs"
	"bajigong/internal/rulefile"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// drawn announces a draw of each inspections among the sessions with exams
// tomorrow, draws it, and stands on the day after.
func (s *siteTest) drawn(wanted int) registry.Draw {
	s.t.Helper()
	exam := standards.DateOf(s.Clock.Now()).AddDays(1)
	in := registry.NewDraw{Name: "2026年第一次双随机抽查", From: exam, Until: exam, Wanted: wanted, Each: 1, Inspectors: []signs.Inspector{{ID: "R32260001"}}}
	d := into[registry.Draw](s.do("authority", "POST", "/api/v1/draws", in).want(201))
	d = into[registry.Draw](s.do("authority", "POST", "/api/v1/draws/"+d.ID+"/seed", publicSeed{}).want(200))
	s.Clock.Add(24 * time.Hour)
	return d
}

// inspected enters and publishes one inspection of a draw.
func (s *siteTest) inspected(d registry.Draw, n int, in signs.Finding) {
	s.t.Helper()
	one := "/api/v1/draws/" + d.ID + "/inspections/" + d.Drawn[n].Session
	in.Held = standards.DateOf(s.Clock.Now())
	s.do("authority", "POST", one+"/result", in).want(200)
	s.Clock.Add(60 * 24 * time.Hour) // whatever time the institution has for its answer
	s.do("authority", "POST", one+"/publication", nil).want(200)
}

func TestInspectionsPage(t *testing.T) {
	s := newSite(t)
	_, doc := s.page("/inspections")
	count(t, doc, "table", 0)
	if got := text(doc, "p.notice"); !strings.Contains(got, "还没有公开的抽查结果") {
		t.Errorf("%q", got)
	}
	s.MustPlan(s.issuer)
	s.MustPlan(s.issuer)
	d := s.drawn(2)
	s.inspected(d, 0, signs.Finding{Outcome: signs.OutcomeFound, Findings: "考场录像缺少<第二>考室"})
	_, doc = s.page("/inspections")
	count(t, doc, "tbody tr", 1)
	wantText(t, doc, "tbody .status", "‖ 发现问题")
	wantAttr(t, doc, "tbody th a", "href", "/directory/"+s.issuer.Institution.ID)
	wantAttr(t, doc, "tbody td a", "href", "#"+d.ID)
	if got := text(doc, "#"+d.ID); !strings.Contains(got, "还有结果未公开") {
		t.Errorf("the draw is told before its time: %q", got)
	}
	if r, _ := s.page("/inspections"); strings.Contains(string(r.Body), d.Seed) || strings.Contains(string(r.Body), "/proof") {
		t.Error("the seed is shown before every result is public")
	}
	s.inspected(d, 1, signs.Finding{Outcome: signs.OutcomeSound})
	_, doc = s.page("/inspections")
	count(t, doc, "tbody tr", 2)
	count(t, doc, "section.sheet", 1)
	if got := text(doc, "#"+d.ID); !strings.Contains(got, d.Seed) || !strings.Contains(got, d.Hash) || !strings.Contains(got, "2 个批次，抽取 2 个") {
		t.Errorf("draw %q", got)
	}
	link, _ := doc.Find("#" + d.ID + " a[href$='/proof']").Attr("href")
	s.get("", link).want(200)
	link, _ = doc.Find("#" + d.ID + " a[href^='/api/v1/log/entries/']").Attr("href")
	s.get("", link).want(200)
	if r, _ := s.page("/inspections?cursor=nonsense!"); r.Status != 400 {
		t.Errorf("cursor %d", r.Status)
	}
	_, doc = s.page("/inspections?lang=en")
	wantText(t, doc, "tbody tr:last-child .status", "‖ something was found")
}

func TestDecisionsPage(t *testing.T) {
	s := newSite(t)
	_, doc := s.page("/decisions")
	count(t, doc, "table", 0)
	if got := text(doc, "p.notice"); !strings.Contains(got, "没有公示的决定") {
		t.Errorf("%q", got)
	}
	today := standards.DateOf(s.Clock.Now())
	inst := s.issuer.Institution.ID
	for i := range publishedRows + 2 {
		kind := []evaluators.Kind{evaluators.Suspend, evaluators.Resume}[i%2]
		s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: inst, Site: s.issuer.Filing.Site, Occupation: "6-31-01-03", Levels: standards.LevelsOf(standards.Senior),
			Kind: kind, Effective: today, Document: "苏人社〔2026〕9号", Basis: "办法第十条", Reason: "<考试>无录像"}).want(201)
	}
	_, doc = s.page("/decisions")
	count(t, doc, "tbody tr", publishedRows)
	wantText(t, doc, "tbody tr:first-child td[data-label='决定'] b", evaluators.Resume.Chinese())
	wantText(t, doc, "tbody tr:first-child td[data-label='决定'] .aside", "站点 32 "+s.issuer.Filing.Site+"，电工，三级/高级工")
	wantText(t, doc, "tbody tr:first-child td[data-label='文号']", "苏人社〔2026〕9号")
	wantAttr(t, doc, "tbody th a", "href", "/directory/"+inst)
	next, ok := doc.Find("a[rel=next]").Attr("href")
	if !ok {
		t.Fatal("no next page")
	}
	_, doc = s.page(next)
	count(t, doc, "tbody tr", 2)
	wantAttr(t, doc, ".paging a", "href", "/decisions")
	s.Clock.Add(4 * 365 * 24 * time.Hour)
	_, doc = s.page("/decisions")
	count(t, doc, "tbody tr", 0)
	if got := text(doc, "p.notice"); !strings.Contains(got, "公示期已满") {
		t.Errorf("%q", got)
	}
	if r, _ := s.page("/decisions?cursor=nonsense!"); r.Status != 400 {
		t.Errorf("cursor %d", r.Status)
	}
}

// TestInstitutionPageShowsCredit: band, stars with their term and task lists,
// each only where there is one.
func TestInstitutionPageShowsCredit(t *testing.T) {
	s := newSite(t)
	inst := s.issuer.Institution.ID
	facts := func(suffix string) map[string]string {
		_, doc := s.page("/directory/" + inst + suffix)
		out := map[string]string{}
		for _, row := range doc.Find("main > .facts").First().Children().EachIter() {
			out[row.Find("dt").Text()] = strings.Join(strings.Fields(row.Find("dd").Text()), " ")
		}
		return out
	}
	f := facts("")
	if !strings.HasPrefix(f["信用等级"], "A 信用优良") || !strings.Contains(f["信用等级"], "样例规则") || strings.Contains(f["信用等级"], "分") {
		t.Errorf("band %q", f["信用等级"])
	}
	for _, absent := range []string{"星级", "承接补贴任务名单", "年度评价"} {
		if _, there := f[absent]; there {
			t.Errorf("%s: %q", absent, f[absent])
		}
	}
	a := s.rated(s.issuer)
	s.listed(inst)
	f = facts("")
	if !strings.HasPrefix(f["星级"], "★★★★★") || !strings.Contains(f["星级"], string(a.Term.Until)) {
		t.Errorf("stars %q", f["星级"])
	}
	if got := f["承接补贴任务名单"]; !strings.Contains(got, "昆山市2026年承接名单") || !strings.Contains(got, "苏人社〔2026〕5号") || !strings.Contains(got, "限 电工 6-31-01-03") {
		t.Errorf("lists %q", got)
	}
	if f = facts("?lang=en"); !strings.HasPrefix(f["Credit"], "A Very good") || f["Chosen for subsidised work"] == "" {
		t.Errorf("English %v", f)
	}
}

// rated takes an institution to five stars that are in force.
func (s *siteTest) rated(by registrytest.Issuer) credit.Assessment {
	s.t.Helper()
	inst := by.Institution.ID
	a := into[credit.Assessment](s.do("authority", "POST", "/api/v1/institutions/"+inst+"/stars", asked{"from": "2025-01-01", "until": "2025-12-31"}).want(201))
	at := "/api/v1/stars/" + a.ID
	if _, err := s.ScoreStars(s.t.Context(), by.Actor, a.ID, credit.PartScore{Part: credit.PartSelf, Score: 95, Document: "自评"}); err != nil {
		s.t.Fatal(err)
	}
	for _, part := range []string{"third_party", "spot_check"} {
		s.do("authority", "POST", at+"/scores", asked{"part": part, "score": 95, "document": "报告"}).want(200)
	}
	a = into[credit.Assessment](s.do("authority", "POST", at+"/publicity", nil).want(200))
	s.Clock.Set(a.Publicity.Until.AddDays(1).Time().Add(9 * time.Hour))
	return into[credit.Assessment](s.do("authority", "POST", at+"/confirmation", asked{"document": "苏人社〔2026〕4号"}).want(200))
}

// listed puts an institution on a task list for one occupation, from today.
func (s *siteTest) listed(inst string) {
	s.t.Helper()
	today := standards.DateOf(s.Clock.Now())
	l := into[credit.TaskList](s.do("authority", "POST", "/api/v1/task-lists", newTaskList{Region: "320583", Name: "昆山市2026年承接名单", Document: "苏人社〔2026〕5号",
		Basis: "江苏省2025—2027年行动方案 二（四）", Method: "experts", From: today, Until: today.AddDays(300)}).want(201))
	s.do("authority", "POST", "/api/v1/task-lists/"+l.ID+"/entries", newTaskEntries{Institutions: []newTaskEntry{{Institution: inst, Occupations: []string{"6-31-01-03"}}}}).want(201)
}

// TestPagesLeadToEachOther: the pages on institutions have one row of links with
// the page itself marked, and the main navigation stays at four.
func TestPagesLeadToEachOther(t *testing.T) {
	s := newSite(t)
	all := []string{"/directory", "/decisions", "/inspections", "/statistics"}
	for _, path := range all {
		_, doc := s.page(path)
		count(t, doc, "header nav a", 4)
		for _, other := range all {
			count(t, doc, "main nav.beside a[href='"+other+"']", 1)
		}
		wantAttr(t, doc, "main nav.beside [aria-current=page]", "href", path)
	}
	_, doc := s.page("/directory/" + s.issuer.Institution.ID)
	wantAttr(t, doc, "header nav [aria-current]", "href", "/directory")
	count(t, doc, "main a[href='/decisions']", 1)
	count(t, doc, "main a[href='/inspections']", 1)
	_, doc = s.page("/")
	count(t, doc, "nav.more a[href='/decisions'], nav.more a[href='/inspections']", 2)
}

// TestNoCreditRules: an institution where no credit rules are in force has a page
// that says nothing of credit.
func TestNoCreditRules(t *testing.T) {
	s := &siteTest{t: t, Env: registrytest.New(t, registrytest.Options{Rules: func(r *registry.Rules) { r.Credit.Credit = rulefile.Set[credit.Rules]{} }})}
	var err error
	if s.server, err = New(s.Registry, Config{Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.server.Shutdown(t.Context()) })
	r, doc := s.page("/directory/" + s.MustAdmit(1).Institution.ID)
	r.want(200)
	count(t, doc, "h1", 1)
	if got := text(doc, "main"); strings.Contains(got, "信用等级") || strings.Contains(got, "星级") {
		t.Errorf("%q", got)
	}
}
