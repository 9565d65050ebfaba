package fail

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCauseIsLoggedButNotShown(t *testing.T) {
	err := fmt.Errorf("reserve 1: %w", New(Conflict, "taken", "taken").In("已锁定").Because(errors.New("secret")))
	e := Of(err)
	if e.Kind != Conflict || e.ZH != "已锁定" || strings.Contains(e.Text, "secret") || !strings.Contains(err.Error(), "secret") {
		t.Fatalf("got %#v", e)
	}
	if !errors.Is(err, New(Conflict, "taken", "other words")) || errors.Is(err, New(Invalid, "taken", "")) {
		t.Fatal("Is must compare kind and code")
	}
}

func TestForeignErrorIsInternalWithFixedText(t *testing.T) {
	e := Of(errors.New("pq: password authentication failed for user x"))
	if e.Kind != Internal || strings.Contains(e.Text+e.ZH, "password") {
		t.Fatalf("got %#v", e)
	}
	if Of(nil) != nil || KindOf(nil) != "" || CodeOf(nil) != "" {
		t.Fatal("nil stays nil")
	}
}

func TestDerivedErrorsLeaveTheOriginalAlone(t *testing.T) {
	base := New(Invalid, "bad", "bad")
	a := base.At(Field{Name: "a"})
	_ = a.At(Field{Name: "b"})
	if len(base.Fields) != 0 || len(a.Fields) != 1 {
		t.Fatal("At must copy")
	}
}
