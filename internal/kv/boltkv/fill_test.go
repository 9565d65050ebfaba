package boltkv

import (
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"bajigong/internal/kv"
)

// Pages are well filled whether keys grow at an end or fall anywhere, as long as the
// engine is told which.
func TestPagesAreFilled(t *testing.T) {
	e, err := Open(filepath.Join(t.TempDir(), "store.db"), Options{NoSync: true, Scattered: []kv.Table{"scattered"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rnd, value := rand.New(rand.NewPCG(1, 2)), make([]byte, 80)
	for n := range uint64(300) {
		if err := e.Apply(t.Context(), func(kv.Reader) (out []kv.Write, err error) {
			for i := range uint64(100) {
				out = append(out, kv.Write{Table: "growing", Key: binary.BigEndian.AppendUint64(nil, n*100+i), Value: value})
			}
			for range 100 {
				out = append(out, kv.Write{Table: "scattered", Key: binary.BigEndian.AppendUint64(nil, rnd.Uint64()), Value: value})
			}
			return out, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.(*engine).db.View(func(tx *bbolt.Tx) error {
		for table, least := range map[string]float64{"growing": 0.85, "scattered": 0.6} {
			s := tx.Bucket([]byte(table)).Stats()
			if filled := float64(s.LeafInuse) / float64(s.LeafAlloc); filled < least {
				t.Errorf("pages of %s are filled to %.2f, less than %.2f", table, filled, least)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
