//go:build !linux && !darwin

package boltkv

func FreeSpace(string) (free uint64, known bool) { return 0, false }
