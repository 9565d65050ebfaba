package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bajigong/internal/needed"

	"github.com/chromedp/chromedp"
)

// documented returns the program in the given language from the documentation of
// the verifiers.
func documented(t *testing.T, lang string) string {
	t.Helper()
	doc, err := os.ReadFile("../docs/verifiers.md")
	noFail(t, err)
	_, rest, ok1 := strings.Cut(string(doc), "```"+lang+"\n")
	code, _, ok2 := strings.Cut(rest, "\n```\n")
	if !ok1 || !ok2 {
		t.Fatalf("the documentation has no program in %s", lang)
	}
	return code + "\n"
}

// liveBundle is a register as of now with its bundle in a file.
func liveBundle(t *testing.T) (reg *bundled, file, pin string) {
	t.Helper()
	reg = newBundled(t)
	now := time.Now().UTC().Truncate(time.Second)
	reg.publish(t, now.Add(-time.Hour))
	b, err := GatherBundle(testOrigin, func() time.Time { return now }, reg.read)
	noFail(t, err)
	data, err := b.Format()
	noFail(t, err)
	file = filepath.Join(t.TempDir(), "js.bundle")
	noFail(t, os.WriteFile(file, data, 0o600))
	pin, err = b.Fingerprint()
	noFail(t, err)
	return reg, file, pin
}

// documentedRuns runs a program of the documentation with good and bad codes.
func documentedRuns(t *testing.T, run func(pin, text string) string) func(reg *bundled, pin string) {
	return func(reg *bundled, pin string) {
		t.Helper()
		says := func(out string, want ...string) {
			t.Helper()
			for _, w := range want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is missing in:\n%s", w, out)
				}
			}
		}
		says(run(pin, QRText(testOrigin, handleOf(7), reg.good)), "valid true 证书有效", "Compare the name", "欧阳娜娜", "3****************X", "电工")
		says(run(pin, reg.bad[1].Digits()), "revoked false", Sentence(ReasonRevoked, ZH, Args{}))
		says(run(pin, string(reg.bad[0])), "key-distrusted false")
		if out := run("sha256:"+strings.Repeat("0", 64), string(reg.good)); strings.Contains(out, "有效") || out == "" {
			t.Errorf("with another fingerprint:\n%s", out)
		}
	}
}

// TestDocumentedGoProgram compiles and runs the program.
func TestDocumentedGoProgram(t *testing.T) {
	t.Parallel()
	gotool := needed.Tool(t, "go", "golang")
	reg, file, pin := liveBundle(t)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "check")
	noFail(t, os.WriteFile(source, []byte(documented(t, "go")), 0o600))
	if out, err := exec.Command(gotool, "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(pin, text string) string {
		out, _ := exec.Command(program, file, pin, text).CombinedOutput()
		return string(out)
	}
	documentedRuns(t, run)(reg, pin)
	if out := run(pin, "hello"); !strings.Contains(out, "no answer: not_our_qr") {
		t.Error(out)
	}
}

// TestDocumentedNodeProgram runs the program beside the module.
func TestDocumentedNodeProgram(t *testing.T) {
	t.Parallel()
	node := needed.Tool(t, "node", "nodejs")
	reg, file, pin := liveBundle(t)
	dir := t.TempDir()
	script, err := os.ReadFile(scriptFile)
	noFail(t, err)
	noFail(t, os.WriteFile(filepath.Join(dir, "bajigong-verify.mjs"), script, 0o600))
	noFail(t, os.WriteFile(filepath.Join(dir, "check.mjs"), []byte(documented(t, "js")), 0o600))
	documentedRuns(t, func(pin, text string) string {
		out, _ := exec.Command(node, filepath.Join(dir, "check.mjs"), file, pin, text).CombinedOutput()
		return string(out)
	})(reg, pin)
}

// browser starts a Chromium, or skips.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := needed.Chromium(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	tab, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	tab, cancel = context.WithTimeout(tab, 3*time.Minute)
	t.Cleanup(cancel)
	return tab
}

// TestScriptInChromium runs the module in a real browser: the corpus there gives
// what it gives here, and the page of the documentation checks codes against a
// register on another host.
func TestScriptInChromium(t *testing.T) {
	t.Parallel()
	tab := browser(t)
	c := &scriptCorpus{t: t}
	c.fill(newKeys(t, "js"), newKeys(t, "zj"), newKeys(t, "js"))
	c.Flips = nil
	corpus, err := json.Marshal(c)
	noFail(t, err)
	answers := make(chan []byte, 1)
	script, err := os.ReadFile(scriptFile)
	noFail(t, err)
	ask, err := os.ReadFile(filepath.Join("testdata", "cross.mjs"))
	noFail(t, err)

	reg := newBundled(t)
	reg.publish(t, time.Now().Add(-time.Hour))
	register := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		body, ok := reg.served[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, body)
	}))
	defer register.Close()
	page := strings.Replace(documented(t, "html"), "https://skills.example.org", register.URL, 1)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, isScript := map[string][]byte{"/bajigong-verify.js": script, "/cross.mjs": ask}[r.URL.Path]
		switch {
		case isScript:
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(file)
		case r.URL.Path == "/corpus":
			_, _ = w.Write(corpus)
		case r.URL.Path == "/answers":
			var b bytes.Buffer
			_, _ = b.ReadFrom(r.Body)
			answers <- b.Bytes()
		case r.URL.Path == "/cross":
			fmt.Fprint(w, `<!doctype html><script type="module">
				const send = body => fetch('/answers', {method: 'POST', body});
				try {
					const {run} = await import('/cross.mjs');
					await send(JSON.stringify(await run(await import('/bajigong-verify.js'), await (await fetch('/corpus')).json())));
				} catch (e) { await send(String(e) + e.stack); }
			</script>`)
		default:
			fmt.Fprint(w, page)
		}
	}))
	defer site.Close()

	if err := chromedp.Do(tab, chromedp.Navigate(site.URL+"/cross")); err != nil {
		t.Fatal(err)
	}
	var got scriptAnswers
	select {
	case b := <-answers:
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v: %.2000s", err, b)
		}
	case <-tab.Done():
		t.Fatal("the browser gave no answer")
	}
	c.compare(got)

	for _, x := range []struct {
		text string
		want []string
	}{
		{QRText(testOrigin, handleOf(7), reg.good), []string{"Valid certificate", "欧阳娜娜", "1 hour old"}},
		{reg.bad[2].Digits(), []string{"Under review"}},
		{"hello", []string{"this is not the QR code"}},
	} {
		var said string
		err := chromedp.Do(tab, chromedp.Navigate(site.URL), chromedp.SendKeys(chromedp.CSS("#text"), x.text), chromedp.Click(chromedp.CSS("#check")))
		for i := 0; err == nil && said == "" && i < 100; i++ {
			time.Sleep(50 * time.Millisecond)
			said, err = chromedp.Run(tab, chromedp.Evaluate[string](`document.getElementById('say').textContent`))
		}
		noFail(t, err)
		for _, want := range x.want {
			if !strings.Contains(said, want) {
				t.Errorf("the page says %q of %.40q, not %q", said, x.text, want)
			}
		}
	}
}
