package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// NewNationalUpload says what to report: the next certificates of a session that no
// report has, or of an institution those that wait under a data type (new when
// empty: returned ones 更正后重报).
type NewNationalUpload struct {
	Session     string `json:"session,omitempty"`
	Institution string `json:"institution,omitempty"`
	Type        string `json:"type,omitempty"`
}

func (in NewNationalUpload) validate() error {
	if (in.Session == "") == (in.Institution == "") || in.Session != "" && in.Type != "" {
		return fail.New(fail.Invalid, "national_upload", "name a session, or an institution and a data type").In("请填写认定批次，或填写机构和数据类型").
			At(fail.Field{Name: "session", Code: "required", ZH: "批次与机构二者填一；数据类型只与机构同填", EN: "one of session and institution; a type goes with an institution"})
	}
	return nil
}

// MakeNationalUpload makes one report 生成上报文件 of at most uploads.MaxRows rows: it
// takes the snapshot (which certificates, in which version) and keeps them out of
// any other report until there is a receipt. Called again for a session it goes on
// with the next rows. Certificates that are not valid are left out; they are not
// reported as new. What a report has left out, and changes of what is in it, wait
// until it is sent: it may still be withdrawn. Conflict nothing_to_report: there are
// none left.
//
// When the next rows of a session have no certificate that can be reported, the
// answer is a report without rows that is withdrawn already; the call after it goes
// on behind them.
func (r *Registry) MakeNationalUpload(ctx context.Context, by Actor, in NewNationalUpload) (NationalUpload, error) {
	if err := in.validate(); err != nil {
		return NationalUpload{}, err
	}
	id := r.rand.id("u")
	var out NationalUpload
	err := r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = NationalUpload{}
		if id, again, err := repeated(tx, by, tx.Now()); err != nil || again {
			if again { // before anything else: what was left then is not left now
				out, err = nationalFor(tx, by, ReportNationally, id)
			}
			return err
		}
		set, err := r.nationalSet(tx, by, in)
		if err != nil {
			return err
		}
		if out, err = r.makeNational(tx, by, set, id); err != nil {
			return err
		}
		return remember(tx, by, out.ID)
	})
	if err != nil {
		return NationalUpload{}, fmt.Errorf("report to the national query: %w", err)
	}
	return out, nil
}

// nationalSet is what one report is made of, before anything is decided.
type nationalSet struct {
	upload NationalUpload
	rules  uploads.Rules
	typ    uploads.Type
	batch  Batch // of a first report
}

func (r *Registry) nationalSet(rd kv.Tx, by Actor, in NewNationalUpload) (s nationalSet, err error) {
	today := standards.DateOf(rd.Now())
	if in.Session != "" {
		session, err := sessionFor(rd, by, ReportNationally, in.Session)
		if err != nil {
			return s, err
		}
		s.upload = NationalUpload{Institution: session.Institution, Region: session.Region, Session: session.ID, Type: uploads.New}
		for _, id := range append(slices.Clone(session.Earlier), session.Batch) {
			b, ok, err := batches.Get(rd, kv.Key(id))
			if err != nil {
				return s, err
			}
			if !ok || b.State != BatchPublished {
				continue
			}
			if from, to, gap := uploads.Gap(b.National, b.SignedRow); gap && s.batch.ID == "" {
				s.batch, s.upload.Batch, s.upload.From, s.upload.To = b, b.ID, from, to
			}
		}
		if session.State != SessionIssued && s.batch.ID == "" {
			return s, fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", session.ID).In("批次 %s 尚未发证", session.ID)
		}
		if s.batch.ID == "" {
			return s, nothingToReport("批次 "+session.ID+" 的证书均已在上报文件中", "every certificate of session "+session.ID+" is in a report")
		}
	} else {
		inst, err := institutionByID(rd, in.Institution)
		if err != nil {
			return s, err
		}
		if err := may(by, ReportNationally, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return s, err
		}
		s.upload = NationalUpload{Institution: inst.ID, Region: inst.Region, Type: in.Type}
		if in.Type == "" {
			s.upload.Type = uploads.New
		}
	}
	if s.rules, err = r.nationalRules(s.upload.Region, today); err != nil {
		return s, err
	}
	var known bool
	if s.typ, known = s.rules.Types.Named(s.upload.Type); !known {
		return s, fail.New(fail.Invalid, "national_type", "the rules of the region (%s) have no data type %s", s.rules.ID, s.upload.Type).
			In("本地区规则（%s）没有数据类型 %s", s.rules.ID, s.upload.Type).At(fail.Field{Name: "type", Code: "unknown", ZH: "没有该数据类型", EN: "there is no such data type"})
	}
	s.upload.TypeName, s.upload.Rules = s.typ.Name, s.rules.ID
	return s, nil
}

