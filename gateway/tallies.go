package gateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"feedgate/gateway/internal/delivery"
	"feedgate/worker"
)

// refusals counts refused messages that are not logged yet. The loop owns it.
type refusals struct {
	changed func()     // for eventLog.tally
	unacked func() int // returns how many of them got no ack, and resets the number
	why     string     // Traits.NoRefusals
	codes   map[worker.Code]int
}

func (r *refusals) add(code worker.Code, n int) {
	r.codes[code] += n
	r.changed()
}

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

// skipped counts messages over --max-message that were skipped and are not logged yet. The loop owns
// it.
type skipped struct {
	l        *loop
	changed  func() // for eventLog.tally
	messages int
	longest  uint64 // bytes
}

func (s *skipped) add(messages int, longest uint64) {
	if messages == 0 {
		return
	}
	s.messages += messages
	s.longest = max(s.longest, longest)
	s.changed()
}

func (s *skipped) take() (msg string, args []any) {
	args = []any{"addr", s.l.conn.addr, "messages", s.messages, "longest", s.longest, "max_message", s.l.cfg.MaxMessage}
	s.messages, s.longest = 0, 0
	return "messages over --max-message skipped and refused with code 3", args
}

// gaps counts jumps in the sequence numbers that are not logged yet. The loop owns it.
type gaps struct {
	changed func() // for eventLog.tally
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
	g.changed()
}

func (g *gaps) take() (msg string, args []any) {
	args = []any{"first", g.span.First, "last", g.span.Last, "missing", g.missing}
	if g.n > 1 {
		args = append(args, "gaps", g.n)
	}
	g.n, g.missing = 0, 0
	return "gap in the sequence numbers", args
}
