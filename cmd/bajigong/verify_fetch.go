package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/registry/auditlog"
)

// The files of a bundle for offline checks.
const (
	bundleDirectory  = "directory.jws"
	bundleLogKey     = "log.vkey"
	bundleCheckpoint = "checkpoint"
	bundleStatus     = "status-" // and the list's name, and .jwt
)

// bundlePurposes are the keys in a bundle, each set in a file keys-PURPOSE.json.
var bundlePurposes = []jws.Purpose{jws.QR, jws.Directory, jws.Status}

func bundleKeys(p jws.Purpose) string { return "keys-" + string(p) + ".json" }

// useBundle names the files of a bundle beside those that the flags name.
func (f *verifyFlags) useBundle() error {
	for _, p := range bundlePurposes {
		f.jwks = append(f.jwks, filepath.Join(f.bundle, bundleKeys(p)))
	}
	if f.directory == "" {
		f.directory = filepath.Join(f.bundle, bundleDirectory)
	}
	lists, err := filepath.Glob(filepath.Join(filepath.Clean(f.bundle), bundleStatus+"*.jwt"))
	f.statuses = append(f.statuses, lists...)
	return err
}

func verifyFetch(w world) *cobra.Command {
	var server serverFlags
	var dir string
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "保存离线查验所需的文件 (save what offline checks need)",
		Long: `fetch 下载并核对公钥、机构目录、状态清单、日志公钥和检查点，存入目录，供
verify --bundle 和 audit 离线使用。再次执行即更新；已保存的密钥若被换成另一把、日志若
变短，则拒绝更新。首次下载请核对网址为 https 且无误：此后都以首次的密钥为准。

It fetches and checks keys, directory, status lists, log key and checkpoint. Run it
again to update. A saved key that has become another one, or a log that has become
shorter, is refused. The first time you trust the address: check it.`,
		Example: `  bajigong verify fetch --server https://zs.example.gov.cn -o trust
  bajigong verify 证书.png --bundle trust`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client(w, false)
			if err != nil {
				return err
			}
			c.key = ""
			b := bundle{c: c, w: w, dir: dir, files: map[string][]byte{}}
			if err := b.fetch(cmd.Context()); err != nil {
				return err
			}
			if err := b.save(); err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "已保存到 %s (saved)\n", dir)
			facts(w.stdout, b.shown...)
			return nil
		},
	}
	server.addURL(cmd.Flags(), w)
	cmd.Flags().StringVarP(&dir, "output", "o", "", "目录 (folder)")
	required(cmd, "output")
	return cmd
}

// bundle is a set of files on its way from a server to a folder. Nothing is
// saved before all of it is checked.
type bundle struct {
	c     *client
	w     world
	dir   string
	files map[string][]byte
	keys  jws.KeySet
	shown [][2]string
}

func (b *bundle) fetch(ctx context.Context) error {
	for _, part := range []func(context.Context) error{b.fetchKeys, b.fetchDirectory, b.fetchStatuses, b.fetchLog} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// resource fetches public material; NotFound when the server does not have it.
func (b *bundle) resource(ctx context.Context, path string, most int) ([]byte, error) {
	got, err := b.c.send(ctx, ask{method: http.MethodGet, path: path, accept: "*/*"})
	if err != nil {
		return nil, err
	}
	if err := b.c.refusal(got); err != nil {
		return nil, err
	}
	if len(got.body) > most {
		return nil, fail.New(fail.TooLarge, "resource_too_large", "%s is too large", path).In("%s 过大", path)
	}
	return got.body, nil
}

func (b *bundle) fetchKeys(ctx context.Context) error {
	var all []jws.Key
	for _, p := range bundlePurposes {
		path := "/keys/" + string(p) + ".json"
		body, err := b.resource(ctx, path, jws.MaxJWKS)
		if err != nil {
			return err
		}
		set, err := jws.ParseJWKS(body, p)
		if err != nil {
			return untrusted(path, string(p), err)
		}
		if err := b.known(bundleKeys(p), set); err != nil {
			return err
		}
		all = append(all, set.Keys()...)
		b.files[bundleKeys(p)] = body
	}
	var ids []string
	for _, k := range all {
		ids = append(ids, k.ID)
	}
	b.shown = append(b.shown, [2]string{"公钥 keys", strings.Join(ids, " ")})
	var err error
	b.keys, err = jws.NewKeySet(all...)
	return err
}

// known holds the fetched keys against those that were saved before: keys are
// added, never replaced.
func (b *bundle) known(file string, fetched jws.KeySet) error {
	old, err := os.ReadFile(filepath.Join(b.dir, file))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return unreadable(file, err)
	}
	set, err := jws.ParseJWKS(old, bundlePurposes...)
	if err != nil {
		return untrusted(filepath.Join(b.dir, file), "qr", err)
	}
	for _, k := range set.Keys() {
		if now, have := fetched.Key(k.ID); !have || !sameKey(k, now) {
			return fail.New(fail.Conflict, "key_replaced", "the server no longer has key %s as it was saved: this may be another server, or a forgery; ask whoever runs it before you save to a new folder", k.ID).
				In("服务器上的密钥 %s 与已保存的不同或已消失：可能不是同一系统，或遭仿冒；请先向运营单位核实，再存入新目录", k.ID)
		}
	}
	return nil
}

