package registry

import (
	"fmt"
	"testing"

	"bajigong/internal/kv"
)

// What a check keeps of lookups stays within its bound also when the same are asked
// for again and again.
func TestKeptReadsAreBounded(t *testing.T) {
	kept := &keptReads{}
	const each = 64 << 10
	for round := range 3 {
		for i := range 10 * keptBytes / each {
			id := fmt.Sprint(i)
			if _, ok := kept.look(id); !ok {
				kept.keep(id, keptRead{entries: []kv.Entry{{Value: make([]byte, each)}}}, each)
			}
			for n := range 40 { // of late
				kept.look(fmt.Sprint(i - n))
			}
		}
		size := 0
		for _, part := range []map[string]keptRead{kept.now, kept.old} {
			for _, one := range part {
				for _, e := range one.entries {
					size += len(e.Value)
				}
			}
		}
		if size > 2*keptBytes+2*each {
			t.Fatalf("round %d: %d KB are kept, at most %d", round, size>>10, 2*keptBytes>>10)
		}
	}
}
