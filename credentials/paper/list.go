package paper

import (
	"fmt"
	"io"
	"strings"

	"bajigong/internal/fail"
)

// Align is where the text of a column stands.
type Align int

// The alignments.
const (
	Left Align = iota
	Centre
	Right
)

// Column is one column of a list.
type Column struct {
	Name  string
	Width float64 // mm; the widths are stretched or shrunk together to fill the page
	Align Align
}

// List is a table of any length on A4: 签到表, 合格人员名册, 发放签领表 and others.
// A cell of Rows that is empty is an empty box, so a column for signatures is one
// without text; RowHeight gives it room.
type List struct {
	Title    string
	Subtitle string // such as the session and the institution; may be empty
	Columns  []Column
	Rows     [][]string // as many cells a row as there are columns
	// Footer stands under the table on the last page, such as 制表人：  审核人：
	Footer    []string
	Landscape bool
	RowHeight float64 // least height of a row, mm; 8 when zero
}

// The limits of a list.
const (
	MaxListRows    = 50_000
	MaxListColumns = 30
)

const (
	listMargin = 15.0
	listType   = 10.0
	cellPad    = 1.2
	listFloor  = 6.0
)

// listPage is what one page of a list holds.
type listPage struct{ from, to int }

// WriteList prints a list. The heading is repeated on every page, and each says
// 第 n 页/共 m 页. Errors: fail.Invalid glyph_missing (Fields name column and row),
// does_not_fit (a cell that needs more than a page, or a word wider than its
// column), bad_list.
func WriteList(w io.Writer, fonts Fonts, l List) error {
	d := newDocument(w, fonts, l.Title, false)
	g := &listPrinter{doc: d, List: l, width: a4Width, height: a4Height}
	if l.Landscape {
		g.width, g.height = g.height, g.width
	}
	if err := g.check(); err != nil {
		return err
	}
	heights, err := g.measure()
	if err != nil {
		return err
	}
	pages := g.paginate(heights)
	for i, p := range pages {
		g.page(i+1, len(pages), p, heights)
	}
	return d.close()
}

type listPrinter struct {
	List
	doc           *document
	width, height float64
	columns       []float64 // widths, mm
	head          float64   // height of the heading of the table
	top           float64   // where it begins
}

func (g *listPrinter) check() error {
	total := 0.0
	for _, c := range g.Columns {
		total += c.Width
		if c.Width <= 0 {
			total = -1
			break
		}
	}
	if total <= 0 || len(g.Columns) > MaxListColumns || len(g.Rows) > MaxListRows {
		return fail.New(fail.Invalid, "bad_list", "a list has 1 to %d columns of some width and at most %d rows", MaxListColumns, MaxListRows).In("列表应有 1 至 %d 列（宽度大于 0），不超过 %d 行", MaxListColumns, MaxListRows)
	}
	for _, c := range g.Columns {
		g.columns = append(g.columns, c.Width*(g.width-2*listMargin)/total)
	}
	if g.RowHeight == 0 {
		g.RowHeight = 8
	}
	var bad []fail.Field
	look := func(name string, row int, text string) {
		if missing := g.doc.fonts.Missing(text); len(missing) > 0 && len(bad) < maxFields {
			bad = append(bad, missingGlyph(name, row, missing))
		}
	}
	if _, ok := g.doc.fonts.fitLine(g.Title, g.width-2*listMargin, 18, 9); !ok {
		return fail.New(fail.Invalid, "does_not_fit", "the title is wider than the page").In("标题过长，超出页面宽度")
	}
	look("list", 0, g.Title+g.Subtitle+strings.Join(g.Footer, "")+"第页/共 0123456789")
	for i, row := range g.Rows {
		if len(row) != len(g.Columns) {
			return fail.New(fail.Invalid, "bad_list", "row %d has %d cells, the list %d columns", i+1, len(row), len(g.Columns)).In("第 %d 行有 %d 格，列表有 %d 列", i+1, len(row), len(g.Columns))
		}
		for j, cell := range row {
			look(g.Columns[j].Name, i+1, cell)
		}
	}
	for _, c := range g.Columns {
		look(c.Name, 0, c.Name)
	}
	if len(bad) > 0 {
		return glyphsMissing("the list", bad)
	}
	return nil
}

