package figures

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"bajigong/standards"
)

// bom tells Excel that a CSV is UTF-8.
const bom = "\uFEFF"

// CSV writes a report as RFC 4180 has it: comma, CRLF, quotes where they are
// needed, UTF-8, a header, the rows and a line for the total. What is not known
// is empty, shares are percentages with two decimals. A BOM is put in front when
// asked. A cell that a spreadsheet would take for a formula gets an apostrophe.
//
//	编码,名称,人次,人数,上年同期人次,上年同期人数,同期比(%),高技能人次,高技能占比(%),撤销数,注销数,其中已撤销,五级人次,五级人数,…
//	6-31-01-03,电工,1200,1187,1100,1090,9.09,600,50.00,2,0,2,300,299,…
//	,合计,1200,1187,…
func CSV(l Listing, rows []Row, total Figures, withBOM bool) []byte {
	var out bytes.Buffer
	if withBOM {
		out.WriteString(bom)
	}
	w := csv.NewWriter(&out)
	w.UseCRLF = true
	header := []string{"编码", "名称", "人次", "人数", "上年同期人次", "上年同期人数", "同期比(%)", "高技能人次", "高技能占比(%)", "撤销数", "注销数", "其中已撤销"}
	var levels []standards.Level
	if l != ListLevels {
		for _, one := range total.Levels {
			levels = append(levels, one.Level)
		}
	}
	for _, one := range levels {
		header = append(header, one.Certificate()+"人次", one.Certificate()+"人数")
	}
	// Writes to memory do not fail.
	_ = w.Write(header)
	for _, r := range rows {
		_ = w.Write(append([]string{harmless(r.Key), harmless(r.Name.ZH)}, r.cells(levels)...))
	}
	_ = w.Write(append([]string{"", "合计"}, total.cells(levels)...))
	w.Flush()
	return out.Bytes()
}

func (f Figures) cells(levels []standards.Level) []string {
	out := []string{figure(f.Issued), optional(f.People), "", "", "", figure(f.High), percent(f.HighShare),
		figure(f.Voided), figure(f.Cancelled), figure(f.VoidedSince)}
	if b := f.Before; b != nil {
		out[2], out[3], out[4] = figure(b.Issued), optional(b.People), percent(b.Change)
	}
	at := map[standards.Level]Level{}
	for _, l := range f.Levels {
		at[l.Level] = l
	}
	for _, level := range levels {
		l, ok := at[level]
		if !ok && f.People != nil {
			l.People = new(uint64)
		}
		out = append(out, figure(l.Issued), optional(l.People))
	}
	return out
}

func figure(n uint64) string { return strconv.FormatUint(n, 10) }

func optional(n *uint64) string {
	if n == nil {
		return ""
	}
	return figure(*n)
}

func percent(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f*100, 'f', 2, 64)
}

// harmless keeps a text from being run as a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
