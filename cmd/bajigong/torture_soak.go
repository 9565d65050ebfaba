package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/torture"
	"bajigong/registry"
)

// soakOptions say how long a server is used, and how.
type soakOptions struct {
	span    time.Duration
	seed    uint64
	dir     string
	clients int
	idle    int   // connections that are kept open and say nothing
	memory  int64 // bytes that the server may grow by after warm-up
	size    torture.Size
}

// soakSample is what a server holds at a moment.
type soakSample struct {
	Second      float64 `json:"second"`
	Anonymous   int64   `json:"rss_anonymous_bytes"` // memory of its own
	Resident    int64   `json:"rss_bytes"`           // with the pages of its files
	Goroutines  int64   `json:"goroutines"`
	Descriptors int     `json:"descriptors"`
	Connections int64   `json:"connections"`
	Store       int64   `json:"store_bytes"`
}

// soakReport is what `torture soak` prints.
type soakReport struct {
	Seed     uint64           `json:"seed"`
	Seconds  float64          `json:"seconds"`
	Requests map[string]int   `json:"requests"` // by what was done
	Answers  map[string]int   `json:"answers"`  // by status
	P99MS    float64          `json:"reserve_p99_ms"`
	Samples  []soakSample     `json:"samples"`
	Growth   map[string]int64 `json:"growth"` // last quarter against the quarter after warm-up, medians
	tally
}

// What a server may grow by after warm-up, in the median of the last quarter
// against that of the second: caches fill, and the collector lets the heap go to
// three times what is used.
const (
	soakMemory      = 96 << 20
	soakDescriptors = 64
	soakGoroutines  = 200
)

