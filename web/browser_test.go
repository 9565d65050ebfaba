package web

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdpnet "github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"bajigong/credentials"
	"bajigong/internal/needed"
	"bajigong/registry/registrytest"
)

// browserSite is a server on the address that its codes have, so that a browser
// goes to it as a phone would; it can be stopped and started again.
type browserSite struct {
	*siteTest
	origin string
	listen string
	footer Footer
	live   *Server
	served chan error
	alloc  context.Context
	video  string // what the camera sees
}

// newBrowserSite starts a server and gets a Chromium ready. Without one the test
// is left out.
func newBrowserSite(t *testing.T) *browserSite {
	t.Helper()
	path := needed.Chromium(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &browserSite{listen: ln.Addr().String(), origin: "http://" + ln.Addr().String()}
	clock := &registrytest.Clock{}
	clock.Set(time.Now().UTC().Truncate(time.Second).AddDate(0, 0, -60))
	env := registrytest.New(t, registrytest.Options{Origin: b.origin, Clock: clock})
	b.siteTest = siteOf(t, env)
	b.footer = Footer{Sponsor: "江南某市人力资源和社会保障局", ICP: "苏ICP备00000000号", SiteCode: "3205830001", Report: "https://report.example.gov.cn/"}
	b.serve(ln)
	t.Cleanup(b.stop)
	b.video = filepath.Join(t.TempDir(), "camera.y4m")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path), chromedp.Flag("lang", "zh-CN"),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-file-for-fake-video-capture", b.video),
		chromedp.Flag("host-resolver-rules", "MAP plain.test 127.0.0.1"), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	// One browser for all tabs: the first context starts it.
	all, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(all); err != nil {
		t.Fatal(err)
	}
	b.alloc = all
	return b
}

func (b *browserSite) serve(ln net.Listener) {
	b.t.Helper()
	live, err := New(b.Registry, Config{Limits: Limits{Lookup: -1, Verify: -1, Image: -1, Frame: -1}, Now: time.Now,
		Footer: b.footer})
	if err != nil {
		b.t.Fatal(err)
	}
	b.live, b.served = live, make(chan error, 1)
	go func() { b.served <- live.Serve(ln) }()
}

// stop ends the server with all its connections.
func (b *browserSite) stop() {
	if b.live == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = b.live.Shutdown(ctx) // a browser keeps its connections: they are cut off
	<-b.served
	b.live = nil
}

// again starts the server at its old address.
func (b *browserSite) again() {
	b.t.Helper()
	ln, err := net.Listen("tcp", b.listen)
	if err != nil {
		b.t.Fatal(err)
	}
	b.serve(ln)
}

// tab is a page of the browser, in a store of its own as on a new phone.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *browserSite

	elsewhere string // another name of the site, where it was opened under one

	mu       sync.Mutex
	requests map[cdpnet.RequestID]string // addresses asked for
	all      []string
	bytes    map[string]float64 // on the wire, by address
	bodies   map[string]float64 // uncompressed
	trouble  []string           // errors on the console
}

// open makes a tab. What goes wrong in it, and every request to another host,
// fails the test when it ends.
func (b *browserSite) open(t *testing.T, width int64, scheme string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.alloc, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 60*time.Second)
	t.Cleanup(cancel)
	x := &tab{t: t, ctx: ctx, site: b, requests: map[cdpnet.RequestID]string{}, bytes: map[string]float64{}, bodies: map[string]float64{}}
	if err := chromedp.Listen(ctx, x.heard); err != nil {
		t.Fatal(err)
	}
	x.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdpnet.Enable, cdpnet.EnableParams{})
		return err
	}), chromedp.EmulateViewport(width, 844), emulateScheme(scheme))
	t.Cleanup(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, at := range x.all {
			if !strings.HasPrefix(at, b.origin+"/") && !strings.HasPrefix(at, "blob:"+b.origin) && (x.elsewhere == "" || !strings.HasPrefix(at, x.elsewhere+"/")) && at != "about:blank" {
				t.Errorf("the page asks %s", at)
			}
		}
		for _, one := range x.trouble {
			t.Errorf("the browser says: %s", one)
		}
	})
	return x
}

func (x *tab) heard(ev any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch e := ev.(type) {
	case *cdpnet.EventRequestWillBeSent:
		x.requests[e.RequestID] = e.Request.URL
		x.all = append(x.all, e.Request.URL)
	case *cdpnet.EventDataReceived:
		x.bodies[x.requests[e.RequestID]] += float64(e.DataLength)
	case *cdpnet.EventLoadingFinished:
		x.bytes[x.requests[e.RequestID]] += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		x.trouble = append(x.trouble, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *cdplog.EventEntryAdded:
		// What does not answer is tried on purpose when the server is stopped.
		// Without https a browser says which headers it does not use there.
		if e.Entry.Level == "error" && e.Entry.Source != cdplog.EntrySourceNetwork && !strings.Contains(e.Entry.Text, "header has been ignored") {
			x.trouble = append(x.trouble, e.Entry.Text)
		}
	}
}

func (x *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, steps...); err != nil {
		x.t.Fatal(err)
	}
}

// goTo opens an address of the site anew, also when only the part after '#'
// differs.
func (x *tab) goTo(path string) {
	x.t.Helper()
	x.do(chromedp.Navigate("about:blank"), chromedp.Navigate(x.site.origin+strings.TrimPrefix(path, x.site.origin)))
}

