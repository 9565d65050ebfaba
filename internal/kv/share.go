package kv

import "time"

// Several processes share one database. Its row lock is no queue: the process that
// has just committed, and is near or quick, may take the lock again before the one
// that waits for it is awake. So a process gives way by itself.
const (
	// giveWay is long enough for the database to wake who waits: that happens on
	// its own machine, without a message to anybody.
	giveWay = time.Millisecond
	// inARow is after how many groups a process gives way that has seen no other
	// one: who never gets the lock cannot make itself seen.
	inARow = 16
)

// yield gives way after a group when another process committed before it, or when
// this one had many turns in a row. Meanwhile the next group gathers.
func (db *DB) yield(g *group) {
	db.row++
	if g.others || db.row >= inARow {
		db.row = 0
		time.Sleep(giveWay)
	}
}
