package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdpnet "github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"bajigong/internal/invented"
	"bajigong/registry"
)

// TestVerificationInABrowser goes through the verification pages in Chromium as
// people do, with one register behind them. BAJIGONG_PICTURES names a folder for
// pictures of what it saw.
func TestVerificationInABrowser(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	b := newBrowserSite(t)
	issued := b.MustCertificates(b.issuer, 0, 6)
	b.Clock.Set(time.Now().UTC().Truncate(time.Second))
	if dir := os.Getenv("BAJIGONG_PICTURES"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := film(b.video, issued[0].QR, 17); err != nil {
		t.Fatal(err)
	}
	codes := scannedCodes{b, issued}
	for _, one := range []struct {
		name string
		run  func(*testing.T, scannedCodes)
	}{
		{"without script", inBrowserWithoutScript},
		{"agree", inBrowserAgree},
		{"altered and swapped", inBrowserAltered},
		{"camera", inBrowserCamera},
		{"detector", inBrowserDetector},
		{"paste and picture", inBrowserPaste},
		{"weight", inBrowserWeight},
		{"keyboard", inBrowserKeyboard},
		{"no worker", inBrowserNoWorker},
		{"no https", inBrowserPlain},
		{"old version", inBrowserOldVersion},
		{"update", inBrowserUpdate},
		{"throttled", inBrowserThrottled},
		{"offline", inBrowserOffline},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, codes) })
		if b.live == nil {
			b.again()
		}
	}
}

// scannedCodes are the codes of certificates of a site.
type scannedCodes struct {
	*browserSite
	issued []registry.Issued
}

// digits are what follows '#' in a code.
func (c scannedCodes) digits(i int) string {
	_, out, _ := strings.Cut(c.issued[i].QR, "#")
	return out
}

// altered is a code in which one character of the part that is signed is another.
func (c scannedCodes) altered(i int) string {
	address, digits, _ := strings.Cut(c.issued[i].QR, "#")
	mid := len(digits) / 4 * 2
	for _, other := range []string{"20", "21"} {
		if digits[mid:mid+2] != other {
			return address + "#" + digits[:mid] + other + digits[mid+2:]
		}
	}
	panic("unreachable")
}

const agreed = "✓ 二维码签名已在本机核对，与登记一致"

func inBrowserWithoutScript(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	x.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	x.goTo(c.issued[0].QR)
	x.want(".band h1", "证书有效")
	x.want(".person", invented.PersonAt(0).Name)
	x.want("p.local", "")
	x.wantPart(".receipt", "查验回执")
	x.wantPart("footer", "政府网站标识码 3205830001")
	x.picture("noscript-verdict")
	x.goTo("/verify")
	if n := eval[int](x, "[...document.querySelectorAll('main button')].length"); n != 1 {
		t.Errorf("%d buttons without script, and only one can do something", n)
	}
	x.do(chromedp.SetValue(chromedp.CSS("#code"), c.issued[0].QR), chromedp.Click(chromedp.CSS("form button")))
	x.until("document.querySelector('.band')")
	x.want(".band h1", "证书有效")
	x.picture("noscript-verify")
}

func inBrowserAgree(t *testing.T, c scannedCodes) {
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			x := c.open(t, width, scheme)
			x.goTo(c.issued[0].QR)
			x.checked()
			x.want(".band h1", "证书有效")
			x.want("p.local", agreed)
			x.picture(fmt.Sprintf("agree-%d-%s", width, scheme))
			x.goTo("/c/" + string(c.issued[0].Handle))
			x.checked()
			x.wantPart("p.local", "只打开了网址")
			if width == 390 && scheme == "light" {
				x.goTo("/c/" + string(c.issued[0].Handle) + "?lang=en#" + c.digits(0))
				x.checked()
				x.want("p.local", "✓ The signature in the code was checked in this browser and agrees with the register")
				x.picture("agree-en")
			}
		}
	}
}

