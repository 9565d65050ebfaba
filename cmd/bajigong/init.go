package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
)

func initCommand(w world) *cobra.Command {
	var data dataFlags
	var c config
	var code string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "建立登记系统：密钥、存储、首个主管部门密钥 (make a register)",
		Long: `init 在数据目录中建立密钥环（存储之外）、存储和审计日志，并打印一次主管部门的接口密钥。
It refuses an origin for which the longest QR code would not fit, and a directory
in which there is a register already. With --ring-passphrase-file or --ring-key-file the keys
lie encrypted on the disk; every later command that opens the register needs it.

  bajigong init --origin https://zs.example.gov.cn --region 320000 --code js`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, secret, err := initData(cmd.Context(), w, data, c, code)
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, `已建立：%s
密钥环 keys     %s   （请离线备份：丢失后系统无法启动，个人信息无法恢复 / back it up offline）
存储 store      %s
主管部门接口密钥（只显示这一次）/ the authority's API key, shown once:

  %s

下一步 next:
  bajigong occupations import FILE.csv --data %s
  bajigong serve --data %s
`, data.dir, data.keys(), data.storePath(), secret, data.dir, data.dir)
			return nil
		},
	}
	flags := cmd.Flags()
	data.add(flags, w)
	flags.StringVar(&c.Origin, "origin", "", "印在二维码里的网址，例如 https://zs.example.gov.cn (address in every QR code)")
	flags.StringVar(&c.Region, "region", "", "主管部门行政区划代码，6 位 (GB/T 2260)")
	flags.StringVar(&code, "code", "", "登记系统代码，2–3 位小写字母或数字，用于密钥编号 (registry code)")
	flags.StringVar(&c.OperatorZH, "name", "职业技能证书登记系统", "页面抬头 (name on the pages)")
	flags.StringVar(&c.OperatorEN, "name-en", "Register of Skill Certificates", "English name on the pages")
	for _, name := range []string{"origin", "region", "code"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return cmd
}

// initData makes a register in an empty data directory and answers the
// authority's account with the secret of its first key.
func initData(ctx context.Context, w world, data dataFlags, c config, code string) (account registry.Account, secret string, err error) {
	if _, err := os.Stat(data.config()); err == nil {
		return account, "", fail.New(fail.Conflict, "already_initialised", "there is a register in %s already", data.dir).In("%s 中已有登记系统", data.dir)
	}
	if err := credentials.Budget(c.Origin); err != nil {
		return account, "", err
	}
	if err := os.MkdirAll(data.dir, 0o700); err != nil {
		return account, "", err
	}
	opener, err := data.opener(w)
	if err != nil {
		return account, "", err
	}
	keys, err := credentials.CreateKeyRing(data.keys(), code, opener, w.rand, w.now())
	if err != nil {
		return account, "", err
	}
	log := newLog(w.stderr)
	db, err := openDB(ctx, data.storePath(), false, w.now, w.rand, log)
	if err != nil {
		return account, "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	reg, err := newRegistry(db, c, data.rules(), keys, w.now, w.rand, log)
	if err != nil {
		return account, "", err
	}
	if err := reg.BeginLog(ctx); err != nil {
		return account, "", err
	}
	account, err = reg.CreateAccount(ctx, registry.Operator(), registry.NewAccount{Name: "authority", Roles: []registry.Role{registry.RoleAuthority}, Region: c.Region})
	if err != nil {
		return account, "", err
	}
	if _, secret, err = reg.IssueKey(ctx, registry.Operator(), account.ID, "init", 90*24*time.Hour); err != nil {
		return account, "", err
	}
	// The configuration is written last: a directory with it is a whole register.
	return account, secret, saveConfig(data.config(), c)
}
