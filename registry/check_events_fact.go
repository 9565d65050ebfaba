package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"bajigong/internal/kv"
)

// said is what one event says of records, and what it adds to the sums.
type said struct {
	index   uint64
	erased  bool
	records []*recordSaid
	sums    []sumSaid
	signIn  *signInSaid
}

// signInSaid is a session of a person at a screen. It is kept for hours, so it is
// looked for from the other side.
type signInSaid struct{ id, account, hash string }

type sumSaid struct {
	key string
	n   int64
}

// recordSaid is one record that an event speaks of. It is named by its key, or by an
// entry of a unique index.
type recordSaid struct {
	table   kv.Table
	key     []byte
	index   kv.Table
	entry   []byte
	card    []byte // the key of the card of whose person it is
	passing bool   // it may be gone: it is kept for a time, or replaced
	facts   []fact
}

func (r *recordSaid) name() string {
	if r.key == nil {
		return recordName(r.table, append(slices.Clone(r.card), r.entry...))
	}
	return recordName(r.table, r.key)
}

// fact is what an event says of one member of a record.
type fact struct {
	path  string // a member, or members of members with dots between; the whole record when empty
	want  any    // as JSON is decoded; nil: it is not there, or zero
	but   []string
	grows []string // lists that are only added to: the record's begin with those of the event
	// An element of the list at path has these members; by names the one that tells
	// elements apart, if one event replaces what another said of one.
	element  bool
	by       string
	absent   bool     // it may be missing: an unfinished step has taken it away
	any      bool     // it may be anything: no event says what it is now
	record   bool     // want is the digest of the whole record, see recordDigest
	elements bool     // the elements of the list may have been changed in what is not added with them
	plain    bool     // want is the SHA-256 of the text at path
	begins   bool     // the list begins with these elements
	most     int      // of elements that the list keeps: a full one may have dropped it
	digested []string // want is the digest of these members of the object at path, see jsonDigest
	hashed   bool     // want is the SHA-256 of the bytes at path, in hexadecimal digits
}

// wholeRecord is the path of a doubt about whether a record is there at all.
const wholeRecord = "*"

// someMember is the path of a doubt about a record of which the log has a digest.
const someMember = "of some name"

// covers reports whether a fact says anew what was said of a path.
func (f fact) covers(path string) bool {
	if path == wholeRecord {
		return true // the record is there now, or the same doubt comes again
	}
	switch {
	case f.record:
		return path == someMember
	case f.elements:
		return strings.HasPrefix(path, f.path+"[") && path != f.path+"[…]"
	case f.digested != nil:
		return path == f.path+"."+f.digested[0]
	case f.begins:
		return path == f.path+"[0]"
	case f.element:
		return f.by != "" && path == f.place()
	case f.path == "":
		return !slices.Contains(f.but, topOf(path)) && !slices.Contains(f.grows, topOf(path))
	}
	return path == f.path || strings.HasPrefix(path, f.path+".")
}

func topOf(path string) string {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path
	}
	return path[:end]
}

// place is the path of an element of a list.
func (f fact) place() string {
	m, _ := f.want.(map[string]any)
	if f.by == "" {
		return f.path + "[…]"
	}
	return fmt.Sprintf("%s[%v]", f.path, m[f.by])
}

// against names the members of a record in which it is not what the fact says.
func (f fact) against(have any, differs func(path string)) {
	switch {
	case f.any, f.elements:
	case f.hashed:
		if text, _ := memberAt(have, f.path).(string); !f.hashOf(text) {
			differs(f.path)
		}
	case f.record:
		if digestOfRecord(have) != f.want {
			differs(someMember)
		}
	case f.plain:
		text, _ := memberAt(have, f.path).(string)
		if digestOf([]byte(text)) != f.want {
			differs(f.path)
		}
	case f.digested != nil:
		m, _ := memberAt(have, f.path).(map[string]any)
		some := map[string]any{}
		for _, name := range f.digested {
			some[name] = m[name]
		}
		if jsonDigest(some) != f.want {
			differs(f.path + "." + f.digested[0])
		}
	case f.begins:
		a, _ := f.want.([]any)
		b, _ := memberAt(have, f.path).([]any)
		if len(b) < len(a) || !agrees(a, b[:len(a)]) {
			differs(f.path + "[0]")
		}
	case f.element:
		if list, _ := memberAt(have, f.path).([]any); f.most > 0 && len(list) >= f.most {
			return
		}
		if !f.listed(memberAt(have, f.path)) {
			differs(f.place())
		}
	case f.path == "":
		f.whole(have, differs)
	default:
		got := memberAt(have, f.path)
		if f.absent && got == nil {
			return
		}
		membersDiffer(f.path, f.want, got, differs)
	}
}

