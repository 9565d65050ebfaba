package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"bajigong/internal/fail"
	"bajigong/internal/kv/dump"
	"bajigong/registry"
)

const (
	// backupLooks is how often a server looks whether a backup is due or asked for.
	backupLooks = 2 * time.Second
	// backupRetry is how long it waits after one that failed.
	backupRetry = 15 * time.Minute
)

// backupConfig is the member "backup" of config.json; the flags of serve stand
// for it when --backup-dir is given.
type backupConfig struct {
	// Dir is the folder of the backups, on another disk than the store. It is
	// made when absent; nobody but its owner may write to it.
	Dir string `json:"dir"`
	// Every is the time between two, such as 24h (the default).
	Every string `json:"every,omitempty"`
	// Keep is how many good ones stay; 7 when 0.
	Keep int `json:"keep,omitempty"`
	// EncryptTo are public keys of age (age1…), or files of them.
	EncryptTo []string `json:"encrypt_to,omitempty"`
}

func (c *backupConfig) add(flags *pflag.FlagSet) {
	flags.StringVar(&c.Dir, "backup-dir", "", "定期备份的目录 (folder of scheduled backups; else \"backup\" of config.json; none without)")
	flags.StringVar(&c.Every, "backup-every", "24h", "备份间隔 (time between two backups)")
	flags.IntVar(&c.Keep, "backup-keep", 7, "保留的份数 (how many good backups stay)")
	flags.StringArrayVar(&c.EncryptTo, "backup-encrypt-to", nil, "备份加密的 age 公钥或公钥文件；可重复 (public key of age, or a file of them)")
}

// backupPlan is a backupConfig that was understood.
type backupPlan struct {
	dir   string
	host  string
	every time.Duration
	keep  int
	to    dump.Recipients
}

// plan reads the configuration; nil when no backups are wanted.
func (c backupConfig) plan(w world, origin string) (*backupPlan, error) {
	if c.Dir == "" {
		return nil, nil
	}
	p := &backupPlan{dir: c.Dir, every: 24 * time.Hour, keep: c.Keep}
	var err error
	if c.Every != "" {
		if p.every, err = time.ParseDuration(c.Every); err != nil || p.every < time.Minute {
			return nil, usageError{fmt.Errorf("备份间隔应如 24h，最短 1m (the time between backups is such as 24h, 1m at least): %q", c.Every)}
		}
	}
	if p.keep == 0 {
		p.keep = 7
	}
	if p.keep < 1 || p.keep > 10_000 {
		return nil, usageError{fmt.Errorf("保留份数为 1 至 10000 (backups to keep: 1 to 10000)")}
	}
	if p.host, err = backupHost(origin); err != nil {
		return nil, err
	}
	if p.to, err = readRecipients(w, c.EncryptTo); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return nil, fail.New(fail.Unavailable, "backup_folder", "%v", err).In("无法建立备份目录：%v", err)
	}
	return p, closedFolder(p.dir)
}

// closedFolder refuses a folder to which others may write: they could ask for
// backups, and put files in their place.
func closedFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fail.New(fail.NotFound, "no_folder", "%v", err).In("无法读取备份目录：%v", err)
	}
	if os.PathSeparator == '/' && info.Mode().Perm()&0o022 != 0 {
		return fail.New(fail.Forbidden, "backup_folder_open", "others than its owner can write to %s; run: chmod go-w %s", dir, dir).
			In("备份目录 %s 可被其他用户写入；请执行 chmod go-w %s", dir, dir)
	}
	return nil
}

// backupJob makes the backups of one server.
type backupJob struct {
	w    world
	reg  *opened
	plan backupPlan
	log  *slog.Logger

	mu       sync.Mutex
	last     registry.Backup // the newest that is recorded in the store
	failed   time.Time
	failures int
	kept     int
}

// startBackups makes backups until the returned function is called, which waits
// for the end of one that is under way and is given up.
func startBackups(ctx context.Context, w world, reg *opened, plan backupPlan, log *slog.Logger) (*backupJob, func()) {
	j := &backupJob{w: w, reg: reg, plan: plan, log: log}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		every(ctx, backupLooks, func() {
			j.look(ctx)
		})
	}()
	return j, func() { stop(); <-done }
}

// look makes a backup if one is due or asked for, and answers who asked.
func (j *backupJob) look(ctx context.Context) {
	asked := j.requests()
	last, ok, err := j.reg.LastBackup(ctx)
	if err == nil && ok {
		j.mu.Lock()
		j.last = last
		j.mu.Unlock()
	}
	due := false
	if err == nil && j.w.now().Sub(j.failed) >= min(backupRetry, j.plan.every) {
		due, err = j.reg.BackupDue(ctx, j.plan.every)
	}
	if err != nil && ctx.Err() == nil {
		j.fails(err)
		return
	}
	if !due && len(asked) == 0 || ctx.Err() != nil {
		return
	}
	made, held, err := j.reg.LeasedBackup(ctx, j.make)
	if !held && err == nil {
		return // another process is at it; who asked is answered by the next look
	}
	if err != nil && ctx.Err() == nil {
		j.fails(err)
	}
	if ctx.Err() == nil {
		j.answer(asked, made, err)
	}
}

func (j *backupJob) fails(err error) {
	j.mu.Lock()
	j.failed = j.w.now()
	j.failures++
	j.mu.Unlock()
	j.log.Error("backup failed; tried again in a quarter of an hour", "error", err)
}

