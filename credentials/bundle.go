package credentials

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"bajigong/credentials/jws"
	"bajigong/internal/fail"
)

// A Bundle is all that a check without a network needs, in one file: key sets,
// directory, status lists, and the key and a checkpoint of the audit log, each as
// it was served and with the time at which it was fetched. As a file it is two
// lines, the second being JSON in exactly this form:
//
//	bajigong-bundle/1 sha256:5f0c…
//	{"from":"https://skills.example.org","parts":[{"name":"directory.jws","fetched":"2026-03-02T04:00:00Z","text":"eyJhb…"},…]}
//
// The sum is that of all bytes after the first line. It finds damage, not
// forgery: whoever changes a bundle can write a new one. What protects from
// forgery are the signatures of directory, lists and checkpoint, under the keys in
// the bundle; and of these keys, which nothing signs, the fingerprint
// ([Bundle.Fingerprint]), to be compared with one had in another way, or with the
// bundle that one trusts already ([Bundle.Follows]). The first one is trusted
// because it came over TLS from an address that somebody has checked, and no
// more. Where and when it was fetched is not signed either.
type Bundle struct {
	From  string       `json:"from"`  // the address it was fetched from, for people
	Parts []BundlePart `json:"parts"` // ordered by name, each name once
}

// BundlePart is one resource in a bundle.
type BundlePart struct {
	Name    string    `json:"name"`    // see [BundlePath]
	Fetched time.Time `json:"fetched"` // UTC, whole seconds
	Text    string    `json:"text"`    // as it was served
}

// MaxBundle is the greatest size of a bundle in bytes: 2,000 full status lists
// and a directory.
const MaxBundle = 128 << 20

// The names of the parts of a bundle that are there once.
const (
	BundleDirectory  = "directory.jws"
	BundleLogKey     = "log.vkey"
	BundleCheckpoint = "checkpoint"
)

// bundlePurposes are the purposes whose key sets are in a bundle.
var bundlePurposes = []jws.Purpose{jws.QR, jws.VC, jws.Directory, jws.Status}

// BundleKeys is the name of the key set for a purpose in a bundle:
// "keys-qr.json".
func BundleKeys(p jws.Purpose) string { return "keys-" + string(p) + ".json" }

// BundleStatus is the name of a status list in a bundle:
// "status-revocation-0.jwt".
func BundleStatus(p StatusPurpose, list int) string {
	return "status-" + StatusListName(p, list) + ".jwt"
}

// BundlePath returns the path at which a register serves the part of that name,
// and its greatest size in bytes. It fails (fail.Invalid, bad_bundle) when no
// bundle has such a part.
func BundlePath(name string) (path string, most int, err error) {
	for _, p := range bundlePurposes {
		if name == BundleKeys(p) {
			return "/keys/" + string(p) + ".json", jws.MaxJWKS, nil
		}
	}
	switch name {
	case BundleDirectory:
		return "/directory.jws", MaxDirectory, nil
	case BundleLogKey:
		return "/log/key", maxNote, nil
	case BundleCheckpoint:
		return "/log/checkpoint", maxNote, nil
	}
	if p, list, ok := bundleList(name); ok {
		return "/status/" + StatusListName(p, list), MaxStatusList, nil
	}
	return "", 0, badBundle("%q is no part of a bundle", name)
}

// maxNote bounds the log's key and its checkpoint.
const maxNote = 64 << 10

// bundleList reads the name of a status list.
func bundleList(name string) (StatusPurpose, int, bool) {
	inner, ok := strings.CutPrefix(name, "status-")
	if !ok {
		return "", 0, false
	}
	if inner, ok = strings.CutSuffix(inner, ".jwt"); !ok {
		return "", 0, false
	}
	p, list, err := ParseStatusListName(inner)
	return p, list, err == nil
}