// notInDigest are the members that a record's digest has not: those that are known
// after its event, that have an event each, or that change without one.
var notInDigest = []string{"log_index", "steps", "gone"}

// recordDigest is the digest of a record as an event of it says it: where a later
// release adds members, it may not set them in records that are there.
func recordDigest(record any) string {
	b, err := json.Marshal(record)
	if err != nil {
		return ""
	}
	v, _ := jsonOf(b)
	return digestOfRecord(v)
}

func digestOfRecord(v any) string {
	m, _ := v.(map[string]any)
	m = maps.Clone(m)
	for _, name := range notInDigest {
		delete(m, name)
	}
	return jsonDigest(m)
}

// hashOf holds bytes, as JSON keeps them, against their hash.
func (f fact) hashOf(text string) bool {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	sum := sha256.Sum256(b)
	return err == nil && f.want == hex.EncodeToString(sum[:])
}

func (f fact) whole(have any, differs func(path string)) {
	want, _ := f.want.(map[string]any)
	got, _ := have.(map[string]any)
	for _, m := range membersOf(want, got) {
		switch {
		case slices.Contains(f.but, m):
		case slices.Contains(f.grows, m):
			a, _ := want[m].([]any)
			b, _ := got[m].([]any)
			for i := range a {
				if i >= len(b) || !agrees(a[i], b[i]) {
					differs(fmt.Sprintf("%s[%d]", m, i))
				}
			}
		default:
			membersDiffer(m, want[m], got[m], differs)
		}
	}
}

// listed reports whether an element of a list has all that the fact says.
func (f fact) listed(list any) bool {
	elements, _ := list.([]any)
	want, _ := f.want.(map[string]any)
	return slices.ContainsFunc(elements, func(e any) bool {
		got, ok := e.(map[string]any)
		for m, v := range want {
			ok = ok && agrees(v, got[m])
		}
		return ok
	})
}

// membersDiffer goes down to the members in which two values differ. Lists are
// compared as a whole.
func membersDiffer(path string, want, have any, differs func(path string)) {
	a, isA := want.(map[string]any)
	b, isB := have.(map[string]any)
	if (isA || zero(want)) && (isB || zero(have)) && (isA || isB) {
		for _, m := range membersOf(a, b) {
			membersDiffer(path+"."+m, a[m], b[m], differs)
		}
		return
	}
	if !agrees(want, have) {
		differs(path)
	}
}

func membersOf(a, b map[string]any) (out []string) {
	for m := range a {
		out = append(out, m)
	}
	for m := range b {
		if _, both := a[m]; !both {
			out = append(out, m)
		}
	}
	slices.Sort(out)
	return out
}

// agrees compares two values as JSON is decoded. A member that is zero is as one
// that is not there: members are added to stored JSON that way.
func agrees(a, b any) bool {
	if zero(a) || zero(b) {
		return zero(a) && zero(b)
	}
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return false
		}
		for _, m := range membersOf(a, b) {
			if !agrees(a[m], b[m]) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, agrees)
	}
	_, list := b.([]any)
	_, object := b.(map[string]any)
	return !list && !object && a == b
}

// zero reports what encoding/json leaves out, and the zero time.
func zero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "0001-01-01T00:00:00Z"
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, m := range v {
			if !zero(m) {
				return false
			}
		}
		return true
	}
	return false
}

// memberAt is the member of a decoded object at a path, nil when it is not there.
func memberAt(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		case map[string]any:
			v = at[name]
		default:
			return nil
		}
	}
	return v
}

// jsonDigest is the SHA-256, in hexadecimal digits, of a value as JSON with its
// members in order and without those that are zero: it is the same for a record as it
// is and as it is stored.
func jsonDigest(v any) string {
	b, err := json.Marshal(v)
	if err == nil {
		v, err = jsonOf(b)
	}
	if err == nil {
		b, err = json.Marshal(withoutZero(v))
	}
	if err != nil {
		return ""
	}
	return digestOf(b)
}

func withoutZero(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for m, x := range v {
			if !zero(x) {
				out[m] = withoutZero(x)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutZero(v[i])
		}
		return out
	}
	return v
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func jsonOf(value []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return map[string]any{}, err
	}
	return v, nil
}
