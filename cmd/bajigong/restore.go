package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/dump"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// A page of a restore is one commit: what a kill costs, and what is in memory.
// On PostgreSQL it is a page of bulk work, on bbolt larger, since each commit
// there writes whole pages of the file.
const (
	restorePageBolt     = 20_000
	restorePagePostgres = 500
	restorePageBytes    = 8 << 20
)

func restoreCommand(w world) *cobra.Command {
	var data dataFlags
	opt := restoreOptions{}
	var identities []string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "把 dump 导出的文件恢复到空的存储 (restore a dump into an empty store)",
		Long: `restore 把 dump 或 backup 的文件恢复到空的存储（bbolt 文件或 PostgreSQL 数据库）。存储
不空则拒绝。先通读文件并核对散列，再写入；写完后由全部条目重算审计日志的根，与文件头
一致才可使用，此前任何程序都打不开它。中断后再次执行同一命令，从中断处继续。较旧
版本的存储随后自动升级；较新版本的拒绝。最后请执行 bajigong check。

It reads the whole file first, then writes, then recomputes the root of the audit
log from every entry; until that is done no program opens the store. Run again
after an interruption it goes on where it stopped.

config.json and keys/ come from their own copy: put them into the data directory
first, with the newest checkpoint file, never an older one. A register that was
restored from an older backup signs nothing until you decide; see the manual.`,
		Example: `  bajigong restore register.dump.zst --data /srv/bajigong
  bajigong restore register.dump.zst --data /srv/bajigong --store postgres://…   (bbolt → PostgreSQL)
  bajigong restore backup.dump.zst.age --identity age-key.txt --data /srv/bajigong`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opt.page < 0 || opt.page > kv.MaxScan*10 {
				return usageError{errors.New("--page 为 1 至 100000 (is 1 to 100000)")}
			}
			var err error
			if opt.with, err = readIdentities(w, identities); err != nil {
				return err
			}
			return restoreDump(cmd.Context(), w, data, args[0], opt)
		},
	}
	data.addDir(cmd.Flags(), w)
	data.addStore(cmd.Flags(), w)
	cmd.Flags().StringArrayVar(&identities, "identity", nil, "age 私钥文件，解开加密的备份；可重复 (file with the secret key of age; may be repeated)")
	cmd.Flags().IntVar(&opt.page, "page", 0, "每次提交的条数 (records of one commit; 20000 on bbolt, 500 on PostgreSQL)")
	return cmd
}

type restoreOptions struct {
	with dump.Identities
	page int
}

func readIdentities(w world, files []string) (dump.Identities, error) {
	var out dump.Identities
	for _, name := range files {
		b, err := readSecret(w, name)
		if err != nil {
			return nil, err
		}
		some, err := dump.ParseIdentities(string(b))
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// openDump opens a file or the standard input and reads its header.
func openDump(w world, name string, with dump.Identities) (*dump.Reader, func(), error) {
	in, done := w.stdin, func() {}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, fail.New(fail.NotFound, "no_file", "%v", err).In("无法读取文件：%v", err)
		}
		in, done = f, func() { _ = f.Close() }
	}
	content, unpacked, err := dump.Open(in, with)
	if err != nil {
		done()
		return nil, nil, err
	}
	r, err := dump.NewReader(content)
	if err != nil {
		unpacked()
		done()
		return nil, nil, err
	}
	return r, func() { unpacked(); done() }, nil
}

// verifyDump reads a whole dump and stores nothing.
func verifyDump(ctx context.Context, w world, name string, with dump.Identities, steps *dumpProgress) (d dumped, err error) {
	r, done, err := openDump(w, name, with)
	if err != nil {
		return d, err
	}
	defer done()
	for {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		_, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dumped{r.Header(), r.Trailer(), r.Bytes()}, nil
		}
		if err != nil {
			return d, err
		}
		if at := r.Trailer(); at.Records%1000 == 0 {
			steps.show(dump.Progress{Table: len(at.Tables), Records: at.Records, Bytes: r.Bytes()})
		}
	}
}

