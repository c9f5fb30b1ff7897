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

// root is the module's, seen from this package.
var root = filepath.Join("..", "..", "..")

// watchSources looks at every source of the binary under test from within a
// test. The go command reuses a result until a file that the tests have looked
// at changes, and it cannot see what the build in TestMain reads.
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

// unlessGone drops the error of a file that an editor has just taken away.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// underTest is the binary's path.
func underTest(t *testing.T) string {
	t.Helper()
	if err := watchSources(); err != nil {
		t.Fatal(err)
	}
	return executable
}
