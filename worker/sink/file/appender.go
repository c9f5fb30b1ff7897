package file

import (
	"feedgate/worker"
	"feedgate/worker/offheap"
	"feedgate/worker/sink/frame"
)

// group is what one commit makes durable: whole records, and whose messages they
// are.
//
// Its memory is outside of Go's heap, which would take up twice as much, and more while it grows.
// It is a quarter longer than limit, so that a record that ends behind it seldom has to be moved;
// only what is written to costs memory.
type group struct {
	home     []byte // nil: there was no message yet, or no memory
	data     []byte // of home; on the heap if it did not fit
	runs     []run  // one a handler at most
	messages int
}

// alloc gets the memory. If the kernel gives none, the heap is tried.
func (g *group) alloc(limit int) {
	if home, err := offheap.Default.Alloc(offheap.RoundUp(offheap.Default, limit+limit/4+1)); err == nil {
		g.home, g.data = home, home[:0]
	}
}

// free gives the memory back.
func (g *group) free() {
	if home := g.home; home != nil {
		*g = group{}
		offheap.Default.Free(home)
	}
}

// run is messages of one handler with consecutive tickets. A handler puts its
// messages off in order and into one group after another, so those in one group
// are one run.
type run struct {
	h     *appender
	first worker.ID
	n     int
}

// reset empties a group, and gives back what one long record has taken beyond limit.
func (g *group) reset(limit int) {
	clear(g.runs)
	used := min(len(g.data), len(g.home)) // at most, where the data had to move
	offheap.Default.Recycle(g.home[:used])
	if used > limit {
		offheap.Default.Discard(g.home[offheap.RoundUp(offheap.Default, limit):])
	}
	g.data, g.runs, g.messages = g.home[:0], g.runs[:0], 0
}

// add appends the record of a message; false when there is no room for it. A group
// takes up to limit bytes, or one longer record.
func (g *group) add(f frame.Framing, m worker.Message, limit int) bool {
	if g.home == nil && len(g.data) == 0 {
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

// fill waits for room and puts off as many messages as there is room for; false
// when there will be none.
func (h *appender) fill(b worker.Batch) bool {
	s := h.sink
	s.mu.Lock()
	defer s.mu.Unlock()
	for !h.fillNow(b) {
		room := s.room
		s.mu.Unlock()
		stopped := false
		select {
		case <-room:
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

// fillNow puts off as many messages as there is room for; false when there is none
// for the first. The caller holds the sink's lock.
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
	// The tickets are drawn before the lock is given up: the commit goroutine must
	// not complete one that does not exist yet.
	h.note(b.Defer(n), n)
	select {
	case s.filled <- struct{}{}:
	default:
	}
	return true
}

// note adds messages to this handler's run in the group that is filling.
func (h *appender) note(first worker.ID, n int) {
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

// Close leaves what is still to be committed to the sink: it costs nothing more,
// and its completions are ignored.
func (h *appender) Close() error { return nil }
