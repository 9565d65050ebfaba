package credentials

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxPrivateFile bounds what is read of a file in the ring.
const maxPrivateFile = 1 << 20

func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, badRing("%s is missing or cannot be read", filepath.Base(path)).Because(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, badRing("%s cannot be read", filepath.Base(path)).Because(err)
	}
	if err := ownerOnly(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPrivateFile))
	if err != nil {
		return nil, badRing("%s cannot be read", filepath.Base(path)).Because(err)
	}
	return data, nil
}

// writePrivate replaces a file so that a crash leaves the old or the new one;
// that it is the new one needs syncDir too.
func writePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return fmt.Errorf("write key ring: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // renamed already when all went well
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	err = errors.Join(d.Sync(), d.Close())
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
