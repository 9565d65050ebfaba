package main

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/torture"
	"bajigong/registry/policy"
)

// untilSaid keeps what is written, a line at a time, and does what is then to be
// done once every missing piece was in some line.
type untilSaid struct {
	bytes.Buffer
	missing []string
	then    func() error
}

func (u *untilSaid) Write(line []byte) (int, error) {
	if len(u.missing) > 0 {
		u.missing = slices.DeleteFunc(u.missing, func(piece string) bool { return bytes.Contains(line, []byte(piece)) })
		if len(u.missing) == 0 {
			if err := u.then(); err != nil {
				return 0, err
			}
		}
	}
	return u.Buffer.Write(line)
}

// TestStormIsHeldToItsWord: what the judge of a storm calls whole is whole. Each kind
// of loss, and of doubling, is made by hand once, and each is seen.
func TestStormIsHeldToItsWord(t *testing.T) {
	t.Parallel()
	p, err := newPatient(t.Context(), tortureWorld(t), filepath.Join(t.TempDir(), "register"), "", seedOf(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.fill(t.Context(), torture.Size{Issue: 2, IssueRows: 40, Upload: 2, UploadRows: 20, Claims: 60}); err != nil {
		t.Fatal(err)
	}
	// The storm ends when each thing that is changed below was said once.
	orders, give := io.Pipe()
	said := untilSaid{missing: []string{`"did":"claimed"`, `"did":"uploaded"`, `"did":"published"`, `"did":"voided"`, `"did":"checkpointed"`, `"state":"confirmed"`}, then: give.Close}
	go func() { _, _ = io.WriteString(give, "\n\n") }()
	if err := p.with(t.Context(), func(reg *opened) error {
		return p.scene.Storm(t.Context(), reg.Registry, 0, 1, orders, &said)
	}); err != nil {
		t.Fatal(err)
	}
	acks, err := torture.ParseAcks(said.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	verify := func(acks []torture.Ack) (problems []string) {
		t.Helper()
		if err := p.with(t.Context(), func(reg *opened) error {
			report, err := p.scene.VerifyStorm(t.Context(), reg.Registry, acks)
			problems = report.Problems
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return problems
	}
	if problems := verify(acks); len(problems) != 0 {
		t.Fatalf("a storm without a stroke: %v", problems)
	}
	// What was acknowledged and is not there, or is something else.
	last := func(did torture.Did, state policy.State) torture.Ack {
		for _, a := range slices.Backward(acks) {
			if a.Did == did && (state == "" || a.State == state) {
				return a
			}
		}
		t.Fatalf("nothing was %s %s", did, state)
		return torture.Ack{}
	}
	for what, change := range map[string]func() torture.Ack{
		"a claim that is nowhere": func() torture.Ack { a := last(torture.Claimed, ""); a.Claim = "c-nowhere"; return a },
		"a claim in another state": func() torture.Ack {
			a := last(torture.Claimed, policy.Confirmed)
			a.State = policy.Refunded
			return a
		},
		"a claim on something else": func() torture.Ack { a := last(torture.Claimed, ""); a.Reference += "x"; return a },
		"one certificate fewer": func() torture.Ack {
			a := last(torture.Published, "")
			a.Numbers = append(slices.Clone(a.Numbers), a.Numbers[0])
			return a
		},
		"another number": func() torture.Ack {
			a := last(torture.Published, "")
			a.Numbers = slices.Clone(a.Numbers)
			slices.Reverse(a.Numbers)
			return a
		},
		"rows of an upload": func() torture.Ack { a := last(torture.Uploaded, ""); a.Rows++; return a },
		"a voiding": func() torture.Ack {
			a := last(torture.Voided, "")
			a.Certificate = last(torture.Claimed, policy.Confirmed).Certificate
			return a
		},
		"a checkpoint": func() torture.Ack { a := last(torture.Checkpointed, ""); a.Size += 1e6; return a },
	} {
		if problems := verify(append(slices.Clone(acks), change())); len(problems) == 0 {
			t.Errorf("%s: acknowledged, not there, and not seen", what)
		}
	}
	// What is gone from the store, or there twice.
	confirmed := last(torture.Claimed, policy.Confirmed)
	e := func(fn func(kv.Reader) []kv.Write) {
		t.Helper()
		engine, err := boltkv.Open(p.data.storePath(), boltkv.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		if err := engine.Apply(t.Context(), func(rd kv.Reader) ([]kv.Write, error) { return fn(rd), nil }); err != nil {
			t.Fatal(err)
		}
	}
	var key, value []byte
	e(func(rd kv.Reader) []kv.Write {
		rows, err := rd.Scan("claims", kv.Range{Limit: kv.MaxScan})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if bytes.Contains(row.Value, []byte(`"`+confirmed.Claim+`"`)) {
				key, value = row.Key, row.Value
			}
		}
		return []kv.Write{{Table: "claims", Key: key, Value: bytes.Replace(value, []byte(confirmed.Claim), []byte("c-0000000000000001"), 1)}}
	})
	if problems := verify(acks); !slices.ContainsFunc(problems, func(s string) bool {
		return strings.Contains(s, confirmed.Claim+" on "+confirmed.Certificate+" was acknowledged")
	}) {
		t.Errorf("a claim that became another: %v", problems[:min(5, len(problems))])
	}
	e(func(kv.Reader) []kv.Write { return []kv.Write{{Table: "claims", Key: key, Value: value}} })
	if problems := verify(acks); len(problems) != 0 {
		t.Fatalf("put back: %v", problems)
	}
	e(func(rd kv.Reader) []kv.Write {
		leaves, err := rd.Scan("log_leaves", kv.Range{Limit: 1, Reverse: true})
		if err != nil {
			t.Fatal(err)
		}
		return []kv.Write{{Table: "log_leaves", Key: leaves[0].Key}}
	})
	if problems := verify(acks); len(problems) == 0 {
		t.Error("a log without its last entry is not seen")
	}
}
