package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bajigong/internal/invented"
	"bajigong/registry"
)

func TestCounterByCommands(t *testing.T) {
	s := newServed(t)
	issued := s.MustCertificates(s.MustAdmit(1), 0, 1)
	s.payerKey("ks-jy", "320583")
	p := invented.PersonAt(0)
	b, err := json.Marshal(registry.OverviewRequest{Document: p.Document, Name: p.Name, Purpose: "本人到窗口咨询"})
	if err != nil {
		t.Fatal(err)
	}
	request := file(t, "request.json", string(b))
	says(t, s.run(exitOK, "claim", "overview", "--file", request), issued[0].Number, "→", "昆政办发")
	to := filepath.Join(t.TempDir(), "告知单.html")
	says(t, s.run(exitOK, "claim", "notice", "--file", request, "-o", to), to)
	page, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	says(t, string(page), "一次性告知单", issued[0].Number)
	says(t, s.run(exitOK, "claim", "notice", "--file", request, "--fund", "skill_uplift", "--certificate", issued[0].Number, "-o", to), to)
	if page, err = os.ReadFile(to); err != nil || strings.Count(string(page), "<section") != 1 || strings.Contains(string(page), "<table>") {
		t.Errorf("one fund: %v\n%s", err, page)
	}
	s.run(exitInvalid, "claim", "notice", "--file", request, "--fund", "lottery", "-o", to)
	s.run(exitInvalid, "claim", "notice", "--file", request, "--certificate", "S000032058301269999999", "-o", to)
	s.run(exitUsage, "claim", "notice", "--file", request, "--certificate", "T"+p.Document, "-o", to)
	if strings.Contains(s.errs.String(), p.Document) {
		t.Error("the error repeats an identity number")
	}
	s.run(exitUsage, "claim", "notice", "--file", request)
	s.run(exitUsage, "claim", "overview")
	wrong := file(t, "wrong.json", `{"document": "`+p.Document+`", "name": "另一人", "purpose": "咨询"}`)
	says(t, s.run(exitNo, "claim", "overview", "--file", wrong), "不一致")
}
