package auditlog

import (
	"bytes"
	"fmt"
	"strings"

	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// Check proves invariant 4 over a snapshot, in memory of a few pages: the head's
// size and right edge are those of the leaves; there is an event, or the mark of
// an erased one, for each leaf and no other; each event's hash is its leaf's;
// times never go back; the hashes of subtrees are those of the leaves, all of them
// and no more. Each contradiction is given to report in one sentence; after a
// missing or malformed leaf nothing behind it can be told and Check ends. The
// error is only for a store that cannot be read.
func Check(r kv.Reader, report func(problem string)) error {
	c := checker{r: r, report: report, events: newRows(r, tableEvents, nil, nil)}
	if err := c.run(); err != nil {
		return fmt.Errorf("check audit log: %w", err)
	}
	return nil
}

type checker struct {
	r      kv.Reader
	report func(string)
	edge   edge
	last   Leaf
	events *rows
	steps  []*rows              // of complete subtrees, by step − 1
	err    error                // of reading a tile row inside edge.add
	fix    func(kv.Write) error // hears of rows of subtrees that are wrong; nil: nobody
}

func (c *checker) problem(format string, args ...any) {
	c.report(fmt.Sprintf("audit log: "+format, args...))
}

func (c *checker) run() error {
	data, err := c.r.Get(tableHead, headKey)
	if err != nil {
		return err
	}
	var h Head
	if data == nil {
		c.problem("no head record")
	} else if h, err = parseHead(data); err != nil {
		c.problem("head record: %v", err)
	}
	leaves := newRows(c.r, tableLeaves, nil, nil)
	for {
		e, ok, err := leaves.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if more, err := c.leaf(e); err != nil || !more {
			return err
		}
	}
	if h.Size != c.edge.size {
		c.problem("head says %d leaves, there are %d", h.Size, c.edge.size)
	} else if h.Root() != c.edge.root() {
		c.problem("root is %s by the head, %s by the leaves", h.Root(), c.edge.root())
	} else if h.Size > 0 && !h.Time.Equal(c.last.Time) {
		c.problem("head says the last leaf is of %v, it is of %v", h.Time, c.last.Time)
	}
	return c.leftovers()
}

// leaf checks one row of log_leaves with everything that hangs on it.
func (c *checker) leaf(e kv.Entry) (more bool, err error) {
	index := c.edge.size
	if !bytes.Equal(e.Key, indexKey(index)) {
		c.problem("leaf %d is missing; the next key is %x", index, e.Key)
		return false, nil
	}
	leaf, err := ParseLeaf(e.Value)
	if err != nil {
		c.problem("leaf %d is malformed", index)
		return false, nil
	}
	if leaf.Time.Before(c.last.Time) {
		c.problem("leaf %d is dated before leaf %d", index, index-1)
	}
	c.last = leaf
	if err := c.event(index, leaf); err != nil {
		return false, err
	}
	c.edge.add(tlog.RecordHash(e.Value), c.subtree)
	return c.err == nil, c.err
}

func (c *checker) event(index uint64, leaf Leaf) error {
	key := indexKey(index)
	for {
		e, ok, err := c.events.peek()
		if err != nil {
			return err
		}
		if !ok || bytes.Compare(e.Key, key) > 0 {
			c.problem("event %d is missing", index)
			return nil
		}
		c.events.drop()
		if !bytes.Equal(e.Key, key) {
			c.problem("events has a row of key %x that belongs to no leaf", e.Key)
			continue
		}
		event, salt, _, err := parseStored(e.Value)
		if err != nil {
			c.problem("event %d is malformed", index)
		} else if event != nil && Digest(salt, event) != leaf.Digest {
			c.problem("event %d does not have the hash that its leaf says", index)
		}
		return nil
	}
}

// subtree compares one hash that the leaves give with its row.
func (c *checker) subtree(step int, n uint64, h tlog.Hash) {
	if step == 0 || c.err != nil {
		return
	}
	for len(c.steps) < step {
		next := len(c.steps) + 1
		table, from := stepRow(next, 0)
		_, to := stepRow(next+2, 0)
		c.steps = append(c.steps, newRows(c.r, table, from, to))
	}
	it := c.steps[step-1]
	table, key := stepRow(step, n)
	for {
		e, ok, err := it.peek()
		if err != nil {
			c.err = err
			return
		}
		if !ok || bytes.Compare(e.Key, key) > 0 {
			c.problem("subtree %s (%d, %d) is missing", table, step/2, n)
			c.wrongRow(table, key, h[:])
			return
		}
		it.drop()
		if bytes.Equal(e.Key, key) {
			if !bytes.Equal(e.Value, h[:]) {
				c.problem("subtree %s (%d, %d) is not that of the leaves", table, step/2, n)
				c.wrongRow(table, key, h[:])
			}
			return
		}
		c.problem("%s has a row of key %x that belongs to no subtree", table, e.Key)
		c.wrongRow(table, e.Key, nil)
	}
}

// leftovers reports rows that no leaf accounts for.
func (c *checker) leftovers() error {
	rest := append([]*rows{
		c.events,
		newRows(c.r, tableTiles, nil, tileKey(1, 0)),
		newRows(c.r, tableTiles, tileKey(len(c.steps)/2+1, 0), nil),
		newRows(c.r, tableMiddle, tileKey((len(c.steps)+1)/2, 0), nil),
	}, c.steps...)
	for _, it := range rest {
		for {
			e, ok, err := it.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			c.problem("%s has a row of key %x that belongs to no leaf", it.table, e.Key)
			if it.table == tableTiles || it.table == tableMiddle {
				c.wrongRow(it.table, e.Key, nil)
			}
		}
	}
	return c.err
}

func (c *checker) wrongRow(table kv.Table, key, value []byte) {
	if c.fix != nil && c.err == nil {
		c.err = c.fix(kv.Write{Table: table, Key: key, Value: bytes.Clone(value)})
	}
}

// RepairTiles goes through the log of a snapshot and gives write, some hundred at a
// time, the hashes of subtrees that are missing or are not those of the leaves, and
// with a nil value the rows that are none; what it gives is for [WriteTiles]. When
// anything else of the log is wrong (its head, a leaf, an event) it gives nothing:
// what the leaves would lead to is not the log that was signed.
func RepairTiles(r kv.Reader, write func([]kv.Write) error) error {
	sound, wrong := true, 0
	err := Check(r, func(problem string) {
		if wrong++; !strings.Contains(problem, ": subtree ") && !strings.Contains(problem, string(tableTiles)+" has a row") && !strings.Contains(problem, string(tableMiddle)+" has a row") {
			sound = false
		}
	})
	if err != nil || !sound || wrong == 0 {
		return err
	}
	var page []kv.Write
	c := checker{r: r, report: func(string) {}, events: newRows(r, tableEvents, nil, nil), fix: func(w kv.Write) error {
		if page = append(page, w); len(page) < rowsPage {
			return nil
		}
		full := page
		page = nil
		return write(full)
	}}
	if err := c.run(); err != nil {
		return fmt.Errorf("repair audit log: %w", err)
	}
	if len(page) == 0 {
		return nil
	}
	return write(page)
}

// WriteTiles writes what RepairTiles found and answers how many rows it removed.
func WriteTiles(tx kv.Tx, fixes []kv.Write) (removed int) {
	for _, w := range fixes {
		if w.Value == nil {
			tx.Delete(w.Table, w.Key)
			removed++
		} else {
			tx.Put(w.Table, w.Key, w.Value)
		}
	}
	return removed
}

// rows reads a range page by page.
type rows struct {
	r        kv.Reader
	table    kv.Table
	from, to []byte
	page     []kv.Entry
	end      bool
}

const rowsPage = 256

func newRows(r kv.Reader, t kv.Table, from, to []byte) *rows {
	return &rows{r: r, table: t, from: from, to: to}
}

func (it *rows) peek() (kv.Entry, bool, error) {
	if len(it.page) == 0 && !it.end {
		page, err := it.r.Scan(it.table, kv.Range{From: it.from, To: it.to, Limit: rowsPage})
		if err != nil {
			return kv.Entry{}, false, fmt.Errorf("read %s: %w", it.table, err)
		}
		it.page, it.end = page, len(page) < rowsPage
		if len(page) > 0 {
			last := page[len(page)-1].Key
			it.from = append(append([]byte(nil), last...), 0) // the least key after it
		}
	}
	if len(it.page) == 0 {
		return kv.Entry{}, false, nil
	}
	return it.page[0], true, nil
}

func (it *rows) drop() { it.page = it.page[1:] }

func (it *rows) next() (kv.Entry, bool, error) {
	e, ok, err := it.peek()
	if ok {
		it.drop()
	}
	return e, ok, err
}
