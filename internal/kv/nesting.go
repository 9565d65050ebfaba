package kv

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// enclose calls a function of a caller. Every function that a View or Update is
// given runs under it, so that [enclosed] can see it on the stack.
//
//go:noinline
func enclose(fn func() error) error {
	inside.Add(1)
	defer inside.Add(-1)
	err := fn() // the address this call returns to is the mark
	return err
}

// inside is how many functions run under enclose, on any goroutine.
var inside atomic.Int64

// mark is the return address inside enclose.
var mark = sync.OnceValue(func() (pc uintptr) {
	_ = enclose(func() error {
		var pcs [1]uintptr
		runtime.Callers(2, pcs[:]) // 0 is Callers, 1 this function, 2 enclose
		pc = pcs[0]
		return nil
	})
	return pc
})

// enclosed says whether its caller runs inside the function of a View or Update,
// of any DB. There an Update would wait for itself, a View would read a state
// other than the one that is decided on, and on bbolt could wait for a writer
// that waits for the outer View.
//
// Such a function is given no context that could carry a note, but it runs on
// its caller's goroutine; so the stack is asked. That costs a microsecond or two, and
// is left out while no such function runs anywhere.
func enclosed() bool {
	if inside.Load() == 0 {
		return false
	}
	var pcs [32]uintptr
	n := runtime.Callers(2, pcs[:])
	return slices.Contains(pcs[:n], mark())
}
