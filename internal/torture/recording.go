package torture

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// callKind is what a system call does, as far as it matters here.
type callKind uint8

const (
	callWrite    callKind = iota + 1 // bytes at an offset of a file, or after the last ones
	callTruncate                     // a new size
	callSync                         // fsync or fdatasync
	callCreate                       // open with O_TRUNC: the file is empty
	callRename
)

// A call is one system call of the recorded process. It entered the kernel at
// begin and had returned at end, positions in the recording.
type call struct {
	kind       callKind
	fd         int
	file       string // absolute path; for rename the old name
	to         string // the new name
	data       []byte
	at         int64 // offset; -1 after what was written before
	size       int64
	begin, end int // end is never for a call that did not return
}

const never = int(^uint(0) >> 1)

// A Recording is what a process wrote and synced, in order.
type Recording struct {
	calls   []call
	dir     string         // files outside it do not matter, as strace writes it
	pending map[string]int // by thread: the call that has not returned
	length  int            // positions so far
	pid     int
	left    map[string]int // see answers; once the recording is whole
}

// Len is the number of positions of the recording: a cut is before one of them.
func (r *Recording) Len() int { return r.length }

// traced are the system calls that strace shows: all that can change a file or
// say something, so that one that is not understood here cannot be overlooked.
// A name with ? may be missing on some machines.
const traced = "trace=write,pwrite64,writev,pwritev,?pwritev2,ftruncate,?truncate,fallocate,fsync,fdatasync,?sync_file_range," +
	"?rename,?renameat,?renameat2,?unlink,?unlinkat,openat,?open,mmap,?copy_file_range,?sendfile,?splice,?io_uring_setup"

// add reads one line of strace -f -y -xx.
func (r *Recording) add(line string) error {
	thread, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
	rest = strings.TrimSpace(rest)
	if !ok || strings.HasPrefix(rest, "+++") || strings.HasPrefix(rest, "---") {
		return nil
	}
	if r.pid == 0 {
		r.pid, _ = strconv.Atoi(thread)
	}
	r.length++
	if name, ok := strings.CutPrefix(rest, "<... "); ok {
		return r.resume(thread, name)
	}
	name, rest, ok := strings.Cut(rest, "(")
	if !ok {
		return fmt.Errorf("line of strace not understood: %.80s", line)
	}
	args, unfinished := strings.CutSuffix(rest, " <unfinished ...>")
	result := ""
	if !unfinished {
		if args, result, ok = cutResult(rest); !ok {
			return fmt.Errorf("line of strace not understood: %.80s", line)
		}
	}
	c, err := parseCall(name, args)
	if err != nil && (name == "write" || strings.Contains(args, r.dir)) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if c == nil {
		return nil
	}
	c.begin, c.end = r.length-1, never
	r.calls = append(r.calls, *c)
	if unfinished {
		r.pending[thread] = len(r.calls) - 1
		return nil
	}
	return r.calls[len(r.calls)-1].returned(r.length-1, result)
}

func (r *Recording) resume(thread, rest string) error {
	at, ok := r.pending[thread]
	if !ok {
		return nil // of a call that does not matter
	}
	delete(r.pending, thread)
	_, result, ok := cutResult(rest)
	if !ok {
		return fmt.Errorf("line of strace not understood: %.80s", rest)
	}
	return r.calls[at].returned(r.length-1, result)
}

// cutResult takes "args)   = result" apart. A result may have brackets of its own.
func cutResult(text string) (args, result string, ok bool) {
	at := strings.LastIndex(text, " = ")
	if at < 0 {
		return "", "", false
	}
	args, ok = strings.CutSuffix(strings.TrimRight(text[:at], " "), ")")
	return args, text[at+len(" = "):], ok
}

// returned notes what the kernel answered. Of a call that failed nothing is
// sure: it stays as one that never returned, which a cut may or may not see.
func (c *call) returned(at int, result string) error {
	value, _, _ := strings.Cut(strings.TrimSpace(result), " ")
	value, _, _ = strings.Cut(value, "<")
	if value == "?" {
		return nil // killed inside
	}
	n, err := strconv.ParseInt(value, 0, 64)
	if err != nil {
		return fmt.Errorf("result %q of a system call", result)
	}
	if n < 0 {
		return nil
	}
	if c.kind == callWrite {
		if n > int64(len(c.data)) {
			return fmt.Errorf("%d bytes written of %d", n, len(c.data))
		}
		c.data = c.data[:n]
	}
	c.end = at
	return nil
}

// parseCall reads the arguments; nil for a call that touches no file.
func parseCall(name, text string) (*call, error) {
	args := strings.Split(text, ", ") // strings are hexadecimal: they have no comma
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch name {
	case "write", "pwrite64":
		c, err := onFile(callWrite, arg(0))
		if err != nil {
			return nil, err
		}
		if c.data, err = hexString(arg(1)); err != nil {
			return nil, err
		}
		c.at = -1
		if name == "pwrite64" {
			c.at, err = strconv.ParseInt(arg(3), 10, 64)
		}
		return c, err
	case "ftruncate":
		c, err := onFile(callTruncate, arg(0))
		if err == nil {
			c.size, err = strconv.ParseInt(arg(1), 10, 64)
		}
		return c, err
	case "fsync", "fdatasync":
		return onFile(callSync, arg(0))
	case "openat":
		if !strings.Contains(arg(2), "O_TRUNC") {
			return nil, nil
		}
		path, err := pathAt(arg(0), arg(1))
		return &call{kind: callCreate, file: path}, err
	case "rename":
		return renamed(arg(0), "", arg(1), "")
	case "renameat", "renameat2":
		return renamed(arg(1), arg(0), arg(3), arg(2))
	case "mmap":
		if strings.Contains(arg(3), "MAP_SHARED") && strings.Contains(arg(2), "PROT_WRITE") && !strings.Contains(arg(3), "MAP_ANONYMOUS") {
			return nil, errors.New("writes through a memory map cannot be recorded")
		}
		return nil, nil
	case "unlink", "unlinkat", "open":
		return nil, nil // a file that is gone is not asked for; Go opens with openat
	}
	return nil, errors.New("this system call is not understood")
}