// GatherBundle reads all parts of a bundle from a register and checks them as
// [Bundle.Open] does. read returns what is served at a path, an error of kind
// fail.NotFound when there is nothing, and may refuse more than most bytes. Status
// lists are read from number 0 on until one is not there; directory, log key and
// checkpoint may be missing, key sets not.
func GatherBundle(from string, now func() time.Time, read func(path string, most int) ([]byte, error)) (Bundle, error) {
	b := Bundle{From: from}
	add := func(name string, needed bool) (bool, error) {
		path, most, err := BundlePath(name)
		if err != nil {
			return false, err
		}
		body, err := read(path, most)
		if fail.KindOf(err) == fail.NotFound && !needed {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		b.Parts = append(b.Parts, BundlePart{Name: name, Fetched: wholeSecond(now()), Text: string(body)})
		return true, nil
	}
	for _, p := range bundlePurposes {
		if _, err := add(BundleKeys(p), true); err != nil {
			return Bundle{}, err
		}
	}
	for _, name := range []string{BundleDirectory, BundleLogKey, BundleCheckpoint} {
		if _, err := add(name, false); err != nil {
			return Bundle{}, err
		}
	}
	for _, p := range StatusPurposes() {
		for list := 0; list <= maxStatus/StatusListBits; list++ {
			found, err := add(BundleStatus(p, list), false)
			if err != nil {
				return Bundle{}, err
			}
			if !found {
				break
			}
		}
	}
	slices.SortFunc(b.Parts, func(x, y BundlePart) int { return strings.Compare(x.Name, y.Name) })
	_, err := b.Open(now())
	return b, err
}

// Part returns the part of that name.
func (b Bundle) Part(name string) (BundlePart, bool) {
	for _, p := range b.Parts {
		if p.Name == name {
			return p, true
		}
	}
	return BundlePart{}, false
}

const bundleMagic = "bajigong-bundle/1 sha256:"

// Format returns b as a file. It fails (fail.Invalid, bad_bundle) when a part is
// unknown, there twice, too large or no text.
func (b Bundle) Format() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	body, err := marshalPlain(b)
	if err != nil {
		return nil, err
	}
	body = append(body, '\n')
	sum := sha256.Sum256(body)
	return append([]byte(bundleMagic+hex.EncodeToString(sum[:])+"\n"), body...), nil
}

// ParseBundle reads what [Bundle.Format] wrote, and nothing else. It fails with
// fail.Invalid, bad_bundle, or fail.TooLarge. Nothing is verified but the sum: see
// [Bundle.Open].
func ParseBundle(data []byte) (Bundle, error) {
	if len(data) > MaxBundle {
		return Bundle{}, fail.New(fail.TooLarge, "bundle_too_large", "a bundle may have at most %d bytes", MaxBundle).In("离线资料文件过大")
	}
	first, body, ok := bytes.Cut(data, []byte("\n"))
	sum, ours := strings.CutPrefix(string(first), bundleMagic)
	if !ok || !ours {
		return Bundle{}, badBundle("this is not a bundle for offline checks")
	}
	if have := sha256.Sum256(body); hex.EncodeToString(have[:]) != sum {
		return Bundle{}, badBundle("the bundle is damaged: its content does not have the sum in its first line; fetch it again")
	}
	var b Bundle
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&b); err != nil {
		return Bundle{}, badBundle("the bundle is not written as it should be").Because(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Bundle{}, badBundle("text follows the bundle")
	}
	again, err := b.Format()
	if err != nil {
		return Bundle{}, err
	}
	if !bytes.Equal(again, data) {
		return Bundle{}, badBundle("the bundle is not written as it should be")
	}
	return b, nil
}

func (b Bundle) check() error {
	if len(b.From) > 512 || !utf8.ValidString(b.From) || strings.ContainsFunc(b.From, unicode.IsControl) || b.Parts == nil {
		return badBundle("the bundle does not say where it is from, or has no parts")
	}
	for i, p := range b.Parts {
		_, most, err := BundlePath(p.Name)
		if err != nil {
			return err
		}
		if i > 0 && b.Parts[i-1].Name >= p.Name {
			return badBundle("the parts of the bundle are out of order, or one is there twice")
		}
		if len(p.Text) > most || !utf8.ValidString(p.Text) {
			return badBundle("%s is too large, or no text", p.Name)
		}
		if p.Fetched != wholeSecond(p.Fetched) || p.Fetched.Year() < 1 || p.Fetched.Year() > 9999 {
			return badBundle("%s: the time of fetching is not in UTC and whole seconds", p.Name)
		}
	}
	return nil
}

// OpenedBundle is a bundle whose signatures are good.
type OpenedBundle struct {
	Trust       Trust
	Ages        []PartAge // one for each part, in their order
	Fingerprint string    // see [Bundle.Fingerprint]
	// LogKey and Checkpoint are not looked at here: no verdict rests on them.
	// Package registry/auditlog does.
	LogKey, Checkpoint string
}

