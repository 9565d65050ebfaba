package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"bajigong/registry"
	"bajigong/standards"
)

// NewSceneAt is NewScene with the clock at a moment of the caller's: a server
// that runs by the real clock meets work that is of its day when the scene was
// filled a few weeks before.
func NewSceneAt(ctx context.Context, reg *registry.Registry, move func(time.Time), at time.Time, seed uint64) (*Scene, error) {
	return newScene(ctx, reg, move, &Scene{Seed: seed, Clock: at, Number: firstSite})
}

// Site is a server that a scene works on over HTTP.
type Site struct {
	URL    string // http://host:port
	Client *http.Client
	// Secrets of API keys by who uses them.
	Authority, Issuer, Payer string
}

// NewSite makes the accounts and keys of a scene.
func (s *Scene) NewSite(ctx context.Context, reg *registry.Registry) (Site, error) {
	var out Site
	for _, one := range []struct {
		by     registry.Actor
		secret *string
	}{{s.authority(), &out.Authority}, {s.Issuer(), &out.Issuer}, {s.payer(), &out.Payer}} {
		account, err := reg.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: one.by.Account, Organisation: one.by.Organisation, Roles: one.by.Roles, Region: one.by.Region})
		if err != nil {
			return out, err
		}
		if one.secret == &out.Payer {
			s.PayerIs = account.Organisation // accounts of payers are of a region
		}
		if _, *one.secret, err = reg.IssueKey(ctx, registry.Operator(), account.ID, "torture", 0); err != nil {
			return out, err
		}
	}
	return out, nil
}

// An Answer is what a Site answered. Reference is its X-Request-Id.
type Answer struct {
	Status          int
	Code, Reference string // Code is that of a problem
	Text            string // what a problem says
	RetryAfter      string
	Body            []byte
}

// Refused is an error of a Site that answered, but no.
type Refused struct{ Answer }

// Error implements error.
func (r Refused) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Text) }

// Ask sends one request. The secret may be empty. An answer of 300 and above is
// an error of type Refused; any other error is one of the connection.
func (s Site) Ask(ctx context.Context, method, path, secret, contentType string, body []byte) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := s.Client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	out := Answer{Status: resp.StatusCode, Reference: resp.Header.Get("X-Request-Id"), RetryAfter: resp.Header.Get("Retry-After")}
	if out.Body, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); err != nil {
		return out, err
	}
	if out.Status < 300 {
		return out, nil
	}
	var p struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(out.Body, &p) // a problem in another form has no code
	out.Code, out.Text = p.Code, p.Detail
	return out, Refused{out}
}

func (s Site) post(ctx context.Context, secret, path string, in, out any) (Answer, error) {
	var body []byte
	contentType := ""
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return Answer{}, err
		}
		contentType = "application/json"
	}
	a, err := s.Ask(ctx, http.MethodPost, path, secret, contentType, body)
	if err == nil && out != nil {
		err = json.Unmarshal(a.Body, out)
	}
	return a, err
}

func (s Site) get(ctx context.Context, secret, path string, out any) (Answer, error) {
	a, err := s.Ask(ctx, http.MethodGet, path, secret, "", nil)
	if err == nil && out != nil {
		err = json.Unmarshal(a.Body, out)
	}
	return a, err
}

// patience is how many times in a row a lane of work may be refused for lack of
// the store before it gives up: the rest would be refused as well.
const patience = 5

// worked is a Scene at work over HTTP.
type worked struct {
	*Scene
	site Site
	acks *acker

	mu      sync.Mutex
	refused map[string]int // by status and code
	other   []string       // answers that nobody should get
	oneOff  Answer         // the newest 503
}

// WorkReport is what became of work over HTTP.
type WorkReport struct {
	Refused map[string]int // "503 store_read_only" and such
	Broken  int            // requests that no answer came to
	Last    Answer         // the newest answer of 503
	Wrong   []string       // answers that are neither yes nor 503
}

// WorkHTTP does all the work of the scene over HTTP and writes an Ack to out for
// each step that was answered. Whoever is refused with 503 goes on with the next
// step, and ends after some in a row: a store may be read-only. A server that has
// gone ends the work too; neither is an error.
func (s *Scene) WorkHTTP(ctx context.Context, site Site, out io.Writer) WorkReport {
	w := &worked{Scene: s, site: site, acks: &acker{out: out}, refused: map[string]int{}}
	group, ctx := errgroup.WithContext(ctx)
	lane(group, ctx, w, shuffled(s.Seed, s.Issue), w.issueHTTP)
	lane(group, ctx, w, s.Upload, w.uploadHTTP)
	lane(group, ctx, w, s.Void, w.voidHTTP)
	todo := shuffled(s.Seed, s.Claims)
	for i := range claimants {
		from, to := len(todo)*i/claimants, len(todo)*(i+1)/claimants
		lane(group, ctx, w, todo[from:to], w.claimHTTP)
	}
	_ = group.Wait() // lanes answer nil
	report := WorkReport{Refused: w.refused, Broken: w.refused[noAnswer], Last: w.oneOff, Wrong: w.other}
	delete(report.Refused, noAnswer)
	return report
}

const noAnswer = "no answer"

func lane[T any](group *errgroup.Group, ctx context.Context, w *worked, list []T, do func(context.Context, T) error) {
	group.Go(func() error {
		bad := 0
		for _, x := range list {
			if ctx.Err() != nil || bad >= patience {
				return nil
			}
			if err := do(ctx, x); err != nil {
				bad++
				w.met(err)
			} else {
				bad = 0
			}
		}
		return nil
	})
}

