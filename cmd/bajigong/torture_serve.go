package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"bajigong/internal/torture"
)

// Torture of `serve` as shipped: a process of its own, used over HTTP.

// sceneAge is how long before now the scene of a served register begins: its
// sessions are planned, examined and shown to the public by now.
const sceneAge = 45 * 24 * time.Hour

// newWorksite makes a register with work of today, and the keys to do it with over
// HTTP.
func newWorksite(ctx context.Context, w world, dir string, seed uint64, size torture.Size) (*patient, torture.Site, error) {
	var site torture.Site
	now := w.now()
	clock := newSimClock(now.Add(-sceneAge), w.now)
	w.now, w.stderr = clock.now, new(bytes.Buffer)
	p := &patient{w: w, clock: clock, data: dataFlags{dir: dir}}
	if err := shortCourse(p.data.rules()); err != nil {
		return nil, site, err
	}
	c := config{Origin: tortureOrigin, Region: torture.Region, OperatorZH: "职业技能证书登记系统（耐久测试）", OperatorEN: "Register of Skill Certificates (torture)",
		Metrics: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	if _, _, err := initData(ctx, w, p.data, c, "tt"); err != nil {
		return nil, site, err
	}
	err := p.with(ctx, func(reg *opened) (err error) {
		if p.scene, err = torture.NewSceneAt(ctx, reg.Registry, clock.move, now.Add(-sceneAge), seed); err != nil {
			return err
		}
		if err = p.scene.Fill(ctx, reg.Registry, clock.move, size); err != nil {
			return err
		}
		if p.scene.Clock.After(now) {
			return fmt.Errorf("the scene ends at %s, which is not yet", p.scene.Clock)
		}
		p.scene.Clock = now
		clock.move(now)
		site, err = p.scene.NewSite(ctx, reg.Registry)
		return err
	})
	if err != nil {
		return nil, site, err
	}
	site.Client = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return p, site, p.scene.Save(dir)
}

// serveProcess is `serve` on the patient, not started yet. What it logs goes to log.
func (p *patient) serveProcess(log *serverLog) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "serve", "--data", p.data.dir, "--store", p.data.storePath(), "--listen", "127.0.0.1:0")
	cmd.Stderr = log
	return cmd, nil
}

// serverLog keeps what a server logs but for its requests, and knows its address.
type serverLog struct {
	mu    sync.Mutex
	rest  []byte
	text  bytes.Buffer
	found chan string // gets the address
}

func newServerLog() *serverLog { return &serverLog{found: make(chan string, 1)} }

// logMost bounds what is kept of a log, in bytes.
const logMost = 1 << 20

var servingLine = regexp.MustCompile(`msg=serving listen=(\S+)`)

// Write implements io.Writer.
func (l *serverLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		if m := servingLine.FindSubmatch(line); m != nil {
			select {
			case l.found <- string(m[1]):
			default:
			}
		}
		if !bytes.Contains(line, []byte("msg=request ")) && l.text.Len() < logMost {
			l.text.Write(line)
			l.text.WriteByte('\n')
		}
		l.rest = append([]byte(nil), rest...)
	}
}

// String is what was kept.
func (l *serverLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// errNoServer says that a server ended before it listened.
var errNoServer = errors.New("serve ended before it listened")

// address waits for the server's.
func (l *serverLog) address(ctx context.Context, ended <-chan struct{}) (string, error) {
	select {
	case at := <-l.found:
		return "http://" + at, nil
	case <-ended:
		return "", fmt.Errorf("%w: %.600s", errNoServer, l.String())
	case <-time.After(2 * time.Minute):
		return "", errors.New("serve does not begin to listen")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// stopGrace is how long a server may take to end after SIGTERM, with its own grace
// for requests in it.
const stopGrace = 40 * time.Second

// recordServing records `serve` while the scene is worked on over HTTP.
func recordServing(ctx context.Context, p *patient, site torture.Site) (*recorded, error) {
	r, err := beforeWork(p)
	if err != nil {
		return nil, err
	}
	log := newServerLog()
	cmd, err := p.serveProcess(log)
	if err != nil {
		return nil, err
	}
	recorder, err := torture.Record(cmd, p.data.dir)
	if err != nil {
		return nil, err
	}
	server := recorder.Process()
	if server == nil {
		_, err := recorder.Wait(ctx)
		return nil, err
	}
	defer server.Kill()
	if site.URL, err = log.address(ctx, nil); err != nil {
		return nil, err
	}
	var said bytes.Buffer
	work := p.scene.WorkHTTP(ctx, site, &said)
	time.Sleep(3 * time.Second) // status lists and the feeds of payers follow
	if err := server.Signal(syscall.SIGTERM); err != nil {
		return nil, err
	}
	end, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if r.rec, err = recorder.Wait(end); err != nil {
		return nil, fmt.Errorf("record serve: %w: %s", err, log)
	}
	if len(work.Wrong) > 0 || len(work.Refused) > 0 || work.Broken > 0 {
		return nil, fmt.Errorf("serve did not do the work: %v %v", work.Refused, work.Wrong)
	}
	if r.acks, err = torture.ParseAcks(said.Bytes()); err != nil {
		return nil, err
	}
	// Every answer is in the recording, or it is not of this server.
	_, err = r.rec.AnsweredBefore(r.acks, r.rec.Len())
	return r, err
}

// copyPatient is the patient in another directory, with the site's keys.
func copyPatient(p *patient, dir string) (*patient, error) {
	if err := copyPrivate(dir, p.data.dir); err != nil {
		return nil, err
	}
	out := *p
	out.data.dir = dir
	return &out, nil
}

// errorLines are the lines of a log that say an error, without those of requests.
func errorLines(log string) (out []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, `msg="request failed"`) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// storeSize is that of the patient's file, in bytes.
func (p *patient) storeSize() int64 {
	info, err := os.Stat(filepath.Clean(p.data.storePath()))
	if err != nil {
		return 0
	}
	return info.Size()
}