func inBrowserAltered(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	swapped := "/c/" + string(c.issued[1].Handle) + "#" + c.digits(0)
	for _, one := range []struct{ name, path, say, why string }{
		{"altered", c.altered(0), "二维码内容被改动", "签名之后内容被改过"},
		{"swapped", swapped, "二维码内容被改动", "属于另一份证书，与本网址登记的不一致：姓名、证件号码、证书编号。"},
		{"cut off", c.issued[0].QR[:len(c.issued[0].QR)-20], "二维码内容被改动", "签名之后内容被改过"},
		{"nonsense", "/c/" + string(c.issued[0].Handle) + "#hello", "二维码内容被改动", "不是本系统二维码的内容"},
	} {
		x.goTo(one.path)
		x.checked()
		x.want(".band.bad[role=alert] h1", one.say)
		x.wantPart("#why", one.why)
		x.wantPart("#why a", "举报")
		if got := x.says(".person"); got != "" {
			t.Errorf("%s: the name %q is shown as if it were the code's", one.name, got)
		}
		x.picture(strings.ReplaceAll(one.name, " ", "-"))
	}
	// The server says the same of the whole code, and of another host's.
	x.goTo("/verify")
	x.checked2()
	x.do(chromedp.SetValue(chromedp.CSS("#code"), strings.Replace(c.issued[0].QR, c.origin, "https://zs.fake.example.com", 1)), chromedp.Click(chromedp.CSS("form button:not([type])")))
	x.until("document.querySelector('.band')")
	x.checked()
	x.want(".band.bad h1", "不是本系统的二维码")
	x.wantPart("p.forged", "只有网址以 "+c.origin+"/ 开头的页面")
	x.picture("another-host")
	x.goTo("/c/0000000000000#" + c.digits(0))
	x.checked()
	x.want(".band.unproven h1", "未查到，不等于假证")
	x.wantPart("p.local", "没有可以对照的内容")
}

// checked2 waits for the controls of /verify.
func (x *tab) checked2() {
	x.t.Helper()
	x.until("document.querySelector('#camera button, #camera .hint')")
}

func inBrowserCamera(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	x.goTo("/verify")
	x.checked2()
	x.picture("verify")
	x.want("#camera button", "打开相机扫码")
	x.do(chromedp.Click(chromedp.CSS("#camera button")))
	x.until("document.querySelector('.finder video')?.videoWidth > 0 || document.querySelector('.band')")
	x.picture("camera")
	x.until("location.pathname.startsWith('/c/')")
	x.checked()
	x.want(".band h1", "证书有效")
	x.want("p.local", agreed)
}

// inBrowserDetector is a phone that reads codes itself, which Chromium on Linux
// does not: what its reader finds is given. The last camera is refused.
func inBrowserDetector(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	x.do(before(fmt.Sprintf("window.BarcodeDetector = class { static getSupportedFormats() { return ['qr_code'] } async detect() { return [{rawValue: %q}] } }", c.issued[2].QR)))
	x.goTo("/verify")
	x.checked2()
	x.do(chromedp.Click(chromedp.CSS("#camera button")))
	x.until("location.pathname.startsWith('/c/')")
	x.checked()
	x.want(".person", invented.PersonAt(2).Name)
	x.prepared()
	c.stop()
	x.goTo("/verify")
	x.checked()
	x.checked2()
	x.do(chromedp.Click(chromedp.CSS("#camera button")))
	x.until("document.querySelector('.band')")
	x.want(".person", invented.PersonAt(2).Name)
	x.wantPart(".band .checked", "离线查验")
	x.mu.Lock()
	for _, at := range x.all {
		if strings.Contains(at, "/api/v1/verify/image") {
			t.Error("a picture is sent though the phone reads codes itself")
		}
	}
	x.mu.Unlock()
	x.do(before("if (navigator.mediaDevices) navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError') }"))
	x.goTo("/verify")
	x.checked2()
	x.do(chromedp.Click(chromedp.CSS("#camera button")))
	x.until("document.querySelector('#camera .hint').innerText")
	x.wantPart("#camera .hint", "没有使用相机的权限")
}

func inBrowserPaste(t *testing.T, c scannedCodes) {
	x := c.open(t, 1280, "light")
	paste := func(text string) {
		x.goTo("/verify")
		x.checked2()
		eval[bool](x, fmt.Sprintf("(() => { const d = new DataTransfer(); d.setData('text', %q); document.getElementById('code').dispatchEvent(new ClipboardEvent('paste', {clipboardData: d, bubbles: true, cancelable: true})); return true })()", text))
	}
	paste(c.issued[2].QR)
	x.until("location.pathname.startsWith('/c/')")
	x.checked()
	x.want("p.local", agreed)
	paste(c.digits(2)) // no address: the server answers, and the browser compares
	x.until("document.querySelector('.band')")
	x.checked()
	x.want(".person", invented.PersonAt(2).Name)
	x.want("p.local", agreed)
	x.goTo("/verify#" + c.digits(2))
	x.until("document.querySelector('.band') && location.hash === ''")
	x.want(".person", invented.PersonAt(2).Name)
	paste("你好")
	x.want(".band", "")
	// A photograph is read as soon as it is chosen.
	x.goTo("/verify")
	x.checked2()
	shot := t.TempDir() + "/code.png"
	if err := os.WriteFile(shot, codePNG(t, c.issued[3].QR), 0o600); err != nil {
		t.Fatal(err)
	}
	x.do(chromedp.SetUploadFiles(chromedp.CSS("#image"), []string{shot}))
	x.until("location.pathname.startsWith('/c/')")
	x.checked()
	x.want(".person", invented.PersonAt(3).Name)
}

