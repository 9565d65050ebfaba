package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/dump"
	"bajigong/registry/auditlog"
)

func dumpCommand(w world) *cobra.Command {
	var data dataFlags
	var to []string
	cmd := &cobra.Command{
		Use:   "dump FILE",
		Short: "把整个存储导出为一个文件 (the whole store as one file)",
		Long: `dump 把存储的一个快照完整写入 FILE：全部表，按顺序，zstd 压缩，带 SHA-256；
--encrypt-to 用 age 公钥加密。先写在旁边的临时文件，落盘后改名；- 写到标准输出。
用 restore 恢复到空的存储，bbolt 与 PostgreSQL 可以互换。密钥环 keys/ 不在其中。

It writes one snapshot of the store: every table in order, compressed, hashed,
encrypted if asked. The key ring is not in it.

A PostgreSQL store is dumped while servers run. A bbolt store belongs to its
server: stop it, or let it make backups itself (serve --backup-dir, backup now).`,
		Example: `  bajigong dump --data /srv/bajigong register.dump.zst
  bajigong dump --store postgres://… --encrypt-to age1… - | ssh vault 'cat > register.dump.zst.age'`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			recipients, err := readRecipients(w, to)
			if err != nil {
				return err
			}
			return dumpStore(cmd.Context(), w, data, args[0], recipients)
		},
	}
	data.addDir(cmd.Flags(), w)
	data.addStore(cmd.Flags(), w)
	cmd.Flags().StringArrayVar(&to, "encrypt-to", nil, "age 公钥 age1…，或公钥文件；可重复 (public key of age, or a file of them; may be repeated)")
	return cmd
}

