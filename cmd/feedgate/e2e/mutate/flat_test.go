package mutate

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// reading is what a process uses, the least of several looks.
type reading struct {
	rss        int64 // bytes
	heap       int64 // bytes, at which the next collection begins: twice what the last one has left
	fds        int
	goroutines int
}

func (r reading) String() string {
	return fmt.Sprintf("RSS %.1f MiB, heap %.1f MiB, %d descriptors, %d goroutines", float64(r.rss)/(1<<20), float64(r.heap)/(1<<20), r.fds, r.goroutines)
}

var (
	goroutinesLine = regexp.MustCompile(`(?m)^go_goroutines (\S+)$`)
	heapLine       = regexp.MustCompile(`(?m)^go_memstats_next_gc_bytes (\S+)$`)
)

// look reads /proc and the admin address.
func look(t testing.TB, p *testkit.Process) reading {
	t.Helper()
	var r reading
	dir := fmt.Sprintf("/proc/%d", p.PID())
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		t.Fatalf("the gateway is gone: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("the gateway is gone: no VmRSS: %v", err)
	}
	r.rss = kib << 10
	fds, err := os.ReadDir(dir + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	r.fds = len(fds)
	metrics, err := p.Get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	r.goroutines, r.heap = int(number(t, metrics, goroutinesLine)), number(t, metrics, heapLine)
	return r
}

func number(t testing.TB, metrics []byte, line *regexp.Regexp) int64 {
	t.Helper()
	found := line.FindSubmatch(metrics)
	if found == nil {
		t.Fatalf("no %v at the admin address", line)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return int64(n)
}

func (r reading) least(o reading) reading {
	if r.fds == 0 {
		return o
	}
	return reading{min(r.rss, o.rss), min(r.heap, o.heap), min(r.fds, o.fds), min(r.goroutines, o.goroutines)}
}

// rest is the least of a few looks.
func rest(t testing.TB, p *testkit.Process) (least reading) {
	t.Helper()
	for range testkit.Form(3, 10) {
		least = least.least(look(t, p))
		time.Sleep(10 * time.Millisecond)
	}
	return least
}

// settled looks until there are at most so many descriptors and goroutines, or Patience is over: a
// gateway that nobody answers dials all the time, and each dial has goroutines, but a leak never goes.
func settled(t testing.TB, p *testkit.Process, fds, goroutines int) (least reading) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < testkit.Patience; time.Sleep(10 * time.Millisecond) {
		least = least.least(look(t, p))
		if least.fds <= fds && least.goroutines <= goroutines {
			return least
		}
	}
	t.Errorf("descriptors or goroutines are left: %v, more than %d and %d", least, fds, goroutines)
	return least
}

// comparable is the least number of connections of which the first can be compared with the last.
const comparable = 1000

// watch looks at a process until made reaches total, and returns the least of the second tenth of
// that and of the last tenth: a heap breathes, and a dial or a write of the state is on its way at
// times.
func watch(t testing.TB, p *testkit.Process, total int64, made func() int64) (early, late reading) {
	t.Helper()
	stuck, at := time.Now(), int64(0)
	for n := made(); n < total; n = made() {
		if !p.Running() {
			t.Fatalf("the gateway ended with status %d, after %d connections", p.Status(), n)
		}
		if n != at {
			stuck, at = time.Now(), n
		}
		if time.Since(stuck) > testkit.Patience {
			t.Fatalf("no connection comes after %d", n)
		}
		switch {
		case total < comparable: // a look takes the gateway time
		case n >= total/10 && n < total/5:
			early = early.least(look(t, p))
		case n >= total-total/10:
			late = late.least(look(t, p))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return early, late
}

// flat fails if late is more than early: the heap beyond a tenth and 2 MiB, RSS beyond a tenth and
// the 8 MiB that a heap takes until it has found its size, and the rest beyond what a dial of
// each gateway takes. The race detector has memory of its own for each page that was ever touched: there
// RSS tells nothing.
func flat(t testing.TB, early, late reading) {
	t.Helper()
	if early.fds == 0 || late.fds == 0 {
		t.Fatal("too few connections to compare what the process uses")
	}
	if late.heap > early.heap+early.heap/10+2<<20 || *plain && late.rss > early.rss+early.rss/10+8<<20 {
		t.Errorf("memory grows: %v, then %v", early, late)
	}
	if late.fds > early.fds+gateways || late.goroutines > early.goroutines+2*gateways {
		t.Errorf("descriptors or goroutines grow: %v, then %v", early, late)
	}
}
