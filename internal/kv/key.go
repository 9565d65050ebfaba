package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
)

// The tag in front of each part of a key. Tags stay below 0xFF, see Prefix.
const (
	tagBytes  = 0x01
	tagString = 0x02
	tagUint   = 0x03
)

// Key encodes a tuple so that keys order as their parts do: part by part, a
// tuple before the longer ones that begin with it. A part is a string, a []byte
// or byte array, or an unsigned integer, or a type made of one of these; parts
// of different kinds order bytes < strings < integers. Key panics on any other
// type: the shape of a key is written in the program.
//
// Each part is one tag byte and its content:
//
//	0x01 []byte   content with each 00 written 00 FF, then 00
//	0x02 string   the same
//	0x03 integer  8 bytes, big-endian
//
// For example Key("310000", uint64(7), []byte{0xAB, 0x00}) is, in hexadecimal,
//
//	02 33 31 30 30 30 30 00   "310000"
//	03 00 00 00 00 00 00 00 07   7
//	01 AB 00 FF 00   AB 00
//
// [ParseKey] gives the parts back.
func Key(parts ...any) []byte {
	size := 0
	for _, part := range parts {
		size += sizeOf(part)
	}
	key := make([]byte, 0, size)
	for _, part := range parts {
		key = appendPart(key, part)
	}
	return key
}

// sizeOf is how long a part is, if it has no zeros that are written as two bytes.
func sizeOf(part any) int {
	switch part := part.(type) {
	case string:
		return len(part) + 2
	case []byte:
		return len(part) + 2
	case uint64:
		return 9
	}
	return 18 // an id of 16 bytes
}

func appendPart(key []byte, part any) []byte {
	switch part := part.(type) {
	case string:
		return appendText(append(key, tagString), part)
	case []byte:
		return appendText(append(key, tagBytes), part)
	case uint64:
		return binary.BigEndian.AppendUint64(append(key, tagUint), part)
	}
	v := reflect.ValueOf(part)
	switch v.Kind() {
	case reflect.String:
		return appendText(append(key, tagString), v.String())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return binary.BigEndian.AppendUint64(append(key, tagUint), v.Uint())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendText(append(key, tagBytes), v.Bytes())
		}
	case reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			content := make([]byte, v.Len())
			reflect.Copy(reflect.ValueOf(content), v)
			return appendText(append(key, tagBytes), content)
		}
	}
	panic(fmt.Sprintf("kv: %T cannot be part of a key", part))
}

func appendText[T string | []byte](key []byte, text T) []byte {
	from := 0
	for i := range len(text) {
		if text[i] == 0 {
			key = append(append(key, text[from:i+1]...), 0xFF)
			from = i + 1
		}
	}
	return append(append(key, text[from:]...), 0)
}

// ParseKey gives the parts of a key as []byte, string and uint64. It accepts
// exactly what Key makes: Key(parts...) is b again.
func ParseKey(b []byte) ([]any, error) {
	var parts []any
	for rest := b; len(rest) > 0; {
		tag := rest[0]
		rest = rest[1:]
		switch tag {
		case tagUint:
			if len(rest) < 8 {
				return nil, fmt.Errorf("key %x: integer of %d bytes, want 8", b, len(rest))
			}
			parts = append(parts, binary.BigEndian.Uint64(rest))
			rest = rest[8:]
		case tagBytes, tagString:
			content, after, err := cutText(rest)
			if err != nil {
				return nil, fmt.Errorf("key %x: %w", b, err)
			}
			if tag == tagString {
				parts = append(parts, string(content))
			} else {
				parts = append(parts, content)
			}
			rest = after
		default:
			return nil, fmt.Errorf("key %x: unknown tag %02x", b, tag)
		}
	}
	return parts, nil
}

func cutText(b []byte) (content, rest []byte, err error) {
	content = []byte{}
	for {
		end := bytes.IndexByte(b, 0)
		if end < 0 {
			return nil, nil, errors.New("part has no end")
		}
		content = append(content, b[:end]...)
		b = b[end+1:]
		if len(b) == 0 || b[0] != 0xFF {
			return content, b, nil
		}
		content = append(content, 0)
		b = b[1:]
	}
}

// Prefix is the range of all keys whose tuple begins with the tuple of key, key
// itself included; Limit is the caller's to set. No such key continues with 0xFF
// after the tuple, while a longer text part that merely begins with the same
// bytes does, and is left out.
func Prefix(key []byte) Range {
	if len(key) == 0 {
		return Range{}
	}
	return Range{From: bytes.Clone(key), To: append(bytes.Clone(key), 0xFF)}
}