func restoreDump(ctx context.Context, w world, data dataFlags, name string, opt restoreOptions) error {
	var total uint64 // unknown from the standard input
	if name != "-" {
		steps := newDumpProgress(w, "核对文件 verify")
		d, err := verifyDump(ctx, w, name, opt.with, steps)
		if err != nil {
			return err
		}
		steps.end()
		total = d.Records
	}
	r, done, err := openDump(w, name, opt.with)
	if err != nil {
		return err
	}
	defer done()
	h := r.Header()
	if err := fitsHere(h, data); err != nil {
		return err
	}
	engine, err := openForRestore(ctx, data.storePath())
	if err != nil {
		return err
	}
	err = storeFull(fill(ctx, w, engine, r, total, data.storePath(), opt.page))
	if err := errors.Join(err, engine.Close()); err != nil {
		return err
	}
	// A whole store from here on. What is left is the work of any first start.
	if h.Migrating || h.Schema < len(registry.Migrations()) {
		fmt.Fprintln(w.stderr, "升级旧版本的存储 migrating …")
	}
	db, err := openDB(ctx, data.storePath(), true, w.now, w.rand, newLog(w.stderr))
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	say(w.stdout, "已恢复 restored：%s\n", dumped{h, r.Trailer(), r.Bytes()})
	sayCheckpoint(w, data, h.Log)
	say(w.stdout, "下一步 next：bajigong check --data %s\n", data.dir)
	return nil
}

// fitsHere says whether this program and this data directory can use a dump.
func fitsHere(h dump.Header, data dataFlags) error {
	migrations := registry.Migrations()
	if h.Schema > len(migrations) || h.Schema > 0 && migrations[h.Schema-1].Name != h.SchemaName {
		return fail.New(fail.Conflict, "dump_schema_newer", "the dump is of a store at migration %d (%s), which this program does not know; restore it with the program that made it, or a newer one", h.Schema, h.SchemaName).
			In("备份来自较新版本的存储（第 %d 次升级：%s），本程序无法识别；请使用制作该备份的程序或更新的版本恢复", h.Schema, h.SchemaName)
	}
	origin, err := originOf(data)
	if err != nil {
		return err
	}
	if origin != "" && h.Origin != "" && origin != h.Origin {
		return fail.New(fail.Conflict, "dump_other_register", "the dump is of the register %s, the data directory of %s: its keys would open nothing", h.Origin, origin).
			In("备份属于登记系统 %s，而数据目录属于 %s：其密钥无法打开备份中的信息", h.Origin, origin)
	}
	return nil
}

func openForRestore(ctx context.Context, store string) (kv.Engine, error) {
	if isPostgres(store) {
		return openStore(ctx, store, false)
	}
	return openBolt(store, boltkv.Options{})
}

// fill does everything up to a store that opens. What a crash leaves opens for
// nobody but the restore of the same dump.
func fill(ctx context.Context, w world, engine kv.Engine, r *dump.Reader, total uint64, store string, page int) error {
	if page == 0 {
		page = restorePageBolt
		if isPostgres(store) {
			page = restorePagePostgres
		}
	}
	h := r.Header()
	x, err := kv.BeginRestoration(ctx, engine, h.ID)
	if err != nil {
		return refusedRestore(ctx, engine, h, err)
	}
	if n := x.Point().Records; n > 0 {
		fmt.Fprintf(w.stderr, "从第 %d 条继续 (going on after record %d)\n", n, n)
	}
	steps := newDumpProgress(w, "恢复 restore")
	err = copyRecords(ctx, x, r, page, func(done, bytes uint64) {
		if total == 0 {
			steps.show(dump.Progress{Table: len(r.Trailer().Tables), Records: done, Bytes: bytes})
		} else {
			steps.part(done, total, bytes)
		}
	})
	if err != nil {
		return err
	}
	steps.end()
	fmt.Fprintln(w.stderr, "重算审计日志 recomputing the audit log …")
	if err := verifyRestoredLog(ctx, engine, h.Log); err != nil {
		return err
	}
	return x.Finish(ctx)
}

