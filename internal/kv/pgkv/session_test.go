package pgkv

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/pgkv/pgtest"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestErrors(t *testing.T) {
	server := func(severity, code string) error {
		return fmt.Errorf("wrapped: %w", &pgconn.PgError{SeverityUnlocalized: severity, Code: code})
	}
	for _, test := range []struct {
		name      string
		err       error
		temporary bool
		refused   bool // as the answer to a COMMIT under way
	}{
		{"none", nil, false, false},
		{"connection lost", io.ErrUnexpectedEOF, true, false},
		{"standby", fmt.Errorf("connect: %w", errReadOnly), true, false},
		{"closed", kv.ErrClosed, false, false},
		{"foreign tables", checkLayout("2"), false, false},
		{"disk full", server("ERROR", "53100"), false, true},
		{"statement time-out", server("ERROR", "57014"), false, true},
		{"lock time-out", server("ERROR", "55P03"), true, true},
		{"serialization failure", server("ERROR", "40001"), true, true},
		{"deadlock", server("ERROR", "40P01"), true, true},
		{"outcome unknown", server("ERROR", "40003"), false, false},
		{"connection of a middleman lost", server("ERROR", "08006"), true, false},
		{"idle in transaction", server("FATAL", "25P03"), true, false},
		{"server is stopping", server("FATAL", "57P01"), true, false},
		{"server crashed", server("FATAL", "57P02"), true, false},
		{"server is starting", server("FATAL", "57P03"), true, false},
		{"too many connections", server("FATAL", "53300"), true, false},
		{"read-only", server("ERROR", "25006"), true, true},
		{"wrong password", server("FATAL", "28P01"), false, false},
	} {
		if got := temporary(test.err); got != test.temporary {
			t.Errorf("%s: temporary = %t", test.name, got)
		}
		if got := refused(test.err); got != test.refused {
			t.Errorf("%s: refused = %t", test.name, got)
		}
	}
}

func TestSessionSettings(t *testing.T) {
	t.Parallel()
	connString := pgtest.New(t) + " options='-c synchronous_commit=off -c statement_timeout=0'"
	e, err := Open(t.Context(), connString, Options{Timeout: 6 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, err := e.writers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.writers.give(c)
	for name, want := range map[string]string{
		"synchronous_commit":                  "on",
		"idle_in_transaction_session_timeout": "6s",
		"lock_timeout":                        "6s",
		"statement_timeout":                   "12s",
		"client_connection_check_interval":    "6s",
		"plan_cache_mode":                     "force_generic_plan",
		"application_name":                    "bajigong",
	} {
		var got string
		if err := c.QueryRow(t.Context(), "select current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, want %q (%v)", name, got, want, err)
		}
	}
}

// Every statement walks the primary key, also when the planner believes that the
// table is empty: prepared statements keep the plan made then while it fills.
func TestPlans(t *testing.T) {
	e, err := Open(t.Context(), pgtest.New(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, err := e.writers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer e.writers.give(c)
	if err := exec(t.Context(), c, "analyze", time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"select key, value from bajigong_kv where tbl = 't' and key = any('{a,b}'::bytea[])",
		"select key, value from bajigong_kv where tbl = 't' and key >= 'a' and key < 'b' order by tbl desc, key desc limit 10",
		"select key, value from bajigong_kv where tbl = 't' and key >= '' order by tbl, key limit 10000",
		"delete from bajigong_kv k using unnest('{t}'::text[], '{a}'::bytea[]) d(tbl, key) where k.tbl = d.tbl and k.key = d.key",
	} {
		results, err := c.PgConn().Exec(t.Context(), "explain "+statement).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for _, row := range results[0].Rows {
			plan.Write(row[0])
			plan.WriteByte('\n')
		}
		if s := plan.String(); !strings.Contains(s, "Index Scan") || strings.Contains(s, "Sort") || strings.Contains(s, "Seq Scan") {
			t.Errorf("%s\n%s", statement, s)
		}
	}
}

func TestClose(t *testing.T) {
	e, err := Open(t.Context(), pgtest.New(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan bool)
	err = e.Apply(t.Context(), func(r kv.Reader) ([]kv.Write, error) {
		go func() {
			e.Close()
			close(closed)
		}()
		for refused := false; !refused; {
			refused = errors.Is(e.View(t.Context(), func(kv.Reader) error { return nil }), kv.ErrClosed)
		}
		select {
		case <-closed:
			t.Error("Close did not wait")
		default:
		}
		_, err := r.Get("t", []byte("k"))
		return []kv.Write{{Table: "t", Key: []byte("k"), Value: []byte("v")}}, err
	})
	if err != nil {
		t.Errorf("an Apply that was running: %v", err)
	}
	<-closed
	if err := e.Apply(t.Context(), nil); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Apply: %v", err)
	}
	if _, _, err := e.Snapshot(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Snapshot: %v", err)
	}
	e.Close()
}
