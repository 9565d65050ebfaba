package registry

import (
	"context"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry/uploads"
	"bajigong/standards"
)

// UnreportedBatch is a published batch of which not all was sent to the national
// query. The invariant behind it: a report follows issue within bounded time.
type UnreportedBatch struct {
	Batch           string         `json:"batch"`
	Session         string         `json:"session"`
	Institution     string         `json:"institution"`
	InstitutionName string         `json:"institution_name"`
	Issued          standards.Date `json:"issued"`
	Certificates    int            `json:"certificates"`
	Reports         []uploads.Part `json:"reports,omitempty"`
	Due             standards.Date `json:"due"`       // last day in time
	DaysLate        int            `json:"days_late"` // working days after Due; 0 in time
}

// UnreportedBatches is one page of the batches that are to be sent to the national
// query, the oldest first: of one institution, or of the caller's region. A page of a
// region may have fewer than its limit, or none, and still not be the last.
func (r *Registry) UnreportedBatches(ctx context.Context, by Actor, institution string, page Page) (out []UnreportedBatch, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		out, next = nil, ""
		index, rng := indexBatchesUnreported, kv.Range{}
		object := Object{Region: by.Region}
		if institution != "" {
			inst, err := institutionByID(rd, institution)
			if err != nil {
				return err
			}
			index, rng, object = indexBatchesUnreportedOf, kv.Prefix(kv.Key(inst.ID)), Object{Institution: inst.ID, Region: inst.Region}
		}
		if err := may(by, ReadNational, object); err != nil {
			return err
		}
		found, cursor, err := scanIndexPage(rd, batches, index, rng, page)
		if err != nil {
			return err
		}
		regions, err := regionsOf(rd, found)
		if err != nil {
			return err
		}
		for i, b := range found {
			if institution == "" && may(by, ReadNational, Object{Region: regions[i]}) != nil {
				continue
			}
			one, err := r.unreported(b, regions[i], standards.DateOf(now))
			if err != nil {
				return err
			}
			out = append(out, one)
		}
		next = cursor
		return nil
	})
	return out, next, err
}

func regionsOf(rd kv.Reader, bs []Batch) ([]string, error) {
	keys := make([][]byte, len(bs))
	for i, b := range bs {
		keys[i] = kv.Key(b.Institution)
	}
	insts, _, err := institutions.GetMany(rd, keys)
	out := make([]string, len(insts))
	for i, inst := range insts {
		out[i] = inst.Region
	}
	return out, err
}

func (r *Registry) unreported(b Batch, region string, today standards.Date) (UnreportedBatch, error) {
	out := UnreportedBatch{Batch: b.ID, Session: b.Session, Institution: b.Institution, InstitutionName: b.InstitutionName, Issued: b.Issued,
		Certificates: b.Total, Reports: b.National}
	rules, err := r.nationalRules(region, b.Issued)
	if err != nil {
		return out, err
	}
	if out.Due = rules.Due(r.cfg.Calendar, b.Issued); out.Due != "" && today > out.Due {
		out.DaysLate, _ = r.cfg.Calendar.WorkingDaysBetween(out.Due, today)
	}
	return out, nil
}

// WaitingCertificate is a certificate that waits for a report of its own.
type WaitingCertificate struct {
	Number  string           `json:"number"`
	Type    string           `json:"type"` // data type of the report that it waits for
	State   uploads.State    `json:"state"`
	Upload  string           `json:"upload,omitempty"`  // the report that had it last
	Changes []uploads.Change `json:"changes,omitempty"` // to be reported
	Since   standards.Date   `json:"since,omitempty"`   // of the first of them
}

// WaitingForReport is one page of the certificates of an institution that wait for a
// further report: returned, left out at first, or changed since. By data type, then
// number.
func (r *Registry) WaitingForReport(ctx context.Context, by Actor, institution string, page Page) (out []WaitingCertificate, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next = nil, ""
		inst, err := institutionByID(rd, institution)
		if err != nil {
			return err
		}
		if err := may(by, ReadNational, Object{Institution: inst.ID, Region: inst.Region}); err != nil {
			return err
		}
		rows, cursor, err := scanIndexPage(rd, nationalRows, indexNationalWaiting, kv.Prefix(kv.Key(inst.ID)), page)
		if err != nil {
			return err
		}
		for _, row := range rows {
			one := WaitingCertificate{Number: row.Number, Type: row.Waits(), State: row.State, Upload: row.Upload}
			if row.Due != nil {
				one.Changes, one.Since = row.Due.Changes, row.Due.Since
			}
			out = append(out, one)
		}
		next = cursor
		return nil
	})
	return out, next, err
}
