package eligibility_test

import (
	"strings"
	"testing"

	"bajigong/internal/fail"
	"bajigong/standards"
	"bajigong/standards/eligibility"
)

func fieldsOf(err error) []fail.Field {
	if err == nil {
		return nil
	}
	return fail.Of(err).Fields
}

// 允许破格或越级参加技师、高级技师考评: 苏人社发〔2018〕76号 三（四）2.
func TestEligible(t *testing.T) {
	none := record{Birth: "1990-01-01"}
	short := record{Birth: "1990-01-01", Work: work("2023-01-01", ""), Certificates: cert(standards.Senior, "2023-01-01")}
	full := record{Birth: "1980-01-01", Work: work("2010-01-01", ""), Certificates: cert(standards.Senior, "2020-01-01")}
	basis := eligibility.Basis{Kind: eligibility.Exceptional, Document: "示例批复〔2026〕1号", Approver: "江苏省人力资源和社会保障厅", Date: "2026-03-01"}
	with := func(change func(*eligibility.Basis)) eligibility.Basis { b := basis; change(&b); return b }
	for _, c := range []struct {
		what   string
		region string
		record record
		level  standards.Level
		basis  eligibility.Basis
		keys   string // empty: not eligible
		reason string
	}{
		{"normal, satisfied", "320000", full, standards.Technician, eligibility.Basis{}, "2A", ""},
		{"normal, years short", "320000", short, standards.Technician, eligibility.Basis{Kind: eligibility.Normal}, "", "2A：取得三级/高级工证书后累计从事"},
		{"破格 waives the years", "320583", short, standards.Technician, basis, "2A", ""},
		{"越级 waives the level", "320583", none, standards.SeniorTechnician, with(func(b *eligibility.Basis) { b.Kind = eligibility.LevelSkipping }), "1A", ""},
		{"not below 技师", "320583", none, standards.Senior, basis, "", "不允许破格申报三级/高级工"},
		{"not in another province", "330000", short, standards.Technician, basis, "", "不允许破格申报二级/技师"},
		{"not in the nation", "000000", short, standards.Technician, basis, "", "不允许破格"},
		{"no document", "320000", short, standards.Technician, with(func(b *eligibility.Basis) { b.Document = " " }), "", "应写明依据文件"},
		{"no approver", "320000", short, standards.Technician, with(func(b *eligibility.Basis) { b.Approver = "" }), "", "应写明批准单位"},
		{"no date", "320000", short, standards.Technician, with(func(b *eligibility.Basis) { b.Date = "" }), "", "应写明批准日期"},
		{"approved later", "320000", short, standards.Technician, with(func(b *eligibility.Basis) { b.Date = "2026-03-03" }), "", "晚于申报日期"},
		{"an incomplete basis is refused even if the normal one would do", "320000", full, standards.Technician, with(func(b *eligibility.Basis) { b.Document = "" }), "", "应写明依据文件"},
		{"an unknown basis", "320000", full, standards.Technician, eligibility.Basis{Kind: "friend"}, "", "应为 正常、破格 或 越级"},
		{"a level without conditions", "320000", full, standards.ChiefTechnician, eligibility.Basis{}, "", "没有首席技师的申报条件"},
	} {
		rules := rulesOn(t, c.region, electrician, "2026-03-02")
		result := eligibility.Evaluate(rules, c.record, eligibility.Question{Level: c.level, On: "2026-03-02"})
		ok, keys, reasons := eligibility.Eligible(result, c.basis)
		var why strings.Builder
		for _, r := range reasons {
			why.WriteString(r.ZH + "\n")
			if r.EN == "" {
				t.Errorf("%s: %s has no English", c.what, r.ZH)
			}
		}
		if ok != (c.keys != "") || strings.Join(keys, " ") != c.keys || !strings.Contains(why.String(), c.reason) || ok && len(reasons) > 0 {
			t.Errorf("%s: %t %v %s", c.what, ok, keys, why.String())
		}
	}
}

// A waiver of one thing leaves the other: years without a certificate are those
// of all work.
func TestWaiverOfOneThing(t *testing.T) {
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	basis := eligibility.Basis{Kind: eligibility.Exceptional, Document: "x", Approver: "y", Date: "2026-03-01"}
	for _, c := range []struct {
		what   string
		waives eligibility.MissingKind
		record record
		want   bool
	}{
		{"the certificate, with five years of work", eligibility.MissingCertificate, record{Birth: "1980-01-01", Work: work("2021-03-02", "")}, true},
		{"the certificate, one day short of five years", eligibility.MissingCertificate, record{Birth: "1980-01-01", Work: work("2021-03-03", "")}, false},
		{"the years, with the certificate", eligibility.MissingYears, record{Birth: "1980-01-01", Certificates: cert(standards.Senior, "2026-03-02")}, true},
		{"the years, without the certificate", eligibility.MissingYears, record{Birth: "1980-01-01", Work: work("2000-01-01", "")}, false},
	} {
		rules.Waivers = []eligibility.Waiver{{Basis: eligibility.Exceptional, Levels: []standards.Level{standards.Technician}, Waives: []eligibility.MissingKind{c.waives}}}
		result := eligibility.Evaluate(rules, c.record, eligibility.Question{Level: standards.Technician, On: "2026-03-02"})
		if ok, keys, _ := eligibility.Eligible(result, basis); ok != c.want {
			t.Errorf("%s: %t %v", c.what, ok, keys)
		}
	}
}

func TestParseBasisKind(t *testing.T) {
	for s, want := range map[string]eligibility.BasisKind{"": eligibility.Normal, "正常": eligibility.Normal, " 正常申报 ": eligibility.Normal, "破格": eligibility.Exceptional,
		"破格申报": eligibility.Exceptional, "越级": eligibility.LevelSkipping, "Level-Skipping": eligibility.LevelSkipping, "level_skipping": eligibility.LevelSkipping, "破格晋升": "", "x": ""} {
		got, err := eligibility.ParseBasisKind(s)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
	for _, k := range eligibility.BasisKinds() {
		for _, s := range []string{string(k), k.Chinese(), k.English()} {
			if got, err := eligibility.ParseBasisKind(s); got != k || err != nil {
				t.Errorf("%q: %q %v", s, got, err)
			}
		}
	}
}

func FuzzParseBasisKind(f *testing.F) {
	f.Add("破格")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := eligibility.ParseBasisKind(s)
		if err == nil && k.Chinese() == "" {
			t.Errorf("%q gave %q", s, k)
		}
	})
}
