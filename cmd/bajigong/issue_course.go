package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"bajigong/evaluators/course"
	"bajigong/internal/fail"
	"bajigong/registry"
)

func issueRoster(w world, server *serverFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "roster SESSION FILE.csv",
		Short: "2. 报名名单与资格审核 (enter the candidates)",
		Long: `roster 在考试之前录入报名名单，并按现行国家职业标准的申报条件逐人审核。XLSX 或 CSV（UTF-8、GB18030），表头：
姓名,证件类型,证件号码,出生日期,单位代码,人员类别,申报依据,申报依据文号,申报批准单位,申报批准日期,取得方式依据,
拟从事,工作起止,工作证明,原证书等级,原证书编号,原证书日期,职称,职称日期,毕业院校类别,班级类别,毕业日期,预计毕业日期,专业,经评估论证

只有姓名和证件号码必填，其余按所依据的申报条件填写；工作起止写作 2015-03-01~2018-05-31；2019-01-01~ 。
有一人不符合则全部不存，逐人说明差在哪里（退出码 3）。考试前可重新录入，以最后一次为准。

One candidate who may not apply refuses the whole roster, with what is missing for
each condition (exit code 3). Entered again before the exam, it replaces the first.`,
		Example: `  bajigong issue roster s-… 报名.csv`,
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			b, err := readInput(w, args[1], registry.ResultsMaxBytes)
			if err != nil {
				return err
			}
			var report registry.RosterReport
			_, err = c.call(cmd.Context(), ask{method: http.MethodPost, path: sessionPath(args[0], "candidates"), kind: tableType(b), body: b, wait: 10 * time.Minute}, nil, &report)
			if e := fail.Of(err); err != nil && e.Kind == fail.Invalid && len(e.Fields) > 0 {
				for _, f := range e.Fields {
					fmt.Fprintln(w.stdout, fieldLine(f))
				}
				return fail.New(e.Kind, e.Code, "%s", e.Text).In("%s", e.ZH)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(w.stdout, report)
			}
			fmt.Fprintf(w.stderr, "已录入 %d 人，均符合申报条件 (%d candidates, all eligible)\n", report.Entries, report.Entries)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "输出 JSON (print JSON)")
	return cmd
}

func issueConfirm(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "confirm SESSION",
		Short: "4. 复核成绩，须由另一人办理 (confirm the results, by a second person)",
		Long: `confirm 复核已上报的成绩。成绩上传与复核应由不同人员办理：用本机构另一账号的密钥执行。
重新上报成绩后须重新复核。

The account that uploaded the results cannot confirm them.`,
		Example: `  BAJIGONG_KEY=$(cat second.key) bajigong issue confirm s-…`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var s registry.Session
			if _, err := c.call(cmd.Context(), ask{method: http.MethodPost, path: sessionPath(args[0], "confirmation")}, nil, &s); err != nil {
				return err
			}
			fmt.Fprintf(w.stderr, "成绩已复核；下一步 next: bajigong issue publicity %s\n", s.ID)
			return nil
		},
	}
}

var stepWords = map[course.Step]string{
	course.StepPlan: "计划备案 plan", course.StepRoster: "报名审核 roster", course.StepArrangement: "考务编排 arrangement", course.StepExam: "考试 exam",
	course.StepResults: "成绩上报 results", course.StepPublicity: "公示 publicity", course.StepIssue: "发证 issue",
}

func issueTimeline(w world, server *serverFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "timeline SESSION",
		Short: "各环节期限与逾期 (when each step was due and done)",
		Long: `timeline 列出一个批次各环节的期限、办结日期和逾期工作日。逾期只作标记，不影响考生领证。

Days are working days by the State Council's calendar. Lateness is a mark, never a
refusal.`,
		Example: `  bajigong issue timeline s-…`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := server.client(w, true)
			if err != nil {
				return err
			}
			var line struct {
				Steps []course.Mark `json:"steps"`
			}
			if _, err := c.call(cmd.Context(), ask{method: http.MethodGet, path: sessionPath(args[0], "timeline")}, nil, &line); err != nil {
				return err
			}
			for _, m := range line.Steps {
				late := ""
				if m.Late > 0 {
					late = fmt.Sprintf("  逾期 %d 个工作日 (%d working days late)", m.Late, m.Late)
				}
				fmt.Fprintf(w.stdout, "%s：期限 due %s，办结 done %s%s\n", stepWords[m.Step], orDash(string(m.Due)), orDash(string(m.Done)), late)
			}
			return nil
		},
	}
}

func orDash(s string) string {
	if s == "" {
		return "--"
	}
	return s
}
