package registry_test

import (
	"testing"

	"bajigong/internal/needed"
)

func TestMain(m *testing.M) {
	needed.HardlyAnyCollections()
	needed.FilesInMemory()
	m.Run()
}
