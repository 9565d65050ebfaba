package registry

import (
	"fmt"
	"strings"

	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// national is invariant 11. It reads one report and its certificates at a time.
func (c *check) national() error {
	c.of(tableNationalUploads, tableNationalRows, tableBatches)
	// One report with its certificates at a time.
	if err := eachPage(c, nationalUploads, sealedPage, func(page []NationalUpload) error {
		for _, u := range page {
			if err := c.nationalUpload(u); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	err := each(c, batches, pageMax, func(c *check, b Batch) error { return c.nationalParts(b) })
	if err != nil {
		return err
	}
	return c.compare(1, (*check).nationalApart, func(id string, want, have []int64) {
		batch, upload, _ := strings.Cut(id, " ")
		c.problem("batch %s: %d certificates of report %s stand apart, it says %d", batch, want[0], upload, have[0])
	})
}

// nationalApart adds up the certificates with a row of their own, by batch and report.
func (c *check) nationalApart(s *agreement) error {
	err := eachPage(c, nationalRows, pageMax, func(page []nationalRow) error {
		of := make([]string, len(page))
		err := c.side(len(page), func(i int, c *check) (err error) { of[i], err = c.nationalRow(page[i]); return err })
		for _, id := range of {
			if id != "" {
				s.add(sideLedger, id, 1)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return scanAll(c, batches, func(page []Batch) {
		for _, b := range page {
			for _, part := range b.National {
				s.add(sideKept, b.ID+" "+part.Upload, int64(part.Apart))
			}
		}
	})
}

func (c *check) nationalUpload(u NationalUpload) error {
	f, err := c.r.nationalContents(c.rd, u)
	if err != nil {
		c.problem("report %s has rows that are not there: %v", u.ID, err)
		return nil
	}
	returned := 0
	for _, ref := range f.file.Rows {
		if ref.Returned {
			returned++
		}
	}
	if len(f.file.Rows) != u.Rows || returned > 0 && (u.Receipt == nil || u.Receipt.Returned != returned) || u.Receipt != nil && u.Receipt.Returned != returned {
		c.problem("report %s says it has other rows, or other returned ones, than it has", u.ID)
	}
	for i, card := range f.cards {
		if ok, _, err := c.r.public(c.rd, card.cert); err != nil || !ok || card.cert.Institution != u.Institution {
			c.problem("report %s has certificate %s, which is not a public one of its institution (%v)", u.ID, card.cert.Number, err)
		}
		if f.file.Rows[i].Version > card.cert.Versions {
			c.problem("report %s has a version of certificate %s that is not there", u.ID, card.cert.Number)
		}
		if why := card.astray(u, f.file.Rows[i].Returned); why != "" {
			c.problem("report %s is %s, and its certificate %s %s", u.ID, u.State, card.cert.Number, why)
		}
	}
	return nil
}

// astray says how a certificate disagrees with a report that still has its rows to
// itself, or that had it last. A certificate points to one report alone, so that
// none is in two of them. returned says that the receipt sent its row back.
func (card nationalCard) astray(u NationalUpload, returned bool) string {
	switch {
	case !u.State.Open():
		return card.after(u, returned)
	case u.Type != uploads.New && card.row.Change != u.ID:
		return "has its change in another report: " + card.row.Change
	case u.Type != uploads.New:
		return ""
	case card.row.Own && (card.row.Upload != u.ID || card.row.State != u.State):
		return fmt.Sprintf("is %s in report %s", card.row.State, card.row.Upload)
	case !card.row.Own && (card.part.Upload != u.ID || card.part.State != u.State):
		return fmt.Sprintf("follows report %s, %s", card.part.Upload, card.part.State)
	}
	return ""
}

// after is astray for a report of new certificates that has its receipt.
func (card nationalCard) after(u NationalUpload, returned bool) string {
	row := card.row
	if u.Type != uploads.New || u.State == uploads.Withdrawn || !row.Own || row.Upload != u.ID {
		return ""
	}
	state, since := uploads.Accepted, standards.Date("")
	if u.State == uploads.Queryable {
		state, since = uploads.Queryable, u.Queryable.On
	}
	back := row.State == uploads.Returned || row.State == uploads.Waiting || row.State == uploads.LeftOut
	if returned != back || !back && (row.State != state || row.Since != since) {
		return fmt.Sprintf("is %q since %q, its row returned: %t", row.State, row.Since, returned)
	}
	return ""
}

// nationalRow answers the batch and report that a row stands apart from.
func (c *check) nationalRow(row nationalRow) (of string, err error) {
	cert, ok, err := certificates.Get(c.rd, kv.Key(row.Number))
	if err != nil {
		return "", err
	}
	b, there, err := batches.Get(c.rd, kv.Key(row.Batch))
	if err != nil {
		return "", err
	}
	part, covered := uploads.PartOf(b.National, row.BatchRow)
	if !ok || !there || !covered || cert.Batch != row.Batch || cert.Row != row.BatchRow || cert.Institution != row.Institution {
		c.problem("certificate %s stands apart in the national query, and is in no report of its batch", row.Number)
		return "", nil
	}
	of = row.Batch + " " + part.Upload
	if row.Waits() == uploads.New && cert.Status != CertificateValid {
		c.problem("certificate %s is %s and waits to be reported as new", row.Number, cert.Status)
	}
	for _, id := range []string{row.Upload, row.Change} {
		if id == "" {
			continue
		}
		u, ok, err := nationalUploads.Get(c.rd, kv.Key(id))
		if err != nil {
			return "", err
		}
		if !ok || u.Institution != row.Institution || id == row.Change && !u.State.Open() {
			c.problem("certificate %s names report %s, which does not have it", row.Number, id)
		}
	}
	return of, nil
}

// nationalParts: the parts of a batch do not overlap, lie within it, and stand where
// their reports stand.
func (c *check) nationalParts(b Batch) error {
	last := 0
	for _, row := range sortedParts(b.National) {
		u, ok, err := nationalUploads.Get(c.rd, kv.Key(row.Upload))
		if err != nil {
			return err
		}
		state := u.State
		if u.Rows == 0 {
			state = uploads.LeftOut
		}
		since := row.Since
		if u.Queryable != nil {
			since = u.Queryable.On
		}
		if !ok || u.Batch != b.ID || u.From != row.From || u.To != row.To || state != row.State || since != row.Since || row.From <= last || row.To < row.From || row.To > b.SignedRow {
			c.problem("batch %s: its rows %d to %d do not agree with report %s", b.ID, row.From, row.To, row.Upload)
		}
		last = row.To
	}
	return nil
}
