package kv_test

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"testing"

	"bajigong/internal/kv"
)

func ExampleKey() {
	key := kv.Key("310000", uint64(7), []byte{0xAB, 0x00})
	fmt.Printf("% x\n", key)
	parts, err := kv.ParseKey(key)
	fmt.Println(parts, err)
	// Output:
	// 02 33 31 30 30 30 30 00 03 00 00 00 00 00 00 00 07 01 ab 00 ff 00
	// [310000 7 [171 0]] <nil>
}

func TestKeyTakesNamedTypes(t *testing.T) {
	type number string
	type id [4]byte
	type index uint32
	type raw []byte
	got := kv.Key(number("a"), id{1, 0, 3, 4}, index(9), raw{5})
	if want := kv.Key("a", []byte{1, 0, 3, 4}, uint64(9), []byte{5}); !bytes.Equal(got, want) {
		t.Errorf("named types: %x, want %x", got, want)
	}
	for _, bad := range []any{1, -1, nil, 1.5, true, []string{"a"}, &got} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Key(%T) did not panic", bad)
				}
			}()
			kv.Key(bad)
		}()
	}
}

// TestParseKeyIsStrict changes every byte of a key in every way, and cuts it at
// every place: what still parses must be a key of other parts.
func TestParseKeyIsStrict(t *testing.T) {
	key := kv.Key("a\x00b", uint64(0x0102), []byte{0, 0xFF}, "")
	check := func(b []byte) {
		t.Helper()
		parts, err := kv.ParseKey(b)
		if err == nil && !bytes.Equal(kv.Key(parts...), b) {
			t.Errorf("%x parses as %q, which is %x", b, parts, kv.Key(parts...))
		}
	}
	for i := range key {
		check(key[:i])
		for c := range 256 {
			changed := bytes.Clone(key)
			changed[i] = byte(c)
			check(changed)
		}
	}
	for _, bad := range []string{"\x00", "\x04", "\x02a", "\x02a\x00\xFF", "\x03\x00\x00\x00\x00\x00\x00\x00", "\x01\x00\x00"} {
		if parts, err := kv.ParseKey([]byte(bad)); err == nil {
			t.Errorf("%x parses as %q", bad, parts)
		}
	}
}

// tuples are in order.
var tuples = [][]any{
	{},
	{[]byte{}},
	{[]byte{}, uint64(1)},
	{[]byte{0}},
	{[]byte{0, 0}},
	{[]byte{0, 1}},
	{[]byte{1}},
	{[]byte{0xFF}},
	{[]byte{0xFF, 0xFF}},
	{""},
	{"", ""},
	{"\x00"},
	{"\x00\x00"},
	{"\x00\xFF"},
	{"a"},
	{"a", []byte("b")},
	{"a", "b"},
	{"a", uint64(0)},
	{"a", uint64(0), "x"},
	{"a", uint64(1)},
	{"a\x00"},
	{"a\x00", "b"},
	{"a\x00\xFF"},
	{"a\x01"},
	{"ab"},
	{"职业"},
	{uint64(0)},
	{uint64(255)},
	{uint64(256)},
	{uint64(1<<64 - 1)},
}

func TestKeyOrderAndPrefix(t *testing.T) {
	for i, a := range tuples {
		for j, b := range tuples {
			if got, want := bytes.Compare(kv.Key(a...), kv.Key(b...)), cmp.Compare(i, j); got != want {
				t.Errorf("keys of %q and %q compare %d, want %d", a, b, got, want)
			}
			begins := len(b) >= len(a) && (len(a) == 0 || reflect.DeepEqual(a, b[:len(a)]))
			if in := within(kv.Prefix(kv.Key(a...)), kv.Key(b...)); in != begins {
				t.Errorf("%q within the prefix %q: %t", b, a, in)
			}
		}
	}
}

func within(r kv.Range, key []byte) bool {
	return bytes.Compare(key, r.From) >= 0 && (r.To == nil || bytes.Compare(key, r.To) < 0)
}

func FuzzKey(f *testing.F) {
	f.Add("a", uint64(1), []byte("b"), "a", uint64(2), []byte("b"))
	f.Add("a\x00", uint64(1), []byte{0}, "a", uint64(0), []byte{0, 0xFF})
	f.Fuzz(func(t *testing.T, s1 string, n1 uint64, b1 []byte, s2 string, n2 uint64, b2 []byte) {
		b1, b2 = append([]byte{}, b1...), append([]byte{}, b2...)
		key1, key2 := kv.Key(s1, n1, b1), kv.Key(s2, n2, b2)
		parts, err := kv.ParseKey(key1)
		if err != nil || !reflect.DeepEqual(parts, []any{s1, n1, b1}) {
			t.Fatalf("parts %q, %v", parts, err)
		}
		want := cmp.Or(cmp.Compare(s1, s2), cmp.Compare(n1, n2), bytes.Compare(b1, b2))
		if got := bytes.Compare(key1, key2); got != want {
			t.Fatalf("compare %d, want %d", got, want)
		}
		for _, prefix := range [][]byte{kv.Key(s1), kv.Key(s1, n1)} {
			if !within(kv.Prefix(prefix), key1) {
				t.Fatalf("key %x is not within prefix %x", key1, prefix)
			}
		}
		if s1 != s2 && within(kv.Prefix(kv.Key(s1)), key2) {
			t.Fatalf("key %x of %q is within the prefix of %q", key2, s2, s1)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, tuple := range tuples {
		f.Add(kv.Key(tuple...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := kv.ParseKey(b)
		if err == nil && !bytes.Equal(kv.Key(parts...), b) {
			t.Fatalf("%x parses as %q, which is %x", b, parts, kv.Key(parts...))
		}
	})
}
