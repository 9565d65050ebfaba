package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/registry"
	"bajigong/registry/registrytest"
	"bajigong/web"
)

var update = flag.Bool("update", false, "write the golden files anew")

// machine is a machine of its own: nothing in the environment but what a test
// puts there, output kept.
type machine struct {
	t         testing.TB
	env       map[string]string
	now       func() time.Time
	stdin     string
	out, errs bytes.Buffer
}

func newMachine(t testing.TB) *machine {
	return &machine{t: t, env: map[string]string{}, now: time.Now}
}

func (m *machine) world() world {
	m.out.Reset()
	m.errs.Reset()
	return world{stdin: strings.NewReader(m.stdin), stdout: &m.out, stderr: &m.errs, env: func(name string) string { return m.env[name] }, now: m.now, rand: rand.Reader}
}

// run runs a command, which must end with the exit code want, and returns its
// standard output.
func (m *machine) run(want int, args ...string) string {
	m.t.Helper()
	if got := run(context.Background(), args, m.world()); got != want {
		m.t.Fatalf("bajigong %s: exit %d, want %d\n%s\n%s", strings.Join(args, " "), got, want, &m.out, &m.errs)
	}
	return m.out.String()
}

// says fails the test unless a text has every word.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("nothing of %q in\n%s", word, text)
		}
	}
}

// served is a register behind HTTP, on the clock of its tests.
type served struct {
	*registrytest.Env
	*machine
	url string
}

// newServed serves a new register on this machine. Commands that run on its
// machine find it by BAJIGONG_SERVER.
func newServed(t testing.TB, opts ...registrytest.Options) *served {
	t.Helper()
	s := &served{Env: registrytest.New(t, opts...), machine: newMachine(t)}
	pages, err := paperOf(config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server, err := web.New(s.Registry, web.Config{Log: slog.New(slog.DiscardHandler), Paper: pages})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(context.Background()), <-ended); err != nil {
			t.Error(err)
		}
	})
	s.url = "http://" + ln.Addr().String()
	s.machine.env["BAJIGONG_SERVER"] = s.url
	s.machine.now = s.Clock.Now
	return s
}

// key makes an account with a key, which the machine uses from now on.
func (s *served) key(in registry.NewAccount) string {
	s.machine.t.Helper()
	a, err := s.CreateAccount(context.Background(), registry.Operator(), in)
	if err != nil {
		s.machine.t.Fatal(err)
	}
	_, secret, err := s.IssueKey(context.Background(), registry.Operator(), a.ID, "test", 0)
	if err != nil {
		s.machine.t.Fatal(err)
	}
	s.machine.env["BAJIGONG_KEY"] = secret
	return secret
}

func (s *served) institutionKey(by registrytest.Issuer) string {
	return s.key(registry.NewAccount{Name: by.Institution.Name, Organisation: by.Institution.ID, Roles: []registry.Role{registry.RoleInstitution}, Region: by.Institution.Region})
}

func (s *served) payerKey(name, region string) string {
	return s.key(registry.NewAccount{Name: name, Organisation: name, Roles: []registry.Role{registry.RolePayer}, Region: region})
}

// file writes a file of the test's own.
func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustRead(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
