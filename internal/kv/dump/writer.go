package dump

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"bajigong/internal/kv"
)

// A Writer writes the content of a dump. Errors stick; Close returns the first.
type Writer struct {
	out     io.Writer
	hash    hash.Hash
	frame   []byte
	last    []byte // key before, within the table
	trailer Trailer
	bytes   uint64
	err     error
}

// NewWriter begins a dump. out is given many small writes. Errors: Invalid
// dump_header; those of out.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	if err := h.Check(); err != nil {
		return nil, err
	}
	w := &Writer{out: out, hash: sha256.New(), trailer: Trailer{Tables: []Count{}}}
	w.write(append([]byte(magic), frameOf(nil, tagHeader, marshal(h))...))
	return w, w.err
}

// frameOf appends tag, length and body.
func frameOf(b []byte, tag byte, body []byte) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(body)))
	return append(b, body...)
}

func (w *Writer) write(b []byte) {
	if w.err == nil {
		w.hash.Write(b)
		w.bytes += uint64(len(b))
		_, w.err = w.out.Write(b)
	}
}

// Put writes one entry: tables in order, keys in order within each.
func (w *Writer) Put(t kv.Table, key, value []byte) error {
	if w.err != nil {
		return w.err
	}
	if err := kv.CheckEntry(t, key, value); err != nil {
		w.err = err
		return err
	}
	w.frame = w.frame[:0]
	n := len(w.trailer.Tables)
	switch {
	case n == 0 || t > w.trailer.Tables[n-1].Table:
		w.frame = frameOf(w.frame, tagTable, []byte(t))
		w.trailer.Tables = append(w.trailer.Tables, Count{Table: t})
		n++
	case t < w.trailer.Tables[n-1].Table || bytes.Compare(key, w.last) <= 0:
		w.err = fmt.Errorf("dump: %s %x: %w", t, key, errOrder)
		return w.err
	}
	w.frame = frameOf(w.frame, tagRecord, key)
	w.frame = binary.AppendUvarint(w.frame, uint64(len(value)))
	w.write(append(w.frame, value...))
	w.last = append(w.last[:0], key...)
	w.trailer.Tables[n-1].Records++
	w.trailer.Records++
	return w.err
}

// Bytes is the size of the content so far, before it is compressed.
func (w *Writer) Bytes() uint64 { return w.bytes }

// Close writes the trailer. It does not close out.
func (w *Writer) Close() (Trailer, error) {
	w.trailer.SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	w.write(frameOf(nil, tagTrailer, marshal(w.trailer)))
	return w.trailer, w.err
}

// Progress is how far a dump has come.
type Progress struct {
	Table   int // the how manieth of Tables
	Tables  int
	Records uint64
	Bytes   uint64 // of content
}

// pageBytes is about how much of a store is in memory at a time, pageRecords how
// many records at most, firstPage how many are read of a table to see how large
// they are.
const (
	pageBytes   = 4 << 20
	pageRecords = 2000
	firstPage   = 32
)

// Write writes all tables of a snapshot, in memory of one page. progress hears of
// each page.
func Write(ctx context.Context, w *Writer, rd kv.Reader, progress func(Progress)) error {
	tables, err := kv.Tables(rd)
	if err != nil {
		return err
	}
	for i, t := range tables {
		rng := kv.Range{Limit: firstPage}
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			page, err := rd.Scan(t, rng)
			if err != nil {
				return fmt.Errorf("dump %s: %w", t, err)
			}
			size := 1
			for _, e := range page {
				if err := w.Put(t, e.Key, e.Value); err != nil {
					return err
				}
				size += len(e.Key) + len(e.Value)
			}
			progress(Progress{Table: i + 1, Tables: len(tables), Records: w.trailer.Records, Bytes: w.bytes})
			if len(page) < rng.Limit {
				break
			}
			rng = rng.After(page[len(page)-1].Key)
			// Photos are some thousand times larger than index entries.
			rng.Limit = min(max(rng.Limit*pageBytes/size, 1), pageRecords)
		}
	}
	return nil
}
