package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine returns what the figures depend on. Unknown fields stay empty.
func machine() Meta {
	m := Meta{
		Machine:    procField("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		Congestion: procText("/proc/sys/net/ipv4/tcp_congestion_control"),
		Go:         runtime.Version(),
		Began:      time.Now().UTC().Truncate(time.Second),
	}
	kib, _, _ := strings.Cut(procField("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.Atoi(kib); err == nil {
		m.MemoryMB = n / 1024
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return m
}

func procText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// procField returns the value of the first line "name : value" of a file.
func procField(path, name string) string {
	for line := range strings.Lines(procText(path)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