// inBrowserWeight holds the first view to its budget, as it goes over the wire
// and unpacked.
func inBrowserWeight(t *testing.T, c scannedCodes) {
	const budget = 60_000
	for name, path := range map[string]string{"/c": c.issued[0].QR, "/verify": "/verify", "/offline": "/offline"} {
		x := c.open(t, 390, "light")
		x.goTo(path)
		x.checked3(path)
		// Icons and preloads count; what is fetched for later does not, and is told.
		view := eval[[]string](x, "[location.href.split('#')[0], ...[...document.querySelectorAll('link[href], script[src]')].map(e => e.href || e.src)]")
		icon := float64(len(c.server.pages.statics.files[strings.TrimPrefix(c.server.pages.statics.address["icon.svg"], "/static/")].data)) // headless browsers fetch none
		wire, whole, later := icon+300, icon, 0.0
		x.mu.Lock()
		seen := map[string]bool{}
		for _, at := range view {
			if at, _, _ = strings.Cut(at, "#"); !seen[at] {
				seen[at] = true
				wire, whole = wire+x.bytes[at], whole+x.bodies[at]
			}
		}
		for at, n := range x.bytes {
			if !seen[at] {
				later += n
			}
		}
		x.mu.Unlock()
		t.Logf("%s: first view %.0f bytes on the wire with headers, %.0f unpacked, %d files; afterwards %.0f", name, wire, whole, len(seen), later)
		if name != "/offline" && (wire > budget || whole > budget) || whole < 10_000 { // the shell comes from the browser itself
			t.Errorf("%s: %.0f bytes on the wire, %.0f unpacked; the budget is %d", name, wire, whole, budget)
		}
	}
}

func (x *tab) checked3(path string) {
	x.t.Helper()
	if strings.Contains(path, "/verify") {
		x.checked2()
	} else {
		x.checked()
	}
}

// inBrowserKeyboard walks with the Tab key: the skip link first, then what is on
// the page in its order, nothing hidden; and looks at names and headings.
func inBrowserKeyboard(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	for _, path := range []string{"/verify", c.issued[0].QR, c.altered(0)} {
		x.goTo(path)
		x.checked3(path)
		if first := x.tabbed(); !strings.HasPrefix(first[0], "跳到正文") {
			t.Errorf("%.40s: the first stop is %q", path, first[0])
		} else if len(first) < 10 {
			t.Errorf("%.40s: stops %q", path, first)
		}
		if bad := eval[[]string](x, `[...document.querySelectorAll('button, input, textarea, a[href], summary, video')].filter(e => e.checkVisibility()).filter(e =>
			!(e.getAttribute('aria-label') || e.labels?.length || e.innerText?.trim())).map(e => e.outerHTML)`); len(bad) > 0 {
			t.Errorf("%.40s: without a name: %q", path, bad)
		}
		if bad := eval[[]string](x, `[...document.querySelectorAll('main button, main input, main textarea, main summary, footer .links a')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)`); len(bad) > 0 {
			t.Errorf("%.40s: lower than a finger: %q", path, bad)
		}
		if n := eval[int](x, "[...document.querySelectorAll('h1')].filter(e => e.checkVisibility()).length"); n != 1 {
			t.Errorf("%.40s: %d headings of the first order", path, n)
		}
		if lang := eval[string](x, "document.documentElement.lang"); lang != "zh-CN" {
			t.Errorf("%.40s: lang %q", path, lang)
		}
	}
}

// tabbed are the texts of the elements that Tab goes through, in order.
func (x *tab) tabbed() (out []string) {
	x.t.Helper()
	for range 40 {
		x.do(chromedp.KeyEvent("\t"))
		text := eval[string](x, "(e => e === document.body ? '' : (e.checkVisibility() ? '' : 'HIDDEN ') + (e.innerText || e.id || e.tagName).trim())(document.activeElement)")
		if text == "" {
			return out
		}
		if strings.HasPrefix(text, "HIDDEN") {
			x.t.Errorf("the focus is on something hidden: %s", text)
		}
		out = append(out, text)
	}
	return out
}

