// Package fail is the one error type of bajigong.
//
// An error that a person or a program outside may see is made with [New]: it
// has a [Kind], which alone decides the HTTP status and the exit code, a stable
// machine code in snake_case, and a text that is safe to show. A cause that is
// only for the operator's log is attached with [Error.Because].
//
//	return fail.New(fail.Conflict, "session_closed", "session %s is already archived", id).
//		In("认定批次 %s 已归档", id)
//
// Everything that is not made here is [Internal] and is shown with a fixed text.
// Expected outcomes (a voided certificate, a refused claim) are values, not errors.
package fail

import (
	"errors"
	"fmt"
)

// Kind classes errors by what the caller can do about them.
type Kind string

// The kinds. web/errors.go has one HTTP status for each and cmd/bajigong one
// exit code; tests fail when a kind has none.
const (
	Invalid      Kind = "invalid"      // the input is wrong; Fields and Rows say where
	Unauthorized Kind = "unauthorized" // nobody, or nobody known, is asking
	Forbidden    Kind = "forbidden"    // known, but not allowed
	NotFound     Kind = "not_found"    // no such record, or none that may be seen
	Conflict     Kind = "conflict"     // the record's state does not allow it
	TooLarge     Kind = "too_large"    // over a documented limit
	RateLimited  Kind = "rate_limited" // later; the answer says when
	Unavailable  Kind = "unavailable"  // the store cannot be asked or written now; safe to repeat
	Internal     Kind = "internal"     // our fault; the cause is in the log
)

// Kinds lists every kind, for the tests that hold the tables built on them.
func Kinds() []Kind {
	return []Kind{Invalid, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Unavailable, Internal}
}

// A Field is one thing wrong with the input: where, and what would be right.
// Row is the 1-based row of an uploaded file as a spreadsheet counts it (the
// header is row 1), or 0. Value must never carry personal data in full.
type Field struct {
	Name string `json:"field"`
	Row  int    `json:"row,omitempty"`
	Code string `json:"code"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// Error is the one error type. Text is English, ZH Chinese; both are safe to show.
type Error struct {
	Kind   Kind
	Code   string
	Text   string
	ZH     string
	Fields []Field
	cause  error
}

// New returns an error with an English text made from format.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Text: fmt.Sprintf(format, args...)}
}

// In returns e with the Chinese text made from format.
func (e *Error) In(format string, args ...any) *Error {
	c := *e
	c.ZH = fmt.Sprintf(format, args...)
	return &c
}

// At returns e with fields added.
func (e *Error) At(fields ...Field) *Error {
	c := *e
	c.Fields = append(append([]Field(nil), e.Fields...), fields...)
	return &c
}

// Because returns e with a cause that is logged and never shown.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Error is for logs: it includes the cause.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Text
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is an *Error of the same kind and code, so that a
// package variable made by New serves errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code
}

// Of returns the *Error inside err, or an Internal one with a fixed text that
// wraps err. Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return (&Error{
		Kind: Internal, Code: "internal",
		Text: "the request could not be answered; nothing was half done, and it is safe to repeat it",
		ZH:   "暂时无法答复；未留下半成品数据，可以放心重试",
	}).Because(err)
}

// KindOf returns the kind of err; it is empty for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	return Of(err).Kind
}

// CodeOf returns the machine code of err; it is empty for nil.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	return Of(err).Code
}
