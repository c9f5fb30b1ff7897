package gateway

import (
	"fmt"
	"time"

	"feedgate/worker"
)

// simCase is a message in one process.
type simCase struct {
	e     *simEntry
	home  *simHandler
	tries int // begun
	state simState
}

type simState uint8

const (
	simHandling simState = iota // with its handler
	simFailed                   // failed; to be retried or dead-lettered
	simDone                     // finally
)

// simSink makes the handlers of one process, for messages or for dead letters.
type simSink struct {
	p        *simProcess
	dead     bool
	handlers []*simHandler
}

func (k *simSink) Open(c worker.Completer) (worker.Handler, error) {
	h := &simHandler{sink: k, s: k.p.s, done: c, worker: len(k.handlers)}
	k.handlers = append(k.handlers, h)
	return h, nil
}
func (k *simSink) Ready() error            { return nil }
func (k *simSink) Failed() <-chan struct{} { return nil }
func (k *simSink) Err() error              { return nil }
func (k *simSink) Close() error            { return nil }

// simHandler is a worker's handler. It completes messages at once, or defers them and completes
// them in any order.
type simHandler struct {
	sink   *simSink
	s      *sim
	done   worker.Completer
	worker int

	deferred []simDeferred
	failed   []*simCase // whose retry the worker has not scheduled yet
	drained  bool

	conn, ordinal int // of the last new message
}

type simDeferred struct {
	id   worker.ID
	c    *simCase
	data []byte
	due  time.Duration
}

// Handle implements worker.Handler.
func (h *simHandler) Handle(b worker.Batch) {
	r, p := h.s.rng, &h.s.plan
	for b.Len() > 0 && h.s.fault == nil {
		if chance(h.s.slow, p.slow) {
			h.s.clock += time.Duration(h.s.slow.Int64N(int64(2 * time.Millisecond)))
		}
		if r.IntN(1000) < p.panics {
			for i := range b.Len() {
				if c := h.enter(b.At(i)); c != nil {
					h.ended(c, worker.Refused)
				}
			}
			if r.IntN(2) == 0 {
				return // the rest is refused
			}
			panic("sim")
		}
		if chance(r, p.later) {
			h.deferMessages(b, 1+r.IntN(min(b.Len(), 4)))
			continue
		}
		h.finish(b, 1+r.IntN(min(b.Len(), 8)))
	}
}

// finish resolves up to n messages with the same outcome.
func (h *simHandler) finish(b worker.Batch, n int) {
	outcome := worker.OK
	for i := range n {
		c := h.enter(b.At(i))
		if c == nil {
			return
		}
		code := h.outcome(c)
		if i == 0 {
			outcome = code
		}
		h.ended(c, code)
		if code != outcome {
			b.Resolve(i, outcome)
			b.Resolve(1, code)
			return
		}
	}
	b.Resolve(n, outcome)
}

func (h *simHandler) deferMessages(b worker.Batch, n int) {
	due := h.s.clock
	if h.s.plan.wait > 0 && !h.drained {
		due += time.Duration(h.s.rng.Int64N(int64(h.s.plan.wait)))
	}
	if chance(h.s.own, h.s.plan.straggle) && !h.drained && !h.s.calm {
		due += 10 * time.Second
	}
	var opened []simDeferred
	for i := range n {
		m := b.At(i)
		c := h.enter(m)
		if c == nil {
			return
		}
		opened = append(opened, simDeferred{c: c, data: m.Data, due: due})
	}
	first := b.Defer(n)
	for i := range opened {
		opened[i].id = first + worker.ID(i)
	}
	h.deferred = append(h.deferred, opened...)
}

// enter checks that a message may be handled now.
func (h *simHandler) enter(m worker.Message) *simCase {
	e, conn, ordinal := h.s.oracle.read(m.Seq, m.Data)
	if e == nil {
		return nil
	}
	if m.Session() != e.session.id || e.session.id != "" && m.ID() != fmt.Sprint(e.session.id, "-", m.Seq) {
		h.s.failf("message %d of session %q has session %q and id %q", m.Seq, e.session.id, m.Session(), m.ID())
		return nil
	}
	p := h.sink.p
	c := p.cases[e]
	h.s.note("handle", m.Seq, uint64(h.worker))
	switch {
	case c == nil && h.sink.dead:
		h.s.failf("message %d is dead-lettered before it was handled", m.Seq)
		return nil
	case c == nil:
		c = &simCase{e: e, home: h}
		p.cases[e] = c
		e.handled = true
		p.checkNamed(e.session)
		h.checkOrder(c, conn, ordinal)
	case c.state != simFailed || c.home.worker != h.worker || h.sink.dead != (c.tries > h.s.plan.retries):
		h.s.failf("message %d is handled twice: state %d, tries %d", m.Seq, c.state, c.tries)
		return nil
	}
	c.tries++
	c.state = simHandling
	return c
}

