package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"feedgate/cmd/feedgate/cgroup"
	"feedgate/gateway"
)

const (
	// defaultMemory is the default of --memory, unless the control group's limit makes it lower.
	defaultMemory = 64 << 20
	// sinkBuffer is the most bytes that a sink may copy, unless the control group's limit makes it
	// lower.
	sinkBuffer = 16 << 20
	// baseMemory is the usual need of a process without upstreams and sinks (docs/memory.md): code
	// and data, Go's heap with its garbage, and a TLS session.
	baseMemory = 12 << 20
)

// memoryPlan divides the memory that the control group allows among upstreams, sinks and Go's heap
// (docs/memory.md). All sizes are in bytes.
type memoryPlan struct {
	limit     int64 // of the control group; 0: none
	err       error // from reading the limit
	upstreams int64 // number of upstreams
	memory    int64 // --memory, for each upstream
	given     bool  // the user has set memory
	buffer    int64 // of each sink
	overhead  int64 // of all upstreams together, beyond the bytes of messages
}

// planMemory reads the control group's limit and divides it.
func (c *runCmd) planMemory() memoryPlan {
	limit, err := cgroup.MemoryLimit()
	plan := divideMemory(limit, max(1, len(c.URL)), int64(c.Memory), int64(c.MaxMessage))
	plan.err = err
	return plan
}

// divideMemory assigns a quarter of the limit to all upstreams together, and an eighth to a sink. If
// defaultMemory suffices for --max-message, so does the default under a limit.
func divideMemory(limit int64, upstreams int, memory, maxMessage int64) memoryPlan {
	p := memoryPlan{limit: limit, upstreams: int64(upstreams), memory: memory, given: memory != 0, buffer: sinkBuffer}
	if !p.given {
		p.memory = defaultMemory
	}
	if limit == 0 {
		return p
	}
	if !p.given {
		p.memory = min(defaultMemory, max(limit/4/p.upstreams, 4*maxMessage))
	}
	p.buffer = min(sinkBuffer, limit/8)
	return p
}

// addOverhead adds the need of the upstreams beyond the bytes of messages: rings, and the records of
// messages in flight.
func (p *memoryPlan) addOverhead(planned []gateway.Config, deadLetters bool) {
	for i := range planned {
		p.overhead += planned[i].Overhead(deadLetters)
	}
}

// needs is the usual need of the process, in bytes.
func (p memoryPlan) needs() int64 { return p.upstreams*p.memory + p.buffer + p.overhead + baseMemory }

// heapLimit is the limit for Go's heap: the rest of the control group's limit after the buffers of
// upstreams and sinks, which lie outside the heap. It is at least a quarter of the limit: with less,
// the collector would take much time, and settings that do not fit would still not fit.
func (p memoryPlan) heapLimit() int64 {
	return max(p.limit/4, p.limit-p.upstreams*p.memory-p.buffer-p.limit/8)
}

// apply sets the limit of Go's heap, unless the user has set GOMEMLIMIT. report logs the plan; it is
// called after "starting" is logged.
func (p memoryPlan) apply() (report func(*slog.Logger)) {
	if p.limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(p.heapLimit())
	}
	return func(log *slog.Logger) {
		attrs := []any{"limit", p.limit, "memory", p.memory, "upstreams", p.upstreams}
		switch {
		case p.err != nil:
			log.Warn("cannot read the memory limit of the control group; see --memory", "error", p.err, "memory", p.memory)
		case p.limit == 0:
		case p.needs() > p.limit:
			log.Warn("the memory limit of the control group is too low for --memory, --ring and the number of workers and upstreams; the kernel may kill the process",
				append(attrs, "needed", p.needs())...)
		case !p.given && p.memory < defaultMemory:
			log.Info("--memory is lowered to fit the memory limit of the control group", attrs...)
		}
	}
}