// make writes, verifies and notes one backup, then removes the oldest.
func (j *backupJob) make(ctx context.Context) (out registry.Backup, err error) {
	began := j.w.now()
	if err := removeParts(j.plan.dir, j.plan.host); err != nil {
		return out, err
	}
	note, err := j.write(ctx)
	if err != nil {
		return out, noRoom(err)
	}
	path := filepath.Join(j.plan.dir, note.File)
	err = writeWhole(path+noteSuffix, func(out io.Writer) error {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(note)
	}, nil)
	if err != nil { // a dump without its note counts as none, and the next try makes another
		return out, errors.Join(noRoom(err), os.Remove(path))
	}
	host, _ := os.Hostname()
	took := j.w.now().Sub(began)
	out = registry.Backup{ID: note.Header.ID, Host: host, File: note.File, Bytes: note.Bytes, Records: note.Records, Seconds: took.Round(time.Millisecond).Seconds()}
	j.log.Info("backup made and read back", "file", note.File, "bytes", note.Bytes, "records", note.Records, "took", took)
	kept, err := retain(j.plan.dir, j.plan.host, j.plan.keep)
	if err != nil {
		// The backup is there all the same.
		j.log.Error("old backups not removed; tried again after the next one", "error", err)
	}
	j.mu.Lock()
	j.kept = kept
	j.mu.Unlock()
	return out, nil
}

// write writes the dump of a snapshot under its final name, after it was read back.
func (j *backupJob) write(ctx context.Context) (note backupNote, err error) {
	rd, release, err := j.reg.db.Snapshot(ctx)
	if err != nil {
		return note, err
	}
	defer release()
	var id [4]byte
	if _, err := io.ReadFull(j.w.rand, id[:]); err != nil {
		return note, err
	}
	note.File = fmt.Sprintf("%s-%s-%x.dump.zst", j.plan.host, j.w.now().UTC().Format(backupTime), id)
	if note.Encrypted = len(j.plan.to) > 0; note.Encrypted {
		note.File += ".age"
	}
	sum := sha256.New()
	count := &counting{}
	silent := newDumpProgress(world{stderr: io.Discard, env: func(string) string { return "" }, now: j.w.now}, "")
	var made dumped
	err = writeWhole(filepath.Join(j.plan.dir, note.File), func(out io.Writer) error {
		made, err = writeDump(ctx, j.w, io.MultiWriter(newRoomy(out, j.plan.dir), sum, count), j.reg.config.Origin, rd, j.plan.to, silent.show)
		return err
	}, func(path string) error {
		release() // of the copy of a bbolt file: it is not needed any more
		note.SHA256, note.Bytes = hex.EncodeToString(sum.Sum(nil)), count.n
		var read dumped
		if read, note.Content, err = checkFile(ctx, j.w, path, note.SHA256, nil, silent); err != nil {
			return err
		}
		if note.Content && read.SHA256 != made.SHA256 {
			return fail.New(fail.Internal, "backup_changed", "what was read back is not what was written").In("读回的备份与写入的不同")
		}
		return nil
	})
	note.Verified, note.Records, note.Header = j.w.now().UTC().Truncate(time.Second), made.Records, made.Header
	return note, err
}

type counting struct{ n int64 }

func (c *counting) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// metrics is what /metrics says of backups.
func (j *backupJob) metrics() []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out bytes.Buffer
	one := func(name, kind, help string, value any) {
		fmt.Fprintf(&out, "# HELP bajigong_backup_%s %s\n# TYPE bajigong_backup_%s %s\nbajigong_backup_%s %v\n", name, help, name, kind, name, value)
	}
	unix := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.Unix()
	}
	one("last_success_timestamp_seconds", "gauge", "When the newest backup of this store was recorded, by whatever process; 0: never.", unix(j.last.At))
	one("last_failure_timestamp_seconds", "gauge", "When a backup of this process failed last; 0: never.", unix(j.failed))
	one("failures_total", "counter", "Backups of this process that failed.", j.failures)
	one("last_bytes", "gauge", "Size of the newest backup.", j.last.Bytes)
	one("last_duration_seconds", "gauge", "How long the newest backup took.", j.last.Seconds)
	one("kept", "gauge", "Good backups in the folder after the last one of this process.", j.kept)
	return out.Bytes()
}

// Who may write to the folder of backups may ask for one, by a file:
//
//	request-0a1b2c3d4e5f6071   a backup is wanted
//	answer-0a1b2c3d4e5f6071    a backupAnswer; who asked removes it
const (
	requestPrefix = "request-"
	answerPrefix  = "answer-"
)

type backupAnswer struct {
	File  string `json:"file,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	// Error and ErrorZH are for people.
	Error   string `json:"error,omitempty"`
	ErrorZH string `json:"error_zh,omitempty"`
}

func (j *backupJob) requests() (ids []string) {
	entries, err := os.ReadDir(j.plan.dir)
	if err != nil {
		return nil // the next backup says so
	}
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), requestPrefix); ok && isToken(id) && e.Type().IsRegular() {
			ids = append(ids, id)
		}
	}
	return ids
}

func isToken(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 8
}

func (j *backupJob) answer(ids []string, made registry.Backup, failed error) {
	a := backupAnswer{File: made.File, Bytes: made.Bytes}
	if failed != nil {
		e := fail.Of(failed)
		a = backupAnswer{Error: fmt.Sprintf("%s (%s)", e.Text, e.Code), ErrorZH: e.ZH}
	}
	for _, id := range ids {
		b, err := json.Marshal(a)
		if err == nil {
			err = writeWhole(filepath.Join(j.plan.dir, answerPrefix+id), func(out io.Writer) error { _, err := out.Write(b); return err }, nil)
		}
		if err = errors.Join(err, os.Remove(filepath.Join(j.plan.dir, requestPrefix+id))); err != nil {
			j.log.Error("request for a backup not answered", "error", err)
		}
	}
}
