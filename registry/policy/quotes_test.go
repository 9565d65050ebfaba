package policy

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"bajigong/standards"
)

// quotedTexts are the documents whose text is at hand, by what a policy calls
// them, and whether the text is scraped: in traditional glyphs, with spaces
// inside words and pronunciations in brackets.
var quotedTexts = map[string]struct {
	file    string
	scraped bool
}{
	"苏人社发〔2018〕76号":     {"jiangsu-2018-no76-implementation-rules.txt", false},
	"苏政办发〔2019〕71号":     {"jiangsu-2019-no71-action-plan.txt", false},
	"昆政办发〔2020〕67号":     {"kunshan-2020-no67-action-plan.txt", false},
	"江苏省2025—2027年行动方案": {"jiangsu-2025-2027-action-plan-scraped.txt", true},
	"吉人社联〔2022〕145号":    {"jilin-2022-no145-action-plan.txt", false},
}

// The traditional glyphs of the scraped text, and what stands for each of them.
const (
	traditionalGlyphs = "來個備傳價優內兩凈則創劃動務勞勵區協參員單嚴國圍園圓團執堅報場塊壓夢婦學孿實寬將專對導屬崗師帶幗幫廢廣廳強從愛態憫應戰掛揚揮撐擇擊擔據攤數斷時晉暢書會東枴條業極構標樹機檢權歲歷殘殬氣沖況測準滿濟為無煉煙營牽獎現環產畢異當發監盤確礎礦種稱積競簡籌糧約納級組結絡給統經綠維網緊線練縣總績織繞繼續習聯職脫臺與興舉萬蓞藝蘇處虛號術衛補裝見規訂計訓記設評試該認課調請論證識護讀豐負財貧貫責費貼貿資賑質賬賽蹤車軌軍較載輛輪輸轉辦農進運過違遞遠適選遺郵鄉醫針鉤銜銷錄鏈鐵長門開間關隊際險雙離難電靈響項預領頭額類顧顯飛飽養饋駕駛騙驛體點齡龍"
	simplifiedGlyphs  = "来个备传价优内两净则创划动务劳励区协参员单严国围园圆团执坚报场块压梦妇学孪实宽将专对导属岗师带帼帮废广厅强从爱态悯应战挂扬挥撑择击担据摊数断时晋畅书会东拐条业极构标树机检权岁历残殬气冲况测准满济为无炼烟营牵奖现环产毕异当发监盘确础矿种称积竞简筹粮约纳级组结络给统经绿维网紧线练县总绩织绕继续习联职脱台与兴举万蓞艺苏处虚号术卫补装见规订计训记设评试该认课调请论证识护读丰负财贫贯责费贴贸资赈质账赛踪车轨军较载辆轮输转办农进运过违递远适选遗邮乡医针钩衔销录链铁长门开间关队际险双离难电灵响项预领头额类顾显飞饱养馈驾驶骗驿体点龄龙"
)

var pronunciation = regexp.MustCompile(`\([a-zāáǎàēéěèīíǐìōóǒòūúǔùüǖǘǚǜ]+\)`)