func (w *worked) met(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var no Refused
	switch {
	case !errors.As(err, &no):
		w.refused[noAnswer]++
	case no.Status == http.StatusServiceUnavailable:
		w.refused[fmt.Sprint(no.Status, " ", no.Code)]++
		w.oneOff = no.Answer
	default:
		w.refused[fmt.Sprint(no.Status, " ", no.Code)]++
		w.other = append(w.other, err.Error())
	}
}

func (w *worked) said(a Answer, ack Ack) error {
	ack.Answer = a.Reference
	return w.acks.say(ack)
}

// issueHTTP issues until the batch is public; the last answer counts.
func (w *worked) issueHTTP(ctx context.Context, x SceneSession) error {
	path := "/api/v1/sessions/" + x.ID + "/certificates"
	for {
		a, err := w.site.post(ctx, w.site.Issuer, path, nil, nil)
		if err != nil {
			return err
		}
		if a.Status != http.StatusAccepted {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ack := Ack{Did: Published, Session: x.ID}
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Number string `json:"number"`
			} `json:"items"`
			Next string `json:"next"`
		}
		a, err := w.site.get(ctx, w.site.Issuer, path+"?limit=500&cursor="+url.QueryEscape(cursor), &page)
		if err != nil {
			return err
		}
		for _, c := range page.Items {
			ack.Numbers = append(ack.Numbers, c.Number)
		}
		if cursor = page.Next; cursor == "" {
			return w.said(a, ack)
		}
	}
}

func (w *worked) uploadHTTP(ctx context.Context, x SceneSession) error {
	a, err := w.site.Ask(ctx, http.MethodPost, "/api/v1/sessions/"+x.ID+"/results", w.site.Issuer, "text/csv", []byte(x.results()))
	if err != nil {
		return err
	}
	var report registry.UploadReport
	if err := json.Unmarshal(a.Body, &report); err != nil {
		return err
	}
	return w.said(a, Ack{Did: Uploaded, Session: x.ID, Rows: report.Stored})
}

func (w *worked) voidHTTP(ctx context.Context, h Holding) error {
	a, err := w.site.post(ctx, w.site.Authority, "/api/v1/certificates/"+h.Number+"/voiding", registry.NewChange{Document: "测试撤〔2026〕1号", Reason: "耐久测试"}, nil)
	var no Refused
	if errors.As(err, &no) && no.Code == "certificate_status" {
		a, err = no.Answer, nil // voided before, and the answer was lost
	}
	if err != nil {
		return err
	}
	return w.said(a, Ack{Did: Voided, Certificate: h.Number})
}

// claimHTTP is claimOn over HTTP.
func (w *worked) claimHTTP(ctx context.Context, h Holding) error {
	var answer registry.ClaimAnswer
	a, err := w.site.post(ctx, w.site.Payer, "/api/v1/claims", w.claim(FirstLanguage, h), &answer)
	if err != nil {
		return err
	}
	c := answer.Claim
	if c == nil {
		return Refused{Answer{Status: a.Status, Code: string(answer.Outcome), Text: fmt.Sprint(answer.Reasons)}}
	}
	ack := Ack{Did: Claimed, Claim: c.ID, Certificate: h.Number, Reference: c.Reference, State: c.State}
	if err := w.said(a, ack); err != nil {
		return err
	}
	sum := fnv.New32a()
	io.WriteString(sum, h.Number)
	var view registry.ClaimView
	switch fate := sum.Sum32() % 10; {
	case fate < 6:
		a, err = w.site.post(ctx, w.site.Payer, "/api/v1/claims/"+c.ID+"/confirm", registry.Payment{Reference: "P-" + h.Number, PaidOn: standards.DateOf(c.Reserved), Amount: c.Amount}, &view)
	case fate < 8:
		a, err = w.site.post(ctx, w.site.Payer, "/api/v1/claims/"+c.ID+"/release", map[string]string{"reason": "耐久测试"}, &view)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	ack.State = view.State
	return w.said(a, ack)
}

// AnsweredBefore are the acknowledgements whose answer had begun to leave the
// recorded server before a position. Those whose answer is not in the recording
// at all are an error: then the recording is not of that server.
func (r *Recording) AnsweredBefore(acks []Ack, at int) ([]Ack, error) {
	left := r.answers()
	var out []Ack
	for _, a := range acks {
		if a.Answer == "" {
			continue
		}
		begin, ok := left[a.Answer]
		if !ok {
			return nil, fmt.Errorf("answer %s is not in the recording", a.Answer)
		}
		if begin < at {
			out = append(out, a)
		}
	}
	return out, nil
}

// answers are the positions at which the answers of a recorded server began to
// leave it, by their X-Request-Id.
func (r *Recording) answers() map[string]int {
	if r.left != nil {
		return r.left
	}
	const header = "\r\nX-Request-Id: "
	r.left = map[string]int{}
	for _, c := range r.calls {
		if c.kind != callWrite || !bytes.HasPrefix(c.data, []byte("HTTP/1.1 ")) {
			continue
		}
		_, rest, ok := bytes.Cut(c.data, []byte(header))
		if id, _, whole := bytes.Cut(rest, []byte("\r\n")); ok && whole {
			r.left[string(id)] = c.begin
		}
	}
	return r.left
}
