package registry

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// SignIn is somebody signed in on the pages: a random secret of 256 bits, known
// here by its hash alone, that proves the account of the API key with which it
// began. It ends SignInIdle after it was last used, SignInLife after it began,
// with its key, and at once when it is signed out.
type SignIn struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"hash"` // SHA-256 of the secret; the key of the record
	Key     string    `json:"key"`  // id of the API key
	Account string    `json:"account"`
	Began   time.Time `json:"began"`
	Used    time.Time `json:"used"`    // to within signInTouch
	Expires time.Time `json:"expires"` // at the latest
}

// How long a sign-in lasts.
const (
	SignInIdle  = 8 * time.Hour
	SignInLife  = 24 * time.Hour
	signInTouch = 10 * time.Minute // a use is recorded at most this often
	signInsMost = 20               // open at once with one key; the oldest ends
)

func signInEnded() error {
	return fail.New(fail.Unauthorized, "sign_in_ended", "this sign-in is unknown or has ended; sign in again").In("登录已失效，请重新登录")
}

// SignIn begins one with an API key and returns its secret, 43 characters, once.
// Every way of failing gives the same Unauthorized as Authenticate.
func (r *Registry) SignIn(ctx context.Context, apiKey string) (SignIn, string, error) {
	var raw [32]byte
	r.rand.fill(raw[:])
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	hash, id := sha256.Sum256(raw[:]), r.rand.id("w")
	by, err := r.Authenticate(ctx, apiKey)
	if err != nil {
		return SignIn{}, "", err
	}
	key, _, _ := cutKey(apiKey)
	var out SignIn
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out = SignIn{}
		s := SignIn{ID: id, Hash: hash[:], Key: key, Account: by.Account, Began: tx.Now(), Used: tx.Now(), Expires: tx.Now().Add(SignInLife)}
		if err := r.endOldSignIns(tx, key); err != nil {
			return err
		}
		if err := signIns.Put(tx, s); err != nil {
			return err
		}
		if _, err := r.appendEvent(tx, by, Event{Kind: SignedIn, Object: s.ID, Detail: map[string]any{"account": s.Account, "hash_sha256": digestOf(s.Hash)}}); err != nil {
			return err
		}
		out = s
		return nil
	})
	if err != nil {
		return SignIn{}, "", fmt.Errorf("sign in: %w", err)
	}
	return out, secret, nil
}

// endOldSignIns makes room for one more under a key, and clears a few whose time
// is over.
func (r *Registry) endOldSignIns(tx kv.Tx, key string) error {
	over, _, err := signIns.ScanIndex(tx, indexSignInsByExpiry, kv.Range{To: kv.Key(uint64(tx.Now().Unix())), Limit: 8})
	if err != nil {
		return err
	}
	for _, s := range over {
		if err := signIns.Delete(tx, signIns.Key(s)); err != nil {
			return err
		}
	}
	rng := kv.Prefix(kv.Key(key))
	rng.Limit = signInsMost
	open, _, err := signIns.ScanIndex(tx, indexSignInsByKey, rng)
	if err != nil || len(open) < signInsMost {
		return err
	}
	return signIns.Delete(tx, signIns.Key(open[0]))
}

// SignedIn returns the sign-in of a secret and the actor that it proves.
// Unauthorized sign_in_ended whatever is wrong.
func (r *Registry) SignedIn(ctx context.Context, secret string) (SignIn, Actor, error) {
	hash, ok := signInHash(secret)
	if !ok {
		return SignIn{}, Actor{}, signInEnded()
	}
	var out SignIn
	var by Actor
	var touch bool
	err := r.view(ctx, func(rd kv.Reader, now time.Time) error {
		var err error
		if out, by, err = openSignIn(rd, hash, now); err != nil {
			return err
		}
		touch = now.Sub(out.Used) >= signInTouch
		return nil
	})
	if err != nil || !touch {
		return out, by, err
	}
	err = r.db.Update(ctx, func(tx kv.Tx) error {
		out, by = SignIn{}, Actor{}
		s, who, err := openSignIn(tx, hash, tx.Now())
		if err != nil {
			return err
		}
		s.Used = tx.Now()
		out, by = s, who
		return signIns.Put(tx, s)
	})
	return out, by, err
}

func signInHash(secret string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return nil, false
	}
	sum := sha256.Sum256(raw)
	return sum[:], true
}

// openSignIn finds a sign-in by its hash: whoever has the store alone cannot make
// the secret from it, and whoever has no secret finds nothing.
func openSignIn(rd kv.Reader, hash []byte, now time.Time) (SignIn, Actor, error) {
	s, ok, err := signIns.Get(rd, kv.Key(hash))
	if err != nil {
		return s, Actor{}, err
	}
	if !ok || !s.openAt(now) {
		return SignIn{}, Actor{}, signInEnded()
	}
	k, ok, err := apiKeys.Get(rd, kv.Key(s.Key))
	if err != nil {
		return SignIn{}, Actor{}, err
	}
	if !ok || k.Revoked != nil || !now.Before(k.Expires) {
		return SignIn{}, Actor{}, signInEnded()
	}
	a, ok, err := accounts.Get(rd, kv.Key(s.Account))
	if err != nil {
		return SignIn{}, Actor{}, err
	}
	if !ok {
		return SignIn{}, Actor{}, signInEnded()
	}
	return s, Actor{Account: a.ID, Organisation: a.Organisation, Roles: a.Roles, Region: a.Region, Via: "session:" + s.ID}, nil
}

// openAt is the rule of time.
func (s SignIn) openAt(now time.Time) bool {
	return now.Before(s.Expires) && now.Sub(s.Used) < SignInIdle
}

// SignOut ends a sign-in. One that has ended, or is unknown, stays so.
func (r *Registry) SignOut(ctx context.Context, secret string) error {
	hash, ok := signInHash(secret)
	if !ok {
		return nil
	}
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		s, by, err := openSignIn(tx, hash, tx.Now())
		if fail.KindOf(err) == fail.Unauthorized {
			return signIns.Delete(tx, kv.Key(hash))
		}
		if err != nil {
			return err
		}
		if err := signIns.Delete(tx, signIns.Key(s)); err != nil {
			return err
		}
		_, err = r.appendEvent(tx, by, Event{Kind: SignedOut, Object: s.ID})
		return err
	})
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return nil
}
