package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/needed"
)

func TestMain(m *testing.M) {
	needed.FewCollections()
	needed.FilesInMemory()
	os.Setenv(asCommand, "1") // in what the tests here start
	if needed.RaceDetector {  // it makes every process wait for a second at its end
		os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=0"))
	}
	testscript.Main(m, map[string]func(){"bajigong": main})
}

// TestScripts runs the program as a shell does. Beside the usual commands
// scripts have
//
//	exits N COMMAND…    run a command that must end with the exit code N
//	mint DIR [revoked]  make keys, directory, status lists and a certificate
//
// and those of a register that is served, see registerCommands.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: registerCommands(map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "mint": mint}),
		Setup: func(env *testscript.Env) error {
			if how := os.Getenv("GORACE"); how != "" {
				env.Setenv("GORACE", how)
			}
			env.Values["t"], env.Values["served"] = env.T(), new(*scriptServed)
			return nil
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// mint makes what an institution and a register would: a ring, a certificate as
// text, digits, token and picture, and everything that offline checks need.
func mint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: mint DIR [revoked]")
	}
	const origin = "https://zs.example.gov.cn"
	now := time.Now().UTC().Truncate(time.Second)
	dir := ts.MkAbs(args[0])
	ring, err := credentials.CreateKeyRing(filepath.Join(dir, "ring"), "js", credentials.Opener{}, rand.Reader, now)
	ts.Check(err)
	save := func(name string, body []byte) { ts.Check(os.WriteFile(filepath.Join(dir, name), body, 0o644)) }
	signer := func(p jws.Purpose) jws.Signer {
		s, err := ring.Signer(p)
		ts.Check(err)
		return s
	}
	const status = 4711
	token, err := credentials.SignToken(signer(jws.QR), credentials.Claims{Number: "S000032058300263000001", Name: "欧阳娜娜",
		DocumentMasked: "3****************X", Occupation: "6-31-01-03", Level: '3', Issued: "2026-03-20", Status: status})
	ts.Check(err)
	handle, err := credentials.NewHandle(rand.Reader)
	ts.Check(err)
	text := credentials.QRText(origin, handle, token)
	image, err := credentials.NewImage(text)
	ts.Check(err)
	png, err := image.PNG(4)
	ts.Check(err)
	directory, err := credentials.SignDirectory(signer(jws.Directory), credentials.Directory{Registry: "js", Name: "测试登记系统", Origin: origin, IssuedAt: now.Add(-3 * time.Hour),
		Institutions: []credentials.DirectoryInstitution{{Prefix: "S000032058300", Names: []credentials.DatedName{{From: "2026-01-01", Name: "某某培训中心"}},
			Statuses: []credentials.DatedStatus{{From: "2026-01-01", Recorded: time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC), Status: credentials.Filed}}}},
		Occupations: map[string]credentials.DirectoryOccupation{"6-31-01-03": {Name: "电工"}}})
	ts.Check(err)
	for _, p := range []credentials.StatusPurpose{credentials.Revocation, credentials.Suspension} {
		list := credentials.NewStatusList(origin, p, 0)
		list.ValidFrom, list.ValidUntil, list.TTL = now.Add(-2*time.Hour), now.Add(22*time.Hour), time.Minute
		if p == credentials.Revocation && slices.Contains(args[1:], "revoked") {
			ts.Check(list.Set(status, true))
		}
		signed, err := list.Sign(signer(jws.Status))
		ts.Check(err)
		save(string(p)+".jwt", []byte(signed))
	}
	for _, p := range jws.Purposes() {
		save(fmt.Sprintf("%s.json", p), ring.JWKS(p))
	}
	save("directory.jws", []byte(directory))
	save("text", []byte(text+"\n"))
	save("digits", []byte(token.Digits()))
	save("token", []byte(token))
	save("code.png", png)
}
