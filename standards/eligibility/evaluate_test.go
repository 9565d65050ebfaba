package eligibility_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bajigong/standards"
	"bajigong/standards/eligibility"
)

const electrician = "6-31-01-03"

// work makes periods of the occupation from pairs of dates, with the evidence w1,
// w2…; an empty second date is still going on.
func work(dates ...standards.Date) (out []eligibility.Work) {
	for i := 0; i+1 < len(dates); i += 2 {
		out = append(out, eligibility.Work{From: dates[i], Until: dates[i+1], Occupation: electrician, Kind: eligibility.Insurance, Evidence: fmt.Sprintf("w%d", i/2+1)})
	}
	return out
}

func cert(l standards.Level, issued standards.Date) []eligibility.Certificate {
	return []eligibility.Certificate{{Level: l, Occupation: electrician, Kind: eligibility.SkillLevel, Issued: issued, Evidence: "c1"}}
}

func title(r eligibility.Rank, issued standards.Date) []eligibility.Title {
	return []eligibility.Title{{Rank: r, Issued: issued, Field: eligibility.OwnField, Evidence: "t1"}}
}

func diploma(s eligibility.School, k eligibility.Class, graduated standards.Date) []eligibility.Diploma {
	return []eligibility.Diploma{{School: s, Class: k, Field: eligibility.OwnField, Graduated: graduated, Evidence: "d1"}}
}

type record = eligibility.Record

// Sources of the rows.
const (
	rule    = "人社厅发〔2023〕31号"             // the condition itself
	civil   = "民法典 第二百零二条"                // 对应日; 没有对应日的，月末日
	reached = "民法典 第一千二百五十九条"             // 届满包括本数
	sums    = "人社厅发〔2023〕31号：累计"          // merged periods, gaps left out
	either  = "人社厅发〔2023〕31号：职业资格或职业技能等级" // both certificates, own or related
	final   = "人社厅发〔2023〕31号：含在读应届毕业生"
)

// boundary is one case at the boundary of a condition: on the date, is it
// satisfied, and since when.
type boundary struct {
	key, what string
	source    string
	record    record
	on        standards.Date
	since     standards.Date // empty: not satisfied
	evidence  string         // joined with spaces
}

func born(d standards.Date) record { return record{Birth: d} }

func adult(r record) record { r.Birth = "1980-01-01"; return r }

func with(r record, change func(*record)) record { change(&r); return r }

var intends = &eligibility.Intention{Declared: "2026-01-05", Evidence: "i1"}

// afterCertificate are the cases of "n years of work after a certificate", which
// five conditions share; the certificate is of 2020-03-01 and 2020-02-29.
func afterCertificate(key string, l standards.Level, n int) []boundary {
	full := standards.Date(fmt.Sprintf("%d-03-01", 2020+n))
	leap := standards.Date(fmt.Sprintf("%d-02-28", 2020+n))
	if n == 4 {
		leap = "2024-02-29"
	}
	base := adult(record{Work: work("2015-01-01", ""), Certificates: cert(l, "2020-03-01")})
	leapling := adult(record{Work: work("2015-01-01", ""), Certificates: cert(l, "2020-02-29")})
	return []boundary{
		{key, "one day short", rule, base, full.AddDays(-1), "", ""},
		{key, "the exact day", reached, base, full, full, "c1 w1"},
		{key, "a certificate of 29 February, one day short", civil, leapling, leap.AddDays(-1), "", ""},
		{key, "a certificate of 29 February", civil, leapling, leap, leap, "c1 w1"},
		{key, "work before the certificate does not count", rule, adult(record{Work: work("2000-01-01", "2020-02-29"), Certificates: cert(l, "2020-03-01")}), "2040-01-01", "", ""},
		{key, "overlapping work counts once", sums, with(base, func(r *record) {
			r.Work = work("2020-03-01", full.AddDays(-11), "2020-06-01", full.AddDays(-2))
		}), "2040-01-01", "", ""},
		{key, "overlapping work up to the last day", sums, with(base, func(r *record) {
			r.Work = work("2020-03-01", full.AddDays(-11), "2020-06-01", full.AddDays(-1))
		}), "2040-01-01", full, "c1 w1 w2"},
		{key, "a gap of ten days is ten days later, one day short", sums, with(base, func(r *record) {
			r.Work = work("2020-03-01", "2020-05-31", "2020-06-11", "")
		}), full.AddDays(9), "", ""},
		{key, "a gap of ten days is ten days later", sums, with(base, func(r *record) {
			r.Work = work("2020-03-01", "2020-05-31", "2020-06-11", "")
		}), full.AddDays(10), full.AddDays(10), "c1 w1 w2"},
		{key, "职业资格证书 of a related occupation", either, with(base, func(r *record) {
			r.Certificates = []eligibility.Certificate{{Level: l, Occupation: "6-31-01-02", Related: true, Kind: eligibility.Qualification, Issued: "2020-03-01", Evidence: "q1"}}
		}), full, full, "q1 w1"},
		{key, "a certificate of another occupation", either, with(base, func(r *record) {
			r.Certificates = []eligibility.Certificate{{Level: l, Occupation: "4-03-02-01", Kind: eligibility.SkillLevel, Issued: "2010-03-01", Evidence: "c9"}}
		}), full, "", ""},
		{key, "a certificate of the level below", rule, with(base, func(r *record) { r.Certificates = cert(l-1, "2010-03-01") }), full, "", ""},
	}
}

