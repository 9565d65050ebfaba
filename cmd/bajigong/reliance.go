package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
)

const (
	reliancePath = "/api/v1/reliance"
	webhooksPath = "/api/v1/webhooks"
	// followWait is how long one request of --follow waits on the server, and
	// followPause how long after a failure the next one is made.
	followWait  = registry.RelianceWaitMost
	followPause = 5 * time.Second
)

func relianceCommand(w world) *cobra.Command {
	var server serverFlags
	var after uint64
	var follow, asJSON bool
	cmd := &cobra.Command{
		Use:   "reliance",
		Short: "申领所依据的证书有何变动：撤销、注销、暂停等 (what changed under the claims of a payer)",
		Long: `reliance 用补贴经办机构的接口密钥读取变动通知：申领所依据的证书被撤销（应追回）、注销（仅告知）、
暂停（未拨付的暂缓）、恢复、更正、补发，或持证人记录合并、诚信记录、疑似重复。

每条通知有序号，从 1 起连续，永不修改、永不删除；记下读到的序号，下次用 --after 接着读，
停机多久都不会遗漏。--follow 持续等待新的通知，--json 每行输出一条。

Entries are numbered from 1 without a gap and never deleted: keep the number of the last
one that was dealt with, and go on with --after.`,
		Example: `  bajigong reliance --after 0
  bajigong reliance --after 128 --follow --json >> 变动.jsonl
  bajigong reliance acknowledge 128`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return c.readReliance(cmd.Context(), w, after, follow, func(e registry.RelianceView) error { return printReliance(w, e, asJSON) })
		},
	}
	server.add(cmd.PersistentFlags(), w)
	cmd.AddCommand(relianceAcknowledge(w, &server))
	cmd.Flags().Uint64Var(&after, "after", 0, "从第几条之后读起 (seq of the last entry that was read)")
	cmd.Flags().BoolVar(&follow, "follow", false, "读完后继续等待 (go on waiting)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "每行输出一条 JSON (one JSON text a line)")
	return cmd
}

// relianceAcknowledge records how far the payer has dealt with its feed.
func relianceAcknowledge(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "acknowledge SEQ",
		Short: "登记已处理到第几条 (record how far the feed was dealt with)",
		Long: `acknowledge 登记本机构已处理完第 SEQ 条及以前的变动通知，供本机构核对和审计查看。
通知不会因此删除；不登记也不影响读取。已登记的不会退回。

Nothing is deleted, nobody has to, and it never goes back.`,
		Example: `  bajigong reliance acknowledge 128`, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			through, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usageError{errors.New("序号为整数，如 128 (the number of an entry, like 128)")}
			}
			_, err = shown(cmd, w, server, ask{method: http.MethodPost, path: reliancePath + "/acknowledgement"}, map[string]uint64{"through": through}, asJSON, func(w world, read registry.RelianceReader) {
				facts(w.stdout, [2]string{"已处理至 dealt with through", strconv.FormatUint(read.Through, 10)}, [2]string{"登记 recorded", stamp(read.At)})
			})
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

// readReliance calls each with every entry after one; with follow until ctx ends,
// also over times in which the server cannot be reached.
func (c *client) readReliance(ctx context.Context, w world, after uint64, follow bool, each func(registry.RelianceView) error) error {
	for {
		query := url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {"500"}}
		if follow {
			query.Set("wait", strconv.Itoa(int(followWait/time.Second)))
		}
		var page registry.RelianceFeed
		_, err := c.call(ctx, ask{method: http.MethodGet, path: reliancePath, query: query}, nil, &page)
		switch {
		case err != nil && follow && ctx.Err() != nil:
			return nil // who follows ends it so
		case err != nil && follow && passing(err):
			fmt.Fprintf(w.stderr, "暂时无法读取，%s 后再试 (again in %s): %v\n", followPause, followPause, err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(followPause):
			}
			continue
		case err != nil:
			return err
		}
		for _, e := range page.Items {
			if err := each(e); err != nil {
				return err
			}
			after = e.Seq
		}
		if !follow && !page.More {
			return nil
		}
	}
}