// copyRecords stores what the restoration has not got yet, page by page, until
// the dump has said that it is whole.
func copyRecords(ctx context.Context, x *kv.Restoration, r *dump.Reader, page int, progress func(done, bytes uint64)) error {
	start := x.Point()
	size := 0
	var writes []kv.Write
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, e, err := r.Next()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return err
		}
		done := r.Trailer().Records
		if !end && done > start.Records {
			writes = append(writes, kv.Write{Table: t, Key: e.Key, Value: e.Value})
			size += len(e.Key) + len(e.Value)
		}
		// Skipped records must be those that were stored.
		if !end && done == start.Records && r.Point() != start || end && done < start.Records {
			return fail.New(fail.Conflict, "dump_other_file", "the file is not the one from which this store was half restored; give that file, or remove the store and begin anew").
				In("该文件不是此前用于恢复本存储的文件；请使用原文件，或删除该存储后重新恢复")
		}
		if len(writes) > 0 && (end || len(writes) == page || size >= restorePageBytes) {
			if err := x.Page(ctx, writes, r.Point()); err != nil {
				return err
			}
			writes, size = writes[:0], 0
			progress(done, r.Bytes())
		}
		if end {
			return nil
		}
	}
}

// storeFull says that a restore stopped because the disk of the store is full.
func storeFull(err error) error {
	if !errors.Is(err, kv.ErrFull) {
		return err
	}
	return fail.New(fail.Unavailable, "store_full", "the disk of the store is full (%v); make room and run the same command again, it goes on where it stopped", err).
		In("存储所在磁盘已满（%v）；请清理磁盘后再次执行同一命令，从中断处继续", err).Because(err)
}

// refusedRestore says why nothing is restored into a store, and what is in it.
func refusedRestore(ctx context.Context, engine kv.Engine, h dump.Header, err error) error {
	var full *kv.NotEmptyError
	if errors.Is(err, kv.ErrRestoring) {
		return errors.Join(halfRestoredStore(ctx, engine), err)
	}
	if !errors.As(err, &full) {
		return err
	}
	what, whatZH := describeStore(ctx, engine, full.Tables)
	return fail.New(fail.Conflict, "store_not_empty", "a dump is restored into an empty store only, this one has %s; name another with --store, or move it away", what).
		In("只能恢复到空的存储，本存储中已有：%s；请用 --store 指定另一存储，或先移走它", whatZH).Because(err)
}

// describeStore says what is in a store in few words.
func describeStore(ctx context.Context, engine kv.Engine, tables []kv.Table) (en, zh string) {
	some := tables[:min(len(tables), 5)]
	names := make([]string, len(some))
	for i, t := range some {
		names[i] = string(t)
	}
	list := strings.Join(names, ", ")
	if len(tables) > len(some) {
		list += ", …"
	}
	en, zh = fmt.Sprintf("%d tables (%s)", len(tables), list), fmt.Sprintf("%d 张表（%s）", len(tables), list)
	rd := paged{ctx, engine}
	if head, err := auditlog.ReadHead(rd); err == nil {
		en += fmt.Sprintf(", the log %s of %d entries", head.Origin, head.Size)
		zh += fmt.Sprintf("，审计日志 %s 共 %d 条", head.Origin, head.Size)
	}
	if state, err := kv.ReadState(rd); err == nil && !state.Time.IsZero() {
		en += ", last written " + state.Time.Format(time.RFC3339)
		zh += "，最后写入于 " + state.Time.Format(time.RFC3339)
	}
	return en, zh
}

