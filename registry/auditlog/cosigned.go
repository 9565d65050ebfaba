package auditlog

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// CosignedFor is how long a checkpoint with cosignatures is served although the
// log has grown since: longer than witnesses need and short enough for monitors.
const CosignedFor = 3 * time.Minute

// Cosigned is a published checkpoint with its cosignatures in the note.
type Cosigned struct {
	Published
	At    time.Time // when the cosignatures were gathered, by the store's time
	Count int       // of cosignatures
}

// Cosign adds cosignatures of it to a published checkpoint.
func Cosign(p Published, at time.Time, got []Cosignature) Cosigned {
	var b strings.Builder
	b.Write(p.Note)
	for _, c := range got {
		b.WriteString(c.line)
	}
	return Cosigned{Published{p.Checkpoint, []byte(b.String())}, at, len(got)}
}

// Fresh reports whether c is still what the log serves at a time.
func (c Cosigned) Fresh(now time.Time) bool { return c.Count > 0 && now.Sub(c.At) < CosignedFor }

// GivesWayTo reports whether next is served from now on: it has as many
// cosignatures, or c is no longer fresh. So a round in which a witness was silent
// does not take from auditors what they had a minute before.
func (c Cosigned) GivesWayTo(next Cosigned) bool {
	return next.Count > 0 && (next.Count >= c.Count || !c.Fresh(next.At))
}

// WitnessSize is the size of the log at which a witness last cosigned it, 0 when
// that is not known.
func WitnessSize(r kv.Reader, origin string, k WitnessKey) (uint64, error) {
	b, err := r.Get(tableWitnesses, witnessKey(origin, k))
	if err != nil {
		return 0, fmt.Errorf("read size of witness %s: %w", k.name, err)
	}
	if b == nil {
		return 0, nil
	}
	if len(b) != 8 {
		return 0, damaged("size of witness %s: %d bytes", k.name, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// PutWitnessSize remembers at what size a witness cosigned the log.
func PutWitnessSize(tx kv.Tx, origin string, k WitnessKey, size uint64) {
	tx.Put(tableWitnesses, witnessKey(origin, k), binary.BigEndian.AppendUint64(nil, size))
}

// PutCosigned stores c as the checkpoint with cosignatures of its log.
func PutCosigned(tx kv.Tx, c Cosigned) {
	b := binary.BigEndian.AppendUint64(nil, uint64(c.At.Unix()))
	b = append(b, byte(c.Count))
	tx.Put(tableWitnesses, cosignedKey(c.Origin), append(b, c.Note...))
}

// ReadCosigned returns the checkpoint with cosignatures of a log; its Count is 0
// when there is none. The log's signature on it is checked, the witnesses' were
// when it was stored.
func ReadCosigned(r kv.Reader, v Verifier) (Cosigned, error) {
	b, err := r.Get(tableWitnesses, cosignedKey(v.origin))
	if err != nil || b == nil {
		return Cosigned{}, err
	}
	if len(b) < 9 || binary.BigEndian.Uint64(b) > maxSeconds {
		return Cosigned{}, damaged("cosigned checkpoint: %d bytes", len(b))
	}
	c := Cosigned{At: time.Unix(int64(binary.BigEndian.Uint64(b)), 0).UTC(), Count: int(b[8])}
	c.Note = b[9:]
	if c.Checkpoint, err = OpenCheckpoint(c.Note, v); err != nil {
		return Cosigned{}, damaged("cosigned checkpoint: %w", err)
	}
	return c, nil
}

// Own is the verifier of the publisher's own key.
func (p *Publisher) Own() Verifier { return p.own }

// CheckWitnesses returns the keys of witnesses that a log is configured with.
// Errors: Invalid witness_key, also when a witness bears the log's own name.
func CheckWitnesses(origin string, vkeys ...string) ([]WitnessKey, error) {
	keys, err := ParseWitnessKeys(vkeys...)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.name == origin {
			return nil, fail.New(fail.Invalid, "witness_key", "the witness %s bears the name of the log itself", k.name).In("见证方 %s 与日志同名", k.name)
		}
	}
	return keys, nil
}
