package kv

import (
	"fmt"
	"slices"
)

// The queue of a DB. A request is in one of the two queues or in one group; its
// state tells its caller and the committer who has it.

func (db *DB) enqueue(req *request) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	if req.bulk {
		db.bulk = append(db.bulk, req)
	} else {
		db.ordinary = append(db.ordinary, req)
	}
	db.wake()
	return nil
}

// wake starts a committer if none is running; db.mu is held.
func (db *DB) wake() {
	if !db.committing {
		db.committing = true
		db.committers.Add(1)
		go db.commit()
	}
}

// take gives the members of the next group: ordinary Updates, then at most one
// page of bulk work. With none the committer must end.
func (db *DB) take() []*request {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		for _, req := range append(db.ordinary, db.bulk...) {
			db.dismiss(req, ErrClosed)
		}
		db.ordinary, db.bulk = nil, nil
	}
	var members []*request
	members, db.ordinary = cut(members, db.ordinary, db.opt.MaxGroup)
	members, db.bulk = cut(members, db.bulk, 1)
	db.committing = len(members) > 0
	return members
}

// cut moves up to n requests from the front of queue to the end of members.
func cut(members, queue []*request, n int) (_, rest []*request) {
	n = min(n, len(queue))
	return append(members, queue[:n]...), slices.Clone(queue[n:])
}

// begin says whether the caller of req is there to run it, and keeps it there.
func (db *DB) begin(req *request) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if req.state == waiting {
		req.state = running
	}
	return req.state == running
}

// withdraw takes req out if its fn has not run; its caller may then leave.
func (db *DB) withdraw(req *request) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if req.state == waiting {
		req.state = gone
		same := func(r *request) bool { return r == req }
		db.ordinary = slices.DeleteFunc(db.ordinary, same)
		db.bulk = slices.DeleteFunc(db.bulk, same)
	}
	return req.state == gone
}

// dismiss gives a request its answer; db.mu is held.
func (db *DB) dismiss(req *request, err error) {
	if req.state != gone {
		req.state = gone
		req.done <- err
	}
}

// forget is for a request whose fn panicked.
func (db *DB) forget(req *request) {
	db.mu.Lock()
	defer db.mu.Unlock()
	req.state = gone
}

// putBack returns requests that a full group had no room for to the front of
// the queue.
func (db *DB) putBack(reqs []*request) {
	db.mu.Lock()
	defer db.mu.Unlock()
	var back []*request
	for _, req := range reqs {
		switch {
		case req.ctx.Err() != nil: // its caller may have stopped looking
			db.dismiss(req, req.ctx.Err())
		case req.state != gone:
			req.state = waiting
			back = append(back, req)
		}
	}
	db.ordinary = append(back, db.ordinary...)
}

// answer tells every member the group's fate: its own outcome if the group was
// committed, otherwise the error that befell all.
func (db *DB) answer(g *group, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, req := range g.members {
		if err != nil {
			db.dismiss(req, fmt.Errorf("commit: %w", err))
		} else {
			db.dismiss(req, req.err)
		}
	}
}
