package web

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"bajigong/registry"
)

// TestMatchPictures takes pictures of what compares the holder, of signing in and
// of lists, signed in through the pages themselves:
//
//	BAJIGONG_PICTURES=/tmp/pictures go test -run TestMatchPictures ./web
func TestMatchPictures(t *testing.T) {
	dir := os.Getenv("BAJIGONG_PICTURES")
	if dir == "" {
		t.Skip("set BAJIGONG_PICTURES to a folder; it needs a Chromium")
	}
	s := newSite(t)
	s.employer()
	issued := s.MustCertificates(s.issuer, 0, 15)
	for i, kind := range []registry.ChangeKind{registry.ChangeVoid, registry.ChangeSuspend} {
		if _, err := s.ChangeCertificate(t.Context(), s.Authority, issued[i+1].Number, registry.NewChange{Kind: kind, Document: "苏人社撤〔2026〕3号", Reason: "测试"}); err != nil {
			t.Fatal(err)
		}
	}
	photo := photoOf(t, 1)
	c := s.photographed(issued[0], photo)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + ln.Addr().String()
	s.server.origin = origin // so that the cookie is one without https
	go func() {
		if err := s.server.Serve(ln); err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(t.TempDir(), "photo.jpg")
	if _, err := jpeg.Decode(bytes.NewReader(photo)); err != nil || os.WriteFile(file, photo, 0o600) != nil {
		t.Fatal(err)
	}
	var pasted strings.Builder
	for i, one := range issued[:9] {
		name := one.Name
		if i == 4 {
			name = "张三"
		}
		fmt.Fprintf(&pasted, "%s %s\n", one.Number, name)
	}
	fmt.Fprintf(&pasted, "%s %s\n%s\nS00003205830X253000001 李四\n", issued[0].Number, issued[0].Name, issued[9].Handle.Grouped())
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.Flag("lang", "zh-CN"))...)
	defer cancel()
	tab, cancel := chromedp.NewContext(alloc)
	defer cancel()
	tab, cancel = context.WithTimeout(tab, 3*time.Minute)
	defer cancel()
	type act = []chromedp.Action[chromedp.Void]
	click, see := func(css string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(css)) }, func(css string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(chromedp.CSS(css)) }
	tried := func(four string) act {
		return act{click("#match details:first-of-type summary"), see("#last4"), chromedp.SendKeys(chromedp.CSS("#last4"), four), click("#match details:first-of-type button"), see("#match-answer")}
	}
	page := "/c/" + string(c.Handle)
	scenes := []scene{
		{"match", page, act{click("#match details:nth-of-type(2) summary"), click("#match details:first-of-type summary")}, ""},
		{"match-same", page, tried(lastFourOf(0)), ""},
		{"match-different", page, tried("0000"), ""},
		{"match-wrong-en", page + "?lang=en", tried("12"), ""},
		{"receipts", "/receipts", nil, ""},
		{"sign-in", "/sign-in?to=/lists", nil, ""},
		{"sign-in-wrong", "/sign-in?to=/lists", act{chromedp.SendKeys(chromedp.CSS("#key"), "bjg_x_y"), click("form button"), see("#problems")}, ""},
		{"lists", "/sign-in?to=/lists", act{chromedp.SendKeys(chromedp.CSS("#key"), s.keys["employer"]), click("form button"), see("#pasted")}, ""},
	}
	listed := act{chromedp.SendKeys(chromedp.CSS("#pasted"), pasted.String()), click(".buttons button"), see(".answers")}
	scenes = append(scenes, scene{"lists-answers", "/lists", listed, ""}, scene{"lists-bad", "/lists", append(listed[:3:3], click("label[for=show-bad]")), ""},
		scene{"lists-en", "/lists?lang=en", listed, ""}, scene{"lists-empty", "/lists", act{click(".buttons button"), see("#problems")}, ""})
	for _, p := range scenes {
		for _, width := range []int64{390, 1280} {
			scheme := map[int64]string{390: "light", 1280: "dark"}[width]
			if strings.HasPrefix(p.name, "lists") {
				scheme = "light"
			}
			wide, picture, err := shoot(tab, p, origin, width, scheme)
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			if wide > width {
				t.Errorf("%s at %d px is %d px wide", p.name, width, wide)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", p.name, width)), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
