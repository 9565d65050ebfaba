package registry_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/registrytest"
)

func logNotes(t *testing.T, r *registry.Registry) (notes, problems []string) {
	t.Helper()
	report, err := r.Check(bg, registry.Operator(), &registry.CheckOptions{Parts: []string{"audit log"}})
	must(t, err)
	for _, n := range report.Notes {
		if n.ZH == "" {
			t.Errorf("%s has no Chinese", n.EN)
		}
		notes = append(notes, n.EN)
	}
	return notes, report.Problems
}

// TestCheckTellsOfWitnesses: what they have not cosigned is told, and is no problem.
func TestCheckTellsOfWitnesses(t *testing.T) {
	e := registrytest.New(t)
	e.MustAdmit(1)
	if notes, problems := logNotes(t, e.Registry); len(notes)+len(problems) != 0 {
		t.Errorf("without witnesses: %v %v", notes, problems)
	}
	w := independentWitness(t, "witness.example.org/w1", e.LogKey())
	data := append([]byte{4}, ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte("silent.example.org\n"), data...))
	silent := registry.Witness{URL: "https://silent.example.org", Key: fmt.Sprintf("silent.example.org+%x+%s", sum[:4], base64.StdEncoding.EncodeToString(data))}
	r := withWitnesses(t, e, w, silent)
	if notes, problems := logNotes(t, r); len(notes) != 1 || !strings.Contains(notes[0], "none of the 2 witnesses") || len(problems) != 0 {
		t.Errorf("before they were asked: %v %v", notes, problems)
	}
	_, err := r.AskWitnesses(bg, func(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error) {
		if strings.HasPrefix(url, silent.URL) {
			return auditlog.WitnessAnswer{}, errors.New("no route")
		}
		return postTo(ctx, url, body)
	})
	must(t, err)
	if notes, problems := logNotes(t, r); len(notes) != 1 || !strings.Contains(notes[0], "the witness silent.example.org has not cosigned") || len(problems) != 0 {
		t.Errorf("one of them silent: %v %v", notes, problems)
	}
	e.Clock.Add(25 * time.Hour)
	e.MustAdmit(2)
	if notes, problems := logNotes(t, r); len(notes) != 2 || !strings.Contains(notes[0], "cosigned the log last on") || len(problems) != 0 {
		t.Errorf("a day without any: %v %v", notes, problems)
	}
}

// TestCheckHoldsTheLogAgainstItsCheckpoints: who writes the whole log anew, every
// record in agreement with every other, is found out by the checkpoints that left the
// store, or that witnesses cosigned.
func TestCheckHoldsTheLogAgainstItsCheckpoints(t *testing.T) {
	e, other := registrytest.New(t, registrytest.Options{NoCheck: true}), registrytest.New(t)
	e.MustAdmit(1)
	for i := range 3 {
		other.MustAdmit(7 + i) // longer than what was published of the true one
	}
	_, err := e.Checkpoint(bg)
	must(t, err)
	forge := func() {
		for _, table := range []kv.Table{"events", "log_leaves", "log_tiles", "log_middles", "log_head"} {
			scan := func(rd kv.Reader) (rows []kv.Entry) {
				rows, err := rd.Scan(table, kv.Range{Limit: kv.MaxScan})
				must(t, err)
				return rows
			}
			var rows []kv.Entry
			must(t, other.DB.View(bg, func(rd kv.Reader) error { rows = scan(rd); return nil }))
			must(t, e.DB.Update(bg, func(tx kv.Tx) error {
				for _, old := range scan(tx) {
					tx.Delete(table, old.Key)
				}
				for _, row := range rows {
					tx.Put(table, row.Key, row.Value)
				}
				return nil
			}))
		}
	}
	forge()
	if _, problems := logNotes(t, e.Registry); len(problems) != 1 || !strings.Contains(problems[0], "not the one whose checkpoint was published") {
		t.Errorf("a log written anew: %v", problems)
	}
	// With the checkpoint outside gone too, the witnesses' word is still in the store.
	saved, err := e.CP.Load()
	must(t, err)
	own, err := auditlog.NewVerifier(e.LogKey())
	must(t, err)
	p, err := auditlog.OpenCheckpoint(saved, own)
	must(t, err)
	must(t, e.DB.Update(bg, func(tx kv.Tx) error {
		auditlog.PutCosigned(tx, auditlog.Cosign(auditlog.Published{Checkpoint: p, Note: saved}, tx.Now(), make([]auditlog.Cosignature, 1)))
		return nil
	}))
	must(t, os.Remove(e.CP.(*auditlog.FileStore).Path()))
	if _, problems := logNotes(t, e.Registry); len(problems) != 1 || !strings.Contains(problems[0], "not the one that witnesses cosigned") {
		t.Errorf("a log written anew, its checkpoint gone: %v", problems)
	}
}
