//go:build !unix

package credentials

import "io/fs"

// ownerOnly: there are no permission bits to look at here; the directory must
// be protected by the system's own means.
func ownerOnly(string, fs.FileInfo) error { return nil }