// Open verifies the parts of b under the keys in it and returns what
// [VerifyOffline] needs. The error is that of the part, with its name in the text:
// fail.Invalid, bad_bundle, bad_key_set, no_qr_keys, bad_directory,
// bad_status_list and so on, or a jws.Err value.
func (b Bundle) Open(now time.Time) (OpenedBundle, error) {
	if err := b.check(); err != nil {
		return OpenedBundle{}, err
	}
	keys, err := b.keys()
	if err != nil {
		return OpenedBundle{}, err
	}
	if len(keys.Keys(jws.QR)) == 0 {
		return OpenedBundle{}, fail.New(fail.Invalid, "no_qr_keys", "the bundle has no keys for QR codes").In("离线资料中没有二维码公钥")
	}
	out := OpenedBundle{Trust: Trust{Keys: keys}, Fingerprint: b.fingerprint(keys)}
	for _, p := range b.Parts {
		age := PartAge{Name: p.Name, Fetched: p.Fetched}
		text := strings.TrimSpace(p.Text)
		purpose, number, isList := bundleList(p.Name)
		switch {
		case isList:
			l, err := OpenStatusList(text, keys, now)
			if err == nil && (l.Purpose != purpose || l.List != number) {
				err = fail.New(fail.Invalid, "other_list", "this is list %s", StatusListName(l.Purpose, l.List)).In("内容是清单 %s", StatusListName(l.Purpose, l.List))
			}
			if err != nil {
				return OpenedBundle{}, inPart(p.Name, err)
			}
			out.Trust.StatusLists = append(out.Trust.StatusLists, l)
			age.Signed, age.Until = l.ValidFrom, l.ValidUntil
			if age.Stale = l.Stale(now); l.TTL > 0 {
				age.Due = now.After(p.Fetched.Add(l.TTL)) && now.After(l.ValidFrom.Add(l.TTL))
			}
		case p.Name == BundleDirectory:
			d, err := OpenDirectory(text, keys)
			if err != nil {
				return OpenedBundle{}, inPart(p.Name, err)
			}
			out.Trust.Directory, age.Signed = &d, d.IssuedAt
		case p.Name == BundleLogKey:
			out.LogKey = text
		case p.Name == BundleCheckpoint:
			out.Checkpoint = p.Text
		}
		out.Ages = append(out.Ages, age)
	}
	return out, nil
}

// keys joins the key sets.
func (b Bundle) keys() (jws.KeySet, error) {
	var all jws.KeySet
	for _, p := range bundlePurposes {
		part, ok := b.Part(BundleKeys(p))
		if !ok {
			continue
		}
		set, err := jws.ParseJWKS([]byte(part.Text), p)
		if err != nil {
			return jws.KeySet{}, inPart(part.Name, err)
		}
		if all, err = all.Merge(set); err != nil {
			return jws.KeySet{}, inPart(part.Name, err)
		}
	}
	return all, nil
}

// PartAge says how old a part of a bundle is.
type PartAge struct {
	Name    string
	Fetched time.Time // by the bundle; not signed
	Signed  time.Time // inside the part; zero for keys, log key and checkpoint, which tell none
	Until   time.Time // to when a status list proves that a certificate is still good; zero when it says none
	Stale   bool      // Until is over: verdicts say status-stale
	Due     bool      // the list asks to be fetched again by now; it still proves what it says
}

// Remark says in words what is wrong with the age, as a verdict would; empty when
// nothing is.
func (a PartAge) Remark(lang Lang) string {
	switch {
	case a.Stale:
		return Sentence(ReasonStatusStale, lang, Args{}) + words{"；", "; "}.in(lang) + Next(ReasonStatusStale, lang)
	case a.Due:
		return words{"已过更新间隔，此后的撤销、注销和暂停查不到", "due for an update: what was voided, cancelled or suspended since is not known"}.in(lang)
	}
	return ""
}

// Fingerprint returns the SHA-256 over all public keys in b and the log's key, as
// "sha256:" and 64 hexadecimal digits, over these bytes:
//
//	bajigong-keys/1
//	{"keys":[…]}      the keys of all purposes as [jws.KeySet.JWKS] writes them, ordered by id
//	name+hash+key     the log's key, an empty line when there is none
//
// It changes with every key that is added or distrusted, so a new one has to be
// asked for after each rotation. It fails like [Bundle.Open].
func (b Bundle) Fingerprint() (string, error) {
	keys, err := b.keys()
	if err != nil {
		return "", err
	}
	return b.fingerprint(keys), nil
}

