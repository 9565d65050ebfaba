package registry

import (
	"crypto/subtle"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// RequestLife is how long a creating request can be repeated under its
// Idempotency-Key.
const RequestLife = 30 * 24 * time.Hour

// Idempotency names one creating request of an actor. The zero value is none.
type Idempotency struct {
	Route string // method and path pattern
	Key   string // the caller's Idempotency-Key, at most 200 bytes
	Body  []byte // SHA-256 of the body
}

// Request is what is remembered of a creating request: never its body, only the
// id of what it made, so that a repeated one is answered from the record as it
// is now.
type Request struct {
	Account string    `json:"account"`
	Route   string    `json:"route"`
	Key     string    `json:"key"`
	Body    []byte    `json:"body"` // hash
	Result  string    `json:"result"`
	Expires time.Time `json:"expires"`
}

// repeated answers the id of what an earlier request under the same key made.
// Conflict: the key was used for another body.
func repeated(rd kv.Reader, by Actor, now time.Time) (id string, ok bool, err error) {
	q := by.Idempotency
	if q.Key == "" {
		return "", false, nil
	}
	old, ok, err := requests.Get(rd, kv.Key(by.Account, q.Route, q.Key))
	if err != nil || !ok || !now.Before(old.Expires) {
		return "", false, err
	}
	if subtle.ConstantTimeCompare(old.Body, q.Body) != 1 {
		return "", false, fail.New(fail.Conflict, "idempotency_key_reused", "this Idempotency-Key was used for another request").
			In("该 Idempotency-Key 已用于内容不同的请求，请换一个")
	}
	return old.Result, true, nil
}

// remember stores the id of what a request made, in the same Update, and clears
// a few requests that have expired.
func remember(tx kv.Tx, by Actor, id string) error {
	q := by.Idempotency
	if q.Key == "" {
		return nil
	}
	old, _, err := requests.ScanIndex(tx, indexRequestsByExpiry, kv.Range{To: kv.Key(uint64(tx.Now().Unix())), Limit: 4})
	if err != nil {
		return err
	}
	for _, gone := range old {
		if err := requests.Delete(tx, requests.Key(gone)); err != nil {
			return err
		}
	}
	return requests.Put(tx, Request{Account: by.Account, Route: q.Route, Key: q.Key, Body: q.Body, Result: id, Expires: tx.Now().Add(RequestLife)})
}