func (b *bundle) fetchDirectory(ctx context.Context) error {
	body, err := b.resource(ctx, "/directory.jws", credentials.MaxDirectory)
	if err != nil {
		return err
	}
	d, err := credentials.OpenDirectory(strings.TrimSpace(string(body)), b.keys)
	if err != nil {
		return untrusted("/directory.jws", "directory", err)
	}
	b.files[bundleDirectory] = body
	b.shown = append(b.shown,
		[2]string{"登记系统 register", d.Name + "  " + d.Origin},
		[2]string{"目录 directory", fmt.Sprintf("%d 个备案 filings，%s", len(d.Institutions), b.age(d.IssuedAt))})
	return nil
}

func (b *bundle) age(t time.Time) string { return ago(b.w.now().Sub(t)) }

// fetchStatuses fetches every list of every purpose: they are numbered from 0,
// and the lists of all purposes are as many.
func (b *bundle) fetchStatuses(ctx context.Context) error {
	for _, p := range credentials.StatusPurposes() {
		for n := 0; ; n++ {
			name := credentials.StatusListName(p, n)
			body, err := b.resource(ctx, "/status/"+name, credentials.MaxStatusList)
			if fail.KindOf(err) == fail.NotFound {
				break
			}
			if err != nil {
				return err
			}
			list, err := credentials.OpenStatusList(strings.TrimSpace(string(body)), b.keys, b.w.now())
			if err != nil {
				return untrusted("/status/"+name, "status", err)
			}
			if list.Purpose != p || list.List != n {
				return untrusted("/status/"+name, "status", fail.New(fail.Invalid, "other_list", "this is list %s", credentials.StatusListName(list.Purpose, list.List)).
					In("内容是清单 %s", credentials.StatusListName(list.Purpose, list.List)))
			}
			b.files[bundleStatus+name+".jwt"] = body
			b.shown = append(b.shown, [2]string{"状态清单 " + name, fmt.Sprintf("%s，有效至 valid until %s", b.age(list.ValidFrom), stamp(list.ValidUntil))})
		}
	}
	return nil
}

// fetchLog fetches the log's key and newest checkpoint. The log may have grown
// since the last time; that it also extends what was saved is proven by
// `audit log --earlier`.
func (b *bundle) fetchLog(ctx context.Context) error {
	vkey, err := b.resource(ctx, "/log/key", 4096)
	if err != nil {
		return err
	}
	verifier, err := auditlog.NewVerifier(strings.TrimSpace(string(vkey)))
	if err != nil {
		return err
	}
	note, err := b.resource(ctx, "/log/checkpoint", auditlog.MaxResource)
	if err != nil {
		return err
	}
	now, err := auditlog.OpenCheckpoint(note, verifier)
	if err != nil {
		return err
	}
	if err := b.extends(vkey, now); err != nil {
		return err
	}
	b.files[bundleLogKey], b.files[bundleCheckpoint] = vkey, note
	b.shown = append(b.shown, [2]string{"审计日志 log", fmt.Sprintf("%s，%d 条 entries", now.Origin, now.Size)})
	return nil
}

func (b *bundle) extends(vkey []byte, now auditlog.Checkpoint) error {
	oldKey, err := os.ReadFile(filepath.Join(b.dir, bundleLogKey))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return unreadable(bundleLogKey, err)
	}
	changed := fail.New(fail.Conflict, "log_replaced", "the server's log is not the one that was saved, or it has become shorter; ask whoever runs it before you save to a new folder").
		In("服务器的审计日志与已保存的不是同一个，或已变短；请先向运营单位核实，再存入新目录")
	if !bytes.Equal(bytes.TrimSpace(oldKey), bytes.TrimSpace(vkey)) {
		return changed
	}
	note, err := os.ReadFile(filepath.Join(b.dir, bundleCheckpoint))
	if err != nil {
		return unreadable(bundleCheckpoint, err)
	}
	verifier, err := auditlog.NewVerifier(strings.TrimSpace(string(oldKey)))
	if err != nil {
		return err
	}
	old, err := auditlog.OpenCheckpoint(note, verifier)
	if err != nil {
		return err
	}
	if now.Size < old.Size || now.Size == old.Size && now.Root != old.Root {
		return changed
	}
	return nil
}

// save writes the files one by one, each whole. After a crash some are newer
// than others, which the next fetch mends.
func (b *bundle) save() error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return unwritable(b.dir, err)
	}
	for name, body := range b.files {
		if err := writeFile(filepath.Join(b.dir, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}
