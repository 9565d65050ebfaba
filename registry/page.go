package registry

import (
	"encoding/base64"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// Limits of one page of a list.
const (
	pageDefault = 50
	pageMax     = 500
)

// scanPage reads one page of records within rng. The cursor is the key where
// the next page begins; it means nothing outside its own list.
func scanPage[V any](rd kv.Reader, table kv.Records[V], rng kv.Range, page Page) ([]V, string, error) {
	rng, err := page.within(rng)
	if err != nil {
		return nil, "", err
	}
	vs, next, err := table.Scan(rd, rng)
	if err != nil {
		return nil, "", err
	}
	return vs, encodeCursor(next), nil
}

// scanIndexPage is scanPage over an index, in the order of its entries.
func scanIndexPage[V any](rd kv.Reader, table kv.Records[V], index kv.Table, rng kv.Range, page Page) ([]V, string, error) {
	rng, err := page.within(rng)
	if err != nil {
		return nil, "", err
	}
	vs, next, err := table.ScanIndex(rd, index, rng)
	return vs, encodeCursor(next), err
}

func (p Page) within(rng kv.Range) (kv.Range, error) {
	switch {
	case p.Limit == 0:
		rng.Limit = pageDefault
	case p.Limit < 0 || p.Limit > pageMax:
		return rng, fail.New(fail.Invalid, "limit", "limit is 1 to %d", pageMax).In("每页条数应为 1 至 %d", pageMax)
	default:
		rng.Limit = p.Limit
	}
	if p.Cursor == "" {
		return rng, nil
	}
	at, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	if err != nil || len(at) == 0 || len(at) > kv.MaxKey {
		return rng, fail.New(fail.Invalid, "cursor", "the cursor is not one of this list").In("翻页标记无效，请从第一页开始")
	}
	// A cursor may narrow the range, never widen it to other people's records.
	if rng.Reverse {
		if rng.To == nil || string(at) < string(rng.To) {
			rng.To = at
		}
	} else if string(at) > string(rng.From) {
		rng.From = at
	}
	return rng, nil
}

func encodeCursor(next []byte) string {
	if next == nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(next)
}
