// Package cgroup reads the memory limit of the control groups that the process is in, of version
// 1 and 2, in a container or not.
//
// It is ours because github.com/KimMachineGun/automemlimit v0.7.5, which also walks up the tree,
// fails on a colon in a path (cri-containerd has them), knows no memory.high, and cannot be tested
// with trees of files.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// MemoryLimit is the lowest memory limit of the process's control group and of those above it,
// as far as they can be seen, in bytes; 0: there is none.
//
// In version 2, memory.high counts as well as memory.max. Above it, the kernel does not kill, but
// slows a process down until it hardly runs.
func MemoryLimit() (int64, error) { return memoryLimit(os.DirFS("/")) }

// hierarchy is one of the trees of control groups, of those that can limit memory.
type hierarchy struct {
	fsType string
	path   string // of the process's group, from the root of its cgroup namespace
	// limits are the files with a limit in each directory, and stat those with it behind a name.
	limits []string
	stat   string // a line of memory.stat; empty: none
}

// memoryLimit is MemoryLimit with the root directory as root.
func memoryLimit(root fs.FS) (int64, error) {
	hierarchies, err := findHierarchies(root)
	if err != nil {
		return 0, err
	}
	mounts, err := findMounts(root)
	if err != nil {
		return 0, err
	}
	lowest := int64(math.MaxInt64)
	for _, h := range hierarchies {
		for _, m := range h.visible(mounts) {
			limit, err := h.lowest(root, m)
			if err != nil {
				return 0, err
			}
			lowest = min(lowest, limit)
		}
	}
	if lowest >= unlimited {
		return 0, nil
	}
	return lowest, nil
}

// unlimited is at most what version 1 has for "no limit": the largest number of whole pages.
const unlimited = 1 << 60

// findHierarchies reads /proc/self/cgroup (cgroups(7)): lines of ID:CONTROLLERS:PATH. Where
// there are no control groups, there is no such file.
func findHierarchies(root fs.FS) (all []hierarchy, err error) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // a path can contain colons
		if len(fields) < 3 {
			return nil, fmt.Errorf("/proc/self/cgroup: unknown line %q", line)
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			all = append(all, hierarchy{fsType: "cgroup2", path: fields[2], limits: []string{"memory.max", "memory.high"}})
		case slices.Contains(strings.Split(fields[1], ","), "memory"):
			// The line of memory.stat has the limits of groups that cannot be seen, too.
			all = append(all, hierarchy{fsType: "cgroup", path: fields[2],
				limits: []string{"memory.limit_in_bytes"}, stat: "hierarchical_memory_limit"})
		}
	}
	return all, nil
}

// mount is where a part of a hierarchy can be seen.
type mount struct {
	fsType string
	root   string // the group at point, from the root of the cgroup namespace
	point  string
}

// findMounts reads /proc/self/mountinfo (proc(5)): ID PARENT DEV ROOT POINT OPTIONS TAG... - TYPE
// SOURCE SUPEROPTIONS, and picks what can limit memory.
func findMounts(root fs.FS) (all []mount, err error) {
	text, err := fs.ReadFile(root, "proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		where, what := strings.Fields(before), strings.Fields(after)
		if len(where) < 6 || len(what) < 1 {
			return nil, fmt.Errorf("/proc/self/mountinfo: unknown line %q", line)
		}
		options := strings.Split(what[len(what)-1], ",")
		if what[0] == "cgroup2" || what[0] == "cgroup" && slices.Contains(options, "memory") {
			all = append(all, mount{what[0], unescape.Replace(where[3]), unescape.Replace(where[4])})
		}
	}
	return all, nil
}

// unescape undoes the kernel's mangle_path.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// visible are the mounts below which the process's group can be seen. Where there is none, as
// for who has joined or left a namespace, all mounts have a part of the way up at least.
func (h *hierarchy) visible(mounts []mount) []mount {
	var own, all []mount
	for _, m := range mounts {
		if m.fsType != h.fsType {
			continue
		}
		all = append(all, m)
		if _, ok := h.below(m); ok {
			own = append(own, m)
		}
	}
	if len(own) > 0 {
		return own
	}
	return all
}

// below is the way from the mount's root to the group, "." where they are the same.
func (h *hierarchy) below(m mount) (string, bool) {
	rest, ok := strings.CutPrefix(path.Clean(h.path)+"/", strings.TrimSuffix(path.Clean(m.root), "/")+"/")
	if strings.HasPrefix(h.path, "/..") || strings.HasPrefix(m.root, "/..") {
		ok = false // outside of the namespace
	}
	return path.Clean(rest), ok
}

// lowest is the lowest limit from the group up to the mount point.
func (h *hierarchy) lowest(root fs.FS, m mount) (int64, error) {
	point := strings.TrimPrefix(path.Clean(m.point), "/")
	dir := point
	if rest, ok := h.below(m); ok {
		dir = path.Join(point, strings.TrimPrefix(rest, "/"))
	}
	lowest := int64(math.MaxInt64)
	for {
		limit, err := h.limit(root, dir)
		if err != nil {
			return 0, err
		}
		lowest = min(lowest, limit)
		if len(dir) <= len(point) {
			return lowest, nil
		}
		dir = path.Dir(dir)
	}
}

// limit is the lowest limit in one directory. A root group has none of the files, and nor has a
// group without the memory controller.
func (h *hierarchy) limit(root fs.FS, dir string) (int64, error) {
	lowest := int64(math.MaxInt64)
	read := func(name, number string) error {
		number = strings.TrimSpace(number)
		if number == "max" {
			return nil
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("/%s: not a number of bytes: %q", path.Join(dir, name), number)
		}
		lowest = min(lowest, n)
		return nil
	}
	for _, name := range h.limits {
		text, err := fs.ReadFile(root, path.Join(dir, name))
		if err == nil {
			err = read(name, string(text))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	if h.stat == "" {
		return lowest, nil
	}
	text, err := fs.ReadFile(root, path.Join(dir, "memory.stat"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if number, ok := strings.CutPrefix(line, h.stat+" "); ok {
			if err := read("memory.stat", number); err != nil {
				return 0, err
			}
		}
	}
	return lowest, nil
}
