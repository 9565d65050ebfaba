package web

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"bajigong/evaluators/signs"
	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/standards"
)

// TestPictures takes pictures of every page with a browser, at the width of a
// phone and of a desk, light and dark, and sees to it that nothing is wider than
// the phone:
//
//	BAJIGONG_PICTURES=/tmp/pictures go test -run TestPictures ./web
func TestPictures(t *testing.T) {
	dir := os.Getenv("BAJIGONG_PICTURES")
	if dir == "" {
		t.Skip("set BAJIGONG_PICTURES to a folder; it needs a Chromium")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *Config) {
		c.DemoNotice, c.DemoNoticeEN = "演示系统：人员、机构和证书均为虚构", "Demonstration: nobody and nothing in it is real"
	})
	paths := s.scenery()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := s.server.Serve(ln); err != nil {
			t.Error(err)
		}
	}()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("lang", "zh-CN"))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	tab, cancel := chromedp.NewContext(alloc)
	defer cancel()
	tab, cancel = context.WithTimeout(tab, 4*time.Minute)
	defer cancel()
	for _, p := range paths {
		for _, width := range []int64{390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				wide, picture, err := shoot(tab, p, "http://"+ln.Addr().String(), width, scheme)
				if err != nil {
					t.Fatalf("%s: %v", p.name, err)
				}
				if wide > width {
					t.Errorf("%s at %d px is %d px wide", p.name, width, wide)
				}
				name := fmt.Sprintf("%s-%d-%s.png", p.name, width, scheme)
				if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func shoot(tab context.Context, p scene, origin string, width int64, scheme string) (wide int64, picture []byte, err error) {
	steps := append([]chromedp.Action[chromedp.Void]{
		chromedp.EmulateViewport(width, 844),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}, Media: p.media})
			return err
		}),
		chromedp.Navigate(origin + p.path),
	}, p.act...)
	if err := chromedp.Do(tab, append(steps, chromedp.WaitVisible(chromedp.CSS("footer.end")))...); err != nil {
		return 0, nil, err
	}
	if wide, err = chromedp.Run(tab, chromedp.Evaluate[int64]("document.documentElement.scrollWidth")); err != nil {
		return 0, nil, err
	}
	picture, err = chromedp.Run(tab, chromedp.FullScreenshot(100))
	return wide, picture, err
}

// scene is a page and what is done on it before the picture.
type scene struct {
	name, path string
	act        []chromedp.Action[chromedp.Void]
	media      string // of the style sheet; the screen when empty
}

