package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"bajigong/internal/fail"
	"bajigong/internal/kv"
)

// A full disk is said in words, with what to do, and is no fault of the program: exit
// code 7, try again.
func TestFullDiskIsSaidInWords(t *testing.T) {
	for name, err := range map[string]error{
		"dump":    noRoom(&os.PathError{Op: "write", Path: "/b/x.part-1", Err: syscall.ENOSPC}),
		"quota":   noRoom(fmt.Errorf("sync: %w", syscall.EDQUOT)),
		"restore": storeFull(fmt.Errorf("%w: write", kv.ErrFull)),
	} {
		if e := fail.Of(err); exitCodes[e.Kind] != exitTemporary || !strings.Contains(e.ZH, "清理磁盘") || !strings.Contains(e.Text, "make room") {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if err := storeFull(nil); err != nil {
		t.Error(err)
	}
}
