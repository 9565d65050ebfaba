package web

import (
	"testing"

	"bajigong/internal/needed"
)

func TestMain(m *testing.M) {
	needed.FewCollections()
	needed.FilesInMemory()
	m.Run()
}
