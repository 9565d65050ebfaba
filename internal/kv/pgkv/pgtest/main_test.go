package pgtest_test

import (
	"testing"

	"bajigong/internal/needed"
)

func TestMain(m *testing.M) {
	needed.FilesInMemory()
	m.Run()
}
