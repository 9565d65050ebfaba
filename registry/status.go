package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// How long a status list may be kept. The list is made anew as soon as a bit
// changes, so a verifier that asks again after StatusTTL is never further behind
// than that.
const (
	StatusTTL      = time.Minute
	statusValidity = 24 * time.Hour
	statusRefresh  = 5 * time.Minute // an unchanged list is signed anew after it
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

// setStatusBits reads all bits at once; each that changes moves the version of its
// list on.
func setStatusBits(tx kv.Tx, bits []statusBit) error {
	keys := make([][]byte, len(bits))
	for i, b := range bits {
		keys[i] = statusKey(b.purpose, b.list, b.index)
	}
	have, err := tx.GetMany(tableStatusBits, keys)
	if err != nil {
		return err
	}
	for i, b := range bits {
		if (have[i] != nil) == b.on {
			continue
		}
		if b.on {
			tx.Put(tableStatusBits, keys[i], unixBytes(tx.Now()))
		} else {
			tx.Delete(tableStatusBits, keys[i])
		}
		if err := bump(tx, counterStatusVersion(string(b.purpose), b.list)); err != nil {
			return err
		}
	}
	return nil
}

// statusCache keeps signed lists by the version of their bits; a list of
// another version is never answered from it.
type statusCache struct {
	mu    sync.Mutex
	lists map[string]signedStatus
}

type signedStatus struct {
	version uint64
	at      time.Time
	body    string
}

// StatusList is the signed status list of a name such as "revocation-0". NotFound
// when no certificate has a place in it.
func (r *Registry) StatusList(ctx context.Context, name string) (string, error) {
	purpose, list, err := credentials.ParseStatusListName(name)
	if err != nil {
		return "", err
	}
	now := r.cfg.Now().UTC().Truncate(time.Second)
	var cached signedStatus
	var fresh *credentials.StatusList
	var version uint64
	err = r.db.View(ctx, func(rd kv.Reader) error {
		given, err := counter(rd, counterStatus(), 0)
		if err != nil {
			return err
		}
		if list > 0 && uint64(list)*credentials.StatusListBits >= given {
			return fail.New(fail.NotFound, "no_status_list", "there is no status list %s", name).In("没有状态清单 %s", name)
		}
		if version, err = counter(rd, counterStatusVersion(string(purpose), list), 0); err != nil {
			return err
		}
		r.statuses.mu.Lock()
		cached = r.statuses.lists[name]
		r.statuses.mu.Unlock()
		if cached.body != "" && cached.version == version && now.Sub(cached.at) < statusRefresh {
			return nil
		}
		cached = signedStatus{}
		fresh, err = r.readStatusList(rd, purpose, list)
		return err
	})
	if err != nil || cached.body != "" {
		return cached.body, err
	}
	fresh.ValidFrom, fresh.ValidUntil, fresh.TTL = now, now.Add(statusValidity), StatusTTL
	signer, err := r.cfg.Keys.Signer(jws.Status)
	if err != nil {
		return "", err
	}
	body, err := fresh.Sign(signer)
	if err != nil {
		return "", err
	}
	r.statuses.mu.Lock()
	defer r.statuses.mu.Unlock()
	if r.statuses.lists == nil {
		r.statuses.lists = map[string]signedStatus{}
	}
	if old := r.statuses.lists[name]; old.version <= version {
		r.statuses.lists[name] = signedStatus{version: version, at: now, body: body}
	}
	return body, nil
}

// readStatusList collects the set bits of a list; there are as many rows as bits
// set, never as many as certificates.
func (r *Registry) readStatusList(rd kv.Reader, purpose credentials.StatusPurpose, list int) (*credentials.StatusList, error) {
	out := credentials.NewStatusList(r.cfg.Origin, purpose, list)
	rng := kv.Prefix(kv.Key(string(purpose), uint64(list)))
	rng.Limit = kv.MaxScan
	for {
		entries, err := rd.Scan(tableStatusBits, rng)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			index, err := statusIndexOf(e.Key)
			if err != nil {
				return nil, err
			}
			if err := out.Set(index, true); err != nil {
				return nil, err
			}
		}
		if len(entries) < rng.Limit {
			return out, nil
		}
		rng.From = append(entries[len(entries)-1].Key, 0)
	}
}

func statusIndexOf(key []byte) (int, error) {
	parts, err := kv.ParseKey(key)
	if err != nil {
		return 0, err
	}
	if len(parts) == 3 {
		if index, ok := parts[2].(uint64); ok {
			return int(index), nil
		}
	}
	return 0, fmt.Errorf("status_bits: key %x is not purpose, list, index", key)
}
