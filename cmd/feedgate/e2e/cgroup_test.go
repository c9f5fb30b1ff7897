package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// memoryGroup is a control group with a memory limit. It is a child of the test's own group, so the
// limits of that hold as well.
type memoryGroup struct {
	t       *testing.T
	dir     string
	version int
}

// newMemoryGroup makes a group for processes that the test starts later.
func newMemoryGroup(t *testing.T, limit int) *memoryGroup {
	t.Helper()
	var faults []error
	for _, parent := range memoryParents(t) {
		g, err := makeMemoryGroup(t, parent, limit)
		if err == nil {
			return g
		}
		faults = append(faults, err)
	}
	t.Skipf("NOT TESTED: a control group with a memory limit requires root or a delegated group: %v", errors.Join(faults...))
	return nil
}

// memoryParents returns directories that may permit a new group.
func memoryParents(t *testing.T) (all []string) {
	t.Helper()
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skipf("no control groups here: %v", err)
	}
	for line := range strings.Lines(string(groups)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) < 3:
		case fields[1] == "memory":
			all = append(all, filepath.Join("/sys/fs/cgroup/memory", fields[2]))
		case fields[1] == "":
			// Version 2: except for the root, a group with processes has no children with limits. Its
			// parent may have.
			own := filepath.Join("/sys/fs/cgroup", fields[2])
			all = append(all, own, filepath.Dir(own))
		}
	}
	return all
}

func makeMemoryGroup(t *testing.T, parent string, limit int) (*memoryGroup, error) {
	dir, err := os.MkdirTemp(parent, "feedgate-accept-")
	if err != nil {
		return nil, err
	}
	g := &memoryGroup{t: t, dir: dir}
	file := "memory.limit_in_bytes"
	g.version = 1
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		file, g.version = "memory.max", 2
	}
	err = set(filepath.Join(dir, file), limit)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	for _, swap := range []string{"memory.swap.max", "memory.memsw.limit_in_bytes"} { // may not exist
		if g.version == 2 {
			limit = 0
		}
		_ = set(filepath.Join(dir, swap), limit)
	}
	t.Cleanup(func() {
		// The kernel may not have removed the last process yet.
		eventually(t, "the control group is empty", func() bool {
			err := os.Remove(dir)
			if err != nil && !errors.Is(err, syscall.EBUSY) {
				t.Fatal(err)
			}
			return err == nil
		})
	})
	return g, nil
}

func set(path string, n int) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(f, n)
	return errors.Join(err, f.Close())
}

// through returns a command that runs another one in the group; see launch.
func (g *memoryGroup) through() []string {
	return []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir}
}

// kills returns how many processes the kernel's OOM killer has killed.
func (g *memoryGroup) kills() int {
	g.t.Helper()
	file := map[int]string{1: "memory.oom_control", 2: "memory.events"}[g.version]
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, "oom_kill "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				g.t.Fatal(err)
			}
			return n
		}
	}
	g.t.Fatalf("no oom_kill in %s", file)
	return 0
}