// afterTitle are those of "n years of work after a title"; extra adds what else
// the condition needs.
func afterTitle(key string, rank eligibility.Rank, n int, extra func(*record), evidence string) []boundary {
	full := standards.Date(fmt.Sprintf("%d-03-01", 2020+n))
	leap := standards.Date(fmt.Sprintf("%d-02-28", 2020+n))
	base := with(adult(record{Work: work("2015-01-01", ""), Titles: title(rank, "2020-03-01")}), extra)
	leapling := with(base, func(r *record) { r.Titles = title(rank, "2020-02-29") })
	other := map[eligibility.Rank]eligibility.Rank{eligibility.JuniorTitle: eligibility.MidTitle, eligibility.MidTitle: eligibility.JuniorTitle, eligibility.SeniorTitle: eligibility.MidTitle}[rank]
	return []boundary{
		{key, "one day short", rule, base, full.AddDays(-1), "", ""},
		{key, "the exact day", reached, base, full, full, evidence + "t1 w1"},
		{key, "a title of 29 February, one day short", civil, leapling, leap.AddDays(-1), "", ""},
		{key, "a title of 29 February", civil, leapling, leap, leap, evidence + "t1 w1"},
		{key, "a title of another field", rule + "：符合专业对应关系", with(base, func(r *record) {
			r.Titles = []eligibility.Title{{Rank: rank, Issued: "2010-03-01", Field: eligibility.OtherField, Evidence: "t9"}}
		}), full, "", ""},
		{key, "a title of another rank", rule, with(base, func(r *record) { r.Titles = title(other, "2010-03-01") }), full, "", ""},
		{key, "overlap: no day counts twice", sums, with(base, func(r *record) {
			r.Work = work("2020-03-01", full.AddDays(-30), "2020-04-01", full.AddDays(-2))
		}), "2040-01-01", "", ""},
		{key, "a gap of one day is one day later, one day short", sums, with(base, func(r *record) {
			r.Work = work("2015-01-01", "2020-06-30", "2020-07-02", "")
		}), full, "", ""},
		{key, "a gap of one day is one day later", sums, with(base, func(r *record) {
			r.Work = work("2015-01-01", "2020-06-30", "2020-07-02", "")
		}), full.AddDays(1), full.AddDays(1), evidence + "t1 w1 w2"},
	}
}

// total are those of "n years of work in all", with what else is needed.
func total(key string, n int, extra func(*record), evidence string) []boundary {
	full := standards.Date(fmt.Sprintf("%d-03-01", 2012+n))
	leap := standards.Date(fmt.Sprintf("%d-02-28", 2012+n))
	rec := func(dates ...standards.Date) record { return with(adult(record{Work: work(dates...)}), extra) }
	return []boundary{
		{key, "one day short", rule, rec("2012-03-01", ""), full.AddDays(-1), "", ""},
		{key, "the exact day", reached, rec("2012-03-01", ""), full, full, evidence + "w1"},
		{key, "a closed period of whole years, asked long after", reached, rec("2012-03-01", full.AddDays(-1)), "2040-01-01", full, evidence + "w1"},
		{key, "a closed period one day shorter", rule, rec("2012-03-01", full.AddDays(-2)), "2040-01-01", "", ""},
		{key, "begun on 29 February, one day short", civil, rec("2012-02-29", ""), leap.AddDays(-1), "", ""},
		{key, "begun on 29 February", civil, rec("2012-02-29", ""), leap, leap, evidence + "w1"},
		{key, "work that is to come is cut at the date", rule, rec("2012-03-01", "2050-01-01"), full.AddDays(-1), "", ""},
		{key, "the same days twice", sums, rec("2012-03-01", full.AddDays(-2), "2012-03-01", full.AddDays(-2)), "2040-01-01", "", ""},
		{key, "overlapping periods are joined", sums, rec("2012-03-01", "2013-06-30", "2013-01-01", full.AddDays(-1)), "2040-01-01", full, evidence + "w1 w2"},
		{key, "a day in two periods counts once, one day short", sums, rec("2012-03-01", "2013-01-01", "2013-01-01", full.AddDays(-2)), "2040-01-01", "", ""},
		{key, "adjoining periods are one", sums, rec("2012-03-01", "2012-12-31", "2013-01-01", full.AddDays(-1)), "2040-01-01", full, evidence + "w1 w2"},
		{key, "a gap of 100 days, one day short", sums, rec("2012-03-01", "2012-12-31", "2013-04-11", ""), full.AddDays(99), "", ""},
		{key, "a gap of 100 days", sums, rec("2012-03-01", "2012-12-31", "2013-04-11", ""), full.AddDays(100), full.AddDays(100), evidence + "w1 w2"},
		{key, "another occupation in the gap does not count", rule, with(rec("2012-03-01", "2012-12-31", "2013-01-01", "2013-04-10", "2013-04-11", ""), func(r *record) {
			r.Work[1].Occupation = "4-03-02-01"
		}), full.AddDays(99), "", ""},
		{key, "a related occupation in the gap counts", rule, with(rec("2012-03-01", "2012-12-31", "2013-01-01", "2013-04-10", "2013-04-11", ""), func(r *record) {
			r.Work[1].Occupation, r.Work[1].Related = "电气安装", true
		}), full, full, evidence + "w1 w2 w3"},
	}
}

