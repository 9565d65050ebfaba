package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/policy"
)

const mergesPath = "/api/v1/persons/merges"

func peopleCommand(w world) *cobra.Command {
	var server serverFlags
	cmd := &cobra.Command{
		Use:   "people",
		Short: "持证人：一人多个证件的合并 (persons of the register: merging two who are one)",
		Long: `people 办理持证人记录事项，由管理本登记系统的主管部门使用。

  merge   同一人先后使用两个证件（15 位升 18 位、换发证件、录入错误等），在本系统成为两人的，
          经一人提出、另一人复核后合并；合并有误的，同样由两人撤销

For the authority that runs the register.`,
		Example: `  bajigong people merge propose --file merge.json
  bajigong people merge list --waiting`,
	}
	server.add(cmd.PersistentFlags(), w)
	return group(cmd, mergeCommand(w, &server))
}

func mergePath(id, step string) string { return mergesPath + "/" + url.PathEscape(id) + step }

func mergeCommand(w world, server *serverFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "merge",
		Short: "人员合并：提出、复核、撤销、查看 (merge two persons who are one, by two people)",
		Long: `merge 把两个证件名下的记录认定为同一人。

  1. propose  提出，附证明材料；答复列出合并后会发现哪些重复发放
  2. approve、reject  另一账号复核；提出人自己 reject 即为撤回
  3. undo     合并有误的提出撤销，再由另一账号 approve 或 reject

合并不改动证书和申领，也不自动追回：过去不应并存的申领成为重复发放线索（collisions），由两人核查。

Nothing changes before a second account approves. Claims that should not stand beside
each other become collisions; nothing is recovered by itself.`,
		Example: `  bajigong people merge propose --file - < merge.json
  bajigong people merge show g-…
  bajigong people merge approve g-…`,
	}
	return group(cmd, mergePropose(w, server), mergeShow(w, server),
		secondPerson(w, server, "people merge", "MERGE", "g-…", "证明材料不足", `同意合并，或同意撤销合并。提出人不能复核自己提出的事项。

It approves the merge, or its undoing when that was proposed.`, true, mergePath, printMerge),
		secondPerson(w, server, "people merge", "MERGE", "g-…", "证明材料不足", `不同意合并或撤销合并，须写明理由；由提出人执行的即为撤回。

Done by its proposer it is withdrawn.`, false, mergePath, printMerge),
		mergeUndo(w, server), mergeList(w, server))
}

const mergeExample = `
merge.json:
  {"keep_kind": "resident_id", "keep": "…", "other_kind": "resident_id", "other": "…",
   "reason": "new_document", "evidence": "公安机关证明 2026-17"}

keep 为今后使用的证件，other 为另一个；证件类型不填为居民身份证。reason 为 fifteen_digits（15 位升 18 位）、
residence_permit（居住证与通行证）、foreigner_card（外国人永久居留身份证换号）、new_document（换发）、
mistake（录入错误）之一。evidence 为证明材料的编号或名称，不得含姓名、证件号码。`

