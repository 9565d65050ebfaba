package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry/policy"
)

// maxPolicyFile bounds what is read of a file of policies or cases; the parser
// has the limit of its own.
const maxPolicyFile = 4 << 20

func policyCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "补贴政策：查看、编写、试算、重算 (subsidy policies: read, write, try, replay)",
		Long: `policy 处理补贴政策文件：每项政策一个 YAML 文件，逐条写明条款、原文和参数。
程序自带一批政策；本地自有的政策放在 DATA/rules/policies/*.yaml，所需的行政区划放在
DATA/rules/policies/regions.yaml，与自带的一并使用。

  list     现有政策；某地、某项资金由哪一项决定，其余为何不适用
  lint     逐处列出文件的问题，并与自带政策一并核对（重叠、上下级、约束、例外）
  explain  逐条解释一项政策：条款、原文、参数、条文未载明之处
  diff     比较两项政策或两个版本
  try      用案例试算
  schema   政策文件的 JSON Schema，供编辑器使用
  replay   按当时的政策文本重算一笔申领，与记录逐字节比较
  verify   离线打开一份签名的决定

编写顺序：schema 配好编辑器 → 写文件和案例 → lint → try → diff 与上一版比较 → 放入
DATA/rules/policies → 重启 serve。改动政策须写新的版本号；已决定的申领仍依当时的文本。

A policy is one YAML file, each rule with its clause, its quote and its parameters. An
operator's own stand in DATA/rules/policies beside those of the program; with a
fault in any of them the server does not start. A change is a new version: claims
decided before keep to the text they were decided by.

Exit codes: 0 fine; 1 problems, a difference from a case or a replay; 3 the input
cannot be read; 5 no such policy.`,
		Example: `  bajigong policy list --region 320583 --fund skill_uplift --on 2026-03-02
  bajigong policy lint kunshan-2026.yaml && bajigong policy try kunshan-2026-cases.yaml --policy kunshan-2026.yaml
  bajigong policy explain kunshan-2020-67
  bajigong policy diff kunshan-2020-67@1 kunshan-2020-67@2`,
	}
	return group(cmd, policyList(w), policyLint(w), policyExplain(w), policyDiff(w), policyTry(w), policySchema(w), policyReplay(w), policyVerify(w))
}

// policyFile reads a policy from a file that somebody named.
func policyFile(w world, name string) (policy.Policy, error) {
	b, err := readInput(w, name, maxPolicyFile)
	if err != nil {
		return policy.Policy{}, err
	}
	return policy.Parse(name, b)
}

// isFile tells a file from the id of a policy.
func isFile(arg string) bool {
	if arg == "-" || strings.ContainsRune(arg, filepath.Separator) || strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml") {
		return true
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}

// namedPolicy is the policy that an argument names: ID, ID@VERSION, or a file.
func namedPolicy(w world, all policy.Set, arg string) (policy.Policy, error) {
	if isFile(arg) {
		return policyFile(w, arg)
	}
	id, text, has := strings.Cut(arg, "@")
	version := 0
	if has {
		var err error
		if version, err = strconv.Atoi(strings.TrimPrefix(text, "v")); err != nil || version < 1 {
			return policy.Policy{}, usageError{fmt.Errorf("%q 应为 编号 或 编号@版本，例如 kunshan-2020-67@1 (a policy is named ID or ID@VERSION)", arg)}
		}
	}
	return all.Policy(id, version)
}

func policySchema(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "政策文件的 JSON Schema (the JSON Schema of policy files)",
		Long: `schema 输出政策 YAML 文件的 JSON Schema（2020-12），供编辑器补全和检查。编号重复、日期先后、
上下级约束等它说不出的，由 lint 检查。

What a schema cannot say, lint finds. In editors with the YAML language server put
  # yaml-language-server: $schema=policy.schema.json
on the first line of a policy file.`,
		Example: `  bajigong policy schema > policy.schema.json`,
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			_, err := w.stdout.Write(policy.Schema())
			return err
		},
	}
}