// schooling are those of "a diploma", with what else is needed.
func schooling(key string, good eligibility.Diploma, wrongSchool eligibility.School, extra func(*record), evidence string) []boundary {
	rec := func(change func(*eligibility.Diploma)) record {
		d := good
		d.Graduated, d.Field, d.Evidence = "2026-06-30", eligibility.RelatedField, "d1"
		change(&d)
		return with(adult(record{Diplomas: []eligibility.Diploma{d}}), extra)
	}
	expected := func(d *eligibility.Diploma) { d.Graduated, d.Expected = "", "2027-06-30" }
	leap := func(d *eligibility.Diploma) { d.Graduated, d.Expected = "", "2028-02-29" }
	return []boundary{
		{key, "graduates tomorrow, by diploma", rule, rec(func(*eligibility.Diploma) {}), "2026-06-29", "", ""},
		{key, "graduated today", rule, rec(func(*eligibility.Diploma) {}), "2026-06-30", "2026-06-30", evidence + "d1"},
		{key, "12 months and a day before graduation", final, rec(expected), "2026-06-29", "", ""},
		{key, "12 months before graduation", final, rec(expected), "2026-06-30", "2026-06-30", evidence + "d1"},
		{key, "the day after the expected one: the diploma is needed", final, rec(expected), "2027-07-01", "", ""},
		{key, "graduation on a leap day", civil, rec(leap), "2027-02-28", "2027-02-28", evidence + "d1"},
		{key, "graduation on a leap day, one day short", civil, rec(leap), "2027-02-27", "", ""},
		{key, "another field", rule + "：本专业或相关专业", rec(func(d *eligibility.Diploma) { d.Field = eligibility.OtherField }), "2026-06-30", "", ""},
		{key, "a school that is not named", rule, rec(func(d *eligibility.Diploma) { d.School = wrongSchool }), "2026-06-30", "", ""},
	}
}

func nothing(*record) {}

