package kv

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// settle finds out what became of a group whose commit lost its connection. A
// new Apply waits for the lock, so the old transaction is over when it has it;
// meta's writer row then says whether it was committed. If not, the same Apply
// repeats the Updates, once. Nobody gets an answer before this is settled.
func (db *DB) settle(g *group, first error) error {
	db.opt.Log.Warn("kv: commit outcome unknown, asking", "group", g.number, "error", first)
	ctx, cancel := context.WithTimeout(context.Background(), db.opt.Settle)
	defer cancel()
	g.unsure = true
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := db.engine.Apply(ctx, g.run)
		switch {
		case err == nil:
			db.opt.Log.Info("kv: commit outcome settled", "group", g.number)
			// A repetition that wrote told the engine itself, and of one that wrote nothing
			// no copy will ever have the number.
			if w, ok := db.engine.(Watcher); ok && g.kept {
				w.Confirm(g.number)
			}
			return nil
		case errors.Is(err, ErrOutcomeUnknown):
			g.unsure = true
		case !g.unsure || errors.Is(err, errLost) || errors.Is(err, ErrBroken):
			return err // under the lock the first commit was seen not to have happened
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; not settled within %s: %w", first, db.opt.Settle, err)
		case <-time.After(pause):
		}
	}
}
