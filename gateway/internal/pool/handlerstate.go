package pool

import (
	"fmt"
	"runtime/debug"
	"time"

	"feedgate/ring"
	"feedgate/worker"
)

// handlerState is a handler and its messages: that of the sink, or that of dead letters. The worker
// owns it, except for completer, which the handler uses.
type handlerState struct {
	w         *Worker
	handler   worker.Handler
	batch     batch
	completer completer
	pending   pendingTable
	rendered  *rendered // data that --output has rendered; nil: the handler gets messages as received
	drained   bool      // Drain was called
	flushed   bool      // Flush was called since the last Handle
	calling   int       // messages in the current call of Handle
	scratch   run       // memory for apply

	// resolved is called with messages that the handler has resolved or left over. The spans
	// are valid until it returns.
	resolved func(r run, code worker.Code)
	// again is called with messages that the handler asks for again after some time. The spans
	// are valid until it returns.
	again func(r run, after time.Duration)
}

func newHandlerState(w *Worker, resolved func(run, worker.Code), again func(run, time.Duration)) *handlerState {
	s := &handlerState{w: w, resolved: resolved, again: again}
	s.batch.s = s
	s.completer = completer{s: s, ring: ring.NewSPSC[completion](completionsEach * w.in.Cap())}
	return s
}

// handle calls the handler with a batch, and refuses the messages that it leaves over.
func (s *handlerState) handle(first run, rest ...run) {
	if s.rendered != nil {
		s.rendered.begin()
	}
	s.batch.begin(first, rest)
	s.flushed = false
	s.calling = s.batch.Len()
	s.w.noteCall()
	returned := false
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r)
		} else if !returned {
			s.exited()
		}
		if left := s.batch.Len(); left > 0 {
			s.batch.Resolve(left, worker.Refused)
		}
		if s.rendered != nil {
			s.rendered.endBatch()
		}
		s.batch.end()
		s.calling = 0
	}()
	s.handler.Handle(&s.batch)
	returned = true
}

// exited handles the end of the worker's goroutine in the handler, by runtime.Goexit, such as
// testing's FailNow. The messages left over stay unacknowledged.
func (s *handlerState) exited() {
	s.panicked(goexit{})
	if left := s.batch.Len(); left > 0 {
		s.batch.Defer(left) // never to be resolved
	}
}

// goexit is the reason of a panic that is none. The log has the name of the type.
type goexit struct{}

// starved calls the hook Starved.
func (s *handlerState) starved() (starved bool) {
	s.guard(func() { starved = s.completer.hooks.Starved() })
	return starved
}

// guard calls f, and counts and logs a panic in it.
func (s *handlerState) guard(f func()) {
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r)
		}
	}()
	f()
}

// panicked counts and logs a panic of the handler.
func (s *handlerState) panicked(reason any) {
	s.w.pool.panics.Add(1)
	// Only the type of the reason, whose text may quote a message.
	s.w.log.Error("handler panicked", "worker", s.w.id,
		"panic", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
}

// takeCompletions applies the completions that have arrived. It returns false if there are none.
func (s *handlerState) takeCompletions() bool {
	busy := false
	for {
		done := s.completer.ring.Peek()
		if len(done) == 0 {
			break
		}
		for _, c := range done {
			s.apply(c)
		}
		s.completer.ring.Take(len(done))
		busy = true
	}
	if busy {
		s.completer.ring.Release()
	}
	return busy
}

// apply applies a completion, one run after the other.
func (s *handlerState) apply(c completion) {
	if c.code == codeAgain {
		s.applyAgain(c)
		return
	}
	r := &s.scratch
	r.spans = r.spans[:0]
	for k := range worker.ID(c.n) {
		d := s.removePending(c.first + k)
		n := len(r.spans)
		if n > 0 && (d.Slot != r.base.Slot+uint32(n) || d.Seq != r.base.Seq+uint64(n) ||
			d.Slab != r.base.Slab || d.Tag != r.base.Tag) {
			s.resolved(*r, c.code)
			n, r.spans = 0, r.spans[:0]
		}
		if n == 0 {
			r.base = d
		}
		r.spans = append(r.spans, Span(d.Off, d.Len))
	}
	if len(r.spans) > 0 {
		s.resolved(*r, c.code)
	}
	if s.rendered != nil {
		s.rendered.release(c.first, int(c.n))
	}
}

// applyAgain applies the completion of one message that the handler asks for again.
func (s *handlerState) applyAgain(c completion) {
	d := s.removePending(c.first)
	r := &s.scratch
	r.base, r.spans = d, append(r.spans[:0], Span(d.Off, d.Len))
	s.again(*r, time.Duration(c.n)*time.Millisecond)
	if s.rendered != nil {
		s.rendered.release(c.first, 1)
	}
}

// removePending removes a message from those pending, and panics if it is not there.
func (s *handlerState) removePending(k worker.ID) Desc {
	d, ok := s.pending.remove(k)
	if !ok {
		panic("worker: message resolved twice, or never deferred")
	}
	return d
}

// drain calls Drain of the handler, once. It returns false if that was done before.
func (s *handlerState) drain() bool {
	if s.drained {
		return false
	}
	s.drained = true
	s.guard(s.handler.Drain)
	return true
}