var boundaries = slices.Concat(
	[]boundary{
		{"5A", "one day short of 16", rule, with(born("2010-03-03"), func(r *record) { r.Intention = intends }), "2026-03-02", "", ""},
		{"5A", "16 today", reached, with(born("2010-03-02"), func(r *record) { r.Intention = intends }), "2026-03-02", "2026-03-02", "i1"},
		{"5A", "16 long ago: since the declaration", rule, with(born("1990-03-02"), func(r *record) { r.Intention = intends }), "2026-03-02", "2026-01-05", "i1"},
		{"5A", "born on 29 February, one day short", civil, with(born("2012-02-29"), func(r *record) { r.Intention = intends }), "2028-02-28", "", ""},
		{"5A", "born on 29 February, 16 on 29 February", civil, with(born("2012-02-29"), func(r *record) { r.Intention = intends }), "2028-02-29", "2028-02-29", "i1"},
		{"5A", "born on 29 February, 16 in 2100, which has no leap day", civil, with(born("2084-02-29"), func(r *record) { r.Intention = intends }), "2100-02-28", "2100-02-28", "i1"},
		{"5A", "without a declaration", rule, born("1990-03-02"), "2026-03-02", "", ""},
		{"5A", "declared tomorrow", rule, with(born("1990-03-02"), func(r *record) { r.Intention = intends }), "2026-01-04", "", ""},

		{"5B", "works, one day short of 16", rule, with(born("2010-03-03"), func(r *record) { r.Work = work("2026-01-01", "") }), "2026-03-02", "", ""},
		{"5B", "works, 16 today", reached, with(born("2010-03-02"), func(r *record) { r.Work = work("2026-01-01", "") }), "2026-03-02", "2026-03-02", "w1"},
		{"5B", "born on 29 February", civil, with(born("2012-02-29"), func(r *record) { r.Work = work("2028-01-01", "") }), "2028-02-28", "", ""},
		{"5B", "born on 29 February, on the day", civil, with(born("2012-02-29"), func(r *record) { r.Work = work("2028-01-01", "") }), "2028-02-29", "2028-02-29", "w1"},
		{"5B", "begins tomorrow", rule, adult(record{Work: work("2026-03-03", "")}), "2026-03-02", "", ""},
		{"5B", "began today", rule, adult(record{Work: work("2026-03-02", "")}), "2026-03-02", "2026-03-02", "w1"},
		{"5B", "last day of work today", rule, adult(record{Work: work("2025-03-02", "2026-03-02")}), "2026-03-02", "2025-03-02", "w1"},
		{"5B", "last day of work yesterday", rule, adult(record{Work: work("2025-03-02", "2026-03-01")}), "2026-03-02", "", ""},
		{"5B", "overlap: since the first of the joined periods", sums, adult(record{Work: work("2025-01-01", "2025-12-31", "2025-06-01", "")}), "2026-03-02", "2025-01-01", "w2"},
		{"5B", "a gap: since it ended", sums, adult(record{Work: work("2025-01-01", "2025-12-31", "2026-02-01", "")}), "2026-03-02", "2026-02-01", "w2"},
	},
	total("4A", 5, nothing, ""),
	afterCertificate("4B", standards.Junior, 3),
	schooling("4C", eligibility.Diploma{School: eligibility.SecondaryVocational}, "kindergarten", nothing, ""),
	total("3A", 10, nothing, ""),
	afterCertificate("3B", standards.Intermediate, 4),
	afterTitle("3C", eligibility.JuniorTitle, 1, nothing, ""),
	schooling("3D", eligibility.Diploma{School: eligibility.TechnicalSchool, Class: eligibility.SeniorClass}, eligibility.HigherVocational, nothing, ""),
	[]boundary{
		{"3D", "a class below 高级工班", rule, adult(record{Diplomas: diploma(eligibility.TechnicalSchool, eligibility.IntermediateClass, "2020-06-30")}), "2026-03-02", "", ""},
		{"3D", "a class above", rule + "：及以上", adult(record{Diplomas: diploma(eligibility.TechnicianCollege, eligibility.PreTechnicianClass, "2020-06-30")}), "2026-03-02", "2020-06-30", "d1"},
	},
	schooling("3E", eligibility.Diploma{School: eligibility.HigherVocational}, eligibility.SecondaryVocational, func(r *record) {
		r.Certificates = cert(standards.Intermediate, "2020-01-01")
	}, "c1 "),
	[]boundary{
		{"3E", "the certificate comes later than the diploma", rule, adult(record{Diplomas: diploma(eligibility.University, "", "2020-06-30"), Certificates: cert(standards.Intermediate, "2026-03-02")}), "2026-03-02", "2026-03-02", "c1 d1"},
		{"3E", "the certificate comes tomorrow", rule, adult(record{Diplomas: diploma(eligibility.University, "", "2020-06-30"), Certificates: cert(standards.Intermediate, "2026-03-03")}), "2026-03-02", "", ""},
		{"3E", "no certificate", rule, adult(record{Diplomas: diploma(eligibility.University, "", "2020-06-30")}), "2026-03-02", "", ""},
	},
	schooling("3F", eligibility.Diploma{School: eligibility.JuniorCollege, Evaluated: true}, eligibility.SecondaryVocational, nothing, ""),
	[]boundary{
		{"3F", "not evaluated", rule + "：经评估论证", adult(record{Diplomas: diploma(eligibility.JuniorCollege, "", "2020-06-30")}), "2026-03-02", "", ""},
	},
	afterCertificate("2A", standards.Senior, 5),
	afterTitle("2B", eligibility.JuniorTitle, 5, func(r *record) { r.Certificates = cert(standards.Senior, "2020-01-01") }, "c1 "),
	[]boundary{
		{"2B", "one year of work after the certificate, one day short", rule, adult(record{Work: work("2015-01-01", ""), Titles: title(eligibility.JuniorTitle, "2018-01-01"), Certificates: cert(standards.Senior, "2025-03-03")}), "2026-03-02", "", ""},
		{"2B", "one year of work after the certificate", reached, adult(record{Work: work("2015-01-01", ""), Titles: title(eligibility.JuniorTitle, "2018-01-01"), Certificates: cert(standards.Senior, "2025-03-02")}), "2026-03-02", "2026-03-02", "c1 t1 w1"},
		{"2B", "no certificate", rule, adult(record{Work: work("2015-01-01", ""), Titles: title(eligibility.JuniorTitle, "2018-01-01")}), "2026-03-02", "", ""},
	},
	afterTitle("2C", eligibility.MidTitle, 1, nothing, ""),
	total("2D", 2, func(r *record) {
		r.Certificates, r.Diplomas = cert(standards.Senior, "2012-01-01"), diploma(eligibility.TechnicianCollege, "", "2011-06-30")
	}, "c1 d1 "),
	[]boundary{
		{"2D", "at school still: a graduate is asked for", rule + "：毕业生", adult(record{Work: work("2020-01-01", ""), Certificates: cert(standards.Senior, "2020-01-01"),
			Diplomas: []eligibility.Diploma{{School: eligibility.TechnicianCollege, Field: eligibility.OwnField, Expected: "2026-06-30", Evidence: "d1"}}}), "2026-03-02", "", ""},
		{"2D", "a technical school that is not 高级", rule, adult(record{Work: work("2020-01-01", ""), Certificates: cert(standards.Senior, "2020-01-01"),
			Diplomas: diploma(eligibility.TechnicalSchool, eligibility.SeniorClass, "2019-06-30")}), "2026-03-02", "", ""},
		{"2D", "work before the certificate counts: 累计, not 取得后", rule, adult(record{Work: work("2020-01-01", "2021-12-31"), Certificates: cert(standards.Senior, "2026-01-01"),
			Diplomas: diploma(eligibility.SeniorTechnicalSchool, "", "2019-06-30")}), "2026-03-02", "2026-01-01", "c1 d1 w1"},
	},
	student("2E"),
	afterCertificate("1A", standards.Technician, 5),
	afterTitle("1B", eligibility.MidTitle, 5, func(r *record) { r.Certificates = cert(standards.Technician, "2020-01-01") }, "c1 "),
	[]boundary{
		{"1B", "one year of work after the certificate, one day short", rule, adult(record{Work: work("2015-01-01", ""), Titles: title(eligibility.MidTitle, "2018-01-01"), Certificates: cert(standards.Technician, "2025-03-03")}), "2026-03-02", "", ""},
		{"1B", "one year of work after the certificate", reached, adult(record{Work: work("2015-01-01", ""), Titles: title(eligibility.MidTitle, "2018-01-01"), Certificates: cert(standards.Technician, "2025-03-02")}), "2026-03-02", "2026-03-02", "c1 t1 w1"},
	},
	afterTitle("1C", eligibility.SeniorTitle, 1, nothing, ""),
)

