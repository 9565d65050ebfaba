package registry

import (
	"bytes"
	"errors"
	"math/bits"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/kv"
)

// statusLists is invariant 5 for lists as wholes: history, bases, bits and the
// published text of each list agree, each as of its time, and what is not
// published is marked. That each bit is that of its certificate is for versions
// and strayBits.
func (c *check) statusLists() error {
	given, err := counter(c.rd, counterStatus(), 0)
	if err != nil {
		return err
	}
	committed, err := c.r.db.Committed(c.rd)
	if err != nil {
		return err
	}
	for list := 0; list == 0 || uint64(list)*credentials.StatusListBits < given; list++ {
		_, began, err := listBegan(c.rd, list)
		if err != nil {
			return err
		}
		if !began && given > 0 {
			c.problem("status list %d has places given out and does not say since when", list)
		}
		for _, purpose := range credentials.StatusPurposes() {
			if err := c.statusList(statusPlace{purpose, list}, committed); err != nil {
				return err
			}
		}
	}
	return nil
}

// statusList goes through the history of one list once.
func (c *check) statusList(p statusPlace, committed time.Time) error {
	version, err := counter(c.rd, counterStatusVersion(string(p.purpose), p.list), 0)
	if err != nil {
		return err
	}
	head, published, err := publishedStatuses.Get(c.rd, p.key())
	if err != nil {
		return err
	}
	mark, err := c.rd.Get(tableStatusDue, p.key())
	if err != nil {
		return err
	}
	if head.Version > version {
		c.problem("status list %s is published at version %d and has %d", p.name(), head.Version, version)
	}
	if mark == nil && (published && head.Version != version || !published && version > 0) {
		c.problem("status list %s is published at version %d, has %d, and is not marked to be published", p.name(), head.Version, version)
	}
	if published && head.ValidFrom.After(committed) {
		c.problem("status list %s is valid from %s, which the store has not reached", p.name(), head.ValidFrom)
	}
	then, now, err := c.replay(p, head, version)
	if err != nil {
		return err
	}
	if published {
		if err := c.statusText(p, head, then); err != nil {
			return err
		}
	}
	return c.presentBits(p, now)
}

