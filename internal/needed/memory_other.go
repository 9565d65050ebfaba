//go:build !linux

package needed

// FilesInMemory does nothing here.
func FilesInMemory() {}