// student: a 三级 certificate for two years and a place in the class.
func student(key string) []boundary {
	rec := func(issued, from, until standards.Date, k eligibility.Class) record {
		return record{Birth: "2004-01-01", Certificates: cert(standards.Senior, issued),
			Enrolled: []eligibility.Enrolment{{School: eligibility.TechnicianCollege, Class: k, From: from, Until: until, Evidence: "e1"}}}
	}
	const pre, full = eligibility.PreTechnicianClass, eligibility.TechnicianClass
	return []boundary{
		{key, "one day short of two years", rule, rec("2024-03-03", "2024-09-01", "", pre), "2026-03-02", "", ""},
		{key, "two years to the day", reached, rec("2024-03-02", "2024-09-01", "", pre), "2026-03-02", "2026-03-02", "c1 e1"},
		{key, "a certificate of 29 February, one day short", civil, rec("2024-02-29", "2024-09-01", "", full), "2026-02-27", "", ""},
		{key, "a certificate of 29 February", civil, rec("2024-02-29", "2024-09-01", "", full), "2026-02-28", "2026-02-28", "c1 e1"},
		{key, "the years pass without work: 满, not 累计从事", rule, rec("2020-03-02", "2025-09-01", "", pre), "2026-03-02", "2025-09-01", "c1 e1"},
		{key, "last day at school", rule, rec("2020-03-02", "2024-09-01", "2026-03-02", pre), "2026-03-02", "2024-09-01", "c1 e1"},
		{key, "left school yesterday", rule, rec("2020-03-02", "2024-09-01", "2026-03-01", pre), "2026-03-02", "", ""},
		{key, "begins tomorrow", rule, rec("2020-03-02", "2026-03-03", "", pre), "2026-03-02", "", ""},
		{key, "another class", rule, rec("2020-03-02", "2024-09-01", "", eligibility.SeniorClass), "2026-03-02", "", ""},
	}
}

// Each of the nineteen conditions at its boundary: one day short, the exact day,
// a leap day, overlap and gap where there is work in it.
func TestBoundaries(t *testing.T) {
	rows := map[string]int{}
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	for _, b := range boundaries {
		rows[b.key]++
		if b.source == "" {
			t.Errorf("%s, %s: no source", b.key, b.what)
		}
		level, _ := standards.LevelOfDigit(b.key[0])
		result := eligibility.Evaluate(rules, b.record, eligibility.Question{Level: level, On: b.on})
		var since standards.Date
		var evidence string
		for _, s := range result.Satisfied {
			if s.Key == b.key {
				since, evidence = s.Since, strings.Join(s.Evidence, " ")
			}
		}
		if since != b.since || evidence != b.evidence {
			t.Errorf("%s, %s (%s) on %s: since %q by %q, want %q by %q; %v", b.key, b.what, b.source, b.on, since, evidence, b.since, b.evidence, result.Unsatisfied)
		}
		for _, u := range result.Unsatisfied {
			if u.ZH == "" || u.EN == "" || len(u.Missing) == 0 {
				t.Errorf("%s, %s: %s does not say what is missing", b.key, b.what, u.Key)
			}
		}
	}
	for _, key := range strings.Fields(nineteen) {
		if rows[key] < 8 {
			t.Errorf("condition %s has %d rows", key, rows[key])
		}
	}
	if len(rows) != 19 {
		t.Errorf("rows for %d conditions", len(rows))
	}
}

