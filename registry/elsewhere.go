package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bajigong/evaluators"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// ElsewhereMax is how many certificates one call registers.
const ElsewhereMax = bulkPage

// Elsewhere is a certificate that was issued before, or in another system.
type Elsewhere struct {
	Number          string          `json:"number"`
	Name            string          `json:"name"`
	DocumentKind    string          `json:"document_kind"` // resident_id when empty
	Document        string          `json:"document"`
	Occupation      string          `json:"occupation"`      // code d-dd-dd-dd
	OccupationName  string          `json:"occupation_name"` // as on the paper; the catalogue's when empty
	TradeName       string          `json:"trade_name"`      // "--" when empty
	Level           standards.Level `json:"level"`
	Issued          standards.Date  `json:"issued"`
	InstitutionName string          `json:"institution_name"`
	Mode            policy.Mode     `json:"mode"` // exam when empty
	// Queryable is the first day on which the national query 全国联网查询 has it, as
	// the source states; empty when it is not known.
	Queryable standards.Date `json:"queryable,omitempty"`
	// Kind is the kind of certificate; what the number tells when empty. Numbers
	// of 专项职业能力证书, 培训合格证书 and 特种设备作业人员证 are taken in any form
	// and kept with their kind and place. These and 特种作业操作证 need no level,
	// and without an occupation code the name of the operation or course.
	Kind policy.Kind `json:"kind,omitempty"`
	// Edition is that of 职业分类大典 which the code belongs to: 1999, 2015 or 2022,
	// which it is when empty. Codes of older editions are not looked up here.
	Edition string         `json:"edition,omitempty"`
	Place   string         `json:"place,omitempty"`    // where it was acquired, GB/T 2260, six digits
	ValidTo standards.Date `json:"valid_to,omitempty"` // last day, of kinds with a term
	Source  string         `json:"source,omitempty"`   // on what the registration rests, at most 200 characters, nothing personal
}

// arrival is a checked Elsewhere.
type arrival struct {
	in     Elsewhere
	number standards.Number
	kind   policy.Kind // as stated, else as the number tells
	paper  Paper
	key    string
	person PersonID
}

