package kv

import "time"

// tx is the Tx of one run of one Update: an overlay of its own that holds the
// limits. Its first error sticks and refuses the Update, even when fn goes on
// after a failed read.
type tx struct {
	own    *overlay
	now    time.Time
	system bool // may write metaTable: migrations
	ended  bool
	err    error
}

func newTx(below Reader, now time.Time, system bool) *tx {
	return &tx{own: newOverlay(below), now: now, system: system}
}

// run calls fn and gives its error, or the first that t met.
func (t *tx) run(fn func(Tx) error) error {
	defer func() { t.ended = true }()
	if err := enclose(func() error { return fn(t) }); err != nil {
		return err
	}
	return t.err
}

func (t *tx) fail(err error) error {
	if t.err == nil {
		t.err = err
	}
	return err
}

func (t *tx) inUse() {
	if t.ended {
		panic("kv: Tx used after its Update ended")
	}
}

func (t *tx) Get(table Table, key []byte) ([]byte, error) {
	t.inUse()
	value, err := checked{t.own}.Get(table, key)
	if err != nil {
		return nil, t.fail(err)
	}
	return value, nil
}

func (t *tx) GetMany(table Table, keys [][]byte) ([][]byte, error) {
	t.inUse()
	values, err := checked{t.own}.GetMany(table, keys)
	if err != nil {
		return nil, t.fail(err)
	}
	return values, nil
}

func (t *tx) Scan(table Table, r Range) ([]Entry, error) {
	t.inUse()
	entries, err := checked{t.own}.Scan(table, r)
	if err != nil {
		return nil, t.fail(err)
	}
	return entries, nil
}

func (t *tx) Put(table Table, key, value []byte) {
	t.inUse()
	if err := t.checkWrite(table, key, value); err != nil {
		_ = t.fail(err)
		return
	}
	t.own.set(table, string(key), append([]byte{}, value...)) // never nil
}

func (t *tx) Delete(table Table, key []byte) {
	t.inUse()
	if err := t.checkWrite(table, key, nil); err != nil {
		_ = t.fail(err)
		return
	}
	t.own.set(table, string(key), nil)
}

func (t *tx) checkWrite(table Table, key, value []byte) error {
	if t.system && table == metaTable {
		return nil
	}
	return checkWrite(table, key, value)
}

func (t *tx) Now() time.Time { return t.now }
