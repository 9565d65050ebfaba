package kv

import "fmt"

func checkTable(t Table) error {
	if t == "" || len(t) > MaxTable {
		return fmt.Errorf("table name of %d bytes: %w", len(t), ErrLimit)
	}
	for _, c := range []byte(t) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return fmt.Errorf("table name %q: %w", t, ErrLimit)
		}
	}
	return nil
}

func checkKey(t Table, key []byte) error {
	if err := checkTable(t); err != nil {
		return err
	}
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%s: key of %d bytes: %w", t, len(key), ErrLimit)
	}
	return nil
}

func checkKeys(t Table, keys [][]byte) error {
	for _, key := range keys {
		if err := checkKey(t, key); err != nil {
			return err
		}
	}
	return checkTable(t)
}

func checkWrite(t Table, key, value []byte) error {
	if t == metaTable {
		return fmt.Errorf("table %q is kv's own: %w", t, ErrLimit)
	}
	if len(value) > MaxValue {
		return fmt.Errorf("%s: value of %d bytes: %w", t, len(value), ErrLimit)
	}
	return checkKey(t, key)
}

// checkRange lets the ends be longer than a key: the end of a prefix is.
func checkRange(t Table, r Range) error {
	if err := checkTable(t); err != nil {
		return err
	}
	if r.Limit < 1 || r.Limit > MaxScan {
		return fmt.Errorf("%s: scan with limit %d, want 1 to %d: %w", t, r.Limit, MaxScan, ErrLimit)
	}
	if len(r.From) > MaxKey+1 || len(r.To) > MaxKey+1 {
		return fmt.Errorf("%s: scan from %d to %d bytes: %w", t, len(r.From), len(r.To), ErrLimit)
	}
	return nil
}

// checked holds the limits for the readers that callers of DB get.
type checked struct{ below Reader }

// Prefetch passes on what is read next; an engine that reads in its own process
// needs no telling.
func (c checked) Prefetch(reads []Read) error {
	if p, ok := c.below.(Prefetcher); ok {
		return p.Prefetch(reads)
	}
	return nil
}

// State implements Stated.
func (c checked) State() uint64 { return StateOf(c.below) }

func (c checked) Get(t Table, key []byte) ([]byte, error) {
	if err := checkKey(t, key); err != nil {
		return nil, err
	}
	return c.below.Get(t, key)
}

func (c checked) GetMany(t Table, keys [][]byte) ([][]byte, error) {
	if err := checkKeys(t, keys); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return c.below.GetMany(t, keys)
}

func (c checked) Scan(t Table, r Range) ([]Entry, error) {
	if err := checkRange(t, r); err != nil {
		return nil, err
	}
	return c.below.Scan(t, r)
}
