package registry

import (
	"context"
	"fmt"
	"slices"

	"bajigong/internal/kv"
)

// JobPart is a part of the document of a print job.
type JobPart struct {
	Papers []PaperCopy
	// Skipped are the certificates whose assignment no longer holds: the blank was
	// spoiled, or the certificate has another version or is not valid any more.
	Skipped []string
	Next    string // cursor of the following part; empty at the end
}

// PapersOfJob is one part of what a print job has assigned, as it is to be printed:
// at most [PrintMost] certificates in the order of the job, each with the code of
// its blank. What was assigned and does not hold any more is named, and left out.
// Errors as of PaperOf and PrintItems.
func (r *Registry) PapersOfJob(ctx context.Context, by Actor, job, cursor string, purpose PrintPurpose) (JobPart, error) {
	items, next, err := r.PrintItems(ctx, by, job, Page{Cursor: cursor, Limit: PrintMost})
	if err != nil {
		return JobPart{}, err
	}
	out := JobPart{Next: next}
	items = slices.DeleteFunc(items, func(i PrintItem) bool {
		if i.Spoiled {
			out.Skipped = append(out.Skipped, i.Number)
		}
		return i.Spoiled
	})
	if len(items) == 0 {
		return out, nil
	}
	keys := make([][]byte, len(items))
	for i, item := range items {
		keys[i] = kv.Key(item.Number)
	}
	var held []PrintItem
	var gone []string
	err = r.print(ctx, by, purpose, func(tx kv.Tx) ([]Certificate, error) {
		held, gone = nil, nil
		cs, ok, err := certificates.GetMany(tx, keys)
		if err != nil {
			return nil, err
		}
		var out []Certificate
		for i, c := range cs {
			if !ok[i] {
				return nil, notFound("certificate", "证书", items[i].Number)
			}
			if c.Versions != items[i].Version || c.printable() != nil {
				gone = append(gone, items[i].Number)
				continue
			}
			held, out = append(held, items[i]), append(out, c)
		}
		return out, nil
	}, &out.Papers)
	if err != nil {
		return JobPart{}, fmt.Errorf("document of print job %s: %w", job, err)
	}
	out.Skipped = append(out.Skipped, gone...)
	for i := range out.Papers {
		if code := held[i].Code; code != nil {
			out.Papers[i].Serial = code.String()
		}
	}
	return out, nil
}