// lintFiles are the files that arguments name: files, and the policy files of
// folders.
func lintFiles(w world, args []string) ([]policy.File, error) {
	var out []policy.File
	for _, arg := range args {
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			found, err := policy.OwnFiles(os.DirFS(arg), ".")
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				return nil, fail.New(fail.NotFound, "no_file", "no policy files *.yaml in %s", arg).In("%s 中没有政策文件 *.yaml", arg)
			}
			for _, f := range found {
				out = append(out, policy.File{Name: filepath.Join(arg, f.Name), Source: f.Source})
			}
			continue
		}
		b, err := readInput(w, arg, maxPolicyFile)
		if err != nil {
			return nil, err
		}
		out = append(out, policy.File{Name: arg, Source: b})
	}
	return out, nil
}

// beside are the operator's own files that stand beside those named: not the same
// ones, nor those that are to the byte what is looked at.
func beside(own, named []policy.File) (out []policy.File) {
	for _, o := range own {
		same := false
		for _, n := range named {
			same = same || samePath(o.Name, n.Name) || bytes.Equal(o.Source, n.Source)
		}
		if !same {
			out = append(out, o)
		}
	}
	return out
}

func samePath(a, b string) bool {
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

func policyLint(w world) *cobra.Command {
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [FILE|DIR]…",
		Short: "检查政策文件 (every problem of policy files)",
		Long: `lint 逐处列出政策文件的问题：文件:行: 字段: 中文 — 英文。各文件本身无误后，再与自带政策
和 --data 中的自有政策一并核对：版本重复、区划、执行期重叠、上级政策、上级约束及其例外。
不写参数时检查 --data 中自有的政策。文件名为 regions.yaml 的是行政区划表。

有问题时退出码为 1。serve 启动时做同样的检查，有一处问题就不启动，不会采用一半。

First each file for itself; when all are sound, all of them together with the
program's own and those of --data. A server starts with none of them or with all.`,
		Example: `  bajigong policy lint kunshan-2026.yaml
  bajigong policy lint drafts/
  bajigong policy lint --data /srv/bajigong`,
		RunE: func(_ *cobra.Command, args []string) error { return lintPolicies(w, &data, args, asJSON) },
	}
	data.addDir(cmd.Flags(), w)
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func lintPolicies(w world, data *dataFlags, args []string, asJSON bool) error {
	embedded, err := policy.Embedded()
	if err != nil {
		return err
	}
	own, err := policy.OwnFiles(os.DirFS(data.rules()), "policies")
	if err != nil {
		return err
	}
	for i := range own {
		own[i].Name = filepath.Join(data.rules(), own[i].Name)
	}
	files := own
	if len(args) > 0 {
		named, err := lintFiles(w, args)
		if err != nil {
			return err
		}
		files = append(named, beside(own, named)...)
	}
	all, faults := embedded.Join(files...)
	if asJSON {
		if err := printJSON(w.stdout, append([]policy.Fault{}, faults...)); err != nil {
			return err
		}
	} else {
		for _, f := range faults {
			where := f.File
			if f.Line > 0 {
				where += ":" + strconv.Itoa(f.Line)
			}
			if f.Field != "" {
				where += ": " + f.Field
			}
			say(w.stdout, "%s: %s — %s\n", where, f.ZH, f.EN)
		}
	}
	if len(faults) > 0 {
		fmt.Fprintf(w.stderr, "✕ %d 处问题 (%d problems)\n", len(faults), len(faults))
		return errNo
	}
	if len(files) == 0 {
		fmt.Fprintf(w.stderr, "%s 中没有自有政策 (no policies of your own there)\n", filepath.Join(data.rules(), "policies"))
	}
	fmt.Fprintf(w.stderr, "✓ %d 个文件，连同自带政策共 %d 项（各版本计）、%d 个区划，没有问题 (%d files, no problems; %s in all)\n",
		len(files), len(all.Policies()), len(all.Regions()), len(files), all)
	return nil
}
