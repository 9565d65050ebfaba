package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/registry"
)

func keyCommand(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "接口密钥与签名密钥 (API keys and signing keys)",
		Long: `key 管理账号的接口密钥；key ring 管理签名密钥。直接打开存储，须先停止服务
（PostgreSQL 存储不必停）。

It works on the store of this machine as its operator. An API key is shown once,
when it is made; the register keeps its hash alone.`,
	}
	return group(cmd, keyList(w), keyCreate(w), keyRevoke(w), keyRing(w))
}

func keyList(w world) *cobra.Command {
	var data dataFlags
	var account string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出账号和密钥 (list accounts and their keys)",
		Long: `list 列出账号及其密钥的编号、备注和期限。密钥本身不保存，无法再次显示。
It lists accounts with the ids, labels and lives of their keys, never the keys.`,
		Example: `  bajigong key list --data /srv/bajigong
  bajigong key list --account 昆山市就业促进中心`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			accounts, err := findAccounts(cmd.Context(), reg.Registry, account)
			if err != nil {
				return err
			}
			rows := [][]string{{"账号 account", "角色 roles", "单位 organisation", "区划 region", "密钥 key", "备注 label", "到期 expires", "状态 state"}}
			for _, a := range accounts {
				keys, err := allKeys(cmd.Context(), reg.Registry, a.ID)
				if err != nil {
					return err
				}
				row := []string{a.Name, rolesText(a.Roles), a.Organisation, a.Region}
				if len(keys) == 0 {
					rows = append(rows, append(row, "—", "", "", ""))
				}
				for _, k := range keys {
					rows = append(rows, append(slices.Clone(row), k.ID, k.Label, stamp(k.Expires), keyState(k, w.now())))
				}
			}
			table(w.stdout, rows)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&account, "account", "", "只列这个账号 (this account only, by name)")
	return cmd
}

func findAccounts(ctx context.Context, reg *registry.Registry, name string) ([]registry.Account, error) {
	if name != "" {
		a, err := reg.AccountByName(ctx, registry.Operator(), name)
		return []registry.Account{a}, err
	}
	var out []registry.Account
	for page := (registry.Page{Limit: 500}); ; {
		list, next, err := reg.Accounts(ctx, registry.Operator(), page)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if page.Cursor = next; next == "" {
			slices.SortFunc(out, func(a, b registry.Account) int { return strings.Compare(a.Name, b.Name) })
			return out, nil
		}
	}
}

func allKeys(ctx context.Context, reg *registry.Registry, account string) (out []registry.APIKey, err error) {
	for page := (registry.Page{Limit: 500}); ; {
		list, next, err := reg.KeysOfAccount(ctx, registry.Operator(), account, page)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
		if page.Cursor = next; next == "" {
			slices.SortFunc(out, func(a, b registry.APIKey) int { return a.Created.Compare(b.Created) })
			return out, nil
		}
	}
}

func rolesText(roles []registry.Role) string {
	var out []string
	for _, r := range roles {
		out = append(out, string(r))
	}
	return strings.Join(out, ",")
}

func keyState(k registry.APIKey, now time.Time) string {
	switch {
	case k.Revoked != nil:
		return "已吊销 revoked"
	case !now.Before(k.Expires):
		return "已过期 expired"
	}
	return "有效 active"
}

func keyCreate(w world) *cobra.Command {
	var data dataFlags
	var in registry.NewAccount
	var roles []string
	var label string
	var days int
	cmd := &cobra.Command{
		Use:   "create",
		Short: "为账号新建密钥，必要时新建账号 (make a key, and the account if need be)",
		Long: `create 为账号新建一个接口密钥。账号不存在时须写明角色、区划和所属单位，一并建立。
密钥只显示这一次：密钥单独写到标准输出，其余说明写到标准错误，便于脚本保存。

角色 roles:
  authority    人社部门：管理本辖区的机构、批次、证书和账号
  institution  评价机构：--organisation 为机构编号
  payer        补贴经办机构：--organisation 为自定的单位简称，--region 为所在区划
  auditor      审计：只读

The key alone goes to stdout, once; everything else to stderr.`,
		Example: `  bajigong key create --account 昆山市就业促进中心 --role payer --organisation ks-jy --region 320583
  (umask 077; bajigong key create --account 昆山市就业促进中心 --label 2026 --days 365 > payer.key)`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if days < 0 {
				return usageError{fmt.Errorf("--days 应为正数 (days is a positive number)")}
			}
			for _, r := range roles {
				in.Roles = append(in.Roles, registry.Role(r))
			}
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			a, err := accountFor(cmd.Context(), reg.Registry, in)
			if err != nil {
				return err
			}
			k, secret, err := reg.IssueKey(cmd.Context(), registry.Operator(), a.ID, label, time.Duration(days)*24*time.Hour)
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stderr, "账号 %s（%s）的密钥 %s，有效至 %s；以下密钥只显示这一次，请妥善保存\nkey %s of %s, shown once:\n",
				a.Name, rolesText(a.Roles), k.ID, stamp(k.Expires), k.ID, a.Name)
			fmt.Fprintln(w.stdout, secret)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	flags := cmd.Flags()
	flags.StringVar(&in.Name, "account", "", "账号名称 (the account's name)")
	flags.StringSliceVar(&roles, "role", nil, "新账号的角色 (roles of a new account): authority, institution, payer, auditor")
	flags.StringVar(&in.Organisation, "organisation", "", "新账号所属单位 (organisation of a new account)")
	flags.StringVar(&in.Region, "region", "", "新账号的行政区划代码，6 位 (region of a new account, GB/T 2260)")
	flags.StringVar(&label, "label", "", "密钥备注 (label of the key)")
	flags.IntVar(&days, "days", 365, "密钥有效天数，最多 732 (life of the key in days)")
	required(cmd, "account")
	return cmd
}

