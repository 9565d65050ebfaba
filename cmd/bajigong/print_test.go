package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"bajigong/internal/needed"
)

// fontsOfThisMachine skips a test that prints where there is nothing to print with.
func fontsOfThisMachine(t *testing.T) {
	t.Helper()
	if _, _, err := openFonts(nil); err != nil {
		needed.Missing(t, "a Chinese TrueType font (Debian: fonts-lxgw-wenkai):", err)
	}
}

func TestPrintFonts(t *testing.T) {
	fontsOfThisMachine(t)
	s := newServed(t)
	says(t, s.run(exitOK, "print", "fonts", "--text", "证书"), "1  ")
	s.run(exitInvalid, "print", "fonts", "--text", "王\U000323AF")
	says(t, s.errs.String(), "U+323AF")
	s.run(exitInvalid, "print", "fonts", "--font", file(t, "x.ttc", "ttcf00000000"))
	says(t, s.errs.String(), "x.ttc", "fonts-lxgw-wenkai")
	s.run(exitNotFound, "print", "fonts", "--font", filepath.Join(t.TempDir(), "none.ttf"))
}

func TestPrintCalibrate(t *testing.T) {
	fontsOfThisMachine(t)
	s := newServed(t)
	out := filepath.Join(t.TempDir(), "c.pdf")
	s.run(exitOK, "print", "calibrate", "--data", t.TempDir(), "-o", out, "--offset", "0.5,-1")
	if b, err := os.ReadFile(out); err != nil || !bytes.HasPrefix(b, []byte("%PDF-1.7")) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	s.run(exitUsage, "print", "calibrate", "-o", out, "--offset", "1")
	s.run(exitUsage, "print", "calibrate", "-o", out, "--offset", "NaN,0")
	s.run(exitUsage, "print", "calibrate")
	s.run(exitNotFound, "print", "calibrate", "--data", t.TempDir(), "--blank", "none", "-o", out)
}

// The certificates of a session over HTTP, into files that only their owner reads.
func TestPrintSessionAndCertificate(t *testing.T) {
	fontsOfThisMachine(t)
	s := newServed(t)
	by := s.MustAdmit(1)
	s.institutionKey(by)
	issued := s.MustCertificates(by, 0, 3)
	out := filepath.Join(t.TempDir(), "证书.pdf")
	s.run(exitOK, "print", "session", issued[0].Session, "-o", out)
	says(t, s.errs.String(), "已写入", "样例")
	info, err := os.Stat(out)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() < 10_000 {
		t.Errorf("%v, %v", info, err)
	}
	one := filepath.Join(t.TempDir(), "one.pdf")
	s.run(exitOK, "print", "certificate", issued[1].Number, "--purpose", "spoiled", "--bilingual", "-o", one)
	s.run(exitOK, "print", "certificate", issued[1].Number, "--blank", "blank-sample", "--offset", "0.5,-1", "-o", one)
	says(t, s.errs.String(), "版式为样例")
	s.run(exitUsage, "print", "certificate", issued[1].Number, "--offset", "0.5,-1", "-o", one)
	s.run(exitUsage, "print", "certificate", issued[1].Number)
	s.run(exitInvalid, "print", "certificate", issued[1].Number, "--purpose", "fun", "-o", one)
	s.run(exitInvalid, "print", "session", issued[0].Session, "--blank", "none", "-o", one)
	s.run(exitNotFound, "print", "session", "s-none", "-o", one)
}

func TestSealsOfTheConfigurationAreReadAtOnce(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if _, err := paperOf(config{Seals: map[string]string{"i-1": filepath.Join(t.TempDir(), "none.png")}}, log); err == nil {
		t.Error("a seal that is not there is passed over")
	}
	if _, err := paperOf(config{Seals: map[string]string{"i-1": file(t, "seal.png", "GIF89a")}}, log); err == nil {
		t.Error("a seal that is no PNG is taken")
	}
	p, err := paperOf(config{Fonts: []string{file(t, "x.ttf", "OTTO00000000")}}, log)
	if err != nil {
		t.Fatal("a font is opened before it is needed")
	}
	if _, _, err := p.Fonts(); err == nil {
		t.Error("a CFF font is taken")
	}
	if got := partName("a/证书.pdf", 3); got != "a/证书-3.pdf" {
		t.Errorf("part %s", got)
	}
}

// TestPrintJobWritesPDF: what a job assigns is written beside it.
func TestPrintJobWritesPDF(t *testing.T) {
	fontsOfThisMachine(t)
	s := newServed(t)
	by := s.MustAdmit(1)
	s.institutionKey(by)
	issued := s.MustCertificates(by, 0, 2)
	name := filepath.Join(t.TempDir(), "证书.pdf")
	s.run(exitUsage, "issue", "print", issued[0].Session, "--plain", "-o", name, "--offset", "1,1")
	says(t, s.run(exitOK, "issue", "print", issued[0].Session, "--plain", "-o", name), "已登记打印 2 份")
	b, err := os.ReadFile(name)
	if err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) || !bytes.Contains(b, []byte("/Count 2/")) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for _, kind := range []string{"准考证", "签到表", "名册", "签领表"} {
		list := filepath.Join(t.TempDir(), "list.pdf")
		s.run(exitOK, "issue", "lists", issued[0].Session, kind, "-o", list)
		if b, err := os.ReadFile(list); err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