// Every condition is satisfied from its first day on, and not a day before, for
// one record that lives through all of them.
func TestSinceIsTheFirstDay(t *testing.T) {
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	checked := 0
	for _, b := range boundaries {
		if b.since == "" || b.key == "5B" && strings.HasPrefix(b.what, "last day") {
			continue
		}
		level, _ := standards.LevelOfDigit(b.key[0])
		for days, want := range map[int]bool{-1: false, 0: true} {
			q := eligibility.Question{Level: level, On: b.since.AddDays(days)}
			if got := slices.Contains(eligibility.Evaluate(rules, b.record, q).Keys(), b.key); got != want {
				t.Errorf("%s, %s: on %s it is %t", b.key, b.what, q.On, got)
			}
		}
		checked++
	}
	if checked < 50 {
		t.Errorf("only %d rows", checked)
	}
}

func TestSentences(t *testing.T) {
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	r := record{Birth: "1990-01-01", Work: work("2021-04-08", ""), Certificates: cert(standards.Junior, "2023-04-08")}
	result := eligibility.Evaluate(rules, r, eligibility.Question{Level: standards.Intermediate, On: "2026-03-02"})
	want := map[string][2]string{
		"4A": {"累计从事本职业或相关职业工作满 5 年，截至2026年3月2日尚差 37 天", "37 days short of 5 whole years of work in this or a related occupation, as of 2026-03-02"},
		"4B": {"取得五级/初级工证书后累计从事本职业或相关职业工作满 3 年，截至2026年3月2日尚差 37 天", "37 days short of 3 whole years of work in this or a related occupation after the 五级/初级工 certificate, as of 2026-03-02"},
		"4C": {"没有技工院校或中等及以上职业院校、专科及以上普通高等学校本专业或相关专业毕业证书，也不是在读应届毕业生",
			"there is no diploma of a technical school, a secondary or higher vocational school, or a college in the field or a related one, nor a place in its final year"},
	}
	if len(result.Unsatisfied) != len(want) {
		t.Fatalf("%+v", result.Unsatisfied)
	}
	for _, u := range result.Unsatisfied {
		if w := want[u.Key]; u.ZH != w[0] || u.EN != w[1] {
			t.Errorf("%s:\n%s\n%s", u.Key, u.ZH, u.EN)
		}
	}
	if days := result.Unsatisfied[0].Missing[0].Days; days != 37 {
		t.Errorf("days %d", days)
	}
}

// The algorithm of cumulated years, on its own numbers: the days of the periods
// pushed together to the first day of the first.
func TestCumulated(t *testing.T) {
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	for _, c := range []struct {
		what string
		work []eligibility.Work
		want standards.Date // complete five years
	}{
		// From 2016-01-01 five years are 1827 days (leap days of 2016 and 2020).
		{"one period", work("2016-01-01", ""), "2021-01-01"},
		{"two of 900 and 927 days", work("2016-01-01", "2018-06-18", "2019-01-01", "2021-07-15"), "2021-07-16"},
		{"two of 900 and 926 days", work("2016-01-01", "2018-06-18", "2019-01-01", "2021-07-14"), ""},
		// From 2017-01-01 they are 1826 (leap day of 2020 alone).
		{"two of 900 and 926 days, from another year", work("2017-01-01", "2019-06-19", "2020-01-01", "2022-07-14"), "2022-07-15"},
		{"ten half years of 181 or 182 days", work("2010-01-01", "2010-06-30", "2011-01-01", "2011-06-30", "2012-01-01", "2012-06-30", "2013-01-01", "2013-06-30", "2014-01-01", "2014-06-30",
			"2015-01-01", "2015-06-30", "2016-01-01", "2016-06-30", "2017-01-01", "2017-06-30", "2018-01-01", "2018-06-30", "2019-01-01", "2019-06-30"), ""},
	} {
		result := eligibility.Evaluate(rules, adult(record{Work: c.work}), eligibility.Question{Level: standards.Intermediate, On: "2026-03-02"})
		var since standards.Date
		for _, s := range result.Satisfied {
			since = s.Since
		}
		if since != c.want {
			t.Errorf("%s: %q, want %q", c.what, since, c.want)
		}
	}
}

