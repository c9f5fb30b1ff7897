package pool

import (
	"fmt"
	"runtime/debug"
	"time"

	"feedgate/ring"
	"feedgate/worker"
)

// handlerState is a handler within a worker: the sink's, or the one that takes dead
// letters. It is the worker's own but for the completer.
type handlerState struct {
	w         *Worker
	handler   worker.Handler
	batch     batch
	completer completer
	pending   pendingTable
	rendered  *rendered // what --output makes of messages; nil: the handler gets them as they are
	drained   bool      // Drain was called
	flushed   bool      // Flush was called since the last Handle
	calling   int       // messages of the Handle that it is in
	scratch   run       // of one completion

	// completed takes messages that the handler has resolved, or left over. The spans are
	// valid until it returns.
	completed func(r run, code worker.Code)
	// again takes messages that the handler asks for again after some time. The spans are
	// valid until it returns.
	again func(r run, after time.Duration)
}

func newHandlerState(w *Worker, completed func(run, worker.Code), again func(run, time.Duration)) *handlerState {
	s := &handlerState{w: w, completed: completed, again: again}
	s.batch.s = s
	s.completer = completer{s: s, ring: ring.NewSPSC[completion](completionsEach * w.in.Cap())}
	return s
}

// handle runs messages through the handler, in one batch, and refuses what it leaves
// over, by a panic or by neglect.
func (s *handlerState) handle(first run, rest ...run) {
	if s.rendered != nil {
		s.rendered.begin()
	}
	s.batch.begin(first, rest)
	s.flushed = false
	s.calling = s.batch.Len()
	s.w.noteCall()
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r)
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
}

func (s *handlerState) panicked(reason any) {
	s.w.pool.panics.Add(1)
	// The reason may quote the message: only its type is logged.
	s.w.log.Error("handler panicked; message refused", "worker", s.w.id,
		"panic", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
}

// takeCompletions passes on what was put off and is now complete.
func (s *handlerState) takeCompletions() bool {
	busy := false
	for {
		done := s.completer.ring.Peek()
		if len(done) == 0 {
			break
		}
		for _, c := range done {
			s.complete(c)
		}
		s.completer.ring.Take(len(done))
		busy = true
	}
	if busy {
		s.completer.ring.Release()
	}
	return busy
}

// complete passes on messages with consecutive IDs, by runs.
func (s *handlerState) complete(c completion) {
	if c.code == codeAgain {
		s.askAgain(c)
		return
	}
	r := &s.scratch
	r.spans = r.spans[:0]
	for k := range worker.ID(c.n) {
		d := s.taken(c.first + k)
		n := len(r.spans)
		if n > 0 && (d.Slot != r.first.Slot+uint32(n) || d.Seq != r.first.Seq+uint64(n) ||
			d.Slab != r.first.Slab || d.Tag != r.first.Tag) {
			s.completed(*r, c.code)
			n, r.spans = 0, r.spans[:0]
		}
		if n == 0 {
			r.first = d
		}
		r.spans = append(r.spans, Span(d.Off, d.Len))
	}
	if len(r.spans) > 0 {
		s.completed(*r, c.code)
	}
	if s.rendered != nil {
		s.rendered.release(c.first, int(c.n))
	}
}

// askAgain passes on one message that the handler asks for again.
func (s *handlerState) askAgain(c completion) {
	d := s.taken(c.first)
	r := &s.scratch
	r.first, r.spans = d, append(r.spans[:0], Span(d.Off, d.Len))
	s.again(*r, time.Duration(c.n)*time.Millisecond)
	if s.rendered != nil {
		s.rendered.release(c.first, 1)
	}
}

// taken removes a deferred message from those pending.
func (s *handlerState) taken(k worker.ID) Desc {
	d, ok := s.pending.take(k)
	if !ok {
		panic("worker: message completed twice, or never deferred")
	}
	return d
}

// drain tells the handler, once, that no message will come any more.
func (s *handlerState) drain() bool {
	if s.drained {
		return false
	}
	s.drained = true
	s.handler.Drain()
	return true
}
