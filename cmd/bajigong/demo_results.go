package main

import (
	"fmt"
	"strings"

	"bajigong/internal/invented"
)

// resultsHeader is the header of a results file, in the words of the template.
const resultsHeader = "姓名,证件类型,证件号码,理论成绩,技能成绩,综合评审成绩,证书编号\n"

// resultsFile is a results file of invented people from to to-1. review adds the
// comprehensive review of 二级 and 一级. Every 23rd fails in one part.
func resultsFile(from, to int, review bool) string {
	var s strings.Builder
	s.WriteString(resultsHeader)
	for i := from; i < to; i++ {
		s.WriteString(resultsLine(i, review))
	}
	return s.String()
}

func resultsLine(i int, review bool) string {
	p := invented.PersonAt(i)
	theory, skill, third := 60+i*13%40, 60+i*29%40, ""
	if i%23 == 22 {
		skill = 42 + i%17
	}
	if review {
		third = fmt.Sprint(60 + i*7%40)
	}
	return fmt.Sprintf("%s,居民身份证,%s,%d,%d,%s,\n", p.Name, p.Document, theory, skill, third)
}

// spoil is one mistake as people make them: what it does to the cells of a row.
type spoil struct {
	row  int // as a spreadsheet counts
	what string
	do   func(cells []string, lines [][]string)
}

// spoils are a dozen different mistakes.
func spoils() []spoil {
	return []spoil{
		{12, "校验位不对", func(c []string, _ [][]string) { c[2] = c[2][:17] + otherDigit(c[2][17]) }},
		{37, "电子表格把身份证号变成科学计数", func(c []string, _ [][]string) { c[2] = "3.20583E+17" }},
		{48, "末三位被电子表格变成 000", func(c []string, _ [][]string) { c[2] = c[2][:15] + "000" }},
		{59, "出生日期不存在", func(c []string, _ [][]string) { c[2] = c[2][:10] + "0230" + c[2][14:] }},
		{75, "少一位", func(c []string, _ [][]string) { c[2] = c[2][:17] }},
		{101, "没有姓名", func(c []string, _ [][]string) { c[0] = "" }},
		{118, "姓名里有造字区字符", func(c []string, _ [][]string) { c[0] = "王\ue123明" }},
		{142, "与前面一行重复", func(c []string, lines [][]string) { c[2] = lines[88][2] }},
		{167, "成绩超过 100", func(c []string, _ [][]string) { c[3] = "101" }},
		{188, "成绩是文字", func(c []string, _ [][]string) { c[4] = "合格" }},
		{203, "三级没有综合评审却填了分", func(c []string, _ [][]string) { c[5] = "80" }},
		{226, "证件类型不认识", func(c []string, _ [][]string) { c[1] = "学生证" }},
		{254, "证书编号等级位不对", func(c []string, _ [][]string) { c[6] = "S000032058301265000254" }},
		{281, "证书编号少一位", func(c []string, _ [][]string) { c[6] = "S00003205830126300028" }},
	}
}

func otherDigit(c byte) string {
	if c == '3' {
		return "4"
	}
	return "3"
}

// spoiled is the file with every mistake of spoils in it.
func spoiled(file string) string {
	var rows [][]string
	for line := range strings.Lines(file) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), ","))
	}
	for _, s := range spoils() {
		s.do(rows[s.row-1], rows)
	}
	var out strings.Builder
	for _, cells := range rows {
		out.WriteString(strings.Join(cells, ",") + "\n")
	}
	return out.String()
}
