package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"bajigong/evaluators/figures"
	"bajigong/registry"
)

func statisticsCommand(w world) *cobra.Command {
	var server serverFlags
	var data dataFlags
	var q registry.StatisticsQuery
	var by, origin, format string
	cmd := &cobra.Command{
		Use:   "statistics PERIOD",
		Short: "统计报表：季报、年报 (reports of a month, quarter or year)",
		Long: `statistics 输出一个月、季或年的统计报表：2026-03、2026Q1 或 2026。行可以是等级
level、职业 occupation、领域 field、地区 region、机构类别 class、人员类别 group 或取得
方式 mode。人次是证书数，人数是不同人员数；不能准确给出的人数留空。

It prints a report as JSON or CSV (RFC 4180; csv-bom opens in Excel). Certificates
and persons are different figures; what is not exact is left out. From a server it
needs a key of the authority; without --server it reads the store of this machine.`,
		Example: `  bajigong statistics 2026Q1 --by region --server https://zs.example.gov.cn --key-file authority.key
  bajigong statistics 2026 --by occupation --format csv-bom --data /srv/bajigong > 年报.csv`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "json" && format != "csv" && format != "csv-bom" {
				return usageError{errors.New("--format 应为 json、csv 或 csv-bom (json, csv or csv-bom)")}
			}
			q.Period, q.By, q.Origin = args[0], figures.Listing(by), registry.Origin(origin)
			report, err := statisticsFrom(cmd.Context(), w, &server, &data, q)
			if err != nil {
				return err
			}
			if format == "json" {
				return printJSON(w.stdout, report)
			}
			_, err = w.stdout.Write(figures.CSV(report.By, report.Rows, report.Total, format == "csv-bom"))
			return err
		},
	}
	server.add(cmd.Flags(), w)
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&by, "by", "level", "行：level、occupation、field、region、class、group、mode (what the rows stand for)")
	cmd.Flags().StringVar(&q.Region, "region", "", "六位行政区划代码 (region; one's own when absent)")
	cmd.Flags().StringVar(&origin, "origin", "here", "here 本系统颁发，elsewhere 登记的外来证书，imported 导入的历史证书 (issued here, registered from elsewhere, imported)")
	cmd.Flags().StringVar(&format, "format", "json", "json、csv 或 csv-bom（Excel）(csv-bom opens in Excel)")
	return cmd
}

// statisticsFrom asks a server, or reads the store of this machine after counting
// what was not counted yet.
func statisticsFrom(ctx context.Context, w world, server *serverFlags, data *dataFlags, q registry.StatisticsQuery) (out registry.Statistics, err error) {
	if server.url != "" {
		c, err := server.client(w, true)
		if err != nil {
			return out, err
		}
		query := url.Values{"period": {q.Period}, "by": {string(q.By)}, "origin": {string(q.Origin)}}
		if q.Region != "" {
			query.Set("region", q.Region)
		}
		_, err = c.call(ctx, ask{method: http.MethodGet, path: "/api/v1/statistics", query: query}, nil, &out)
		return out, err
	}
	reg, err := data.open(ctx, w, newLog(w.stderr))
	if err != nil {
		return out, err
	}
	defer reg.Close()
	if _, err := reg.CountFigures(ctx); err != nil {
		return out, err
	}
	return reg.Statistics(ctx, registry.Operator(), q)
}
