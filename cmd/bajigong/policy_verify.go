package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/registry"
)

func policyVerify(w world) *cobra.Command {
	var server serverFlags
	var jwks []string
	var asJSON, gaps bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "打开一份签名的决定 (open a signed decision)",
		Long: `verify 打开登记系统签名的决定，离线核对签名，并用文字说明：谁答复、何时、答复给谁、决定、
金额及其计算、各条规定的条款。FILE 为 GET /api/v1/claims/{id}/decision 的内容，或核验
答复的 JSON（取其中的 signed）；“-”为标准输入。

公钥：--jwks 为事先保存的 /keys/decision.json，多年后无需联网；--server 当场向服务取。
决定书证明登记系统当时如此答复，不含个人信息；金额是否实际发放另见申领记录。

签名无误时退出码为 0，不论决定是否准予；签名不符或密钥已停止信任为 1；读不出为 3。

It proves that the register said so then. Exit code 0 whatever was decided; 1 when the
signature does not hold or its key is distrusted; 3 when nothing can be read.`,
		Example: `  curl -H "Authorization: Bearer $BAJIGONG_KEY" https://zs.example.gov.cn/api/v1/claims/c-…/decision > c.jwt
  bajigong policy verify c.jwt --jwks decision.json
  bajigong policy verify c.jwt --server https://zs.example.gov.cn`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(jwks) > 0 && cmd.Flags().Changed("server") {
				return usageError{errors.New("--jwks 与 --server 只能用一种 (use one of them)")}
			}
			compact, err := statementText(w, args[0])
			if err != nil {
				return err
			}
			keys, err := decisionKeys(cmd.Context(), w, &server, jwks)
			if err != nil {
				return err
			}
			return verifyStatement(w, args[0], compact, keys, asJSON, gaps)
		},
	}
	server.addURL(cmd.Flags(), w)
	cmd.Flags().StringArrayVar(&jwks, "jwks", nil, "保存的 /keys/decision.json，可多次 (saved JWK sets)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	cmd.Flags().BoolVar(&gaps, "gaps", false, "列出条文未载明之处 (list what the policy's text leaves open)")
	return cmd
}

// statementText is the compact text in a file: the file, or the member signed of
// an answer in JSON.
func statementText(w world, name string) (string, error) {
	b, err := readInput(w, name, 2*credentials.MaxStatement+4096)
	if err != nil {
		return "", err
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if !bytes.HasPrefix(b, []byte("{")) {
		return string(b), nil
	}
	var answer struct {
		Signed string `json:"signed"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Signed == "" {
		return "", fail.New(fail.Invalid, "not_signed", "%s is JSON without a signed answer; ask with ?signed=yes", printable(name)).
			In("%s 中没有签名的答复；核验时请加 ?signed=yes", printable(name))
	}
	return answer.Signed, nil
}

func decisionKeys(ctx context.Context, w world, server *serverFlags, files []string) (jws.KeySet, error) {
	if len(files) > 0 {
		return readKeys(jws.KeySet{}, files)
	}
	if server.url == "" {
		return jws.KeySet{}, usageError{errors.New("用什么公钥？请用 --jwks 或 --server 指定 (which keys? --jwks or --server)")}
	}
	c, err := server.client(w, false)
	if err != nil {
		return jws.KeySet{}, err
	}
	c.key = "" // the public asks
	got, err := c.send(ctx, ask{method: http.MethodGet, path: "/keys/decision.json", accept: "application/jwk-set+json"})
	if err != nil {
		return jws.KeySet{}, err
	}
	if err := c.refusal(got); err != nil {
		return jws.KeySet{}, err
	}
	return jws.ParseJWKS(got.body, jws.Decision)
}

func verifyStatement(w world, name, compact string, keys jws.KeySet, asJSON, gaps bool) error {
	s, key, err := credentials.OpenStatement(compact, keys)
	if errors.Is(err, jws.ErrBadSignature) || errors.Is(err, jws.ErrDistrusted) {
		e := fail.Of(err)
		say(w.stdout, "✕ 不能证明是登记系统的答复：%s\n  not proven: %s\n", e.ZH, e.Text)
		return errNo
	}
	if err != nil {
		return untrusted(name, "decision", err)
	}
	if asJSON {
		return printJSON(w.stdout, map[string]any{"origin": s.Origin, "at": s.At, "audience": s.Audience, "subject": s.Subject, "id": s.ID, "tree_size": s.TreeSize, "kid": key.ID, "content": s.Content})
	}
	return printStatement(w, s, key, gaps)
}

var statementNames = map[string]string{
	credentials.StatementCheck: "核验答复，未锁定 (an answer; nothing was reserved)",
	credentials.StatementClaim: "申领的决定 (the decision of a recorded claim)",
}

func printStatement(w world, s credentials.Statement, key jws.Key, gaps bool) error {
	fmt.Fprintln(w.stdout, "✓ 签名有效：登记系统确曾如此答复\n  the register said so")
	facts(w.stdout,
		[2]string{"登记系统 register", s.Origin},
		[2]string{"签署 signed at", stamp(s.At)},
		[2]string{"答复给 for", s.Audience},
		[2]string{"内容 what", statementNames[s.Subject]},
		[2]string{"申领 claim", s.ID},
		[2]string{"密钥 key", fmt.Sprintf("%s (%s)", key.ID, key.State)},
		[2]string{"日志大小 log size", fmt.Sprint(s.TreeSize)},
	)
	fmt.Fprintln(w.stdout)
	switch s.Subject {
	case credentials.StatementClaim:
		var d registry.RecordedDecision
		if err := json.Unmarshal(s.Content, &d); err != nil {
			return unknownStatement(err)
		}
		printRecorded(w, d, gaps)
	case credentials.StatementCheck:
		var a registry.ClaimAnswer
		if err := json.Unmarshal(s.Content, &a); err != nil {
			return unknownStatement(err)
		}
		printClaimAnswer(w, a, gaps)
	default:
		var out bytes.Buffer
		if err := json.Indent(&out, s.Content, "", "  "); err != nil {
			return unknownStatement(err)
		}
		for line := range strings.Lines(out.String()) {
			say(w.stdout, "%s\n", strings.TrimRight(line, "\n"))
		}
	}
	return nil
}

// unknownStatement is for content of a later version of the program.
func unknownStatement(err error) error {
	return fail.New(fail.Invalid, "statement_unknown", "the signature holds, but this version cannot read the content; see it with --json").
		In("签名有效，但本版本程序读不出内容；可用 --json 查看").Because(err)
}

func printRecorded(w world, d registry.RecordedDecision, gaps bool) {
	fmt.Fprintln(w.stdout, outcomes[d.Decision.Outcome])
	facts(w.stdout,
		[2]string{"流水号 reference", d.Reference},
		[2]string{"证书编号 certificate", d.Certificate},
		[2]string{"决定时间 decided", stamp(d.Decided)},
		[2]string{"日志 log entry", fmt.Sprint(d.LogIndex)},
		[2]string{"依据摘要 basis", fmt.Sprintf("%x", d.Basis)},
		[2]string{"文本摘要 policy digest", d.Decision.Digest},
	)
	printDecision(w, d.Decision, gaps)
}
