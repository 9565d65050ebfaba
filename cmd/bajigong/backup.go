package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
)

func backupCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "服务定期制作的备份：列出、核对、立即制作 (backups that a server makes)",
		Long: `backup 用于 serve --backup-dir 定期制作的备份。备份就是 dump 的文件，写完后读回核对，
旁边的 .json 记下内容与散列；用 restore 恢复。

A backup is a dump that a running server makes of itself, with a note of what was
verified beside it. Restore it with bajigong restore.`,
	}
	return group(cmd, backupList(w), backupVerify(w), backupNow(w))
}

// backupFolder is the folder that was named, or that of config.json.
type backupFolder struct {
	data dataFlags
	dir  string
}

func (f *backupFolder) add(cmd *cobra.Command, w world) {
	f.data.addDir(cmd.Flags(), w)
	cmd.Flags().StringVar(&f.dir, "backup-dir", "", "备份目录 (folder of backups; that of config.json when not given)")
}

func (f *backupFolder) path() (string, error) {
	if f.dir != "" {
		return f.dir, nil
	}
	c, err := loadConfig(f.data.config())
	if err != nil {
		return "", err
	}
	if c.Backup.Dir == "" {
		return "", usageError{errors.New("请用 --backup-dir 指定备份目录 (name the folder of backups by --backup-dir)")}
	}
	return c.Backup.Dir, nil
}

func backupList(w world) *cobra.Command {
	var folder backupFolder
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出备份 (list the backups)",
		Long: `list 列出备份目录中的备份，最旧的在前。“可用”指写完时已读回核对，且大小未变；要重新
读一遍请用 backup verify。没有可用的备份时退出码为 1。

The oldest first. "good" says that it was read back when it was made and has the
same size now; backup verify reads it again. Exit code 1: there is no good one.`,
		Example: `  bajigong backup list --backup-dir /backup/register`,
		Args:    exactly(0),
		RunE: func(_ *cobra.Command, _ []string) error {
			dir, err := folder.path()
			if err != nil {
				return err
			}
			all, err := findBackups(dir)
			if err != nil {
				return err
			}
			good := 0
			notes := []backupNote{}
			for _, b := range all {
				state := "不可用 no good: 未核对 not verified"
				switch {
				case b.good():
					good++
					state = "可用 good"
					notes = append(notes, *b.note)
				case b.note != nil:
					state = fmt.Sprintf("不可用 no good: 大小应为 should be %d", b.note.Bytes)
				}
				if !asJSON {
					say(w.stdout, "%s  %12d  %s  %s\n", b.made.Format(time.RFC3339), b.bytes, b.name, state)
				}
			}
			if asJSON {
				if err := printJSON(w.stdout, notes); err != nil {
					return err
				}
			}
			fmt.Fprintf(w.stderr, "%d 份，可用 %d 份 (%d backups, %d good)\n", len(all), good, len(all), good)
			if good == 0 {
				return errNo
			}
			return nil
		},
	}
	folder.add(cmd, w)
	cmd.Flags().BoolVar(&asJSON, "json", false, "以 JSON 列出可用的备份 (the good ones as JSON)")
	return cmd
}

func backupVerify(w world) *cobra.Command {
	var identities []string
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "通读一份备份并核对 (read a backup to its end and verify it)",
		Long: `verify 通读一份备份或 dump 文件：旁边有 .json 时先核对整个文件的 SHA-256，再解压、核对
每一条的次序、条数与内容散列。加密的文件须给 --identity 才能核对内容。不写任何东西。
审计日志的根在恢复时重算；定期做一次恢复演练，才知道备份可用。

Exit code 0: whole; 3: damaged or cut off. Nothing is written. The root of the log
is recomputed by restore: rehearse one now and then.`,
		Example: `  bajigong backup verify /backup/register/zs.example.gov.cn-20260302T010000Z-0a1b2c3d.dump.zst`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			with, err := readIdentities(w, identities)
			if err != nil {
				return err
			}
			note, err := readNote(args[0])
			if err != nil {
				return err
			}
			sum := ""
			if note != nil {
				sum = note.SHA256
			}
			steps := newDumpProgress(w, "核对 verify")
			d, opened, err := checkFile(cmd.Context(), w, args[0], sum, with, steps)
			if err != nil {
				return err
			}
			steps.end()
			if !opened {
				say(w.stdout, "文件与制作时一致；内容已加密，未核对（用 --identity）(the bytes are those that were written; the content is encrypted and was not read)\n")
				return nil
			}
			say(w.stdout, "完好 whole：%s\n", d)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&identities, "identity", nil, "age 私钥文件；可重复 (file with the secret key of age; may be repeated)")
	return cmd
}

func backupNow(w world) *cobra.Command {
	var folder backupFolder
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "now",
		Short: "请运行中的服务立即制作一份备份 (ask the running server for a backup)",
		Long: `now 在备份目录中放一个请求文件；在该目录制作备份的服务（serve --backup-dir）看到后立即
制作一份，并答复结果。能写该目录的人才能请求：目录须只有属主可写。备份内容不经网络。

It puts a request into the folder of backups, where the server finds it. Who may
write to that folder may ask: it must be its owner's alone.`,
		Example: `  bajigong backup now --backup-dir /backup/register`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := folder.path()
			if err != nil {
				return err
			}
			if err := closedFolder(dir); err != nil {
				return err
			}
			var id [8]byte
			if _, err := io.ReadFull(w.rand, id[:]); err != nil {
				return err
			}
			request, answer := filepath.Join(dir, requestPrefix+hex.EncodeToString(id[:])), filepath.Join(dir, answerPrefix+hex.EncodeToString(id[:]))
			if err := os.WriteFile(request, nil, 0o600); err != nil {
				return fail.New(fail.Forbidden, "backup_folder", "%v", err).In("无法写入备份目录：%v", err)
			}
			// What is not answered is not wanted any more.
			defer func() { _ = os.Remove(request) }()
			deadline := time.NewTimer(wait)
			defer deadline.Stop()
			for {
				a, err := readAnswer(answer)
				if err != nil {
					return err
				}
				switch {
				case a == nil:
				case a.Error != "":
					return fail.New(fail.Unavailable, "backup_failed", "the server could not make a backup: %s", a.Error).In("服务未能制作备份：%s", a.ErrorZH)
				default:
					say(w.stdout, "已备份 %s（%d MB）\n", filepath.Join(dir, a.File), a.Bytes>>20)
					return nil
				}
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-deadline.C:
					return fail.New(fail.Unavailable, "backup_not_answered", "no server has made a backup in %s within %s; does one run with this --backup-dir? See its log", dir, wait).
						In("%[2]s 内没有服务在 %[1]s 制作备份；请确认服务以该 --backup-dir 运行，并查看其日志", dir, wait)
				case <-time.After(200 * time.Millisecond):
				}
			}
		},
	}
	folder.add(cmd, w)
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Hour, "最长等待 (how long to wait)")
	return cmd
}

// readAnswer takes the answer to a request; nil while there is none.
func readAnswer(path string) (*backupAnswer, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a backupAnswer
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, err
	}
	return &a, os.Remove(path)
}