// checkOrder checks that a worker gets messages, and those of a key, in order of arrival, and that
// no message overtakes a retry of the same key.
func (h *simHandler) checkOrder(c *simCase, conn, ordinal int) {
	p, key := h.sink.p, c.e.msg.key
	before := func(conn2, ordinal2 int) bool { return conn2 < conn || conn2 == conn && ordinal2 < ordinal }
	if h.s.plan.retries == 0 || !h.s.plan.keyed {
		if !before(h.conn, h.ordinal) {
			h.s.failf("worker %d gets %d out of order", h.worker, c.e.seq)
		}
		h.conn, h.ordinal = conn, ordinal
	}
	if !h.s.plan.keyed {
		return
	}
	k := p.keys[key]
	if k == nil {
		k = &simKey{worker: h.worker}
		p.keys[key] = k
	}
	switch {
	case k.worker != h.worker:
		h.s.failf("key %d is with workers %d and %d", key, k.worker, h.worker)
	case !before(k.conn, k.ordinal):
		h.s.failf("message %d of key %d out of order", c.e.seq, key)
	case h.s.plan.retries > 0 && k.busy != nil:
		h.s.failf("message %d of key %d before %d is done", c.e.seq, key, k.busy.e.seq)
	}
	k.conn, k.ordinal, k.busy = conn, ordinal, c
}

// simKey is a process's state of one key.
type simKey struct {
	worker        int
	conn, ordinal int
	busy          *simCase
}

func (h *simHandler) outcome(c *simCase) worker.Code {
	if h.sink.dead {
		return worker.OK
	}
	if c.tries <= c.e.msg.fails {
		return c.e.msg.code
	}
	return worker.OK
}

// ended records the outcome that a handler reports.
func (h *simHandler) ended(c *simCase, code worker.Code) {
	p := &h.s.plan
	switch {
	case h.sink.dead:
		if code == worker.OK {
			code = worker.DeadLettered
		}
	case code != worker.OK && c.tries <= p.retries:
		c.state = simFailed
		h.failed = append(h.failed, c)
		return
	case code != worker.OK && p.deadLetters:
		c.state = simFailed
		return
	}
	c.state = simDone
	if k := h.sink.p.keys[c.e.msg.key]; k != nil && k.busy == c {
		k.busy = nil
	}
	h.s.note("done", c.e.seq, uint64(code))
	c.e.finish(code)
}

// resolveDue resolves some of the deferred messages that are due, in random order. It checks that
// their data have not changed.
func (h *simHandler) resolveDue() {
	r := h.s.rng
	for range 1 + r.IntN(6) {
		var due []int
		for i := range h.deferred {
			if h.deferred[i].due <= h.s.clock {
				due = append(due, i)
			}
		}
		if len(due) == 0 {
			break
		}
		at := due[r.IntN(len(due))]
		n := 1
		for at+n < len(h.deferred) && h.deferred[at+n].id == h.deferred[at].id+worker.ID(n) &&
			h.outcome(h.deferred[at+n].c) == h.outcome(h.deferred[at].c) && h.deferred[at+n].due <= h.s.clock && r.IntN(3) > 0 {
			n++
		}
		code := h.outcome(h.deferred[at].c)
		for _, o := range h.deferred[at : at+n] {
			if e, _, _ := h.s.oracle.read(o.c.e.seq, o.data); e != o.c.e {
				h.s.failf("deferred message %d has changed", o.c.e.seq)
				return
			}
			h.ended(o.c, code)
		}
		h.done.Resolve(h.deferred[at].id, n, code)
		h.deferred = append(h.deferred[:at], h.deferred[at+n:]...)
	}
	h.done.Flush()
}

// due returns when the first deferred message is due; 0: there is none.
func (h *simHandler) due() time.Duration {
	due := time.Duration(0)
	for i := range h.deferred {
		due = earliest(due, max(1, h.deferred[i].due))
	}
	return due
}

// Drain implements worker.Handler.
func (h *simHandler) Drain() {
	h.drained = true
	for i := range h.deferred {
		h.deferred[i].due = h.s.clock
	}
}

// Close implements worker.Handler.
func (h *simHandler) Close() error { return nil }
