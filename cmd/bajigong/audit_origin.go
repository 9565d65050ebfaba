package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"bajigong/internal/fail"
	"bajigong/registry"
	"bajigong/registry/auditlog"
)

// auditNewOrigin is the operator's way on after log_rolled_back.
func auditNewOrigin(w world) *cobra.Command {
	var data dataFlags
	var name string
	cmd := &cobra.Command{
		Use:   "new-origin",
		Short: "恢复旧存储后启用新的日志来源名 (go on under a new log name after a restore)",
		Long: `恢复了较旧的存储后，服务拒绝签发检查点（log_rolled_back）：旧名称已经公布过更长的日志，
再签一次就成了两段历史。先找回丢失的部分；确实无法找回时，用本命令以新名称继续，并公告原因。
新名称下的第一条记录写明旧名称和它最后公布的检查点。直接打开存储，须先停止服务。

After an older store was restored the server refuses to sign: the old name has
published a longer log already. When the lost part cannot be found, go on under a
new name and say publicly why. The first entry names the old log and its last
checkpoint. Auditors begin anew with the new public key.`,
		Example: `  bajigong audit new-origin --data /srv/bajigong --name zs.example.gov.cn/log-2`,
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := loadConfig(data.config())
			if err != nil {
				return err
			}
			old := c.LogOrigin
			if old == "" {
				if old, err = registry.LogOrigin(c.Origin); err != nil {
					return err
				}
			}
			if name == old {
				return fail.New(fail.Conflict, "origin_in_use", "the audit log already runs under the name %s", name).In("审计日志已在使用名称 %s", name)
			}
			keys, err := data.openKeys(w)
			if err != nil {
				return err
			}
			last, err := auditlog.NewFileStore(keys.Dir(), old).Load()
			if err != nil {
				return err
			}
			log := newLog(w.stderr)
			db, err := openDB(ctx, data.storePath(), true, w.now, w.rand, log)
			if err != nil {
				return err
			}
			defer db.Close()
			c.LogOrigin = name
			reg, err := newRegistry(db, c, data.rules(), keys, w.now, w.rand, log)
			if err != nil {
				return err
			}
			// The store first: run again after a crash, the command finishes.
			if err := reg.StartLogOrigin(ctx, registry.Operator(), last); err != nil {
				return err
			}
			if err := saveConfig(data.config(), c); err != nil {
				return err
			}
			fmt.Fprintf(w.stdout, "审计日志改用名称 %s（原为 %s）。新的日志公钥，请公告 / the new log key, to be announced:\n\n  %s\n", name, old, reg.LogKey())
			return nil
		},
	}
	data.add(cmd.Flags(), w)
	cmd.Flags().StringVar(&name, "name", "", "新的日志名称，例如 zs.example.gov.cn/log-2 (new name of the log; never one used before)")
	if err := cmd.MarkFlagRequired("name"); err != nil {
		panic(err)
	}
	return cmd
}
