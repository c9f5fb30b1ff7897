// Package cgroup reads the memory limit of the process's control groups, version 1 and 2, inside and
// outside of containers.
//
// github.com/KimMachineGun/automemlimit v0.7.5 also walks up the tree, but it fails on a colon in a
// path (cri-containerd has them), ignores memory.high, and cannot be tested with trees of files.
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

// MemoryLimit returns the lowest memory limit, in bytes, of the process's control group and its
// visible ancestors; 0: no limit.
//
// In version 2, memory.high counts as well as memory.max: above it, the kernel does not kill a
// process, but slows it down until it hardly runs.
func MemoryLimit() (int64, error) { return memoryLimit(os.DirFS("/")) }

// hierarchy is a tree of control groups that can limit memory.
type hierarchy struct {
	fsType string
	path   string   // of the process's group, from the root of its cgroup namespace
	limits []string // files of a directory that contain a limit
	stat   string   // key of a limit in memory.stat; empty: none
}

// memoryLimit is MemoryLimit in a file system, so that tests can provide one.
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

// unlimited is a lower bound of the number by which version 1 means no limit: the largest multiple of
// the page size in 63 bits.
const unlimited = 1 << 60

// findHierarchies reads /proc/self/cgroup (cgroups(7)): lines of ID:CONTROLLERS:PATH. The file is
// missing if the kernel has no control groups.
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
			// hierarchical_memory_limit includes the limits of invisible ancestors.
			all = append(all, hierarchy{fsType: "cgroup", path: fields[2],
				limits: []string{"memory.limit_in_bytes"}, stat: "hierarchical_memory_limit"})
		}
	}
	return all, nil
}

// mount makes a part of a hierarchy visible.
type mount struct {
	fsType string
	root   string // the group at point, from the root of the cgroup namespace
	point  string // the directory
}

// findMounts reads /proc/self/mountinfo (proc(5)), lines of ID PARENT DEV ROOT POINT OPTIONS TAG... -
// TYPE SOURCE SUPEROPTIONS, and returns the mounts of control groups that can limit memory.
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
		mounted, source := strings.Fields(before), strings.Fields(after)
		if len(mounted) < 6 || len(source) < 1 {
			return nil, fmt.Errorf("/proc/self/mountinfo: unknown line %q", line)
		}
		options := strings.Split(source[len(source)-1], ",")
		if source[0] == "cgroup2" || source[0] == "cgroup" && slices.Contains(options, "memory") {
			all = append(all, mount{source[0], unescape.Replace(mounted[3]), unescape.Replace(mounted[4])})
		}
	}
	return all, nil
}

// unescape reverses the escapes of the kernel's mangle_path.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// visible returns the mounts that contain the process's group. If none does, as for a process that
// has joined or left a namespace, it returns all mounts of the hierarchy, which contain at least some
// of the ancestors.
func (h *hierarchy) visible(mounts []mount) []mount {
	var containing, all []mount
	for _, m := range mounts {
		if m.fsType != h.fsType {
			continue
		}
		all = append(all, m)
		if _, ok := h.below(m); ok {
			containing = append(containing, m)
		}
	}
	if len(containing) > 0 {
		return containing
	}
	return all
}

// below returns the path from the mount's root to the process's group, "." if they are the same; false
// if the group is not below that root.
func (h *hierarchy) below(m mount) (string, bool) {
	rest, ok := strings.CutPrefix(path.Clean(h.path)+"/", strings.TrimSuffix(path.Clean(m.root), "/")+"/")
	if strings.HasPrefix(h.path, "/..") || strings.HasPrefix(m.root, "/..") {
		ok = false // outside the namespace
	}
	return path.Clean(rest), ok
}

// lowest returns the lowest limit from the process's group up to the mount point.
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

// limit returns the lowest limit of the group in one directory. The root group and groups without the
// memory controller have none of the files.
func (h *hierarchy) limit(root fs.FS, dir string) (int64, error) {
	lowest := int64(math.MaxInt64)
	apply := func(name, number string) error {
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
			err = apply(name, string(text))
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
			if err := apply("memory.stat", number); err != nil {
				return 0, err
			}
		}
	}
	return lowest, nil
}
