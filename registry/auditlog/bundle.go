package auditlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"bajigong/internal/fail"
	"bajigong/internal/kv"

	"golang.org/x/mod/sumdb/tlog"
)

// A Bundle is everything needed to check, offline and with nothing but the log's
// public key, that an event is in the log: what `bajigong audit` reads from a
// file. As JSON:
//
//	{
//	  "format": "bajigong-log-bundle-1",
//	  "checkpoint": "register.example.cn/log\n3\n<root>\n\n— register.example.cn/log <signature>\n",
//	  "index": 1,
//	  "leaf": "<base64 of the 41 bytes>",
//	  "salt": "<base64 of the 16 bytes>",
//	  "event": "{\"kind\":\"certificate_issued\", …}",
//	  "proof": ["<base64 of a hash>", …]
//	}
//
// with these members in this order, no other, and no spelling of a value but
// the one [Bundle.Format] uses; only space between tokens is free. The event is
// a string, because its bytes are what was hashed. Salt and event are absent
// together when the event was erased.
type Bundle struct {
	Checkpoint []byte // the signed note
	Index      uint64
	Leaf       []byte
	Event      []byte // nil when erased
	Salt       [SaltSize]byte
	Proof      tlog.RecordProof // siblings from the leaf to the root
}

const bundleFormat = "bajigong-log-bundle-1"

// MaxBundle is the largest bundle in bytes that ParseBundle reads.
const MaxBundle = 1 << 20

type bundleJSON struct {
	Format     string           `json:"format"`
	Checkpoint string           `json:"checkpoint"`
	Index      uint64           `json:"index"`
	Leaf       []byte           `json:"leaf"`
	Salt       []byte           `json:"salt,omitempty"`
	Event      string           `json:"event,omitempty"`
	Proof      tlog.RecordProof `json:"proof"`
}

// MakeBundle returns the bundle of entry index against a published checkpoint.
// Errors: Conflict log_pending when the entry is newer than the checkpoint (ask
// again after the next one); NotFound log_entry_unknown.
func MakeBundle(r kv.Reader, at Published, index uint64) (Bundle, error) {
	return (*Cache)(nil).MakeBundle(r, at, index)
}

// MakeBundle is the function of that name with what c knows of the tree. at must
// be of the log in r: a checkpoint that its publisher handed out.
func (c *Cache) MakeBundle(r kv.Reader, at Published, index uint64) (Bundle, error) {
	if err := ahead(r, []kv.Read{{Table: tableHead, Key: headKey}, {Table: tableLeaves, Key: indexKey(index)}, {Table: tableEvents, Key: indexKey(index)}}); err != nil {
		return Bundle{}, err
	}
	e, err := ReadEntry(r, index)
	if err != nil {
		return Bundle{}, err
	}
	if index >= at.Size {
		return Bundle{}, fail.New(fail.Conflict, "log_pending", "entry %d is in the audit log but not yet in a published checkpoint; ask again shortly", index).
			In("第 %d 条记录已写入审计日志，尚待下一次检查点发布，请稍后再试", index)
	}
	proof, err := c.inclusion(r, index, at.Size)
	if err != nil {
		return Bundle{}, err
	}
	leaf, err := e.Leaf.Format()
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{Checkpoint: at.Note, Index: index, Leaf: leaf, Event: e.Event, Salt: e.Salt, Proof: proof}, nil
}

// Format returns the JSON of b without space between tokens.
func (b Bundle) Format() ([]byte, error) {
	j := bundleJSON{
		Format: bundleFormat, Checkpoint: string(b.Checkpoint),
		Index: b.Index, Leaf: b.Leaf, Event: string(b.Event), Proof: b.Proof,
	}
	if j.Proof == nil {
		j.Proof = tlog.RecordProof{}
	}
	if b.Event != nil {
		j.Salt = b.Salt[:]
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j); err != nil {
		return nil, malformedBundle(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// ParseBundle reads what [Bundle.Format] wrote, whatever space is between the
// tokens. It checks the form only. Errors: Invalid bundle_malformed.
func ParseBundle(data []byte) (Bundle, error) {
	if len(data) > MaxBundle {
		return Bundle{}, malformedBundle(errors.New("too long"))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, data); err != nil {
		return Bundle{}, malformedBundle(err)
	}
	var j bundleJSON
	if err := json.Unmarshal(compact.Bytes(), &j); err != nil {
		return Bundle{}, malformedBundle(err)
	}
	if j.Format != bundleFormat || len(j.Salt) != 0 && len(j.Salt) != SaltSize || (len(j.Salt) == 0) != (j.Event == "") {
		return Bundle{}, malformedBundle(errors.New("format, salt or event"))
	}
	b := Bundle{Checkpoint: []byte(j.Checkpoint), Index: j.Index, Leaf: j.Leaf, Proof: j.Proof}
	if j.Event != "" {
		b.Event = []byte(j.Event)
		copy(b.Salt[:], j.Salt)
	}
	// encoding/json forgives much (case of names, repeated and unknown names,
	// spare base64 bits); what it read must spell what was given.
	if again, err := b.Format(); err != nil || !bytes.Equal(again, compact.Bytes()) {
		return Bundle{}, malformedBundle(errors.New("not canonical"))
	}
	return b, nil
}

func malformedBundle(cause error) error {
	return fail.New(fail.Invalid, "bundle_malformed", "this is not a proof bundle of the audit log (format %s)", bundleFormat).
		In("不是有效的审计日志证明文件（格式 %s）", bundleFormat).Because(cause)
}

// Proven is what a verified bundle proves: that the log of Checkpoint has, at
// Index, an entry received at Time, and that Event is what it recorded; a nil
// Event was erased and only the time is known.
type Proven struct {
	Checkpoint Checkpoint
	Index      uint64
	Time       time.Time
	Event      []byte
}

// VerifyBundle checks a bundle against the log's key. It says nothing of whether
// the log kept to its history; for that compare checkpoints with [AuditLog].
// Errors, all Invalid: checkpoint_malformed, checkpoint_untrusted,
// leaf_malformed, event_mismatch (the event is not the one in the entry),
// proof_mismatch (the entry is not in the log at that index).
func VerifyBundle(b Bundle, v Verifier) (Proven, error) {
	c, err := OpenCheckpoint(b.Checkpoint, v)
	if err != nil {
		return Proven{}, err
	}
	leaf, err := ParseLeaf(b.Leaf)
	if err != nil {
		return Proven{}, err
	}
	if b.Event != nil && Digest(b.Salt, b.Event) != leaf.Digest {
		return Proven{}, fail.New(fail.Invalid, "event_mismatch", "the event is not the one that entry %d recorded", b.Index).
			In("所附事件与第 %d 条日志记录不符", b.Index)
	}
	// An index of 2^63 or more turns negative here, which CheckRecord refuses.
	if err := tlog.CheckRecord(b.Proof, int64(c.Size), c.Root, int64(b.Index), tlog.RecordHash(b.Leaf)); err != nil {
		return Proven{}, fail.New(fail.Invalid, "proof_mismatch", "the proof does not place the entry at index %d of the log at size %d", b.Index, c.Size).
			In("证明不成立：该条目不在大小为 %d 的日志的第 %d 位", c.Size, b.Index).Because(err)
	}
	return Proven{Checkpoint: c, Index: b.Index, Time: leaf.Time, Event: b.Event}, nil
}