// inBrowserNoWorker is a browser such as the one inside WeChat on iOS.
func inBrowserNoWorker(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	x.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
			UserAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49"})
		return err
	}), withoutWorker())
	x.goTo(c.issued[0].QR)
	x.checked()
	x.want("p.local", agreed)
	x.until("document.getElementById('no-offline')")
	x.want("#no-offline", "微信内不能离线查验，请用系统浏览器打开")
	x.picture("wechat")
}

// inBrowserPlain is an address without https: the browser has no WebCrypto and
// no worker there. The server's verdict stands, and nothing is said of WeChat.
func inBrowserPlain(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	x.goToName(c.issued[0].QR)
	x.checked()
	x.want(".band.good h1", "证书有效")
	x.want("p.local", "此浏览器不能在本机核对签名；以上是服务器的结论")
	x.until("'prepared' in document.documentElement.dataset")
	x.want("#no-offline", "")
}

// inBrowserOldVersion: the address of a new version with the code of the old one,
// whose facts are the same.
func inBrowserOldVersion(t *testing.T, c scannedCodes) {
	old := c.digits(1)
	again, err := c.ReissueCertificate(t.Context(), c.Authority, c.issued[1].Number, registry.Reissue{Basis: "申请1号", Reason: "原件遗失"})
	if err != nil {
		t.Fatal(err)
	}
	c.Clock.Add(2 * time.Minute)
	x := c.open(t, 390, "light")
	x.goTo(again.QR)
	x.checked()
	x.want("p.local", agreed)
	x.goTo("/c/" + string(again.Handle) + "#" + old)
	x.until("document.querySelector('.band.caution')")
	x.want(".band.caution h1", "信息已更正或补发，请以新版本为准")
	x.wantPart("#why", "旧版本")
	x.want("p.local", "")
	x.picture("old-version")
	x.goTo(c.issued[1].QR)
	x.checked()
	x.want(".band.caution h1", "信息已更正或补发，请以新版本为准")
	x.want("p.local", agreed)
}

// inBrowserUpdate: a server that has other pages puts another worker in the place
// of the old one, and its store goes.
func inBrowserUpdate(t *testing.T, c scannedCodes) {
	shells := "caches.keys().then(all => all.filter(name => name.startsWith('bajigong-shell-')).join())"
	x := c.open(t, 390, "light")
	x.goTo("/verify")
	x.prepared()
	first := x.promised(shells)
	c.stop()
	c.footer.SiteCode = "3205839999"
	c.again()
	x.goTo("/verify")
	x.prepared()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if now := x.promised(shells); now != first && !strings.Contains(now, ",") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the stores are %s", now)
		}
	}
	c.stop()
	x.goTo("/verify")
	x.checked()
	x.wantPart("footer", "3205839999")
}

// inBrowserThrottled tells how long a phone waits; it asserts nothing, because
// the machine decides.
func inBrowserThrottled(t *testing.T, c scannedCodes) {
	for _, line := range []struct {
		name         string
		kbits, delay float64
	}{{"3G slow, 400 kbit/s, 400 ms", 400, 400}, {"4G, 4 Mbit/s, 60 ms", 4000, 60}} {
		x := c.open(t, 390, "light")
		x.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			if _, err := chromedp.Call(ctx, emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 4}); err != nil {
				return err
			}
			_, err := chromedp.Call(ctx, cdpnet.EmulateNetworkConditionsByRule, cdpnet.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*cdpnet.Conditions{
				{Latency: line.delay, DownloadThroughput: line.kbits * 125, UploadThroughput: line.kbits * 125}}})
			return err
		}))
		start := time.Now()
		x.goTo(c.issued[0].QR)
		x.until("document.querySelector('.band h1')")
		x.checked()
		painted := eval[float64](x, "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1")
		local := eval[float64](x, "performance.getEntriesByName('checked')[0]?.startTime ?? -1")
		t.Logf("%s, processor 4 times slower: verdict of the server painted after %.0f ms, signature checked after %.0f ms (%d ms in all)", line.name, painted, local, time.Since(start).Milliseconds())
	}
}

