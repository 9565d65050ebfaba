//go:build unix && !solaris && !illumos && !aix

package credentials

import (
	"os"
	"syscall"
)

// lockDir keeps other processes from changing the ring until unlock; the
// system releases the lock if the process dies.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = d.Close()
		return nil, err
	}
	return func() { _ = d.Close() }, nil
}
