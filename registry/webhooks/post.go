package webhooks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Answer is what came back from Post.
type Answer struct {
	Status      int // of HTTP
	ContentType string
	Body        []byte
}

// Post sends text to an address under the same guard as messages and answers
// what came back, at most so many bytes of it: a longer answer is an error. The
// address must have passed ParseURL.
func (s *Sender) Post(ctx context.Context, url string, text []byte, most int64) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("User-Agent", "bajigong/1")
	got, err := s.http.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, most+1))
	if err != nil {
		return Answer{}, err
	}
	if int64(len(body)) > most {
		return Answer{}, fmt.Errorf("the answer of %s is longer than %d bytes", req.URL.Host, most)
	}
	return Answer{Status: got.StatusCode, ContentType: got.Header.Get("Content-Type"), Body: body}, nil
}
