package registry

import (
	"context"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/rulefile"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// NationalUpload is one report to the national query 全国联网查询上报: one file of
// eleven columns, from the moment it was made. It has no personal data; what its
// rows are stands in nationalFile by number and version, so that the file can be
// made again, byte by byte. See package uploads for its states.
type NationalUpload struct {
	ID          string        `json:"id"`
	Number      string        `json:"number"` // 批次号: this register's own, per institution and year
	Institution string        `json:"institution"`
	Region      string        `json:"region"`
	Type        string        `json:"type"`      // code of the data type
	TypeName    rulefile.Text `json:"type_name"` // 数据类型: 新增 …
	Rules       string        `json:"rules"`     // id of the rule file it was made by
	Session     string        `json:"session,omitempty"`
	Batch       string        `json:"batch,omitempty"` // of a first report; the others have certificates of several
	From        int           `json:"from,omitempty"`  // first and last row of the batch that it covers
	To          int           `json:"to,omitempty"`
	Rows        int           `json:"rows"`
	LeftOut     int           `json:"left_out,omitempty"` // not valid, or of a document without a code
	// Counts is the summary 表5, by occupation, trade and level.
	Counts  []NationalCount `json:"counts"`
	Content string          `json:"content_sha256"` // of the file as CSV, hexadecimal
	State   uploads.State   `json:"state"`
	By      string          `json:"by"`
	Made    time.Time       `json:"made"`

	Sent      *NationalStep    `json:"sent,omitempty"`
	Withdrawn *NationalStep    `json:"withdrawn,omitempty"`
	Receipt   *NationalReceipt `json:"receipt,omitempty"`
	Queryable *NationalStep    `json:"queryable,omitempty"` // On is the first day
	LogIndex  uint64           `json:"log_index"`           // of its newest entry
}

// NationalCount is one line of the summary of a report.
type NationalCount struct {
	Occupation     string          `json:"occupation"`
	OccupationName string          `json:"occupation_name"`
	TradeName      string          `json:"trade_name"`
	Level          standards.Level `json:"level"`
	Certificates   int             `json:"certificates"`
}

// NationalStep is a step of a report: the day it was taken and what proves it.
type NationalStep struct {
	On        standards.Date `json:"on"`
	Reference string         `json:"reference"`
	By        string         `json:"by"`
	At        time.Time      `json:"at"`
}

// NationalReceipt is the receipt of a report. Why rows were returned is sealed.
type NationalReceipt struct {
	NationalStep
	Returned int    `json:"returned"`
	Digest   []byte `json:"digest"` // keyed hash of what it says, to know it again
}

// nationalFile is the snapshot of a report: its rows in their order.
type nationalFile struct {
	Upload string        `json:"upload"`
	Rows   []nationalRef `json:"rows"`
}

// nationalRef is one row of a report: a certificate as of one version. Returned
// says that the receipt sent it back.
type nationalRef struct {
	Number   string `json:"number"`
	Version  int    `json:"version"`
	Returned bool   `json:"returned,omitempty"`
}

// nationalRow is the standing of a certificate that does not follow its batch.
type nationalRow struct {
	Number      string `json:"number"`
	Institution string `json:"institution"`
	Batch       string `json:"batch"`
	BatchRow    int    `json:"batch_row"`
	uploads.Row
}

// nationalRules are the rules on reports in force in a region on a day. Conflict
// national_rules_missing: there is no file.
func (r *Registry) nationalRules(region string, on standards.Date) (uploads.Rules, error) {
	rules, ok := r.cfg.Rules.National.On(region, string(on))
	if !ok {
		return rules, fail.New(fail.Conflict, "national_rules_missing", "there is no rule file on reports to the national query for region %s on %s", region, on).
			In("地区 %s 在 %s 没有全国联网查询上报的规则文件", region, on)
	}
	return rules, nil
}

// nationalOf is where a certificate stands in the national query, and whether that
// decides its verdict: the rules of its region on its day of issue say so, and it
// cannot be queried yet. It reads at most one record, none for most certificates. Of
// a certificate from elsewhere only what its source stated is known, and nothing is
// decided by it.
func (r *Registry) nationalOf(rd kv.Reader, c Certificate, b Batch) (s uploads.Standing, decides bool, err error) {
	if c.Origin != OriginHere {
		if c.Queryable == "" {
			return uploads.Standing{State: uploads.LeftOut}, false, nil
		}
		return uploads.Standing{State: uploads.Queryable, Since: c.Queryable}, false, nil
	}
	if part, ok := uploads.PartOf(b.National, c.Row); ok {
		s = part.Standing()
		if part.Apart > 0 {
			row, _, err := nationalRows.Get(rd, kv.Key(c.Number))
			if err != nil {
				return s, false, err
			}
			s = row.Standing(part)
		}
	}
	rules, ok := r.cfg.Rules.National.On(c.Region, string(c.Issued))
	return s, ok && rules.Counts && s.State != uploads.Queryable, nil
}

var nationalStates = map[uploads.State]credentials.NationalState{
	uploads.NotUploaded: credentials.NationalNotReported, uploads.Waiting: credentials.NationalNotReported,
	uploads.Generated: credentials.NationalGenerated, uploads.Sent: credentials.NationalSent, uploads.Accepted: credentials.NationalAccepted,
	uploads.Returned: credentials.NationalReturned, uploads.Queryable: credentials.NationalQueryable,
}

// nationalFact is a standing as a verdict shows it; nil for a certificate that is
// not reported, or of which nothing is known.
func nationalFact(s uploads.Standing) *credentials.National {
	state, ok := nationalStates[s.State]
	if !ok {
		return nil
	}
	return &credentials.National{State: state, Since: string(s.Since)}
}

// nationalAfterChange notes, in the Update that changes certificates, what has to
// be reported after a report that may have gone out. cs are as they are after the
// change; they have one change in common.
func (r *Registry) nationalAfterChange(tx kv.Tx, cs []Certificate, change uploads.Change) error {
	changed, err := r.nationalCards(tx, cs)
	if err != nil {
		return err
	}
	today := standards.DateOf(tx.Now())
	out := changed[:0]
	for _, one := range changed {
		rules, ok := r.cfg.Rules.National.On(one.cert.Region, string(today))
		if !ok || !one.covered {
			continue
		}
		row := one.row.Changed(one.part, change, one.cert.undone(), one.cert.Status == CertificateValid, rules.Types, today)
		if !one.there && !row.Own && row.Due == nil {
			continue // it follows its part as before
		}
		one.row.Row = row
		out = append(out, one)
	}
	return putNationalCards(tx, out)
}

// undone is the change that the newest change undoes.
func (c Certificate) undone() uploads.Change {
	if n := len(c.Changes); n > 1 && c.Changes[n-1].Kind == ChangeUndo {
		return uploads.Change(c.Changes[n-2].Kind)
	}
	return ""
}

// reported is what a new version is for the national query. Its file has no photo.
func (in newVersion) reported() uploads.Change {
	if in.kind == Correction && (in.Name != "" || in.Document != nil || in.Employer != "") {
		return uploads.ChangeCorrect
	}
	return uploads.ChangeReissue
}

// nationalCard is a certificate issued here with its standing.
type nationalCard struct {
	cert    Certificate
	part    uploads.Part
	covered bool // there is a part
	row     nationalRow
	there   bool // the row is stored
}

// nationalCards loads the standing of certificates, those from elsewhere left out,
// with one read of batches and one of rows.
func (r *Registry) nationalCards(rd kv.Reader, cs []Certificate) (out []nationalCard, err error) {
	var ids []string
	for _, c := range cs {
		if c.Origin == OriginHere && !slices.Contains(ids, c.Batch) {
			ids = append(ids, c.Batch)
		}
	}
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = kv.Key(id)
	}
	bs, _, err := batches.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	keys = nil
	for _, c := range cs {
		if c.Origin != OriginHere {
			continue
		}
		card := nationalCard{cert: c, row: nationalRow{Number: c.Number, Institution: c.Institution, Batch: c.Batch, BatchRow: c.Row}}
		card.part, card.covered = uploads.PartOf(bs[slices.Index(ids, c.Batch)].National, c.Row)
		out, keys = append(out, card), append(keys, kv.Key(c.Number))
	}
	rows, there, err := nationalRows.GetMany(rd, keys)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if there[i] {
			out[i].row, out[i].there = rows[i], true
		}
	}
	return out, nil
}

