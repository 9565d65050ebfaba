package torture

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"bajigong/internal/fail"
)

// stringMax is the longest write, in bytes, that strace shows whole.
const stringMax = 4 << 20

// A Recorder records a running process.
type Recorder struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	read   chan struct{} // closed when the process has ended and all was read

	mu  sync.Mutex
	rec *Recording
	err error
	pid chan int
}

// Record starts cmd, which must not have been started, under strace, and watches
// the files in dir, an absolute path without symbolic links, and whatever cmd
// writes elsewhere in one piece. Its standard input, output and error stay as
// they are. Unavailable strace_missing: the machine has none; Wait says
// strace_denied when it may not trace.
func Record(cmd *exec.Cmd, dir string) (*Recorder, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return nil, fail.New(fail.Unavailable, "strace_missing", "recording what a process syncs needs strace (Debian: apt install strace)").
			In("记录进程的写盘与同步需要 strace（Debian：apt install strace）").Because(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	rec := &Recorder{cmd: cmd, read: make(chan struct{}), rec: &Recording{dir: hexOf(dir + "/"), pending: map[string]int{}}, pid: make(chan int, 1)}
	own := fmt.Sprintf("/proc/self/fd/%d", 3+len(cmd.ExtraFiles))
	cmd.Args = append([]string{strace, "-f", "--seccomp-bpf", "-y", "-xx", "-s", fmt.Sprint(stringMax), "-e", traced, "-e", "signal=none", "-o", own, "--", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = strace
	cmd.ExtraFiles = append(cmd.ExtraFiles, w)
	if cmd.Stderr == nil {
		cmd.Stderr = &rec.stderr
	} else {
		cmd.Stderr = io.MultiWriter(cmd.Stderr, &rec.stderr)
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go rec.listen(r)
	return rec, nil
}

// listen keeps reading when a line was not understood, or the process would
// stand still with its pipe full.
func (r *Recorder) listen(from *os.File) {
	defer close(r.read)
	defer close(r.pid)
	defer from.Close()
	lines := bufio.NewReaderSize(from, 1<<20)
	for told := false; ; {
		line, err := lines.ReadString('\n')
		r.mu.Lock()
		if line != "" && r.err == nil {
			r.err = r.rec.add(line)
		}
		if !told && r.rec.pid != 0 {
			told = true
			r.pid <- r.rec.pid
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Process is the recorded process itself, for signals; nil when it never began.
func (r *Recorder) Process() *os.Process {
	pid, ok := <-r.pid
	if !ok {
		return nil
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	return p
}

// Wait returns the recording when the process has ended. Its exit code is an
// error, unless the process was ended by a signal.
func (r *Recorder) Wait(ctx context.Context) (*Recording, error) {
	select {
	case <-r.read:
	case <-ctx.Done():
		if p := r.Process(); p != nil {
			_ = p.Kill()
		}
		<-r.read
	}
	err := r.cmd.Wait()
	if r.rec.Len() == 0 {
		return nil, fail.New(fail.Unavailable, "strace_denied", "strace may not trace here: %.200s", r.stderr.String()).
			In("本机不允许 strace 跟踪进程：%.200s", r.stderr.String()).Because(err)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		err = nil
	}
	return r.rec, errors.Join(r.err, err, ctx.Err())
}
