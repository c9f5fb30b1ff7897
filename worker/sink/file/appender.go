package file

import (
	"feedgate/worker"
	"feedgate/worker/offheap"
	"feedgate/worker/sink/frame"
)

// group is what one commit makes durable: whole records, and the messages that they are made of.
//
// Its memory is outside of Go's heap, which would take twice as much, and more while it grows. It
// is a quarter longer than the limit, so that the last record rarely has to be moved; pages that
// are not written to cost nothing.
type group struct {
	memory   []byte // nil: there was no message yet, or no memory
	data     []byte // records, in memory; on the heap if they do not fit
	runs     []run  // at most one per handler
	messages int
}

// alloc allocates the memory. If the kernel has none, append will use the heap.
func (g *group) alloc(limit int) {
	if memory, err := offheap.Default.Alloc(offheap.RoundUp(offheap.Default, limit+limit/4+1)); err == nil {
		g.memory, g.data = memory, memory[:0]
	}
}

// free frees the memory.
func (g *group) free() {
	if memory := g.memory; memory != nil {
		*g = group{}
		offheap.Default.Free(memory)
	}
}

// run is messages of one handler with consecutive IDs. A handler defers its messages in order, and
// copies them to one group after the other, so those in a group are one run.
type run struct {
	h     *appender
	first worker.ID
	n     int
}

// reset empties a group, and frees the memory beyond limit that a long record has used.
func (g *group) reset(limit int) {
	clear(g.runs)
	used := min(len(g.data), len(g.memory)) // at most: the data may have moved to the heap
	offheap.Default.Recycle(g.memory[:used])
	if used > limit {
		offheap.Default.Discard(g.memory[offheap.RoundUp(offheap.Default, limit):])
	}
	g.data, g.runs, g.messages = g.memory[:0], g.runs[:0], 0
}

// add appends the record of a message. It returns false if that does not fit: a group has up to
// limit bytes, or one longer record.
func (g *group) add(f frame.Framing, m worker.Message, limit int) bool {
	if g.memory == nil && len(g.data) == 0 {
		g.alloc(limit)
	}
	before := len(g.data)
	if before > 0 && before+len(m.Data) > limit {
		return false
	}
	g.data = f.Append(g.data, m)
	if before > 0 && len(g.data) > limit {
		g.data = g.data[:before]
		return false
	}
	return true
}

// appender is one worker's handler.
type appender struct {
	sink *fileSink
	c    worker.Completer
	run  int // index of this handler's run in the group that it last added to
}

func (h *appender) Handle(b worker.Batch) {
	for b.Len() > 0 {
		if !h.fill(b) {
			b.Defer(b.Len())
			return
		}
	}
}

// fill waits until the group has space for a message, and moves as many as fit to it. It returns
// false if the worker or the sink was stopped before.
func (h *appender) fill(b worker.Batch) bool {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	for !h.fillNow(b) {
		swapped := s.swapped
		s.mu.Unlock()
		stopped := false
		select {
		case <-swapped:
		case <-h.c.Context().Done():
			stopped = true
		case <-s.ctx.Done():
			stopped = true
		}
		s.mu.Lock()
		if stopped {
			return false
		}
	}
	return true
}

// fillNow copies as many messages to the group as fit, and defers them. It returns false if not
// even the first one fits. The caller holds the sink's lock.
func (h *appender) fillNow(b worker.Batch) bool {
	s := h.sink
	n := 0
	for n < b.Len() {
		m := b.At(n)
		if !s.filling.add(s.framing, m, s.buffer) {
			break
		}
		s.warning.Look(m.Data)
		n++
	}
	if n == 0 {
		return false
	}
	// Deferred under the lock, because the commit goroutine must not resolve an ID that does
	// not exist yet.
	h.record(b.Defer(n), n)
	select {
	case s.filled <- struct{}{}:
	default:
	}
	return true
}

// record adds messages to this handler's run in the group that is filling.
func (h *appender) record(first worker.ID, n int) {
	g := h.sink.filling
	g.messages += n
	if h.run < len(g.runs) && g.runs[h.run].h == h {
		g.runs[h.run].n += n
		return
	}
	h.run = len(g.runs)
	g.runs = append(g.runs, run{h, first, n})
}

func (h *appender) Drain() {}

// Close leaves uncommitted messages in their group. The sink may still write them, but resolving
// them has no effect.
func (h *appender) Close() error { return nil }
