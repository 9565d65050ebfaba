//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// ownGroup does nothing here.
func ownGroup(*exec.Cmd) {}

// killGroup ends cmd.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// terminate asks cmd to end.
func terminate(cmd *exec.Cmd) error { return cmd.Process.Signal(os.Interrupt) }
