package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An auditor who demands cosignatures gets them or a no.
func TestAuditDemandsWitnesses(t *testing.T) {
	s := newServed(t)
	vkey := s.LogKey()
	copied := copyLog(t, s)
	name := filepath.Join(copied, "checkpoint")
	plain, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(plain), "\n\n")
	var keys, lines []string
	for i, witness := range []string{"a.example/w", "b.example/w"} {
		private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+i)), 32)))
		data := append([]byte{4}, private.Public().(ed25519.PublicKey)...) // tlog-cosignature: type 4
		id := sha256.Sum256(append([]byte(witness+"\n"), data...))
		sig := binary.BigEndian.AppendUint64(id[:4], 1767225600)
		sig = append(sig, ed25519.Sign(private, []byte("cosignature/v1\ntime 1767225600\n"+text+"\n"))...)
		keys = append(keys, fmt.Sprintf("%s+%x+%s", witness, id[:4], base64.StdEncoding.EncodeToString(data)))
		lines = append(lines, "— "+witness+" "+base64.StdEncoding.EncodeToString(sig)+"\n")
	}
	audit := []string{"audit", "log", "--dir", copied, "--vkey", vkey, "--witness", keys[0], "--witness", file(t, "b.vkey", keys[1]+"\n")}
	says(t, s.run(exitNo, audit...), "✕ 审计不通过", "cosignatures_missing")
	if err := os.WriteFile(name, []byte(string(plain)+lines[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	says(t, s.run(exitNo, audit...), "cosignatures_missing")
	says(t, s.run(exitOK, append(audit, "--quorum", "1")...), "✓ 审计通过", "1 / 2", "a.example/w")
	if err := os.WriteFile(name, []byte(string(plain)+lines[0]+lines[1]), 0o644); err != nil {
		t.Fatal(err)
	}
	says(t, s.run(exitOK, audit...), "✓ 审计通过", "2 / 2", "b.example/w")
	s.run(exitUsage, append(audit, "--quorum", "3")...)
	s.run(exitUsage, "audit", "log", "--dir", copied, "--vkey", vkey, "--quorum", "1")
	s.run(exitInvalid, "audit", "log", "--dir", copied, "--vkey", vkey, "--witness", vkey)
}
