package dump

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"slices"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// A Reader reads the content of a dump. Nothing of a dump may be used before
// Next has returned io.EOF: only then is it known to be whole.
type Reader struct {
	in      *bufio.Reader
	hash    hash.Hash
	frame   []byte // what was read since the hash was fed
	header  Header
	last    []byte
	trailer Trailer
	bytes   uint64
	end     bool
	err     error
}

// NewReader reads the header. Errors: Invalid dump_damaged, dump_unknown (this is
// no dump), dump_format_newer.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 256<<10), hash: sha256.New(), trailer: Trailer{Tables: []Count{}}}
	start := make([]byte, len(magic))
	n, err := io.ReadFull(r.in, start)
	if n == 0 && (errors.Is(err, io.EOF) || errors.Is(err, errContent)) || err == nil && string(start) != magic {
		return nil, fail.New(fail.Invalid, "dump_unknown", "this is no dump of a register").In("该文件不是登记系统的备份文件")
	}
	if err != nil {
		return nil, damaged("header", err)
	}
	r.frame = append(r.frame, start...)
	tag, err := r.tag()
	if err != nil || tag != tagHeader {
		return nil, damaged("header", err)
	}
	body, err := r.body(maxJSON)
	if err != nil {
		return nil, damaged("header", err)
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &version); err == nil && version.Format > Format {
		return nil, fail.New(fail.Invalid, "dump_format_newer", "the dump has format %d, this program knows %d; use the program that made it, or a newer one", version.Format, Format).
			In("备份文件格式为第 %d 版，本程序只支持到第 %d 版；请使用制作该备份的程序或更新的版本", version.Format, Format)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r.header); err != nil || !bytes.Equal(marshal(r.header), body) {
		return nil, damaged("header", err)
	}
	if err := r.header.Check(); err != nil {
		return nil, err
	}
	r.feed()
	return r, nil
}

// Header is what the dump says of itself.
func (r *Reader) Header() Header { return r.header }

// Trailer has the counts so far; it is whole once Next has returned io.EOF.
func (r *Reader) Trailer() Trailer { return r.trailer }

// Bytes is the size of the content so far.
func (r *Reader) Bytes() uint64 { return r.bytes }

// Point is where the Reader stands: behind the entry that Next returned last.
func (r *Reader) Point() (p kv.RestorePoint) {
	p.Records = r.trailer.Records
	r.hash.Sum(p.Sum[:0])
	return p
}

// Next returns the next entry, which is the caller's; io.EOF after the last,
// when trailer and hash were right. Errors stick: Invalid dump_damaged.
func (r *Reader) Next() (t kv.Table, e kv.Entry, err error) {
	if r.err != nil {
		return "", e, r.err
	}
	if r.end {
		return "", e, io.EOF
	}
	t, e, err = r.next()
	if errors.Is(err, errEnd) {
		r.end = true
		return "", e, io.EOF
	}
	if err != nil {
		r.err = damaged(r.place(), err)
		return "", kv.Entry{}, r.err
	}
	return t, e, nil
}

// place names the table in which reading ended.
func (r *Reader) place() string {
	if n := len(r.trailer.Tables); n > 0 {
		return string(r.trailer.Tables[n-1].Table)
	}
	return "header"
}

var (
	errEnd     = errors.New("end of the dump")
	errContent = errors.New("malformed")
)

func (r *Reader) next() (t kv.Table, e kv.Entry, err error) {
	tag, err := r.tag()
	if err != nil {
		return "", e, err
	}
	n := len(r.trailer.Tables)
	fresh := tag == tagTable
	if fresh {
		name, err := r.body(kv.MaxTable)
		if err != nil {
			return "", e, err
		}
		if n > 0 && kv.Table(name) <= r.trailer.Tables[n-1].Table {
			return "", e, errOrder
		}
		if n == maxTables {
			return "", e, errContent
		}
		r.trailer.Tables = append(r.trailer.Tables, Count{Table: kv.Table(name)})
		n++
		if tag, err = r.tag(); err != nil {
			return "", e, err
		}
	}
	switch {
	case tag == tagTrailer && !fresh:
		return "", e, r.finish()
	case tag != tagRecord || n == 0:
		return "", e, errContent
	}
	if e.Key, err = r.body(kv.MaxKey); err != nil {
		return "", e, err
	}
	if e.Value, err = r.body(kv.MaxValue); err != nil {
		return "", e, err
	}
	t = r.trailer.Tables[n-1].Table
	if err := kv.CheckEntry(t, e.Key, e.Value); err != nil {
		return "", e, err
	}
	if !fresh && bytes.Compare(e.Key, r.last) <= 0 {
		return "", e, errOrder
	}
	r.last = append(r.last[:0], e.Key...)
	r.trailer.Tables[n-1].Records++
	r.trailer.Records++
	r.feed()
	return t, e, nil
}

// finish reads the trailer, which must be the one that we would write, and that
// nothing follows. r.frame has its 'Z', which the hash leaves out.
func (r *Reader) finish() error {
	r.trailer.SHA256 = hex.EncodeToString(r.hash.Sum(nil))
	body, err := r.body(maxJSON)
	if err != nil {
		return err
	}
	if !bytes.Equal(body, marshal(r.trailer)) {
		return errors.New("counts or hash of the trailer are not those of the records")
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("something follows the trailer"), err)
	}
	r.bytes += uint64(len(r.frame))
	return errEnd
}

func (r *Reader) feed() {
	r.hash.Write(r.frame)
	r.bytes += uint64(len(r.frame))
	r.frame = r.frame[:0]
}

func (r *Reader) tag() (byte, error) {
	b, err := r.in.ReadByte()
	if err != nil {
		return 0, noEOF(err)
	}
	r.frame = append(r.frame, b)
	return b, nil
}

// body reads a length and so many bytes. Memory is taken as they come.
func (r *Reader) body(most uint64) ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, noEOF(err)
	}
	if n > most {
		return nil, errContent
	}
	out := []byte{}
	for left := int(n); left > 0; {
		step := min(left, 64<<10)
		at := len(out)
		out = slices.Grow(out, step)[:at+step]
		if _, err := io.ReadFull(r.in, out[at:]); err != nil {
			return nil, noEOF(err)
		}
		left -= step
	}
	r.frame = append(r.frame, out...)
	return out, nil
}

// length reads an unsigned varint in its shortest form.
func (r *Reader) length() (uint64, error) {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		r.frame = append(r.frame, b)
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				return 0, errContent
			}
			return n, nil
		}
	}
	return 0, errContent
}

// noEOF keeps the end of a file that was cut apart from that of a whole one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
