package paper

import (
	"fmt"
	"io"

	"bajigong/internal/fail"
)

// Ticket is one admission ticket 准考证: a slip with a photo, lines of facts and
// notes. Four are on a page of A4, to be cut.
type Ticket struct {
	Row   int    // in the caller's list, for errors
	Title string // such as 职业技能等级认定准考证
	// Lines are the facts: 姓名, 准考证号, 考场, 座位 and so on; at most eight.
	Lines []TicketLine
	Photo []byte // JPEG or PNG; its place is outlined when there is none
	Notes string // small, under the facts
}

// TicketLine is one fact.
type TicketLine struct{ Label, Value string }

// MaxTicketLines is how many facts a ticket has at most.
const MaxTicketLines = 8

const (
	slipWidth   = a4Width / 2
	slipHeight  = a4Height / 2
	slipMargin  = 9.0
	slipLabel   = 23.0
	slipLine    = 9.4
	slipTop     = 30.0
	slipPhotoX  = slipWidth - slipMargin - photoWidth
	slipNoteTop = slipTop + MaxTicketLines*slipLine + 3
)

// WriteTickets prints tickets, four a page, in their order. All are checked
// first. Errors as of [Printer.Check], and fail.Invalid bad_ticket.
func WriteTickets(w io.Writer, fonts Fonts, tickets []Ticket) error {
	d := newDocument(w, fonts, "准考证", false)
	t := &ticketPrinter{doc: d}
	var bad []fail.Field
	for _, one := range tickets {
		fields, err := t.check(one)
		if err != nil {
			return err
		}
		if bad = append(bad, fields...); len(bad) > maxFields {
			break
		}
	}
	if len(bad) > 0 {
		return glyphsMissing("a ticket", bad)
	}
	for at := 0; at < len(tickets); at += 4 {
		p := d.page(a4Width, a4Height)
		p.stroke(faint).op("[3 3] 0 d")
		p.line(slipWidth, 4, slipWidth, a4Height-4, 0.3)
		p.line(4, slipHeight, a4Width-4, slipHeight, 0.3)
		p.op("[] 0 d")
		for i, one := range tickets[at:min(at+4, len(tickets))] {
			if err := t.slip(p, one, float64(i%2)*slipWidth, float64(i/2)*slipHeight); err != nil {
				return err
			}
		}
		p.end()
	}
	return d.close()
}

type ticketPrinter struct{ doc *document }

func (t *ticketPrinter) check(one Ticket) (bad []fail.Field, err error) {
	if len(one.Lines) == 0 || len(one.Lines) > MaxTicketLines {
		return nil, fail.New(fail.Invalid, "bad_ticket", "a ticket has 1 to %d lines", MaxTicketLines).In("准考证应有 1 至 %d 行信息", MaxTicketLines)
	}
	texts := []TicketLine{{"title", one.Title}, {"notes", one.Notes}, {"photo", "一寸照片粘贴处"}}
	for _, l := range append(texts, one.Lines...) {
		text := l.Value
		if l.Label != "title" && l.Label != "notes" && l.Label != "photo" {
			text += l.Label
		}
		if missing := t.doc.fonts.Missing(text); len(missing) > 0 {
			bad = append(bad, missingGlyph(l.Label, one.Row, missing))
		}
	}
	if _, err := t.fit(one); err != nil {
		return nil, err
	}
	if len(one.Photo) > 0 {
		if _, err := readPhoto(one.Photo); err != nil {
			return nil, fail.Of(err).At(fail.Field{Name: FieldPhoto, Row: one.Row, Code: fail.CodeOf(err), ZH: fail.Of(err).ZH, EN: fail.Of(err).Text})
		}
	}
	return bad, nil
}

// lineWidth is the room of a value: lines beside the photo are shorter.
func lineWidth(i int) float64 {
	if float64(i)*slipLine < photoHeight {
		return slipPhotoX - slipMargin - slipLabel - 3
	}
	return slipWidth - 2*slipMargin - slipLabel
}

func (t *ticketPrinter) fit(one Ticket) (out []fitted, err error) {
	for i, l := range one.Lines {
		f, ok := t.doc.fonts.fit(l.Value, lineWidth(i), slipLine, 10.5, 6)
		if !ok {
			return nil, fail.New(fail.Invalid, "does_not_fit", "row %d: %s is too long for the ticket", one.Row, l.Label).In("第 %d 行“%s”过长，超出准考证位置", one.Row, l.Label).
				At(fail.Field{Name: l.Label, Row: one.Row, Code: "does_not_fit", ZH: "过长", EN: "too long"})
		}
		out = append(out, f)
	}
	note, ok := t.doc.fonts.fit(one.Notes, slipWidth-2*slipMargin, slipHeight-slipNoteTop-5, 8, 5)
	if !ok {
		return nil, fail.New(fail.Invalid, "does_not_fit", "the notes are too long for the ticket").In("考生须知过长，超出准考证位置")
	}
	return append(out, note), nil
}

func (t *ticketPrinter) slip(p *page, one Ticket, x, y float64) error {
	placed, err := t.fit(one)
	if err != nil {
		return err
	}
	p.fill(ink).stroke(faint)
	title, ok := t.doc.fonts.fitLine(one.Title, slipWidth-2*slipMargin, 15, 7)
	if !ok {
		return fail.New(fail.Invalid, "does_not_fit", "the title is too long for the ticket").In("标题过长，超出准考证位置")
	}
	p.aligned(x+slipMargin, y+18, slipWidth-2*slipMargin, title.size, one.Title, centre)
	p.line(x+slipMargin, y+23, x+slipWidth-slipMargin, y+23, 0.4)
	for i, l := range one.Lines {
		top := y + slipTop - 3 + float64(i)*slipLine
		p.fill(quiet)
		label, ok := t.doc.fonts.fitLine(l.Label, slipLabel-1.5, 10.5, 5)
		if !ok {
			return fail.New(fail.Invalid, "does_not_fit", "the label %s is too long for the ticket", l.Label).In("标签“%s”过长", l.Label)
		}
		p.block(label, x+slipMargin, top, slipLabel, slipLine, left)
		p.fill(ink)
		p.block(placed[i], x+slipMargin+slipLabel, top, lineWidth(i), slipLine, left)
	}
	printer := Printer{doc: t.doc}
	r := &ready{}
	if len(one.Photo) > 0 {
		photo, err := readPhoto(one.Photo)
		if err != nil {
			return fmt.Errorf("photo of row %d: %w", one.Row, err)
		}
		r.photo = &photo
	}
	printer.photo(p, r, x+slipPhotoX, y+slipTop-2, photoWidth, photoHeight)
	note := placed[len(placed)-1]
	p.fill(quiet)
	p.block(note, x+slipMargin, y+slipNoteTop, slipWidth-2*slipMargin, float64(len(note.lines))*note.lead, left)
	return nil
}