// scenery is a small register with a page of each kind.
func (s *siteTest) scenery() []scene {
	s.t.Helper()
	other := s.MustAdmit(2)
	issued := s.MustCertificates(s.issuer, 0, 15)
	ctx := context.Background()
	for i, kind := range []registry.ChangeKind{registry.ChangeVoid, registry.ChangeCancel, registry.ChangeSuspend} {
		if _, err := s.ChangeCertificate(ctx, s.Authority, issued[i+1].Number, registry.NewChange{Kind: kind, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Clock.Add(30 * time.Hour)
	s.do("authority", "POST", "/api/v1/decisions", newDecision{Institution: s.issuer.Institution.ID, Kind: "exit_voluntary", Effective: standards.DateOf(s.Clock.Now()), Basis: "自愿退出申请"}).want(201)
	s.oversightScenery(other)
	plan := s.MustPlan(other)
	before := s.Clock.Now()
	s.MustPublicise(other, plan, registrytest.CSV(100, 112))
	s.Clock.Set(before.Add(50 * time.Hour))
	c := issued[0]
	years := s.statisticsScenery()
	return []scene{
		{"home", "/", nil, ""},
		{"home-en", "/?lang=en", nil, ""},
		{"home-found", "/", []chromedp.Action[chromedp.Void]{chromedp.SendKeys(chromedp.CSS("#number"), c.Number), chromedp.SendKeys(chromedp.CSS("#name"), c.Name), chromedp.Click(chromedp.CSS("form button")), chromedp.WaitVisible(chromedp.CSS(".verdict"))}, ""},
		{"home-wrong", "/", []chromedp.Action[chromedp.Void]{chromedp.SendKeys(chromedp.CSS("#number"), "S00003205830X253000001"), chromedp.Click(chromedp.CSS("form button")), chromedp.WaitVisible(chromedp.CSS("#problems"))}, ""},
		{"valid", "/c/" + string(c.Handle), nil, ""},
		{"valid-en", "/c/" + string(c.Handle) + "?lang=en", nil, ""},
		{"valid-long", "/c/" + string(issued[13].Handle), []chromedp.Action[chromedp.Void]{chromedp.Click(chromedp.CSS("summary"))}, ""},
		{"valid-print", "/c/" + string(c.Handle), nil, "print"},
		{"voided", "/c/" + string(issued[1].Handle), nil, ""},
		{"cancelled", "/c/" + string(issued[2].Handle), nil, ""},
		{"suspended", "/c/" + string(issued[3].Handle), nil, ""},
		{"unknown", "/c/0000000000000", nil, ""},
		{"verify", "/verify", nil, ""},
		{"directory", "/directory", nil, ""},
		{"directory-filtered", "/directory?occupation=" + url.QueryEscape("电工") + "&level=senior&region=3205&status=filed", nil, ""},
		{"directory-choices", "/directory?occupation=" + url.QueryEscape("工"), nil, ""},
		{"directory-none", "/directory?region=33", nil, ""},
		{"directory-wrong", "/directory?region=32a", nil, ""},
		{"institution", "/directory/" + s.issuer.Institution.ID, nil, ""},
		{"institution-en", "/directory/" + s.issuer.Institution.ID + "?lang=en", nil, ""},
		{"statistics", "/statistics" + years, nil, ""},
		{"statistics-en", "/statistics?lang=en", nil, ""},
		{"publicity", "/publicity", nil, ""},
		{"session", "/publicity/" + plan.ID, nil, ""},
		{"session-en", "/publicity/" + plan.ID + "?lang=en", nil, ""},
		{"session-wrong", "/publicity/" + plan.ID, objected("李四", "短"), ""},
		{"session-receipt", "/publicity/" + plan.ID, objected("李四", "考试当天本人在考场外，未见该人员到场。"), ""},
		{"institution-rated", "/directory/" + other.Institution.ID, nil, ""},
		{"institution-rated-en", "/directory/" + other.Institution.ID + "?lang=en", nil, ""},
		{"decisions", "/decisions", nil, ""},
		{"decisions-en", "/decisions?lang=en", nil, ""},
		{"inspections", "/inspections", nil, ""},
		{"inspections-en", "/inspections?lang=en", nil, ""},
		{"missing", "/nowhere", nil, ""},
	}
}

// objected fills in the form to object to the second row and sends it.
func objected(name, text string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{
		chromedp.Click(chromedp.CSS("tbody tr:nth-child(2) .act a")), chromedp.WaitReady(chromedp.CSS("#appeal option[selected]")),
		chromedp.SendKeys(chromedp.CSS("#text"), text), chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#phone"), "051255550000"),
		chromedp.SetAttributeValue(chromedp.CSS("#appeal form"), "novalidate", ""),
		chromedp.Click(chromedp.CSS("#appeal button")), chromedp.WaitVisible(chromedp.CSS("#problems, ol.next")),
	}
}

// oversightScenery has decisions, and inspections of a draw that is public as a
// whole and of one that is not.
func (s *siteTest) oversightScenery(rated registrytest.Issuer) {
	s.t.Helper()
	today, bad := standards.DateOf(s.Clock.Now()), s.MustAdmit(3)
	for _, in := range []newDecision{
		{Kind: "rectify", Due: today.AddDays(30), Reason: "考评档案缺少现场影像，考评员签名不全"},
		{Kind: "suspend", Site: bad.Filing.Site, Occupation: "6-31-01-03", Levels: standards.LevelsOf(standards.Senior, standards.Technician), Until: today.AddDays(60), Reason: "整改期间"},
	} {
		in.Institution, in.Effective, in.Document, in.Basis = bad.Institution.ID, today, "苏人社监〔2026〕17号", "职业技能评价机构管理办法第二十一条"
		s.do("authority", "POST", "/api/v1/decisions", in).want(201)
	}
	for range 4 {
		s.MustPlan(rated)
	}
	first := s.drawn(2)
	s.inspected(first, 0, signs.Finding{Outcome: signs.OutcomeFound, Findings: "第二考室录像缺失 25 分钟；两名考生的考位与安排不符，考评员未在记录表上签名。"})
	s.inspected(first, 1, signs.Finding{Outcome: signs.OutcomeSound})
	for range 3 {
		s.MustPlan(rated)
	}
	s.inspected(s.drawn(2), 0, signs.Finding{Outcome: signs.OutcomeFailed, Findings: "到场时考试已取消，未提前报告。"})
	s.rated(rated)
	s.listed(rated.Institution.ID)
}

// statisticsScenery counts what was issued and puts figures of past years beside
// it, as large as a province's, for as long as the test runs; it returns the query
// for the year before.
func (s *siteTest) statisticsScenery() string {
	s.t.Helper()
	if _, err := s.CountFigures(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	year := standards.DateOf(s.Clock.Now()).Year()
	var invented [][]byte
	s.t.Cleanup(func() {
		_ = s.DB.Update(context.Background(), func(tx kv.Tx) error {
			for _, key := range invented {
				tx.Delete("figure_sums", key)
			}
			return nil
		})
	})
	err := s.DB.Update(s.t.Context(), func(tx kv.Tx) error {
		invented = nil
		for back, all := range []uint64{1: 612_345, 2: 587_201, 3: 430_118} {
			if back == 0 {
				continue
			}
			for rank, part := range map[string]uint64{"all": 100, "high": 31, "junior": 38, "intermediate": 31, "senior": 24, "technician": 5, "senior_technician": 2} {
				n := all * part / 100
				var v []byte
				for _, one := range []uint64{n, n * 94 / 100, 12, 3, n / 900} {
					v = binary.BigEndian.AppendUint64(v, one)
				}
				key := kv.Key("total", strconv.Itoa(year-back), "here", registrytest.Region, "", rank)
				invented = append(invented, key)
				tx.Put("figure_sums", key, v)
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return "?year=" + strconv.Itoa(year-1)
}
