package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry/auditlog"
)

func verifyFetch(w world) *cobra.Command {
	var server serverFlags
	var to, pin string
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "保存离线查验所需的文件 (save what offline checks need)",
		Long: `fetch 下载并核对公钥、机构目录、状态清单、日志公钥和检查点，供 verify --bundle 和 audit
离线使用：-o 为目录时各存一个文件，为 *.bundle 时合成一个文件。再次执行即更新；已保存的
密钥若被换成另一把、资料变旧或日志变短，则拒绝更新。首次下载请核对网址为 https 且无误，
并向运营单位核对输出的公钥指纹（--pin 由程序比对）：此后都以首次的密钥为准。

It fetches and checks keys, directory, status lists, log key and checkpoint, into
a folder, or into one file when the name ends in .bundle. Run it again to update. A
saved key that has become another one, and lists or a log older than the saved ones,
are refused. The first time you trust the address: check it, and compare the
fingerprint of the keys with one that you had in another way (--pin does it).`,
		Example: `  bajigong verify fetch --server https://zs.example.gov.cn -o trust
  bajigong verify fetch --server https://zs.example.gov.cn -o js.bundle
  bajigong verify 证书.png --bundle js.bundle`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client(w, false)
			if err != nil {
				return err
			}
			c.key = ""
			return fetchBundle(cmd.Context(), w, c, to, pin)
		},
	}
	server.addURL(cmd.Flags(), w)
	cmd.Flags().StringVarP(&to, "output", "o", "", "目录，或 *.bundle 文件 (folder, or a file that ends in .bundle)")
	cmd.Flags().StringVar(&pin, "pin", "", "公钥指纹，不符则不保存 (fingerprint that the keys must have)")
	required(cmd, "output")
	return cmd
}

// fetchBundle saves nothing before all of it is checked.
func fetchBundle(ctx context.Context, w world, c *client, to, pin string) error {
	b, err := credentials.GatherBundle(c.base.String(), w.now, func(path string, most int) ([]byte, error) { return c.resource(ctx, path, most) })
	if err != nil {
		return err
	}
	log, err := bundleLog(b)
	if err != nil {
		return err
	}
	opened, err := b.Open(w.now())
	if err != nil {
		return err
	}
	if pin != "" {
		if err := credentials.CheckPin(opened.Fingerprint, pin); err != nil {
			return err
		}
	}
	added, updated, err := follows(w, b, to, log)
	if err != nil {
		return err
	}
	if err := saveBundle(b, to); err != nil {
		return err
	}
	fmt.Fprintf(w.stdout, "已保存到 %s (saved)\n", to)
	var pairs [][2]string
	if d := opened.Trust.Directory; d != nil {
		pairs = append(pairs, [2]string{"登记系统 register", d.Name + "  " + d.Origin}, [2]string{"备案 filings", fmt.Sprintf("%d 个备案", len(d.Institutions))})
	}
	var ids []string
	for _, k := range opened.Trust.Keys.Keys() {
		ids = append(ids, k.ID)
	}
	pairs = append(pairs, [2]string{"密钥 keys", strings.Join(ids, " ")})
	if updated && len(added) > 0 {
		pairs = append(pairs, [2]string{"新增密钥 new keys", strings.Join(added, " ") + "（仅凭网址信任，请核对指纹 vouched for by the address alone: compare the fingerprint）"})
	}
	pairs = append(pairs, [2]string{"公钥指纹 fingerprint", opened.Fingerprint})
	pairs = append(pairs, agePairs(w, opened.Ages)...)
	if log.Origin != "" {
		pairs = append(pairs, [2]string{"审计日志 log", fmt.Sprintf("%s，%d 条 entries", log.Origin, log.Size)})
	}
	facts(w.stdout, pairs...)
	return nil
}

// resource fetches public material; NotFound when the server does not have it.
func (c *client) resource(ctx context.Context, path string, most int) ([]byte, error) {
	got, err := c.send(ctx, ask{method: http.MethodGet, path: path, accept: "*/*"})
	if err != nil {
		return nil, err
	}
	if err := c.refusal(got); err != nil {
		return nil, err
	}
	if len(got.body) > most {
		return nil, fail.New(fail.TooLarge, "resource_too_large", "%s is too large", path).In("%s 过大", path)
	}
	return got.body, nil
}

