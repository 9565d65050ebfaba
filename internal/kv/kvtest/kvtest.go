// Package kvtest is the contract of the store: what every [kv.Engine] must do
// and what a [kv.DB] over it promises. An engine's own test calls [Run].
package kvtest

import (
	"testing"

	"bajigong/internal/kv"
)

// A Harness says how to get engines of the kind under test.
type Harness struct {
	// Open gives an engine over a new, empty database. The harness closes the
	// engine and removes the database when the test ends; Close may have been
	// called before.
	Open func(t *testing.T) kv.Engine
	// Reopen closes e and opens the same database again, as a restarted
	// process would.
	Reopen func(t *testing.T, e kv.Engine) kv.Engine
	// Second opens the database of e once more, as a second process would. It
	// is nil when one process holds the database alone.
	Second func(t *testing.T, e kv.Engine) kv.Engine
}

// Run holds the engine, and a DB over it, to the whole contract.
func Run(t *testing.T, h Harness) {
	t.Run("engine", func(t *testing.T) { runEngine(t, h) })
	t.Run("db", func(t *testing.T) { runDB(t, h) })
}
