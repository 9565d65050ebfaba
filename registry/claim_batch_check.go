package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/kv"
)

// claimBatches: every run's answers are those that it counts, whole and in the order
// of the file, and its signed decision says what it says; runs whose answers were
// erased have none.
func (c *check) claimBatches() error {
	c.of(tableClaimBatches)
	return each(c, claimBatches, claimBatchesAtOnce, func(c *check, b ClaimBatch) error {
		if err := c.signedBatch(b); err != nil {
			c.problem("check run %s: its signed decision does not say what it says: %v", b.ID, err)
		}
		if b.ClaimBatchCounts.Rows() != b.Done || b.Done > b.Rows || (b.Ended != nil) != (b.Decision != "") || b.Ended != nil && b.Done != b.Rows {
			c.problem("check run %s has answered %d of %d rows and counts %d", b.ID, b.Done, b.Rows, b.ClaimBatchCounts.Rows())
		}
		return c.batchPages(b)
	})
}

// claimBatchesAtOnce is how many runs are looked at at once, a page of each.
const claimBatchesAtOnce = 16

// batchPages adds the pages of a run up.
func (c *check) batchPages(b ClaimBatch) error {
	rng := kv.Prefix(kv.Key(b.ID))
	rng.Limit = pageMax
	pages, _, err := claimBatchPages.Scan(c.rd, rng)
	if err != nil {
		return err
	}
	if b.Gone {
		if len(pages) > 0 {
			c.problem("check run %s still has answers that were erased", b.ID)
		}
		return nil
	}
	if len(pages) != b.Pages {
		c.problem("check run %s has %d pages of answers instead of %d", b.ID, len(pages), b.Pages)
		return nil
	}
	sum, done, counts := sha256.New(), 0, ClaimBatchCounts{}
	for i, p := range pages {
		if p.N != i+1 || p.First != done+1 || i > 0 && p.Size < pages[i-1].Size {
			c.problem("check run %s: page %d is out of order", b.ID, p.N)
		}
		done += p.Rows
		place := sealedBatchLines(b.ID, p.N)
		block, err := c.rd.Get(tableSealed, place.storeKey())
		if err != nil {
			return err
		}
		lines, err := c.r.vault.openBytes(place, block)
		if err != nil {
			c.problem("check run %s: page %d: %v", b.ID, p.N, err)
			return nil
		}
		own := sha256.Sum256(lines)
		if !bytes.Equal(own[:], p.SHA256) {
			c.problem("check run %s: page %d has other answers than were recorded", b.ID, p.N)
		}
		sum.Write(lines)
		for line := range bytes.Lines(lines) {
			var l ClaimBatchLine
			if err := json.Unmarshal(line, &l); err != nil {
				c.problem("check run %s: page %d has a line that cannot be read", b.ID, p.N)
				return nil
			}
			counts.count(l)
		}
		if err := c.block(fmt.Sprintf("check run %s page %d", b.ID, p.N), sealedBatchAllowed(b.ID, p.N)); err != nil {
			return err
		}
	}
	switch {
	case counts != b.ClaimBatchCounts || done != b.Done:
		c.problem("check run %s counts %+v in %d rows, its answers are %+v in %d", b.ID, b.ClaimBatchCounts, b.Done, counts, done)
	case b.Ended != nil && hex.EncodeToString(sum.Sum(nil)) != b.Results:
		c.problem("check run %s: its results are not those that were signed", b.ID)
	}
	return nil
}

func (c *check) signedBatch(b ClaimBatch) error {
	if b.Decision == "" {
		return nil
	}
	// A key that is trusted no more is for those to weigh who rely on it.
	d, err := credentials.OpenDecisionBatch(b.Decision, c.r.cfg.Keys.Public(), jws.Limits{Existed: *b.Ended})
	if err != nil && !errors.Is(err, jws.ErrDistrusted) {
		return err
	}
	want := b.decision(c.r.cfg.Origin, b.Results, time.Unix(d.IssuedAt, 0))
	if !slices.Equal(d.Policies, want.Policies) {
		return fmt.Errorf("its policies differ")
	}
	d.Policies, want.Policies = nil, nil
	if fmt.Sprint(d) != fmt.Sprint(want) {
		return fmt.Errorf("it says %+v instead of %+v", d, want)
	}
	return nil
}
