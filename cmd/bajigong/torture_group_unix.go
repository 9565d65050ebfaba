//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// ownGroup gives a command a process group, so that it ends with what it started.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends it.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// terminate asks the process that cmd started, or cmd itself when it started none,
// to end.
func terminate(cmd *exec.Cmd) error {
	pid := cmd.Process.Pid
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)); err == nil {
		if first, _, _ := strings.Cut(strings.TrimSpace(string(b)), " "); first != "" {
			if pid, err = strconv.Atoi(first); err != nil {
				return err
			}
		}
	}
	return syscall.Kill(pid, syscall.SIGTERM)
}
