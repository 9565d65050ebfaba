package web

import (
	"bytes"
	"image"
	"image/png"
	"strings"
	"testing"

	"bajigong/credentials"
)

func TestVerifyPicture(t *testing.T) {
	s := newSite(t)
	c := s.MustCertificates(s.issuer, 0, 1)[0]
	code := func(text string) []byte {
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
	post := func(data []byte, media string) reply {
		return s.do("", "POST", "/api/v1/verify/image", data, "Content-Type", media)
	}
	got := into[pictureAnswer](post(code(c.QR), "image/png").want(200))
	if !got.Found || got.Text != c.QR || got.Verdict == nil || !got.Verdict.Valid {
		t.Errorf("%+v", got)
	}
	if got := into[pictureAnswer](post(code("hello"), "image/png").want(200)); !got.Found || got.Text != "hello" || got.Verdict != nil {
		t.Errorf("a code that is none of ours: %+v", got)
	}
	var blank bytes.Buffer
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, 200, 200))); err != nil {
		t.Fatal(err)
	}
	if r := post(blank.Bytes(), "image/png").want(200); string(r.Body) != `{"found":false}` {
		t.Errorf("%s", r.Body)
	}
	blank.Reset()
	if err := png.Encode(&blank, image.NewGray(image.Rect(0, 0, frameSide+1, 8))); err != nil {
		t.Fatal(err)
	}
	post(blank.Bytes(), "image/png").problem(413, "image_too_large")
	post([]byte("no picture"), "image/jpeg").problem(400, "bad_image")
	post(code(c.QR), "image/gif").problem(415, "content_type")
	post(bytes.Repeat([]byte("x"), frameBody+1), "image/jpeg").problem(413, "body_too_large")
	if strings.Contains(s.log.String(), c.QR[len(c.QR)-40:]) {
		t.Error("the code is in the log")
	}
}

// TestCameraIsNotEndless: a camera has its frames, and then waits; it takes
// nothing from those who upload a picture.
func TestCameraIsNotEndless(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Limits = Limits{Frame: 3} })
	for range 3 {
		s.do("", "POST", "/api/v1/verify/image", "x", "Content-Type", "image/jpeg").want(400)
	}
	r := s.do("", "POST", "/api/v1/verify/image", "x", "Content-Type", "image/jpeg")
	r.problem(429, "rate_limited")
	if r.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to go on")
	}
	s.picture("", []byte("no picture")).want(400)
	if d := DefaultLimits(); d.Frame < 60 {
		t.Errorf("%d frames a minute are too few for a camera", d.Frame)
	}
}
