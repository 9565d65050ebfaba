package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/registry"
)

// demoStart is when the demonstration's clock begins: Monday 2 March 2026, nine
// o'clock in Shanghai.
var demoStart = time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC)

// simClock is a clock that the story moves and that runs on from there.
type simClock struct {
	mu   sync.Mutex
	at   time.Time
	real func() time.Time
	set  time.Time // by the real clock
}

func newSimClock(at time.Time, real func() time.Time) *simClock {
	return &simClock{at: at, real: real, set: real()}
}

func (c *simClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at.Add(c.real().Sub(c.set))
}

func (c *simClock) move(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.set = to, c.real()
}

type demoOptions struct {
	dir, store, listen, origin string
	once                       bool
}

func demoCommand(w world) *cobra.Command {
	var opt demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "用虚构人员演示全流程 (the whole product on invented people)",
		Long: `demo 从零开始：建立登记系统，备案三家评价机构，四个职业的认定批次，一份 300 行、
带十余种错误的成绩表，公示、发证、查验、补贴锁定、撤销、审计证明、全面自检；
然后继续提供网页和接口。人员和机构均为虚构，时钟从 2026-03-02 开始。

  bajigong demo                                   在本机打开网页
  bajigong demo --origin http://192.168.1.20:8080 --listen :8080
                                                  让同一网络里的手机扫码
  bajigong demo --once                            跑完即退出（脚本和 CI 用）
  bajigong demo --store postgres://…              在空的 PostgreSQL 数据库上

网页的结论由服务器给出，不需要脚本。离线查验用 bajigong verify（先 verify fetch 取信任材料）；
浏览器内的离线查验须用 https：浏览器只在安全来源提供 WebCrypto 与离线缓存。`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), w, opt) },
	}
	f := cmd.Flags()
	f.StringVar(&opt.dir, "dir", "", "保留数据的目录 (folder to keep; a temporary one when empty)")
	f.StringVar(&opt.store, "store", "", "bbolt 文件或 postgres://… (default DIR/store.db)")
	f.StringVar(&opt.listen, "listen", "127.0.0.1:8080", "监听地址 (address to listen on)")
	f.StringVar(&opt.origin, "origin", "", "二维码里的网址 (address in the QR codes; default http:// and --listen)")
	f.BoolVar(&opt.once, "once", false, "跑完全流程并退出，不提供服务 (run everything and exit)")
	return cmd
}

func demo(ctx context.Context, w world, opt demoOptions) (err error) {
	var ln net.Listener
	if !opt.once {
		if ln, err = listenNear(opt.listen); err != nil {
			return err
		}
		defer ln.Close()
	}
	if opt.origin == "" {
		opt.origin = demoOrigin(opt.listen, ln)
	}
	if opt.dir == "" {
		if opt.dir, err = os.MkdirTemp("", "bajigong-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(opt.dir)
	}
	real := w.now
	clock := newSimClock(demoStart, real)
	w.now = clock.now
	data := dataFlags{dir: opt.dir, store: opt.store}
	c := config{Origin: opt.origin, Region: "320000", OperatorZH: "职业技能证书登记系统（演示）", OperatorEN: "Register of Skill Certificates (demonstration)",
		Footer: footer{Sponsor: "演示系统，数据均为虚构"}}
	account, secret, err := initData(ctx, w, data, c, "js")
	if err != nil {
		return err
	}
	reg, err := data.open(ctx, w, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	s := &story{ctx: ctx, w: w, reg: reg.Registry, clock: clock, dir: opt.dir, origin: opt.origin,
		authority: registry.Actor{Account: account.ID, Roles: account.Roles, Region: account.Region, Via: "demo"}}
	s.say("数据目录 data: %s", data.dir)
	s.keys = append(s.keys, demoKey{"主管部门 authority", secret})
	if err := s.run(); err != nil {
		return err
	}
	if opt.once {
		s.say("\n演示全部通过 (everything held).")
		return nil
	}
	s.invite(ln.Addr().String())
	log := newLog(w.stderr)
	pages := webConfig(c, real, log)
	if pages.Paper, err = paperOf(c, log); err != nil {
		return err
	}
	pages.DemoNotice, pages.DemoNoticeEN = "演示系统：人员、机构和证书均为虚构", "Demonstration: people, institutions and certificates are invented"
	return serveOn(ctx, reg.Registry, pages, ln)
}

// listenNear listens on addr or, when its port is taken, on any other.
func listenNear(addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	host, _, splitErr := net.SplitHostPort(addr)
	if splitErr != nil {
		return nil, usageError{fmt.Errorf("--listen %s: %w", addr, err)}
	}
	if ln, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
		return nil, usageError{fmt.Errorf("--listen %s: %w", addr, err)}
	}
	return ln, nil
}

func demoOrigin(listen string, ln net.Listener) string {
	addr := listen
	if ln != nil {
		addr = ln.Addr().String()
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || net.ParseIP(host) != nil && net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	return strings.TrimSuffix(u.String(), ":80")
}

// invite says where to look, with a QR code for a phone.
func (s *story) invite(listen string) {
	qr, err := credentials.NewImage(s.shown.QR)
	if err == nil {
		fmt.Fprintf(s.w.stdout, "\n%s\n", qr.Terminal())
	}
	s.say("手机扫码（需 --origin 为本机局域网地址）或打开 / scan it, or open:")
	s.say("  首页 home            %s/", s.origin)
	s.say("  有效证书 valid       %s/c/%s", s.origin, s.shown.Handle)
	s.say("  已撤销 voided        %s/c/%s", s.origin, s.voided.Handle)
	s.say("  机构目录 directory   %s/directory", s.origin)
	s.say("  批量核验 lists       %s/lists  （用下面 employer 的密钥登录）", s.origin)
	s.say("  接口 API             %s/openapi.json", s.origin)
	s.say("\n接口密钥 API keys（Authorization: Bearer …）:")
	for _, k := range s.keys {
		s.say("  %s  %s", k.secret, k.role)
	}
	s.say("\n监听 listening on %s — Ctrl-C 结束 to stop", listen)
}

// demoFile keeps a file of the story beside the store, for the reader to open.
func (s *story) demoFile(name, content string) error {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	s.say("   文件 file: %s", path)
	return nil
}
