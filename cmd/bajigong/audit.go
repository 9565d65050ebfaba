package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry/auditlog"
)

func auditCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "独立审计日志与登记凭据 (audit the log, or one entry of it)",
		Long: `audit 不信任服务方：只凭日志公钥，重算整个审计日志，或核验一条登记凭据。
日志公钥请从服务方以外的渠道取得（公文、公告、上次审计的留存）。

It trusts the log's public key and nothing else. Get that key from somewhere else
than the server: an announcement, a letter, your last audit.`,
	}
	return group(cmd, auditLog(w), auditEntry(w), auditNewOrigin(w))
}

// brokenLog are the codes that say "it does not hold", which is an answer; all
// other errors mean that there was none.
var brokenLog = map[string]bool{
	"checkpoint_malformed": true, "checkpoint_untrusted": true, "log_mismatch": true, "log_time_backwards": true,
	"leaf_malformed": true, "log_rolled_back": true, "event_mismatch": true, "proof_mismatch": true, "log_incomplete": true,
	"cosignatures_missing": true, "cosignature_malformed": true,
}

// verdictOnLog prints what does not hold and answers errNo; other errors go on.
func verdictOnLog(w world, err error) error {
	if !brokenLog[fail.CodeOf(err)] {
		return err
	}
	e := fail.Of(err)
	say(w.stdout, "✕ 审计不通过：%s\n  does not hold: %s (%s)\n", e.ZH, e.Text, e.Code)
	return errNo
}

func auditLog(w world) *cobra.Command {
	var server serverFlags
	var dir, earlier, save string
	var vkeys []string
	var seen witnessFlags
	cmd := &cobra.Command{
		Use:   "log",
		Short: "重算整个日志 (recompute the whole log)",
		Long: `log 读取公布的整个日志，证明：检查点由该密钥签名；根由全部条目算出；各层数据块
相符；时间不倒退；与上次留存的检查点衔接（--earlier），即没有条目被删除或改动。
用 --witness 给出见证方公钥，可要求检查点经若干见证方签署（--quorum），以证明对外只有一份日志。
通过后用 --save 留存检查点，下次作 --earlier。只读公开数据，不含个人信息。

It proves that the checkpoint is signed by the key, that root and tiles are those
of the entries, that times never go back, and that the log extends an earlier
checkpoint. With --witness it also demands that witnesses cosigned the checkpoint:
then nobody is shown another log. Exit code 0: it holds; 1: it does not; others: no answer.`,
		Example: `  bajigong audit log --server https://zs.example.gov.cn --vkey log.vkey --save checkpoint
  bajigong audit log --server https://zs.example.gov.cn --vkey log.vkey --earlier checkpoint --save checkpoint
  bajigong audit log --dir /mnt/log-copy --vkey 'zs.example.gov.cn/log+b755aaf5+AYqI…'
  bajigong audit log --server https://zs.example.gov.cn --vkey log.vkey --witness a.vkey --witness b.vkey --witness c.vkey --quorum 2`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			verifier, err := logVerifier(vkeys)
			if err != nil {
				return err
			}
			witnesses, err := seen.keys()
			if err != nil {
				return err
			}
			fetch, err := logFetch(cmd, w, &server, dir)
			if err != nil {
				return err
			}
			var before []byte
			if earlier != "" {
				if before, err = readFile(earlier, auditlog.MaxResource); err != nil {
					return err
				}
			}
			p := newProgress(w, "审计 auditing")
			got, err := auditlog.AuditLog(fetch, verifier, before, func(done, total uint64) { p.show(int(done), int(total)) })
			p.end()
			if err != nil {
				return verdictOnLog(w, err)
			}
			cosigned, err := auditlog.VerifyCosignatures(got.Note, witnesses, seen.needed(witnesses))
			if err != nil {
				return verdictOnLog(w, err)
			}
			if save != "" {
				if err := writeFile(save, got.Note, 0o644); err != nil {
					return err
				}
			}
			printAudit(w, got, save)
			printCosigned(w, witnesses, cosigned)
			return nil
		},
	}
	server.addURL(cmd.Flags(), w)
	flags := cmd.Flags()
	flags.StringVar(&dir, "dir", "", "存有日志副本的目录 (folder with a copy of the log, instead of --server)")
	addVKey(cmd, &vkeys)
	flags.StringVar(&earlier, "earlier", "", "上次留存的检查点文件 (checkpoint kept from an earlier audit)")
	seen.add(cmd)
	flags.StringVar(&save, "save", "", "通过后把检查点存到此文件 (keep the checkpoint here)")
	return cmd
}

func addVKey(cmd *cobra.Command, vkeys *[]string) {
	cmd.Flags().StringArrayVar(vkeys, "vkey", nil, "日志公钥，或存有公钥的文件；换过密钥的可写多次 (the log's public key, or a file with it)")
	required(cmd, "vkey")
}

// logVerifier reads the log's keys: each is a key in the note format or names a
// file with keys, one a line.
func logVerifier(vkeys []string) (auditlog.Verifier, error) {
	var keys []string
	for _, v := range vkeys {
		if strings.Count(v, "+") >= 2 {
			keys = append(keys, v)
			continue
		}
		b, err := readFile(v, 64<<10)
		if err != nil {
			return auditlog.Verifier{}, err
		}
		keys = append(keys, strings.Fields(string(b))...)
	}
	return auditlog.NewVerifier(keys...)
}

