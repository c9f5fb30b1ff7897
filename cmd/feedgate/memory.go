package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"feedgate/cmd/feedgate/cgroup"
	"feedgate/gateway"
)

const (
	// defaultMemory is the default of --memory where no control group sets less.
	defaultMemory = 64 << 20
	// sinkBuffer is what a sink may copy, where no control group sets less.
	sinkBuffer = 16 << 20
	// baseMemory is what a process needs in any case, as a rule (docs/memory.md): code and data,
	// Go's heap and what is garbage in it, and a TLS session.
	baseMemory = 12 << 20
)

// memoryPlan is how the process divides the memory that its control group allows. docs/memory.md
// explains it.
type memoryPlan struct {
	limit     int64 // of the control group; 0: none
	upstreams int64
	each      int64 // --memory, of each upstream
	given     bool  // each was set by the user
	buffer    int64 // of each sink
	err       error // the limit could not be read
	others    int64 // of all upstreams, beside the bytes of messages
}

// planMemory reads the limit and divides it.
func (c *runCmd) planMemory() memoryPlan {
	limit, err := cgroup.MemoryLimit()
	plan := divideMemory(limit, len(c.URL), int64(c.Memory), int64(c.MaxMessage))
	plan.err = err
	return plan
}

// divideMemory gives the upstreams a quarter of the limit together, and a sink an eighth. A
// default is never too small for messages that the usual one has room for.
func divideMemory(limit int64, upstreams int, memory, maxMessage int64) memoryPlan {
	p := memoryPlan{limit: limit, upstreams: int64(upstreams), each: memory, given: memory != 0, buffer: sinkBuffer}
	if !p.given {
		p.each = defaultMemory
	}
	if limit == 0 {
		return p
	}
	if !p.given {
		p.each = min(defaultMemory, max(limit/4/p.upstreams, 4*maxMessage))
	}
	p.buffer = min(sinkBuffer, limit/8)
	return p
}

// addOthers adds what the upstreams need beside the bytes of messages: rings, and what is noted of
// messages in flight.
func (p *memoryPlan) addOthers(planned []gateway.Config, deadLetters bool) {
	for i := range planned {
		p.others += planned[i].Overhead(deadLetters)
	}
}

// needs is how much memory the process needs, as a rule.
func (p memoryPlan) needs() int64 { return p.upstreams*p.each + p.buffer + p.others + baseMemory }

// heapLimit is what is left for Go's heap, which the read buffers and those of sinks are not
// part of. It is at least a quarter of the limit: less would cost time, and save nobody whose
// settings do not fit.
func (p memoryPlan) heapLimit() int64 {
	return max(p.limit/4, p.limit-p.upstreams*p.each-p.buffer-p.limit/8)
}

// apply has Go's garbage collector work harder before the control group's limit is reached,
// unless the user has set it up. report logs what was planned, later, because another line is the
// first of the log.
func (p memoryPlan) apply() (report func(*slog.Logger)) {
	if p.limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(p.heapLimit())
	}
	return func(log *slog.Logger) {
		attrs := []any{"limit", p.limit, "memory", p.each, "upstreams", p.upstreams}
		switch {
		case p.err != nil:
			log.Warn("the memory limit of the control group cannot be read; see --memory", "error", p.err, "memory", p.each)
		case p.limit == 0:
		case p.needs() > p.limit:
			log.Warn("the memory limit of the control group is low for --memory, --ring and the numbers of workers and upstreams; the kernel may kill the process",
				append(attrs, "needed", p.needs())...)
		case !p.given && p.each < defaultMemory:
			log.Info("--memory follows the memory limit of the control group", attrs...)
		}
	}
}
