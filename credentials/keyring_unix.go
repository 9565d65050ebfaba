//go:build unix

package credentials

import (
	"io/fs"

	"bajigong/internal/fail"
)

// ownerOnly refuses what the group or the world can read, write or enter.
func ownerOnly(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fail.New(fail.Forbidden, "key_ring_open_to_others",
			"%s can be used by others than its owner (mode %04o); set it right with: chmod go= %s", path, mode, path).
			In("%s 的权限 %04o 允许他人访问；请执行：chmod go= %s", path, mode, path)
	}
	return nil
}
