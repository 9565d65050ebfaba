package registry

import (
	"fmt"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// statusHistories gives a store that has no history of status lists the whole of
// it: the changes of each certificate, with the moments at which they were
// recorded, say when each bit was set and cleared. Then it finds when each list
// began, and marks every list, to be published.
//
// One page of certificates, later of versions, a step; the cursor is 0 or 1 and
// the key of the page.
func statusHistories(tx kv.Tx, cursor []byte) (next []byte, done bool, err error) {
	at, rng := byte(0), kv.Range{Limit: migrationPage}
	if cursor != nil {
		at, rng.From = cursor[0], cursor[1:]
	}
	var key []byte
	switch at {
	case 0:
		key, err = historyPage(tx, rng)
	case 1:
		key, err = listsPage(tx, rng)
	default:
		err = fmt.Errorf("the cursor %x is of no stage", cursor)
	}
	switch {
	case err != nil:
		return nil, false, err
	case key != nil:
		return append([]byte{at}, key...), false, nil
	}
	return []byte{at + 1}, at == 1, nil
}

// historyPage writes the history of one page of certificates.
func historyPage(tx kv.Tx, rng kv.Range) ([]byte, error) {
	page, next, err := certificates.Scan(tx, rng)
	if err != nil {
		return nil, err
	}
	var changed []Certificate
	var versionKeys [][]byte
	for _, c := range page {
		if len(c.Changes) == 0 && c.Versions < 2 {
			continue
		}
		changed = append(changed, c)
		for n := 1; n <= c.Versions; n++ {
			versionKeys = append(versionKeys, versionKey(c.Number, n))
		}
	}
	vs, ok, err := versions.GetMany(tx, versionKeys)
	if err != nil {
		return nil, err
	}
	bitKeys := make([][]byte, 0, len(vs))
	for i, v := range vs {
		if !ok[i] {
			return nil, fmt.Errorf("version %x is missing", versionKeys[i])
		}
		// A version was superseded when its refresh bit was set, which is never cleared.
		p, index := placeOf(credentials.Refresh, v)
		bitKeys = append(bitKeys, statusKey(p.purpose, p.list, index))
	}
	set, err := tx.GetMany(tableStatusBits, bitKeys)
	if err != nil {
		return nil, err
	}
	superseded := make([]time.Time, len(vs))
	for i := range vs {
		switch {
		case set[i] != nil:
			superseded[i] = asTime(set[i])
		case i+1 < len(vs) && vs[i+1].Number == vs[i].Number:
			superseded[i] = vs[i+1].Created // from elsewhere: it has no bits
		}
	}
	for _, c := range changed {
		writeHistory(tx, c, vs[:c.Versions], superseded[:c.Versions])
		vs, superseded = vs[c.Versions:], superseded[c.Versions:]
	}
	return next, nil
}

// placeOf is where a version has its bit of a purpose.
func placeOf(purpose credentials.StatusPurpose, v Version) (statusPlace, int) {
	return statusPlace{purpose, int(v.Status / credentials.StatusListBits)}, int(v.Status % credentials.StatusListBits)
}

// writeHistory goes through the life of a certificate again: at each moment at
// which it was changed or superseded, the bits that the rule gives it then. Two
// things that happened within one second leave the bits that stood at its end.
func writeHistory(tx kv.Tx, c Certificate, vs []Version, superseded []time.Time) {
	moments := make([]int64, 0, len(c.Changes)+len(vs))
	for _, change := range c.Changes {
		moments = append(moments, change.Recorded.Unix())
	}
	for _, b := range superseded[:len(vs)-1] {
		moments = append(moments, b.Unix())
	}
	slices.Sort(moments)
	type bit struct {
		n       int
		purpose credentials.StatusPurpose
	}
	have := map[bit]bool{}
	for _, at := range slices.Compact(moments) {
		then := c.at(time.Unix(at, 0), superseded)
		for n := 1; n <= then.Versions; n++ {
			if vs[n-1].Handle == "" {
				continue
			}
			for purpose, on := range statusBits(then, n) {
				if have[bit{n, purpose}] == on {
					continue
				}
				have[bit{n, purpose}] = on
				p, index := placeOf(purpose, vs[n-1])
				tx.Put(tableStatusHistory, statusHistoryKey(p.purpose, p.list, statusMoment{time: at}, index), []byte{bitByte(on)})
			}
		}
	}
}

// at is a certificate as it was at the end of a second, as far as its status bits
// go: its status and the number of its versions.
func (c Certificate) at(moment time.Time, superseded []time.Time) Certificate {
	out := Certificate{Versions: 1, Status: CertificateValid}
	for n, change := range c.Changes {
		if !change.Recorded.After(moment) {
			out.Status = statusAfter(c.Changes[:n+1])
		}
	}
	for n := 1; n < c.Versions; n++ {
		if !superseded[n-1].After(moment) {
			out.Versions = n + 1
		}
	}
	return out
}

// listsPage finds when the lists of one page of versions began.
func listsPage(tx kv.Tx, rng kv.Range) ([]byte, error) {
	page, next, err := versions.Scan(tx, rng)
	if err != nil {
		return nil, err
	}
	first := map[uint64]time.Time{}
	for _, v := range page {
		list := v.Status / credentials.StatusListBits
		if began, known := first[list]; v.Handle != "" && (!known || v.Created.Before(began)) {
			first[list] = v.Created
		}
	}
	var places []statusPlace
	for list, began := range first {
		known, ok, err := listBegan(tx, int(list))
		if err != nil {
			return nil, err
		}
		if ok && !began.Before(known) {
			continue
		}
		tx.Put(tableStatusLists, kv.Key(list), unixBytes(began))
		for _, purpose := range credentials.StatusPurposes() {
			places = append(places, statusPlace{purpose, int(list)})
		}
	}
	return next, markStatuses(tx, places)
}
