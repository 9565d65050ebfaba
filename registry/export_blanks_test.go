package registry

import (
	"context"

	"bajigong/evaluators/blanks"
	"bajigong/internal/kv"
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