// passing reports whether an error may be over the next time.
func passing(err error) bool {
	kind := fail.KindOf(err)
	return kind == fail.Unavailable || kind == fail.RateLimited || kind == fail.Internal
}

func printReliance(w world, e registry.RelianceView, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(e)
		if err == nil {
			_, err = w.stdout.Write(append(b, '\n'))
		}
		return err
	}
	say(w.stdout, "%d  %s  %s\n    %s\n", int(e.Seq), stamp(e.At), e.WhatName.ZH, e.WhatName.EN)
	say(w.stdout, "    %s\n    %s\n", e.AdviceName.ZH, e.AdviceName.EN)
	since := string(e.Since)
	if since != "" && e.Since == e.Effective {
		since = ""
	}
	paid := ""
	if e.Claim != "" {
		paid = e.Paid.String() + " 元 (CNY)"
	}
	facts(w.stdout, [2]string{"申领 claim", e.Claim}, [2]string{"流水号 reference", e.Reference}, [2]string{"证书编号 certificate", e.Certificate},
		[2]string{"自何日起无效 not good since", since}, [2]string{"生效 effective", string(e.Effective)}, [2]string{"文号 document", e.Document}, [2]string{"原因 reason", e.Reason},
		[2]string{"当时状态 state then", registry.ClaimStateName(e.State).ZH}, [2]string{"已发放 paid", paid}, [2]string{"接收地址 webhook", e.Webhook})
	return nil
}

func webhookCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "变动通知的接收地址：登记、查看、重发、换密钥、移除 (endpoints for webhooks)",
		Long: `webhook 登记补贴经办机构接收变动通知的网址（Standard Webhooks 1.0.0）。只能用 https；每条消息
按密钥签名（webhook-signature），按序发送，未收到 2xx 答复的按时间表重试约三天；长期失败的停用，
并在变动通知中告知。消息只含序号和编号，内容请用 reliance 读取；停用期间通知不会遗漏。

The secret is shown once. Messages come at least once and in order; webhook-id is the same
in every attempt.`,
		Example: `  bajigong webhook add https://ks.example.gov.cn/hooks
  bajigong webhook list
  bajigong webhook replay wh-… --from 128
  bajigong webhook rotate wh-…`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, webhookAdd(w, &server), webhookList(w, &server), webhookReplay(w, &server), webhookRotate(w, &server), webhookRemove(w, &server))
}

func webhookPath(id, step string) string { return webhooksPath + "/" + url.PathEscape(id) + step }

func webhookAdd(w world, server *serverFlags) *cobra.Command {
	var from uint64
	var once string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "登记接收地址，密钥只显示这一次 (register an endpoint; its secret is shown once)",
		Long: `add 登记一个 https 网址，此后每条变动通知按序发到该地址。签名密钥只显示这一次，请立即
保存在接收程序中；遗失的用 rotate 换新。内网、本机地址须由系统运营方在 config.json 的
webhook_networks 中列明。

The secret is printed alone on the standard output and never shown again.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tellSecret(cmd.Context(), w, server, ask{method: http.MethodPost, path: webhooksPath, once: once}, registry.NewWebhook{URL: args[0], From: from})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "从第几条通知发起；缺省从下一条 (first entry that is sent; the next one to come when absent)")
	cmd.Flags().StringVar(&once, "once", "", "幂等键：重复执行不会重复登记 (Idempotency-Key)")
	return cmd
}

func webhookRotate(w world, server *serverFlags) *cobra.Command {
	var once string
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "换密钥；旧密钥在规定时间内仍有效 (a new secret; the one before stays valid for a while)",
		Long: `rotate 换一个签名密钥并显示这一次。规定时间内每条消息同时带新旧两个签名，接收程序换好后
无需停机。

For a while messages carry signatures of both secrets, so that nothing is missed.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tellSecret(cmd.Context(), w, server, ask{method: http.MethodPost, path: webhookPath(args[0], "/rotation"), once: once}, nil)
		},
	}
	cmd.Flags().StringVar(&once, "once", "", "幂等键：重复执行不会再换 (Idempotency-Key)")
	return cmd
}