// halfRestoredStore says of which dump a store has a part.
func halfRestoredStore(ctx context.Context, engine kv.Engine) error {
	state, err := kv.ReadState(paged{ctx, engine})
	if err != nil {
		return err
	}
	return halfRestored(state.Restoring)
}

// verifyRestoredLog recomputes the log from every leaf and event in the store.
func verifyRestoredLog(ctx context.Context, engine kv.Engine, want *dump.Log) error {
	rd := paged{ctx, engine}
	wrong := func(what string) error {
		return fail.New(fail.Invalid, "dump_log_mismatch", "the audit log in the dump does not hold (%s); the store stays closed. Take another backup, and run `bajigong check` on the store that the dump was made of", what).
			In("备份中的审计日志核对不符（%s），恢复的存储不予启用；请改用其他备份，并对制作该备份的存储执行 bajigong check", what)
	}
	head, err := auditlog.ReadHead(rd)
	if fail.CodeOf(err) == "log_not_started" && want == nil {
		return nil
	}
	if err != nil {
		return wrong("head").(*fail.Error).Because(err)
	}
	if want == nil || head.Origin != want.Origin || head.Size != want.Size || head.Root().String() != want.Root {
		return wrong("size or root is not that of the header")
	}
	var problems []string
	if err := auditlog.Check(rd, func(p string) {
		if len(problems) < 3 {
			problems = append(problems, p)
		}
	}); err != nil {
		return err
	}
	if len(problems) > 0 {
		return wrong(strings.Join(problems, "; "))
	}
	return nil
}

// sayCheckpoint tells whether serve will sign: the last published checkpoint is
// kept beside the keys, outside every backup.
func sayCheckpoint(w world, data dataFlags, log *dump.Log) {
	if log == nil {
		return
	}
	kept := auditlog.NewFileStore(data.keys(), log.Origin)
	note, err := kept.Load()
	text, _, _ := strings.Cut(string(note), "\n\n")
	last, errParse := auditlog.ParseCheckpoint(text + "\n")
	switch {
	case err != nil || note == nil || errParse != nil:
		say(w.stdout, "注意：%s 中没有最近发布的检查点，服务将拒绝签发；请放回最新的检查点文件。\n  note: the last published checkpoint is not in %s; put the newest one there, or serve refuses to sign\n", kept.Path(), kept.Path())
	case last.Size > log.Size:
		say(w.stdout, "注意：已公布的检查点有 %d 条，恢复的日志只有 %d 条：这是较旧的备份，服务将拒绝签发（log_rolled_back）。请先找更新的备份；确实没有时见 bajigong audit new-origin。\n  note: a checkpoint of size %d was published, the restored log has %d: this is an older backup and serve will sign nothing (log_rolled_back). Look for a newer one first; if there is none: bajigong audit new-origin\n", last.Size, log.Size, last.Size, log.Size)
	default:
		say(w.stdout, "日志达到已公布的检查点（%d 条），可以继续签发 (the log reaches the published checkpoint; signing goes on)\n", last.Size)
	}
}

// paged reads a store in which nobody writes, each read in a View of its own, so
// that no View is long.
type paged struct {
	ctx    context.Context
	engine kv.Engine
}

func (p paged) view(fn func(kv.Reader) error) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	return p.engine.View(p.ctx, fn)
}

func (p paged) Get(t kv.Table, key []byte) (value []byte, err error) {
	err = p.view(func(r kv.Reader) (err error) { value, err = r.Get(t, key); return err })
	return value, err
}

func (p paged) GetMany(t kv.Table, keys [][]byte) (values [][]byte, err error) {
	err = p.view(func(r kv.Reader) (err error) { values, err = r.GetMany(t, keys); return err })
	return values, err
}

func (p paged) Scan(t kv.Table, rng kv.Range) (entries []kv.Entry, err error) {
	err = p.view(func(r kv.Reader) (err error) { entries, err = r.Scan(t, rng); return err })
	return entries, err
}
