package auditlog

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// A Tile names one resource of a tiled log (C2SP tlog-tiles): Width consecutive
// hashes of Level from Index·256, or, with Entries set, the entries under such a
// tile of level 0. Its path, relative to the log's URL prefix, is
//
//	tile/<level>/<index>[.p/<width>]
//	tile/entries/<index>[.p/<width>]
//
// where the index is written in groups of three digits, all but the last with an
// x before them, and the width only when the tile is not full:
//
//	Tile{Level: 1, Index: 1234067, Width: 256}     tile/1/x001/x234/067
//	Tile{Entries: true, Index: 273, Width: 112}    tile/entries/273.p/112
type Tile struct {
	Entries bool   // the entries themselves; Level is 0
	Level   int    // 0 to 63
	Index   uint64 // number within the level
	Width   int    // 1 to 256; 256 is a full tile
}

// Path formats t.
func (t Tile) Path() string {
	level := strconv.Itoa(t.Level)
	if t.Entries {
		level = "entries"
	}
	n := fmt.Sprintf("%03d", t.Index%1000)
	for rest := t.Index / 1000; rest > 0; rest /= 1000 {
		n = fmt.Sprintf("x%03d/%s", rest%1000, n)
	}
	if t.Width != tileWidth {
		n = fmt.Sprintf("%s.p/%d", n, t.Width)
	}
	return "tile/" + level + "/" + n
}

// ParseTilePath reads what [Tile.Path] wrote and nothing else. Errors: NotFound
// log_path_unknown, because a path of another form names nothing.
func ParseTilePath(path string) (Tile, error) {
	t, ok := parseTilePath(path)
	if !ok || t.Path() != path { // also refuses leading zeroes, overflow and the like
		return Tile{}, fail.New(fail.NotFound, "log_path_unknown", "no such tile path in the audit log; the form is tile/<level>/<index>[.p/<width>]").
			In("审计日志中没有该路径；格式应为 tile/<层>/<序号>[.p/<宽度>]")
	}
	return t, nil
}

func parseTilePath(path string) (t Tile, ok bool) {
	const longest = len("tile/entries/") + 7*5 + len(".p/255") // 7 groups hold any uint64
	if len(path) > longest {
		return Tile{}, false
	}
	f := strings.Split(path, "/")
	if len(f) < 3 || f[0] != "tile" {
		return Tile{}, false
	}
	t.Width = tileWidth
	if f[1] == "entries" {
		t.Entries = true
	} else {
		level, err := strconv.ParseUint(f[1], 10, 8)
		if err != nil || level > 63 {
			return Tile{}, false
		}
		t.Level = int(level)
	}
	f = f[2:]
	if stem, partial := strings.CutSuffix(f[max(0, len(f)-2)], ".p"); partial && len(f) > 1 {
		w, err := strconv.ParseUint(f[len(f)-1], 10, 8)
		if err != nil || w == 0 {
			return Tile{}, false
		}
		t.Width = int(w)
		f = f[:len(f)-1]
		f[len(f)-1] = stem
	}
	for i, g := range f {
		if i < len(f)-1 {
			var x bool
			if g, x = strings.CutPrefix(g, "x"); !x {
				return Tile{}, false
			}
		}
		n, err := strconv.ParseUint(g, 10, 64)
		if err != nil || len(g) != 3 {
			return Tile{}, false
		}
		t.Index = t.Index*1000 + n // when it overflows, Path gives another path
	}
	return t, true
}

// ReadTile returns the bytes of t from the tree of size published, the size of
// a checkpoint that was handed out: 32 bytes per hash, or for entries each entry
// with its length before it as a big-endian uint16. What it returns for a path
// never changes, so it may be cached for ever. Errors: NotFound log_tile_unknown
// when t is not wholly within that size; log_size_unknown.
func ReadTile(r kv.Reader, t Tile, published uint64) ([]byte, error) {
	if err := within(r, published); err != nil {
		return nil, err
	}
	var have uint64 // hashes at t's level
	if shift := t.Level * tileHeight; 0 <= shift && shift < 64 {
		have = published >> shift
	}
	if t.Width < 1 || t.Width > tileWidth || t.Entries && t.Level != 0 ||
		t.Index > have/tileWidth || t.Index*tileWidth+uint64(t.Width) > have {
		return nil, fail.New(fail.NotFound, "log_tile_unknown", "the published audit log has no tile %s", t.Path()).
			In("已公布的审计日志中没有 %s", t.Path())
	}
	from := t.Index * tileWidth
	to := from + uint64(t.Width)
	if t.Entries {
		leaves, err := readLeaves(r, from, to)
		if err != nil {
			return nil, err
		}
		return formatEntries(leaves), nil
	}
	hashes, err := readHashes(r, 2*t.Level, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(hashes)*len(hashes[0]))
	for _, h := range hashes {
		out = append(out, h[:]...)
	}
	return out, nil
}

func formatEntries(entries [][]byte) []byte {
	out := make([]byte, 0, len(entries)*(2+LeafSize))
	for _, e := range entries {
		out = binary.BigEndian.AppendUint16(out, uint16(len(e)))
		out = append(out, e...)
	}
	return out
}

// parseEntries splits an entry bundle; ok is false unless it ends with an entry.
func parseEntries(b []byte) (entries [][]byte, ok bool) {
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; len(b) < n {
			return nil, false
		}
		entries = append(entries, b[:n])
		b = b[n:]
	}
	return entries, true
}
