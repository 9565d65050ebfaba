package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/torture"
	"bajigong/registry"
)

// raceOptions say how payers race.
type raceOptions struct {
	size  torture.RaceSize
	store string
	dir   string
}

// raceReport is what `torture race` prints.
type raceReport struct {
	Store string `json:"store"`
	torture.RaceReport
	Total float64 `json:"seconds"`
}

func tortureRaceCommand(w world) *cobra.Command {
	var opt raceOptions
	cmd := &cobra.Command{
		Use:   "race",
		Short: "多地经办机构并发争锁同一批人的补贴 (payers race for the same people's claims)",
		Long: `race 让昆山、南京、广东三家经办机构按各自政策，在同一存储的两个登记系统上同时核验、锁定、
公示、发放、退票、解除、撤回、追回，时钟走过 --days 天，证书随时暂停或撤销；结束后按日志次序
以独立模型核对每一答复、每一步骤、每一笔金额，重放全部决定，检查全部不变量。结果以 JSON 打印。
bbolt 为一个进程内的两个登记系统；PostgreSQL 为两个各有连接池的登记系统。

  bajigong torture race --seed 7 --for 2m
  bajigong torture race --seed 7 --for 2m --store postgres://…   (an empty database)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s := opt.size; s.For < time.Second || s.For > 24*time.Hour || s.People < 1 || s.People > 10_000 || s.Clients < 1 || s.Clients > 1000 || s.Days < 1 || s.Days > 1000 {
				return usageError{errors.New("--for is 1s to 24h, --people 1 to 10000, --clients 1 to 1000, --days 1 to 1000")}
			}
			report, err := tortureRace(cmd.Context(), w, opt)
			if err != nil {
				return err
			}
			return printReport(w.stdout, report, len(report.Problems))
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&opt.size.Seed, "seed", 1, "随机种子 (of what is done)")
	f.DurationVar(&opt.size.For, "for", 2*time.Minute, "并发操作时长 (of the storm)")
	f.IntVar(&opt.size.People, "people", 2000, "人数 (people)")
	f.IntVar(&opt.size.Clients, "clients", 32, "并发数 (clients at a time)")
	f.IntVar(&opt.size.Days, "days", 420, "期间时钟走过的天数 (days that the register's clock moves)")
	f.StringVar(&opt.store, "store", "", "空的 postgres://… 数据库；默认 bbolt (an empty database; bbolt when not given)")
	f.StringVar(&opt.dir, "dir", "", "保留存储的目录 (folder to keep; a temporary one when empty)")
	return cmd
}

func tortureRace(ctx context.Context, w world, opt raceOptions) (report raceReport, err error) {
	started := w.now()
	report.Store = storeKind(opt.store)
	dir, remove, err := tortureDir(opt.dir)
	if err != nil {
		return report, err
	}
	defer remove()
	real := w.now
	clock := newSimClock(torture.RaceBegin.Add(-time.Hour), real)
	w.now, w.stderr = clock.now, io.Discard
	data := dataFlags{dir: filepath.Join(dir, "race"), store: opt.store}
	if opt.store != "" {
		if err := mustBeEmpty(ctx, opt.store); err != nil {
			return report, err
		}
	}
	if err := shortCourse(data.rules()); err != nil {
		return report, err
	}
	c := config{Origin: tortureOrigin, Region: torture.Region, OperatorZH: "职业技能证书登记系统（耐久测试）", OperatorEN: "Register of Skill Certificates (torture)"}
	if _, _, err := initData(ctx, w, data, c, "tt"); err != nil {
		return report, err
	}
	regs, closing, err := openTwice(ctx, w, data)
	if err != nil {
		return report, err
	}
	report.RaceReport, err = torture.Race(ctx, regs, clock.now, clock.move, opt.size)
	report.Total = real().Sub(started).Seconds()
	return report, errors.Join(err, closing())
}

// openTwice opens two registers on one store: with PostgreSQL as two processes
// would, with bbolt, which one process holds, on one handle.
func openTwice(ctx context.Context, w world, data dataFlags) (regs []*registry.Registry, closing func() error, err error) {
	log := slog.New(slog.DiscardHandler)
	first, err := data.open(ctx, w, log)
	if err != nil {
		return nil, nil, err
	}
	if data.store != "" {
		second, err := data.open(ctx, w, log)
		if err != nil {
			return nil, nil, errors.Join(err, first.Close())
		}
		return []*registry.Registry{first.Registry, second.Registry}, func() error { return errors.Join(first.Close(), second.Close()) }, nil
	}
	second, err := registry.New(first.db, first.Config())
	if err != nil {
		return nil, nil, errors.Join(err, first.Close())
	}
	return []*registry.Registry{first.Registry, second}, first.Close, nil
}