func onFile(kind callKind, text string) (*call, error) {
	number, path, _ := strings.Cut(text, "<")
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("file descriptor %.40q", text)
	}
	name, err := unhex(strings.TrimSuffix(path, ">"))
	return &call{kind: kind, fd: fd, file: string(name)}, err
}

func renamed(old, oldDir, to, toDir string) (*call, error) {
	from, err := pathAt(oldDir, old)
	if err != nil {
		return nil, err
	}
	target, err := pathAt(toDir, to)
	return &call{kind: callRename, file: from, to: target}, err
}

// pathAt is the absolute path of an argument, relative to dir as strace shows it.
func pathAt(dir, text string) (string, error) {
	b, err := hexString(text)
	if err != nil || strings.HasPrefix(string(b), "/") {
		return string(b), err
	}
	_, base, ok := strings.Cut(dir, "<")
	if !ok {
		return "", fmt.Errorf("relative path in a directory that strace did not name")
	}
	d, err := unhex(strings.TrimSuffix(base, ">"))
	return string(d) + "/" + string(b), err
}

func hexString(text string) ([]byte, error) {
	inner, ok := strings.CutPrefix(text, `"`)
	if !ok || !strings.HasSuffix(inner, `"`) {
		return nil, errors.New("a string was cut short by strace")
	}
	return unhex(strings.TrimSuffix(inner, `"`))
}

// hexOf is text as strace -xx writes it.
func hexOf(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		fmt.Fprintf(&out, `\x%02x`, b)
	}
	return out.String()
}

func unhex(text string) ([]byte, error) {
	digits := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); i += 4 {
		if i+4 > len(text) || text[i] != '\\' || text[i+1] != 'x' {
			return nil, fmt.Errorf("%.40q is not hexadecimal", text)
		}
		digits = append(digits, text[i+2], text[i+3])
	}
	_, err := hex.Decode(digits, digits)
	return digits[:len(digits)/2], err
}

// Said is what the process had begun to write to file descriptor fd before a
// position: from then on somebody may have read it.
func (r *Recording) Said(fd, before int) []byte {
	var out []byte
	for _, c := range r.calls {
		if c.kind == callWrite && c.fd == fd && c.begin < before {
			out = append(out, c.data...)
		}
	}
	return out
}

// Found are the positions after which a write that begins with prefix began,
// such as the answers of a server.
func (r *Recording) Found(prefix string) (out []int) {
	for _, c := range r.calls {
		if c.kind == callWrite && strings.HasPrefix(string(c.data), prefix) {
			out = append(out, c.begin+1)
		}
	}
	return out
}

// writes are the positions after which a write to file, or a sync of it, began.
func (r *Recording) writes(file string) (out []int) {
	for _, c := range r.calls {
		if c.file == file && (c.kind == callWrite || c.kind == callSync || c.kind == callTruncate) {
			out = append(out, c.begin+1)
		}
	}
	return out
}

// synced is the position before which every finished change of file is durable
// at a cut: where the last sync that had returned by then began.
func (r *Recording) synced(file string, cut int) int {
	at := 0
	for _, c := range r.calls {
		if c.kind == callSync && c.file == file && c.end < cut {
			at = max(at, c.begin)
		}
	}
	return at
}

// Unsynced counts the changes of file that began before a position and were not
// durable then.
func (r *Recording) Unsynced(file string, before int) int {
	n, synced := 0, r.synced(file, before)
	for _, c := range r.calls {
		if c.file == file && (c.kind == callWrite || c.kind == callTruncate) && c.begin < before && c.end >= synced {
			n++
		}
	}
	return n
}

// Syncs counts the syncs of file that began at or after one position and had
// returned before another.
func (r *Recording) Syncs(file string, from, before int) (n int) {
	for _, c := range r.calls {
		if c.kind == callSync && c.file == file && c.begin >= from && c.end < before {
			n++
		}
	}
	return n
}

// Replaced is the newest content that was renamed to path before a position, nil
// when none was. It is an error when that content was not synced before it was
// renamed: then a power cut could have left anything there.
func (r *Recording) Replaced(path string, before int) ([]byte, error) {
	var last *call
	for i := range r.calls {
		if c := &r.calls[i]; c.kind == callRename && c.to == path && c.begin < before && (last == nil || c.begin > last.begin) {
			last = c
		}
	}
	if last == nil {
		return nil, nil
	}
	if n := r.Unsynced(last.file, last.begin); n > 0 {
		return nil, fmt.Errorf("%s was renamed to %s with %d writes that were not synced", last.file, path, n)
	}
	var content []byte
	for _, c := range r.calls {
		switch {
		case c.file != last.file || c.begin > last.begin:
		case c.kind == callCreate:
			content = nil
		case c.kind == callWrite && c.at < 0:
			content = append(content, c.data...)
		case c.kind == callWrite || c.kind == callTruncate:
			return nil, fmt.Errorf("%s is not written from its beginning to its end", last.file)
		}
	}
	return slices.Clip(content), nil
}
