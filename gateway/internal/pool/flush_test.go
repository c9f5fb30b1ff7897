package pool

import (
	"testing"

	"feedgate/worker"
)

// lingerer defers messages until Flush.
type lingerer struct {
	c       worker.Completer
	first   worker.ID
	n       int
	flushes int
}

func (h *lingerer) Handle(b worker.Batch) { h.n += b.Len(); b.Defer(b.Len()) }
func (h *lingerer) Drain()                {}
func (h *lingerer) Close() error          { return nil }

func (h *lingerer) Flush() {
	h.flushes++
	h.c.Resolve(h.first, h.n, worker.OK)
	h.c.Flush()
	h.first += worker.ID(h.n)
	h.n = 0
}

// TestFlushWhenNoMoreComes: Flush is called when the loop has stopped reading, and when the handler
// has as many messages as it may have.
func TestFlushWhenNoMoreComes(t *testing.T) {
	var h *lingerer
	p := newPaced(t, 0, func(*paced) worker.Sink {
		return gatherSink{open: func(c worker.Completer) worker.Handler {
			h = &lingerer{c: c}
			c.SetHooks(worker.Hooks{Flush: h.Flush})
			return h
		}}
	})
	give := func(n int) {
		for range n {
			p.w.In().Reserve(1)[0] = Span(0, 8)
			p.w.In().Commit(Desc{Seq: uint64(p.next), Slot: p.next}, 1)
			p.next++
		}
		p.w.In().Publish()
		for p.pool.Turn(0) {
		}
	}
	step := func(what string, flushes, pending int) {
		t.Helper()
		p.w.callFlush()
		p.w.callFlush() // once is enough
		if h.flushes != flushes || h.n != pending {
			t.Fatalf("%s: %d flushes, %d messages pending, want %d and %d", what, h.flushes, h.n, flushes, pending)
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

// wrapper is a handler that wraps another one without embedding it.
type wrapper struct{ inner worker.Handler }

func (h wrapper) Handle(b worker.Batch) { h.inner.Handle(b) }
func (h wrapper) Drain()                { h.inner.Drain() }
func (h wrapper) Close() error          { return h.inner.Close() }

// TestDeadLettersAreFlushed: Flush of the handler of dead letters is called, too, also if another
// handler wraps it.
func TestDeadLettersAreFlushed(t *testing.T) {
	var h *lingerer
	p := newPaced(t, 0, func(*paced) worker.Sink {
		return byCode(func(worker.Message) worker.Code { return worker.Refused })
	},
		func(cfg *Config) {
			cfg.DeadLetters = gatherSink{open: func(c worker.Completer) worker.Handler {
				h = &lingerer{c: c}
				c.SetHooks(worker.Hooks{Flush: h.Flush})
				return wrapper{h}
			}}
		})
	p.w.In().Reserve(1)[0] = Span(0, 8)
	p.w.In().Commit(Desc{Seq: 1}, 1)
	p.w.In().Publish()
	for p.pool.Turn(0) {
	}
	if p.w.callFlush(); h.flushes != 0 || h.n != 1 {
		t.Fatalf("%d flushes, %d messages pending while more may come", h.flushes, h.n)
	}
	p.w.SetBlocked(true)
	if p.w.callFlush(); h.flushes != 1 || h.n != 0 {
		t.Errorf("%d flushes, %d messages pending while the loop does not read", h.flushes, h.n)
	}
}
