package sink

import (
	"cmp"
	"os"
	"path/filepath"

	"feedgate/worker/durable"
)

// SameFile reports whether two sinks write to the same file, by whatever names and links, also if
// it does not exist yet. Each needs a file of its own.
func (t Target) SameFile(other Target) bool {
	if t.File == "" || other.File == "" {
		return false
	}
	infoA, errA := os.Stat(t.File)
	infoB, errB := os.Stat(other.File)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	// If only one of them exists, they are two files.
	return errA != nil && errB != nil && destination(t.File) == destination(other.File)
}

// destination returns where a file that does not exist would be created: path with its symbolic
// links followed.
func destination(path string) string {
	if target, err := durable.Follow(path); err == nil {
		path = target
	}
	dir, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(cmp.Or(dir, ".")); err == nil {
		dir = real
	}
	whole, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return path
	}
	return whole
}