// accountFor finds the account of a name, or makes it when roles are given. An
// account that is there is never changed by the way.
func accountFor(ctx context.Context, reg *registry.Registry, in registry.NewAccount) (registry.Account, error) {
	a, err := reg.AccountByName(ctx, registry.Operator(), in.Name)
	switch {
	case err == nil && !fits(in, a):
		return a, fail.New(fail.Conflict, "account_differs", "the account %s is there with other roles, organisation or region (%s, %s, %s)", a.Name, rolesText(a.Roles), a.Organisation, a.Region).
			In("账号 %s 已存在，其角色、单位或区划不同（%s，%s，%s）", a.Name, rolesText(a.Roles), a.Organisation, a.Region)
	case err == nil, fail.KindOf(err) != fail.NotFound:
		return a, err
	case len(in.Roles) == 0:
		return a, fail.New(fail.NotFound, "no_account", "there is no account %s; to make it, add --role, --region and --organisation", in.Name).
			In("没有账号 %s；如需新建，请加 --role、--region 和 --organisation", in.Name)
	}
	return reg.CreateAccount(ctx, registry.Operator(), in)
}

// fits reports whether what is said of a new account is true of one that is there.
// A payer is kept with its region in front: 320583/name.
func fits(in registry.NewAccount, a registry.Account) bool {
	return (len(in.Roles) == 0 || slices.Equal(slices.Compact(slices.Sorted(slices.Values(in.Roles))), a.Roles)) &&
		(in.Region == "" || in.Region == a.Region) &&
		(in.Organisation == "" || in.Organisation == a.Organisation || a.Region+"/"+in.Organisation == a.Organisation)
}

func keyRevoke(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "revoke KEY-ID",
		Short: "吊销密钥，立即生效 (end a key at once)",
		Long: `revoke 吊销一个密钥，立即生效，不能恢复。KEY-ID 是 key list 中的编号，不是密钥本身。
KEY-ID is the id that key list shows, not the key itself.`,
		Example: `  bajigong key revoke 7k3m9qh2 --data /srv/bajigong`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "bjg_") {
				return usageError{fmt.Errorf("请填密钥编号，不要填密钥本身 (give the id of the key, not the key)")}
			}
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			k, err := reg.RevokeKey(cmd.Context(), registry.Operator(), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "密钥 %s 已于 %s 吊销 (revoked)\n", k.ID, stamp(*k.Revoked))
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}

func keyRing(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ring",
		Short: "签名密钥：列出、轮换 (the signing keys)",
		Long: `ring 管理数据目录 keys/ 中的签名密钥。每种用途一把在用、一把备用（提前公布）；
轮换后旧密钥永久可验。密钥环在存储之外，请离线备份。

Each purpose has one active key and one next key, which is published before it is
used. A retired key verifies for ever. The ring lies outside the store.`,
	}
	return group(cmd, keyRingList(w), keyRingRotate(w), keyRingSchedule(w), keyRingEncrypt(w), keyRingDistrust(w), keyRingTouched(w), keyRingResign(w))
}

