package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// A CheckpointStore keeps the last signed checkpoint of one origin, outside the
// data store and its backups. Load returns nil when there never was one. Save
// replaces it and returns only when it is durable.
type CheckpointStore interface {
	Load() ([]byte, error)
	Save([]byte) error
}

// A FileStore is a CheckpointStore in one file.
type FileStore struct{ path string }

var _ CheckpointStore = (*FileStore)(nil)

// NewFileStore keeps the checkpoint of origin in a file of its own in dir, which
// must exist, so that the checkpoints of earlier origins stay where they are.
func NewFileStore(dir, origin string) *FileStore {
	return &FileStore{filepath.Join(dir, "checkpoint-"+url.PathEscape(origin))}
}

// Path returns the name of the file.
func (s *FileStore) Path() string { return s.path }

// Load implements CheckpointStore.
func (s *FileStore) Load() ([]byte, error) {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load checkpoint: %w", err)
	}
	return b, nil
}

// Save implements CheckpointStore. A crash leaves the old file or the new one
// whole, and perhaps a file of the same name with .new added, which the next
// Save overwrites.
func (s *FileStore) Save(b []byte) error {
	next := s.path + ".new"
	if err := writeSynced(next, b); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if err := os.Rename(next, s.path); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	return nil
}

func writeSynced(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Published is a checkpoint with the signed note in which it was handed out.
type Published struct {
	Checkpoint
	Note []byte
}

// A Viewer opens a consistent view of the newest state; *kv.DB is one. A
// standby or an older snapshot must not be given: it would look rolled back.
type Viewer interface {
	View(ctx context.Context, fn func(kv.Reader) error) error
}

// A Publisher signs checkpoints of one log, each an extension of the one before.
// It is safe for use by several goroutines.
type Publisher struct {
	signer *Signer
	own    Verifier // the signer's key alone
	known  Verifier // and those it replaced

	mu    sync.Mutex // held while a checkpoint is made, saved and handed out
	store CheckpointStore
	last  Published // handed out last by this process; Note is nil before
}

// NewPublisher makes a publisher. retired are the keys, in the note format, that
// signed for the same origin before signer's; they serve only to read the saved
// checkpoint after a change of keys. Errors: Invalid vkey_malformed.
func NewPublisher(signer *Signer, store CheckpointStore, retired ...string) (*Publisher, error) {
	own, err := NewVerifier(signer.vkey)
	if err != nil {
		return nil, err
	}
	known, err := NewVerifier(append([]string{signer.vkey}, retired...)...)
	if err != nil {
		return nil, err
	}
	return &Publisher{signer: signer, own: own, known: known, store: store}, nil
}

// Last returns the checkpoint that this process handed out last; ok is false
// before the first.
func (p *Publisher) Last() (last Published, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.last.Note != nil
}

// Begin publishes the first checkpoint of an origin, at init and after
// [StartOrigin]. When one was saved already it is Publish.
func (p *Publisher) Begin(ctx context.Context, db Viewer) (Published, error) {
	return p.publish(ctx, db, true)
}

// Publish signs the log as it is now, saves the checkpoint durably and returns
// it; when nothing was added since the saved one it returns that. It refuses
// when the log does not extend the saved checkpoint. Errors: Conflict
// log_rolled_back (an older store was restored, or its log was edited; only a
// new origin can go on), log_checkpoint_missing (the saved checkpoint is gone,
// or Begin was never called), log_origin_mismatch; Internal
// log_checkpoint_unreadable, log_damaged.
func (p *Publisher) Publish(ctx context.Context, db Viewer) (Published, error) {
	return p.publish(ctx, db, false)
}

func (p *Publisher) publish(ctx context.Context, db Viewer, first bool) (Published, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The saved checkpoint is read before the view is opened: a log in order is
	// then never smaller than it, whoever else publishes in between.
	saved, err := p.load(first)
	if err != nil {
		return Published{}, err
	}
	var next Checkpoint
	err = db.View(ctx, func(r kv.Reader) error {
		var err error
		next, err = extend(r, saved.Checkpoint)
		return err
	})
	if err != nil {
		return Published{}, fmt.Errorf("publish checkpoint of %s: %w", p.signer.origin, err)
	}
	if next == saved.Checkpoint && saved.Note != nil {
		if _, err := OpenCheckpoint(saved.Note, p.own); err == nil {
			p.last = saved
			return saved, nil
		}
	}
	signed, err := p.signer.sign(next)
	if err != nil {
		return Published{}, err
	}
	if err := p.store.Save(signed); err != nil {
		// Whether old or new is there now does not matter: the new one was not
		// handed out, and the log extends both.
		return Published{}, fmt.Errorf("publish checkpoint of %s: %w", p.signer.origin, err)
	}
	// Durable from here on: the log is bound to this checkpoint, so it may be seen.
	p.last = Published{Checkpoint: next, Note: signed}
	return p.last, nil
}

// Saved returns the checkpoint that is kept outside the store. Errors: Conflict
// log_checkpoint_missing; Internal log_checkpoint_unreadable.
func (p *Publisher) Saved() (Published, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.load(false)
}

// load returns the saved checkpoint; when there is none and first is set, the
// empty log of the origin without a Note.
func (p *Publisher) load(first bool) (Published, error) {
	origin := p.signer.origin
	saved, err := p.store.Load()
	switch {
	case err != nil:
		return Published{}, fmt.Errorf("publish checkpoint of %s: %w", origin, err)
	case saved == nil && first:
		return Published{Checkpoint: Checkpoint{Origin: origin, Root: edge{}.root()}}, nil
	case saved == nil:
		return Published{}, fail.New(fail.Conflict, "log_checkpoint_missing",
			"the last checkpoint of the log %s is not where it is kept; put it back, or start a new origin", origin).
			In("找不到日志 %s 最近一次发布的检查点；请恢复该文件，或启用新的来源名", origin)
	}
	c, err := OpenCheckpoint(saved, p.known)
	if err != nil {
		return Published{}, fail.New(fail.Internal, "log_checkpoint_unreadable",
			"the saved checkpoint of the log %s is damaged or signed by another key", origin).
			In("日志 %s 保存的检查点已损坏，或由其他密钥签名", origin).Because(err)
	}
	return Published{Checkpoint: c, Note: saved}, nil
}

// extend returns the checkpoint of the log in r after proving, from its rows,
// that it extends saved.
func extend(r kv.Reader, saved Checkpoint) (Checkpoint, error) {
	h, err := ReadHead(r)
	if err != nil {
		return Checkpoint{}, err
	}
	if h.Origin != saved.Origin {
		return Checkpoint{}, fail.New(fail.Conflict, "log_origin_mismatch",
			"the audit log runs under the origin %s, the key is that of %s", h.Origin, saved.Origin).
			In("审计日志的来源名为 %s，而签名密钥属于 %s", h.Origin, saved.Origin)
	}
	rolledBack := fail.New(fail.Conflict, "log_rolled_back",
		"the audit log does not extend the checkpoint of size %d that was published: an older store was restored or the log was changed; an operator must start a new origin", saved.Size).
		In("审计日志与已发布的检查点（大小 %d）不衔接：可能恢复了较旧的数据或日志被改动；须由运维人员启用新的来源名", saved.Size)
	next := Checkpoint{Origin: h.Origin, Size: h.Size, Root: h.Root()}
	if h.Size < saved.Size {
		return Checkpoint{}, rolledBack.Because(fmt.Errorf("size is now %d", h.Size))
	}
	root, err := tlog.TreeHash(int64(saved.Size), nodes{r: r, size: h.Size})
	if err != nil {
		return Checkpoint{}, err
	}
	if root != saved.Root {
		return Checkpoint{}, rolledBack.Because(fmt.Errorf("root at that size is now %s", root))
	}
	// The head's right edge and the rows must tell the same tree, or what would
	// be signed is one for which no proof can be served.
	if saved.Size == 0 {
		if root, err = tlog.TreeHash(int64(h.Size), nodes{r: r, size: h.Size}); err == nil && root != next.Root {
			err = damaged("root is %s by the rows and %s by the head", root, next.Root)
		}
		return next, err
	}
	proof, err := tlog.ProveTree(int64(h.Size), int64(saved.Size), nodes{r: r, size: h.Size})
	if err != nil {
		return Checkpoint{}, err
	}
	if err := tlog.CheckTree(proof, int64(h.Size), next.Root, int64(saved.Size), saved.Root); err != nil {
		return Checkpoint{}, damaged("the head at size %d does not extend the rows at size %d: %w", h.Size, saved.Size, err)
	}
	return next, nil
}
