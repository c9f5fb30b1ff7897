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

// memoryGroup is a control group with a memory limit, made by a test below its own, which is
// therefore no freer than before.
type memoryGroup struct {
	t       *testing.T
	dir     string
	version int
}

// newMemoryGroup makes one for processes that this test starts after it.
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
	t.Skipf("no control group with a memory limit can be made here, which takes root or a delegated one: %v", errors.Join(faults...))
	return nil
}

// memoryParents are directories in which a group can be made, perhaps.
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
			// Version 2: a group with processes has no children with limits, unless it is the root,
			// but the one above it may have.
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
	// Not created where it is missing: this is no ordinary directory.
	err = set(filepath.Join(dir, file), limit)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	for _, swap := range []string{"memory.swap.max", "memory.memsw.limit_in_bytes"} { // not on every machine
		if g.version == 2 {
			limit = 0
		}
		_ = set(filepath.Join(dir, swap), limit)
	}
	t.Cleanup(func() {
		// The last process has ended, but not long ago.
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

// through starts a process in the group.
func (g *memoryGroup) through() []string {
	return []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, g.dir}
}

// kills is how many processes the kernel has killed for want of memory.
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
