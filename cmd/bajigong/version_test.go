package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/pgkv"
	"bajigong/internal/kv/pgkv/pgtest"
	"bajigong/registry"
)

// newerMigrations are those of a program that is one step ahead. Its step takes two
// pages, and the second waits until it is let go.
func newerMigrations(second <-chan struct{}) []kv.Migration {
	return append(registry.Migrations(), kv.Migration{Name: "of a newer program", Step: func(tx kv.Tx, cursor []byte) ([]byte, bool, error) {
		if cursor == nil {
			return []byte("second"), false, nil
		}
		select {
		case <-second:
			return nil, true, nil
		default:
			return nil, false, errors.New("killed between two pages")
		}
	}})
}

// A server that was left running while a newer program migrates its database answers
// nothing from it any more, from the first page on, and ends.
func TestServeEndsWhenANewerProgramMigrates(t *testing.T) {
	m := newMachine(t)
	conn := pgtest.New(t)
	m.env["BAJIGONG_DATA"], m.env["BAJIGONG_STORE"] = filepath.Join(t.TempDir(), "data"), conn
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	m.run(exitOK, "init", "--origin", "http://"+addr, "--region", "320000", "--code", "js")
	code := make(chan int, 1)
	server := newMachine(t)
	server.env = m.env
	go func() { code <- run(context.Background(), []string{"serve", "--listen", addr}, server.world()) }()
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	const path = "/api/v1/occupations/6-31-01-03"
	deadline := time.Now().Add(20 * time.Second)
	for status := 0; status == 0 || status >= 500; status, _ = get(path) {
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %s", &server.errs)
		}
		time.Sleep(20 * time.Millisecond)
	}

	e, err := pgkv.Open(t.Context(), conn, pgkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	second := make(chan struct{})
	// The newer program dies between its two pages: that is enough.
	if _, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: "newer"}, newerMigrations(second)); err == nil || errors.Is(err, kv.ErrSchema) {
		t.Fatal(err)
	}
	if status, text := get(path); status != http.StatusServiceUnavailable && status != 0 {
		t.Errorf("the older server goes on answering: %d %s", status, text)
	}
	select {
	case got := <-code:
		if got != exitConflict {
			t.Errorf("exit code %d", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the older server does not end: %s", &server.errs)
	}
	says(t, server.errs.String(), "program_outdated", "新")
	m.run(exitConflict, "check")
	says(t, m.errs.String(), "program_outdated")
	close(second)
	db, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: "newer-2"}, newerMigrations(second))
	if err != nil {
		t.Fatal(err)
	}
	m.run(exitConflict, "serve", "--listen", addr)
	if err := db.View(t.Context(), func(r kv.Reader) error { _, err := r.Get("accounts", []byte("x")); return err }); err != nil {
		t.Error(err)
	}
}

// A server whose database is emptied under it ends, and does not tell that a newer
// program was there.
func TestServeEndsWhenItsDatabaseIsEmptied(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	conn := pgtest.New(t)
	m.env["BAJIGONG_DATA"], m.env["BAJIGONG_STORE"] = filepath.Join(t.TempDir(), "data"), conn
	m.run(exitOK, "init", "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js")
	server := newMachine(t)
	server.env = m.env
	w := server.world()
	var errs syncBuffer
	w.stderr = &errs
	code := make(chan int, 1)
	go func() { code <- run(context.Background(), []string{"serve", "--listen", "127.0.0.1:0"}, w) }()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(errs.String(), "msg=serving"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve: %s", errs.String())
		}
	}
	e, err := pgkv.Open(t.Context(), conn, pgkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Apply(t.Context(), func(r kv.Reader) (gone []kv.Write, err error) {
		tables, err := kv.Tables(r)
		for _, table := range tables {
			all, err := r.Scan(table, kv.Range{Limit: 10_000})
			if err != nil {
				return nil, err
			}
			for _, entry := range all {
				gone = append(gone, kv.Write{Table: table, Key: entry.Key})
			}
		}
		return gone, err
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-code:
		if got != exitConflict {
			t.Errorf("exit code %d", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not end: %s", errs.String())
	}
	says(t, errs.String(), "schema_lost", "清空")
	if strings.Contains(errs.String(), "program_outdated") {
		t.Errorf("a newer program is named:\n%s", errs.String())
	}
}

// What an older program finds in a file that a newer one has migrated.
func TestOlderProgramIsRefusedAtOpen(t *testing.T) {
	m := newStore(t)
	path := filepath.Join(m.env["BAJIGONG_DATA"], "store.db")
	e, err := boltkv.Open(path, boltkv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	close(done)
	db, err := kv.Open(t.Context(), e, kv.Options{Now: time.Now, Process: "newer"}, newerMigrations(done))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check"}, {"check", "--repair-indexes"}, {"key", "list"}, {"serve", "--listen", "127.0.0.1:0"}} {
		m.run(exitConflict, args...)
		says(t, m.errs.String(), "program_outdated", "升级")
		if strings.Contains(m.errs.String(), "panic") {
			t.Error(m.errs.String())
		}
	}
}
