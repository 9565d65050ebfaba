package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// Touched is a certificate whose present code a key signed.
type Touched struct {
	Number          string
	Version         int
	Institution     string // id
	InstitutionName string
	Status          CertificateStatus
	Signed          time.Time
	After           bool // signed after the key was no longer to be trusted
}

// TouchedByKey calls found for every certificate whose present version carries a
// code of the key kid, in the order of numbers: those whose paper says
// key-distrusted offline when that key is distrusted. It reads all versions, page
// by page, on no consistent state: a certificate issued meanwhile may be missing.
// NotFound no_key: the key ring has no QR key of that id.
func (r *Registry) TouchedByKey(ctx context.Context, by Actor, kid string, found func(Touched) error) error {
	key, err := r.qrKey(by, kid)
	if err != nil {
		return err
	}
	return r.eachOfKey(ctx, kid, func(page []signed) error {
		for _, s := range page {
			at := s.version.signedAt()
			one := Touched{Number: s.cert.Number, Version: s.version.N, Institution: s.cert.Institution, InstitutionName: s.cert.InstitutionName,
				Status: s.cert.Status, Signed: at, After: key.State == jws.Distrusted && !at.Before(key.DistrustedFrom)}
			if err := found(one); err != nil {
				return err
			}
		}
		return nil
	})
}

// ResignByKey gives every certificate whose present code was signed by a
// distrusted key a code of the active key. Number, handle and place in the status
// lists stay, so the old paper goes on to answer online; offline it says
// key-distrusted and a new print does not. Certificates that are void or ended are
// left alone. Pages are durable one by one; called again after a crash it goes on.
// progress, when not nil, sees how many are done.
//
// NotFound no_key; Conflict key_in_trust: the key is not distrusted.
func (r *Registry) ResignByKey(ctx context.Context, by Actor, kid string, progress func(done int)) (done int, err error) {
	key, err := r.qrKey(by, kid)
	if err != nil {
		return 0, err
	}
	if key.State != jws.Distrusted {
		return 0, fail.New(fail.Conflict, "key_in_trust", "key %s is %s; only what a distrusted key signed is signed anew", kid, key.State).
			In("密钥 %s 未停止信任，无须重签", kid)
	}
	err = r.eachOfKey(ctx, kid, func(page []signed) error {
		n, err := r.resignPage(ctx, by, kid, page)
		if done += n; err == nil && n > 0 && progress != nil {
			progress(done)
		}
		return err
	})
	if err != nil {
		return done, fmt.Errorf("re-sign what key %s signed: %w", kid, err)
	}
	return done, nil
}

func (r *Registry) qrKey(by Actor, kid string) (jws.Key, error) {
	if err := may(by, ManageKeyRing, Object{}); err != nil {
		return jws.Key{}, err
	}
	key, ok := r.cfg.Keys.Public().Key(kid)
	if !ok || key.Purpose != jws.QR {
		return key, fail.New(fail.NotFound, "no_key", "the key ring has no key %q that signs codes", kid).In("密钥库中没有编号为 %s 的二维码签名密钥", kid)
	}
	return key, nil
}

// signedAt is when the code of v was signed, or a little before.
func (v Version) signedAt() time.Time {
	if v.Resigned != nil {
		return *v.Resigned
	}
	return v.Created
}

// eachOfKey passes the present versions that a key signed, page by page.
func (r *Registry) eachOfKey(ctx context.Context, kid string, fn func(page []signed) error) error {
	rng := kv.Range{Limit: bulkPage}
	for {
		var page []signed
		var next []byte
		err := r.db.View(ctx, func(rd kv.Reader) error {
			page = nil
			vs, more, err := versions.Scan(rd, rng)
			if next = more; err != nil {
				return err
			}
			vs = slices.DeleteFunc(vs, func(v Version) bool { return v.KID != kid || !v.Signed })
			keys := make([][]byte, len(vs))
			for i, v := range vs {
				keys[i] = kv.Key(v.Number)
			}
			cs, _, err := certificates.GetMany(rd, keys)
			if err != nil {
				return err
			}
			for i, v := range vs {
				if cs[i].Versions == v.N {
					page = append(page, signed{cert: cs[i], version: v})
				}
			}
			return nil
		})
		if err == nil && len(page) > 0 {
			err = fn(page)
		}
		if err != nil || next == nil {
			return err
		}
		rng.From = next
	}
}

