package kvtest

import (
	"errors"
	"testing"
	"time"

	"bajigong/internal/kv"
)

// dbFailedCommit checks that no answer rests on a neighbour's write that was
// not committed: all of the group learn of the failure, the refused too.
func dbFailedCommit(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	for _, fault := range []Fault{Unreachable, Refused, Broken} {
		errs := s.together(fault, s.asUpdate(claim("k", "first")), s.asUpdate(claim("k", "second")), s.asBulk(claim("k", "third")))
		for i, err := range errs {
			if !errors.Is(err, ErrFault) || errors.Is(err, errTaken) || errors.Is(err, kv.ErrOutcomeUnknown) {
				t.Errorf("fault %d: answer %d is %v, want the fault", fault, i, err)
			}
			if errors.Is(err, kv.ErrBroken) != (fault == Broken) {
				t.Errorf("fault %d: answer %d is %v; ErrBroken?", fault, i, err)
			}
		}
		s.want("claims", "k", "-")
	}
	s.update(claim("k", "at last"))
}

// dbFailedRead ignores the error of a read: nothing may come of it.
func dbFailedRead(t *testing.T, h Harness) {
	s := open(t, h.Open(t), kv.Options{})
	blind := s.asUpdate(func(tx kv.Tx) error {
		_, _ = tx.Get("a", []byte("k"))
		tx.Put("a", []byte("k"), []byte("blind"))
		return nil
	})
	sure := s.asUpdate(func(tx kv.Tx) error {
		tx.Put("a", []byte("sure"), []byte("x"))
		return nil
	})
	for i, err := range s.together(Read, sure, blind, sure) {
		if !errors.Is(err, ErrFault) {
			t.Errorf("answer %d with failing reads: %v", i, err)
		}
	}
	s.want("a", "k", "-")
	s.want("a", "sure", "-")
	s.update(func(tx kv.Tx) error { tx.Put("a", []byte("k"), nil); return nil })
}

// dbOutcomeUnknown breaks the connection in COMMIT.
func dbOutcomeUnknown(t *testing.T, h Harness) {
	for name, c := range map[string]struct {
		faults  []Fault // after the group's first
		first   Fault
		applies int
		err     bool
	}{
		"kept":                     {first: Kept, applies: 2},
		"lost":                     {first: Lost, applies: 2},
		"kept, then cut off":       {first: Kept, faults: []Fault{Unreachable, Refused}, applies: 4},
		"lost, then cut off":       {first: Lost, faults: []Fault{Unreachable}, applies: 3},
		"lost, repetition kept":    {first: Lost, faults: []Fault{Kept}, applies: 3},
		"lost, repetition lost":    {first: Lost, faults: []Fault{Lost}, applies: 3, err: true},
		"lost, repetition refused": {first: Lost, faults: []Fault{Refused}, applies: 2, err: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, h.Open(t), kv.Options{})
			s.put("a", "n", "10")
			before := s.engine.Applies()
			errs := s.together(c.first, func() error {
				s.engine.Next(c.faults...)
				return s.asUpdate(increment("a", "n"))()
			}, s.asUpdate(claim("k", "first")), s.asUpdate(claim("k", "second")))
			equal(t, "Applies", s.engine.Applies()-before, 1+c.applies)
			if !c.err {
				equal(t, "answers", errs, []error{nil, nil, errTaken})
				s.want("a", "n", "11")
				s.want("claims", "k", "first")
			} else {
				for i, err := range errs {
					if err == nil || errors.Is(err, errTaken) || errors.Is(err, kv.ErrOutcomeUnknown) {
						t.Errorf("answer %d: %v, want an error that says it was not committed", i, err)
					}
				}
				s.want("a", "n", "10")
				s.want("claims", "k", "-")
			}
			s.update(increment("a", "n"))
		})
	}
}

// dbOutcomeNeverKnown cuts the connection for good.
func dbOutcomeNeverKnown(t *testing.T, h Harness) {
	for first, want := range map[Fault]string{Kept: "1", Lost: "-"} {
		s := open(t, h.Open(t), kv.Options{Settle: 50 * time.Millisecond})
		s.engine.Next(first)
		s.engine.Always(Unreachable)
		if err := s.Update(t.Context(), increment("a", "n")); !errors.Is(err, kv.ErrOutcomeUnknown) {
			t.Errorf("Update whose outcome stays unknown: %v", err)
		}
		s.engine.Always(None)
		s.want("a", "n", want)
		s.update(increment("b", "n"))
		s.want("b", "n", "1")
	}
}
