package registry

import (
	"encoding/binary"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// setStatus brings the status bits of every version of c in line with c. It is
// called by whatever changes a certificate, in the same Update.
func (r *Registry) setStatus(tx kv.Tx, c Certificate) error {
	return r.setStatuses(tx, []Certificate{c})
}

// setStatuses is setStatus of a page of certificates, with the reads of all of
// them done at once.
func (r *Registry) setStatuses(tx kv.Tx, cs []Certificate) error {
	var keys [][]byte
	for _, c := range cs {
		for n := 1; n <= c.Versions; n++ {
			keys = append(keys, versionKey(c.Number, n))
		}
	}
	vs, ok, err := versions.GetMany(tx, keys)
	if err != nil {
		return err
	}
	var bits []statusBit
	for _, c := range cs {
		for n := 1; n <= c.Versions; n++ {
			v, there := vs[0], ok[0]
			vs, ok = vs[1:], ok[1:]
			if !there {
				return notFound("version", "证书版本", c.Number)
			}
			if v.Handle == "" {
				continue // from elsewhere: nothing of ours is printed
			}
			for purpose, on := range statusBits(c, n) {
				bits = append(bits, statusBit{purpose, int(v.Status / credentials.StatusListBits), int(v.Status % credentials.StatusListBits), on})
			}
		}
	}
	return setStatusBits(tx, bits)
}

// statusBits is which bits version n of c has: the one rule, used by setStatus
// and by Check.
func statusBits(c Certificate, n int) map[credentials.StatusPurpose]bool {
	superseded := n < c.Versions
	ended := c.Status == CertificateVoided || c.Status == CertificateCancelled
	return map[credentials.StatusPurpose]bool{
		credentials.Revocation: ended || superseded,
		credentials.Suspension: c.Status == CertificateSuspended,
		credentials.Refresh:    superseded,
	}
}

func statusKey(purpose credentials.StatusPurpose, list, index int) []byte {
	return kv.Key(string(purpose), uint64(list), uint64(index))
}

// statusBit is what one bit shall be.
type statusBit struct {
	purpose     credentials.StatusPurpose
	list, index int
	on          bool
}

// setStatusBits reads all bits at once. For each list of which bits change it
// makes one new version: the bits, the entries of its history, the version's
// number and the mark that has it published, all in this Update.
func setStatusBits(tx kv.Tx, bits []statusBit) error {
	keys := make([][]byte, len(bits))
	for i, b := range bits {
		keys[i] = statusKey(b.purpose, b.list, b.index)
	}
	have, err := tx.GetMany(tableStatusBits, keys)
	if err != nil {
		return err
	}
	var places []statusPlace // in the order of their first bit
	changed := map[statusPlace][]statusBit{}
	for i, b := range bits {
		if (have[i] != nil) == b.on {
			continue
		}
		if b.on {
			tx.Put(tableStatusBits, keys[i], unixBytes(tx.Now()))
		} else {
			tx.Delete(tableStatusBits, keys[i])
		}
		at := statusPlace{b.purpose, b.list}
		if changed[at] == nil {
			places = append(places, at)
		}
		changed[at] = append(changed[at], b)
	}
	return newStatusVersions(tx, places, changed)
}

// statusPlace is one list of one purpose.
type statusPlace struct {
	purpose credentials.StatusPurpose
	list    int
}

func (p statusPlace) key() []byte { return statusListKey(p.purpose, p.list) }

func (p statusPlace) name() string { return credentials.StatusListName(p.purpose, p.list) }

// newStatusVersions gives each list its next version with the bits that changed.
func newStatusVersions(tx kv.Tx, places []statusPlace, changed map[statusPlace][]statusBit) error {
	counters := make([][]byte, len(places))
	for i, p := range places {
		counters[i] = counterStatusVersion(string(p.purpose), p.list)
	}
	before, err := tx.GetMany(tableCounters, counters)
	if err != nil {
		return err
	}
	for i, p := range places {
		at := statusMoment{time: tx.Now().Unix(), version: asUint64(before[i]) + 1}
		setCounter(tx, counters[i], at.version)
		for _, b := range changed[p] {
			tx.Put(tableStatusHistory, statusHistoryKey(p.purpose, p.list, at, b.index), []byte{bitByte(b.on)})
		}
	}
	return markStatuses(tx, places)
}

// markStatuses has lists published. A mark that is there already stays: it says
// since when the published text is behind.
func markStatuses(tx kv.Tx, places []statusPlace) error {
	keys := make([][]byte, len(places))
	for i, p := range places {
		keys[i] = p.key()
	}
	marks, err := tx.GetMany(tableStatusDue, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if marks[i] == nil {
			tx.Put(tableStatusDue, key, unixBytes(tx.Now()))
		}
	}
	return nil
}

// allotStatus stores that the places from counter before up to counter after are
// given out. A list begins with its first place, for all purposes at once, and is
// published like one of which a bit changed: so that its address answers before
// the paper is printed that names it.
func allotStatus(tx kv.Tx, before, after uint64) error {
	setCounter(tx, counterStatus(), after)
	var begun []statusPlace
	for list := (before + credentials.StatusListBits - 1) / credentials.StatusListBits; list*credentials.StatusListBits < after; list++ {
		tx.Put(tableStatusLists, kv.Key(list), unixBytes(tx.Now()))
		for _, purpose := range credentials.StatusPurposes() {
			begun = append(begun, statusPlace{purpose, int(list)})
		}
	}
	return markStatuses(tx, begun)
}

func bitByte(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// asUint64 is what 8 bytes hold; 0 for anything else.
func asUint64(b []byte) uint64 {
	if len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func asTime(b []byte) time.Time { return time.Unix(int64(asUint64(b)), 0).UTC() }
