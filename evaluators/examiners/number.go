package examiners

import (
	"fmt"
	"strconv"
	"strings"

	"bajigong/internal/fail"
	"bajigong/standards"
)

const formExternal = "external_supervisor"

// SupervisorNumber is the number of the card of a 外督 in the form of Jiangxi:
// R, two digits of the province, two of the year, four of the serial. Example:
// R36240001 is number 1 of Jiangxi in 2024.
type SupervisorNumber struct {
	Province string // two digits
	Year     int    // 2000 to 2099
	Serial   int    // 1 to 9999
}

// ParseSupervisorNumber reads the form R36240001 and nothing else. Error: Invalid
// supervisor_number.
func ParseSupervisorNumber(s string) (SupervisorNumber, error) {
	wrong := fail.New(fail.Invalid, "supervisor_number", "the number of an external supervisor's card is R, 2 digits of the province, 2 of the year and 4 of the serial, such as R36240001").
		In("外督证卡编号应为 R、省级代码 2 位、年份 2 位、序号 4 位，如 R36240001")
	if len(s) != 9 || s[0] != 'R' || strings.Trim(s[1:], "0123456789") != "" {
		return SupervisorNumber{}, wrong
	}
	if _, ok := standards.Province(s[1:3]); !ok {
		return SupervisorNumber{}, wrong
	}
	year, _ := strconv.Atoi(s[3:5])
	serial, _ := strconv.Atoi(s[5:])
	if serial == 0 {
		return SupervisorNumber{}, wrong
	}
	return SupervisorNumber{Province: s[1:3], Year: 2000 + year, Serial: serial}, nil
}

// Format is the form that [ParseSupervisorNumber] reads.
func (n SupervisorNumber) Format() string {
	return fmt.Sprintf("R%s%02d%04d", n.Province, n.Year%100, n.Serial)
}
