package registry

import (
	"context"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/standards"
)

// occupation finds an occupation: the starter catalogue knows trades and levels,
// an imported classification the names of all the others.
func (r *Registry) occupation(rd kv.Reader, code string) (standards.Occupation, error) {
	if o, ok := r.starter.Occupation(code); ok {
		return o, nil
	}
	return need(rd, occupations, kv.Key(code), "occupation", "职业", code)
}

// importPage is how many occupations one Update takes.
const importPage = 500

// ImportOccupations replaces names of the classification 职业分类大典 row by row.
// Codes that are there are renamed, none is removed: certificates point to them.
func (r *Registry) ImportOccupations(ctx context.Context, by Actor, in []standards.Occupation) (added, changed int, err error) {
	for start := 0; start < len(in); start += importPage {
		part := in[start:min(start+importPage, len(in))]
		var a, c int
		err := r.db.Bulk(ctx, func(tx kv.Tx) error {
			a, c = 0, 0
			if err := may(by, AdmitInstitutions, Object{Region: r.cfg.Region}); err != nil {
				return err
			}
			for _, o := range part {
				old, ok, err := occupations.Get(tx, kv.Key(o.Code))
				if err != nil {
					return err
				}
				switch {
				case !ok:
					a++
				case old.Name == o.Name && old.Edition == o.Edition:
					continue
				default:
					c++
				}
				if err := occupations.Put(tx, o); err != nil {
					return err
				}
			}
			if a+c == 0 {
				return nil
			}
			_, err := r.appendEvent(tx, by, Event{Kind: OccupationsImported, Object: part[0].Code, Detail: map[string]int{"added": a, "changed": c}})
			return err
		})
		if err != nil {
			return added, changed, fmt.Errorf("import occupations from row %d: %w", start+2, err)
		}
		added, changed = added+a, changed+c
	}
	return added, changed, nil
}

// OccupationByCode shows one occupation.
func (r *Registry) OccupationByCode(ctx context.Context, code string) (out standards.Occupation, err error) {
	if len(code) > 16 {
		return out, fail.New(fail.Invalid, "occupation_code", "an occupation code has the form d-dd-dd-dd").In("职业编码形如 6-31-01-03")
	}
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, err = r.occupation(rd, code)
		return err
	})
	return out, err
}

// Occupations is one page of the imported classification; Starter the catalogue
// with trades, levels and pass marks.
func (r *Registry) Occupations(ctx context.Context, page Page) (out []standards.Occupation, next string, err error) {
	err = r.view(ctx, func(rd kv.Reader, _ time.Time) error {
		out, next, err = scanPage(rd, occupations, kv.Range{}, page)
		return err
	})
	return out, next, err
}

// Starter is the embedded catalogue of commonly examined occupations.
func (r *Registry) Starter() standards.Catalogue { return r.starter }
