package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ballast is the file that fills a small disk.
const ballast = "ballast"

// fullDisk serves a copy from a disk of its own that is really full, asks for
// everything, makes room while it serves, and asks again: nobody restarts
// anything. What was acknowledged before and after has to be there.
func (f *faulty) fullDisk(ctx context.Context, dir string) error {
	unmount, err := smallDisk(ctx, dir, f.whole.storeSize()+40<<20)
	if err != nil {
		f.report.Full = "not tried: " + err.Error()
		return nil
	}
	defer unmount()
	p, err := copyPatient(f.whole, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	if err := fillDisk(filepath.Join(dir, ballast)); err != nil {
		return err
	}
	log := newServerLog()
	cmd, err := p.serveProcess(log)
	if err != nil {
		return err
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	server := &server{cmd: cmd, log: log, ended: make(chan struct{})}
	go server.wait()
	defer server.kill()
	site := f.site
	if site.URL, err = log.address(ctx, server.ended); err != nil {
		f.problem("on a full disk: %v", err) // it was full before it started: it has to say more than that
		return nil
	}
	var said bytes.Buffer
	refused := p.scene.WorkHTTP(ctx, site, &said)
	if refused.Refused["503 store_full"] == 0 {
		f.problem("a full disk refused nothing: %v", refused.Refused)
	}
	f.state(ctx, site, log, refused) // a small write may still find a free page
	if err := os.Remove(filepath.Join(dir, ballast)); err != nil {
		return err
	}
	after := p.scene.WorkHTTP(ctx, site, &said)
	if len(after.Refused) > 0 || after.Broken > 0 || len(after.Wrong) > 0 {
		f.problem("with room again it does not go on: %v %v", after.Refused, after.Wrong)
	}
	f.state(ctx, site, log, after)
	if err := server.stop(ctx); err != nil {
		f.problem("after a full disk: %v", err)
	}
	elsewhere, err := copyPatient(p, dir+"-after") // a check copies the store: it needs room of its own
	if err != nil {
		return err
	}
	report, err := elsewhere.verify(ctx, said.Bytes())
	if err != nil {
		return err
	}
	f.report.add(f.report.Runs, report)
	f.report.Full = fmt.Sprintf("%d refused, then room was made and everything was done", refused.Refused["503 store_full"])
	return nil
}

// smallDisk mounts a disk of so many bytes; only root may.
func smallDisk(ctx context.Context, dir string, size int64) (unmount func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0700", size), "bajigong-torture", dir).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("a small disk cannot be mounted here: %s", strings.TrimSpace(string(out)))
	}
	return func() { _ = exec.Command("umount", "-l", dir).Run() }, nil
}

// fillDisk writes a file until nothing more goes onto its disk.
func fillDisk(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	chunk := make([]byte, 64<<10)
	for n := len(chunk); n >= 512; {
		if _, err := file.Write(chunk[:n]); err != nil {
			n /= 2
		}
	}
	return nil
}
