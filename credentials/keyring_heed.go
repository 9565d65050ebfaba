package credentials

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"bajigong/credentials/jws"
)

// Heed takes it from another machine that key kid is distrusted from a time on,
// before the copy of the ring that says so has come here: from now on this process
// trusts it no more and signs with the next key of its purpose, as the changed ring
// will. The files stay as they are, and a [KeyRing.Reload] forgets nothing of it. It
// reports whether the ring did not know; a kid that it does not have is kept in mind.
func (r *KeyRing) Heed(kid string, from time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	from = wholeSecond(from)
	if known, ok := r.heeded[kid]; ok && !from.Before(known) {
		return false
	}
	if r.heeded == nil {
		r.heeded = map[string]time.Time{}
	}
	r.heeded[kid] = from
	return r.applyHeeded()
}

// Edition changes with everything that changes what the ring trusts: what was
// verified under one edition holds under the same one.
func (r *KeyRing) Edition() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.edition
}

// applyHeeded gives keys that others distrust that state; r.mu is held.
func (r *KeyRing) applyHeeded() (changed bool) {
	keys := slices.Clone(r.ring.Keys)
	public := r.public.Keys()
	for i := range keys {
		k := &keys[i]
		from, ok := r.heeded[k.KID]
		if !ok || k.DistrustedFrom != nil && !from.Before(*k.DistrustedFrom) {
			continue
		}
		changed = true
		was, p := jws.State(k.State), jws.Purpose(k.Purpose)
		k.State, k.DistrustedFrom = string(jws.Distrusted), at(from)
		if was == jws.Active {
			next := ringFile{Keys: keys}
			next.activate(p, from)
		}
	}
	if !changed {
		return false
	}
	for i := range public {
		j := slices.IndexFunc(keys, func(k ringKey) bool { return k.KID == public[i].ID })
		public[i].State = jws.State(keys[j].State)
		if keys[j].DistrustedFrom != nil {
			public[i].DistrustedFrom = *keys[j].DistrustedFrom
		}
	}
	set, err := jws.NewKeySet(public...)
	if err != nil {
		return false // these very keys made a set before
	}
	r.ring.Keys, r.public = keys, set
	r.edition++
	return true
}

// ReloadChanged is [KeyRing.Reload] when ring.json is not the file that was read
// last; otherwise it costs no more than a look at its name.
func (r *KeyRing) ReloadChanged() error {
	info, err := os.Stat(filepath.Join(r.dir, ringName))
	if err != nil {
		return r.Reload() // which says what is wrong
	}
	r.mu.RLock()
	seen := r.seen
	r.mu.RUnlock()
	if seen != nil && os.SameFile(seen, info) && seen.ModTime().Equal(info.ModTime()) && seen.Size() == info.Size() {
		return nil
	}
	return r.Reload()
}
