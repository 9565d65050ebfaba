package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"bajigong/credentials"
	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/internal/kv/boltkv"
	"bajigong/internal/kv/pgkv"
	"bajigong/registry"
	"bajigong/registry/auditlog"
	"bajigong/registry/policy"
	"bajigong/standards"
)

// opened is a registry of this machine, open.
type opened struct {
	*registry.Registry
	db     *kv.DB
	config config
	keys   *credentials.KeyRing
}

func (o *opened) Close() error { return o.db.Close() }

// postgresWords are the words with which a connection string of keywords may begin.
var postgresWords = []string{"host", "hostaddr", "port", "dbname", "user", "password", "passfile", "service", "servicefile", "sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "target_session_attrs", "application_name"}

// isPostgres tells a connection string, as a URL or as keywords, from a path.
func isPostgres(store string) bool {
	word, _, keyword := strings.Cut(store, "=")
	return strings.HasPrefix(store, "postgres://") || strings.HasPrefix(store, "postgresql://") || keyword && slices.Contains(postgresWords, strings.TrimSpace(word))
}

// openStore opens the engine behind a path or a postgres:// address.
func openStore(ctx context.Context, store string, mustExist bool) (kv.Engine, error) {
	if isPostgres(store) {
		e, err := pgkv.Open(ctx, store, pgkv.Options{})
		if err != nil {
			return nil, fail.New(fail.Unavailable, "store", "the PostgreSQL store cannot be opened: %v", err).In("无法打开 PostgreSQL 存储：%v", err)
		}
		return e, nil
	}
	return openBolt(store, boltkv.Options{MustExist: mustExist, Scattered: registry.ScatteredTables()})
}

func openBolt(store string, opt boltkv.Options) (kv.Engine, error) {
	e, err := boltkv.Open(store, opt)
	if errors.Is(err, boltkv.ErrLocked) {
		return nil, fail.New(fail.Unavailable, "store_locked", "%s is held by another process, usually a running `bajigong serve`; stop it first, or ask the server (commands with --server)", store).
			In("%s 正被另一进程占用（通常是运行中的 bajigong serve）；请先停止它，或用支持 --server 的命令访问该服务", store)
	}
	if errors.Is(err, boltkv.ErrCut) {
		return nil, fail.New(fail.Conflict, "store_cut", "%s is not a whole store, such as after an interrupted copy: %v. Nothing was written; copy it again from a whole one, or restore the newest backup into an empty store", store, err).
			In("%s 不是完整的存储文件（例如复制中断）：%v。未写入任何内容；请从完整的文件重新复制，或把最新备份恢复到空的存储", store, err)
	}
	if err != nil {
		return nil, fail.New(fail.Unavailable, "store", "the store cannot be opened: %v", err).In("无法打开存储：%v", err)
	}
	return e, nil
}

// openDB opens the store with its schema.
func openDB(ctx context.Context, store string, mustExist bool, now func() time.Time, rand io.Reader, log *slog.Logger) (*kv.DB, error) {
	engine, err := openStore(ctx, store, mustExist)
	if err != nil {
		return nil, err
	}
	var process [12]byte
	if _, err := io.ReadFull(rand, process[:]); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	db, err := kv.Open(ctx, engine, kv.Options{Now: now, Process: hex.EncodeToString(process[:]), Log: log}, registry.Migrations())
	if errors.Is(err, kv.ErrRestoring) {
		err = halfRestoredStore(ctx, engine)
	}
	if err != nil {
		return nil, errors.Join(otherSchema(store, err), engine.Close())
	}
	return db, nil
}

// otherSchema says what to do about a store that has another schema than this program.
// Other errors stay what they are.
func otherSchema(store string, err error) error {
	switch {
	case errors.Is(err, kv.ErrSchemaLost):
		return schemaLost(store, err)
	case errors.Is(err, kv.ErrSchema):
		return otherVersion(err)
	}
	return err
}

// otherVersion says that the store is for another version of the program. Starting
// this one again does not help.
func otherVersion(cause error) error {
	return fail.New(fail.Conflict, "program_outdated", "the store was migrated by a newer version of the program, or by another one; this one must not touch it. Install that version (%v)", cause).
		In("存储已由更新的（或另一）版本程序升级，本程序不得使用；请安装该版本").Because(cause)
}

// schemaLost says that a store does not know its own version. No program may touch it.
func schemaLost(store string, cause error) error {
	name := " " + store
	if store == "" || isPostgres(store) {
		name = " PostgreSQL" // the address may have a password; a file is never emptied while it is open
	}
	return fail.New(fail.Conflict, "schema_lost", "the store%s has lost the record of its version, has an older one than its content, or was emptied or replaced while it was open; it would be migrated twice, so nothing more is read or written (%v). Keep this store as it is, restore the newest backup into an empty one and run `bajigong check`; find out who wrote to table meta", name, cause).
		In("存储%s 中记录版本的行（meta 表 schema）已丢失或早于其内容，或存储在打开期间被清空、替换；继续会重复升级、损坏数据，因此不再读写（%v）。请原样保留本存储，把最新备份恢复到空的存储并执行 bajigong check；并查明何人改动了 meta 表", name, cause).Because(cause)
}

// loadRules are the embedded rule files with those of the data directory.
func loadRules(folder string) (registry.Rules, error) {
	rules, err := registry.EmbeddedRules()
	if err != nil {
		return rules, err
	}
	return rules.With(os.DirFS(folder))
}

// loadPolicies returns the embedded policies alone, and with those of the data directory.
func loadPolicies(folder string) (embedded, all policy.Set, err error) {
	if embedded, err = policy.Embedded(); err != nil {
		return embedded, all, err
	}
	all, err = embedded.With(os.DirFS(folder))
	return embedded, all, err
}

// newRegistry puts a registry on an open store.
func newRegistry(db *kv.DB, c config, folder string, keys *credentials.KeyRing, now func() time.Time, rand io.Reader, log *slog.Logger) (*registry.Registry, error) {
	_, policies, err := loadPolicies(folder)
	if err != nil {
		return nil, err
	}
	rules, err := loadRules(folder)
	if err != nil {
		return nil, err
	}
	origin := c.LogOrigin
	if origin == "" {
		if origin, err = registry.LogOrigin(c.Origin); err != nil {
			return nil, err
		}
	}
	witnesses, err := c.witnesses()
	if err != nil {
		return nil, err
	}
	return registry.New(db, registry.Config{
		Origin: c.Origin, LogOrigin: origin, Region: c.Region, OperatorZH: c.OperatorZH, OperatorEN: c.OperatorEN,
		Keys: keys, Checkpoint: auditlog.NewFileStore(keys.Dir(), origin), Policies: policies, Rules: rules,
		Calendar: standards.EmbeddedCalendar(), Now: now, Rand: rand, Log: log,
		WebhookNetworks: c.WebhookNetworks, Witnesses: witnesses, WitnessNetworks: c.WitnessNetworks,
	})
}

// open opens the register of a data directory, made by init.
func (f *dataFlags) open(ctx context.Context, w world, log *slog.Logger) (*opened, error) {
	c, err := loadConfig(f.config())
	if err != nil {
		return nil, err
	}
	keys, err := f.openKeys(w)
	if err != nil {
		return nil, err
	}
	db, err := openDB(ctx, f.storePath(), true, w.now, w.rand, log)
	if err != nil {
		return nil, err
	}
	reg, err := newRegistry(db, c, f.rules(), keys, w.now, w.rand, log)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &opened{Registry: reg, db: db, config: c, keys: keys}, nil
}

func newLog(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