// putNationalCards stores rows; the parts of those that are new count them.
func putNationalCards(tx kv.Tx, cards []nationalCard) error {
	rows := make([]nationalRow, len(cards))
	fresh := map[string][]int{}
	var order []string
	for i, c := range cards {
		rows[i] = c.row
		if !c.there {
			if fresh[c.cert.Batch] == nil {
				order = append(order, c.cert.Batch)
			}
			fresh[c.cert.Batch] = append(fresh[c.cert.Batch], c.cert.Row)
		}
	}
	for _, id := range order {
		b, err := need(tx, batches, kv.Key(id), "batch", "发证批次", id)
		if err != nil {
			return err
		}
		b.National = slices.Clone(b.National)
		for _, row := range fresh[id] {
			for i, p := range b.National {
				if p.From <= row && row <= p.To {
					b.National[i].Apart++
				}
			}
		}
		if err := batches.Put(tx, b); err != nil {
			return err
		}
	}
	return nationalRows.PutMany(tx, rows)
}

// nationalFor loads a report that by may do something with.
func nationalFor(rd kv.Reader, by Actor, do Action, id string) (NationalUpload, error) {
	u, err := need(rd, nationalUploads, kv.Key(id), "report", "上报", id)
	if err != nil {
		return u, err
	}
	return u, may(by, do, Object{Institution: u.Institution, Region: u.Region})
}

func (r *Registry) putNational(tx kv.Tx, by Actor, u NationalUpload, kind EventKind, detail map[string]any) (NationalUpload, error) {
	detail["record_sha256"] = recordDigest(u)
	var err error
	if u.LogIndex, err = r.appendEvent(tx, by, Event{Kind: kind, Object: u.ID, Institution: u.Institution, Detail: detail}); err != nil {
		return u, err
	}
	return u, nationalUploads.Put(tx, u)
}

// NationalUploadByID shows one report.
func (r *Registry) NationalUploadByID(ctx context.Context, by Actor, id string) (out NationalUpload, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = nationalFor(rd, by, ReadNational, id)
		return err
	})
	return out, err
}

// NationalUploads is one page of the reports of an institution, the newest first.
func (r *Registry) NationalUploads(ctx context.Context, by Actor, institution string, page Page) (out []NationalUpload, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadNational, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		rng := kv.Prefix(kv.Key(inst.ID))
		rng.Reverse = true
		out, next, err = scanIndexPage(rd, nationalUploads, indexNationalByInstitution, rng, page)
		return err
	})
	return out, next, err
}

func sortedParts(parts []uploads.Part) []uploads.Part {
	return slices.SortedFunc(slices.Values(parts), func(a, b uploads.Part) int { return a.From - b.From })
}
