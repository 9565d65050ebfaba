package evaluators

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/standards"
)

// A SerialRange is a run of serials 号段 granted to a filing for a year and a
// level, both ends included.
type SerialRange struct {
	Year  int             `json:"year"` // four digits
	Level standards.Level `json:"level"`
	First int             `json:"first"` // 1 or more; 000000 is never a number
	Last  int             `json:"last"`  // at most standards.MaxSerial
}

// String returns the range as a number shows it: 000001–000500.
func (r SerialRange) String() string { return fmt.Sprintf("%06d–%06d", r.First, r.Last) }

// RangesFor returns the serials the filing may use in a year at a level, lowest
// first: all of them when no range was ever granted to it, otherwise those
// granted for this year and level, which may be none.
func (f Filing) RangesFor(year int, level standards.Level) []SerialRange {
	if len(f.Ranges) == 0 {
		return []SerialRange{{Year: year, Level: level, First: 1, Last: standards.MaxSerial}}
	}
	var out []SerialRange
	for _, r := range f.Ranges {
		if r.Year == year && r.Level == level {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b SerialRange) int { return cmp.Compare(a.First, b.First) })
	return out
}

// Granted reports whether the filing may use a serial in a year at a level.
func (f Filing) Granted(year int, level standards.Level, serial int) bool {
	return slices.ContainsFunc(f.RangesFor(year, level), func(r SerialRange) bool {
		return r.First <= serial && serial <= r.Last
	})
}

// Remaining returns how many serials from next on the filing may still use in a
// year at a level.
func (f Filing) Remaining(year int, level standards.Level, next int) int {
	var n int
	for _, r := range f.RangesFor(year, level) {
		if first := max(r.First, next); first <= r.Last {
			n += r.Last - first + 1
		}
	}
	return n
}

// Allocate returns the lowest serial, not below next, that the filing may use in
// a year at a level. The caller keeps next, one above the last serial used (0 or
// 1 in the beginning), per prefix, year and level; not per filing, because a
// renewed filing goes on with the same prefix.
//
// Errors: Conflict serials_not_granted (ranges were granted, none for this year
// and level), serials_exhausted (names the ranges that are used up).
func Allocate(f Filing, year int, level standards.Level, next int) (int, error) {
	ranges := f.RangesFor(year, level)
	for _, r := range ranges {
		if serial := max(r.First, next); serial <= r.Last {
			return serial, nil
		}
	}
	if len(ranges) == 0 {
		return 0, fail.New(fail.Conflict, "serials_not_granted", "filing %s has been granted no serial numbers for %d, %s", f.ID, year, level.Code()).
			In("备案 %s 未获 %d 年%s的号段", f.ID, year, level.Certificate())
	}
	used := make([]string, len(ranges))
	for i, r := range ranges {
		used[i] = r.String()
	}
	return 0, fail.New(fail.Conflict, "serials_exhausted", "filing %s has used up its serial numbers for %d, %s: %s; ask the filing authority for another range", f.ID, year, level.Code(), strings.Join(used, ", ")).
		In("备案 %s 的 %d 年%s号段已用完：%s；请向备案机关申请新号段", f.ID, year, level.Certificate(), strings.Join(used, "、"))
}

func rangeProblems(ranges []SerialRange) (fs []fail.Field) {
	for i, r := range ranges {
		at := fmt.Sprintf("ranges[%d].", i)
		if r.Year < 2000 || r.Year > 2099 {
			fs = append(fs, wrong(at+"year", "year",
				fmt.Sprintf("年份应为 2000 至 2099，实为 %d", r.Year), fmt.Sprintf("the year must be 2000 to 2099, not %d", r.Year)))
		}
		if !r.Level.Examined() {
			fs = append(fs, wrong(at+"level", "not_examined", "号段的等级应为五级至一级", "serials are granted for examined levels only"))
		}
		if r.First < 1 || r.Last > standards.MaxSerial || r.First > r.Last {
			fs = append(fs, wrong(at+"first", "range",
				fmt.Sprintf("号段应在 000001 至 999999 之间且首号不大于末号，实为 %s", r),
				fmt.Sprintf("a range lies within 000001–999999 and does not end before it begins; not %s", r)))
		}
		for j, o := range ranges[:i] {
			if o.Year == r.Year && o.Level == r.Level && o.First <= r.Last && r.First <= o.Last {
				fs = append(fs, wrong(at+"first", "overlaps",
					fmt.Sprintf("与第 %d 个号段 %s 重叠", j+1, o), fmt.Sprintf("overlaps range %d, %s", j+1, o)))
			}
		}
	}
	return fs
}

// Number returns the certificate number of a serial under the filing.
func (f Filing) Number(year int, level standards.Level, serial int) standards.LevelNumber {
	n := standards.LevelNumber{Institution: f.Code, Province: f.Province, Site: f.Site, Year: year, Level: level, Serial: serial}
	if f.Class != "" {
		n.Class = f.Class[0]
	}
	return n
}