// tellSecret prints a secret alone on the standard output, so that it can be piped
// to where it is kept.
func tellSecret(ctx context.Context, w world, server *serverFlags, a ask, in any) error {
	c, err := server.client(w, true)
	if err != nil {
		return err
	}
	var out registry.NewWebhookSecret
	if _, err := c.call(ctx, a, in, &out); err != nil {
		return err
	}
	if out.Secret == "" {
		return fail.New(fail.Conflict, "secret_shown", "endpoint %s has its secret already, which is shown once; rotate it if it is lost", printable(out.ID)).
			In("接收地址 %s 的密钥已显示过，不再显示；遗失请换密钥", printable(out.ID))
	}
	say(w.stderr, "接收地址 %s（%s）的密钥；只显示这一次，请妥善保存\nsecret of the endpoint, shown once:\n", out.ID, out.URL)
	say(w.stdout, "%s\n", out.Secret)
	return nil
}

func webhookList(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "本机构的接收地址，及已停止发送的通知 (endpoints, and what was given up)",
		Long: `list 列出本机构登记的接收地址、状态、已发到第几条，以及重试多次仍未送达、已停止发送的通知。
未送达的通知仍可用 reliance 读取，或用 webhook replay 重新发送。

It lists endpoints, how far each has come, and what was given up after its retries.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var out struct {
				Items []registry.Webhook `json:"items"`
			}
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: webhooksPath}, nil, &out); err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, out.Items)
			}
			for _, hook := range out.Items {
				printWebhook(w, hook)
				err := pages(cmd.Context(), c, webhookPath(hook.ID, "/deliveries"), url.Values{"state": {"dead"}}, func(ds []registry.Delivery) error {
					for _, d := range ds {
						say(w.stdout, "    ✕ 第 %d 条 entry %d  %s  %s\n", int(d.Seq), int(d.Seq), stamp(d.Last), cmp.Or(string(d.Fault), strconv.Itoa(d.Status)))
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func printWebhook(w world, hook registry.Webhook) {
	zh, en := hook.State.Words()
	ended := ""
	if hook.Ended != nil {
		ended = stamp(hook.Ended.At) + "  " + hook.Ended.Reason
	}
	say(w.stdout, "%s  %s\n", hook.ID, hook.URL)
	facts(w.stdout, [2]string{"状态 state", zh + " (" + en + ")"}, [2]string{"下一条 next entry", strconv.FormatUint(hook.Next, 10)},
		[2]string{"再次发送 due", stamp(hook.Due)}, [2]string{"连续失败自 failing since", stamp(hook.FailingSince)}, [2]string{"停用 ended", ended})
}

func webhookReplay(w world, server *serverFlags) *cobra.Command {
	var from uint64
	cmd := &cobra.Command{
		Use:   "replay ID",
		Short: "从某条起重新发送，并恢复已停用的地址 (send again from an entry on)",
		Long: `replay 从某一条通知起按序重新发送；地址已停用的同时恢复。接收程序按 webhook-id 去重，重复收到
不会重复处理。

Entries are sent again in order, with the same webhook-id as before.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			if from > 0 {
				query.Set("from", strconv.FormatUint(from, 10))
			}
			return changeHook(cmd.Context(), w, server, ask{method: http.MethodPost, path: webhookPath(args[0], "/replay"), query: query})
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 0, "从第几条起；缺省为最早一条已停止发送的 (first entry; the first that was given up when absent)")
	return cmd
}

func webhookRemove(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "移除接收地址 (remove an endpoint)",
		Long: `remove 移除一个接收地址，不再向它发送。变动通知仍全部保留，可用 reliance 读取。

Nothing is sent to it any more; the feed itself stays complete.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeHook(cmd.Context(), w, server, ask{method: http.MethodPost, path: webhookPath(args[0], "/removal")})
		},
	}
}

func changeHook(ctx context.Context, w world, server *serverFlags, a ask) error {
	c, err := server.client(w, true)
	if err != nil {
		return err
	}
	var out registry.Webhook
	if _, err := c.call(ctx, a, nil, &out); err != nil {
		return err
	}
	if out.ID == "" {
		return errors.New("the server answered no endpoint")
	}
	printWebhook(w, out)
	return nil
}
