package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/paper"
	"bajigong/evaluators/blanks"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// PrintPurpose says why a certificate is printed. It is logged.
type PrintPurpose string

// The purposes.
const (
	PrintIssue   PrintPurpose = "issue"   // 首次制证
	PrintReissue PrintPurpose = "reissue" // 补发, 更正: a later version
	PrintSpoiled PrintPurpose = "spoiled" // 废证重打: the sheet before was spoiled
	PrintArchive PrintPurpose = "archive" // 存档
)

// PrintPurposes lists them.
func PrintPurposes() []PrintPurpose {
	return []PrintPurpose{PrintIssue, PrintReissue, PrintSpoiled, PrintArchive}
}

// PrintMost is how many certificates are printed at once. A photo has up to
// [PhotoMaxBytes], so these are at most 13 MB in memory.
const PrintMost = 200

// PaperCopy is a certificate with all that its paper shows, the full number of
// the document too: the notice has 证件号码 on the face (人社鉴发〔2021〕1号), and the
// paper is for its holder. It is never logged or shown on a page.
type PaperCopy struct {
	Number      string // as printed
	Version     int
	Session     string
	Region      string
	Institution string // name at issue
	// InstitutionID is its id, by which its seal is found.
	InstitutionID string
	Issued        standards.Date
	Name          string
	Document      standards.Document
	Occupation    string // name at issue
	Trade         string // "--" for none
	Level         standards.Level
	Handle        credentials.Handle
	QR            string
	Photo         []byte // JPEG; nil when the register has none
	// Serial is 印制流水码 of the newest print of this version that stands; empty
	// where none is recorded or it is on paper without codes.
	Serial string

	place sealedPlace // of the photo
	sum   []byte
}

// Certificate is the copy in the words of the paper. What is in English comes
// from tables of the register; names of people, institutions and occupations
// have no English here and none is made up.
func (c PaperCopy) Certificate() paper.Certificate {
	return paper.Certificate{Institution: c.Institution, Issued: string(c.Issued), Name: c.Name, DocumentKind: c.Document.Kind.Name(), DocumentNumber: c.Document.Number,
		Occupation: c.Occupation, Trade: c.Trade, Level: c.Level.Certificate(), Number: c.Number, Photo: c.Photo, QR: c.QR, Handle: c.Handle, Serial: c.Serial,
		EN: paper.English{DocumentKind: capital(c.Document.Kind.English()), Level: c.Level.English()}}
}

// capital begins a word of a sentence as a label does.
func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// PaperOf is one certificate as its current version is to be printed, for its
// institution and the authority of its region. That it was printed, by whom and
// what for, is logged. Errors: Invalid purpose; Conflict certificate_status when
// it is suspended, cancelled or voided, no_qr when it was issued elsewhere;
// NotFound; Forbidden.
func (r *Registry) PaperOf(ctx context.Context, by Actor, number string, purpose PrintPurpose) (PaperCopy, error) {
	out, err := r.PapersOf(ctx, by, []string{number}, purpose)
	if err != nil {
		return PaperCopy{}, err
	}
	return out[0], nil
}

// PapersOf is PaperOf for at most [PrintMost] certificates, all or none, in their
// order.
func (r *Registry) PapersOf(ctx context.Context, by Actor, numbers []string, purpose PrintPurpose) (out []PaperCopy, err error) {
	if len(numbers) == 0 || len(numbers) > PrintMost {
		return nil, fail.New(fail.Invalid, "print_count", "1 to %d certificates are printed at once", PrintMost).In("一次打印 1 至 %d 张证书", PrintMost)
	}
	keys := make([][]byte, len(numbers))
	for i, number := range numbers {
		key, err := r.numberKey(number)
		if err != nil {
			return nil, err
		}
		keys[i] = kv.Key(key)
	}
	err = r.print(ctx, by, purpose, func(tx kv.Tx) ([]Certificate, error) {
		cs, ok, err := certificates.GetMany(tx, keys)
		if err != nil {
			return nil, err
		}
		for i := range cs {
			if !ok[i] {
				return nil, notFound("certificate", "证书", numbers[i])
			}
		}
		return cs, nil
	}, &out)
	return out, err
}

