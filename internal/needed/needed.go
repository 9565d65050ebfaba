// Package needed is for tests that need more than Go: a program, a font, the source
// documents. Where the machine lacks it they say so and are left out; where CI=true
// they fail, so that nothing goes untried unseen.
package needed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Missing leaves the test out, or fails it where CI=true; why says what is missing and
// how to have it.
func Missing(t testing.TB, why ...any) {
	t.Helper()
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
		t.Fatal(append([]any{"needed with CI=true:"}, why...)...)
	}
	t.Skip(append([]any{"left out:"}, why...)...)
}

// Tried reports whether a test is to try input i of a long loop, see Every.
func Tried(i, usually, raced int) bool { return i%Every(usually, raced) == 0 }

// Every is which of the inputs of a long loop a test is to try: each n-th, fewer under
// the race detector, which finds nothing in one goroutine, and all with
// BAJIGONG_TEST_WHOLE in the environment.
func Every(usually, raced int) int {
	switch {
	case os.Getenv("BAJIGONG_TEST_WHOLE") != "":
		return 1
	case RaceDetector:
		return raced
	}
	return usually
}

// Span is how long a test is to go on with what is done many times, or to wait at most
// for what must not hang: d, and three times as long under the race detector, where each
// step takes several times as long.
func Span(d time.Duration) time.Duration {
	if RaceDetector {
		return 3 * d
	}
	return d
}

// Tool is the path of a program; debian names the package that has it.
func Tool(t testing.TB, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Missing(t, program, "is not on this machine (Debian: "+debian+")")
	}
	return path
}

// Shared is the text of a source document beside the repository, or in the folder
// named by BAJIGONG_SHARED; up leads from the test's folder to the repository.
func Shared(t testing.TB, up, name string) []byte {
	t.Helper()
	dir := os.Getenv("BAJIGONG_SHARED")
	if dir == "" {
		dir = filepath.Join(up, "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	if os.IsNotExist(err) {
		Missing(t, "the source document", name, "(its folder can be named in BAJIGONG_SHARED)")
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Fsck is the path of the Tessera project's checker of transparency logs, named in
// BAJIGONG_FSCK or put by .ci/run into its folder of the user's cache.
func Fsck(t testing.TB) string {
	t.Helper()
	path := os.Getenv("BAJIGONG_FSCK")
	if cache, err := os.UserCacheDir(); path == "" && err == nil {
		path = filepath.Join(cache, "bajigong-ci", "fsck")
	}
	if _, err := os.Stat(path); err != nil {
		Missing(t, "go install github.com/transparency-dev/tessera/cmd/fsck@v1.0.4 and name it in BAJIGONG_FSCK:", err)
	}
	return path
}

// Chromium is the path of a browser.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return Tool(t, "chromium", "chromium")
}

// NodeScript runs a script in node with the arguments of args and what it reads from
// in, beside packages of npm: those in the folder that BAJIGONG_NODE_MODULES names,
// that .ci/run has filled, or in a node_modules above the test. It gives what the
// script printed; a script that fails fails the test.
func NodeScript(t testing.TB, script string, packages, args []string, in []byte) string {
	t.Helper()
	node, modules, dir := Tool(t, "node", "nodejs"), nodeModules(t, packages), t.TempDir()
	text, err := os.ReadFile(script)
	program := filepath.Join(dir, filepath.Base(script))
	if err == nil {
		err = os.WriteFile(program, text, 0o600)
	}
	if err == nil { // node looks for packages beside the script
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{program}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(script), err, out)
	}
	return string(out)
}

func nodeModules(t testing.TB, packages []string) string {
	t.Helper()
	folders := []string{os.Getenv("BAJIGONG_NODE_MODULES")}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, filepath.Join(cache, "bajigong-ci", "node_modules"))
	}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			folders = append(folders, filepath.Join(dir, "node_modules"))
		}
	}
	for _, folder := range folders {
		lacks := func(name string) bool {
			_, err := os.Stat(filepath.Join(folder, filepath.FromSlash(name)))
			return err != nil
		}
		if filepath.IsAbs(folder) && !slices.ContainsFunc(packages, lacks) {
			return folder
		}
	}
	Missing(t, "a node_modules folder (BAJIGONG_NODE_MODULES) with", packages)
	return ""
}
