package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the path of the module's root.
var root = filepath.Join("..", "..", "..")

// watchSources stats every source file of the binary under test, from within a test. The go command
// caches a result until a file that the tests have used changes, and it cannot see which files the
// build in TestMain reads.
var watchSources = sync.OnceValue(func() error {
	_, _ = os.Getenv(raceVariable), os.Getenv(binaryVariable)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unlessGone(err)
		}
		switch name := entry.Name(); {
		case entry.IsDir() && path != root && strings.HasPrefix(name, "."):
			return filepath.SkipDir
		case filepath.Ext(name) == ".go", name == "go.mod", name == "go.sum":
			_, err = os.Stat(path)
		}
		return unlessGone(err)
	})
})

// unlessGone drops the error of a file that an editor has just removed.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// underTest returns the path of the binary under test.
func underTest(t *testing.T) string {
	t.Helper()
	if err := watchSources(); err != nil {
		t.Fatal(err)
	}
	return executable
}
