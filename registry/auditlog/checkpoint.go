package auditlog

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bajigong/internal/fail"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint says what the log was at one size. As text (C2SP
// tlog-checkpoint, without extension lines) it is three lines:
//
//	register.example.cn/log
//	20852163
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
// and it is handed out as a note signed with an Ed25519 key that bears the
// origin as its name.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
}

// Text returns the three lines.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint reads what [Checkpoint.Text] wrote and nothing else: no
// signatures ([OpenCheckpoint] checks them), no extension lines. Errors: Invalid
// checkpoint_malformed.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return Checkpoint{}, malformedCheckpoint(errors.New("not three lines"))
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || size > maxSize {
		return Checkpoint{}, malformedCheckpoint(errors.New("size"))
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, malformedCheckpoint(err)
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root}
	if err := checkOrigin(c.Origin); err != nil {
		return Checkpoint{}, malformedCheckpoint(err)
	}
	if c.Text() != text { // a leading zero, spare bits in the base64
		return Checkpoint{}, malformedCheckpoint(errors.New("not canonical"))
	}
	return c, nil
}

func malformedCheckpoint(cause error) error {
	return fail.New(fail.Invalid, "checkpoint_malformed", "this is not a checkpoint: a note of origin, size and root with its signatures").
		In("不是有效的检查点：应为含来源名、大小、根哈希三行并带签名的文本").Because(cause)
}

// A Signer holds the log's key. It has no exported way to sign: only a
// [Publisher] does, after it has checked what it signs.
type Signer struct {
	origin string
	vkey   string
	key    note.Signer
}

// NewSigner makes the signer of the log origin from a 32-byte Ed25519 seed.
// Errors: Invalid origin_malformed; Internal for a seed of another size.
func NewSigner(origin string, seed []byte) (*Signer, error) {
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("log key of %s: seed of %d bytes", origin, len(seed))
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	vkey, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return nil, fmt.Errorf("log key of %s: %w", origin, err)
	}
	const algEd25519 = 1 // C2SP signed-note, the first byte of the key data
	hash := strings.Split(vkey, "+")[1]
	key, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + hash + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed...)))
	if err != nil {
		return nil, fmt.Errorf("log key of %s: %w", origin, err)
	}
	return &Signer{origin: origin, vkey: vkey, key: key}, nil
}

// Origin returns the log's name, which is also the key's.
func (s *Signer) Origin() string { return s.origin }

// VKey returns the public key for verifiers in the note format:
// name+hash+base64, for example
//
//	register.example.cn/log+b755aaf5+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
func (s *Signer) VKey() string { return s.vkey }

func (s *Signer) sign(c Checkpoint) ([]byte, error) {
	b, err := note.Sign(&note.Note{Text: c.Text()}, s.key)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %s: %w", s.origin, err)
	}
	return b, nil
}

// A Verifier knows the public keys of one log.
type Verifier struct {
	origin string
	keys   note.Verifiers
}

// NewVerifier makes a verifier from the log's keys in the note format: the
// present one and, after a change of keys, earlier ones. Errors: Invalid
// vkey_malformed, also when the keys are of different logs.
func NewVerifier(vkeys ...string) (Verifier, error) {
	bad := fail.New(fail.Invalid, "vkey_malformed", "a log key has the form origin+hash+base64 and all keys must have the same origin").
		In("日志公钥格式应为 来源名+哈希+base64，且多个公钥的来源名必须相同")
	var v Verifier
	var list []note.Verifier
	for _, vkey := range vkeys {
		key, err := note.NewVerifier(vkey)
		if err != nil {
			return Verifier{}, bad.Because(err)
		}
		if v.origin == "" {
			v.origin = key.Name()
		}
		if key.Name() != v.origin || checkOrigin(key.Name()) != nil {
			return Verifier{}, bad
		}
		list = append(list, key)
	}
	if len(list) == 0 {
		return Verifier{}, bad
	}
	v.keys = note.VerifierList(list...)
	return v, nil
}

// Origin returns the name of the log whose keys these are.
func (v Verifier) Origin() string { return v.origin }

// maxNote is far above a checkpoint with a hundred cosignatures.
const maxNote = 64 << 10

// OpenCheckpoint returns the checkpoint in a signed note if at least one of the
// log's keys signed it; signatures by others (witnesses) are let be. Errors:
// Invalid checkpoint_malformed, checkpoint_untrusted.
func OpenCheckpoint(signed []byte, v Verifier) (Checkpoint, error) {
	untrusted := fail.New(fail.Invalid, "checkpoint_untrusted", "the checkpoint is not signed by the key of the log %s", v.origin).
		In("检查点未经日志 %s 的密钥签名", v.origin)
	if len(signed) > maxNote {
		return Checkpoint{}, malformedCheckpoint(errors.New("too long"))
	}
	if v.keys == nil {
		return Checkpoint{}, untrusted
	}
	n, err := note.Open(signed, v.keys)
	if err != nil {
		var unknown *note.UnverifiedNoteError
		var invalid *note.InvalidSignatureError
		if errors.As(err, &unknown) || errors.As(err, &invalid) {
			return Checkpoint{}, untrusted.Because(err)
		}
		return Checkpoint{}, malformedCheckpoint(err)
	}
	for _, s := range n.Sigs {
		// note accepts base64 whose last character has spare bits set.
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return Checkpoint{}, malformedCheckpoint(err)
		}
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.origin {
		return Checkpoint{}, untrusted.Because(fmt.Errorf("origin %s", c.Origin))
	}
	return c, nil
}