// PapersOfSession is one part of the certificates of a session as they are to be
// printed, [PrintMost] a part from part 1 on, in the order of its rows. Those that
// are not valid any more are left out and counted in skipped. more is whether
// there are further parts. Errors as of PaperOf; Conflict not_issued; NotFound
// for a part behind the last.
func (r *Registry) PapersOfSession(ctx context.Context, by Actor, session string, part int, purpose PrintPurpose) (out []PaperCopy, skipped int, more bool, err error) {
	if part < 1 || part > printParts {
		return nil, 0, false, errPart()
	}
	err = r.print(ctx, by, purpose, func(tx kv.Tx) ([]Certificate, error) {
		skipped, more = 0, false
		s, err := sessionFor(tx, by, PrintCertificate, session)
		if err != nil {
			return nil, err
		}
		if s.State != SessionIssued {
			return nil, fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", s.ID).In("批次 %s 尚未发证", s.ID)
		}
		cs, next, err := printPart(tx, s, part)
		if err != nil {
			return nil, err
		}
		more = next != ""
		all := len(cs)
		cs = slices.DeleteFunc(cs, func(c Certificate) bool { return c.Status != CertificateValid })
		skipped = all - len(cs)
		return cs, nil
	}, &out)
	return out, skipped, more, err
}

// printParts bounds the parts of a session: a session has far fewer.
const printParts = 500

func errPart() error {
	return fail.New(fail.Invalid, "part", "part is 1 to %d", printParts).In("part 应为 1 至 %d", printParts).
		At(fail.Field{Name: "part", Code: "range", ZH: fmt.Sprintf("1 至 %d", printParts), EN: fmt.Sprintf("1 to %d", printParts)})
}

// printPart is one part of a session. A session may have several batches, each
// of which ends a page; a part is filled across them.
func printPart(rd kv.Reader, s Session, part int) (out []Certificate, next string, err error) {
	cursor, at := "", 0
	for {
		cs, more, err := issuedPage(rd, s, Page{Cursor: cursor, Limit: PrintMost})
		if err != nil {
			return nil, "", err
		}
		for i, c := range cs {
			if n := at + i; n/PrintMost == part-1 {
				out = append(out, c)
			}
		}
		at += len(cs)
		if cursor = more; cursor == "" || at > part*PrintMost {
			break
		}
	}
	if len(out) == 0 {
		return nil, "", notFound("part", "分册", fmt.Sprint(part))
	}
	if at > part*PrintMost {
		next = "more"
	}
	return out, next, nil
}

// print loads what is to be printed, decides and logs it in one Update; photos are
// read afterwards, by the hash that the version has of each.
func (r *Registry) print(ctx context.Context, by Actor, purpose PrintPurpose, load func(kv.Tx) ([]Certificate, error), into *[]PaperCopy) error {
	if !slices.Contains(PrintPurposes(), purpose) {
		return fail.New(fail.Invalid, "purpose", "the purpose of a print is one of %v", PrintPurposes()).In("打印用途应为 issue（首次制证）、reissue（补发、更正）、spoiled（废证重打）或 archive（存档）").
			At(fail.Field{Name: "purpose", Code: "unknown", ZH: "打印用途无法识别", EN: "not a purpose"})
	}
	var out []PaperCopy
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = nil
		cs, err := load(tx)
		if err != nil {
			return err
		}
		seen := map[string]bool{} // batches that are published
		serials, err := serialsOf(tx, cs)
		if err != nil {
			return err
		}
		for i, c := range cs {
			one, err := r.paperCopy(tx, by, c, seen)
			if err != nil {
				return err
			}
			one.Serial = serials[i]
			if _, err := r.appendEvent(tx, by, Event{Kind: CertificatePrinted, Object: c.Number, Institution: c.Institution,
				Detail: map[string]any{"version": c.Versions, "purpose": purpose}}); err != nil {
				return err
			}
			out = append(out, one)
		}
		return nil
	})
	if err == nil {
		err = r.readPhotos(ctx, out)
	}
	if err != nil {
		return fmt.Errorf("print certificates: %w", err)
	}
	*into = out
	return nil
}

// serialsOf are the codes 印制流水码 of the blanks that certificates have been
// given for their newest version; empty for those that have none.
func serialsOf(rd kv.Reader, page []Certificate) ([]string, error) {
	sums, err := printsOf(rd, page)
	if err != nil {
		return nil, err
	}
	last := make([][]byte, len(page))
	for i, c := range page {
		last[i] = kv.Key(c.Number, uint64(sums[i].N))
	}
	newest, there, err := prints.GetMany(rd, last)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(page))
	for i, c := range page {
		if p := newest[i]; there[i] && p.Version == c.Versions && p.Spoiled == nil && p.Code != nil {
			out[i] = p.Code.String()
		}
	}
	return out, nil
}

