package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// GatherBoth gathers what decisions on a file rest on, for all rows at once and one
// by one on the store itself, and says which rows differ. matched is how many rows
// have a certificate.
func (r *Registry) GatherBoth(ctx context.Context, by Actor, data []byte, ask ClaimBatchAsk) (rows, matched int, differ []string, err error) {
	f, err := readClaimBatch(data, ask)
	if err != nil {
		return 0, 0, nil, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		many, err := r.gatherMany(rd, by, f.rows, now)
		if err != nil {
			return err
		}
		for i, row := range f.rows {
			if len(row.problems) > 0 {
				continue
			}
			rows++
			var one gathered
			if err = one.gather(r, rd, by, row.query, standards.DateOf(now), now); err != nil {
				one.wrong = fail.Of(err)
			}
			if one.match {
				matched++
			}
			if !reflect.DeepEqual(one, many[i]) {
				differ = append(differ, fmt.Sprintf("row %d:\n one  %+v\n many %+v", row.number, one, many[i]))
			}
		}
		return nil
	})
	return rows, matched, differ, err
}

// ReadClaimBatch reads a file as far as it can be without the store: its form, the
// rows it has, how many of them have mistakes, and whether anything that may be shown
// of one holds an identity number.
func ReadClaimBatch(data []byte, ask ClaimBatchAsk) (format ClaimBatchFormat, rows, wrong int, leaks string, err error) {
	f, err := readClaimBatch(data, ask)
	if err != nil {
		for _, x := range fail.Of(err).Fields {
			if holdsIdentity(x.Name) || holdsIdentity(x.ZH) || holdsIdentity(x.EN) {
				leaks = x.Name
			}
		}
		if e := fail.Of(err); holdsIdentity(e.Text) || holdsIdentity(e.ZH) {
			leaks = e.Text
		}
		return f.format, 0, 0, leaks, err
	}
	for _, row := range f.rows {
		if len(row.problems) > 0 {
			wrong++
		}
		texts := []string{row.reference, row.certificate}
		for _, p := range row.problems {
			texts = append(texts, p.Name, p.ZH, p.EN)
		}
		for _, text := range texts {
			if holdsIdentity(text) {
				leaks = text
			}
		}
	}
	return f.format, len(f.rows), wrong, leaks, nil
}

// DecideBoth decides every row of a file by itself, from what is gathered for all at
// once and from the store, and says which answers differ in a byte.
func (r *Registry) DecideBoth(ctx context.Context, by Actor, data []byte, ask ClaimBatchAsk) (rows int, differ []string, err error) {
	f, err := readClaimBatch(data, ask)
	if err != nil {
		return 0, nil, err
	}
	err = r.view(ctx, func(rd kv.Reader, now time.Time) error {
		many, err := r.gatherMany(rd, by, f.rows, now)
		if err != nil {
			return err
		}
		for i, row := range f.rows {
			if len(row.problems) > 0 {
				continue
			}
			rows++
			one, wrong := r.decideClaim(rd, by, row.query, now)
			if (wrong != nil) != (many[i].wrong != nil) {
				differ = append(differ, fmt.Sprintf("row %d: %v, %v", row.number, wrong, many[i].wrong))
				continue
			}
			if wrong != nil {
				continue
			}
			d := decided{material: &many[i].material}
			if many[i].match {
				d = many[i].decide(by, many[i].received, now)
			}
			if a, b := fmt.Sprintf("%+v", asText(one)), fmt.Sprintf("%+v", asText(d)); a != b {
				differ = append(differ, fmt.Sprintf("row %d:\n one  %s\n many %s", row.number, a, b))
			}
		}
		return nil
	})
	return rows, differ, err
}

// asText is a decision with all that it rests on as JSON.
func asText(d decided) string {
	b, err := json.Marshal(map[string]any{"answer": d.answer(), "basis": d.basis})
	if err != nil {
		return err.Error()
	}
	return string(b)
}