// logFetch reads the resources of a log from a server or a folder. A resource
// that the checkpoint promises and that is not there is a gap in the log.
func logFetch(cmd *cobra.Command, w world, server *serverFlags, dir string) (auditlog.Fetch, error) {
	if dir != "" {
		if cmd.Flags().Changed("server") {
			return nil, usageError{errors.New("--server 与 --dir 只能用一个 (use one of --server and --dir)")}
		}
		return gaps(func(path string) ([]byte, error) {
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return readLimited(path, f, auditlog.MaxResource)
		}), nil
	}
	c, err := server.client(w, false)
	if err != nil {
		return nil, err
	}
	return gaps(func(path string) ([]byte, error) { return c.logResource(cmd.Context(), path) }), nil
}

// logResource fetches a resource of the server's log.
func (c *client) logResource(ctx context.Context, path string) ([]byte, error) {
	got, err := c.send(ctx, ask{method: http.MethodGet, path: "/log/" + path, accept: "*/*"})
	switch {
	case err != nil:
		return nil, err
	case got.status == http.StatusNotFound:
		return nil, fs.ErrNotExist
	case len(got.body) > auditlog.MaxResource:
		return nil, fail.New(fail.TooLarge, "log_resource_too_large", "the log's %s is too large", path).In("日志资源 %s 过大", path)
	}
	return got.body, c.refusal(got)
}

// gaps says in words what is missing, and leaves it an fs.ErrNotExist.
func gaps(fetch auditlog.Fetch) auditlog.Fetch {
	return func(path string) ([]byte, error) {
		b, err := fetch(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
		if path == "checkpoint" {
			return nil, fail.New(fail.NotFound, "no_log", "there is no log here: it has no checkpoint").In("此处没有日志：找不到检查点").Because(fs.ErrNotExist)
		}
		return nil, fail.New(fail.Invalid, "log_incomplete", "the log's checkpoint promises %s, which is not there", path).
			In("检查点所含的 %s 缺失", path).Because(fs.ErrNotExist)
	}
}

func printAudit(w world, a auditlog.Audit, save string) {
	fmt.Fprintf(w.stdout, "✓ 审计通过：%d 条\n  the log holds: %d entries\n", a.Checkpoint.Size, a.Checkpoint.Size)
	pairs := [][2]string{
		{"日志 log", a.Checkpoint.Origin},
		{"根 root", a.Checkpoint.Root.String()},
		{"首条 first", stamp(a.First)},
		{"末条 last", stamp(a.Last)},
	}
	if a.Earlier != nil {
		pairs = append(pairs, [2]string{"衔接 extends", fmt.Sprintf("%d 条的检查点 (checkpoint of %d entries)", a.Earlier.Size, a.Earlier.Size)})
	} else {
		pairs = append(pairs, [2]string{"衔接 extends", "未比对；请留存检查点，下次用 --earlier (not compared with an earlier checkpoint)"})
	}
	facts(w.stdout, append(pairs, [2]string{"检查点 checkpoint", save})...)
}

func auditEntry(w world) *cobra.Command {
	var vkeys []string
	var asJSON bool
	var seen witnessFlags
	cmd := &cobra.Command{
		Use:   "entry BUNDLE.json",
		Short: "离线核验一条登记凭据 (check the proof of one entry)",
		Long: `entry 核验一份登记凭据（接口 /api/v1/log/entries/序号 的答复）：该条目确在签名的日志
之中，内容未被改动。不需要联网。"-" 表示标准输入。

It proves offline that an entry is in the signed log and says what it recorded.
Whether the log kept to its history is what "audit log" proves. Exit code 0: it
holds; 1: it does not; 3: the file is no bundle.`,
		Example: `  bajigong audit entry proof.json --vkey log.vkey`,
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			verifier, err := logVerifier(vkeys)
			if err != nil {
				return err
			}
			witnesses, err := seen.keys()
			if err != nil {
				return err
			}
			b, err := readInput(w, args[0], auditlog.MaxBundle)
			if err != nil {
				return err
			}
			bundle, err := auditlog.ParseBundle(b)
			if err != nil {
				return err
			}
			proven, err := auditlog.VerifyBundle(bundle, verifier)
			if err != nil {
				return verdictOnLog(w, err)
			}
			cosigned, err := auditlog.VerifyCosignatures(bundle.Checkpoint, witnesses, seen.needed(witnesses))
			if err != nil {
				return verdictOnLog(w, err)
			}
			if !asJSON {
				defer printCosigned(w, witnesses, cosigned)
			}
			return printProven(w, proven, asJSON)
		},
	}
	addVKey(cmd, &vkeys)
	seen.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func printProven(w world, p auditlog.Proven, asJSON bool) error {
	event := json.RawMessage(p.Event)
	if p.Event != nil && !json.Valid(p.Event) {
		event = nil
	}
	if asJSON {
		return printJSON(w.stdout, map[string]any{
			"holds": true, "log": p.Checkpoint.Origin, "size": p.Checkpoint.Size, "index": p.Index, "time": p.Time, "event": event,
		})
	}
	fmt.Fprintf(w.stdout, "✓ 凭据成立：日志第 %d 条\n  the proof holds: entry %d\n", p.Index, p.Index)
	facts(w.stdout,
		[2]string{"日志 log", p.Checkpoint.Origin},
		[2]string{"大小 size", fmt.Sprint(p.Checkpoint.Size)},
		[2]string{"登记时间 received", stamp(p.Time)},
	)
	if event == nil {
		fmt.Fprintln(w.stdout, "  内容已抹除或不予显示，只证明该时间有一条登记 (its content was erased or is not shown to you)")
		return nil
	}
	return printJSON(w.stdout, event)
}

// readInput reads a file, or stdin for "-".
func readInput(w world, name string, limit int64) ([]byte, error) {
	if name == "-" {
		return readLimited("标准输入 stdin", w.stdin, limit)
	}
	return readFile(name, limit)
}