// cell fits a text into a column: at full size on as many lines as it needs, or
// smaller when a word is wider than the column.
func (g *listPrinter) cell(text string, column int) (fitted, bool) {
	return g.doc.fonts.fit(text, g.columns[column]-2*cellPad, g.height/2, listType, listFloor)
}

func (g *listPrinter) measure() (heights []float64, err error) {
	height := func(row []string, at int) (float64, error) {
		most := g.RowHeight
		for j, text := range row {
			if text == "" {
				continue
			}
			c, ok := g.cell(text, j)
			if !ok {
				return 0, fail.New(fail.Invalid, "does_not_fit", "row %d: %s does not fit its column", at, g.Columns[j].Name).In("第 %d 行“%s”超出列宽，请加宽该列或横向打印", at, g.Columns[j].Name).
					At(fail.Field{Name: g.Columns[j].Name, Row: at, Code: "does_not_fit", ZH: "超出列宽", EN: "does not fit its column"})
			}
			most = max(most, float64(len(c.lines))*c.lead+2*cellPad)
		}
		return most, nil
	}
	var names []string
	for _, c := range g.Columns {
		names = append(names, c.Name)
	}
	if g.head, err = height(names, 0); err != nil {
		return nil, err
	}
	g.top = listMargin + 12
	if g.Subtitle != "" {
		g.top += 6 * float64(len(g.doc.fonts.wrap(g.Subtitle, listType, g.width-2*listMargin, 0)))
	}
	for i, row := range g.Rows {
		h, err := height(row, i+1)
		if err != nil {
			return nil, err
		}
		heights = append(heights, h)
	}
	return heights, nil
}

// paginate says which rows go on which page. The footer stays with at least the
// last row.
func (g *listPrinter) paginate(heights []float64) (out []listPage) {
	room := g.height - listMargin - 8 - g.top - g.head
	foot := float64(len(g.Footer)) * 8
	from, used := 0, 0.0
	for i, h := range heights {
		need := h
		if i == len(heights)-1 {
			need += foot
		}
		if i > from && used+need > room {
			out = append(out, listPage{from, i})
			from, used = i, 0
		}
		used += h
	}
	return append(out, listPage{from, len(heights)})
}

func (g *listPrinter) page(n, of int, rows listPage, heights []float64) {
	p := g.doc.page(g.width, g.height)
	inner := g.width - 2*listMargin
	p.fill(ink).stroke(ink)
	title, _ := g.doc.fonts.fitLine(g.Title, inner, 18, 9)
	p.aligned(listMargin, listMargin+5, inner, title.size, g.Title, centre)
	y := listMargin + 12.0
	for _, line := range g.doc.fonts.wrap(g.Subtitle, listType, inner, 0) {
		p.fill(quiet)
		p.aligned(listMargin, y, inner, listType, line, centre)
		y += 6
	}
	p.fill(ink)
	y = g.top
	var names []string
	for _, c := range g.Columns {
		names = append(names, c.Name)
	}
	p.op("0.93 0.94 0.95 rg").at(listMargin, y+g.head).num(inner*pt, g.head*pt).op("re f")
	p.fill(ink)
	g.row(p, names, y, g.head, true)
	y += g.head
	for i := rows.from; i < rows.to; i++ {
		g.row(p, g.Rows[i], y, heights[i], false)
		y += heights[i]
	}
	if rows.to == len(heights) {
		for i, line := range g.Footer {
			p.text(listMargin, y+6.5+8*float64(i), listType, line)
		}
	}
	p.fill(quiet)
	p.aligned(listMargin, g.height-listMargin+4, inner, 9, fmt.Sprintf("第 %d 页/共 %d 页", n, of), centre)
	p.end()
}

func (g *listPrinter) row(p *page, cells []string, y, height float64, heading bool) {
	x := listMargin
	for j, text := range cells {
		p.rect(x, y, g.columns[j], height, 0.4)
		if text != "" {
			c, _ := g.cell(text, j)
			a := align(g.Columns[j].Align)
			if heading {
				a = centre
			}
			p.block(c, x+cellPad, y, g.columns[j]-2*cellPad, height, a)
		}
		x += g.columns[j]
	}
}
