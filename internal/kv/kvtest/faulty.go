package kvtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"bajigong/internal/kv"
)

// ErrFault is wrapped by every error that Faulty makes.
var ErrFault = errors.New("fault of the test")

// A Fault is what happens to one Apply.
type Fault int

// The faults of an Apply. Lost and Kept both wrap kv.ErrOutcomeUnknown and look
// alike to the caller.
const (
	None        Fault = iota
	Unreachable       // fails before the function runs
	Read              // the function runs, its reads fail
	Refused           // fails after the function ran; nothing is committed
	Lost              // outcome unknown; nothing is committed
	Kept              // outcome unknown; committed
	Broken            // wraps kv.ErrBroken; nothing is committed
	Again             // runs the function twice and commits what the second run wrote
)

// Faulty is an engine whose Applies fail on demand.
type Faulty struct {
	kv.Engine
	mu      sync.Mutex
	next    []Fault
	always  Fault
	applies int
	hold    chan struct{}
	held    chan struct{}
}

// NewFaulty wraps e. Without a call of Next or Always nothing fails.
func NewFaulty(e kv.Engine) *Faulty { return &Faulty{Engine: e} }

// Next gives the faults of the next Applies, one each.
func (f *Faulty) Next(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = append(f.next, faults...)
}

// Always gives the fault of all Applies that Next says nothing about.
func (f *Faulty) Always(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.always = fault
}

// Applies counts the calls of Apply so far, the running one included.
func (f *Faulty) Applies() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.applies
}

// Hold stops the next Apply before it begins: it waits until release is called,
// and held is closed when it has come that far.
func (f *Faulty) Hold() (held <-chan struct{}, release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold, reached := make(chan struct{}), make(chan struct{})
	f.hold, f.held = hold, reached
	return reached, sync.OnceFunc(func() { close(hold) })
}

func (f *Faulty) take() Fault {
	f.mu.Lock()
	f.applies++
	fault := f.always
	if len(f.next) > 0 {
		fault, f.next = f.next[0], f.next[1:]
	}
	hold, held := f.hold, f.held
	f.hold, f.held = nil, nil
	f.mu.Unlock()
	if hold != nil {
		close(held)
		<-hold
	}
	return fault
}

// Apply does what the next Fault says.
func (f *Faulty) Apply(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error)) error {
	fault := f.take()
	unknown := fmt.Errorf("%w: %w", ErrFault, kv.ErrOutcomeUnknown)
	switch fault {
	case Unreachable:
		return fmt.Errorf("unreachable: %w", ErrFault)
	case Kept:
		if err := f.Engine.Apply(ctx, fn); err != nil {
			return err
		}
		return unknown
	case Again:
		return f.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
			_, _ = fn(r)
			return fn(r)
		})
	case Read:
		return f.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) { return fn(failing{r}) })
	case Refused:
		return f.thenFail(ctx, fn, fmt.Errorf("refused: %w", ErrFault))
	case Lost:
		return f.thenFail(ctx, fn, unknown)
	case Broken:
		return f.thenFail(ctx, fn, fmt.Errorf("%w: %w", kv.ErrBroken, ErrFault))
	}
	return f.Engine.Apply(ctx, fn)
}

func (f *Faulty) thenFail(ctx context.Context, fn func(kv.Reader) ([]kv.Write, error), fault error) error {
	return f.Engine.Apply(ctx, func(r kv.Reader) ([]kv.Write, error) {
		if _, err := fn(r); err != nil {
			return nil, err
		}
		return nil, fault
	})
}

// failing fails the reads of every table but kv's own.
type failing struct{ kv.Reader }

func (f failing) Get(t kv.Table, key []byte) ([]byte, error) {
	return nil, fmt.Errorf("read %s: %w", t, ErrFault)
}

func (f failing) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	return nil, fmt.Errorf("scan %s: %w", t, ErrFault)
}

// Rerun is a kv.Options.Rerun that runs each function a second time in one of
// every n cases, and now and then a third.
func Rerun(n int) func() bool {
	if n < 2 {
		panic("kvtest: Rerun of less than 2 never ends")
	}
	return func() bool { return rand.N(n) == 0 }
}
