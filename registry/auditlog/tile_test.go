package auditlog

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"bajigong/internal/fail"

	"golang.org/x/mod/sumdb/tlog"
)

func TestTilePathExamples(t *testing.T) {
	for path, want := range map[string]Tile{
		"tile/0/000":                                     {Width: 256},
		"tile/0/273.p/112":                               {Index: 273, Width: 112},
		"tile/1/x001/x234/067":                           {Level: 1, Index: 1234067, Width: 256},
		"tile/63/x001/x234/067.p/1":                      {Level: 63, Index: 1234067, Width: 1},
		"tile/entries/x001/000":                          {Entries: true, Index: 1000, Width: 256},
		"tile/entries/999.p/255":                         {Entries: true, Index: 999, Width: 255},
		"tile/entries/x018/x446/x744/x073/x709/x551/615": {Entries: true, Index: math.MaxUint64, Width: 256},
	} {
		got, err := ParseTilePath(path)
		if err != nil || got != want || want.Path() != path {
			t.Errorf("%s: %+v, %v; formats as %s", path, got, err, want.Path())
		}
	}
}

func TestTilePathIsStrict(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile//000", "tile/data/000", "tile/8/0/000",
		"tile/00/000", "tile/64/000", "tile/-1/000", "tile/+1/000", "tile/0/00", "tile/0/0000", "tile/0/1", "tile/0/x000/001",
		"tile/0/x001", "tile/0/001/002", "tile/0/x001/x002", "tile/0/x01/002", "tile/0/+01", "tile/0/x+01/001", "tile/0/X001/002",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1", "tile/0/000.p/1/",
		"tile/0/000.p/1.p/1", "tile/0/x000.p/1", "tile/0/.p/1", "tile/.p/1", "tile/entries/x001.p/002", "tile/entries", "tile/Entries/000",
		"tile/entries/x018/x446/x744/x073/x709/x551/616", "tile/0/x001/x000/x000/x000/x000/x000/x000/000", "tile/0/０００",
		"tile/0/" + strings.Repeat("x001/", 1000) + "000",
	} {
		_, err := ParseTilePath(path)
		wantCode(t, err, fail.NotFound, "log_path_unknown")
	}
}

func FuzzParseTilePath(f *testing.F) {
	f.Add("tile/0/273.p/112")
	f.Add("tile/entries/x001/x234/067")
	f.Add("tile/63/x018/x446/x744/x073/x709/x551/615.p/255")
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := ParseTilePath(path)
		if err == nil && tile.Path() != path {
			t.Fatalf("%q parses and formats as %q", path, tile.Path())
		}
		// tlog's path has the tile's height before the level and calls entries data.
		rest, ok := strings.CutPrefix(path, "tile/")
		if !ok || strings.HasPrefix(rest, "data/") {
			return
		}
		ref := rest
		if s, ok := strings.CutPrefix(rest, "entries/"); ok {
			ref = "data/" + s
		}
		want, refErr := tlog.ParseTilePath("tile/8/" + ref)
		same := err == nil && refErr == nil && want.W == tile.Width && uint64(want.N) == tile.Index &&
			(want.L == tile.Level && !tile.Entries || want.L == -1 && tile.Entries)
		if same || err != nil && (refErr != nil || want.L > 63) || err == nil && tile.Index > math.MaxInt64 {
			return
		}
		t.Fatalf("%q: %+v, %v; tlog says %+v, %v", path, tile, err, want, refErr)
	})
}

func TestTilesAreThoseOfTlog(t *testing.T) {
	m := largeLog(t)
	ref := referenceOf(t, m)
	for _, size := range []int64{1, 2, 255, 256, 257, 512, 600, 65_536, 65_800, 66_000} {
		for _, want := range tlog.NewTiles(tileHeight, max(0, size-600), size) {
			b, err := ReadTile(m, Tile{Level: want.L, Index: uint64(want.N), Width: want.W}, uint64(size))
			wantBytes, err2 := tlog.ReadTileData(want, ref)
			if err != nil || err2 != nil || !bytes.Equal(b, wantBytes) {
				t.Fatalf("size %d %s: %v %v", size, want.Path(), err, err2)
			}
			if want.L > 0 {
				continue
			}
			b, err = ReadTile(m, Tile{Entries: true, Index: uint64(want.N), Width: want.W}, uint64(size))
			entries, ok := parseEntries(b)
			if err != nil || !ok || len(entries) != want.W {
				t.Fatalf("size %d entries %d: %v", size, want.N, err)
			}
			for i, e := range entries {
				if h := tlog.RecordHash(e); !bytes.Equal(h[:], wantBytes[i*32:][:32]) {
					t.Fatalf("size %d entry %d differs", size, int(want.N)*256+i)
				}
			}
		}
	}
}

func TestOnlyWhatIsPublishedIsServed(t *testing.T) {
	m := newLog(t, 600)
	for _, c := range []struct {
		tile Tile
		size uint64
		ok   bool
	}{
		{Tile{Index: 1, Width: 256}, 512, true},
		{Tile{Index: 1, Width: 255}, 512, true}, // an earlier partial tile
		{Tile{Index: 1, Width: 256}, 511, false},
		{Tile{Index: 2, Width: 1}, 512, false},
		{Tile{Index: 2, Width: 88}, 600, true},
		{Tile{Index: 2, Width: 89}, 600, false},
		{Tile{Index: 3, Width: 1}, 600, false},
		{Tile{Level: 1, Width: 2}, 600, true},
		{Tile{Level: 1, Width: 2}, 511, false},
		{Tile{Level: 1, Width: 3}, 600, false},
		{Tile{Level: 2, Width: 1}, 600, false},
		{Tile{Level: 63, Width: 1}, 600, false},
		{Tile{Level: 8, Width: 1}, 600, false},
		{Tile{Level: -1, Width: 1}, 600, false},
		{Tile{Width: 0}, 600, false},
		{Tile{Width: -5}, 600, false},
		{Tile{Width: 257}, 600, false},
		{Tile{Index: math.MaxUint64, Width: 256}, 600, false},
		{Tile{Index: 1 << 56, Width: 1}, 600, false}, // times 256 overflows
		{Tile{Width: 1}, 0, false},
		{Tile{Entries: true, Index: 2, Width: 88}, 600, true},
		{Tile{Entries: true, Index: 2, Width: 88}, 599, false},
		{Tile{Entries: true, Level: 1, Width: 1}, 600, false},
	} {
		b, err := ReadTile(m, c.tile, c.size)
		if c.ok {
			if err != nil || len(b) == 0 {
				t.Errorf("%+v of %d: %v", c.tile, c.size, err)
			}
			continue
		}
		wantCode(t, err, fail.NotFound, "log_tile_unknown")
	}
	_, err := ReadTile(m, Tile{Width: 1}, 601)
	wantCode(t, err, fail.NotFound, "log_size_unknown")
}