func keyRingList(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "列出签名密钥 (list the signing keys)",
		Long: `list 列出各用途的签名密钥及状态，以及密封、索引等密钥的版本号。
It shows ids, purposes and states; no private key leaves the ring.`,
		Example: `  bajigong key ring list --data /srv/bajigong`,
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			ring, err := data.openKeys(w)
			if err != nil {
				return err
			}
			rows := [][]string{{"密钥 kid", "用途 purpose", "状态 state", "公布 published", "退役 retired", "停止信任 distrusted from"}}
			for _, k := range ring.Public().Keys() {
				rows = append(rows, []string{k.ID, string(k.Purpose), string(k.State), stamp(k.NotBefore), stamp(k.RetiredAt), stamp(k.DistrustedFrom)})
			}
			table(w.stdout, rows)
			if err := printRotations(w, ring); err != nil {
				return err
			}
			switch ring.Encrypted() {
			case "":
				fmt.Fprintln(w.stdout, "密钥库未加密；加密用 bajigong key ring encrypt (not encrypted)")
			case "key":
				fmt.Fprintln(w.stdout, "密钥库已用密钥文件加密 (encrypted by a key file)")
			default:
				fmt.Fprintln(w.stdout, "密钥库已用口令加密 (encrypted by a passphrase)")
			}
			for _, name := range []string{credentials.SecretSealing, credentials.SecretIndex, credentials.SecretPermutation, credentials.SecretCheckpoint} {
				var versions []string
				for _, v := range ring.Versions(name) {
					versions = append(versions, strconv.Itoa(v))
				}
				fmt.Fprintf(w.stdout, "%s  版本 versions %s\n", name, strings.Join(versions, ", "))
			}
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}

func keyRingRotate(w world) *cobra.Command {
	var data dataFlags
	var early bool
	names := purposeNames()
	cmd := &cobra.Command{
		Use:   "rotate PURPOSE",
		Short: "轮换一种用途的签名密钥 (take the next key of a purpose into use)",
		Long: `rotate 启用备用密钥，退役在用密钥（其签名永久可验），并生成新的备用密钥。
PURPOSE: ` + strings.Join(names, ", ") + `

备用密钥须已公布足够时间（默认 7 天，见 schedule），离线查验者才认得；--early 不等。
运行中的服务数秒内改用新密钥。密钥失窃请用 distrust。

The next key has to have been published for a while (7 days, see schedule), so that
who checks offline knows it; --early does not wait. A running server takes the key
over within seconds. For a stolen key, use distrust.`,
		Example: `  bajigong key ring rotate qr --data /srv/bajigong`,
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			purpose, err := ringPurpose(args[0])
			if err != nil {
				return err
			}
			ring, err := data.openKeys(w)
			if err != nil {
				return err
			}
			rotate := ring.Rotate
			if early {
				rotate = ring.RotateEarly
			}
			kid, err := rotate(purpose, w.rand, w.now())
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "%s 现用密钥 %s；运行中的服务数秒内改用 (%s now signs for %s; a running server takes it over within seconds)\n", purpose, kid, kid, purpose)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().BoolVar(&early, "early", false, "不等备用密钥公布足够时间 (do not wait until the next key is known)")
	return cmd
}

func keyRingDistrust(w world) *cobra.Command {
	var data dataFlags
	var from string
	cmd := &cobra.Command{
		Use:   "distrust KID",
		Short: "停止信任一把失窃的签名密钥 (declare a stolen key)",
		Long: `distrust 声明某把密钥自某一时刻起签署的内容不再可信。审计日志能证明更早的证书联网查验
照常有效；离线查验一律不认，须补发。在用密钥由备用密钥接替。不能撤回。

What the log shows to be older than the moment stays good online; offline every
token of that key is refused, because a thief can backdate, and has to be
reissued. An active key is replaced by the next one. This cannot be undone.
Afterwards: touched lists the certificates, resign gives them new codes.`,
		Example: `  bajigong key ring distrust js01 --from 2026-03-02T00:00:00+08:00 --data /srv/bajigong`,
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			at, err := time.Parse(time.RFC3339, from)
			if err != nil || at.After(w.now()) {
				return usageError{fmt.Errorf("--from 应为不晚于现在的时刻，例如 2026-03-02T00:00:00+08:00 (a moment in RFC 3339 that is not in the future)")}
			}
			ring, err := data.openKeys(w)
			if err != nil {
				return err
			}
			if err := ring.Distrust(args[0], at, w.rand, w.now()); err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "已停止信任 %s（自 %s 起）；运行中的服务数秒内生效 (%s is distrusted; running servers know it within seconds)\n", args[0], stamp(at), args[0])
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&from, "from", "", "自何时起不可信，RFC 3339 (the moment of the theft)")
	if err := cmd.MarkFlagRequired("from"); err != nil {
		panic(err)
	}
	return cmd
}