func (b Bundle) fingerprint(keys jws.KeySet) string {
	vkey, _ := b.Part(BundleLogKey)
	sum := sha256.Sum256([]byte("bajigong-keys/1\n" + string(keys.JWKS()) + "\n" + strings.TrimSpace(vkey.Text) + "\n"))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// CheckPin compares a fingerprint with one that somebody typed: case and white
// space do not count, "sha256:" may be missing, but nothing else. It fails with
// fail.Invalid, bad_pin, when pin is no fingerprint, and fail.Conflict,
// pin_mismatch.
func CheckPin(fingerprint, pin string) error {
	plain := strings.TrimPrefix(strings.ToLower(strings.Join(strings.Fields(pin), "")), "sha256:")
	if len(plain) != 64 || strings.Trim(plain, "0123456789abcdef") != "" {
		return fail.New(fail.Invalid, "bad_pin", "a fingerprint is sha256: and 64 digits 0-9, a-f").In("指纹应为 sha256: 加 64 位十六进制数字")
	}
	if "sha256:"+plain != fingerprint {
		return fail.New(fail.Conflict, "pin_mismatch", "the keys are not those of the fingerprint given, they have %s: keys were added or withdrawn since, or this is a forgery; ask whoever runs the register for the fingerprint of today", fingerprint).
			In("公钥与所给指纹不符，实为 %s：可能已增换密钥，也可能是仿冒；请向运营单位核实现在的指纹", fingerprint)
	}
	return nil
}

// followSlack is how much older a part may be than the one before it: several
// servers of one register need not sign a list in the same minute.
const followSlack = 10 * time.Minute

// Follows reports whether b can replace earlier, which is trusted: no key of
// earlier is gone, another one, or trusted again after it was distrusted; the log
// has the same key; directory and lists are not older, and no list is gone. It
// returns the ids of keys that are new: nothing vouches for them but the address
// they came from. It fails with fail.Conflict, key_replaced, log_replaced or
// bundle_older.
func (b Bundle) Follows(earlier Bundle, now time.Time) (added []string, err error) {
	is, err := b.Open(now)
	if err != nil {
		return nil, err
	}
	known, err := earlier.keys()
	if err != nil {
		return nil, err
	}
	for _, k := range known.Keys() {
		same, ok := is.Trust.Keys.Key(k.ID)
		if !ok || same.Purpose != k.Purpose || !same.Public.Equal(k.Public) || k.State == jws.Distrusted && same.State != jws.Distrusted {
			return nil, fail.New(fail.Conflict, "key_replaced", "the server no longer has key %s as it was saved: this may be another server, or a forgery; ask whoever runs it before you save to another place", k.ID).
				In("服务器上的密钥 %s 与已保存的不同或已消失：可能不是同一系统，或遭仿冒；请先向运营单位核实，再另存", k.ID)
		}
	}
	if vkey, ok := earlier.Part(BundleLogKey); ok && strings.TrimSpace(vkey.Text) != is.LogKey {
		return nil, LogReplaced()
	}
	if err := notOlder(earlier, is, now); err != nil {
		return nil, err
	}
	for _, k := range is.Trust.Keys.Keys() {
		if _, ok := known.Key(k.ID); !ok {
			added = append(added, k.ID)
		}
	}
	return added, nil
}

// notOlder holds the signed times of the parts against those of the earlier
// bundle. One that does not open any more says nothing.
func notOlder(earlier Bundle, is OpenedBundle, now time.Time) error {
	was, err := earlier.Open(now)
	if err != nil {
		return nil // its keys were compared, and there is nothing else to hold on to
	}
	for _, old := range was.Ages {
		i := slices.IndexFunc(is.Ages, func(a PartAge) bool { return a.Name == old.Name })
		if i < 0 || is.Ages[i].Signed.Before(old.Signed.Add(-followSlack)) {
			return fail.New(fail.Conflict, "bundle_older", "the server's %s is older than the one that was saved, or gone: an old one would hide what was decided since", old.Name).
				In("服务器的 %s 比已保存的旧，或已消失：旧的资料会掩盖此后的撤销或暂停", old.Name)
		}
	}
	return nil
}

// LogReplaced is the error (fail.Conflict, log_replaced) for a log that is not the
// one that was saved.
func LogReplaced() error {
	return fail.New(fail.Conflict, "log_replaced", "the server's log is not the one that was saved, or it has become shorter; ask whoever runs it before you save to another place").
		In("服务器的审计日志与已保存的不是同一个，或已变短；请先向运营单位核实，再另存")
}

// Explain returns what a failure of this package is called, for programs, and what
// it says, for people: "not_our_qr", "这不是…", "this is not…". An error of another
// origin has the code "internal".
func Explain(err error) (code, zh, en string) {
	e := fail.Of(err)
	return e.Code, e.ZH, e.Text
}

// inPart names the part in an error.
func inPart(name string, err error) error {
	e := fail.Of(err)
	return fail.New(e.Kind, e.Code, "%s: %s", name, e.Text).In("%s：%s", name, e.ZH).Because(err)
}

func badBundle(format string, args ...any) *fail.Error {
	return fail.New(fail.Invalid, "bad_bundle", format, args...).In("离线资料文件不合要求或已损坏，请重新下载")
}
