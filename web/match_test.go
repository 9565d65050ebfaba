package web

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	formdata "mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"bajigong/credentials"
	"bajigong/evaluators/corrections"
	"bajigong/internal/invented"
	"bajigong/registry"
)

// photoOf is a picture with enough in it to be told from another.
func photoOf(t testing.TB, seed uint64) []byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	m := image.NewGray(image.Rect(0, 0, 295, 413))
	for range 60 {
		x0, y0, v := rnd.IntN(280), rnd.IntN(400), uint8(rnd.IntN(256))
		for y := y0; y < min(y0+50, 413); y++ {
			for x := x0; x < min(x0+40, 295); x++ {
				m.SetGray(x, y, color.Gray{Y: v})
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 75}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// multipart sends a form with files and fields as a browser does. Values that begin
// with "@" are files of that name.
func (s *siteTest) multipart(path string, fields [][2]string, file []byte, headers ...string) (reply, *goquery.Document) {
	s.t.Helper()
	var b bytes.Buffer
	w := formdata.NewWriter(&b)
	for _, f := range fields {
		if name, is := strings.CutPrefix(f[1], "@"); is {
			part, err := w.CreateFormFile(f[0], name)
			if err != nil {
				s.t.Fatal(err)
			}
			part.Write(file)
			continue
		}
		if err := w.WriteField(f[0], f[1]); err != nil {
			s.t.Fatal(err)
		}
	}
	w.Close()
	r := s.do("", "POST", path, b.Bytes(), append([]string{"Content-Type", w.FormDataContentType(), "Accept", "text/html,*/*;q=0.8"}, headers...)...)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		return r, nil
	}
	return r, r.html()
}

func lastFourOf(i int) string {
	d := invented.PersonAt(i).Document
	return d[len(d)-4:]
}

// photographed gives a certificate a photo.
func (s *siteTest) photographed(c registry.Issued, photo []byte) registry.Issued {
	s.t.Helper()
	in := registry.NewCorrection{Photo: photo, Basis: "更正申请 1", Reason: "补录照片", Proofs: []corrections.Proof{{Kind: "holder_application", Reference: "申请表 1"}}}
	asked, err := s.ProposeCorrection(s.t.Context(), s.issuer.Actor, c.Number, in)
	if err != nil {
		s.t.Fatal(err)
	}
	if asked.State == corrections.Proposed {
		if _, err := s.ApproveCorrection(s.t.Context(), s.issuer.Colleague(), asked.ID, ""); err != nil {
			s.t.Fatal(err)
		}
	}
	c, err = s.CertificateByNumber(s.t.Context(), s.issuer.Actor, c.Number)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func TestMatchPage(t *testing.T) {
	s := newSite(t)
	issued := s.MustCertificates(s.issuer, 0, 3)
	path := "/c/" + string(issued[0].Handle)
	_, doc := s.page(path)
	count(t, doc, ".match-answer, #match-answer", 0)
	count(t, doc, "#match form", 1) // no photo is registered
	action, _ := doc.Find("#match form").Attr("action")
	if action != path+"/match" {
		t.Fatalf("the form goes to %s", action)
	}
	for i, one := range []struct{ form, class, say, left string }{
		{lastFourOf(0), "good", "证件号后四位一致", "还可核对 4 次"}, {"0000", "bad", "证件号后四位不一致", "3 次"}, {"12", "unproven", "应为证件号码的后四位", ""},
		{"0000", "bad", "证件号后四位不一致", "2 次"}, {"0000", "bad", "不一致", "1 次"}, {"0000", "bad", "不一致", "0 次"}, {lastFourOf(0), "unproven", "今日核对次数已用完", "0 次"},
	} {
		r, doc := s.post(action, url.Values{"last4": {one.form}}.Encode())
		if want := map[bool]int{true: 400, false: 200}[i == 2]; r.Status != want {
			t.Fatalf("%d: status %d", i, r.Status)
		}
		answer := doc.Find("#match-answer")
		if answer.Length() != 1 || !answer.HasClass(one.class) || !strings.Contains(answer.Text(), one.say) || !strings.Contains(answer.Text(), one.left) || answer.AttrOr("role", "") != "alert" {
			t.Errorf("%d: %s", i, strings.Join(strings.Fields(answer.Text()), " "))
		}
		if i > 0 && strings.Contains(string(r.Body), lastFourOf(0)) || strings.Contains(string(r.Body), invented.PersonAt(0).Document) {
			t.Errorf("%d: the page tells the number", i)
		}
		// It stands above the verdict, and the verdict is as it was.
		if first := doc.Find(".verdict > *").First(); first.AttrOr("id", "") != "match-answer" {
			t.Errorf("%d: %v is first", i, first.AttrOr("class", ""))
		}
		wantText(t, doc, ".band h1", "证书有效")
		if other, _ := doc.Find("a.switch").Attr("href"); other != path+"?lang=en" {
			t.Errorf("the other language is at %s", other)
		}
	}
	r, doc := s.post(action+"?lang=en", "last4=1234")
	r.want(200)
	wantText(t, doc, "#match-answer .head b", "No tries are left for today")
	// What is not there answers as its page does.
	for _, handle := range []string{"0000000000000", "x", "%FF"} {
		r, doc = s.post("/c/"+handle+"/match", "last4=1234")
		r.want(404)
		count(t, doc, "#match, #match-answer", 0)
	}
	// A page of another site cannot use up anybody's tries.
	for _, from := range []string{"cross-site", "same-site"} {
		s.do("", "POST", "/c/"+string(issued[1].Handle)+"/match", "last4=1234", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", from).want(403)
	}
	s.do("", "POST", "/c/"+string(issued[1].Handle)+"/match", "last4=1234", "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example").want(403)
	if log := s.log.String(); strings.Contains(log, lastFourOf(0)) || strings.Contains(log, string(issued[0].Handle)) {
		t.Error("the log has the handle or what was tried")
	}
}

func TestMatchPhotoPage(t *testing.T) {
	s := newSite(t)
	photo := photoOf(t, 1)
	c := s.photographed(s.MustCertificates(s.issuer, 0, 1)[0], photo)
	path := "/c/" + string(c.Handle)
	_, doc := s.page(path)
	count(t, doc, "#match form", 2)
	if text := doc.Find("#match").Text(); !strings.Contains(text, "不做人脸识别") {
		t.Errorf("the page does not say what is compared: %s", text)
	}
	for i, one := range []struct {
		file   []byte
		status int
		class  string
	}{{photo, 200, "good"}, {photoOf(t, 2), 200, "bad"}, {[]byte("GIF89a"), 400, "unproven"}, {nil, 400, "unproven"}} {
		r, doc := s.multipart(path+"/match", [][2]string{{"picture", "@photo.jpg"}}, one.file)
		r.want(one.status)
		if answer := doc.Find("#match-answer"); !answer.HasClass(one.class) {
			t.Errorf("%d: %s", i, answer.Text())
		}
		if bytes.Contains(r.Body, photo[:200]) || strings.Contains(string(r.Body), "data:image") {
			t.Errorf("%d: the answer has a picture in it", i)
		}
	}
	r, _ := s.multipart(path+"/match", [][2]string{{"other", "x"}}, nil)
	r.want(400)
	r, _ = s.multipart("/c/0000000000000/match", [][2]string{{"picture", "@photo.jpg"}}, photo)
	r.want(404)
}

func TestMatchAndReceiptAPI(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	var got matchAnswer
	r := s.do("", "POST", "/api/v1/certificates/match", matchRequest{string(c.Handle), lastFourOf(0)}).want(200)
	if err := json.Unmarshal(r.Body, &got); err != nil || got.Answer != registry.MatchSame || got.Left != 4 || got.Text.EN == "" || got.Next.ZH == "" {
		t.Errorf("%s %v", r.Body, err)
	}
	s.do("", "POST", "/api/v1/certificates/match", matchRequest{"0000000000000", "1234"}).problem(404, "certificate_unknown")
	s.do("", "POST", "/api/v1/certificates/match", matchRequest{string(c.Handle), "x"}).problem(400, "last4")

	var v credentials.Verdict
	if err := json.Unmarshal(s.get("", "/c/"+string(c.Handle), "Accept", "application/json").Body, &v); err != nil {
		t.Fatal(err)
	}
	minute := strings.TrimPrefix(v.Basis(credentials.ZH), "在线查验 ")
	claim := registry.ReceiptClaim{Receipt: v.Receipt, Number: c.Number, At: minute, Answer: credentials.ReasonValid}
	for _, want := range []string{`"true":true`, `"true":false`} {
		if r := s.do("", "POST", "/api/v1/receipts/check", claim).want(200); !strings.Contains(string(r.Body), want) {
			t.Errorf("%s, want %s", r.Body, want)
		}
		claim.Answer = credentials.ReasonVoided
	}
	s.do("", "POST", "/api/v1/receipts/check", registry.ReceiptClaim{}).problem(400, "receipt_claim")
	page, doc := s.page("/receipts")
	page.want(200)
	count(t, doc, "form input, form select", 4)
	form := url.Values{"receipt": {v.Receipt}, "number": {c.Handle.Grouped()}, "at": {minute}, "answer": {"valid"}}
	page, doc = s.post("/receipts", form.Encode())
	page.want(200)
	wantText(t, doc, ".notice.match b", "属实")
	form.Set("number", "S000032058300253999999")
	_, doc = s.post("/receipts", form.Encode())
	wantText(t, doc, ".notice.match b", "不符")
	form.Set("at", "")
	page, doc = s.post("/receipts", form.Encode())
	page.want(400)
	count(t, doc, "#at[aria-invalid], #problems a[href='#at']", 2)
}
