// Package invented makes up people and institutions for demonstrations, tests
// and benchmarks. Names are put together from common parts, identity numbers
// have valid check digits over birth dates and areas that exist, and nobody is
// meant. The same index always gives the same person.
package invented

import (
	"fmt"

	"bajigong/standards"
)

// Person is somebody who does not exist.
type Person struct {
	Name     string
	Document string // an 18-digit identity number, GB 11643
}

var (
	families = []string{"王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何", "郭", "马", "罗",
		"梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓", "许", "傅", "沈", "曾", "彭", "吕", "欧阳", "上官", "司马", "诸葛"}
	givens = []string{"建国", "秀英", "志强", "晓燕", "海涛", "丽娟", "永康", "春梅", "文博", "雪莹", "振华", "佳慧", "立新", "月琴", "子轩", "雨桐", "国栋",
		"桂芳", "俊杰", "静怡", "德胜", "红霞", "明远", "玉兰", "浩然", "思琪", "卫东", "淑贞", "宏伟", "敏", "磊", "静", "洋", "勇", "娟", "涛", "超", "霞", "平", "刚"}
	// Names that are written with a dot, and rare characters, appear among the
	// others as they do in life.
	longNames = []string{"阿卜杜热西提·买买提明", "古丽娜尔·艾合买提", "迪丽努尔·阿布都热合曼江", "巴特尔·苏和巴雅尔", "扎西次仁·旺堆多吉", "𬭎钧", "王𠮷祥"}
	areas     = []string{"320583", "320505", "320106", "320281", "330106", "340104", "370102", "410105", "510104", "610113", "220102", "440305"}
)

// PersonAt is the invented person of an index, born between 1966 and 2005.
func PersonAt(i int) Person {
	h := mix(uint64(i))
	name := families[h%uint64(len(families))] + givens[h>>8%64%uint64(len(givens))]
	if i%97 == 13 {
		name = longNames[i/97%len(longNames)]
	}
	// Birth, area and sequence follow from the index alone, so that no two indices
	// below a hundred million share a number. No sequence ends in 00: with a check
	// digit 0 it would look like a number that a spreadsheet has rounded.
	day := i % 14000
	birth := standards.Date("1966-01-01").AddDays(day)
	area := areas[i/14000%len(areas)]
	q := (i/14000/len(areas) + day*31) % 891
	seq := 101 + q + q/99
	first17 := fmt.Sprintf("%s%s%s%s%03d", area, string(birth[:4]), string(birth[5:7]), string(birth[8:]), seq)
	check, _ := standards.ResidentIDCheck(first17)
	return Person{Name: name, Document: first17 + string(check)}
}

// USCC is a credit code with a right check character for an organisation that
// does not exist.
func USCC(i int) string {
	nine := fmt.Sprintf("MA%06d", i%1000000)
	check, _ := standards.OrganisationCheck(nine)
	first17 := "91320583" + nine + string(check)
	last, _ := standards.USCCCheck(first17)
	return first17 + string(last)
}

// mix spreads an index over 64 bits (SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
