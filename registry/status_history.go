package registry

import (
	"fmt"
	"slices"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
)

// statusMoment is a place in the history of a list: the time of an Update, Unix
// seconds, and the version that it made. Versions grow with time. Version 0 is
// what a migration wrote, whose own versions are not known.
type statusMoment struct {
	time    int64
	version uint64
}

// statusBase is all bits of a list behind a moment, so that nobody replays the
// history from its beginning.
type statusBase struct {
	at   statusMoment
	bits []byte
}

// baseEvery is how many changes lie between two bases at least: a base has 16
// KiB, so many entries of history about ten times as much.
const baseEvery = 4096

// statusBytes is the size of a list.
const statusBytes = credentials.StatusListBits / 8

// statusReplay is a list as its history tells.
type statusReplay struct {
	bits  []byte
	at    statusMoment // of the newest entry in it; zero when there is none
	since int          // entries after the newest base
	bases []statusBase // to be stored, the oldest first
}

// replayStatus reads a list as it stood when everything up to a time, Unix
// seconds, was recorded: the newest base before it, then the entries behind
// that base. With bases it also makes those that are due.
func replayStatus(rd kv.Reader, p statusPlace, upTo int64, bases bool) (statusReplay, error) {
	out := statusReplay{bits: make([]byte, statusBytes)}
	all := kv.Prefix(p.key())
	end := kv.Key(string(p.purpose), uint64(p.list), uint64(upTo)+1)
	found, err := rd.Scan(tableStatusBases, kv.Range{From: all.From, To: end, Limit: 1, Reverse: true})
	if err != nil {
		return out, err
	}
	from := all.From
	if len(found) == 1 {
		if out.at, _, err = parseStatusKey(found[0].Key, 4); err != nil {
			return out, err
		}
		if len(found[0].Value) != statusBytes {
			return out, fmt.Errorf("status_bases: %x has %d bytes", found[0].Key, len(found[0].Value))
		}
		out.bits = found[0].Value
		from = statusBaseKey(p.purpose, p.list, statusMoment{out.at.time, out.at.version + 1})
	}
	rng := kv.Range{From: from, To: end, Limit: kv.MaxScan}
	err = kv.Each(rd, tableStatusHistory, rng, func(e kv.Entry) error { return out.add(e, bases) })
	if err == nil && bases {
		out.base()
	}
	return out, err
}

// add takes the next entry. A base lies between two versions, never within one.
func (s *statusReplay) add(e kv.Entry, bases bool) error {
	at, index, err := parseStatusKey(e.Key, 5)
	if err != nil {
		return err
	}
	if bases && at != s.at {
		s.base()
	}
	if index >= credentials.StatusListBits || len(e.Value) != 1 {
		return fmt.Errorf("status_history: %x is no entry", e.Key)
	}
	mask := byte(0x80) >> (index % 8)
	if e.Value[0] == 1 {
		s.bits[index/8] |= mask
	} else {
		s.bits[index/8] &^= mask
	}
	s.at = at
	s.since++
	return nil
}

// base makes a base of what was read so far if it is time for one.
func (s *statusReplay) base() {
	if s.since >= baseEvery {
		s.bases = append(s.bases, statusBase{s.at, slices.Clone(s.bits)})
		s.since = 0
	}
}

// parseStatusKey reads purpose, list, time, version and, of five parts, index.
func parseStatusKey(key []byte, parts int) (at statusMoment, index uint64, err error) {
	all, err := kv.ParseKey(key)
	if err != nil {
		return at, 0, err
	}
	if len(all) == parts {
		numbers := make([]uint64, 0, 4)
		for _, part := range all[1:] {
			if n, ok := part.(uint64); ok {
				numbers = append(numbers, n)
			}
		}
		if len(numbers) == parts-1 {
			at = statusMoment{int64(numbers[1]), numbers[2]}
			if parts == 5 {
				index = numbers[3]
			}
			return at, index, nil
		}
	}
	return at, 0, fmt.Errorf("status history: key %x is not purpose, list, time, version, index", key)
}

// parseStatusPlace reads purpose and list of a key that begins with them.
func parseStatusPlace(key []byte) (statusPlace, error) {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return statusPlace{}, err
	}
	if len(parts) >= 2 {
		purpose, ok1 := parts[0].(string)
		list, ok2 := parts[1].(uint64)
		if ok1 && ok2 && slices.Contains(credentials.StatusPurposes(), credentials.StatusPurpose(purpose)) {
			return statusPlace{credentials.StatusPurpose(purpose), int(list)}, nil
		}
	}
	return statusPlace{}, fmt.Errorf("key %x does not begin with purpose and list of a status list", key)
}

// listBegan is when the first place of a list was given out; false when none was.
func listBegan(rd kv.Reader, list int) (time.Time, bool, error) {
	b, err := rd.Get(tableStatusLists, kv.Key(uint64(list)))
	if err != nil || b == nil {
		return time.Time{}, false, err
	}
	return asTime(b), true, nil
}
