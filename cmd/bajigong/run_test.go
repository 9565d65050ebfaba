package main

import (
	"strings"
	"testing"
)

func TestMistakesOnTheCommandLine(t *testing.T) {
	m := newMachine(t)
	for name, args := range map[string][]string{
		"unknown command":       {"isue"},
		"unknown subcommand":    {"issue", "plans"},
		"unknown flag":          {"check", "--dta", "x"},
		"too few arguments":     {"issue", "results", "s-1"},
		"required flag":         {"claim", "release", "c-1"},
		"no server":             {"claim", "show", "c-1"},
		"not a server":          {"claim", "show", "c-1", "--server", "zs.example.gov.cn"},
		"a secret in the URL":   {"claim", "show", "c-1", "--server", "https://u:geheim@zs.example.gov.cn"},
		"a key without https":   {"claim", "show", "c-1", "--server", "http://zs.example.gov.cn", "--key", "bjg_geheim"},
		"server and files":      {"verify", "x", "--server", "https://zs.example.gov.cn", "--jwks", "qr.json"},
		"files without keys":    {"verify", "x", "--directory", "directory.jws"},
		"neither":               {"verify", "x"},
		"a key for its id":      {"key", "revoke", "bjg_geheim"},
		"no such purpose":       {"key", "ring", "rotate", "checkpoint"},
		"facts without a fact":  {"claim", "check", "--fact-source", "社保", "--server", "https://zs.example.gov.cn", "--key", "bjg_x"},
		"a fact without value":  {"claim", "check", "--fact", "employed", "--server", "https://zs.example.gov.cn", "--key", "bjg_x"},
		"what is not yes or no": {"claim", "refund", "c-1", "--amount", "1", "--reason", "r", "--restores", "maybe"},
	} {
		t.Run(name, func(t *testing.T) {
			m.t = t
			m.run(exitUsage, args...)
			if m.errs.Len() == 0 || m.out.Len() > 0 {
				t.Errorf("stdout %q, stderr %q", &m.out, &m.errs)
			}
			if bytesContain(m.errs.Bytes(), "geheim") {
				t.Errorf("a secret is shown: %s", &m.errs)
			}
		})
	}
}

func TestGroupsShowTheirHelp(t *testing.T) {
	m := newMachine(t)
	for _, name := range []string{"issue", "people", "collisions", "occupations", "key", "audit"} {
		says(t, m.run(exitOK, name), "Available Commands")
	}
	// Those of claims stand in the order of the work, none beside it.
	rest := m.run(exitOK, "claim")
	for _, stage := range []string{"核验 Check:", "锁定 Reserve:", "公示 Publicity:", "拨付和发放 Payout:", "发放之后 Afterwards:", "窗口、清单和统计 Overview:"} {
		_, after, found := strings.Cut(rest, stage)
		if !found || strings.Contains(after, "Additional Commands") {
			t.Fatalf("%s is not in its place, or commands stand in no stage:\n%s", stage, rest)
		}
		rest = after
	}
}
