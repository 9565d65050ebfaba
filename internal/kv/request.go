package kv

import "context"

// A request is one Update on its way through a group. Its fn always runs on the
// goroutine of its caller: the committer hands it a tx and waits. So a panic (or
// a test's FailNow) in fn unwinds that caller with its own stack, and nobody else.
type request struct {
	ctx    context.Context
	fn     func(Tx) error
	bulk   bool
	system bool
	reads  []Read // what fn read when it was rehearsed

	state state // guarded by DB.mu
	err   error // outcome of fn, owned by the committer

	turn chan *tx     // committer → caller: run fn now
	ran  chan outcome // caller → committer: fn returned, or never will
	done chan error   // committer → caller: the fate of the group is known
}

type state uint8

const (
	waiting state = iota // fn has not run; the caller may leave
	running              // fn runs or has run; the caller stays for the group's fate
	gone                 // the caller has left, was answered, or panics
)

type outcome struct {
	err  error
	dead bool // fn panicked or ended its goroutine
}

func newRequest(ctx context.Context, fn func(Tx) error, bulk bool) *request {
	return &request{
		ctx: ctx, fn: fn, bulk: bulk,
		turn: make(chan *tx, 1), ran: make(chan outcome, 1), done: make(chan error, 1),
	}
}

// wait is the caller's side: it runs fn whenever its turn comes (again after an
// engine's rerun) and returns the answer.
func (req *request) wait(db *DB) error {
	cancelled := req.ctx.Done()
	for {
		select {
		case t := <-req.turn:
			req.perform(t)
		case err := <-req.done:
			return err
		case <-cancelled:
			if db.withdraw(req) {
				return req.ctx.Err()
			}
			cancelled = nil // fn has run: the answer must wait for the group
		}
	}
}

// perform runs fn once. When fn panics, or ends its goroutine, the committer is
// told on the way and goes on without this request.
func (req *request) perform(t *tx) {
	returned := false
	defer func() {
		if !returned {
			req.ran <- outcome{dead: true}
		}
	}()
	err := t.run(req.fn)
	returned = true
	req.ran <- outcome{err: err}
}

// run is the committer's side of perform.
func (req *request) run(t *tx) outcome {
	req.turn <- t
	return <-req.ran
}
