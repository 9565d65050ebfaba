package web

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/policy"
)

// kunshanNotice asks for the notice of one person with one certificate under the
// policies that are embedded: six funds of Kunshan pay for a certificate, and eight
// for something else.
func kunshanNotice(t *testing.T) (*siteTest, func(facts policy.Facts, funds ...policy.Fund) string) {
	t.Helper()
	s := newSite(t)
	one := s.MustCertificates(s.issuer, 0, 1)[0]
	p := invented.PersonAt(0)
	return s, func(facts policy.Facts, funds ...policy.Fund) string {
		t.Helper()
		in := registry.NoticeRequest{OverviewRequest: registry.OverviewRequest{Document: p.Document, Name: p.Name, Purpose: "本人到窗口咨询", Facts: facts}, Funds: funds}
		if len(funds) > 0 {
			in.Certificates = []string{one.Number}
		}
		page := string(s.do("payer", "POST", "/api/v1/claims/notice", in).want(200).Body)
		for _, never := range []string{p.Name, p.Document, "（值、", "person", "enterprise", "ZgotmplZ", "<no value>"} {
			if strings.Contains(page, never) {
				t.Errorf("the notice has %q", never)
			}
		}
		return page
	}
}

// counterFacts are those that Kunshan's skill-uplift subsidy asks for.
func counterFacts(s *siteTest) policy.Facts {
	out := policy.Facts{}
	for kind, value := range map[policy.FactKind]string{policy.Employed: policy.Yes, policy.Insured: policy.Yes, policy.InsuredMonths: "60",
		policy.PensionEligible: policy.No, policy.PolicyInForce: policy.Yes, policy.ScarceListed: policy.No} {
		out[kind] = policy.Fact{Value: value, Source: "社保", At: s.Clock.Now(), Reference: "SB-1"}
	}
	return out
}

var itemHeads = regexp.MustCompile(`<section class="item (allow|hold|deny)">\s*<h3><span class="verdict"><span aria-hidden="true">(.)</span> (.+?)</span> (.+?)</h3>`)

func TestNoticeIsAboutWhatIsWithinReach(t *testing.T) {
	s, notice := kunshanNotice(t)
	page := notice(counterFacts(s))
	heads := itemHeads.FindAllStringSubmatch(page, -1)
	if len(heads) == 0 || heads[0][1] != "allow" || heads[0][4] != "昆山市参保职工技能提升补贴" || !strings.Contains(page, "<strong>2,000 元</strong>") {
		t.Fatalf("%q", heads)
	}
	for _, h := range heads {
		if h[1] == "deny" || strings.Contains(h[4], "重点群体") {
			t.Errorf("in detail without being within reach: %q", h)
		}
	}
	rows := strings.Count(page, `<th scope="row">`)
	if all := rows + len(heads); all != 14 {
		t.Errorf("%d in detail and %d in a line, want 14 in all", len(heads), rows)
	}
	for _, want := range []string{"证书应为特种作业操作证", "不能申领", "申领事项的起止日期", "培训、评价的费用由谁承担", "昆政办发〔2020〕67号"} {
		if !strings.Contains(page, want) {
			t.Errorf("it does not say %q", want)
		}
	}

	page = notice(nil, policy.FundSkillUplift)
	heads = itemHeads.FindAllStringSubmatch(page, -1)
	if len(heads) != 1 || heads[0][1] != "hold" || heads[0][2] != "‖" || strings.Contains(page, "<table>") {
		t.Errorf("%q", heads)
	}
	bring, office, _ := strings.Cut(page, "经办机构核定</dt>")
	if !strings.Contains(bring, "是否为企业在职职工") || strings.Contains(bring, "紧缺目录") || !strings.Contains(office, "紧缺目录") || !strings.Contains(office, "政策是否仍然有效") {
		t.Errorf("what the person brings and what the office finds out are mixed up:\n%s", page)
	}
	page = notice(nil, policy.FundApprenticeship, policy.FundNewEmployee)
	if heads = itemHeads.FindAllStringSubmatch(page, -1); len(heads) != 1 || !strings.Contains(page, "所问的“新录用人员岗位技能培训补贴”") || strings.Contains(page, "<h2>电工") {
		t.Errorf("%q\n%s", heads, page)
	}
}

// A notice is handed out on paper: one certificate and one fund take one sheet, all
// funds of Kunshan two pages.
func TestNoticeOnPaper(t *testing.T) {
	t.Parallel()
	chromium, info := needed.Chromium(t), needed.Tool(t, "pdfinfo", "poppler-utils")
	s, notice := kunshanNotice(t)
	for name, c := range map[string]struct {
		page string
		most int
	}{
		"one fund":                  {notice(counterFacts(s), policy.FundSkillUplift), 1},
		"one fund, nothing known":   {notice(nil, policy.FundKeyGroup), 1},
		"every fund":                {notice(counterFacts(s)), 2},
		"every fund, nothing known": {notice(nil), 2},
	} {
		dir := t.TempDir()
		html, pdf := filepath.Join(dir, "notice.html"), filepath.Join(dir, "notice.pdf")
		if err := os.WriteFile(html, []byte(c.page), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"),
			"--no-pdf-header-footer", "--print-to-pdf="+pdf, "file://"+html).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(info, pdf).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		pages := 0
		if found := regexp.MustCompile(`Pages:\s+(\d+)`).FindSubmatch(out); found != nil {
			_, err = fmt.Sscan(string(found[1]), &pages)
		}
		if err != nil || pages == 0 || pages > c.most || !strings.Contains(string(out), "A4") {
			t.Errorf("%s: %d pages, want at most %d: %v\n%s", name, pages, c.most, err, out)
		}
	}
}

func TestMoneyInSentences(t *testing.T) {
	for f, want := range map[policy.Fen]string{0: "0 元", 90000: "900 元", 260000: "2,600 元", 260050: "2,600.50 元", 123456789: "1,234,567.89 元", 100000000: "1,000,000 元"} {
		if got := money(f); got != want {
			t.Errorf("%d is %q, want %q", f, got, want)
		}
	}
}
