package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"feedgate/gateway/internal/delivery"
	"feedgate/worker"
)

// refusals are the messages that were refused and not logged yet. The loop owns it.
type refusals struct {
	unacked func() int // takes the number of those of them that got no ack
	why     string     // Traits.NoRefusalAck
	codes   map[worker.Code]int
}

func (r *refusals) add(code worker.Code, n int) { r.codes[code] += n }

func (r *refusals) empty() bool { return len(r.codes) == 0 }

func (r *refusals) take() (msg string, args []any) {
	total := 0
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(r.codes)) {
		total += r.codes[code]
		parts = append(parts, fmt.Sprintf("%d:%d", code, r.codes[code]))
	}
	msg, args = "messages refused", []any{"messages", total, "by_code", strings.Join(parts, " ")}
	if n := r.unacked(); n > 0 {
		msg += "; " + r.why + ", so no ack is sent for them"
		args = append(args, "without_ack", n)
	}
	clear(r.codes)
	return msg, args
}

// skipped are the messages over --max-message that were skipped and not logged yet. The
// loop owns it.
type skipped struct {
	l        *loop
	messages int
	longest  uint64 // bytes
}

func (s *skipped) add(messages int, longest uint64) {
	s.messages += messages
	s.longest = max(s.longest, longest)
}

func (s *skipped) empty() bool { return s.messages == 0 }

func (s *skipped) take() (msg string, args []any) {
	args = []any{"addr", s.l.conn.addr, "messages", s.messages, "longest", s.longest, "max_message", s.l.cfg.MaxMessage}
	s.messages, s.longest = 0, 0
	return "messages over --max-message skipped and refused with code 3", args
}

// gaps are the jumps in the sequence numbers that were not logged yet. The loop owns it.
type gaps struct {
	n       int
	missing uint64 // numbers
	span    delivery.Range
}

func (g *gaps) add(gap delivery.Range) {
	if g.n == 0 {
		g.span = gap
	}
	g.span.First, g.span.Last = min(g.span.First, gap.First), max(g.span.Last, gap.Last)
	g.n++
	g.missing += gap.Last - gap.First + 1
}

func (g *gaps) empty() bool { return g.n == 0 }

func (g *gaps) take() (msg string, args []any) {
	args = []any{"first", g.span.First, "last", g.span.Last, "missing", g.missing}
	if g.n > 1 {
		args = append(args, "gaps", g.n)
	}
	*g = gaps{}
	return "gap in the sequence numbers", args
}