func tortureSoakCommand(w world) *cobra.Command {
	opt := soakOptions{clients: 8, idle: 200, memory: soakMemory, size: torture.Size{Issue: 4, IssueRows: 300, Upload: 4, UploadRows: 200, Claims: 2000}}
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "长时间混合负载与慢客户端 (mixed load and slow clients, for long)",
		Long: `soak 启动真实的 serve 进程，连续施加混合负载：查验、锁定与解除、上传成绩、发证、错误请求、
大文件、慢速客户端（请求头、正文每秒一字节，答复每秒读一字节）、闲置长连接。每隔一段时间记录
内存、协程、文件描述符和存储大小；热身之后增长超过界限即为失败。最后核对已应答的结果和全部不变量。

  bajigong torture soak --for 10m --seed 7`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.span < 5*time.Second || opt.span > 100*time.Hour || opt.clients < 1 || opt.clients > 1000 || opt.idle < 0 || opt.idle > 10_000 {
				return usageError{errors.New("--for is 5s to 100h, --clients 1 to 1000, --idle up to 10000")}
			}
			report, err := tortureSoak(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.DurationVar(&opt.span, "for", 10*time.Minute, "时长 (how long)")
	f.Uint64Var(&opt.seed, "seed", 1, "随机种子 (of what is asked)")
	f.IntVar(&opt.clients, "clients", opt.clients, "并发客户端数 (clients that work)")
	f.IntVar(&opt.idle, "idle", opt.idle, "闲置连接数 (connections that say nothing)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func tortureSoak(ctx context.Context, w world, opt soakOptions) (soakReport, error) {
	report := soakReport{Seed: opt.seed, tally: newTally(), Requests: map[string]int{}, Answers: map[string]int{}, Growth: map[string]int64{}}
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	p, site, err := newWorksite(ctx, w, filepath.Join(dir, "soaked"), opt.seed, opt.size)
	if err != nil {
		return report, err
	}
	log := newServerLog()
	cmd, err := p.serveProcess(log)
	if err != nil {
		return report, err
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return report, err
	}
	server := &server{cmd: cmd, log: log, ended: make(chan struct{})}
	go server.wait()
	defer server.kill()
	if site.URL, err = log.address(ctx, server.ended); err != nil {
		return report, err
	}
	s := &soaker{opt: opt, p: p, site: site, report: &report, pid: cmd.Process.Pid, handles: map[int]string{}}
	if err := s.soak(ctx, w.now); err != nil {
		return report, err
	}
	if server.over() {
		report.Problems = append(report.Problems, "the server ended by itself: "+log.String())
		return report, nil
	}
	for _, line := range errorLines(log.String()) {
		report.Problems = append(report.Problems, "the log says: "+line)
	}
	site.Client.CloseIdleConnections() // one that was never used holds the server for its whole grace
	if err := server.stop(ctx); err != nil {
		report.Problems = append(report.Problems, err.Error())
	}
	s.judge()
	after, err := p.verify(ctx, s.said.Bytes())
	if err == nil {
		report.add(0, after)
	}
	return report, err
}

// soaker uses a server.
type soaker struct {
	opt    soakOptions
	p      *patient
	site   torture.Site
	report *soakReport
	pid    int
	said   bytes.Buffer // acknowledgements of the scene's own work

	mu      sync.Mutex
	handles map[int]string
	tokens  []string
	took    []time.Duration // of reservations
}

// soak works for the span and takes samples meanwhile.
func (s *soaker) soak(ctx context.Context, now func() time.Time) error {
	began := now()
	ctx, cancel := context.WithTimeout(ctx, s.opt.span)
	defer cancel()
	if err := s.know(); err != nil {
		return err
	}
	var all sync.WaitGroup
	for i := range s.opt.clients {
		all.Go(func() { s.client(ctx, rand.New(rand.NewPCG(s.opt.seed, uint64(i)))) })
	}
	for i := range 12 {
		all.Go(func() { s.slowClient(ctx, i) })
	}
	all.Go(func() { s.idle(ctx) })
	all.Go(func() { // the scene's own issue, uploads and voidings, once
		work := *s.p.scene
		work.Claims = nil
		r := work.WorkHTTP(ctx, s.site, &s.said)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.report.Problems = append(s.report.Problems, r.Wrong...)
	})
	every := max(s.opt.span/60, 500*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			if sample, err := s.sample(ctx); err == nil {
				sample.Second = now().Sub(began).Seconds()
				s.report.Samples = append(s.report.Samples, sample)
			}
		case <-ctx.Done():
		}
	}
	all.Wait()
	s.report.Seconds = now().Sub(began).Seconds()
	if n := len(s.took); n > 0 {
		slices.Sort(s.took)
		s.report.P99MS = float64(s.took[n*99/100].Microseconds()) / 1000
	}
	return nil
}

// know asks for what is on the paper of some certificates.
func (s *soaker) know() error {
	for i, h := range s.p.scene.Claims[:min(200, len(s.p.scene.Claims))] {
		a, err := s.site.Ask(context.Background(), http.MethodGet, "/api/v1/certificates/"+h.Number, s.site.Issuer, "", nil)
		if err != nil {
			return err
		}
		var c struct{ Handle, QR string }
		if err := json.Unmarshal(a.Body, &c); err != nil {
			return err
		}
		s.handles[i] = c.Handle
		s.tokens = append(s.tokens, c.QR)
	}
	return nil
}

// client does one thing after another until ctx ends.
func (s *soaker) client(ctx context.Context, rnd *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		name, a, err := s.one(ctx, rnd, n)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.report.Requests[name]++
		var no torture.Refused
		if err != nil && !errors.As(err, &no) {
			s.report.Answers["no answer"]++
		} else {
			s.report.Answers[strconv.Itoa(a.Status)]++
		}
		if a.Status >= 500 && a.Status != http.StatusServiceUnavailable && a.Status != http.StatusNotImplemented && len(s.report.Problems) < 20 {
			s.report.Problems = append(s.report.Problems, fmt.Sprintf("%s: %d %s", name, a.Status, a.Code))
		}
		s.mu.Unlock()
	}
}