// until waits for an expression to be true; pages may come and go meanwhile.
func (x *tab) until(expression string) {
	x.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		ok, err := chromedp.Run(x.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			body, _ := chromedp.Run(x.ctx, chromedp.Evaluate[string]("location.href.slice(0, 60) + '\\n' + document.documentElement.outerHTML.slice(0, 200) + '\\n' + document.body.innerText"))
			x.t.Fatalf("never: %s (%v)\n%s", expression, err, body)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// checked waits until the page has said all that it says by itself.
func (x *tab) checked() { x.t.Helper(); x.until("'checked' in document.documentElement.dataset") }

// prepared waits until the browser could do without the server.
func (x *tab) prepared() {
	x.t.Helper()
	x.until("document.documentElement.dataset.offline === 'ready' && 'prepared' in document.documentElement.dataset")
}

func eval[T any](x *tab, expression string) T {
	x.t.Helper()
	out, err := chromedp.Run(x.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		x.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// says is the text of the first element of a selector, without needless space;
// empty when there is none or it is hidden.
func (x *tab) says(selector string) string {
	x.t.Helper()
	return eval[string](x, fmt.Sprintf("(document.querySelector(%q)?.checkVisibility() ? document.querySelector(%q).innerText : '').replace(/\\s+/g, ' ').trim()", selector, selector))
}

func (x *tab) want(selector, text string) {
	x.t.Helper()
	if got := x.says(selector); got != text {
		x.t.Errorf("%s says %q, want %q", selector, got, text)
	}
}

func (x *tab) wantPart(selector, text string) {
	x.t.Helper()
	if got := x.says(selector); !strings.Contains(got, text) {
		x.t.Errorf("%s says %q, without %q", selector, got, text)
	}
}

// picture keeps what the page looks like, for whoever wants to see it, and holds
// it to its width.
func (x *tab) picture(name string) {
	x.t.Helper()
	if wide, has := eval[int64](x, "document.documentElement.scrollWidth"), eval[int64](x, "innerWidth"); wide > has {
		x.t.Errorf("%s is %d px wide in %d", name, wide, has)
	}
	dir := os.Getenv("BAJIGONG_PICTURES")
	if dir == "" {
		return
	}
	shot, err := chromedp.Run(x.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// film writes what a camera sees of a code: turned, blurred, on a grey desk, in
// the form that Chromium plays (YUV4MPEG2, full planes of 4:2:0).
func film(path, text string, degrees float64) error {
	img, err := credentials.NewImage(text)
	if err != nil {
		return err
	}
	const w, h, module = 1280, 720, 6
	file, err := img.PNG(1)
	if err != nil {
		return err
	}
	code, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return err
	}
	modules := img.Modules()
	luma := make([]float64, w*h)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	for y := range h {
		for x := range w {
			dx, dy := float64(x)-w/2, float64(y)-h/2
			mx, my := int(math.Floor((dx*cos+dy*sin)/module+float64(modules)/2)), int(math.Floor((dy*cos-dx*sin)/module+float64(modules)/2))
			v := 120 + 30*float64(x)/w
			if mx >= 0 && my >= 0 && mx < modules && my < modules {
				if v = 215; color.GrayModel.Convert(code.At(mx, my)).(color.Gray).Y < 128 {
					v = 50
				}
			}
			luma[y*w+x] = v
		}
	}
	luma = blur(blur(luma, w, h), w, h)
	var out bytes.Buffer
	fmt.Fprintf(&out, "YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420mpeg2\n", w, h)
	frame := make([]byte, w*h*3/2)
	for i := range frame {
		frame[i] = 128
		if i < w*h {
			frame[i] = byte(luma[i])
		}
	}
	for range 4 {
		out.WriteString("FRAME\n")
		out.Write(frame)
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// blur averages each pixel with its eight neighbours.
func blur(in []float64, w, h int) []float64 {
	out := make([]float64, len(in))
	for y := range h {
		for x := range w {
			sum, n := 0.0, 0.0
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					if xx, yy := x+dx, y+dy; xx >= 0 && yy >= 0 && xx < w && yy < h {
						sum, n = sum+in[yy*w+xx], n+1
					}
				}
			}
			out[y*w+x] = sum / n
		}
	}
	return out
}

// emulateScheme makes a page light or dark.
func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

// promised is the text that a promise of the page comes to.
func (x *tab) promised(expression string) string {
	x.t.Helper()
	out, err := chromedp.Run(x.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}

// goToName opens an address of the server under another name, without https.
func (x *tab) goToName(path string) {
	x.t.Helper()
	_, port, _ := strings.Cut(x.site.listen, ":")
	x.elsewhere = "http://plain.test:" + port
	x.do(chromedp.Navigate(x.elsewhere + strings.TrimPrefix(path, x.site.origin)))
}

// kept are the addresses that the browser has kept for this site.
func (x *tab) kept() []string {
	x.t.Helper()
	out, err := chromedp.Run(x.ctx, chromedp.Evaluate[[]string](`(async () => { const out = []; for (const n of await caches.keys()) for (const r of await (await caches.open(n)).keys()) out.push(new URL(r.url).pathname); return out })()`, chromedp.EvalAwaitPromise))
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}

// later moves the clock of every page that is opened from now on.
func (x *tab) later(by time.Duration) chromedp.Action[chromedp.Void] {
	return before(fmt.Sprintf(`{ const d = Date, by = %d; window.Date = class extends d { constructor(...a) { a.length ? super(...a) : super(d.now() + by) } static now() { return d.now() + by } } }`, by.Milliseconds()))
}

// withoutWorker takes the service worker and the store away, as WKWebView has
// none.
func withoutWorker() chromedp.Action[chromedp.Void] {
	return before("delete Navigator.prototype.serviceWorker; delete window.caches")
}

// before runs a script in every page before its own.
func before(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// codePNG is a code as a picture.
func codePNG(t testing.TB, text string) []byte {
	t.Helper()
	img, err := credentials.NewImage(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := img.PNG(4)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
