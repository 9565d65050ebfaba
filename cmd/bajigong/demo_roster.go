package main

import (
	"fmt"
	"strings"

	"bajigong/internal/invented"
	"bajigong/standards"
)

// rosterFile is the roster of invented people from to to-1 for a level: what
// each of them brings satisfies one condition of the 2023 technical rule. At an
// employer everybody is its own.
func rosterFile(from, to int, level standards.Level, employer string) string {
	var s strings.Builder
	s.WriteString("姓名,证件类型,证件号码,单位代码,拟从事,工作起止,工作证明,原证书等级,原证书编号,原证书日期,毕业院校类别,班级类别,毕业日期,专业\n")
	for i := from; i < to; i++ {
		p := invented.PersonAt(i)
		fmt.Fprintf(&s, "%s,居民身份证,%s,%s,%s\n", p.Name, p.Document, employer, evidenceCells(i, level))
	}
	return s.String()
}

// evidenceCells are the cells from 拟从事 on.
func evidenceCells(i int, level standards.Level) string {
	birth := standards.Date(invented.PersonAt(i).Document[6:10] + "-01-01")
	years := map[standards.Level]int{standards.Intermediate: 5, standards.Senior: 10}[level]
	began := birth.AddMonths(12 * 19)
	switch {
	case level == standards.Junior:
		return "2026-02-20,,,,,,,,,"
	case level >= standards.Technician:
		return fmt.Sprintf(",2010-03-01~,劳动合同,三级,S000032058399193%06d,2019-06-01,,,,", i+1)
	case began.AddMonths(12*years) < "2026-03-01":
		return fmt.Sprintf(",%s~2014-12-31；2015-03-01~,社保缴纳记录,,,,,,,", min(began, "2008-03-01"))
	case level == standards.Senior:
		return ",,,,,,技师学院,高级工班,2025-06-30,本专业"
	}
	return ",,,,,,中等职业学校,,2024-06-30,本专业"
}
