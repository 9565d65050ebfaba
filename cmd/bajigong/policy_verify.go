package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

func policyVerify(w world) *cobra.Command {
	var server serverFlags
	var jwks []string
	var of batchFiles
	var asJSON, gaps bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "打开一份签名的决定 (open a signed decision)",
		Long: `verify 打开登记系统签名的决定，离线核对签名，并用文字说明：谁答复、何时、答复给谁、决定、
金额及其计算、各条规定的条款。FILE 为 GET /api/v1/claims/{id}/decision 的内容、核验答复的
JSON（取其中的 signed），或 claim check-batch --json 打印的批量预检（取其中的 decision）；
“-”为标准输入。

批量预检的决定只含文件和各行答复的摘要：用 --file、--results 给出当时的文件和结果（-o 结果.jsonl），
即可核对是否为同一份。

公钥：--jwks 为事先保存的 /keys/decision.json，多年后无需联网；--server 当场向服务取。
决定书证明登记系统当时如此答复，不含个人信息；金额是否实际发放另见申领记录。

签名无误时退出码为 0，不论决定是否准予；签名不符或密钥已停止信任为 1；读不出为 3。

It proves that the register said so then. Exit code 0 whatever was decided; 1 when the
signature does not hold, its key is distrusted, or --file or --results is another file;
3 when nothing can be read.`,
		Example: `  curl -H "Authorization: Bearer $BAJIGONG_KEY" https://zs.example.gov.cn/api/v1/claims/c-…/decision > c.jwt
  bajigong policy verify c.jwt --jwks decision.json
  bajigong policy verify c.jwt --server https://zs.example.gov.cn
  bajigong claim check-batch 申领.csv --fund skill_uplift --json -o 结果.jsonl > 预检.json
  bajigong policy verify 预检.json --jwks decision.json --file 申领.csv --results 结果.jsonl`,
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
			return verifyStatement(w, args[0], compact, keys, of, asJSON, gaps)
		},
	}
	server.addURL(cmd.Flags(), w)
	cmd.Flags().StringArrayVar(&jwks, "jwks", nil, "保存的 /keys/decision.json，可多次 (saved JWK sets)")
	cmd.Flags().StringVar(&of.file, "file", "", "批量预检：当时上传的文件 (the file that was checked)")
	cmd.Flags().StringVar(&of.results, "results", "", "批量预检：各行答复，.jsonl (the rows as they were answered)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	cmd.Flags().BoolVar(&gaps, "gaps", false, "列出条文未载明之处 (list what the policy's text leaves open)")
	return cmd
}

// batchFiles are what a decision over a file is held against, when they are named.
type batchFiles struct{ file, results string }

// statementText is the compact text in a file: the file, or the member signed of
// an answer in JSON, or the member decision of a run over a file.
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
		Signed   string          `json:"signed"`
		Decision json.RawMessage `json:"decision"` // a text of a run, an object of an answer
	}
	err = json.Unmarshal(b, &answer)
	var decision string
	if err == nil && answer.Signed == "" && json.Unmarshal(answer.Decision, &decision) == nil {
		answer.Signed = decision
	}
	if err != nil || answer.Signed == "" {
		return "", fail.New(fail.Invalid, "not_signed", "%s is JSON without a signed answer; ask with ?signed=yes, and of a file wait until the run has ended", printable(name)).
			In("%s 中没有签名的答复；核验时请加 ?signed=yes，批量预检须已结束", printable(name))
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

func verifyStatement(w world, name, compact string, keys jws.KeySet, of batchFiles, asJSON, gaps bool) error {
	s, key, err := credentials.OpenStatement(compact, keys, jws.Limits{})
	if errors.Is(err, jws.ErrBadSignature) || errors.Is(err, jws.ErrDistrusted) {
		e := fail.Of(err)
		say(w.stdout, "✕ 不能证明是登记系统的答复：%s\n  not proven: %s\n", e.ZH, e.Text)
		return errNo
	}
	if err != nil {
		return untrusted(name, "decision", err)
	}
	differ, err := of.differ(w, s)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(w.stdout, map[string]any{"origin": s.Origin, "at": s.At, "audience": s.Audience, "subject": s.Subject, "id": s.ID, "tree_size": s.TreeSize, "kid": key.ID, "content": s.Content})
	} else {
		err = printStatement(w, s, key, gaps)
	}
	for _, name := range differ {
		say(w.stderr, "✕ 不是当时的文件：%s（摘要不符） (another file: its digest differs)\n", name)
	}
	if err == nil && len(differ) > 0 {
		return errNo
	}
	return err
}

// differ are the named files that a decision over a file is not about.
func (of batchFiles) differ(w world, s credentials.Statement) (out []string, err error) {
	if of == (batchFiles{}) {
		return nil, nil
	}
	d, err := s.Batch()
	if err != nil {
		return nil, usageError{errors.New("--file、--results 只用于批量预检的决定 (they go with the decision over a file)")}
	}
	for _, one := range [][2]string{{of.file, d.File}, {of.results, d.Results}} {
		if one[0] == "" {
			continue
		}
		b, err := readInput(w, one[0], maxAnswer)
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != one[1] {
			out = append(out, one[0])
		}
	}
	return out, nil
}

var statementNames = map[string]string{
	credentials.StatementCheck: "核验答复，未锁定 (an answer; nothing was reserved)",
	credentials.StatementClaim: "申领的决定 (the decision of a recorded claim)",
	credentials.StatementBatch: "批量预检的决定，未锁定 (the decision over a file; nothing was reserved)",
}

// statementIDs name what the id of a statement is.
var statementIDs = map[string]string{credentials.StatementClaim: "申领 claim", credentials.StatementBatch: "预检 run"}

func printStatement(w world, s credentials.Statement, key jws.Key, gaps bool) error {
	fmt.Fprintln(w.stdout, "✓ 签名有效：登记系统确曾如此答复\n  the register said so")
	facts(w.stdout,
		[2]string{"登记系统 register", s.Origin},
		[2]string{"签署 signed at", stamp(s.At)},
		[2]string{"答复给 for", s.Audience},
		[2]string{"内容 what", statementNames[s.Subject]},
		[2]string{statementIDs[s.Subject], s.ID},
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
	case credentials.StatementBatch:
		d, err := s.Batch()
		if err != nil {
			return unknownStatement(err)
		}
		printDecisionBatch(w, d)
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

func printDecisionBatch(w world, d credentials.DecisionBatch) {
	rows := func(n int) string { return strconv.Itoa(n) + " 行 rows" }
	facts(w.stdout,
		[2]string{"共计 all", rows(d.Rows)},
		[2]string{"可以申领 allow", fmt.Sprintf("%s  %s 元 (CNY)", rows(d.Allow), policy.Fen(d.Amount))},
		[2]string{"不予申领 deny", rows(d.Deny)},
		[2]string{"待补充 hold", rows(d.Hold)},
		[2]string{"有误 invalid", rows(d.Invalid)},
		[2]string{"文件 file", d.File},
		[2]string{"各行答复 results", d.Results},
		[2]string{"预检时日志 log then", fmt.Sprintf("%d–%d", d.TreeFrom, d.TreeSize)},
	)
	for _, p := range d.Policies {
		say(w.stdout, "  政策 policy  %s v%d  %s\n", p.ID, p.Version, p.Digest)
	}
}
