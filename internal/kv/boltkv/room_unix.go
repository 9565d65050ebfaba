//go:build linux || darwin

package boltkv

import "syscall"

// FreeSpace is how many bytes this process may still write into dir.
func FreeSpace(dir string) (free uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil || s.Bsize <= 0 {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
