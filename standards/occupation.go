package standards

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"bajigong/internal/fail"

	"golang.org/x/text/unicode/norm"
)

// Occupation is an occupation 职业 (细类) of the classification 职业分类大典.
type Occupation struct {
	Code    string `json:"code"`    // d-dd-dd-dd
	Edition string `json:"edition"` // year of the classification: 2022
	Name    string `json:"name"`

	MinorCode  string `json:"minor_code"` // 小类, d-dd-dd
	MinorName  string `json:"minor_name"`
	MiddleCode string `json:"middle_code"` // 中类, d-dd
	MiddleName string `json:"middle_name"`
	MajorCode  string `json:"major_code"` // 大类, d
	MajorName  string `json:"major_name"`

	// Trades are the 工种 under the occupation. They have no national code; the
	// id is one of this catalogue.
	Trades []Trade `json:"trades,omitempty"`
	// Levels are those in which the occupation itself, without a trade, is
	// examined. Empty means that nothing is known about them.
	Levels LevelSet `json:"levels"`
	// Sample names the fields that no source confirms: levels, trades.
	Sample []string `json:"sample,omitempty"`
}

// Trade is a 工种 or 职业方向 under an occupation.
type Trade struct {
	ID     string   `json:"id"` // short catalogue id, unique within the occupation: 01
	Name   string   `json:"name"`
	Levels LevelSet `json:"levels"` // in which this trade is examined
}

// NoTrade is what certificates write when there is no trade (人社鉴发〔2021〕1号:
// never empty).
const NoTrade = "--"

// Trade returns the trade with the catalogue id; false when there is none.
func (o Occupation) Trade(id string) (Trade, bool) {
	for _, t := range o.Trades {
		if t.ID == id {
			return t, true
		}
	}
	return Trade{}, false
}

// TradeText returns what the certificate shows for a catalogue id: the trade's
// name, "--" for none, and the id itself when it is not known here.
func (o Occupation) TradeText(id string) string {
	if id == "" {
		return NoTrade
	}
	if t, ok := o.Trade(id); ok {
		return t.Name
	}
	return id
}

// FindTrade reads a trade as files write it: its name or id. Nothing, --, 无 and
// the occupation's own name mean none, the zero Trade. Error code: trade_unknown.
func (o Occupation) FindTrade(s string) (Trade, error) {
	t := classText(s)
	if t == "" || strings.Trim(t, "-—–－/\\") == "" || t == "无" || t == o.Name {
		return Trade{}, nil
	}
	var names []string
	for _, v := range o.Trades {
		if v.Name == t || v.ID == t {
			return v, nil
		}
		names = append(names, v.Name)
	}
	if len(names) == 0 {
		return Trade{}, fail.New(fail.Invalid, "trade_unknown", "%s (%s) has no trades in the catalogue; write --", o.Name, o.Code).
			In("%s（%s）在目录中没有工种，应填“--”", o.Name, o.Code)
	}
	return Trade{}, fail.New(fail.Invalid, "trade_unknown", "%s (%s) has no such trade; there are %s, and -- for none", o.Name, o.Code, strings.Join(names, ", ")).
		In("%s（%s）没有该工种，目录中有：%s；无工种填“--”", o.Name, o.Code, strings.Join(names, "、"))
}

// IsSample reports whether the named field (levels, trades) is not confirmed.
func (o Occupation) IsSample(field string) bool { return slices.Contains(o.Sample, field) }

var occupationCode = regexp.MustCompile(`^[1-8]-\d{2}-\d{2}-\d{2}$`)

// ParseOccupationCode reads a code d-dd-dd-dd; full-width forms, spaces and
// other dashes are accepted, and a code that a spreadsheet may have taken for a
// date is named as such. Error codes: occupation_code_missing, occupation_code.
func ParseOccupationCode(s string) (string, error) {
	t := squeeze(norm.NFKC.String(s))
	t = strings.NewReplacer("—", "-", "–", "-", "‐", "-", "−", "-", "_", "-").Replace(t)
	if t == "" {
		return "", bad("occupation_code_missing", "未填写职业编码，应如 6-31-01-03", "the occupation code is missing; write for instance 6-31-01-03")
	}
	if !occupationCode.MatchString(t) {
		return "", bad("occupation_code", "职业编码应为“大类-中类-小类-细类”，如 6-31-01-03", "the occupation code must be written like 6-31-01-03")
	}
	return t, nil
}

// Edition2022 is the edition of occupations that [ReadOccupations] reads.
const Edition2022 = "2022"

var occupationColumns = []string{"code", "name", "minor_code", "minor_name", "middle_code", "middle_name", "major_code", "major_name"}

const maxOccupationRows = 20_000

