package auditlog

import (
	"encoding/binary"
	"errors"

	"bajigong/internal/kv"
)

// middlesPage is how many hashes one page of FillMiddles stores.
const middlesPage = 256

// FillMiddles gives a log that was begun without it the table log_middles, page
// by page: it is a step of a kv.Migration. The cursor is the level, one byte,
// and the index of the next hash.
func FillMiddles(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	h, begun, err := readHead(tx)
	if err != nil || !begun {
		return nil, true, err
	}
	level, from := 0, uint64(0)
	if cursor != nil {
		if len(cursor) != 9 {
			return nil, false, errors.New("the cursor is of no page of middles")
		}
		level, from = int(cursor[0]), binary.BigEndian.Uint64(cursor[1:])
	}
	step := 2*level + 1
	if stepHeight*step >= 64 || h.Size>>(stepHeight*step) == 0 {
		return nil, true, nil
	}
	to := min(from+middlesPage, h.Size>>(stepHeight*step))
	hashes, err := readHashes(tx, step-1, from*stepWidth, to*stepWidth)
	if err != nil {
		return nil, false, err
	}
	for n := from; n < to; n++ {
		i := (n - from) * stepWidth
		hash := subtree(hashes[i : i+stepWidth])
		table, key := stepRow(step, n)
		tx.Put(table, key, hash[:])
	}
	if to == h.Size>>(stepHeight*step) {
		level, to = level+1, 0
	}
	return binary.BigEndian.AppendUint64([]byte{byte(level)}, to), false, nil
}
