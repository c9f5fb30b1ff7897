package cgroup

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// Lines of mountinfo.
const (
	root   = "23 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
	v2     = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	v1     = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	v1CPU  = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
	hybrid = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	docker = "35 31 0:32 /docker/c0ffee /sys/fs/cgroup/memory ro,nosuid master:9 - cgroup cgroup rw,memory\n"
)

const noLimit = "9223372036854771712\n" // in version 1

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	files := func(of ...string) map[string]string { // name, contents, ...
		m := make(map[string]string)
		for i := 0; i < len(of); i += 2 {
			m["sys/fs/cgroup/"+of[i]] = of[i+1]
		}
		return m
	}
	for _, c := range []struct {
		name          string
		cgroup, mount string
		files         map[string]string
		want          int64
	}{
		{"v2", "0::/a.slice/b.service\n", root + v2, files("a.slice/memory.max", "max\n", "a.slice/b.service/memory.max", "67108864\n"), 64 * mib},
		{"v2, the parent's is lower", "0::/a.slice/b.service\n", root + v2,
			files("a.slice/memory.max", "33554432\n", "a.slice/b.service/memory.max", "67108864\n"), 32 * mib},
		{"v2, the grandparent's alone", "0::/a/b/c\n", root + v2, files("a/memory.max", "33554432\n", "a/b/memory.max", "max\n", "a/b/c/memory.max", "max\n"), 32 * mib},
		{"v2, another group's", "0::/a\n", root + v2, files("a/memory.max", "max\n", "a/b/memory.max", "1048576\n", "ab/memory.max", "1048576\n"), 0},
		{"v2, high is lower", "0::/a\n", root + v2, files("a/memory.max", "67108864\n", "a/memory.high", "33554432\n"), 32 * mib},
		{"v2, high is higher", "0::/a\n", root + v2, files("a/memory.max", "67108864\n", "a/memory.high", "max\n"), 64 * mib},
		{"v2, no limit", "0::/a\n", root + v2, files("a/memory.max", "max\n", "a/memory.high", "max\n"), 0},
		{"v2, no memory controller", "0::/a\n", root + v2, files("a/cgroup.procs", "1\n"), 0},
		{"v2, the namespace of a container", "0::/\n", root + v2, files("memory.max", "67108864\n"), 64 * mib},
		{"v2, a group in a container", "0::/inner\n", root + v2, files("memory.max", "67108864\n", "inner/memory.max", "max\n"), 64 * mib},
		{"v2, the host's path in a container", "0::/system.slice/docker-1.scope\n",
			root + strings.Replace(v2, "/ /sys", "/system.slice/docker-1.scope /sys", 1), files("memory.max", "67108864\n"), 64 * mib},
		{"v2, outside of the namespace", "0::/../other\n", root + v2, files("memory.max", "67108864\n", "other/memory.max", "1048576\n"), 64 * mib},
		{"v2, mounted outside of the namespace", "0::/\n", root + strings.Replace(v2, "/ /sys", "/../.. /sys", 1), files("memory.max", "67108864\n"), 64 * mib},
		{"v2, colons in the path", "0::/kubepods.slice:cri-containerd:e7\n", root + v2, files("kubepods.slice:cri-containerd:e7/memory.max", "67108864\n"), 64 * mib},
		{"v2, also bound elsewhere", "0::/a\n", root + strings.Replace(v2, "/ /sys/fs/cgroup", "/b /sys/fs/cgroup/elsewhere", 1) + v2,
			files("a/memory.max", "67108864\n", "elsewhere/memory.max", "1048576\n"), 64 * mib},
		{"v2, a blank in the mount point", "0::/a\n", root + strings.Replace(v2, "/sys/fs/cgroup", `/sys/fs/cgroup/my\040own`, 1),
			files("my own/a/memory.max", "67108864\n"), 64 * mib},
		{"v1", "4:memory:/a/b\n1:cpu:/x\n", root + v1CPU + v1, files("memory/a/memory.limit_in_bytes", noLimit, "memory/a/b/memory.limit_in_bytes", "67108864\n"), 64 * mib},
		{"v1, the parent's is lower", "4:memory:/a/b\n", root + v1,
			files("memory/a/memory.limit_in_bytes", "33554432\n", "memory/a/b/memory.limit_in_bytes", "67108864\n"), 32 * mib},
		{"v1, no limit", "4:memory:/a\n", root + v1, files("memory/a/memory.limit_in_bytes", noLimit,
			"memory/a/memory.stat", "cache 4096\nhierarchical_memory_limit "+noLimit+"hierarchical_memsw_limit "+noLimit), 0},
		{"v1, a container", "4:memory:/docker/c0ffee\n", root + docker, files("memory/memory.limit_in_bytes", "67108864\n"), 64 * mib},
		{"v1, a pod's limit, unseen", "4:cpu,memory:/docker/c0ffee\n", root + docker, files("memory/memory.limit_in_bytes", noLimit,
			"memory/memory.stat", "cache 4096\nhierarchical_memory_limit 33554432\ntotal_cache 1\n"), 32 * mib},
		{"v1, the namespace of a container", "4:memory:/\n0::/\n", root + v1 + hybrid, files("memory/memory.limit_in_bytes", "67108864\n"), 64 * mib},
		{"hybrid", "4:memory:/a\n0::/a\n", root + v1 + hybrid, files("memory/a/memory.limit_in_bytes", "67108864\n", "unified/a/cgroup.procs", "1\n"), 64 * mib},
		{"not mounted", "0::/a\n", root, nil, 0},
		{"no control groups", "", root, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fstest.MapFS{}
			add := func(name, text string) { tree[name] = &fstest.MapFile{Data: []byte(text)} }
			add("proc/self/cgroup", c.cgroup)
			add("proc/self/mountinfo", c.mount)
			for name, text := range c.files {
				add(name, text)
			}
			got, err := memoryLimit(tree)
			if err != nil || got != c.want {
				t.Fatalf("%d, %v; want %d", got, err, c.want)
			}
		})
	}
}

func TestMemoryLimitWithoutProc(t *testing.T) {
	if got, err := memoryLimit(fstest.MapFS{}); got != 0 || err != nil {
		t.Fatalf("%d, %v; want none", got, err)
	}
}

// TestMemoryLimitUnreadable: a file with unknown contents is an error that names it.
func TestMemoryLimitUnreadable(t *testing.T) {
	for name, change := range map[string]string{
		"proc/self/cgroup":                   "nonsense\n",
		"proc/self/mountinfo":                "nonsense\n",
		"sys/fs/cgroup/a/memory.max":         "lots\n",
		"sys/fs/cgroup/a/memory.high":        "\n",
		"sys/fs/cgroup/memory/b/memory.stat": "hierarchical_memory_limit lots\n",
	} {
		tree := fstest.MapFS{}
		for name, text := range map[string]string{
			"proc/self/cgroup": "0::/a\n4:memory:/b\n", "proc/self/mountinfo": v2 + v1, name: change,
		} {
			tree[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if _, err := memoryLimit(tree); err == nil || !strings.Contains(err.Error(), "/"+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMemoryLimitHere: the limit of this process can be read.
func TestMemoryLimitHere(t *testing.T) {
	limit, err := MemoryLimit()
	if err != nil || limit < 0 {
		t.Fatal(limit, err)
	}
	if _, err := fs.Stat(os.DirFS("/"), "proc/self/cgroup"); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d", limit)
}