// one thing: mostly what a server is for, and everything that it has to bear.
func (s *soaker) one(ctx context.Context, rnd *rand.Rand, n int) (string, torture.Answer, error) {
	ask := func(name, method, path, secret, media string, body []byte) (string, torture.Answer, error) {
		a, err := s.site.Ask(ctx, method, path, secret, media, body)
		return name, a, err
	}
	const jsonMedia = "application/json"
	some := rnd.IntN(len(s.tokens))
	switch k := rnd.IntN(100); {
	case k < 30:
		return ask("verdict by handle", http.MethodGet, "/c/"+s.handles[some], "", "", nil)
	case k < 50:
		body, _ := json.Marshal(map[string]string{"token": s.tokens[some]}) // of strings: always JSON
		return ask("verify", http.MethodPost, "/api/v1/verify", "", jsonMedia, body)
	case k < 75:
		return s.claim(ctx, rnd, n)
	case k < 80:
		return ask("list", http.MethodGet, "/api/v1/claims?limit=500", s.site.Payer, "", nil)
	case k < 84:
		return ask("document", http.MethodGet, "/openapi.json", "", "", nil)
	case k < 86:
		return ask("status list", http.MethodGet, "/status/revocation-0", "", "", nil)
	case k < 88:
		return ask("print", http.MethodGet, "/api/v1/certificates/"+s.p.scene.Claims[some].Number+"/print?purpose=archive", s.site.Issuer, "", nil)
	case k < 90:
		return ask("big file", http.MethodPost, "/api/v1/sessions/"+s.p.scene.Upload[0].ID+"/results", s.site.Issuer, "text/csv", bigFile(rnd))
	case k < 92:
		return ask("too big", http.MethodPost, "/api/v1/claims", s.site.Payer, jsonMedia, make([]byte, 2<<20))
	case k < 94:
		return ask("noise as JSON", http.MethodPost, "/api/v1/claims", s.site.Payer, jsonMedia, noise(rnd, 900<<10))
	case k < 96:
		return ask("noise as a picture", http.MethodPost, "/api/v1/verify/image", "", "image/png", noise(rnd, 100<<10))
	case k < 98:
		return ask("wrong key", http.MethodGet, "/api/v1/claims", "bjg_"+strings.Repeat("x", 40), "", nil)
	}
	return ask("unknown", http.MethodGet, fmt.Sprintf("/c/%x", rnd.Uint64()), "", "", nil)
}

// soakLeft is how many certificates are left for the work afterwards: the last
// reservation of a client may not have been released.
const soakLeft = 32

// claim reserves on a certificate and releases it again, so that there is always
// one to claim on.
func (s *soaker) claim(ctx context.Context, rnd *rand.Rand, n int) (string, torture.Answer, error) {
	free := s.p.scene.Claims[soakLeft:]
	h := free[rnd.IntN(len(free))]
	req := s.p.scene.ClaimBy(torture.FirstLanguage, h)
	req.Reference = fmt.Sprintf("S-%d-%x", n, rnd.Uint64())
	body, err := json.Marshal(req)
	if err != nil {
		return "reserve", torture.Answer{}, err
	}
	began := time.Now()
	a, err := s.site.Ask(ctx, http.MethodPost, "/api/v1/claims", s.site.Payer, "application/json", body)
	took := time.Since(began)
	var answer registry.ClaimAnswer
	if err != nil || json.Unmarshal(a.Body, &answer) != nil || answer.Claim == nil {
		return "reserve", a, err
	}
	s.mu.Lock()
	s.took = append(s.took, took)
	s.report.Requests["reserve"]++
	s.mu.Unlock()
	a, err = s.site.Ask(ctx, http.MethodPost, "/api/v1/claims/"+answer.Claim.ID+"/release", s.site.Payer, "application/json", []byte(`{"reason":"耐久测试"}`))
	return "release", a, err
}

// bigFile is a file of results with thousands of rows, all of them wrong.
func bigFile(rnd *rand.Rand) []byte {
	var out bytes.Buffer
	out.WriteString("姓名,证件号码,理论成绩,技能成绩\n")
	for range 4000 {
		fmt.Fprintf(&out, "某人,%018d,60,70\n", rnd.Uint64N(1e17))
	}
	return out.Bytes()
}

func noise(rnd *rand.Rand, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rnd.Uint32())
	}
	return out
}

// slowClient is one of those that hold a connection as long as they can: a head
// or a body a byte a second, or an answer that is hardly read.
func (s *soaker) slowClient(ctx context.Context, i int) {
	for ctx.Err() == nil {
		s.slowly(ctx, i%3)
		s.mu.Lock()
		s.report.Requests[[]string{"slow head", "slow body", "slow reader"}[i%3]]++
		s.mu.Unlock()
		idleFor(ctx, 200*time.Millisecond)
	}
}

