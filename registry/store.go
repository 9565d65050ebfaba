package registry

import (
	"context"
	"errors"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// store is the database with its failures told apart from those of a use case:
// what the function itself answers passes unchanged, what befell the store is
// Unavailable and says whether it is safe to repeat.
type store struct{ *kv.DB }

func (s store) View(ctx context.Context, fn func(kv.Reader) error) error {
	var own error
	var failed error
	err := s.DB.View(ctx, func(rd kv.Reader) error {
		own = fn(watched{rd, &failed})
		return own
	})
	if failed != nil {
		own = nil // the function failed because the store did
	}
	return unavailable(err, own)
}

// watched remembers that a read failed.
type watched struct {
	kv.Reader
	failed *error
}

func (w watched) keep(err error) error {
	if err != nil && *w.failed == nil && !errors.Is(err, kv.ErrLimit) {
		*w.failed = err
	}
	return err
}

func (w watched) Prefetch(reads []kv.Read) error {
	if p, ok := w.Reader.(kv.Prefetcher); ok {
		return w.keep(p.Prefetch(reads))
	}
	return nil
}

// State implements kv.Stated.
func (w watched) State() uint64 { return kv.StateOf(w.Reader) }

func (w watched) Get(t kv.Table, key []byte) ([]byte, error) {
	v, err := w.Reader.Get(t, key)
	return v, w.keep(err)
}

func (w watched) GetMany(t kv.Table, keys [][]byte) ([][]byte, error) {
	vs, err := w.Reader.GetMany(t, keys)
	return vs, w.keep(err)
}

func (w watched) Scan(t kv.Table, r kv.Range) ([]kv.Entry, error) {
	es, err := w.Reader.Scan(t, r)
	return es, w.keep(err)
}

func (s store) Update(ctx context.Context, fn func(kv.Tx) error) error {
	var own error
	err := s.DB.Update(ctx, func(tx kv.Tx) error {
		own = nil
		own = fn(tx)
		return own
	})
	return unavailable(err, own)
}

func (s store) Bulk(ctx context.Context, fn func(kv.Tx) error) error {
	var own error
	err := s.DB.Bulk(ctx, func(tx kv.Tx) error {
		own = nil
		own = fn(tx)
		return own
	})
	return unavailable(err, own)
}

// Snapshot is for a check and what reads all of the store. Unavailable no_room: the
// disk has no room for the copy that it is.
func (s store) Snapshot(ctx context.Context) (rd kv.Reader, release func(), err error) {
	rd, release, err = s.DB.Snapshot(ctx)
	return rd, release, unavailable(err, nil)
}

func unavailable(err, own error) error {
	switch {
	case err == nil, own != nil && errors.Is(err, own), errors.Is(err, kv.ErrLimit), errors.Is(err, kv.ErrNested), errors.Is(err, kv.ErrDuplicate):
		return err
	case errors.Is(err, kv.ErrSchema):
		return fail.New(fail.Unavailable, "program_outdated", "a newer version of the program has taken over the store; nothing was stored by this one, which ends: repeat the request").
			In("存储已由新版本程序接管，本进程未保存任何数据并将退出；请重试").Because(err)
	case errors.Is(err, kv.ErrSchemaLost):
		return fail.New(fail.Unavailable, "schema_lost", "the store was emptied or replaced while it was open; nothing was stored, and the operator has to look at it before this is repeated").
			In("存储在使用中被清空或替换，本次未保存；请运维人员核查后再重试").Because(err)
	case errors.Is(err, kv.ErrBroken):
		return fail.New(fail.Unavailable, "store_read_only", "the store took an I/O error and only reads until it is restarted; whether this was kept is known then, and repeating it is safe").
			In("存储发生读写错误，重启前只读；本次是否已保存须重启后才能确定，届时请原样重试").Because(err)
	case errors.Is(err, kv.ErrFull):
		return fail.New(fail.Unavailable, "store_full", "the disk of the store is full: nothing was stored, and the operator has to free room on it; it then goes on by itself, and repeating this is safe").
			In("存储磁盘已满，本次未保存；请运维人员清理磁盘空间，腾出空间后自动恢复，届时可以放心重试").Because(err)
	case errors.Is(err, kv.ErrNoRoom):
		return fail.New(fail.Unavailable, "no_room", "%v; nothing was read or stored: make room on the disk of the store, or work on a copy of the store on another disk", err).
			In("磁盘空间不足，无法制作快照，未读取也未保存任何数据：%v；请清理存储所在磁盘，或把存储复制到空间足够的磁盘后再执行", err).Because(err)
	case errors.Is(err, kv.ErrOutcomeUnknown):
		return fail.New(fail.Unavailable, "outcome_unknown", "the connection to the store broke while it was saving; repeat the same request, nothing is done twice").
			In("保存时与存储的连接中断；请原样重试，不会重复办理").Because(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fail.New(fail.Unavailable, "timeout", "the request took too long and was given up; it is safe to repeat it").
			In("处理超时，已放弃；可以放心重试").Because(err)
	}
	return fail.New(fail.Unavailable, "store_unavailable", "the store cannot be reached or did not save; nothing was stored, and it is safe to repeat the request").
		In("存储暂不可用，本次未保存；可以放心重试").Because(err)
}
