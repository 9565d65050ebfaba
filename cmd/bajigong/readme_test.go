package main

import (
	"os"
	"strings"
	"testing"

	"bajigong/internal/invented"
)

// The tours of both READMEs use people and numbers of the demonstration; they
// must be those that it makes.
func TestReadmeNamesThePeopleOfTheDemo(t *testing.T) {
	for _, name := range []string{"../../README.md", "../../README.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fourth, fifth, first := invented.PersonAt(3), invented.PersonAt(4), invented.PersonAt(0)
		for _, want := range []string{fourth.Name, fourth.Document, fifth.Name, fifth.Document, first.Name, "S000032058301263000001", "S000032058301263000004",
			"go run ./cmd/bajigong demo", "go test ./...", "docs/pictures/verdict.png"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not have %q", name, want)
			}
		}
	}
}
