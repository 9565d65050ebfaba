package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bajigong/registry"
)

// checkParts are the parts of a check in Chinese; one that is not here is shown
// by its English name alone.
var checkParts = map[string]string{
	"indexes": "索引与记录", "certificates": "证书", "status lists": "状态清单",
	"sealed blocks": "密封的个人信息", "claims": "补贴申领", "audit log": "审计日志",
	"statistics": "统计数据",
}

func checkCommand(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "核对登记系统的全部不变量 (prove the register's invariants)",
		Long: `check 在快照上核对全部不变量：编号、短码、状态位各归其主；每份本地证书发证时
机构有权、计划在先、公示期满；按日志重放每个人的申领；审计日志重算；状态位与台账
一致；索引与记录相符；个人信息能够打开。不修改任何数据。

It proves the invariants on a snapshot and changes nothing. The report is JSON on
stdout, progress goes to stderr. Exit code 0: sound; 1: there are problems.

A bbolt store is opened directly, so stop the server first or check a copy of it;
a PostgreSQL store can be checked while servers run.`,
		Example: `  bajigong check --data /srv/bajigong
  bajigong check --data /srv/bajigong --store postgres://… > report.json || mail -s problems ops < report.json`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			began := w.now()
			report, err := reg.Check(cmd.Context(), registry.Operator(), func(part string) {
				fmt.Fprintf(w.stderr, "核对 %s (checking %s) …\n", checkParts[part], part)
			})
			if err != nil {
				return err
			}
			if err := printJSON(w.stdout, report); err != nil {
				return err
			}
			took := w.now().Sub(began).Round(1e6)
			if report.Found > 0 {
				fmt.Fprintf(w.stderr, "发现 %d 个问题，请勿继续使用本存储，先联系运维 (%d problems found in %s)\n", report.Found, report.Found, took)
				return errNo
			}
			fmt.Fprintf(w.stderr, "全部相符，用时 %s (sound: %d certificates, %d claims, %d log entries)\n", took, report.Certificates, report.Claims, report.Events)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}
