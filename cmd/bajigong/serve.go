package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/web"
)

const (
	// checkpointEvery is how often a server publishes the audit log's checkpoint.
	checkpointEvery = time.Minute
	// countEvery is how often it counts what was published since: how far
	// statistics lag.
	countEvery = 5 * time.Second
	// shutdownGrace is how long requests may take to end after SIGTERM.
	shutdownGrace = 20 * time.Second
)

func serveCommand(w world) *cobra.Command {
	var data dataFlags
	var listen string
	var backup backupConfig
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "运行服务 (serve pages and API)",
		Long: `serve 打开数据目录中的登记系统并提供网页和接口。TLS 由前置的反向代理终结；
--listen 默认只在本机监听。Ctrl-C 或 SIGTERM 会等在途请求完成后退出。
新版本程序升级存储后，仍在运行的旧版本拒绝读写并以退出码 6 结束。
(When a newer version migrates the store, an older one that still runs refuses to
read or write it and ends with exit code 6.)

  bajigong serve --data /srv/bajigong --listen 127.0.0.1:8080
  bajigong serve --store postgres://…             (several processes over one database;
                                                  each with its own copy of keys/)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := newLog(w.stderr)
			w := w
			w.now = newSteadyClock(w.now, log).now
			reg, err := data.open(cmd.Context(), w, log)
			if err != nil {
				return err
			}
			defer reg.Close()
			if backup.Dir == "" {
				backup = reg.config.Backup
			}
			plan, err := backup.plan(w, reg.config.Origin)
			if err != nil {
				return err
			}
			ln, err := net.Listen("tcp", listen)
			if err != nil {
				return usageError{fmt.Errorf("listen on %s: %w", listen, err)}
			}
			log.Info("serving", "listen", ln.Addr().String(), "origin", reg.config.Origin, "version", version())
			pages := webConfig(reg.config, w.now, log)
			if pages.Paper, err = paperOf(reg.config, log); err != nil {
				return errors.Join(err, ln.Close())
			}
			if plan != nil {
				job, stop := startBackups(cmd.Context(), w, reg, *plan, log)
				defer stop()
				pages.MoreMetrics = job.metrics
			}
			return serveOn(cmd.Context(), reg.Registry, pages, ln)
		},
	}
	data.add(cmd.Flags(), w)
	backup.add(cmd.Flags())
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "监听地址 (address to listen on)")
	return cmd
}

// webConfig is what the pages and the API need of the configuration. now is the
// real clock: limits per minute are not a matter of the register's time.
func webConfig(c config, now func() time.Time, log *slog.Logger) web.Config {
	f := c.Footer
	return web.Config{Log: log, Now: now, TrustedProxies: c.TrustedProxies, Metrics: c.Metrics,
		Footer: web.Footer{Sponsor: f.Sponsor, SponsorEN: f.SponsorEN, ICP: f.ICP, Police: f.Police, SiteCode: f.SiteCode, Phone: f.Phone, NationalQuery: f.NationalQuery, Report: f.Report}}
}

// gcPercent lets a server's heap, which lives on short answers and few caches, grow
// to three times what is in use before it is collected; GOGC says otherwise.
const gcPercent = 200

// serveOn serves until ctx ends, then lets requests finish. Batches that a crash
// left open are finished first in the background; the checkpoint is published at
// once and then every minute.
func serveOn(ctx context.Context, reg *registry.Registry, c web.Config, ln net.Listener) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	server, err := web.New(reg, c)
	if err != nil {
		return err
	}
	jobs, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		background(jobs, reg, c.Log)
	}()
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		err = shutDown(ctx, server, served)
	case <-reg.Outdated():
		c.Log.Error("the store has another schema than this process began with; the process ends", "error", reg.OutdatedBy())
		err = errors.Join(otherSchema("", reg.OutdatedBy()), shutDown(ctx, server, served))
	}
	stop()
	<-done
	return err
}

// shutDown lets the requests under way finish.
func shutDown(ctx context.Context, server *web.Server, served <-chan error) error {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fail.New(fail.Unavailable, "requests_cut_off", "requests that had not ended %s after the signal were cut off; what was answered is kept, and batches go on at the next start", shutdownGrace).
			In("收到停止信号 %s 后仍有请求未完成，已中断；已答复的均已保存，未完成的批次在下次启动时继续", shutdownGrace).Because(err)
	}
	return errors.Join(err, <-served)
}

func background(ctx context.Context, reg *registry.Registry, log *slog.Logger) {
	lists := make(chan struct{})
	go func() { // beside the rest: batches that are resumed may take long
		defer close(lists)
		publishStatusLists(ctx, reg, log)
	}()
	defer func() { <-lists }()
	told := make(chan struct{})
	go func() { // beside the rest: an endpoint may take long to answer
		defer close(told)
		tellPayers(ctx, reg, reg.Config().WebhookNetworks, log)
	}()
	defer func() { <-told }()
	witnessed := make(chan struct{})
	go func() { // beside the rest: so may a witness
		defer close(witnessed)
		askWitnesses(ctx, reg, reg.Config().WitnessNetworks, log)
	}()
	defer func() { <-witnessed }()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tellTrouble(ctx, reg, log)
	}()
	defer func() { <-watched }()
	keys := make(chan struct{})
	go func() { // beside the rest: nothing may hold up a key that is trusted no more
		defer close(keys)
		followKeys(ctx, reg, log)
	}()
	defer func() { <-keys }()
	publish := func() {
		c := reg.Config()
		if kids, err := c.Keys.RotateDue(c.Rand, c.Now()); err != nil {
			log.Error("keys not rotated by schedule; tried again in a minute", "error", err)
		} else if len(kids) > 0 {
			log.Info("keys rotated by schedule", "now_signing", kids)
		}
		if _, err := reg.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			log.Error("checkpoint not published", "error", err)
		}
		if err := reg.ForgetClaimBatches(ctx); err != nil && ctx.Err() == nil {
			log.Error("answers to files of claims not erased; tried again in a minute", "error", err)
		}
	}
	publish()
	if err := reg.ResumeBatches(ctx); err != nil && ctx.Err() == nil {
		log.Error("batches not resumed", "error", err)
	}
	if err := errors.Join(reg.ResumeMassChanges(ctx), reg.ResumeCorrections(ctx), reg.ResumePrintJobs(ctx), reg.ResumePayouts(ctx)); err != nil && ctx.Err() == nil {
		log.Error("mass changes, corrections, prints or payouts not resumed", "error", err)
	}
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	count := time.NewTicker(countEvery)
	defer count.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			publish()
		case <-count.C:
			if _, err := reg.CountFigures(ctx); err != nil && ctx.Err() == nil {
				log.Error("statistics not counted; they lag until the next attempt", "error", err)
			}
		}
	}
}

// every does something at once, and then again so much apart, until ctx ends.
func every(ctx context.Context, apart time.Duration, do func()) {
	tick := time.NewTicker(apart)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
