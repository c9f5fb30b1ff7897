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

// reading is a sample of a process's resources, or the minimum of several.
type reading struct {
	rss        int64 // bytes
	heap       int64 // bytes at which the next collection starts: twice the live heap after the last one
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

// look takes a sample from /proc and the admin address.
func look(t testing.TB, p *testkit.Process) reading {
	t.Helper()
	var r reading
	dir := fmt.Sprintf("/proc/%d", p.PID())
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		t.Fatalf("the gateway has ended: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("the gateway has ended: no VmRSS: %v", err)
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

// rest returns the minimum of a few samples.
func rest(t testing.TB, p *testkit.Process) (least reading) {
	t.Helper()
	for range testkit.Form(3, 10) {
		least = least.least(look(t, p))
		time.Sleep(10 * time.Millisecond)
	}
	return least
}

// sampleWithin samples until descriptors and goroutines are within the limits, or Patience is over. A
// gateway without a server keeps dialing, and each dial has goroutines, but a leak never
// disappears.
func sampleWithin(t testing.TB, p *testkit.Process, fds, goroutines int) (least reading) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < testkit.Patience; time.Sleep(10 * time.Millisecond) {
		least = least.least(look(t, p))
		if least.fds <= fds && least.goroutines <= goroutines {
			return least
		}
	}
	t.Errorf("descriptors or goroutines leak: %v, more than %d and %d", least, fds, goroutines)
	return least
}

// comparable is the minimum number of connections for a comparison of early and late samples.
const comparable = 1000

// watch samples a process until made returns total, and returns the minima of the second tenth and
// of the last tenth: the heap varies, and a dial or a write of the state file may be in progress.
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
			t.Fatalf("no connection after %d", n)
		}
		switch {
		case total < comparable: // not needed, and a sample takes the gateway time
		case n >= total/10 && n < total/5:
			early = early.least(look(t, p))
		case n >= total-total/10:
			late = late.least(look(t, p))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return early, late
}

// flat fails the test if resources have grown: memory, see flatMemory; descriptors and goroutines by more
// than a dial of each gateway needs.
func flat(t testing.TB, early, late reading) {
	t.Helper()
	flatMemory(t, early, late)
	if late.fds > early.fds+gateways || late.goroutines > early.goroutines+2*gateways {
		t.Errorf("descriptors or goroutines grow: %v, then %v", early, late)
	}
}

// flatMemory fails the test if memory has grown: the heap by more than a tenth and 2 MiB; RSS by more
// than a tenth and 8 MiB, by which a young heap still grows. RSS is ignored with the race detector, whose
// memory grows with every page ever used.
func flatMemory(t testing.TB, early, late reading) {
	t.Helper()
	if early.fds == 0 || late.fds == 0 {
		t.Fatal("too few connections to compare resources")
	}
	if late.heap > early.heap+early.heap/10+2<<20 || *plain && late.rss > early.rss+early.rss/10+8<<20 {
		t.Errorf("memory grows: %v, then %v", early, late)
	}
}