func inBrowserOffline(t *testing.T, c scannedCodes) {
	x := c.open(t, 390, "light")
	// Before anything is kept the browser can only say that there is no network:
	// that is its own page. One visit, and then the server is gone.
	x.goTo(c.issued[4].QR)
	x.checked()
	x.prepared()
	x.goTo(c.issued[4].QR) // through the worker, which is there now and must keep nothing of it
	x.prepared()
	c.stop()
	x.goTo(c.issued[4].QR)
	x.checked()
	x.want(".band.good h1", "证书有效")
	x.want(".band .checked", "离线查验 · 状态清单更新于 0 分钟前")
	x.want(".person", invented.PersonAt(4).Name)
	x.want("[data-issuer]", "第1职业技能评价中心")
	x.wantPart("[data-standing]", "发证时 已备案")
	x.wantPart("[data-limits]", "之后的撤销、注销、暂停查不到")
	x.wantPart("[data-limits]", "公钥保存于")
	x.picture("offline-valid")

	// Another certificate, altered, swapped, of another host, the address alone.
	x.goTo(c.issued[5].QR)
	x.checked()
	x.want(".person", invented.PersonAt(5).Name)
	x.goTo(c.altered(5))
	x.checked()
	x.want(".band.bad h1", "二维码内容被改动")
	x.want(".person", "")
	x.picture("offline-altered")
	x.goTo("/c/" + string(c.issued[5].Handle))
	x.checked()
	x.wantPart("#state", "打开的只是网址")
	x.picture("offline-address")
	x.goTo("/verify")
	x.checked()
	x.wantPart("#state", "仍可用本机保存的")
	x.do(chromedp.SetValue(chromedp.CSS("#code"), strings.Replace(c.issued[5].QR, c.origin, "https://zs.fake.example.com", 1)), chromedp.Click(chromedp.CSS("form button")))
	x.until("document.querySelector('.band')")
	x.want(".band.bad h1", "不是本系统的二维码")
	x.goTo("/verify?lang=en")
	x.checked()
	x.do(chromedp.SetValue(chromedp.CSS("#code"), c.digits(5)), chromedp.Click(chromedp.CSS("form button")))
	x.until("document.querySelector('.band')")
	x.want(".band.good h1", "Valid certificate")
	x.wantPart(".band .checked", "Checked offline · status list")
	x.picture("offline-en")
	x.do(chromedp.SetValue(chromedp.CSS("#code"), "hello"), chromedp.Click(chromedp.CSS("form button")))
	x.until("!document.getElementById('code-bad').hidden")
	x.wantPart("#code-bad", "This is not the whole content of a code")
	// Nothing with a name on it was kept.
	names := x.kept()
	for _, at := range names {
		if strings.Contains(at, "/c/") || strings.Contains(at, "/api/") {
			t.Errorf("the browser keeps %s", at)
		}
	}
	if len(names) < 10 {
		t.Errorf("kept: %q", names)
	}

	// Voided while the phone was away: it tells how old its list is, and knows as
	// soon as it can ask.
	if _, err := c.ChangeCertificate(t.Context(), c.Authority, c.issued[4].Number, registry.NewChange{Kind: registry.ChangeVoid, Document: "文1号", Reason: "测试"}); err != nil {
		t.Fatal(err)
	}
	c.Clock.Add(2 * time.Minute)                // longer than a published list is kept by the register
	x.do(x.later(3*time.Hour + 30*time.Minute)) // the clock of the register has been moved by minutes
	x.goTo(c.issued[4].QR)
	x.checked()
	x.wantPart(".band .checked", "离线查验 · 状态清单更新于 3 小时前")
	x.picture("offline-old")
	c.again()
	x.do(chromedp.Click(chromedp.CSS("[data-again]")))
	x.until("document.querySelector('.band h1')?.innerText === '证书已撤销，自始无效'")
	x.checked()
	x.want("p.local", agreed)
	x.prepared()
	// From now on the phone knows without the server too.
	c.stop()
	x.goTo(c.issued[4].QR)
	x.checked()
	x.wantPart(".band.bad h1", "证书已失效（撤销、注销或已有新版本）")
	x.picture("offline-voided")

	// A proxy that answers for a server that is gone is no answer.
	ln, err := net.Listen("tcp", c.listen)
	if err != nil {
		t.Fatal(err)
	}
	gateway := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Bad Gateway", http.StatusBadGateway) })}
	go func() { _ = gateway.Serve(ln) }()
	x.goTo(c.issued[5].QR)
	x.checked()
	x.want(".person", invented.PersonAt(5).Name)
	x.wantPart(".band .checked", "离线查验")
	if err := gateway.Close(); err != nil {
		t.Fatal(err)
	}

	// A browser that has kept the page and no keys says what is missing.
	if _, err := chromedp.Run(x.ctx, chromedp.Evaluate[bool]("caches.delete('bajigong-trust-1')", chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
	x.goTo(c.issued[4].QR)
	x.checked()
	x.wantPart("#state", "本机也没有保存公钥")
	x.picture("offline-nothing")
}