// agePairs says how old the parts of a bundle are, and in the words of a verdict
// what follows from it.
func agePairs(w world, ages []credentials.PartAge) (out [][2]string) {
	for _, a := range ages {
		old := "保存于 fetched " + ago(w.now().Sub(a.Fetched))
		if !a.Signed.IsZero() {
			old = "签署于 signed " + ago(w.now().Sub(a.Signed)) + "，" + old
		}
		if !a.Until.IsZero() {
			old += "，有效至 valid until " + stamp(a.Until)
		}
		if remark := a.Remark(credentials.ZH); remark != "" {
			old += "：" + remark + " (" + a.Remark(credentials.EN) + ")"
		}
		out = append(out, [2]string{a.Name, old})
	}
	return out
}

// bundleLog opens the checkpoint of the audit log in b; none when there is none.
func bundleLog(b credentials.Bundle) (auditlog.Checkpoint, error) {
	vkey, haveKey := b.Part(credentials.BundleLogKey)
	note, haveNote := b.Part(credentials.BundleCheckpoint)
	if !haveKey || !haveNote {
		return auditlog.Checkpoint{}, nil
	}
	verifier, err := auditlog.NewVerifier(strings.TrimSpace(vkey.Text))
	if err != nil {
		return auditlog.Checkpoint{}, err
	}
	return auditlog.OpenCheckpoint([]byte(note.Text), verifier)
}

// follows holds b against what is saved at that place already: updated says that
// there was something. That the log extends the saved one, `audit log --earlier`
// proves; here it must only not be shorter.
func follows(w world, b credentials.Bundle, to string, log auditlog.Checkpoint) (added []string, updated bool, err error) {
	earlier, err := loadBundle(to)
	if fail.CodeOf(err) == "no_file" {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if len(earlier.Parts) == 0 {
		return nil, false, nil // an empty folder
	}
	if added, err = b.Follows(earlier, w.now()); err != nil {
		return nil, true, err
	}
	old, err := bundleLog(earlier)
	if err != nil {
		return nil, true, err
	}
	if log.Size < old.Size || old.Size > 0 && log.Size == old.Size && log.Root != old.Root {
		return nil, true, credentials.LogReplaced()
	}
	return added, true, nil
}

// inFile reports whether a bundle at that place is one file.
func inFile(path string) bool {
	info, err := os.Stat(path)
	if err == nil {
		return !info.IsDir()
	}
	return strings.EqualFold(filepath.Ext(path), ".bundle")
}

// loadBundle reads a bundle from a file, or from a folder with a file for each
// part, whose times are those of fetching. NotFound no_file when nothing is there.
func loadBundle(path string) (credentials.Bundle, error) {
	if inFile(path) {
		data, err := readFile(path, credentials.MaxBundle)
		if err != nil {
			return credentials.Bundle{}, err
		}
		return credentials.ParseBundle(data)
	}
	entries, err := os.ReadDir(path)
	if os.IsNotExist(err) {
		return credentials.Bundle{}, fail.New(fail.NotFound, "no_file", "there is no folder %s", path).In("没有目录 %s", path)
	}
	if err != nil {
		return credentials.Bundle{}, unreadable(path, err)
	}
	b := credentials.Bundle{From: filepath.Base(path), Parts: []credentials.BundlePart{}}
	for _, e := range entries { // ordered by name
		_, most, err := credentials.BundlePath(e.Name())
		if err != nil {
			continue // somebody's own file
		}
		part, err := loadPart(path, e, most)
		if err != nil {
			return credentials.Bundle{}, err
		}
		b.Parts = append(b.Parts, part)
	}
	return b, nil
}

func loadPart(dir string, e fs.DirEntry, most int) (credentials.BundlePart, error) {
	body, err := readFile(filepath.Join(dir, e.Name()), int64(most))
	if err != nil {
		return credentials.BundlePart{}, err
	}
	info, err := e.Info()
	if err != nil {
		return credentials.BundlePart{}, unreadable(e.Name(), err)
	}
	return credentials.BundlePart{Name: e.Name(), Fetched: info.ModTime().UTC().Truncate(time.Second), Text: string(body)}, nil
}

// saveBundle writes one file whole, or the files of a folder one by one, each
// whole: after a crash some are newer than others, which the next fetch mends.
func saveBundle(b credentials.Bundle, to string) error {
	if inFile(to) {
		data, err := b.Format()
		if err != nil {
			return err
		}
		return writeFile(to, data, 0o644)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return unwritable(to, err)
	}
	for _, p := range b.Parts {
		at := filepath.Join(to, p.Name)
		if err := writeFile(at, []byte(p.Text), 0o644); err != nil {
			return err
		}
		if err := os.Chtimes(at, p.Fetched, p.Fetched); err != nil {
			return unwritable(at, err)
		}
	}
	return nil
}