// replay reads the history from its beginning, compares every base with it, and
// answers the bits as of the published version and of the present.
func (c *check) replay(p statusPlace, head publishedStatus, version uint64) (then, now []byte, err error) {
	rng := kv.Prefix(p.key())
	bases := baseJoin{c: c, p: p, rng: kv.Prefix(p.key())}
	bases.rng.Limit = 16 // 16 KiB each
	var seen statusReplay
	seen.bits = make([]byte, statusBytes)
	atBase := func() error { return bases.at(seen) }
	// A migration made the beginning of an old history from what was known then; its
	// entries have version 0, and what follows may say it once more.
	migrated := false
	err = kv.Each(c.base, tableStatusHistory, rng, func(e kv.Entry) error {
		c.done(1)
		at, index, err := parseStatusKey(e.Key, 5)
		if err != nil {
			c.problem("%v", err)
			return nil
		}
		// Only what changes a bit is recorded, and every version changes one.
		migrated = migrated || at.version == 0
		if !migrated && index < credentials.StatusListBits && len(e.Value) == 1 && (e.Value[0] == 1) == (seen.bits[index/8]&(0x80>>(index%8)) != 0) {
			c.problem("status list %s: version %d of its history sets bit %d to what it was: an entry before it is gone", p.name(), at.version, index)
		}
		if at.version > seen.at.version+1 && !migrated {
			c.problem("status list %s: version %d of its history follows version %d", p.name(), at.version, seen.at.version)
		}
		if at != seen.at {
			if err := atBase(); err != nil {
				return err
			}
			if at.version < seen.at.version || at.version > version {
				c.problem("status list %s: version %d of its history comes after %d and before %d", p.name(), at.version, seen.at.version, version)
			}
			if then == nil && at.version > head.Version {
				then = bytes.Clone(seen.bits)
				if at.time < head.ValidFrom.Unix() && head.Serial > 0 {
					c.problem("status list %s is valid from %s and does not have version %d, which was recorded before", p.name(), head.ValidFrom, at.version)
				}
			}
			if at.version <= head.Version && at.time > head.ValidFrom.Unix() && head.Serial > 0 {
				c.problem("status list %s is valid from %s and has version %d, which was recorded after", p.name(), head.ValidFrom, at.version)
			}
		}
		if err := seen.add(e, false); err != nil {
			c.problem("%v", err)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := atBase(); err != nil {
		return nil, nil, err
	}
	if err := bases.end(); err != nil {
		return nil, nil, err
	}
	if then == nil {
		then = seen.bits
	}
	return then, seen.bits, nil
}

// baseJoin reads the bases of a list beside its history, both in order of time and
// version.
type baseJoin struct {
	c    *check
	p    statusPlace
	rng  kv.Range
	page []kv.Entry
	over bool
}

// next is the first base that was not taken, nil behind the last.
func (j *baseJoin) next() (*kv.Entry, statusMoment, error) {
	for {
		if len(j.page) == 0 {
			if j.over {
				return nil, statusMoment{}, nil
			}
			page, err := j.c.base.Scan(tableStatusBases, j.rng)
			if err != nil {
				return nil, statusMoment{}, err
			}
			if j.page, j.over = page, len(page) < j.rng.Limit; len(page) > 0 {
				j.rng = j.rng.After(page[len(page)-1].Key)
			}
			continue
		}
		at, _, err := parseStatusKey(j.page[0].Key, 4)
		if err != nil {
			j.c.problem("%v", err)
			j.page = j.page[1:]
			continue
		}
		return &j.page[0], at, nil
	}
}

// at compares the base of the moment that a replay stands at, if there is one, and
// reports those before it that no moment had.
func (j *baseJoin) at(seen statusReplay) error {
	for {
		e, at, err := j.next()
		if err != nil || e == nil || at.time > seen.at.time || at.time == seen.at.time && at.version > seen.at.version {
			return err
		}
		j.page = j.page[1:]
		if at != seen.at {
			j.stray(at)
		} else if !bytes.Equal(e.Value, seen.bits) {
			j.c.problem("status list %s: the base of version %d is not what its history leads to", j.p.name(), at.version)
		}
	}
}

func (j *baseJoin) end() error {
	for {
		e, at, err := j.next()
		if err != nil || e == nil {
			return err
		}
		j.page = j.page[1:]
		j.stray(at)
	}
}

func (j *baseJoin) stray(at statusMoment) {
	j.c.problem("status list %s has a base of version %d, which its history does not have", j.p.name(), at.version)
}

// statusText opens a published text as a verifier does, and compares it with what
// the ledger was when it was made.
func (c *check) statusText(p statusPlace, head publishedStatus, then []byte) error {
	text, err := c.rd.Get(tableStatusTexts, p.key())
	if err != nil {
		return err
	}
	list, err := credentials.OpenStatusList(string(text), c.r.cfg.Keys.Public(), head.ValidFrom)
	switch {
	case errors.Is(err, jws.ErrDistrusted): // to be signed anew; verifiers refuse it
	case err != nil:
		c.problem("status list %s as published does not open: %v", p.name(), err)
	case list.Purpose != p.purpose || list.List != p.list || list.Origin != c.r.cfg.Origin:
		c.problem("status list %s as published is %s", p.name(), list.URL())
	case !list.ValidFrom.Equal(head.ValidFrom) || !list.ValidUntil.Equal(head.ValidUntil):
		c.problem("status list %s as published is valid from %s, not %s", p.name(), list.ValidFrom, head.ValidFrom)
	default:
		if got := list.Bits(); !bytes.Equal(got, then) {
			c.problem("status list %s as published at %s differs from the ledger of that time in %d bits", p.name(), head.ValidFrom, differ(got, then))
		}
	}
	return nil
}

func differ(a, b []byte) (n int) {
	for i := range min(len(a), len(b)) {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// presentBits compares the bits that stand now with those of the history.
func (c *check) presentBits(p statusPlace, now []byte) error {
	stand := make([]byte, statusBytes)
	err := kv.Each(c.base, tableStatusBits, kv.Prefix(p.key()), func(e kv.Entry) error {
		parts, err := kv.ParseKey(e.Key)
		if err != nil || len(parts) != 3 {
			return nil // strayBits says so
		}
		if index, ok := parts[2].(uint64); ok && index < credentials.StatusListBits {
			stand[index/8] |= 0x80 >> (index % 8)
		}
		return nil
	})
	if err == nil && !bytes.Equal(stand, now) {
		c.problem("status list %s: its history leads to other bits than stand now, in %d places", p.name(), differ(stand, now))
	}
	return err
}
