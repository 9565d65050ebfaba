package pgtest

import (
	"testing"

	"bajigong/internal/kv/pgkv/pgtest/pgserver"
)

// Fault is what a Proxy does to one COMMIT.
type Fault = pgserver.Fault

// The faults.
const (
	Pass        = pgserver.Pass
	CutBefore   = pgserver.CutBefore
	CutAfter    = pgserver.CutAfter
	CutAnswered = pgserver.CutAnswered
)

// Proxy stands between a client and a server and breaks connections at a
// chosen moment. It speaks the protocol without TLS.
type Proxy = pgserver.Proxy

// NewProxy starts a proxy for the server of connString; it ends with the test.
func NewProxy(t testing.TB, connString string) *Proxy {
	t.Helper()
	p, err := pgserver.NewProxy(connString)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}
