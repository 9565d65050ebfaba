package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"bajigong/credentials"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/torture"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// town is a register in a folder that is filled for measuring, and goes on being
// used.
type town struct {
	w      world
	clock  *simClock
	data   dataFlags // of the bbolt file in the folder
	config config
	keys   *credentials.KeyRing
	*torture.Town
}

// openTown takes up the register of a folder, or makes one.
func openTown(ctx context.Context, w world, dir string) (*town, error) {
	clock := newSimClock(torture.Begin, w.now)
	t := &town{clock: clock, data: dataFlags{dir: dir}}
	stderr := w.stderr
	w.now, w.stderr = clock.now, io.Discard
	t.w = w
	t.w.stderr = stderr
	if _, err := os.Stat(t.data.config()); errors.Is(err, os.ErrNotExist) {
		if err := shortCourse(t.data.rules()); err != nil {
			return nil, err
		}
		if err := benchPolicies(t.data.rules()); err != nil {
			return nil, err
		}
		c := config{Origin: tortureOrigin, Region: torture.Region, OperatorZH: "职业技能证书登记系统（性能测量）", OperatorEN: "Register of Skill Certificates (measured)"}
		if _, _, err := initData(ctx, w, t.data, c, "tt"); err != nil {
			return nil, err
		}
		if err := torture.SaveTown(dir, nil, torture.NewTown(1)); err != nil {
			return nil, err
		}
	}
	var err error
	if t.config, err = loadConfig(t.data.config()); err != nil {
		return nil, err
	}
	if t.keys, err = credentials.OpenKeyRing(t.data.keys(), credentials.Opener{}); err != nil {
		return nil, err
	}
	return t, t.load(ctx)
}

// load finds the state that the store is in, and its time.
func (t *town) load(ctx context.Context) error {
	engine, err := boltkv.Open(t.data.storePath(), boltkv.Options{MustExist: true, NoSync: true, Scattered: registry.ScatteredTables()}) // whole also after a filling that was killed
	if err != nil {
		return err
	}
	reg, err := t.open(ctx, engine)
	if err != nil {
		return err
	}
	defer reg.Close()
	entries, now, err := reg.head(ctx)
	if err != nil {
		return err
	}
	if t.Town, err = torture.LoadTown(t.data.dir, entries); err != nil {
		return err
	}
	if now.After(t.Clock) && entries != t.Entries {
		t.Clock = now.Add(time.Hour) // something was measured since
	}
	t.clock.move(t.Clock)
	return nil
}

// townRegister is the register of a town on an engine. It owns the engine.
type townRegister struct {
	*registry.Registry
	db *kv.DB
}

func (r townRegister) Close() error { return r.db.Close() }

func (t *town) open(ctx context.Context, engine kv.Engine) (*townRegister, error) {
	var process [12]byte
	_, _ = rand.Read(process[:])
	log := slog.New(slog.DiscardHandler)
	db, err := kv.Open(ctx, engine, kv.Options{Now: t.w.now, Process: hex.EncodeToString(process[:]), Log: log}, registry.Migrations())
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	reg, err := t.registry(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &townRegister{reg, db}, nil
}

func (t *town) registry(db *kv.DB) (*registry.Registry, error) {
	return newRegistry(db, t.config, t.data.rules(), t.keys, t.w.now, t.w.rand, slog.New(slog.DiscardHandler))
}

// head is how many entries the log has, and the store's time.
func (r townRegister) head(ctx context.Context) (entries uint64, now time.Time, err error) {
	err = r.db.View(ctx, func(rd kv.Reader) error {
		head, err := auditlog.ReadHead(rd)
		if err != nil {
			return err
		}
		entries = head.Size
		now, err = r.db.Now(rd)
		return err
	})
	return entries, now, err
}

// benchGC lets the heap grow further between collections while a store is filled:
// what is buffered is live, and most of it stays so. benchMemory is where it is
// collected more often instead: in a store of millions the pages that one load
// touches are most of what is live.
const (
	benchGC     = 200
	benchMemory = 3 << 30
)

// fill fills the register to a size. A load is written to the store beside the next
// one. It waits for the disk once, at the end; until then a process that is killed
// leaves whole loads, and a power cut may leave nothing that can be used.
func (t *town) fill(ctx context.Context, size torture.TownSize) error {
	if t.Whole && t.Certificates >= size.Certificates && t.Recorded() >= size.Claims && t.Past >= size.Past {
		return nil
	}
	defer debug.SetGCPercent(debug.SetGCPercent(benchGC))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(benchMemory))
	engine, err := boltkv.Open(t.data.storePath(), boltkv.Options{MustExist: true, NoSync: true, Scattered: registry.ScatteredTables()})
	if err != nil {
		return err
	}
	buffer := torture.NewBuffer(engine)
	reg, err := t.open(ctx, buffer)
	if err != nil {
		return err
	}
	steps, begun := newProgress(t.w, "填充 filling, certificates"), t.Certificates
	steps.now = time.Now
	t.Whole = false
	before := t.Copy()
	f := &torture.Filling{Town: t.Town, Registry: reg.Registry, Move: t.clock.move,
		Keep: func(ctx context.Context) (uint64, error) {
			entries, _, err := reg.head(ctx)
			if err != nil {
				return 0, err
			}
			if err := buffer.Wait(); err != nil { // the store then is as before says
				return 0, err
			}
			now := t.Copy()
			now.Entries = entries
			if err := torture.SaveTown(t.data.dir, before, now); err != nil {
				return 0, err
			}
			before = now
			return entries, buffer.FlushBehind(ctx)
		},
		Show: func(certificates, claims int) {
			steps.what = fmt.Sprintf("填充 filling, %d claims, certificates", claims)
			steps.show(certificates, max(certificates, size.Certificates))
		}}
	steps.show(begun, max(begun, size.Certificates))
	err = f.Grow(ctx, size)
	steps.end()
	if err == nil {
		_, err = reg.PublishStatusLists(ctx)
	}
	if err == nil {
		t.Entries, _, err = reg.head(ctx)
	}
	if err == nil {
		err = buffer.Flush(ctx)
	}
	if err = errors.Join(err, reg.Close()); err != nil {
		return err
	}
	if err := syncFile(t.data.storePath()); err != nil {
		return err
	}
	t.Whole = true
	return torture.SaveTown(t.data.dir, nil, t.Town)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// measured keeps what measuring has added.
func (t *town) measured(ctx context.Context, reg *townRegister, certificates, claims int) (err error) {
	t.Certificates += certificates
	t.Claims["measured"] += claims
	if t.Entries, t.Clock, err = reg.head(ctx); err != nil {
		return err
	}
	t.Clock = t.Clock.Add(time.Hour)
	return torture.SaveTown(t.data.dir, nil, t.Town)
}

// storeBytes is the size of the bbolt file.
func (t *town) storeBytes() int64 {
	info, err := os.Stat(filepath.Clean(t.data.storePath()))
	if err != nil {
		return 0
	}
	return info.Size()
}

// benchPolicies puts the policy of the second language into a data directory.
func benchPolicies(folder string) error {
	folder = filepath.Join(folder, "policies")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "measured.yaml"), torture.MeasuredPolicy, 0o600)
}