// readRecipients reads keys of age from arguments: keys themselves or files.
func readRecipients(w world, args []string) (dump.Recipients, error) {
	var out dump.Recipients
	for _, arg := range args {
		text := arg
		if len(arg) < 4 || arg[:4] != "age1" {
			b, err := readInput(w, arg, 1<<20)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		some, err := dump.ParseRecipients(text)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func dumpStore(ctx context.Context, w world, data dataFlags, name string, to dump.Recipients) error {
	origin, err := originOf(data)
	if err != nil {
		return err
	}
	engine, err := openStore(ctx, data.storePath(), true)
	if fail.CodeOf(err) == "store_locked" {
		return fail.New(fail.Unavailable, "store_locked", "%s is held by a running server; stop it, or let the server make the backup: `bajigong serve --backup-dir DIR`, then `bajigong backup now --backup-dir DIR`", data.storePath()).
			In("%s 正被运行中的服务占用；请先停止服务，或由服务自己制作备份：bajigong serve --backup-dir DIR，再执行 bajigong backup now --backup-dir DIR", data.storePath())
	}
	if err != nil {
		return err
	}
	defer engine.Close()
	steps := newDumpProgress(w, "导出 dump")
	var made dumped
	err = steady(ctx, engine, data.storePath(), func(rd kv.Reader) error {
		if name == "-" {
			made, err = writeDump(ctx, w, w.stdout, origin, rd, to, steps.show)
			return err
		}
		return writeWhole(name, func(out io.Writer) error {
			made, err = writeDump(ctx, w, out, origin, rd, to, steps.show)
			return err
		}, nil)
	})
	if err != nil {
		return noRoom(err)
	}
	steps.end()
	out := w.stdout
	if name == "-" {
		out = w.stderr
	}
	say(out, "已导出 %s：%s\n", name, made)
	return nil
}

// steady gives fn one state of a store that was not opened as a register. Nobody
// else has a bbolt store open, so a View of any length holds up nobody, and costs
// no copy of the file.
func steady(ctx context.Context, engine kv.Engine, store string, fn func(kv.Reader) error) error {
	if !isPostgres(store) {
		return engine.View(ctx, fn)
	}
	rd, release, err := engine.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer release()
	return fn(rd)
}

// originOf is the origin of the register in a data directory; empty when there
// is none, as on a machine that has the store alone.
func originOf(data dataFlags) (string, error) {
	c, err := loadConfig(data.config())
	if fail.CodeOf(err) == "no_data" {
		return "", nil
	}
	return c.Origin, err
}

// dumped is what a dump was made of.
type dumped struct {
	dump.Header
	dump.Trailer
	content uint64
}

func (d dumped) String() string {
	s := fmt.Sprintf("%d 张表，%d 条，%d MB（压缩前）；%s 的状态 (%d tables, %d records, state of %s)", len(d.Tables), d.Records, d.content>>20,
		d.Time.Format(time.RFC3339), len(d.Tables), d.Records, d.Time.Format(time.RFC3339))
	if d.Log != nil {
		s += fmt.Sprintf("\n审计日志 log %s：%d 条 entries，根 root %s", d.Log.Origin, d.Log.Size, d.Log.Root)
	}
	return s
}

// writeDump writes the whole of rd to out.
func writeDump(ctx context.Context, w world, out io.Writer, origin string, rd kv.Reader, to dump.Recipients, progress func(dump.Progress)) (made dumped, err error) {
	if made.Header, err = headerOf(w, origin, rd); err != nil {
		return made, err
	}
	file, err := dump.Create(out, to)
	if err != nil {
		return made, err
	}
	content, err := dump.NewWriter(file, made.Header)
	if err == nil {
		err = dump.Write(ctx, content, rd, progress)
	}
	if err == nil {
		made.Trailer, err = content.Close()
		made.content = content.Bytes()
	}
	return made, errors.Join(err, file.Close())
}

// headerOf describes a state. A store that is half restored is none.
func headerOf(w world, origin string, rd kv.Reader) (h dump.Header, err error) {
	state, err := kv.ReadState(rd)
	if err != nil {
		return h, err
	}
	if state.Restoring != "" {
		return h, halfRestored(state.Restoring)
	}
	var id [16]byte
	if _, err := io.ReadFull(w.rand, id[:]); err != nil {
		return h, err
	}
	h = dump.Header{Format: dump.Format, ID: hex.EncodeToString(id[:]), Made: w.now().UTC().Truncate(time.Second), Origin: origin,
		Schema: state.Schema, SchemaName: state.SchemaName, Migrating: state.Migrating, Time: state.Time.UTC()}
	head, err := auditlog.ReadHead(rd)
	switch {
	case fail.CodeOf(err) == "log_not_started":
		return h, nil
	case err != nil:
		return h, err
	}
	h.Log = &dump.Log{Origin: head.Origin, Size: head.Size, Root: head.Root().String()}
	return h, nil
}

func halfRestored(id string) error {
	return fail.New(fail.Conflict, "store_half_restored", "dump %s was being restored into this store and is not whole; run the same `bajigong restore` again, it goes on where it stopped, or remove the store and begin anew", id).
		In("本存储正在由备份 %s 恢复，尚未完成；请再次执行同一条 bajigong restore 命令（从中断处继续），或删除该存储后重新恢复", id)
}

// noRoom says in words of the command line that the disk is too small.
func noRoom(err error) error {
	if errors.Is(err, boltkv.ErrNoRoom) {
		return fail.New(fail.Unavailable, "no_room", "%v; make room, or stop the server and use `bajigong dump`, which needs no copy", err).
			In("磁盘空间不足，无法制作快照：%v；请清理磁盘，或停止服务后使用无须副本的 bajigong dump", err)
	}
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return fail.New(fail.Unavailable, "no_room", "the file could not be written, and what there was of it is removed (%v); make room or choose another disk, and repeat", err).
				In("文件未能写完，已写的部分已删除（%v）；请清理磁盘或换一块磁盘后重试", err).Because(err)
		}
	}
	return err
}

// writeWhole makes a file that is whole or not there: under another name beside,
// synced, verified when verify is not nil, renamed. One that exists is not touched.
// The file is its owner's alone.
func writeWhole(name string, write func(io.Writer) error, verify func(path string) error) (err error) {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fail.New(fail.Unavailable, "file", "%v", err).In("无法写入文件：%v", err)
		}
		return fail.New(fail.Conflict, "file_exists", "%s exists; a backup is not overwritten, choose another name", name).
			In("%s 已存在；备份文件不会被覆盖，请换一个文件名", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+partMark+"*") // 0600
	if err != nil {
		return fail.New(fail.Unavailable, "file", "%v", err).In("无法写入文件：%v", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if verify != nil {
		if err := verify(f.Name()); err != nil {
			return err
		}
	}
	// A crash before this leaves a file under the other name, which nothing reads.
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

// partMark is in the names of files that are being written.
const partMark = ".part-"

func syncFolder(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// dumpProgress shows how far a dump or restore has come.
type dumpProgress struct {
	*progress
	began time.Time
}

func newDumpProgress(w world, what string) *dumpProgress {
	return &dumpProgress{progress: newProgress(w, what), began: w.now()}
}

// show says it on one line: which table, how much.
func (p *dumpProgress) show(at dump.Progress) {
	of := ""
	if at.Tables > 0 {
		of = fmt.Sprintf("/%d", at.Tables)
	}
	p.tell(fmt.Sprintf("表 table %d%s · %d 条 records · %d MB", at.Table, of, at.Records, at.Bytes>>20), at.Bytes)
}

// part says how much of a known number is done.
func (p *dumpProgress) part(done, total, bytes uint64) {
	p.tell(fmt.Sprintf("%d/%d 条 records (%d %%) · %d MB", done, total, 100*done/max(total, 1), bytes>>20), bytes)
}

func (p *dumpProgress) tell(text string, bytes uint64) {
	now := p.now()
	every := plainEvery
	if p.live {
		every = 200 * time.Millisecond
	}
	if !p.shown.IsZero() && now.Sub(p.shown) < every {
		return
	}
	p.shown, p.begun = now, true
	if took := now.Sub(p.began); took >= time.Second {
		text += fmt.Sprintf(" · %.0f MB/s", float64(bytes)/(1<<20)/took.Seconds())
	}
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s %s", p.what, text)
		return
	}
	fmt.Fprintln(p.out, p.what, text)
}
