package registry

import (
	"fmt"

	"bajigong/evaluators"
	"bajigong/internal/kv"
)

// migrationPage is how many records one page of a migration takes; a variable so that
// a test can have many pages of few.
var migrationPage = bulkPage

// institutionsInFull gives a store of the first release what the parts that came
// after it expect: the region of filings, index entries of filings, occupations
// and results, sessions in draws, and certificates in the queue to be counted.
// One page of one table a step; the cursor is the table's place, then its key.
func institutionsInFull(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	stages := []func(kv.Tx, kv.Range) ([]byte, error){
		filingsInFull, occupations.Reindex, candidates.Reindex, sessionsInFull, batchesInFull, certificatesInFull,
	}
	at, rng := 0, kv.Range{Limit: migrationPage}
	if cursor != nil {
		at, rng.From = int(cursor[0]), cursor[1:]
	}
	if at >= len(stages) {
		return nil, false, fmt.Errorf("the cursor %x is of no stage", cursor)
	}
	key, err := stages[at](tx, rng)
	switch {
	case err != nil:
		return nil, false, err
	case key != nil:
		return append([]byte{byte(at)}, key...), false, nil
	case at == len(stages)-1:
		return nil, true, nil
	}
	return []byte{byte(at + 1)}, false, nil
}

// eachIn runs fn on one page of a table.
func eachIn[V any](tx kv.Tx, table kv.Records[V], rng kv.Range, fn func(V) error) ([]byte, error) {
	page, next, err := table.Scan(tx, rng)
	for _, v := range page {
		if err == nil {
			err = fn(v)
		}
	}
	return next, err
}

func filingsInFull(tx kv.Tx, rng kv.Range) ([]byte, error) {
	next, err := eachIn(tx, filings, rng, func(f evaluators.Filing) error {
		inst, err := institutionByID(tx, f.Institution)
		if err != nil || f.Region != "" {
			return err
		}
		f.Region = inst.Region
		return filings.Put(tx, f)
	})
	if err != nil {
		return nil, err
	}
	_, err = filings.Reindex(tx, rng)
	return next, err
}

func sessionsInFull(tx kv.Tx, rng kv.Range) ([]byte, error) {
	return eachIn(tx, sessions, rng, func(s Session) error {
		return examDays.Put(tx, examDay{ExamDate: s.ExamDate, Session: s.ID, Institution: s.Institution, Region: s.Region})
	})
}

func batchesInFull(tx kv.Tx, rng kv.Range) ([]byte, error) {
	return eachIn(tx, batches, rng, func(b Batch) error {
		if b.State == BatchPublished {
			batchToCount(tx, b)
		}
		return nil
	})
}

func certificatesInFull(tx kv.Tx, rng kv.Range) ([]byte, error) {
	return eachIn(tx, certificates, rng, func(c Certificate) error {
		if c.Origin != OriginHere {
			certificateToCount(tx, c)
		}
		for n := range c.Changes {
			changed := c
			changed.Changes = c.Changes[:n+1]
			changeToCount(tx, changed)
		}
		return nil
	})
}

// batchesToReport gives the batches of a store that knew no reports to the national
// query their place among those that are to be reported.
func batchesToReport(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	next, err = batches.Reindex(tx, kv.Range{From: cursor, Limit: migrationPage})
	return next, next == nil, err
}

// claimCountersEnd removes the counters of claims per person: the last claim has its
// number, and the counters cost every claim one more page of the store.
func claimCountersEnd(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	rng := kv.Prefix(kv.Key("claims"))
	if rng.Limit = migrationPage; cursor != nil {
		rng.From = cursor
	}
	page, err := tx.Scan(tableCounters, rng)
	if err != nil || len(page) == 0 {
		return nil, err == nil, err
	}
	for _, e := range page {
		tx.Delete(tableCounters, e.Key)
	}
	return page[len(page)-1].Key, len(page) < migrationPage, nil
}