// resignPage signs outside the writer and stores in one Update what is still as it
// was read.
func (r *Registry) resignPage(ctx context.Context, by Actor, kid string, page []signed) (n int, err error) {
	page = slices.DeleteFunc(page, func(s signed) bool {
		return s.cert.Status == CertificateVoided || s.cert.Status == CertificateCancelled
	})
	if len(page) == 0 {
		return 0, nil
	}
	refs := make([]nationalRef, len(page))
	for i, s := range page {
		refs[i] = nationalRef{Number: s.cert.Number, Version: s.version.N}
	}
	var papers []Paper
	err = r.db.View(ctx, func(rd kv.Reader) (err error) {
		papers, err = r.papersAt(rd, refs) // one read for all
		return err
	})
	if err != nil {
		return 0, err
	}
	signer, err := r.cfg.Keys.Signer(jws.QR)
	if err != nil {
		return 0, err
	}
	group, _ := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range page {
		group.Go(func() error { return r.signOne(signer, &page[i], papers[i]) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	err = r.db.Bulk(ctx, func(tx kv.Tx) error {
		n = 0
		keys := make([][]byte, len(page))
		for i, s := range page {
			keys[i] = versionKey(s.cert.Number, s.version.N)
		}
		now, _, err := versions.GetMany(tx, keys)
		if err != nil {
			return err
		}
		var changed []Version
		numbers := sha256.New()
		for i, v := range now {
			if v.KID != kid {
				continue // signed anew meanwhile
			}
			at := tx.Now()
			v.KID, v.Resigned = signer.KID(), &at
			changed = append(changed, v)
			fmt.Fprintf(numbers, "%s\n", v.Number)
			tx.Put(tableSealed, sealedVersion(v.Number, v.N).storeKey(), page[i].block)
		}
		if n = len(changed); n == 0 {
			return nil
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: CodesResigned, Object: kid, Detail: map[string]any{"kid": signer.KID(), "count": n,
			"first": changed[0].Number, "last": changed[n-1].Number, "numbers_sha256": hex.EncodeToString(numbers.Sum(nil))}}); err != nil {
			return err
		}
		return versions.PutMany(tx, changed)
	})
	return n, err
}

// RecordKeys puts the public keys into the audit log when the key ring has
// changed since last time, so that anybody can tell since when a key was
// published, retired or distrusted, and tells other processes which keys are
// distrusted: each has a copy of the ring, and takes from the store at once what
// would be told it by the changed copy later. It is called when a process starts and
// every second. A process with an older copy of the ring records nothing else.
func (r *Registry) RecordKeys(ctx context.Context) error {
	generation, public := uint64(r.cfg.Keys.Generation()), r.cfg.Keys.Public()
	var stored []distrustedKey
	var untold []distrustedKey
	var known uint64
	look := func(rd kv.Reader) (err error) {
		if known, err = counter(rd, counterKeyRing(), 0); err != nil {
			return err
		}
		stored, _, err = distrustedKeys.Scan(rd, kv.Range{Limit: kv.MaxScan})
		untold = distrustOf(public, stored)
		return err
	}
	if err := r.db.View(ctx, look); err != nil {
		return err
	}
	for _, k := range stored {
		if r.cfg.Keys.Heed(k.KID, k.From) {
			r.log.Warn("a key was distrusted on another machine; copy its key ring to this one", "key", k.KID, "from", k.From)
		}
	}
	if known >= generation && len(untold) == 0 {
		return nil
	}
	return r.db.Update(ctx, func(tx kv.Tx) error {
		if err := look(tx); err != nil || known >= generation && len(untold) == 0 {
			return err
		}
		for _, k := range untold {
			k.Recorded = tx.Now()
			if err := distrustedKeys.Put(tx, k); err != nil {
				return err
			}
		}
		setCounter(tx, counterKeyRing(), max(known, generation))
		_, err := r.appendEvent(tx, Actor{Account: "registry", Via: "serve"}, Event{Kind: KeysChanged, Object: r.cfg.Keys.Code(), Detail: keysDetail(public)})
		return err
	})
}

// distrustedKey is what one process tells all others of a key.
type distrustedKey struct {
	KID      string    `json:"kid"`
	From     time.Time `json:"from"`
	Recorded time.Time `json:"recorded"`
}

// distrustOf are the distrusted keys of a ring of which the store does not know, or
// not from so early on.
func distrustOf(ring jws.KeySet, stored []distrustedKey) (out []distrustedKey) {
	for _, k := range ring.Keys() {
		told := slices.ContainsFunc(stored, func(s distrustedKey) bool { return s.KID == k.ID && !k.DistrustedFrom.Before(s.From) })
		if k.State == jws.Distrusted && !told {
			out = append(out, distrustedKey{KID: k.ID, From: k.DistrustedFrom})
		}
	}
	return out
}

// keysDetail names the keys that can sign and those that are distrusted, by id,
// purpose, state and thumbprint (RFC 7638), and counts the retired ones.
func keysDetail(set jws.KeySet) map[string]any {
	var lines []string
	retired := 0
	for _, k := range set.Keys() {
		if k.State == jws.Retired {
			retired++
			continue
		}
		line := fmt.Sprintf("%s %s %s %s", k.ID, k.Purpose, k.State, k.Thumbprint())
		if k.State == jws.Distrusted {
			line += " from " + k.DistrustedFrom.Format(time.RFC3339)
		}
		lines = append(lines, line)
	}
	return map[string]any{"keys": lines, "retired": retired}
}