// randomRecord is a record with some of everything.
func randomRecord(r *rand.Rand) record {
	date := func() standards.Date { return standards.Date("2000-01-01").AddDays(r.IntN(9500)) }
	occupation := func() (string, bool) {
		switch r.IntN(4) {
		case 0:
			return "6-31-01-02", false
		case 1:
			return "其他岗位", r.IntN(2) == 0
		}
		return electrician, false
	}
	id := 0
	evidence := func() string { id++; return fmt.Sprintf("e%d", id) }
	out := record{Birth: standards.Date("1975-01-01").AddDays(r.IntN(12000))}
	for range r.IntN(6) {
		w := eligibility.Work{From: date(), Kind: eligibility.Insurance, Evidence: evidence()}
		w.Occupation, w.Related = occupation()
		if r.IntN(4) > 0 {
			w.Until = w.From.AddDays(r.IntN(2500))
		}
		out.Work = append(out.Work, w)
	}
	for range r.IntN(4) {
		c := eligibility.Certificate{Level: standards.ExaminedLevels()[r.IntN(5)], Kind: eligibility.SkillLevel, Issued: date(), Evidence: evidence()}
		c.Occupation, c.Related = occupation()
		out.Certificates = append(out.Certificates, c)
	}
	for range r.IntN(3) {
		out.Titles = append(out.Titles, eligibility.Title{Rank: []eligibility.Rank{"junior", "mid", "senior"}[r.IntN(3)], Issued: date(), Field: eligibility.OwnField, Evidence: evidence()})
	}
	for range r.IntN(3) {
		out.Diplomas = append(out.Diplomas, eligibility.Diploma{School: []eligibility.School{eligibility.TechnicianCollege, eligibility.University}[r.IntN(2)], Class: eligibility.SeniorClass,
			Field: eligibility.OwnField, Graduated: date(), Evaluated: r.IntN(2) == 0, Evidence: evidence()})
	}
	if r.IntN(3) == 0 {
		out.Enrolled = append(out.Enrolled, eligibility.Enrolment{School: eligibility.TechnicianCollege, Class: eligibility.PreTechnicianClass, From: date(), Evidence: evidence()})
	}
	if r.IntN(2) == 0 {
		out.Intention = &eligibility.Intention{Declared: date(), Evidence: evidence()}
	}
	return out
}

func allLevels(rules eligibility.Rules, rec record, on standards.Date) []eligibility.Result {
	var out []eligibility.Result
	for _, l := range standards.ExaminedLevels() {
		out = append(out, eligibility.Evaluate(rules, rec, eligibility.Question{Level: l, On: on}))
	}
	return out
}

func allKeys(rs []eligibility.Result) (out []string) {
	for _, r := range rs {
		out = append(out, r.Keys()...)
	}
	return out
}

// More work, or a longer period, never loses a condition; the order of what is
// brought forward is of no importance; time alone loses only what asks for work,
// a place at school or the final year on the day itself.
func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	rules := rulesOn(t, "000000", electrician, "2026-03-02")
	for i := range 5000 {
		rec := randomRecord(r)
		on := standards.Date("2015-01-01").AddDays(r.IntN(5000))
		before := allLevels(rules, rec, on)

		shuffled := rec
		shuffled.Work, shuffled.Certificates, shuffled.Titles, shuffled.Diplomas = slices.Clone(rec.Work), slices.Clone(rec.Certificates), slices.Clone(rec.Titles), slices.Clone(rec.Diplomas)
		r.Shuffle(len(shuffled.Work), func(i, j int) { shuffled.Work[i], shuffled.Work[j] = shuffled.Work[j], shuffled.Work[i] })
		slices.Reverse(shuffled.Certificates)
		slices.Reverse(shuffled.Titles)
		slices.Reverse(shuffled.Diplomas)
		if after := allLevels(rules, shuffled, on); !reflect.DeepEqual(before, after) {
			t.Fatalf("record %d: another order gives\n%+v\nnot\n%+v", i, after, before)
		}

		more := rec
		from := standards.Date("1999-01-01").AddDays(r.IntN(9500))
		more.Work = append(slices.Clone(rec.Work), eligibility.Work{From: from, Until: from.AddDays(r.IntN(400)), Occupation: electrician, Kind: eligibility.Insurance, Evidence: "more"})
		if n := len(rec.Work); n > 0 && r.IntN(2) == 0 {
			more.Work = slices.Clone(rec.Work)
			more.Work[r.IntN(n)].From = rec.Work[0].From.AddDays(-1 - r.IntN(3))
			if more.Work[0].From > rec.Work[0].From || !longer(more.Work, rec.Work) {
				more.Work = rec.Work
			}
		}
		after := allKeys(allLevels(rules, more, on))
		for _, k := range allKeys(before) {
			if !slices.Contains(after, k) {
				t.Fatalf("record %d on %s loses %s by more work:\n%+v\n%+v", i, on, k, rec.Work, more.Work)
			}
		}

		later := allKeys(allLevels(rules, rec, on.AddDays(1+r.IntN(400))))
		for _, k := range allKeys(before) {
			if !slices.Contains(later, k) && !slices.Contains([]string{"5B", "2E", "4C", "3D", "3E", "3F"}, k) {
				t.Fatalf("record %d on %s loses %s by time alone", i, on, k)
			}
		}
	}
}

