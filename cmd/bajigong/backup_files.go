package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/dump"
)

// A backup is two files in the folder of backups:
//
//	zs.example.gov.cn-20260302T010000Z-0a1b2c3d.dump.zst        the dump (….zst.age when encrypted)
//	zs.example.gov.cn-20260302T010000Z-0a1b2c3d.dump.zst.json   its note: a backupNote
//
// The note is written last: a dump without one was not verified, and counts as none.
var backupName = regexp.MustCompile(`^([a-z0-9._-]+)-(\d{8}T\d{6}Z)-([0-9a-f]{8})\.dump\.zst(\.age)?$`)

const noteSuffix = ".json"

// backupNote is what was verified when a backup was made.
type backupNote struct {
	File      string      `json:"file"`
	Bytes     int64       `json:"bytes"`
	SHA256    string      `json:"sha256"` // of the file
	Encrypted bool        `json:"encrypted,omitempty"`
	Verified  time.Time   `json:"verified"`
	Content   bool        `json:"content"` // read back to the end; of an encrypted one the bytes alone can be
	Records   uint64      `json:"records"`
	Header    dump.Header `json:"header"`
}

// backupHost is the part of the names of one register's backups.
func backupHost(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return "", fail.New(fail.Invalid, "origin", "the origin %q is not an address", origin).In("登记系统网址不正确：%s", origin)
	}
	return strings.Map(func(c rune) rune { // what backupName does not know would never be found again
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, strings.ToLower(u.Host)), nil
}

// foundBackup is a dump in the folder, with its note when it has one.
type foundBackup struct {
	name  string
	host  string
	made  time.Time // as in the name
	bytes int64
	note  *backupNote
}

// good says that the file is there as it was verified, as far as its size tells.
func (b foundBackup) good() bool { return b.note != nil && b.note.Bytes == b.bytes }

// findBackups lists the backups in a folder, the oldest first.
func findBackups(dir string) (out []foundBackup, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fail.New(fail.NotFound, "no_folder", "%v", err).In("无法读取备份目录：%v", err)
	}
	for _, e := range entries {
		parts := backupName.FindStringSubmatch(e.Name())
		info, err := e.Info()
		if parts == nil || err != nil || !info.Mode().IsRegular() {
			continue
		}
		made, err := time.Parse(backupTime, parts[2])
		if err != nil {
			continue
		}
		b := foundBackup{name: e.Name(), host: parts[1], made: made, bytes: info.Size()}
		if b.note, err = readNote(filepath.Join(dir, e.Name())); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b foundBackup) int {
		if c := a.made.Compare(b.made); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	return out, nil
}

const backupTime = "20060102T150405Z"

// readNote reads the note of a backup; nil when there is none, or none that is
// of this file.
func readNote(path string) (*backupNote, error) {
	b, err := os.ReadFile(path + noteSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var n backupNote
	if err := json.Unmarshal(b, &n); err != nil || n.File != filepath.Base(path) {
		return nil, nil
	}
	return &n, nil
}

// retain removes the oldest backups of one register beyond keep good ones, and
// what else of its own is older than all that stay. It is called after a backup
// was made and verified, so that a good one always stays.
func retain(dir, host string, keep int) (kept int, err error) {
	all, err := findBackups(dir)
	if err != nil {
		return 0, err
	}
	all = slices.DeleteFunc(all, func(b foundBackup) bool { return b.host != host })
	oldest := len(all) // the first that stays
	for oldest > 0 && kept < max(keep, 1) {
		oldest--
		if all[oldest].good() {
			kept++
		}
	}
	for _, b := range all[:oldest] {
		// The dump first: a note without its dump names nothing.
		path := filepath.Join(dir, b.name)
		if err := os.Remove(path); err != nil {
			return kept, fmt.Errorf("remove an old backup: %w", err)
		}
		if err := os.Remove(path + noteSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return kept, fmt.Errorf("remove an old backup: %w", err)
		}
	}
	return kept, nil
}

// removeParts removes what a killed process left of a register's backups.
func removeParts(dir, host string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, _, part := strings.Cut(e.Name(), partMark)
		if parts := backupName.FindStringSubmatch(strings.TrimSuffix(name, noteSuffix)); part && parts != nil && parts[1] == host {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkFile reads a backup to the end: its bytes against the hash it should have
// (none when empty), and what is in it when it can be opened. It answers what the
// dump says of itself.
func checkFile(ctx context.Context, w world, path, sum string, with dump.Identities, steps *dumpProgress) (d dumped, opened bool, err error) {
	if sum != "" {
		got, _, err := hashFile(ctx, path)
		if err != nil {
			return d, false, err
		}
		if got != sum {
			return d, false, fail.New(fail.Invalid, "backup_changed", "%s is not the file that was verified when it was made: its SHA-256 is %s, not %s", path, got, sum).
				In("%s 与制作时核对过的文件不同：SHA-256 为 %s，应为 %s", path, got, sum)
		}
	}
	d, err = verifyDump(ctx, w, path, with, steps)
	if sum != "" && (fail.CodeOf(err) == "dump_encrypted") {
		return d, false, nil // nobody here can open it, but its bytes are those that were written
	}
	return d, err == nil, err
}

func hashFile(ctx context.Context, path string) (sum string, bytes int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fail.New(fail.NotFound, "no_file", "%v", err).In("无法读取文件：%v", err)
	}
	defer f.Close()
	h := sha256.New()
	bytes, err = io.Copy(h, reading{ctx, f})
	return hex.EncodeToString(h.Sum(nil)), bytes, err
}

// reading ends a long read when nobody waits for it any more.
type reading struct {
	ctx context.Context
	in  io.Reader
}

func (r reading) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(b)
}

// backupReserve is the room that a backup leaves on its disk, on which the store
// may live too; backupLook how much is written between two looks.
const (
	backupReserve = 256 << 20
	backupLook    = 16 << 20
)

// roomy is a writer that gives up before the disk is full.
type roomy struct {
	out     io.Writer
	dir     string
	reserve uint64
	since   int // bytes since the last look
	free    func(dir string) (uint64, bool)
}

func newRoomy(out io.Writer, dir string) *roomy {
	return &roomy{out: out, dir: dir, reserve: backupReserve, since: backupLook, free: boltkv.FreeSpace}
}

func (r *roomy) Write(b []byte) (int, error) {
	if r.since += len(b); r.since >= backupLook {
		r.since = 0
		if free, known := r.free(r.dir); known && free < r.reserve {
			return 0, fail.New(fail.Unavailable, "no_room", "only %d MB are free in %s; the backup was given up so that the disk does not fill", free>>20, r.dir).
				In("%[2]s 只剩 %[1]d MB 可用空间，为避免写满磁盘，已放弃本次备份", free>>20, r.dir)
		}
	}
	return r.out.Write(b)
}
