package pgkv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"bajigong/internal/kv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	beginRead = "begin isolation level repeatable read read only"
	// The read from the lock table is what fixes the state.
	beginSnapshot = beginRead + "; set local idle_in_transaction_session_timeout = 0; " +
		"set local statement_timeout = '60s'; select layout from bajigong_lock"
)

// layout is the version of the two tables, kept in the lock row.
const layout = "1"

// lastWarning is the key of a connection's CustomData for the server's last
// warning: a COMMIT that was not replicated as configured is only a warning.
const lastWarning = "last warning"

var errTables = errors.New("the tables are not what this program made")

var errReadOnly = errors.New("the server is a standby or the database is read-only: the registry needs the primary")

// connector reads connString and returns what opens a session with our settings.
func connector(connString string, timeout time.Duration, seen *witness) (func(context.Context) (*pgx.Conn, error), error) {
	config, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "bajigong"
	}
	if config.ConnectTimeout == 0 || config.ConnectTimeout > timeout {
		config.ConnectTimeout = timeout
	}
	dialer := &net.Dialer{Timeout: config.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: timeout / 2, Interval: timeout / 6, Count: 3,
	}}
	config.DialFunc = dialer.DialContext
	config.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			c.CustomData()[lastWarning] = n.Message
		}
	}
	// Here, and not in AfterConnect, a refusal goes on to the next host.
	settings := sessionSettings(timeout)
	config.ValidateConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		question, least := seen.question()
		results, err := c.Exec(ctx, settings+question).ReadAll()
		if err != nil {
			return fmt.Errorf("session settings: %w", err)
		}
		if string(results[0].Rows[0][0]) == "t" {
			return errReadOnly
		}
		return checkWitness(results[sessionResults:], least)
	}
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config.Copy()) }, nil
}

// sessionResults is how many results the query of sessionSettings has.
const sessionResults = 3

// sessionSettings is one query: whether the session can only read, then the
// settings we cannot do without, then those that not every server knows.
func sessionSettings(timeout time.Duration) string {
	ms := strconv.FormatInt(max(timeout.Milliseconds(), 1), 10)
	seconds := func(d time.Duration) string { return strconv.FormatInt(int64(max(d, time.Second)/time.Second), 10) }
	needed := [][2]string{
		{"synchronous_commit", "on"},
		{"idle_in_transaction_session_timeout", ms},
		{"lock_timeout", ms},
		{"statement_timeout", strconv.FormatInt(2*max(timeout.Milliseconds(), 1), 10)},
	}
	wanted := [][2]string{
		// A client that no longer answers is given up, also while it waits for the lock.
		{"tcp_user_timeout", ms},
		{"tcp_keepalives_idle", seconds(timeout / 2)},
		{"tcp_keepalives_interval", seconds(timeout / 6)},
		{"tcp_keepalives_count", "3"},
		{"client_connection_check_interval", ms},
		// Every statement is a walk along the primary key in its order. A plan
		// made and kept while the table was small would say otherwise.
		{"plan_cache_mode", "force_generic_plan"},
		{"enable_seqscan", "off"},
		{"enable_bitmapscan", "off"},
		{"enable_hashjoin", "off"},
		{"enable_mergejoin", "off"},
		{"jit", "off"},
	}
	var b strings.Builder
	b.WriteString("select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on'; select ")
	for i, s := range needed {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "set_config('%s', '%s', false)", s[0], s[1])
	}
	b.WriteString("; select set_config(name, s.v, false) from (values ")
	for i, s := range wanted {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "('%s', '%s')", s[0], s[1])
	}
	b.WriteString(") s(n, v) join pg_settings on name = s.n")
	return b.String()
}

// prepare creates the tables when they are absent, also when several processes
// do so at once, and checks their layout.
func prepare(ctx context.Context, c *pgx.Conn, log *slog.Logger) error {
	const create = `begin;
create table if not exists bajigong_kv (
	tbl text collate "C" not null,
	key bytea not null,
	value bytea not null,
	primary key (tbl, key)
);
create table if not exists bajigong_lock (id int primary key check (id = 1), layout int not null);
insert into bajigong_lock (id, layout) values (1, ` + layout + `) on conflict do nothing;
commit`
	var found, fsync string
	for try := 0; ; try++ {
		err := c.QueryRow(ctx, "select layout::text, coalesce(current_setting('fsync', true), '') from bajigong_lock").Scan(&found, &fsync)
		if err == nil {
			break
		}
		if !errors.Is(err, pgx.ErrNoRows) && sqlState(err) != "42P01" || try == 5 {
			return err
		}
		if err := exec(ctx, c, create, time.Minute); err != nil {
			// Another process may create them at this moment: duplicate table,
			// duplicate object, or a unique violation in the catalogue.
			switch sqlState(err) {
			case "42P07", "42710", "23505":
			default:
				return err
			}
			if err := exec(ctx, c, "rollback", time.Minute); err != nil {
				return err
			}
		}
	}
	if fsync == "off" {
		log.Warn("the database server runs with fsync=off: a power failure loses what was acknowledged")
	}
	return checkLayout(found)
}

func checkLayout(found string) error {
	if found != layout {
		return fmt.Errorf("%w: layout %s, known is %s", errTables, found, layout)
	}
	return nil
}

// exec runs statements without arguments, in one round trip.
func exec(ctx context.Context, c *pgx.Conn, sql string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := c.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// sqlState is the server's error code, "" when the error is not the server's.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// refused says that the server answered the statements before or with COMMIT
// with an error and is still there: then nothing of the transaction is left.
// Codes of class 08 and 40003 are a middleman's way to say that it does not know.
func refused(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.SeverityUnlocalized == "ERROR" &&
		!strings.HasPrefix(pg.Code, "08") && pg.Code != "40003"
}

// readOnlyTransaction is the server's answer to a lock when it is no primary.
const readOnlyTransaction = "25006"

// temporary says whether another attempt on a new connection may do better.
func temporary(err error) bool {
	for _, final := range []error{nil, kv.ErrClosed, errTables} {
		if errors.Is(err, final) {
			return false
		}
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return true // the connection failed, or led to no primary: one is made perhaps
	}
	switch pg.Code {
	case readOnlyTransaction,
		"25P03",          // idle in transaction for too long
		"40001", "40P01", // serialization failure, deadlock
		"53300",                   // too many connections
		"55P03",                   // lock not available in time
		"57P01", "57P02", "57P03": // server is stopping, crashed, starting
		return true
	}
	return strings.HasPrefix(pg.Code, "08")
}
