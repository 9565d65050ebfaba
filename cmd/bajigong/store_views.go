package main

import (
	_ "embed"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/internal/kv/pgkv"
)

//go:embed store_views.sql
var reportViews string

func storeCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "存储的维护 (care of the store)",
		Long: `store 维护 PostgreSQL 中的存储，供统计与报表工具使用；不修改登记数据。
导出、恢复与备份见 bajigong dump、restore、backup，核对见 bajigong check。

It prepares the database for reporting tools and changes nothing of the register.`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(storeViewsCommand(w))
	return cmd
}

func storeViewsCommand(w world) *cobra.Command {
	var store string
	var show bool
	cmd := &cobra.Command{
		Use:   "views",
		Short: "在 PostgreSQL 中建立统计视图 (views for reporting tools)",
		Long: `views 在登记系统所在的 PostgreSQL 数据库中建立（或更新）模式 bajigong_report 下的只读视图：
机构、备案、批次、证书、补贴、汇总。视图不含姓名、证件、证书编号等个人信息；持证人只以随机标识的
散列出现。把模式的读权限授予报表账号即可，见 docs/reporting.md。
It replaces the views of an older release in one transaction and touches nothing else.

  bajigong store views --store postgres://bajigong@db.example/register
  bajigong store views --print                    只打印 SQL (the SQL alone, for an administrator)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show {
				_, err := io.WriteString(w.stdout, reportViews)
				return err
			}
			if !isPostgres(store) {
				return usageError{errors.New("统计视图只能建立在 PostgreSQL 上：--store postgres://… (views need PostgreSQL)")}
			}
			if err := pgkv.Script(cmd.Context(), store, reportViews); err != nil {
				return fail.New(fail.Unavailable, "views", "the views cannot be made: %v", err).In("无法建立统计视图：%v", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&store, "store", w.env("BAJIGONG_STORE"), "postgres://… (also BAJIGONG_STORE)")
	cmd.Flags().BoolVar(&show, "print", false, "只打印 SQL (print the SQL, change nothing)")
	return cmd
}