// ReadOccupations reads the classification as CSV in UTF-8 with the columns
// code, name, minor_code, minor_name, middle_code, middle_name, major_code,
// major_name in any order. Spaces and compatibility forms in names are
// normalised. Codes must be well formed, unique and lie under their groups,
// names unique, and a group must have one name throughout. Every bad row is
// reported with its row number. Levels and trades are not in such files: they
// stay empty. Error codes: occupations_invalid, table_header, table_unreadable,
// table_too_large.
func ReadOccupations(r io.Reader) ([]Occupation, error) {
	t, err := openTable(r, occupationColumns, maxOccupationRows)
	if err != nil {
		return nil, err
	}
	var out []Occupation
	type seen struct {
		row  int
		name string
	}
	codes, names, groups := map[string]int{}, map[string]int{}, map[string]seen{}
	for _, row := range t.rows {
		o := Occupation{Edition: Edition2022}
		before := len(t.fields) + t.more
		for i, p := range []*string{&o.Code, &o.Name, &o.MinorCode, &o.MinorName, &o.MiddleCode, &o.MiddleName, &o.MajorCode, &o.MajorName} {
			*p = classText(row.cells[i])
			if i%2 == 1 && !plainText(*p, 60) {
				t.fault(row.number, occupationColumns[i], "occupation_name", "名称应为1至60个字，不含控制字符和自造字", "the name must have 1 to 60 characters, without control or private-use characters")
			}
		}
		if !occupationCode.MatchString(o.Code) {
			t.fault(row.number, "code", "occupation_code", "职业编码应为“大类-中类-小类-细类”，如 6-31-01-03", "the code must be written like 6-31-01-03")
			continue
		}
		for _, g := range []struct {
			column, code string
			digits       int
			name         string
		}{
			{"minor_code", o.MinorCode, 7, o.MinorName},
			{"middle_code", o.MiddleCode, 4, o.MiddleName},
			{"major_code", o.MajorCode, 1, o.MajorName},
		} {
			want := o.Code[:g.digits]
			if g.code != want {
				t.fault(row.number, g.column, "occupation_group", fmt.Sprintf("应为 %s，与职业编码 %s 一致", want, o.Code), fmt.Sprintf("must be %s, as in the code %s", want, o.Code))
				continue
			}
			switch first := groups[want]; {
			case first.row == 0:
				groups[want] = seen{row.number, g.name}
			case first.name != g.name:
				column := strings.TrimSuffix(g.column, "code") + "name"
				t.fault(row.number, column, "occupation_group", fmt.Sprintf("%s 的名称与第 %d 行不同", want, first.row), fmt.Sprintf("%s has another name in row %d", want, first.row))
			}
		}
		if n := codes[o.Code]; n != 0 {
			t.fault(row.number, "code", "occupation_twice", fmt.Sprintf("职业编码 %s 与第 %d 行重复", o.Code, n), fmt.Sprintf("the code %s stands in row %d already", o.Code, n))
		} else {
			codes[o.Code] = row.number
		}
		if n := names[o.Name]; n != 0 && o.Name != "" {
			t.fault(row.number, "name", "occupation_twice", fmt.Sprintf("职业名称与第 %d 行重复", n), fmt.Sprintf("the name stands in row %d already", n))
		} else {
			names[o.Name] = row.number
		}
		if len(t.fields)+t.more == before {
			out = append(out, o)
		}
	}
	if err := t.err("occupations_invalid"); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, bad("occupations_invalid", "文件中没有职业", "the file has no occupations")
	}
	return out, nil
}

// WriteOccupations writes the form that [ReadOccupations] reads, in order.
func WriteOccupations(w io.Writer, list []Occupation) error {
	cw := csv.NewWriter(w)
	rows := [][]string{occupationColumns}
	for _, o := range list {
		rows = append(rows, []string{o.Code, o.Name, o.MinorCode, o.MinorName, o.MiddleCode, o.MiddleName, o.MajorCode, o.MajorName})
	}
	if err := cw.WriteAll(rows); err != nil {
		return fmt.Errorf("write occupations: %w", err)
	}
	return nil
}

// classText normalises a name of the classification: compatibility forms
// unified, invisible characters and spaces removed, except one space between
// two Latin words.
func classText(s string) string {
	var b strings.Builder
	last, space := rune(0), false
	for _, r := range norm.NFKC.String(s) {
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		if unicode.Is(unicode.Cf, r) {
			continue
		}
		if space && latin(last) && latin(r) {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(r)
		last = r
	}
	return norm.NFKC.String(b.String())
}

func latin(r rune) bool { return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// plainText reports whether s has 1 to most characters, all of them printable
// and none of the private use area.
func plainText(s string, most int) bool {
	r := []rune(s)
	if len(r) < 1 || len(r) > most {
		return false
	}
	for _, c := range r {
		if unicode.IsControl(c) || unicode.Is(unicode.Co, c) || c == unicode.ReplacementChar || c == '\u2028' || c == '\u2029' {
			return false
		}
	}
	return true
}
