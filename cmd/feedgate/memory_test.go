package main

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"feedgate/gateway"
)

func TestDivideMemory(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name                 string
		limit                int64
		upstreams            int
		memory, maxMessage   int64
		perURL, buffer, heap int64
		log                  string // contained in it; empty: nothing is logged
		level                slog.Level
	}{
		{"no limit", 0, 1, 0, mib, 64 * mib, 16 * mib, 0, "", 0},
		{"no limit, many upstreams", 0, 100, 0, mib, 64 * mib, 16 * mib, 0, "", 0},
		{"a large limit", 1024 * mib, 1, 0, mib, 64 * mib, 16 * mib, 816 * mib, "", 0},
		{"just enough", 256 * mib, 1, 0, mib, 64 * mib, 16 * mib, 144 * mib, "", 0},
		{"a quarter", 64 * mib, 1, 0, mib, 16 * mib, 8 * mib, 32 * mib, "--memory is lowered", slog.LevelInfo},
		{"a quarter in two", 64 * mib, 2, 0, mib, 8 * mib, 8 * mib, 32 * mib, "--memory is lowered", slog.LevelInfo},
		{"a large limit for many", 1024 * mib, 10, 0, mib, 1024 * mib / 40, 16 * mib, 1024*mib - 10*(1024*mib/40) - 144*mib, "--memory is lowered", slog.LevelInfo},
		{"four messages at least", 96 * mib, 8, 0, mib, 4 * mib, 12 * mib, 40 * mib, "--memory is lowered", slog.LevelInfo},
		{"that do not fit", 64 * mib, 9, 0, mib, 4 * mib, 8 * mib, 16 * mib, "the kernel may kill", slog.LevelWarn},
		{"a tiny limit", 12 * mib, 1, 0, mib, 4 * mib, 12 * mib / 8, 5 * mib, "the kernel may kill", slog.LevelWarn},
		{"long messages", 128 * mib, 1, 0, 12 * mib, 48 * mib, 16 * mib, 48 * mib, "--memory is lowered", slog.LevelInfo},
		{"a small limit", 40 * mib, 1, 0, mib, 10 * mib, 5 * mib, 20 * mib, "--memory is lowered", slog.LevelInfo},
		{"too long for the default anyway", 128 * mib, 1, 0, 32 * mib, 64 * mib, 16 * mib, 32 * mib, "", 0},
		{"given", 64 * mib, 2, 12 * mib, mib, 12 * mib, 8 * mib, 24 * mib, "", 0},
		{"given, too much", 64 * mib, 1, 64 * mib, mib, 64 * mib, 8 * mib, 16 * mib, "the kernel may kill", slog.LevelWarn},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := divideMemory(c.limit, c.upstreams, c.memory, c.maxMessage)
			p.addOverhead(slices.Repeat([]gateway.Config{{Workers: 2, Ring: 8192, InFlight: 65536}}, c.upstreams), false)
			if p.memory != c.perURL || p.buffer != c.buffer {
				t.Errorf("--memory %d, buffer %d; want %d, %d", p.memory, p.buffer, c.perURL, c.buffer)
			}
			if c.limit > 0 && p.heapLimit() != c.heap {
				t.Errorf("heap %d, want %d", p.heapLimit(), c.heap)
			}
			var out bytes.Buffer
			keepMemoryLimit(t)
			p.apply()(slog.New(slog.NewTextHandler(&out, nil)))
			switch text := out.String(); {
			case c.log == "" && text != "":
				t.Errorf("logs %s", text)
			case !strings.Contains(text, c.log) || c.log != "" && !strings.Contains(text, "level="+c.level.String()):
				t.Errorf("logs %s; want %v, %s", text, c.level, c.log)
			}
		})
	}
}

// TestNeeds: each worker's rings count, more with dead letters; messages in flight count under
// --ack ordered.
func TestNeeds(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name        string
		cfg         gateway.Config
		deadLetters bool
		overhead    int64
	}{
		{"one worker", gateway.Config{Workers: 1, Ring: 8192, InFlight: mib, Ack: "each"}, false, 8192 * (8 + 32 + 32 + 25)},
		{"8 workers", gateway.Config{Workers: 8, Ring: 64, InFlight: mib, Ack: "range"}, false, 8 * 64 * (8 + 32 + 32 + 25)},
		{"dead letters", gateway.Config{Workers: 2, Ring: 1024, InFlight: mib, Ack: "each"}, true, 2 * 1024 * (8 + 32 + 64 + 25)},
		{"in order", gateway.Config{Workers: 1, Ring: 1024, InFlight: mib, Ack: "ordered"}, false, 1024*(8+32+32+25) + 12*mib},
	} {
		p := divideMemory(0, 2, 0, mib)
		p.addOverhead([]gateway.Config{c.cfg, c.cfg}, c.deadLetters)
		if p.overhead != 2*c.overhead || p.needs() != 2*64*mib+16*mib+2*c.overhead+baseMemory {
			t.Errorf("%s: %d of %d needed, want %d", c.name, p.overhead, p.needs(), 2*c.overhead)
		}
	}
}

// keepMemoryLimit restores the memory limit of this process when the test ends.
func keepMemoryLimit(t *testing.T) {
	t.Helper()
	old := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(old) })
}

// TestHeapLimit: the heap's limit is set, unless GOMEMLIMIT is.
func TestHeapLimit(t *testing.T) {
	keepMemoryLimit(t)
	small := divideMemory(64<<20, 1, 0, 1<<20)
	for _, c := range []struct {
		env  string
		plan memoryPlan
		want int64
	}{
		{"", small, small.heapLimit()},
		{"1GiB", small, math.MaxInt64},
		{"off", small, math.MaxInt64},
		{"", divideMemory(0, 1, 0, 1<<20), math.MaxInt64},
	} {
		t.Setenv("GOMEMLIMIT", c.env)
		debug.SetMemoryLimit(math.MaxInt64)
		c.plan.apply()
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("GOMEMLIMIT=%s, limit %d: %d, want %d", c.env, c.plan.limit, got, c.want)
		}
	}
}

func TestUnreadableLimit(t *testing.T) {
	p := divideMemory(0, 1, 0, 1<<20)
	p.err = errors.New("no such luck")
	var log bytes.Buffer
	p.apply()(slog.New(slog.NewTextHandler(&log, nil)))
	for _, want := range []string{"level=WARN", "cannot read", "no such luck", "memory=67108864"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in %s", want, log.String())
		}
	}
}