func (s *soaker) slowly(ctx context.Context, way int) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.site.URL, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	switch way {
	case 0:
		drip(ctx, conn, "GET /c/x HTTP/1.1\r\nHost: x\r\nX-Slow: "+strings.Repeat("s", 4000))
	case 1:
		fmt.Fprintf(conn, "POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n%s", s.site.Payer, strings.Repeat(" ", 9000))
		drip(ctx, conn, strings.Repeat(" ", 4000))
	case 2:
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
		for range 40 { // pipelined, so that they do not fit the kernel's buffers
			fmt.Fprint(conn, "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		one := make([]byte, 1)
		for ctx.Err() == nil {
			if _, err := conn.Read(one); err != nil {
				return
			}
			idleFor(ctx, time.Second)
		}
	}
}

// drip sends a byte a second until the other side has had enough.
func drip(ctx context.Context, conn net.Conn, text string) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	for i := range len(text) {
		if _, err := conn.Write([]byte{text[i]}); err != nil {
			return
		}
		select {
		case <-gone:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

// idle keeps connections that have asked once and then say nothing, and opens new
// ones when they are closed.
func (s *soaker) idle(ctx context.Context) {
	var all sync.WaitGroup
	for range s.opt.idle {
		all.Go(func() {
			for ctx.Err() == nil {
				s.holdOpen(ctx)
				idleFor(ctx, time.Second)
			}
		})
	}
	all.Wait()
}

func (s *soaker) holdOpen(ctx context.Context) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.site.URL, "http://"))
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	_, _ = io.Copy(io.Discard, bufio.NewReader(conn)) // until the server has had enough
}

func idleFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

var gaugeLine = regexp.MustCompile(`(?m)^(bajigong_goroutines|bajigong_connections) (\d+)$`)

// sample looks at the process from outside, and asks it for the rest.
func (s *soaker) sample(ctx context.Context) (soakSample, error) {
	out := soakSample{Store: s.p.storeSize()}
	a, err := s.site.Ask(ctx, http.MethodGet, "/metrics", "", "", nil)
	if err != nil {
		return out, err
	}
	for _, m := range gaugeLine.FindAllSubmatch(a.Body, -1) {
		n, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			return out, err
		}
		if string(m[1]) == "bajigong_goroutines" {
			out.Goroutines = n
		} else {
			out.Connections = n
		}
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	if err != nil {
		return out, err
	}
	out.Descriptors = len(fds)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return out, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // other lines have no figure
		switch name {
		case "RssAnon":
			out.Anonymous = kb << 10
		case "VmRSS":
			out.Resident = kb << 10
		}
	}
	return out, nil
}

// judge holds the last quarter against the second: the first is warm-up.
func (s *soaker) judge() {
	all := s.report.Samples
	if len(all) < 8 {
		s.report.Problems = append(s.report.Problems, fmt.Sprintf("only %d samples: the machine has no /proc, or the server did not answer", len(all)))
		return
	}
	quarter := len(all) / 4
	early, late := all[quarter:2*quarter], all[len(all)-quarter:]
	for _, one := range []struct {
		name  string
		most  int64
		value func(soakSample) int64
	}{
		{"rss_anonymous_bytes", s.opt.memory, func(x soakSample) int64 { return x.Anonymous }},
		{"goroutines", soakGoroutines, func(x soakSample) int64 { return x.Goroutines }},
		{"descriptors", soakDescriptors, func(x soakSample) int64 { return int64(x.Descriptors) }},
	} {
		grown := median(late, one.value) - median(early, one.value)
		s.report.Growth[one.name] = grown
		if grown > one.most {
			s.report.Problems = append(s.report.Problems, fmt.Sprintf("%s grew by %d after warm-up, more than %d", one.name, grown, one.most))
		}
	}
}

func median(samples []soakSample, value func(soakSample) int64) int64 {
	var all []int64
	for _, x := range samples {
		all = append(all, value(x))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