// RegisterElsewhere takes certificates from elsewhere into the register, all of
// them or none, so that claims count them and look-ups find them. An institution
// may register under its own number parts; whether it was entitled is then asked
// at this moment and stays with the certificate. For the authority nothing is
// asserted. Invalid: rows with mistakes; a row counts from 1.
func (r *Registry) RegisterElsewhere(ctx context.Context, by Actor, in []Elsewhere) ([]Certificate, error) {
	if len(in) == 0 || len(in) > ElsewhereMax {
		return nil, fail.New(fail.Invalid, "rows", "1 to %d certificates in one call", ElsewhereMax).In("每次登记 1 至 %d 份证书", ElsewhereMax)
	}
	var today standards.Date
	if err := r.view(ctx, func(_ kv.Reader, now time.Time) error { today = standards.DateOf(now); return nil }); err != nil {
		return nil, err
	}
	rows, err := r.checkArrivals(in, today)
	if err != nil {
		return nil, err
	}
	documents, fresh := make([]standards.Document, len(rows)), make([]PersonID, len(rows))
	for i := range rows {
		documents[i], fresh[i] = rows[i].paper.Document, r.rand.person()
	}
	var out []Certificate
	err = r.db.Bulk(ctx, func(tx kv.Tx) error {
		out = nil
		people, err := r.peopleFor(tx, documents, fresh)
		if err != nil {
			return err
		}
		var bad []fail.Field
		for i, row := range rows {
			row.person = people[i]
			c, err := r.arrive(tx, by, row)
			if e := (*fail.Error)(nil); errors.As(err, &e) && e.Kind != fail.Internal {
				bad = append(bad, fail.Field{Name: "number", Row: i + 1, Code: e.Code, ZH: e.ZH, EN: e.Text})
				continue
			}
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		if len(bad) > 0 {
			return fail.New(fail.Invalid, "rows", "%d of %d certificates cannot be registered; nothing was stored", len(bad), len(rows)).
				In("%d 份中有 %d 份不能登记，本次未保存", len(rows), len(bad)).At(bad...)
		}
		return r.signsAfterElsewhere(tx, by, out)
	})
	if err != nil {
		return nil, fmt.Errorf("register certificates from elsewhere: %w", err)
	}
	return out, nil
}

func (r *Registry) checkArrivals(in []Elsewhere, today standards.Date) ([]arrival, error) {
	var bad []fail.Field
	out := make([]arrival, len(in))
	seen := map[string]int{}
	for i, e := range in {
		a, fields := r.checkArrival(e, today)
		for _, f := range fields {
			f.Row = i + 1
			bad = append(bad, f)
		}
		if first, twice := seen[a.key]; twice && a.key != "" {
			bad = append(bad, fail.Field{Name: "number", Row: i + 1, Code: "duplicate", ZH: fmt.Sprintf("与第 %d 份编号相同", first), EN: fmt.Sprintf("the same number as row %d", first)})
		}
		seen[a.key] = i + 1
		out[i] = a
	}
	if len(bad) > 0 {
		return nil, fail.New(fail.Invalid, "rows", "some certificates have mistakes; nothing was stored").In("部分证书信息有误，本次未保存").At(bad...)
	}
	return out, nil
}

func (r *Registry) checkArrival(e Elsewhere, today standards.Date) (a arrival, bad []fail.Field) {
	wrong := func(name string, err error) {
		if err != nil {
			x := fail.Of(err)
			bad = append(bad, fail.Field{Name: name, Code: x.Code, ZH: x.ZH, EN: x.Text})
		}
	}
	need := func(ok bool, name, code, zh, en string) {
		if !ok {
			bad = append(bad, fail.Field{Name: name, Code: code, ZH: zh, EN: en})
		}
	}
	var err error
	a.in = e
	if err = a.checkKind(e); err == nil {
		if a.key = r.storedNumber(a.number); a.qualified() {
			a.key = strings.Join([]string{string(a.kind), e.Place, a.number.Text}, ":")
		}
	}
	wrong("number", err)
	a.paper.Name, err = standards.CleanName(e.Name)
	wrong("name", err)
	kind, err := standards.DocumentKind("resident_id"), error(nil)
	if e.DocumentKind != "" {
		kind, err = standards.ParseDocumentKind(e.DocumentKind)
		wrong("document_kind", err)
	}
	if err == nil {
		a.paper.Document, err = standards.ParseDocument(kind, e.Document, today)
		wrong("document", err)
	}
	a.checkSubject(e, today, need)
	need(e.Issued.Valid() && e.Issued <= today, "issued", "date", "发证日期应为不晚于今天的日期", "the date of issue is a date not after today")
	if a.number.Parts != nil && e.Issued.Valid() {
		need(a.number.Parts.Year == e.Issued.Year(), "issued", "number_year", "发证年份与证书编号不符", "the year of issue is not the one in the number")
	}
	need(len([]rune(strings.TrimSpace(e.InstitutionName))) > 0 && len([]rune(e.InstitutionName)) <= 100, "institution_name", "length",
		"发证机构名称应为 1 至 100 个字", "the name of the institution has 1 to 100 characters")
	need(len([]rune(e.OccupationName)) <= 60 && len([]rune(e.TradeName)) <= 60, "occupation_name", "length", "职业、工种名称不超过 60 个字", "occupation and trade have at most 60 characters")
	need(e.Mode == "" || e.Mode.Known(), "mode", "unknown", "取得方式不在列表中", "the mode is not one of the list")
	need(e.Queryable == "" || e.Queryable.Valid() && e.Queryable <= today && e.Queryable >= e.Issued, "queryable", "date",
		"全国查询日期应不早于发证日期、不晚于今天", "the day of the national query is not before issue and not after today")
	if a.number.Personal() || a.qualified() {
		a.paper.Number = a.number.Text
	}
	return a, bad
}

// arrive stores one certificate. Its errors are about this row.
func (r *Registry) arrive(tx kv.Tx, by Actor, a arrival) (Certificate, error) {
	o, err := r.occupationOf(tx, a.in)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{
		Number: r.storedNumber(a.number), PaperKind: a.in.Kind, Place: a.in.Place, ValidTo: a.in.ValidTo, Source: strings.TrimSpace(a.in.Source), Kind: a.number.Kind, Origin: OriginElsewhere, Mode: a.in.Mode, Person: a.person,
		InstitutionName: strings.TrimSpace(a.in.InstitutionName), Region: by.Region,
		Occupation: o.Code, OccupationName: strings.TrimSpace(a.in.OccupationName), TradeName: strings.TrimSpace(a.in.TradeName),
		Level: a.in.Level, Issued: a.in.Issued, Created: tx.Now(), Versions: 1, Status: CertificateValid, Queryable: a.in.Queryable,
	}
	if c.Mode == "" {
		c.Mode = policy.ModeExam
	}
	if c.OccupationName == "" {
		c.OccupationName = o.Name
	}
	if trade, err := o.FindTrade(c.TradeName); err == nil {
		c.Trade = trade.ID
	}
	if c.TradeName == "" {
		c.TradeName = "--"
	}
	if o.Edition != occupationEdition {
		c.Edition = o.Edition
	}
	r.qualify(&c, a)
	taken, err := tx.Get(tableCertificates, kv.Key(c.Number))
	if err != nil {
		return Certificate{}, err
	}
	if taken != nil {
		return Certificate{}, fail.New(fail.Conflict, "number_taken", "the number is in the register already").In("该证书编号已登记")
	}
	if err := r.attribute(tx, by, &c, a.number); err != nil {
		return Certificate{}, err
	}
	if err := may(by, RegisterElsewhere, Object{Institution: c.Institution, Region: c.Region}); err != nil {
		return Certificate{}, err
	}
	if c.LogIndex, err = r.appendEvent(tx, by, Event{Kind: CertificateElsewhere, Object: c.Number, Institution: c.Institution, Detail: c}); err != nil {
		return Certificate{}, err
	}
	if err := certificates.Put(tx, c); err != nil {
		return Certificate{}, err
	}
	if err := versions.Put(tx, Version{Number: c.Number, N: 1, Created: tx.Now(), LogIndex: c.LogIndex}); err != nil {
		return Certificate{}, err
	}
	certificateToCount(tx, c)
	return c, r.vault.seal(tx, sealedVersion(c.Number, 1), a.paper)
}

// attribute finds the filing behind a 22-character number and, when the
// institution itself brings the certificate, asks whether it is entitled now: a
// date on the paper decides nothing.
func (r *Registry) attribute(tx kv.Tx, by Actor, c *Certificate, n standards.Number) error {
	if n.Parts == nil {
		return nil
	}
	f, there, err := filingBehind(tx, *n.Parts, c.Issued)
	if err != nil || !there {
		return err
	}
	inst, filed, past, err := recorded(tx, f.Institution)
	if err != nil {
		return err
	}
	c.Institution, c.Filing = inst.ID, f.ID
	if !by.has(RoleAuthority) {
		c.Region = inst.Region
		e := evaluators.Entitled(inst, f, past, evaluators.Question{Occupation: c.Occupation, Trade: c.Trade, Level: c.Level, Now: tx.Now(), Filed: filed})
		c.Entitlement = &e
	}
	return nil
}

// filingBehind finds the filing with the parts of a number: the one of its date,
// else any.
func filingBehind(rd kv.Reader, n standards.LevelNumber, issued standards.Date) (f evaluators.Filing, there bool, err error) {
	rng := kv.Prefix(kv.Key(n.Prefix()))
	rng.Limit = maxDecisions
	found, _, err := filings.ScanIndex(rd, indexFilingsByPrefix, rng)
	if err != nil || len(found) == 0 {
		return f, false, err
	}
	f = found[len(found)-1]
	for _, other := range found {
		if other.Covers(issued) {
			f = other
		}
	}
	return f, true, nil
}
