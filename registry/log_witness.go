package registry

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
	"bajigong/registry/auditlog"
	"bajigong/registry/webhooks"
)

// Witness is somebody else who watches that the log only ever grows, and signs
// that it does (C2SP tlog-witness). The log asks it; nothing is sent to the log
// unasked, the protocol has no such call.
type Witness struct {
	// Key is its public key in the note format, with its name.
	Key string `json:"key"`
	// URL is its submission prefix, to which /add-checkpoint is added.
	URL string `json:"url"`
}

// witnessLease is the job of asking witnesses.
const witnessLease = "witnesses"

// witnessTime is for all questions to one witness in a round; all are asked at
// once. It is far below LeaseTime, so that the job need not renew.
const witnessTime = 10 * time.Second

// witnessQuestions is how often a witness is asked in a round: once more when it
// tells another size, and again if it was asked by another process meanwhile.
const witnessQuestions = 3

// PostToWitness sends a body to an address and answers what came back. An error
// means that nothing did.
type PostToWitness func(ctx context.Context, url string, body []byte) (auditlog.WitnessAnswer, error)

// WitnessReport is what came of asking one witness in a round.
type WitnessReport struct {
	Name string
	Size uint64 // of the log that was submitted
	Err  error  // nil: it cosigned
}

// CheckWitnessURL checks the address of a witness and answers it without a slash
// at its end. It is held to what the addresses of webhooks are held to. Invalid
// webhook_url.
func CheckWitnessURL(text string, networks []netip.Prefix) (string, error) {
	url, err := webhooks.ParseURL(text, networks)
	for len(url) > 0 && url[len(url)-1] == '/' {
		url = url[:len(url)-1]
	}
	return url, err
}

func witnessKeys(origin string, witnesses []Witness) ([]auditlog.WitnessKey, error) {
	keys := make([]string, len(witnesses))
	for i, w := range witnesses {
		keys[i] = w.Key
	}
	return auditlog.CheckWitnesses(origin, keys...)
}

// AskWitnesses publishes a checkpoint, has the witnesses cosign it, and stores it
// with their cosignatures to be served. A witness that is slow, silent or wrong
// costs nobody but itself: the checkpoint is published before anybody is asked,
// and all are asked at once. One process does it at a time; the others, and this
// one between rounds, serve what is stored. The error is of publishing and of the
// store; what the witnesses did is in the reports.
func (r *Registry) AskWitnesses(ctx context.Context, post PostToWitness) (reports []WitnessReport, err error) {
	if len(r.witnesses) == 0 {
		return nil, nil
	}
	held, err := r.Leased(ctx, witnessLease, func(ctx context.Context, l *Lease) error {
		p, err := r.publisher.Publish(ctx, r.db)
		if err != nil {
			return err
		}
		answers := r.askAll(ctx, p, post)
		var got []auditlog.Cosignature
		for i, a := range answers {
			reports = append(reports, WitnessReport{Name: r.witnesses[i].Name(), Size: p.Size, Err: a.err})
			if a.err == nil {
				got = append(got, *a.cosignature)
			}
		}
		return r.keepCosignatures(ctx, l, p, got)
	})
	if err == nil && !held {
		err = r.readCosigned(ctx)
	}
	return reports, err
}

type witnessed struct {
	cosignature *auditlog.Cosignature
	err         error
}

func (r *Registry) askAll(ctx context.Context, p auditlog.Published, post PostToWitness) []witnessed {
	out := make([]witnessed, len(r.witnesses))
	var wg sync.WaitGroup
	for i := range r.witnesses {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, witnessTime)
			defer cancel()
			out[i].cosignature, out[i].err = r.askWitness(ctx, i, p, post)
		})
	}
	wg.Wait()
	return out
}

// askWitness asks one witness, from the size at which it cosigned last as far as
// that is known, and then from the size that it says.
func (r *Registry) askWitness(ctx context.Context, i int, p auditlog.Published, post PostToWitness) (*auditlog.Cosignature, error) {
	key := r.witnesses[i]
	var old uint64
	var submission []byte
	prove := func(rd kv.Reader) error {
		proof, err := auditlog.ConsistencyProof(rd, old, p.Size)
		submission = auditlog.FormatSubmission(old, proof, p.Note)
		return err
	}
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		if old, err = auditlog.WitnessSize(rd, p.Origin, key); err != nil {
			return err
		}
		old = min(old, p.Size)
		return prove(rd)
	})
	for range witnessQuestions {
		if err != nil {
			return nil, err
		}
		answer, sent := post(ctx, r.cfg.Witnesses[i].URL+"/add-checkpoint", submission)
		if sent != nil {
			return nil, sent
		}
		got, known, wrong := key.Read(answer, p.Checkpoint, old)
		if got != nil || wrong != nil {
			return got, wrong
		}
		old = known
		err = r.db.View(ctx, prove)
	}
	return nil, fail.New(fail.Conflict, "witness_restless", "the witness %s says another size each time it is asked", key.Name()).
		In("见证方 %s 每次答复的日志大小都不同", key.Name())
}

// keepCosignatures stores what a round brought.
func (r *Registry) keepCosignatures(ctx context.Context, l *Lease, p auditlog.Published, got []auditlog.Cosignature) error {
	if len(got) == 0 {
		return r.readCosigned(ctx)
	}
	var served auditlog.Cosigned
	err := r.db.Update(ctx, func(tx kv.Tx) error {
		served = auditlog.Cosigned{}
		if err := l.Hold(tx); err != nil {
			return err
		}
		for _, c := range got {
			auditlog.PutWitnessSize(tx, p.Origin, c.Witness, p.Size)
		}
		before, err := auditlog.ReadCosigned(tx, r.publisher.Own())
		if err != nil {
			return err
		}
		served = auditlog.Cosign(p, tx.Now(), got)
		if before.GivesWayTo(served) {
			auditlog.PutCosigned(tx, served)
		} else {
			served = before
		}
		return nil
	})
	if err == nil {
		r.cosigned.Store(&served)
	}
	return err
}

// readCosigned takes up what another process has stored.
func (r *Registry) readCosigned(ctx context.Context) error {
	var c auditlog.Cosigned
	err := r.db.View(ctx, func(rd kv.Reader) (err error) {
		c, err = auditlog.ReadCosigned(rd, r.publisher.Own())
		return err
	})
	if err == nil && c.Count > 0 {
		r.cosigned.Store(&c)
	}
	return err
}

// PublicCheckpoint is the checkpoint that is served: the newest, or with
// witnesses the newest that they cosigned, as long as that is not older than
// auditlog.CosignedFor. Errors as of Checkpoint, which it makes in any case.
func (r *Registry) PublicCheckpoint(ctx context.Context) ([]byte, error) {
	p, err := r.publisher.Publish(ctx, r.db)
	if err != nil || len(r.witnesses) == 0 {
		return p.Note, err
	}
	var c auditlog.Cosigned
	var now time.Time
	err = r.view(ctx, func(rd kv.Reader, at time.Time) (err error) {
		now = at
		c, err = auditlog.ReadCosigned(rd, r.publisher.Own())
		return err
	})
	if err != nil {
		// What is stored beside the log cannot spoil it.
		r.log.Error("the cosigned checkpoint cannot be read; the plain one is served", "error", err)
		return p.Note, nil
	}
	if c.Count > 0 && (c.Fresh(now) || c.Checkpoint == p.Checkpoint) {
		return c.Note, nil
	}
	return p.Note, nil
}