func nothingToReport(zh, en string) error {
	return fail.New(fail.Conflict, "nothing_to_report", "%s; nothing is left to report", en).In("%s，没有待上报的证书", zh)
}

// makeNational decides which certificates the report has, and stores it.
func (r *Registry) makeNational(tx kv.Tx, by Actor, s nationalSet, id string) (NationalUpload, error) {
	cards, err := r.nationalCandidates(tx, &s)
	if err != nil {
		return s.upload, err
	}
	papers, err := r.papersOf(tx, cards)
	if err != nil {
		return s.upload, err
	}
	u := s.upload
	u.ID, u.State, u.By, u.Made = id, uploads.Generated, by.Account, tx.Now()
	file := nationalFile{Upload: id}
	var rows [][]string
	var own, in []nationalCard // standings that are stored, certificates that are in
	for i, card := range cards {
		cells, ok := nationalCells(s.rules, card.cert, papers[i])
		valid := card.cert.Status == CertificateValid
		switch {
		case u.Batch != "" && (!valid || !ok):
			card.row.Row = uploads.OfPart(valid)
			own = append(own, card)
			u.LeftOut++
			continue
		case !ok:
			u.LeftOut++ // it goes on waiting
			continue
		case u.Batch != "":
		case card.row.Waits() == uploads.New:
			card.row.Row = card.row.TakeNew(id)
			own = append(own, card)
		default:
			card.row.Row = card.row.TakeDue(id)
			own = append(own, card)
		}
		in, rows, file.Rows = append(in, card), append(rows, cells), append(file.Rows, nationalRef{Number: card.cert.Number, Version: card.cert.Versions})
	}
	if len(in) == 0 && u.Batch == "" {
		return u, nothingToReport("没有可上报的证书："+s.withoutCode(cards, papers), "no certificate can be reported: "+s.withoutCode(cards, papers))
	}
	u.Rows, u.Counts = len(in), nationalCounts(in)
	if u.Content, err = contentSum(rows); err != nil {
		return u, err
	}
	return r.storeNational(tx, by, u, s.batch, file, own)
}

// withoutCode names the kinds of documents for which the rules have no code.
func (s nationalSet) withoutCode(cards []nationalCard, papers []Paper) string {
	var kinds []string
	for i := range cards {
		if kind := papers[i].Document.Kind; s.rules.Document(kind) == "" {
			kinds = append(kinds, string(kind))
		}
	}
	slices.Sort(kinds)
	return "national-query documents: " + strings.Join(slices.Compact(kinds), ", ")
}

// nationalCandidates are the certificates that the report may have. It narrows a
// first report to the rows that it covers.
func (r *Registry) nationalCandidates(rd kv.Reader, s *nationalSet) ([]nationalCard, error) {
	var cs []Certificate
	var err error
	if s.upload.Batch != "" {
		rng := kv.Range{From: kv.Key(s.batch.ID, uint64(s.upload.From)), To: kv.Key(s.batch.ID, uint64(s.upload.To+1)), Limit: uploads.MaxRows}
		if cs, _, err = certificates.ScanIndex(rd, indexCertificatesByBatch, rng); err != nil {
			return nil, err
		}
		if len(cs) == uploads.MaxRows {
			s.upload.To = cs[len(cs)-1].Row
		}
	} else if cs, err = waitingCertificates(rd, s.upload.Institution, s.upload.Type); err != nil {
		return nil, err
	}
	if len(cs) == 0 {
		return nil, nothingToReport("数据类型“"+s.typ.Name.ZH+"”", "of data type "+s.typ.Name.EN)
	}
	cards, err := r.nationalCards(rd, cs)
	if err != nil || s.upload.Batch != "" {
		return cards, err
	}
	// The report before it first: while it is not sent it may be withdrawn, and its
	// rows are then reported as they are.
	cards = slices.DeleteFunc(cards, func(c nationalCard) bool {
		return c.part.State == uploads.Generated || c.row.Standing(c.part).State == uploads.Generated
	})
	if len(cards) == 0 {
		return nil, nothingToReport("数据类型“"+s.typ.Name.ZH+"”的证书尚在未报送的上报文件中，请先报送该文件",
			"of data type "+s.typ.Name.EN+" but for certificates in reports that are not sent yet; send those first")
	}
	return cards, nil
}

