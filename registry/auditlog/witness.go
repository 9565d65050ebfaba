package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/internal/fail"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxWitnesses is how many witnesses a log asks, and how many an auditor may
// demand. It keeps a checkpoint with all cosignatures far below MaxResource.
const MaxWitnesses = 16

const (
	algCosignature = 4      // C2SP tlog-cosignature: Ed25519, the first byte of the key data
	algMLDSA       = 6      // ML-DSA-44
	cosignatureLen = 8 + 64 // time and Ed25519 signature
)

// A WitnessKey is the public key of a witness (C2SP tlog-cosignature, Ed25519):
// of somebody else who says that he saw this log only ever grow. In the note
// format it is name+hash+base64 with the type 0x04, for example
//
//	witness.example.org/w1+a1b2c3d4+BHEdKVn9WQnE…
//
// It is a note.Verifier of that witness's signatures.
type WitnessKey struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

var _ note.Verifier = WitnessKey{}

// Name is the witness's name.
func (k WitnessKey) Name() string { return k.name }

// KeyHash is the key's number in signature lines.
func (k WitnessKey) KeyHash() uint32 { return k.hash }

// String is the key in the note format.
func (k WitnessKey) String() string {
	return fmt.Sprintf("%s+%08x+%s", k.name, k.hash, base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, k.key...)))
}

// Verify tells whether sig, a time and an Ed25519 signature, is this witness's
// for the text of a checkpoint.
func (k WitnessKey) Verify(text, sig []byte) bool {
	if len(sig) != cosignatureLen || len(k.key) != ed25519.PublicKeySize {
		return false
	}
	seconds := binary.BigEndian.Uint64(sig)
	return seconds <= maxSeconds && ed25519.Verify(k.key, cosigned(seconds, text), sig[8:])
}

// cosigned is what a witness signs (tlog-cosignature, "Ed25519 signed message").
func cosigned(seconds uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", seconds), text...)
}

// ParseWitnessKey reads what WitnessKey.String wrote. Errors: Invalid
// witness_key.
func ParseWitnessKey(vkey string) (WitnessKey, error) {
	wrong := fail.New(fail.Invalid, "witness_key", "a witness's key has the form name+hash+base64 and is of type 4 (Ed25519 cosignature/v1): %q", short(vkey)).
		In("见证方公钥格式应为 名称+哈希+base64，类型为 4（Ed25519 cosignature/v1）：%s", short(vkey))
	name, rest, _ := strings.Cut(vkey, "+")
	hash, data, ok := strings.Cut(rest, "+")
	number, err := strconv.ParseUint(hash, 16, 32)
	if !ok || err != nil || len(hash) != 8 || !validName(name) {
		return WitnessKey{}, wrong
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil {
		return WitnessKey{}, wrong.Because(err)
	}
	if len(raw) > 0 && raw[0] == algMLDSA {
		return WitnessKey{}, fail.New(fail.Invalid, "witness_key", "the witness %s has a key of type ML-DSA-44, which is not understood here; ask it for its Ed25519 key", name).
			In("见证方 %s 的公钥为 ML-DSA-44 类型，暂不支持；请使用其 Ed25519 公钥", name)
	}
	if len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return WitnessKey{}, wrong
	}
	k := WitnessKey{name: name, key: raw[1:]}
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	if k.hash = binary.BigEndian.Uint32(sum[:]); uint64(k.hash) != number || k.String() != vkey {
		return WitnessKey{}, wrong
	}
	return k, nil
}

// ParseWitnessKeys reads the keys of several witnesses, at most MaxWitnesses. A
// key counts once whatever its names are, since what is signed does not say the
// name. Errors: Invalid witness_key.
func ParseWitnessKeys(vkeys ...string) ([]WitnessKey, error) {
	if len(vkeys) > MaxWitnesses {
		return nil, fail.New(fail.Invalid, "witness_key", "there are %d witnesses, at most %d are taken", len(vkeys), MaxWitnesses).
			In("见证方共 %d 个，最多 %d 个", len(vkeys), MaxWitnesses)
	}
	var out []WitnessKey
	for _, vkey := range vkeys {
		k, err := ParseWitnessKey(vkey)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(out, func(o WitnessKey) bool { return o.key.Equal(k.key) }); i >= 0 {
			return nil, fail.New(fail.Invalid, "witness_key", "the witnesses %s and %s have the same key: they are one", out[i].name, k.name).
				In("见证方 %s 与 %s 的公钥相同，只能算一个", out[i].name, k.name)
		}
		out = append(out, k)
	}
	return out, nil
}

