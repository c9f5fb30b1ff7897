package worker

import "testing"

// lingerer defers messages until it is flushed.
type lingerer struct {
	c       *Completer
	first   Ticket
	n       int
	flushes int
}

func (h *lingerer) Handle(b *Batch) { h.n += b.Left(); b.Later(b.Left()) }
func (h *lingerer) Drain()          {}
func (h *lingerer) Close() error    { return nil }

func (h *lingerer) Flush() {
	h.flushes++
	h.c.Done(h.first, h.n, OK)
	h.c.Flush()
	h.first += Ticket(h.n)
	h.n = 0
}

// TestFlushWhenNoMoreComes: a handler that waits for more is flushed when the loop has stopped
// reading, and when it has as many messages as fit.
func TestFlushWhenNoMoreComes(t *testing.T) {
	var h *lingerer
	p := newPaced(t, 0, func(*paced) Sink {
		return gatherSink{open: func(c *Completer) Handler {
			h = &lingerer{c: c}
			return h
		}}
	})
	give := func(n int) {
		for range n {
			p.w.In().Reserve(1)[0] = Span(0, 8)
			p.w.In().Commit(Desc{Seq: uint64(p.next), Place: p.next}, 1)
			p.next++
		}
		p.w.In().Publish()
		for p.pool.Turn(0) {
		}
	}
	step := func(what string, flushes, held int) {
		t.Helper()
		p.w.tellFlusher()
		p.w.tellFlusher() // once is enough
		if h.flushes != flushes || h.n != held {
			t.Fatalf("%s: %d flushes, %d messages held, want %d and %d", what, h.flushes, h.n, flushes, held)
		}
	}
	step("nothing deferred", 0, 0)
	give(5)
	step("more may come", 0, 5)
	p.w.SetBlocked(true)
	step("the loop has stopped reading", 1, 0)
	give(1)
	step("another one", 2, 0)
	for p.pool.Turn(0) {
	}
	p.w.SetBlocked(false)
	give(3)
	step("the loop reads again", 2, 3)
	for h.n < p.w.In().Cap() {
		give(min(1000, p.w.In().Cap()-h.n))
	}
	step("as many as fit", 3, 0)
}
