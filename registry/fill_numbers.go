package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// NumberOfRow is the certificate that a row of a session's results has led to.
type NumberOfRow struct {
	Row    int    `json:"row"` // as a spreadsheet counts, the header is 1
	Number string `json:"number"`
}

// NumbersOfSession are the numbers that a session has issued, in the order of its
// batches and rows: what CertificatesOfSession says, but for everything that would
// have to be opened. Conflict not_issued: it has not issued yet.
func (r *Registry) NumbersOfSession(ctx context.Context, by Actor, session string) (out []NumberOfRow, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out = nil
		s, err := sessionFor(rd, by, ReadCertificate, session)
		if err != nil {
			return err
		}
		if s.State != SessionIssued {
			return fail.New(fail.Conflict, "not_issued", "session %s has not issued yet", s.ID).In("批次 %s 尚未发证", s.ID)
		}
		for _, id := range s.publicBatches() {
			err := kv.Each(rd, indexCertificatesByBatch, kv.Prefix(kv.Key(id)), func(e kv.Entry) error {
				parts, err := kv.ParseKey(e.Key)
				if err != nil || len(parts) != 3 {
					return fmt.Errorf("%s: key %x is none", indexCertificatesByBatch, e.Key)
				}
				row, ok1 := parts[1].(uint64)
				number, ok2 := parts[2].(string)
				if !ok1 || !ok2 {
					return fmt.Errorf("%s: key %x is none", indexCertificatesByBatch, e.Key)
				}
				out = append(out, NumberOfRow{Row: int(row), Number: number})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}
