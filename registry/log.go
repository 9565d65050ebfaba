package registry

import (
	"context"
	"encoding/json"
	"net/url"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
)

// LogOrigin is the name of the audit log of a registry: its host with /log, as
// C2SP tlog-tiles asks.
func LogOrigin(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return "", fail.New(fail.Invalid, "origin", "the origin %q is not an address", origin).In("登记系统网址不正确：%s", origin)
	}
	return u.Host + "/log", nil
}

func newPublisher(cfg Config) (*auditlog.Publisher, *auditlog.Signer, error) {
	origin := cfg.LogOrigin
	if origin == "" {
		var err error
		if origin, err = LogOrigin(cfg.Origin); err != nil {
			return nil, nil, err
		}
	}
	seed := cfg.Keys.CheckpointSeed()
	signer, err := auditlog.NewSigner(origin, seed[:])
	if err != nil {
		return nil, nil, err
	}
	p, err := auditlog.NewPublisher(signer, cfg.Checkpoint)
	return p, signer, err
}

// BeginLog names the audit log of an empty store and publishes its first
// checkpoint. `init` calls it once; called again it only publishes. Conflict
// store_in_use: the store has the log of another register.
func (r *Registry) BeginLog(ctx context.Context) error {
	origin := r.signer.Origin()
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		head, err := auditlog.ReadHead(tx)
		switch {
		case fail.CodeOf(err) == "log_not_started":
			return auditlog.StartOrigin(tx, origin)
		case err != nil:
			return err
		case head.Origin != origin:
			return fail.New(fail.Conflict, "store_in_use", "the store has the audit log %s already", head.Origin).
				In("该存储中已有审计日志 %s，不能用于新的登记系统", head.Origin)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = r.publisher.Begin(ctx, r.db)
	return err
}

// StartLogOrigin goes on with the log under the name of this registry's
// configuration, after an older store was restored: what the old name has signed
// beyond the store cannot be signed again. The first entry under the new name
// says which was the old one and which checkpoint it published last. Only the
// operator may; called again it changes nothing.
func (r *Registry) StartLogOrigin(ctx context.Context, by Actor, lastCheckpoint []byte) error {
	origin := r.signer.Origin()
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		if !by.has(RoleOperator) {
			return may(by, "start a log origin", Object{})
		}
		head, err := auditlog.ReadHead(tx)
		if err != nil || head.Origin == origin {
			return err
		}
		if err := auditlog.StartOrigin(tx, origin); err != nil {
			return err
		}
		_, err = r.appendEvent(tx, by, Event{Kind: LogOriginStarted, Object: origin,
			Detail: map[string]any{"before": head.Origin, "size": head.Size, "last_checkpoint": string(lastCheckpoint)}})
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.publisher.Begin(ctx, r.db)
	return err
}

// Checkpoint signs the log as it is, keeps the checkpoint outside the store, and
// answers the signed note. Conflict log_rolled_back: the store is older than
// what was published.
func (r *Registry) Checkpoint(ctx context.Context) ([]byte, error) {
	p, err := r.publisher.Publish(ctx, r.db)
	return p.Note, err
}

// published is the newest checkpoint handed out, made when there is none yet.
func (r *Registry) published(ctx context.Context) (auditlog.Published, error) {
	if p, ok := r.publisher.Last(); ok {
		return p, nil
	}
	return r.publisher.Publish(ctx, r.db)
}

// LogKey is the verification key of checkpoints in the note format.
func (r *Registry) LogKey() string { return r.signer.VKey() }

// LogTile is one resource of the tiled log, path relative to /log/. full says
// that it never changes. NotFound beyond the published checkpoint.
func (r *Registry) LogTile(ctx context.Context, path string) (body []byte, full bool, err error) {
	tile, err := auditlog.ParseTilePath(path)
	if err != nil {
		return nil, false, err
	}
	p, err := r.published(ctx)
	if err != nil {
		return nil, false, err
	}
	err = r.db.View(ctx, func(rd kv.Reader) error {
		body, err = auditlog.ReadTile(rd, tile, p.Size)
		return err
	})
	return body, tile.Width == 256, err
}

// Proof is an entry of the audit log with its proof against the published
// checkpoint. Whom it concerns gets the event with it; everybody else the leaf
// alone. Conflict log_pending: no checkpoint has it yet; ask again.
func (r *Registry) Proof(ctx context.Context, by Actor, index uint64) (auditlog.Bundle, error) {
	p, err := r.published(ctx)
	if err == nil && index >= p.Size {
		p, err = r.publisher.Publish(ctx, r.db)
	}
	if err != nil {
		return auditlog.Bundle{}, err
	}
	var out auditlog.Bundle
	if c := r.cosigned.Load(); c != nil && index < c.Size {
		p = c.Published // an offline verifier wants the witnesses' word too
	}
	err = r.db.View(ctx, func(rd kv.Reader) error {
		if out, err = r.tree.MakeBundle(rd, p, index); err != nil {
			return err
		}
		if !r.concerns(by, out.Event) {
			out.Event, out.Salt = nil, [auditlog.SaltSize]byte{}
		}
		return nil
	})
	return out, err
}

// concerns reports whether an actor may see an event: the authority and auditors
// of the region, and the institution or payer that it names.
func (r *Registry) concerns(by Actor, event []byte) bool {
	if event == nil {
		return false
	}
	if may(by, ReadEvents, Object{Region: r.cfg.Region}) == nil {
		return true
	}
	if by.Organisation == "" || !by.has(RoleInstitution) && !by.has(RolePayer) {
		return false
	}
	// Of the event no more is read than whom it concerns.
	var ev struct {
		Institution string `json:"institution"`
		Payer       string `json:"payer"`
	}
	if json.Unmarshal(event, &ev) != nil {
		return false
	}
	return by.has(RoleInstitution) && by.Organisation != "" && by.Organisation == ev.Institution ||
		by.has(RolePayer) && by.Organisation != "" && by.Organisation == ev.Payer
}