func waitingCertificates(rd kv.Reader, institution, typ string) ([]Certificate, error) {
	rng := kv.Prefix(kv.Key(institution, typ))
	rng.Limit = uploads.MaxRows
	rows, _, err := nationalRows.ScanIndex(rd, indexNationalWaiting, rng)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(rows))
	for i, row := range rows {
		keys[i] = kv.Key(row.Number)
	}
	cs, ok, err := certificates.GetMany(rd, keys)
	if i := slices.Index(ok, false); err == nil && i >= 0 {
		err = notFound("certificate", "证书", rows[i].Number)
	}
	return cs, err
}

// papersOf opens the papers of certificates in one read.
func (r *Registry) papersOf(rd kv.Reader, cards []nationalCard) ([]Paper, error) {
	refs := make([]nationalRef, len(cards))
	for i, c := range cards {
		refs[i] = nationalRef{Number: c.cert.Number, Version: c.cert.Versions}
	}
	return r.papersAt(rd, refs)
}

func (r *Registry) papersAt(rd kv.Reader, refs []nationalRef) ([]Paper, error) {
	places, keys := make([]sealedPlace, len(refs)), make([][]byte, len(refs))
	for i, ref := range refs {
		places[i] = sealedVersion(ref.Number, ref.Version)
		keys[i] = places[i].storeKey()
	}
	blocks, err := rd.GetMany(tableSealed, keys)
	if err != nil {
		return nil, err
	}
	out := make([]Paper, len(refs))
	for i, block := range blocks {
		if block == nil {
			return nil, fmt.Errorf("certificate %s version %d has no sealed block", refs[i].Number, refs[i].Version)
		}
		if err := r.vault.openValue(places[i], block, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// storeNational stores a report with its rows, and what its batch and certificates
// know of it, in the one Update. Durable afterwards: all of it.
func (r *Registry) storeNational(tx kv.Tx, by Actor, u NationalUpload, b Batch, file nationalFile, own []nationalCard) (NationalUpload, error) {
	year := standards.DateOf(u.Made).Year()
	n, err := counter(tx, counterNational(u.Institution, year), 1)
	if err != nil {
		return u, err
	}
	setCounter(tx, counterNational(u.Institution, year), n+1)
	u.Number = fmt.Sprintf("%d-%05d", year, n)
	if u.Batch != "" {
		part := uploads.Part{Upload: u.ID, From: u.From, To: u.To, State: uploads.Generated}
		if u.Rows == 0 {
			part.State, u.State = uploads.LeftOut, uploads.Withdrawn
		}
		b.National = append(slices.Clone(b.National), part)
		if err := batches.Put(tx, b); err != nil {
			return u, err
		}
	}
	if err := putNationalCards(tx, own); err != nil {
		return u, err
	}
	if err := nationalFiles.Put(tx, file); err != nil {
		return u, err
	}
	return r.putNational(tx, by, u, NationalMade, map[string]any{"number": u.Number, "type": u.Type, "rules": u.Rules, "batch": u.Batch,
		"batch_rows": []int{u.From, u.To}, "rows": u.Rows, "left_out": u.LeftOut, "content_sha256": u.Content})
}

// nationalCounts is the summary, in the order of occupation, trade and level.
func nationalCounts(in []nationalCard) (out []NationalCount) {
	out = []NationalCount{}
	for _, c := range in {
		one := NationalCount{Occupation: c.cert.Occupation, OccupationName: c.cert.OccupationName, TradeName: c.cert.TradeName, Level: c.cert.Level}
		i := slices.IndexFunc(out, func(o NationalCount) bool { o.Certificates = 0; return o == one })
		if i < 0 {
			i, out = len(out), append(out, one)
		}
		out[i].Certificates++
	}
	slices.SortFunc(out, func(a, b NationalCount) int {
		return strings.Compare(a.Occupation+"\x00"+a.OccupationName+"\x00"+a.TradeName+"\x00"+a.Level.Code(), b.Occupation+"\x00"+b.OccupationName+"\x00"+b.TradeName+"\x00"+b.Level.Code())
	})
	return out
}