// paperCopy is the rule for one certificate.
func (r *Registry) paperCopy(rd kv.Reader, by Actor, c Certificate, published map[string]bool) (PaperCopy, error) {
	if !published[c.Batch] || c.Origin != OriginHere {
		ok, _, err := r.public(rd, c)
		if err != nil {
			return PaperCopy{}, err
		}
		if !ok {
			return PaperCopy{}, notFound("certificate", "证书", c.Number)
		}
		published[c.Batch] = true
	}
	if err := may(by, PrintCertificate, Object{Institution: c.Institution, Region: c.Region}); err != nil {
		return PaperCopy{}, err
	}
	if err := c.printable(); err != nil {
		return PaperCopy{}, err
	}
	v, err := need(rd, versions, versionKey(c.Number, c.Versions), "version", "证书版本", c.Number)
	if err != nil {
		return PaperCopy{}, err
	}
	p, err := r.paper(rd, c.Number, c.Versions)
	if err != nil {
		return PaperCopy{}, err
	}
	out := PaperCopy{Number: c.Number, Version: c.Versions, Session: c.Session, Region: c.Region, Institution: c.InstitutionName, InstitutionID: c.Institution, Issued: c.Issued,
		Name: p.Name, Document: p.Document, Occupation: c.OccupationName, Trade: c.TradeName, Level: c.Level,
		Handle: v.Handle, QR: credentials.QRText(r.cfg.Origin, v.Handle, credentials.Token(p.Token))}
	if p.Number != "" {
		out.Number = p.Number
	}
	if p.Photo != nil {
		out.place, out.sum = photoPlace(c, *p.Photo), p.Photo.SHA256
	}
	return out, nil
}

// printable is the rule: only what stands is printed, and only what carries a
// code of this register.
func (c Certificate) printable() error {
	if c.Origin != OriginHere {
		return fail.New(fail.Conflict, "no_qr", "a certificate from elsewhere has no QR code of this register; its issuer prints it").In("在别处颁发的证书没有本系统二维码，由原发证机构制证")
	}
	if c.Status != CertificateValid {
		return fail.New(fail.Conflict, "certificate_status", "a certificate that is %s is not printed", c.Status).In("证书已撤销、注销或暂停，不得制证")
	}
	return nil
}

// readPhotos opens the photos of copies, one at a time.
func (r *Registry) readPhotos(ctx context.Context, out []PaperCopy) error {
	return r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		var places [][]byte
		var at []int
		for i, c := range out {
			if c.sum != nil {
				places, at = append(places, c.place.storeKey()), append(at, i)
			}
		}
		if len(places) == 0 {
			return nil
		}
		blocks, err := rd.GetMany(tableSealed, places)
		if err != nil {
			return err
		}
		for i, block := range blocks {
			c := &out[at[i]]
			if c.Photo, err = r.openPhoto(c.place, block, c.sum); err != nil {
				return err
			}
		}
		return nil
	})
}

// PapersOfJob is one part of what a print job gave blanks to, [PrintMost] a part
// from part 1 on and in the order of their codes 印制流水码, so that the sheets in
// the printer's tray are met one by one. Prints that were spoiled, certificates
// that have a newer print or version, and those that are not valid any more are
// left out and counted in skipped. Errors as of PaperOf; NotFound for a part behind
// the last.
func (r *Registry) PapersOfJob(ctx context.Context, by Actor, job string, part int, purpose PrintPurpose) (out []PaperCopy, skipped int, more bool, err error) {
	if part < 1 || part > printParts {
		return nil, 0, false, errPart()
	}
	err = r.print(ctx, by, purpose, func(tx kv.Tx) ([]Certificate, error) {
		skipped, more = 0, false
		j, err := printJobFor(tx, by, PrintCertificate, job)
		if err != nil {
			return nil, err
		}
		items, next, err := jobPart(tx, j, part)
		if err != nil {
			return nil, err
		}
		more = next != ""
		cs, err := newestPrints(tx, items)
		skipped = len(items) - len(cs)
		return cs, err
	}, &out)
	return out, skipped, more, err
}

// jobPart is one part of the prints of a job.
func jobPart(rd kv.Reader, j PrintJob, part int) (out []blanks.Printing, next string, err error) {
	for at := 1; ; at++ {
		out, next, err = scanIndexPage(rd, prints, indexPrintsByJob, kv.Prefix(kv.Key(j.ID)), Page{Cursor: next, Limit: PrintMost})
		if err != nil {
			return nil, "", err
		}
		if at == part && len(out) > 0 {
			return out, next, nil
		}
		if at == part || next == "" {
			return nil, "", notFound("part", "分册", fmt.Sprint(part))
		}
	}
}

// newestPrints are the certificates of prints that are still the newest of a
// certificate that is valid.
func newestPrints(rd kv.Reader, items []blanks.Printing) ([]Certificate, error) {
	keys := make([][]byte, len(items))
	for i, p := range items {
		keys[i] = kv.Key(p.Number)
	}
	found, there, err := certificates.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	sums, err := printsOf(rd, found)
	if err != nil {
		return nil, err
	}
	var out []Certificate
	for i, p := range items {
		if c := found[i]; there[i] && c.Status == CertificateValid && p.Spoiled == nil && p.Version == c.Versions && p.N == sums[i].N {
			out = append(out, c)
		}
	}
	return out, nil
}
