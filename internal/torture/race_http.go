package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// raceServer is one server as a payer's system sees it: addresses, keys, JSON.
type raceServer struct {
	base string
	http *http.Client
}

func newRaceServer(base string, clients int) *raceServer {
	return &raceServer{base: base, http: &http.Client{Timeout: 2 * time.Minute,
		Transport: &http.Transport{MaxIdleConns: clients + 8, MaxIdleConnsPerHost: clients + 8}}}
}

// raceTries is how often a request is sent that nobody answered. Each may have been
// done, and may be sent again: that is what the interface promises.
const raceTries = 6

var raceStatuses = map[int]fail.Kind{http.StatusBadRequest: fail.Invalid, http.StatusUnprocessableEntity: fail.Invalid, http.StatusForbidden: fail.Forbidden,
	http.StatusUnauthorized: fail.Unauthorized, http.StatusNotFound: fail.NotFound, http.StatusConflict: fail.Conflict, http.StatusTooManyRequests: fail.RateLimited,
	http.StatusServiceUnavailable: fail.Unavailable, http.StatusGatewayTimeout: fail.Unavailable}

// post sends in as JSON and reads out. once is the Idempotency-Key of what needs
// one. What the server refuses is the fail.Error that it gives.
func (s *raceServer) post(ctx context.Context, by raceAccount, path, once string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	for try := 1; ; try++ {
		got, err := s.send(ctx, by, path, once, "application/json", body)
		if kind := fail.KindOf(err); err != nil && (kind == fail.Unavailable || kind == fail.RateLimited) && try < raceTries {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * 50 * time.Millisecond):
			}
			continue
		}
		if err != nil || out == nil {
			return err
		}
		return json.Unmarshal(got, out)
	}
}

func (s *raceServer) send(ctx context.Context, by raceAccount, path, once, kind string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+by.Key)
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if once != "" {
		req.Header.Set("Idempotency-Key", once)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, fail.New(fail.Unavailable, "server_away", "the server does not answer").Because(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fail.New(fail.Unavailable, "server_away", "the server broke off").Because(err)
	}
	if res.StatusCode < 300 {
		return got, nil
	}
	var problem struct{ Code, Detail string }
	_ = json.Unmarshal(got, &problem) // what is no problem document has no code
	refused, known := raceStatuses[res.StatusCode]
	if !known {
		refused = fail.Internal
	}
	return nil, fail.New(refused, problem.Code, "%d %s", res.StatusCode, problem.Detail)
}

// claim posts a step of a claim.
func (s *raceServer) claim(ctx context.Context, by raceAccount, id, step string, in any) (out registry.ClaimView, err error) {
	err = s.post(ctx, by, "/api/v1/claims/"+url.PathEscape(id)+"/"+step, "", in, &out)
	return out, err
}

// batch has a file of claims checked and answers its lines.
func (s *raceServer) batch(ctx context.Context, by raceAccount, policy string, file []byte) (out []registry.ClaimBatchLine, err error) {
	got, err := s.send(ctx, by, "/api/v1/claims/check-batch?policy="+url.QueryEscape(policy), "", "application/x-ndjson", file)
	if err != nil {
		return nil, err
	}
	ended := false
	lines := bufio.NewScanner(bytes.NewReader(got))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var what struct {
			registry.ClaimBatchLine
			End   json.RawMessage                `json:"end"`
			Error *struct{ Code, Detail string } `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &what); err != nil {
			return nil, err
		}
		switch {
		case what.Error != nil:
			return nil, fail.New(fail.Conflict, what.Error.Code, "the file broke off: %s", what.Error.Detail)
		case what.Row > 0:
			out = append(out, what.ClaimBatchLine)
		}
		ended = ended || what.End != nil
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if !ended {
		return nil, errors.New("the answer about a file has no end")
	}
	return out, nil
}
