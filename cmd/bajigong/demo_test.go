package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv/pgkv/pgtest"
)

// testWorld is a machine of its own: nothing in the environment, output kept.
func testWorld() (world, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return world{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now, rand: rand.Reader}, &out, &errs
}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	t.Run("bbolt", func(t *testing.T) { mustDemo(t) })
	t.Run("postgres", func(t *testing.T) { mustDemo(t, "--store", pgtest.New(t)) })
}

func mustDemo(t *testing.T, more ...string) {
	t.Helper()
	w, out, errs := testWorld()
	args := append([]string{"demo", "--once", "--dir", t.TempDir()}, more...)
	if code := run(context.Background(), args, w); code != exitOK {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	for _, want := range []string{"共 300 行，其中 14 行有误", "证书有效", "证书已撤销，自始无效", "苏州被拒", "太原被拒", "1 笔退票", "与记录逐字节相同", "应追回", "没有问题 no problems"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not say %q", want)
		}
	}
}

func TestInitRefusesWhatIsThere(t *testing.T) {
	w, out, errs := testWorld()
	dir := t.TempDir()
	args := []string{"init", "--data", dir, "--origin", "https://zs.example.gov.cn", "--region", "320000", "--code", "js"}
	if code := run(context.Background(), args, w); code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	if !strings.Contains(out.String(), "bjg_") {
		t.Error("the authority's key is not shown")
	}
	if code := run(context.Background(), args, w); code != exitConflict {
		t.Errorf("a second init: exit %d", code)
	}
	info, err := os.Stat(dir + "/keys")
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the key ring is open to others: %v %v", info.Mode(), err)
	}
	long := []string{"init", "--data", t.TempDir(), "--origin", "https://" + strings.Repeat("a", 60) + ".gov.cn", "--region", "320000", "--code", "js"}
	if code := run(context.Background(), long, w); code != exitInvalid {
		t.Errorf("an origin too long for the code: exit %d: %s", code, errs)
	}
}

func TestEveryKindOfErrorHasAnExitCode(t *testing.T) {
	for _, kind := range fail.Kinds() {
		if exitCodes[kind] == 0 {
			t.Errorf("kind %s has no exit code", kind)
		}
	}
	w, _, _ := testWorld()
	for _, args := range [][]string{{"nonsense"}, {"init"}, {"serve", "extra"}, {"demo", "--nonsense"}} {
		if code := run(context.Background(), args, w); code != exitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}
