package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
)

// checkParts are the parts of a check in Chinese; a test holds that none is missing.
var checkParts = map[string]string{
	"indexes": "索引与记录", "certificates": "证书", "status lists": "状态清单", "published status lists": "已发布的状态清单",
	"sealed blocks": "密封的个人信息", "sealed records": "应有的密封信息", "claims": "补贴申领", "totals of claims": "补贴合计",
	"files of claims": "批量预检", "merges and collisions": "人员合并与重复发放", "cases": "案件与决定", "audit log": "审计日志",
	"credit": "信用", "statistics": "统计数据", "national query": "全国联网查询", "blank certificates": "空白证书",
	"reliance": "变动通知", "webhooks": "通知端点", "counters": "计数器", "exam dates": "考试日期",
	"records and their events": "记录与审计日志",
}

func checkCommand(w world) *cobra.Command {
	var data dataFlags
	var parts []string
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "核对登记系统的全部不变量 (prove the register's invariants)",
		Long: `check 在快照上核对全部不变量：编号、短码、状态位各归其主；每份本地证书发证时
机构有权、计划在先、公示期满；按日志重放每个人的申领；审计日志重算；状态位与台账
一致；索引与记录相符，记录与日志逐条相符；个人信息能够打开。不修改任何数据。--parts 只核对其中几部分。

It proves the invariants on a snapshot and changes nothing. Memory does not grow
with the store. The report is JSON on stdout: for each part its entries, seconds
and problems, by kind, the first ones in full. Progress goes to stderr. Exit code
0: sound; 1: there are problems. Interrupted, it proves nothing.

A bbolt store is opened directly, so stop the server first or check a copy of it;
a PostgreSQL store can be checked while servers run.

--repair-indexes 由记录重新生成索引、合计、统计、状态位等派生数据，并写入审计日志；
记录互相矛盾时不作任何修改。中断后再次运行即可继续。

--repair-indexes makes anew what follows from the records: indexes, totals,
statistics, status bits, counters. It leaves an event in the audit log. Where
records contradict each other it changes nothing, reports them, and ends with exit
code 6. Interrupted or killed, it goes on when it is run again. Check afterwards.

Parts: ` + strings.Join(registry.CheckPartNames(), ", ") + `.`,
		Example: `  bajigong check --data /srv/bajigong
  bajigong check --parts "indexes,audit log"
  bajigong check --data /srv/bajigong --store postgres://… > report.json || mail -s problems ops < report.json
  bajigong check --repair-indexes && bajigong check`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if repair && len(parts) > 0 {
				return usageError{errors.New("--repair-indexes 修复全部，不能与 --parts 同用 (it repairs everything; leave out --parts)")}
			}
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			if repair {
				return repairIndexes(cmd.Context(), w, reg.Registry)
			}
			return checkRegister(cmd.Context(), w, reg.Registry, parts)
		},
	}
	cmd.Flags().StringSliceVar(&parts, "parts", nil, "只核对这些部分，以逗号分隔 (only these parts, separated by commas)")
	cmd.Flags().BoolVar(&repair, "repair-indexes", false, "由记录重新生成索引与合计 (make indexes and sums anew from the records)")
	data.add(cmd.Flags(), w)
	return cmd
}

func checkRegister(ctx context.Context, w world, reg *registry.Registry, parts []string) error {
	began := w.now()
	steps := &partProgress{w: w, zh: "核对", en: "checking"}
	report, err := reg.Check(ctx, registry.Operator(), &registry.CheckOptions{Parts: parts, Progress: steps.show})
	steps.end()
	if err != nil {
		if ctx.Err() != nil {
			return fail.New(fail.Unavailable, "check_interrupted", "the check was interrupted and has proven nothing; run it again").
				In("核对已中断，未得出任何结论；请重新运行").Because(err)
		}
		return err
	}
	if err := printJSON(w.stdout, report); err != nil {
		return err
	}
	for _, n := range report.Notes {
		fmt.Fprintf(w.stderr, "注意：%s (note: %s)\n", n.ZH, n.EN)
	}
	took := w.now().Sub(began).Round(1e6)
	switch {
	case report.Found > 0:
		fmt.Fprintf(w.stderr, "发现 %d 个问题，请勿继续使用本存储，先联系运维 (%d problems found in %s)\n", report.Found, report.Found, took)
		return errNo
	case !report.Whole:
		fmt.Fprintf(w.stderr, "所核对的部分全部相符，用时 %s；其余部分未核对 (the parts that were checked are sound; the others were not checked)\n", took)
	default:
		fmt.Fprintf(w.stderr, "全部相符，用时 %s (sound: %d certificates, %d claims, %d log entries)\n", took, report.Certificates, report.Claims, report.Events)
	}
	return nil
}

func repairIndexes(ctx context.Context, w world, reg *registry.Registry) error {
	steps := &partProgress{w: w, zh: "修复", en: "repairing"}
	report, err := reg.RepairIndexes(ctx, registry.Operator(), steps.show)
	steps.end()
	if ctx.Err() != nil && err != nil {
		return fail.New(fail.Unavailable, "repair_interrupted", "the repair was interrupted; run it again and it goes on").
			In("修复已中断；再次运行即从中断处继续").Because(err)
	}
	if report.Found > 0 || err == nil {
		if err := printJSON(w.stdout, report); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if len(report.Repaired) == 0 {
		fmt.Fprintln(w.stderr, "无需修复 (nothing had to be repaired)")
		return nil
	}
	fmt.Fprintf(w.stderr, "已修复 %d 类数据，见审计日志第 %d 条；请再运行 bajigong check (repaired; entry %d of the audit log says what; check again)\n", len(report.Repaired), report.LogIndex, report.LogIndex)
	return nil
}

// partProgress shows long work of several parts, each with its own line.
type partProgress struct {
	w      world
	zh, en string
	part   string
	line   *progress
}

func (p *partProgress) show(at registry.CheckProgress) {
	if p.line == nil || p.part != at.Part {
		p.end()
		p.part = at.Part
		zh := p.zh
		if name := checkParts[at.Part]; name != "" {
			zh += " " + name
		}
		fmt.Fprintf(p.w.stderr, "%s (%s %s) …\n", zh, p.en, at.Part)
		p.line = newProgress(p.w, p.zh)
		p.line.shown = p.w.now() // the line above is enough for a part that is quickly done
	}
	p.line.show(at.Done, at.Total)
}

func (p *partProgress) end() {
	if p.line != nil {
		p.line.end()
		p.line = nil
	}
}