func longer(a, b []eligibility.Work) bool {
	for i := range a {
		if a[i].From > b[i].From {
			return false
		}
	}
	return true
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"birth":"1990-02-29"}`), "2026-03-02")
	f.Add([]byte(`{"birth":"1990-01-01","work":[{"from":"2020-02-29","until":"2021-02-28","occupation":"6-31-01-03","kind":"insurance","evidence":"a"}],
"certificates":[{"level":"senior","occupation":"电工","related":true,"kind":"qualification","issued":"2020-01-01","evidence":"c"}],
"titles":[{"rank":"mid","issued":"2020-01-01","field":"own","evidence":"t"}],"intention":{"declared":"2026-01-01","evidence":"i"},
"diplomas":[{"school":"university","field":"own","expected":"2026-07-01","evidence":"d"}],"apprentice":[{"completed":"2020-01-01","occupation":"6-31-01-03","evidence":"p"}],
"enrolled":[{"school":"technician_college","class":"technician_class","from":"2024-09-01","evidence":"e"}]}`), "2100-02-28")
	f.Add([]byte(`{"birth":"2199-12-31","work":[{"from":"2199-12-31"}]} {}`), "")
	set, err := eligibility.Embedded()
	if err != nil {
		f.Fatal(err)
	}
	now, _ := set.On("320583", electrician, "2026-03-02")
	old, _ := set.On("320583", "4-04-05-05", "2022-03-02")
	f.Fuzz(func(t *testing.T, src []byte, on string) {
		rec, err := eligibility.ParseRecord(src)
		if err != nil {
			return
		}
		for _, rules := range []eligibility.Rules{now, old} {
			for _, res := range allLevels(rules, rec, standards.Date(on)) {
				for _, s := range res.Satisfied {
					if s.Since > standards.Date(on) || !s.Since.Valid() {
						t.Errorf("%s since %q, asked on %q", s.Key, s.Since, on)
					}
				}
				for _, u := range res.Unsatisfied {
					for _, m := range u.Missing {
						if m.Days < 0 || m.ZH == "" || m.EN == "" {
							t.Errorf("%s: %+v", u.Key, m)
						}
					}
				}
				if ok, keys, why := eligibility.Eligible(res, eligibility.Basis{}); ok != (len(keys) > 0) || ok == (len(why) > 0) {
					t.Errorf("%t %v %v", ok, keys, why)
				}
			}
		}
	})
}

func TestParseRecord(t *testing.T) {
	for name, c := range map[string]struct{ src, field string }{
		"no birth":       {`{}`, "birth"},
		"unknown member": {`{"birth":"1990-01-01","x":1}`, ""},
		"two values":     {`{"birth":"1990-01-01"} {}`, ""},
		"no such day":    {`{"birth":"1990-02-30"}`, ""},
		"order":          {`{"birth":"1990-01-01","work":[{"from":"2020-01-02","until":"2020-01-01","occupation":"x","kind":"contract","evidence":"e"}]}`, "work[0].until"},
		"no evidence":    {`{"birth":"1990-01-01","work":[{"from":"2020-01-02","occupation":"x","kind":"contract","evidence":""}]}`, "work[0].evidence"},
		"kind of proof":  {`{"birth":"1990-01-01","work":[{"from":"2020-01-02","occupation":"x","kind":"word","evidence":"e"}]}`, "work[0].kind"},
		"before birth":   {`{"birth":"1990-01-01","work":[{"from":"1989-01-02","occupation":"x","kind":"contract","evidence":"e"}]}`, "work[0].from"},
		"a post":         {`{"birth":"1990-01-01","certificates":[{"level":"chief_technician","occupation":"x","kind":"skill_level","issued":"2020-01-01","evidence":"e"}]}`, "certificates[0].level"},
		"both dates":     {`{"birth":"1990-01-01","diplomas":[{"school":"university","field":"own","graduated":"2020-01-01","expected":"2020-01-01","evidence":"e"}]}`, "diplomas[0].graduated"},
	} {
		_, err := eligibility.ParseRecord([]byte(c.src))
		if err == nil || c.field != "" && !strings.Contains(fmt.Sprintf("%+v", fieldsOf(err)), c.field) {
			t.Errorf("%s: %v %+v", name, err, fieldsOf(err))
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	rules := rulesOn(b, "320583", electrician, "2026-03-02")
	rec := adult(record{Work: work("2005-01-01", "2008-12-31", "2008-06-01", "2011-03-31", "2012-01-01", "2015-06-30", "2016-02-29", ""),
		Certificates: cert(standards.Senior, "2017-03-01"), Titles: title(eligibility.JuniorTitle, "2018-01-01"), Diplomas: diploma(eligibility.TechnicianCollege, eligibility.SeniorClass, "2004-06-30")})
	b.ReportAllocs()
	for b.Loop() {
		eligibility.Evaluate(rules, rec, eligibility.Question{Level: standards.Technician, On: "2026-03-02"})
	}
}
