package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/needed"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/registrytest"
)

// independentWitness builds and starts the witness in .ci/witness, which is made
// of other people's libraries.
func independentWitness(t *testing.T, name, logKey string) registry.Witness {
	t.Helper()
	program := filepath.Join(t.TempDir(), "witness")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", ".ci", "witness")
	if out, err := build.CombinedOutput(); err != nil {
		needed.Missing(t, fmt.Sprintf("the modules of the independent witness (go mod download in .ci/witness): %v\n%s", err, out))
	}
	run := exec.CommandContext(t.Context(), program, name, logKey)
	stdin, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		run.Wait()
	})
	lines := bufio.NewScanner(stdout)
	var got []string
	for len(got) < 2 && lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) != 2 {
		t.Fatalf("the witness said %q", got)
	}
	return registry.Witness{URL: got[0], Key: got[1]}
}

// postTo is the transport without the guard, for witnesses on this machine.
func postTo(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return auditlog.WitnessAnswer{}, err
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		return auditlog.WitnessAnswer{}, err
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	return auditlog.WitnessAnswer{Status: got.StatusCode, ContentType: got.Header.Get("Content-Type"), Body: b}, err
}

// withWitnesses is the registry of e with witnesses.
func withWitnesses(t *testing.T, e *registrytest.Env, witnesses ...registry.Witness) *registry.Registry {
	t.Helper()
	c := e.Config()
	c.Witnesses = witnesses
	r, err := registry.New(e.DB, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIndependentWitnessCosigns(t *testing.T) {
	e := registrytest.New(t)
	w := independentWitness(t, "witness.example.org/w1", e.LogKey())
	r := withWitnesses(t, e, w)
	keys, err := auditlog.ParseWitnessKeys(w.Key)
	if err != nil {
		t.Fatal(err)
	}
	log, err := auditlog.NewVerifier(e.LogKey())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	grow := func() { n++; e.MustAdmit(n) }
	served := func(by *registry.Registry) (auditlog.Checkpoint, []auditlog.Cosignature) {
		t.Helper()
		signed, err := by.PublicCheckpoint(bg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := auditlog.OpenCheckpoint(signed, log)
		if err != nil {
			t.Fatal(err)
		}
		got, err := auditlog.VerifyCosignatures(signed, keys, 0)
		if err != nil {
			t.Fatal(err)
		}
		return c, got
	}
	ask := func(by *registry.Registry) registry.WitnessReport {
		t.Helper()
		reports, err := by.AskWitnesses(bg, postTo)
		if err != nil || len(reports) != 1 {
			t.Fatalf("%+v, %v", reports, err)
		}
		return reports[0]
	}
	if _, got := served(r); len(got) != 0 {
		t.Fatal("cosigned before anybody was asked")
	}
	var last uint64
	for range 4 {
		grow()
		if report := ask(r); report.Err != nil {
			t.Fatal(report.Err)
		}
		c, got := served(r)
		if len(got) != 1 || c.Size <= last {
			t.Fatalf("%+v with %d cosignatures, after %d", c, len(got), last)
		}
		last = c.Size
	}
	if report := ask(r); report.Err != nil { // nothing new: the same size again
		t.Fatal(report.Err)
	}
	// The log grows; auditors are served what was cosigned for three minutes.
	c, _ := served(r)
	grow()
	if again, got := served(r); again != c || len(got) != 1 {
		t.Fatalf("%+v with %d", again, len(got))
	}
	// A proof comes with the cosignatures.
	b, err := r.Proof(bg, e.Authority, c.Size-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = auditlog.VerifyBundle(b, log); err == nil {
		_, err = auditlog.VerifyCosignatures(b.Checkpoint, keys, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Clock.Add(auditlog.CosignedFor + time.Second)
	if again, got := served(r); again.Size <= c.Size || len(got) != 0 {
		t.Fatalf("%+v with %d", again, len(got))
	}
}

// A new process that begins at 0 is told the size by 409 and cosigned at the second
// question.
func TestWitnessTellsItsSize(t *testing.T) {
	e := registrytest.New(t)
	w := independentWitness(t, "witness.example.org/w1", e.LogKey())
	e.MustAdmit(1)
	note, err := e.Checkpoint(bg)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := postTo(bg, w.URL+"/add-checkpoint", auditlog.FormatSubmission(0, nil, note)); err != nil || a.Status != 200 {
		t.Fatalf("%+v, %v", a, err)
	}
	e.MustAdmit(2)
	asked := 0
	reports, err := withWitnesses(t, e, w).AskWitnesses(bg, func(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error) {
		asked++
		return postTo(ctx, url, body)
	})
	if err != nil || reports[0].Err != nil || asked != 2 {
		t.Fatalf("%d questions: %+v, %v", asked, reports, err)
	}
}

// A witness that is slow, silent or wrong takes nothing from the checkpoint.
func TestBadWitnessSpoilsNothing(t *testing.T) {
	e := registrytest.New(t)
	e.MustAdmit(1)
	const name = "witness.example.org/w1"
	data := append([]byte{4}, ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), data...))
	key := fmt.Sprintf("%s+%x+%s", name, sum[:4], base64.StdEncoding.EncodeToString(data))
	r := withWitnesses(t, e, registry.Witness{Key: key, URL: "https://witness.example.org"})
	for name, c := range map[string]struct {
		answer auditlog.WitnessAnswer
		err    error
		code   string
	}{
		"silent":          {err: errors.New("no route")},
		"a false line":    {answer: auditlog.WitnessAnswer{Status: 200, Body: []byte("— witness.example.org/w1 AAAA\n")}, code: "witness_answer"},
		"a longer log":    {answer: auditlog.WitnessAnswer{Status: 409, ContentType: "text/x.tlog.size", Body: []byte("99999\n")}, code: "witness_ahead"},
		"not this log":    {answer: auditlog.WitnessAnswer{Status: 404}, code: "witness_answer"},
		"endless":         {answer: auditlog.WitnessAnswer{Status: 200, Body: bytes.Repeat([]byte("x"), auditlog.MaxWitnessAnswer+1)}, code: "witness_answer"},
		"turns and turns": {code: "witness_restless"},
	} {
		t.Run(name, func(t *testing.T) {
			sizes := 0
			reports, err := r.AskWitnesses(bg, func(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error) {
				if url != "https://witness.example.org/add-checkpoint" {
					t.Errorf("asked at %s", url)
				}
				if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > registry.LeaseTime/2 {
					t.Error("no time limit")
				}
				if name == "turns and turns" {
					sizes++ // 1, 0, 1: none is the one that was asked from
					return auditlog.WitnessAnswer{Status: 409, ContentType: "text/x.tlog.size", Body: fmt.Appendf(nil, "%d\n", sizes%2)}, nil
				}
				return c.answer, c.err
			})
			if err != nil || len(reports) != 1 || reports[0].Err == nil || c.code != "" && fail.CodeOf(reports[0].Err) != c.code {
				t.Fatalf("%+v, %v", reports, err)
			}
			plain, err := r.Checkpoint(bg)
			if err != nil {
				t.Fatal(err)
			}
			if served, err := r.PublicCheckpoint(bg); err != nil || !bytes.Equal(served, plain) {
				t.Fatalf("%q, %v", served, err)
			}
		})
	}
}

// Witnesses' addresses are held to what those of webhooks are held to.
func TestWitnessAddresses(t *testing.T) {
	for _, bad := range []string{"", "http://witness.example.org", "https://127.0.0.1/", "https://10.1.2.3", "https://localhost/x", "https://[::1]/", "https://u:p@witness.example.org", "https://169.254.169.254/latest"} {
		if _, err := registry.CheckWitnessURL(bad, nil); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	got, err := registry.CheckWitnessURL("https://10.1.2.3/w/", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	if err != nil || got != "https://10.1.2.3/w" {
		t.Fatal(got, err)
	}
}