func short(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// validName is a key name of C2SP signed-note.
func validName(name string) bool {
	return name != "" && len(name) <= 200 && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' })
}

// A Cosignature is one witness's word that a checkpoint extends all that it saw.
type Cosignature struct {
	Witness WitnessKey
	Time    time.Time // when it said so, by its own clock
	line    string    // with its newline
}

// parseLine splits "— name base64\n" without looking at who signed.
func parseLine(line string) (name string, hash uint32, sig []byte, ok bool) {
	rest, ok := strings.CutPrefix(line, "— ")
	rest, end := strings.CutSuffix(rest, "\n")
	name, text, two := strings.Cut(rest, " ")
	if !ok || !end || !two || !validName(name) {
		return "", 0, nil, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < 5 || strings.ContainsAny(text, "\r\n") {
		return "", 0, nil, false
	}
	return name, binary.BigEndian.Uint32(raw), raw[4:], true
}

// readLines returns the cosignatures of keys among signature lines, each witness
// once; lines by others are let be. Whatever is not a line of a note, and a line
// in the name of one of keys that it did not sign, is an error.
func readLines(lines string, text []byte, keys []WitnessKey) ([]Cosignature, error) {
	var out []Cosignature
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\n")
		line, lines = line+"\n", rest
		name, hash, sig, ok := parseLine(line)
		if !ok {
			return nil, errors.New("a line is no signature line")
		}
		i := slices.IndexFunc(keys, func(k WitnessKey) bool { return k.name == name && k.hash == hash })
		if i < 0 {
			continue
		}
		if !keys[i].Verify(text, sig) {
			return nil, fmt.Errorf("the signature of %s does not hold", name)
		}
		c := Cosignature{Witness: keys[i], Time: time.Unix(int64(binary.BigEndian.Uint64(sig)), 0).UTC(), line: line}
		if !slices.ContainsFunc(out, func(o Cosignature) bool { return o.Witness.hash == hash && o.Witness.name == name }) {
			out = append(out, c)
		}
	}
	return out, nil
}

// VerifyCosignatures returns who of keys cosigned a checkpoint, which
// [OpenCheckpoint] has opened already, when they are at least quorum. Errors:
// Invalid cosignatures_missing, cosignature_malformed.
func VerifyCosignatures(signed []byte, keys []WitnessKey, quorum int) ([]Cosignature, error) {
	end := bytes.LastIndex(signed, []byte("\n\n"))
	if end < 0 || len(signed) > maxNote || !bytes.HasSuffix(signed, []byte("\n")) {
		return nil, malformedCheckpoint(errors.New("no signatures"))
	}
	out, err := readLines(string(signed[end+2:]), signed[:end+1], keys)
	if err != nil {
		return nil, fail.New(fail.Invalid, "cosignature_malformed", "a cosignature of the checkpoint does not hold").In("检查点的一个见证签名不成立").Because(err)
	}
	if len(out) < quorum {
		return nil, fail.New(fail.Invalid, "cosignatures_missing", "%d of the %d witnesses cosigned this checkpoint, %d are demanded: others may have been shown another log", len(out), len(keys), quorum).
			In("%d 个见证方中仅 %d 个签署了该检查点，要求至少 %d 个：不能排除另有一份对外展示的日志", len(keys), len(out), quorum)
	}
	return out, nil
}

// FormatSubmission is the body of add-checkpoint (C2SP tlog-witness): a proof
// that the checkpoint in the signed note extends the tree of size old, and the
// note. For example
//
//	old 20852014
//	PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
//
//	example.com/behind-the-sofa
//	20852163
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//
//	— example.com/behind-the-sofa Az3grlgtzPIC…
func FormatSubmission(old uint64, proof tlog.TreeProof, signed []byte) []byte {
	b := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		b = fmt.Appendf(b, "%s\n", h)
	}
	return append(append(b, '\n'), signed...)
}

// MaxWitnessAnswer is how many bytes of a witness's answer are read; a longer one
// is none.
const MaxWitnessAnswer = 16 << 10

// A WitnessAnswer is what a witness answered to a submission.
type WitnessAnswer struct {
	Status      int // of HTTP
	ContentType string
	Body        []byte // at most MaxWitnessAnswer
}

// Read says what an answer means. With a nil error either the witness cosigned
// the submitted checkpoint, or it knows the log at another size, from which the
// proof must begin: then cosignature is nil. Nothing of the answer is believed
// that the witness did not sign, except that size, which costs a second question
// at most. Errors: Invalid witness_answer; Conflict witness_ahead when the
// witness has cosigned a longer log than this one, or another at this size.
func (k WitnessKey) Read(a WitnessAnswer, submitted Checkpoint, old uint64) (got *Cosignature, known uint64, err error) {
	switch {
	case len(a.Body) > MaxWitnessAnswer:
		return nil, 0, k.wrong("is longer than %d bytes", MaxWitnessAnswer)
	case a.Status == http.StatusOK:
		found, err := readLines(string(a.Body), []byte(submitted.Text()), []WitnessKey{k})
		if err != nil {
			return nil, 0, k.wrong("%v", err)
		}
		if len(found) == 0 {
			return nil, 0, k.wrong("has no cosignature of its key")
		}
		return &found[0], 0, nil
	case a.Status == http.StatusConflict && a.ContentType == "text/x.tlog.size":
		text, ok := strings.CutSuffix(string(a.Body), "\n")
		known, err := strconv.ParseUint(text, 10, 63)
		if err != nil || !ok || strconv.FormatUint(known, 10) != text {
			return nil, 0, k.wrong("409 with no size")
		}
		if known > submitted.Size || known == submitted.Size && old == known {
			return nil, 0, fail.New(fail.Conflict, "witness_ahead", "the witness %s has cosigned a log %s of size %d that is not this one at size %d: an older store was restored, or there are two logs of one name", k.name, submitted.Origin, known, submitted.Size).
				In("见证方 %s 已为日志 %s 签署过 %d 条的检查点，与本日志（%d 条）不一致：可能恢复了较旧的数据，或有两份同名日志", k.name, submitted.Origin, known, submitted.Size)
		}
		if known == old {
			return nil, 0, k.wrong("refuses the size that it says it has")
		}
		return nil, known, nil
	}
	// 404: it does not know the log. 403: nor its key. 422: it does not believe the proof.
	return nil, 0, k.wrong("HTTP status %d", a.Status)
}

func (k WitnessKey) wrong(format string, args ...any) error {
	return fail.New(fail.Invalid, "witness_answer", "the witness %s did not cosign", k.name).In("见证方 %s 未签署", k.name).
		Because(fmt.Errorf("its answer "+format, args...))
}