// comparableText is a text without spaces and in one form of each sign; of a
// scraped one also without pronunciations and in simplified glyphs.
func comparableText(s string, scraped bool) string {
	s = norm.NFKC.String(s)
	if scraped {
		s = pronunciation.ReplaceAllString(s, "")
		simple := map[rune]rune{}
		plain := []rune(simplifiedGlyphs)
		for i, r := range []rune(traditionalGlyphs) {
			simple[r] = plain[i]
		}
		s = strings.Map(func(r rune) rune {
			if to, ok := simple[r]; ok {
				return to
			}
			return r
		}, s)
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}

// TestQuotesStandInTheirTexts looks every quote of a policy up in the text that
// the policy names, and each clause names that text.
func TestQuotesStandInTheirTexts(t *testing.T) {
	if a, b := len([]rune(traditionalGlyphs)), len([]rune(simplifiedGlyphs)); a != b {
		t.Fatalf("%d traditional glyphs, %d simplified", a, b)
	}
	seen := map[string]int{}
	for _, p := range mustEmbedded(t).Policies() {
		source, ok := quotedTexts[p.Document.Number]
		if !ok {
			continue
		}
		text := comparableText(sourceText(t, source.file), source.scraped)
		for _, r := range p.Rules() {
			if r.Quote == "" && r.Clause == p.Document.Number { // amounts that the text leaves to the places
				continue
			}
			seen[p.Document.Number]++
			if r.Quote == "" || !strings.Contains(text, comparableText(r.Quote, source.scraped)) {
				t.Errorf("%s %s: the text does not say %q", p, r.ID, r.Quote)
			}
			if !strings.HasPrefix(r.Clause, p.Document.Number+" ") {
				t.Errorf("%s %s: clause %q names another document", p, r.ID, r.Clause)
			}
		}
		if !strings.Contains(text, comparableText(p.Document.Title, source.scraped)) {
			t.Errorf("%s: the text is not called %q", p, p.Document.Title)
		}
	}
	for number := range quotedTexts {
		if seen[number] == 0 {
			t.Errorf("no rule quotes %s", number)
		}
	}
	if strings.Contains(comparableText(sourceText(t, "kunshan-2020-no67-action-plan.txt"), false), "每人每月600元") {
		t.Error("the search finds what is not there")
	}
}

// TestReadings decides the cases of every second reading of a text. A reading is
// a sample policy beside the official one: testdata/readings/ID.yaml, its cases
// in testdata/readings/ID.cases.yaml. The official policy names under unknown
// which reading it takes, and must answer at least one of the cases otherwise.
func TestReadings(t *testing.T) {
	files, err := filepath.Glob("testdata/readings/*.cases.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		src, err := os.ReadFile(strings.TrimSuffix(file, ".cases.yaml") + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		reading, err := Parse(file, src)
		if err != nil {
			t.Fatal(err)
		}
		src, err = os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := ParseCases(file, src)
		if err != nil {
			t.Fatal(err)
		}
		base, _, ok := strings.Cut(reading.ID, "-reading-")
		if !ok || !reading.Sample || cases.Policy != reading.ID {
			t.Errorf("%s: a reading is a sample named POLICY-reading-WHAT, and its cases name it", file)
			continue
		}
		official, differs := mustPolicy(t, base), false
		for _, c := range cases.Cases {
			for _, d := range c.Check(reading) {
				t.Errorf("%s %s: %s", file, c.ID, d)
			}
			differs = differs || len(c.Check(official)) > 0
		}
		if !differs {
			t.Errorf("%s: %s answers every case like the reading", file, official)
		}
		if !slices.ContainsFunc(official.Unknown, func(g Gap) bool { return strings.Contains(reading.Note.EN, fmt.Sprintf("%q", g.Field)) }) {
			t.Errorf("%s: the note names no field that %s explains under unknown", file, official)
		}
	}
	if embeddedReadings, _ := fs.Glob(embedded, "policies/*-reading-*"); len(embeddedReadings) > 0 {
		t.Errorf("a reading is no policy of the program: %v", embeddedReadings)
	}
}

// TestBoundsOfJiangsuBindKunshan moves each value of a policy of Kunshan over
// the bound that a text of the province sets to it, and sees the set refused for
// that bound; the value just inside stays.
func TestBoundsOfJiangsuBindKunshan(t *testing.T) {
	set := mustEmbedded(t)
	level := func(level standards.Level, yuan Fen) func(*Policy) {
		return func(p *Policy) {
			p.Amounts.Levels = slices.Clone(p.Amounts.Levels)
			for i := range p.Amounts.Levels {
				if p.Amounts.Levels[i].Level == level {
					p.Amounts.Levels[i].Fen = yuan * 100
				}
			}
		}
	}
	times := func(n int) func(*Policy) {
		return func(p *Policy) { f := *p.Frequency; f.Max, p.Frequency = n, &f }
	}
	ahead := func(percent int) func(*Policy) {
		return func(p *Policy) { x := *p.Prepayment; x.Percent, p.Prepayment = percent, &x }
	}
	months := func(n int) func(*Policy) {
		return func(p *Policy) { x := *p.Subject; x.MostUnits, p.Subject = n, &x }
	}
	uplift := func(percent int) func(*Policy) {
		return func(p *Policy) { x := *p.Scarce; x.Percent, p.Scarce = percent, &x }
	}
	same := func(parts ...Sameness) func(*Policy) { return func(p *Policy) { p.Once.Same = parts } }
	for _, c := range []struct {
		policy string
		bound  string // empty: kept
		change func(*Policy)
	}{
		{"kunshan-2020-67", "", level(standards.Junior, 1000)},
		{"kunshan-2020-67", "cap_junior", level(standards.Junior, 1001)}, // 苏人社发〔2018〕76号 二（四）
		{"kunshan-2020-67", "cap_intermediate", level(standards.Intermediate, 1501)},
		{"kunshan-2020-67", "cap_senior", level(standards.Senior, 2001)},
		{"kunshan-2020-67", "", level(standards.Technician, 9000)}, // no cap is given above senior
		{"kunshan-2020-67", "cap_uplift", uplift(31)},
		{"kunshan-2020-67", "bound_times", times(4)}, // 苏政办发〔2019〕71号 三（十四）
		{"kunshan-2020-67", "", times(2)},
		{"kunshan-2020-67", "bound_once", same(SameOccupation)},
		{"kunshan-2020-67-training", "bound_once", same(SameOccupation, SameTrade, SameLevel)},
		{"kunshan-2020-67-training", "bound_times", times(4)},
		{"kunshan-2020-67-training", "bound_prepayment", ahead(51)},
		{"kunshan-2020-67-enterprise", "bound_prepayment", ahead(51)},
		{"kunshan-2020-67-pre-job", "", ahead(49)},
		{"kunshan-2020-67-work", "bound_months", months(7)}, // 苏政办发〔2019〕71号 三（十三）
		{"kunshan-2020-67-work", "", months(5)},
	} {
		p, err := set.Policy(c.policy, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&p)
		p.Version++
		next, err := NewSet(set.Regions(), append(set.Policies(), p)...)
		broken := ""
		for _, b := range func() []Binding {
			if err == nil {
				return next.Bounds(p)
			}
			return set.Bounds(p)
		}() {
			if !b.Kept {
				broken = b.Bound.ID
			}
		}
		if broken != c.bound || (err != nil) != (c.bound != "") {
			t.Errorf("%s: broken is %q, want %q: %v", c.policy, broken, c.bound, err)
		}
	}
}