func mergePropose(w world, server *serverFlags) *cobra.Command {
	var file, once string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "propose",
		Short: "提出合并 (propose a merge)",
		Long: `propose 提出合并两个证件名下的记录。证件号码只从文件或标准输入读取，不写在命令行上。
答复中证件号码已遮盖。

Document numbers are read from a file or the standard input only. The answer shows
what both have, and which claims would collide.
` + mergeExample,
		Example: `  bajigong people merge propose --file merge.json`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := readRequest[registry.NewMerge](w, file, "合并信息")
			if err != nil {
				return err
			}
			_, err = shown(cmd, w, server, ask{method: http.MethodPost, path: mergesPath, once: once}, in, asJSON, printMerge)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "合并信息 JSON 文件，“-”为标准输入 (request as JSON)")
	cmd.Flags().StringVar(&once, "once", "", "幂等键：重复执行不会重复提出 (Idempotency-Key)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func mergeShow(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show MERGE", Short: "查看一项合并及其影响 (show a merge, and what it would mean)",
		Long: `show 查看一项合并：证件（已遮盖）、证明材料、办理经过；待复核的还列出双方的证书和申领数、
姓名和出生日期是否一致、合并后会发现的重复发放。复核前请先查看。

While it is proposed: what both have, whether name and birth agree, what would collide.`,
		Example: `  bajigong people merge show g-…`, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := shown(cmd, w, server, ask{method: http.MethodGet, path: mergePath(args[0], "")}, nil, asJSON, printMerge)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func mergeUndo(w world, server *serverFlags) *cobra.Command {
	var in struct {
		Reason string `json:"reason"`
	}
	var asJSON bool
	cmd := &cobra.Command{
		Use: "undo MERGE", Short: "提出撤销合并 (propose to undo a merge that was wrong)",
		Long: `undo 提出撤销一项有误的合并，由另一账号 approve 后恢复为两人；在此之前合并仍有效。
该合并带来的重复发放线索随之失效，期间作出的决定保留。

Until another account approves it the merge holds. What was decided in between stands.`,
		Example: `  bajigong people merge undo g-… --reason 经核查不是同一人`, Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := shown(cmd, w, server, ask{method: http.MethodPost, path: mergePath(args[0], "/undoing")}, in, asJSON, printMerge)
			return err
		},
	}
	cmd.Flags().StringVar(&in.Reason, "reason", "", "理由，不得含个人信息 (reason)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	required(cmd, "reason")
	return cmd
}

func mergeList(w world, server *serverFlags) *cobra.Command {
	var waiting, asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "列出合并事项 (list merges)",
		Long: `list 按提出先后列出合并事项；--waiting 只列待复核的。

In the order of proposal; with --waiting those that wait for a second person.`,
		Example: `  bajigong people merge list --waiting`, Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if waiting {
				query.Set("waiting", "true")
			}
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			return listed(cmd, w, c, mergesPath, query, asJSON, []string{"合并 merge", "状态 state", "原因 reason", "今后使用 keep", "另一证件 other", "提出 proposed", "线索 collisions"}, func(m registry.MergeView) []string {
				return []string{m.ID, m.StateName.ZH + " " + string(m.State), m.ReasonName.ZH, m.Keep.Number, m.Other.Number, stamp(m.Proposed), strconv.Itoa(len(m.Collisions))}
			})
		},
	}
	cmd.Flags().BoolVar(&waiting, "waiting", false, "只列待复核的 (only those that wait)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

var knownWords = map[policy.Known]string{policy.Yes: "一致 yes", policy.No: "不一致 no", "": "不详 not known"}

func printMerge(w world, m registry.MergeView) {
	facts(w.stdout,
		[2]string{"合并 merge", m.ID},
		[2]string{"状态 state", fmt.Sprintf("%s (%s)", m.StateName.ZH, m.StateName.EN)},
		[2]string{"今后使用的证件 keep", m.Keep.Number},
		[2]string{"另一证件 other", m.Other.Number},
		[2]string{"原因 reason", fmt.Sprintf("%s (%s)", m.ReasonName.ZH, m.ReasonName.EN)},
		[2]string{"证明材料 evidence", m.Evidence},
		[2]string{"日志 log entry", fmt.Sprint(m.LogIndex)},
	)
	if p := m.Preview; p != nil {
		fmt.Fprintln(w.stdout, "\n合并的影响 what it would mean")
		side := func(s registry.MergeSide) string {
			return fmt.Sprintf("%s  证书 certificates %d  申领 claims %d", s.Name, s.Certificates, s.Claims)
		}
		facts(w.stdout, [2]string{"今后使用的证件 keep", side(p.Keep)}, [2]string{"另一证件 other", side(p.Other)},
			[2]string{"出生日期 birth", knownWords[p.SameBirth]}, [2]string{"姓名 name", knownWords[p.SameName]})
		for _, x := range p.Collisions {
			say(w.stdout, "  ✕ 不应并存的申领 would collide: %s（%s）\n", x.Claim.ID, x.Claim.Payer)
			for _, a := range x.Against {
				say(w.stdout, "    与 against %s（%s）\n", a.ID, a.Payer)
			}
			for _, f := range x.Rules {
				say(w.stdout, "    %s\n    %s\n", f.ZH, f.EN)
				clause(w, f.Clause, string(f.Reason))
			}
		}
	}
	if len(m.Collisions) > 0 {
		say(w.stdout, "\n重复发放线索 collisions  %s\n", strings.Join(m.Collisions, " "))
	}
	rows := [][]string{{"办理经过 steps", "", "账号 account", "理由 reason"}}
	for _, s := range m.Steps {
		rows = append(rows, []string{stamp(s.At), s.To.Name().ZH + " " + string(s.To), s.By, s.Reason})
	}
	fmt.Fprintln(w.stdout)
	table(w.stdout, rows)
}

// readRequest reads a request in JSON from a file or the standard input, without
// showing what stands in it when it is wrong. what is its name in Chinese.
func readRequest[T any](w world, file, what string) (out T, err error) {
	if file == "" {
		return out, usageError{errors.New("请用 --file 提供" + what + " (give the request with --file)")}
	}
	b, err := readInput(w, file, 1<<20)
	if err != nil {
		return out, err
	}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		return out, fail.New(fail.Invalid, "request_json", "the request is not JSON of the right form: %s", jsonFault(err)).
			In("%s不是规定格式的 JSON：%s", what, jsonFault(err))
	}
	return out, nil
}
