package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp holds the help of every command. Run it with -update after a change,
// and read the difference.
func TestHelp(t *testing.T) {
	seen := map[string]bool{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		file := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".golden"
		seen[file] = true
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			m := newMachine(t)
			got := m.run(exitOK, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
			if cmd.Long == "" || cmd.Short == "" {
				t.Error("this command does not explain itself")
			}
			golden(t, filepath.Join("testdata", "help", file), []byte(got))
		})
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				walk(sub)
			}
		}
	}
	walk(newRoot(newMachine(t).world()))
	files, err := filepath.Glob("testdata/help/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if seen[filepath.Base(f)] {
			continue
		}
		if !*update {
			t.Errorf("%s is of no command", f)
		} else if err := os.Remove(f); err != nil {
			t.Error(err)
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run the test with -update and read the difference. Now:\n%s", file, got)
	}
}

// TestHelpShowsNoSecrets: what is in the environment must not get into help.
func TestHelpShowsNoSecrets(t *testing.T) {
	m := newMachine(t)
	m.env["BAJIGONG_KEY"] = "bjg_abc_geheim"
	for _, args := range [][]string{{"issue", "--help"}, {"claim", "check", "--help"}, {"claim", "nonsense"}} {
		run(t.Context(), args, m.world())
		if bytesContain(m.out.Bytes(), "geheim") || bytesContain(m.errs.Bytes(), "geheim") {
			t.Errorf("%v shows the key", args)
		}
	}
}

func bytesContain(b []byte, word string) bool { return bytes.Contains(b, []byte(word)) }
