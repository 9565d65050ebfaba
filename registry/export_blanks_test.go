package registry

import (
	"context"

	"bajigong/evaluators/blanks"
	"bajigong/internal/kv"
	"bajigong/registry/uploads"
)

// BreakBlankRun changes the run that begins with a code, and nothing else.
func BreakBlankRun(ctx context.Context, r *Registry, first string, change func(*blanks.Run)) error {
	code, err := blanks.ParseCode(first)
	if err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx kv.Tx) error {
		run, err := need(tx, blankRuns, blankKey(code), "run", "空白证书", first)
		if err != nil {
			return err
		}
		change(&run)
		return blankRuns.Put(tx, run)
	})
}

// BreakBlankUse changes the counts of a session, and nothing else.
func BreakBlankUse(ctx context.Context, r *Registry, session string, change func(*blanks.Use)) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		use, err := need(tx, blankUses, kv.Key(session), "use", "空白证书", session)
		if err != nil {
			return err
		}
		change(&use)
		return blankUses.Put(tx, use)
	})
}

// BreakNationalRow changes the standing of a certificate, and nothing else.
func BreakNationalRow(ctx context.Context, r *Registry, number string, change func(*uploads.Row)) error {
	return r.db.Update(ctx, func(tx kv.Tx) error {
		row, err := need(tx, nationalRows, kv.Key(number), "row", "证书", number)
		if err != nil {
			return err
		}
		change(&row.Row)
		return nationalRows.Put(tx, row)
	})
}
