package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/registry"
	"bajigong/registry/policy"
)

func policyReplay(w world) *cobra.Command {
	var server serverFlags
	var data dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "replay CLAIM",
		Short: "重算一笔申领的决定，与记录比较 (decide a recorded claim anew)",
		Long: `replay 按作出决定时的政策文本（以文本摘要为准，随申领保存）、当时记录的事实，以及审计日志
中该笔申领之前的证书和申领，重新作出决定，与记录逐字节比较。不一致的逐项并列。
--server 向服务查询（经办机构查自己的，审计查辖区内的）；否则直接打开 --data 的存储，
此时须先停止服务，或指向副本。一致时退出码为 0，不一致为 1。

The text of the policy is the one the claim was decided by, whatever is in force now.
What differs stands side by side; exit code 1 then.`,
		Example: `  bajigong policy replay c-… --server https://zs.example.gov.cn
  bajigong policy replay c-… --data /srv/bajigong --json`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("server") && cmd.Flags().Changed("data") {
				return usageError{errors.New("--server 与 --data 只能用一个 (use one of them)")}
			}
			out, err := replayClaim(cmd, w, &server, &data, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(w.stdout, out)
			} else {
				err = printReplay(w, out)
			}
			if err == nil && !out.Same {
				return errNo
			}
			return err
		},
	}
	server.add(cmd.Flags(), w)
	data.add(cmd.Flags(), w)
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func replayClaim(cmd *cobra.Command, w world, server *serverFlags, data *dataFlags, id string) (out registry.Replay, err error) {
	if server.url != "" && !cmd.Flags().Changed("data") {
		c, err := server.client(w, true)
		if err != nil {
			return out, err
		}
		_, err = c.call(cmd.Context(), ask{method: http.MethodGet, path: claimPath(id, "replay")}, nil, &out)
		return out, err
	}
	reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
	if err != nil {
		return out, err
	}
	defer reg.Close()
	return reg.ReplayClaim(cmd.Context(), storeAuditor(), id)
}

// storeAuditor is who opens the store with its keys: one who reads it as an
// auditor of all regions does. The operator's own role has nothing to do with claims.
func storeAuditor() registry.Actor {
	by := registry.Operator()
	by.Roles, by.Region = []registry.Role{registry.RoleAuditor}, policy.Nation
	return by
}

func printReplay(w world, r registry.Replay) error {
	if r.Same {
		fmt.Fprintln(w.stdout, "✓ 重算与记录逐字节相同\n  the same decision, to the byte")
	} else {
		fmt.Fprintln(w.stdout, "✕ 重算与记录不一致\n  not the recorded decision")
	}
	facts(w.stdout,
		[2]string{"申领 claim", r.Claim},
		[2]string{"政策 policy", fmt.Sprintf("%s v%d", r.Policy, r.Version)},
		[2]string{"文本摘要 digest", r.Digest},
		[2]string{"日志 before log entry", fmt.Sprint(r.LogIndex)},
		[2]string{"决定 recorded", strings.ReplaceAll(outcomes[r.Recorded.Outcome], "\n", " ")},
	)
	for _, p := range r.Problems {
		say(w.stdout, "  ! %s\n    %s\n", p.ZH, p.EN)
	}
	rows, err := besideEachOther(r.Recorded, r.Recomputed)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		fmt.Fprintln(w.stdout)
		table(w.stdout, append([][]string{{"项目 field", "记录 recorded", "重算 recomputed"}}, rows...))
	}
	return nil
}

// besideEachOther lists the members of two decisions that differ: where, and each value.
func besideEachOther(a, b policy.Decision) ([][]string, error) {
	left, right := map[string]string{}, map[string]string{}
	for d, into := range map[*policy.Decision]map[string]string{&a: left, &b: right} {
		text, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		leaves("", v, into)
	}
	var names []string
	for name, value := range left {
		if other, ok := right[name]; !ok || other != value {
			names = append(names, name)
		}
	}
	for name := range right {
		if _, ok := left[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var rows [][]string
	for _, name := range names {
		rows = append(rows, []string{name, memberOf(left, name), memberOf(right, name)})
	}
	return rows, nil
}

func memberOf(from map[string]string, name string) string {
	if v, ok := from[name]; ok {
		return v
	}
	return "—"
}

// leaves gathers the values of JSON by their place, failing[0].rule.
func leaves(at string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			leaves(strings.TrimPrefix(at+"."+key, "."), member, into)
		}
	case []any:
		for i, member := range v {
			leaves(fmt.Sprintf("%s[%d]", at, i), member, into)
		}
	case string:
		if v == "" {
			v = `""`
		}
		into[at] = v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte("?")
		}
		into[at] = string(text)
	}
}
