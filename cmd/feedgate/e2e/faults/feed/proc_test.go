package feed

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage has figures of a gateway from /proc.
type usage struct {
	at  time.Time
	cpu time.Duration // user and system, in steps of 10 ms
	rss int64         // bytes
	fds int
}

// tick is the unit of /proc/PID/stat, 1/USER_HZ. USER_HZ is 100 on every machine that Go
// supports.
const tick = 10 * time.Millisecond

func (g *gateway) usage() (usage, error) {
	u := usage{at: time.Now()}
	dir := fmt.Sprintf("/proc/%d", g.PID())
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return u, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // fields[0] is field 3 of proc_pid_stat(5)
	for _, i := range []int{11, 12} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return u, err
	}
	_, rest, _ = strings.Cut(string(status), "VmRSS:")
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return u, fmt.Errorf("VmRSS: %w", err)
	}
	u.rss = kb << 10
	fds, err := os.ReadDir(dir + "/fd")
	u.fds = len(fds)
	return u, err
}

// mustUsage is usage, and fails the test if the gateway has ended.
func (g *gateway) mustUsage() usage {
	g.t.Helper()
	u, err := g.usage()
	if err != nil {
		g.t.Fatal(err)
	}
	return u
}

// load returns the share of one core used since before.
func (u usage) load(before usage) float64 {
	return (u.cpu - before.cpu).Seconds() / u.at.Sub(before.at).Seconds()
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
