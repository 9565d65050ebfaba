package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bajigong/credentials"
	"bajigong/credentials/jws"
	"bajigong/registry"
)

func purposeNames() (out []string) {
	for _, p := range jws.Purposes() {
		out = append(out, string(p))
	}
	return out
}

func ringPurpose(name string) (jws.Purpose, error) {
	purpose, err := jws.ParsePurpose(name)
	if err != nil || !slices.Contains(jws.Purposes(), purpose) {
		return "", usageError{fmt.Errorf("用途应为 (a purpose is one of): %s", strings.Join(purposeNames(), ", "))}
	}
	return purpose, nil
}

func printRotations(w world, ring *credentials.KeyRing) error {
	rows := [][]string{{"用途 purpose", "在用 active", "启用于 since", "备用 next", "最早启用 earliest", "按计划 due"}}
	for _, p := range jws.Purposes() {
		at, err := ring.Rotation(p)
		if err != nil {
			return err
		}
		rows = append(rows, []string{string(p), at.Active, stamp(at.Since), at.Next, stamp(at.Earliest), stamp(at.Due)})
	}
	table(w.stdout, rows)
	return nil
}

const day = 24 * time.Hour

func keyRingSchedule(w world) *cobra.Command {
	var data dataFlags
	var every, lead int
	cmd := &cobra.Command{
		Use:   "schedule PURPOSE",
		Short: "定期轮换一种用途的签名密钥 (replace the key of a purpose by schedule)",
		Long: `schedule 设定一种用途的密钥使用多少天后自动轮换，以及备用密钥至少提前多少天公布。
运行中的服务每分钟检查一次。--every 0 只按命令轮换。
PURPOSE: ` + strings.Join(purposeNames(), ", ") + `

多台机器各有一份密钥库时，只在一台上设定，再把密钥库复制到其他机器。

A running server rotates a key after so many days, never before its successor has
been published for the lead. Where several machines have copies of the ring, set a
schedule on one and copy the ring to the others.`,
		Example: `  bajigong key ring schedule qr --every 365 --lead 30 --data /srv/bajigong
  bajigong key ring schedule qr --every 0`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			purpose, err := ringPurpose(args[0])
			if err != nil {
				return err
			}
			if every < 0 || lead < 0 {
				return usageError{fmt.Errorf("天数不能为负 (days are not negative)")}
			}
			ring, err := data.openKeys(w)
			if err != nil {
				return err
			}
			if err := ring.SetSchedule(purpose, credentials.Schedule{Every: time.Duration(every) * day, Lead: time.Duration(lead) * day}); err != nil {
				return err
			}
			return printRotations(w, ring)
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().IntVar(&every, "every", 0, "密钥使用天数，0 为只按命令轮换 (life of a key in days; 0: by command only)")
	cmd.Flags().IntVar(&lead, "lead", 0, "备用密钥提前公布的天数，默认 7 (days the next key is published before its use; 7 when 0)")
	required(cmd, "every")
	return cmd
}

func keyRingEncrypt(w world) *cobra.Command {
	var data dataFlags
	var passphrase, keyFile string
	var clear bool
	cmd := &cobra.Command{
		Use:   "encrypt",
		Short: "加密密钥库，或更换口令 (encrypt the key ring, or change its passphrase)",
		Long: `encrypt 用口令或密钥文件加密密钥库中的私钥和密封密钥。已加密的库改用新的口令或密钥文件；
此时用 --ring-passphrase-file 或 --ring-key-file 打开，用 --new-… 指定新的。--clear 恢复为不加密。
运行中的服务仍用内存中的密钥，须用新口令重新启动才能看到以后的轮换。
口令或密钥文件与密钥库分开保管；丢失则系统无法启动，个人信息无法恢复。

It encrypts the private keys and secrets with a passphrase (Argon2id) or a key file.
A running server goes on with the keys in memory and needs the new one when it
starts. Keep it apart from the ring: without it nothing opens again.`,
		Example: `  bajigong key ring encrypt --new-passphrase-file /run/secrets/bajigong --data /srv/bajigong
  bajigong key ring encrypt --ring-passphrase-file old --new-key-file /media/token/bajigong.key
  bajigong key ring encrypt --ring-key-file /media/token/bajigong.key --clear`,
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if clear == (passphrase != "" || keyFile != "") {
				return usageError{fmt.Errorf("请指定 --new-passphrase-file、--new-key-file 或 --clear 之一 (one of them)")}
			}
			with, err := readOpener(w, passphrase, keyFile)
			if err != nil {
				return err
			}
			ring, err := data.openKeys(w)
			if err != nil {
				return err
			}
			if err := ring.Encrypt(with, w.rand); err != nil {
				return err
			}
			if clear {
				fmt.Fprintln(w.stdout, "密钥库已恢复为不加密 (the key ring is in the clear)")
				return nil
			}
			fmt.Fprintln(w.stdout, "密钥库已加密；以后启动须提供口令或密钥文件 (encrypted; every start needs it from now on)")
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&passphrase, "new-passphrase-file", "", "新口令所在文件，- 为标准输入 (file with the new passphrase)")
	cmd.Flags().StringVar(&keyFile, "new-key-file", "", "新密钥文件，64 位十六进制 (new key file)")
	cmd.Flags().BoolVar(&clear, "clear", false, "不再加密 (in the clear again)")
	return cmd
}

func keyRingTouched(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "touched KID",
		Short: "列出由一把密钥签发的现行证书 (the certificates whose code a key signed)",
		Long: `touched 列出现行二维码由该密钥签署的证书（CSV：证书编号、版本、机构、签署时间、状态、是否在停止信任之后）。
停止信任一把密钥后，这些纸质证书离线查验会显示密钥不可信，联网查验不受影响；用 resign 重签后换领。

It lists, as CSV, the certificates whose present code that key signed: those that
say key-distrusted offline once it is distrusted. Online they are what they were.`,
		Example: `  bajigong key ring touched js01 --data /srv/bajigong > touched.csv`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			out := csv.NewWriter(w.stdout)
			if err := out.Write([]string{"证书编号", "版本", "机构", "签署时间", "状态", "停止信任之后"}); err != nil {
				return err
			}
			n := 0
			err = reg.TouchedByKey(cmd.Context(), registry.Operator(), args[0], func(t registry.Touched) error {
				n++
				return out.Write([]string{t.Number, strconv.Itoa(t.Version), t.InstitutionName, t.Signed.Format(time.RFC3339), string(t.Status), strconv.FormatBool(t.After)})
			})
			out.Flush()
			if err == nil {
				err = out.Error()
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stderr, "共 %d 份 (%d certificates)\n", n, n)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}

func keyRingResign(w world) *cobra.Command {
	var data dataFlags
	cmd := &cobra.Command{
		Use:   "resign KID",
		Short: "用在用密钥重签一把已停止信任的密钥签发的证书 (new codes for the certificates of a distrusted key)",
		Long: `resign 为该密钥签署的现行证书换上在用密钥的签名；编号、查验码和状态序号不变，旧纸联网查验仍有效，
离线查验须用重新打印的纸。可中断，再次执行从断处继续。

The number, the handle and the place in the status lists stay; the old paper goes on
to be good online, and offline a new print is. It may be interrupted and run again.`,
		Example: `  bajigong key ring resign js01 --data /srv/bajigong`,
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reg, err := data.open(cmd.Context(), w, newLog(w.stderr))
			if err != nil {
				return err
			}
			defer reg.Close()
			n, err := reg.ResignByKey(cmd.Context(), registry.Operator(), args[0], func(done int) {
				fmt.Fprintf(w.stderr, "\r已重签 %d 份 (%d re-signed)", done, done)
			})
			fmt.Fprintln(w.stderr)
			if err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "已重签 %d 份证书，请通知持证人换领 (%d certificates have new codes)\n", n, n)
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	return cmd
}
