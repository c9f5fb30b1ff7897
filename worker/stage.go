package worker

import (
	"fmt"
	"runtime/debug"

	"feedgate/ring"
)

// stage is a handler within a worker: the sink's, or the one that takes dead
// letters. It is the worker's own but for the completer.
type stage struct {
	w         *Worker
	handler   Handler
	batch     Batch
	completer Completer
	open      openTable
	texts     *texts // what --output makes of messages; nil: the handler gets them as they are
	drained   bool   // Drain was called
	flushed   bool   // Flush was called since the last Handle
	calling   int    // messages of the Handle that it is in
	scratch   run    // of one completion

	// completed takes messages that the handler has completed, or left over. The spans are
	// valid until it returns.
	completed func(r run, code Code)
}

func newStage(w *Worker, completed func(run, Code)) *stage {
	s := &stage{w: w, completed: completed}
	s.batch.s = s
	s.completer = Completer{w: w, ring: ring.NewSPSC[completion](completionsEach * w.in.Cap())}
	return s
}

// handle runs messages through the handler, in one batch, and refuses what it leaves
// over, by a panic or by neglect.
func (s *stage) handle(first run, rest ...run) {
	if s.texts != nil {
		s.texts.begin()
	}
	s.batch.begin(first, rest)
	s.flushed = false
	s.calling = s.batch.Left()
	s.w.noteCall()
	defer func() {
		if r := recover(); r != nil {
			s.panicked(r)
		}
		if left := s.batch.Left(); left > 0 {
			s.batch.Done(left, Refused)
		}
		if s.texts != nil {
			s.texts.endBatch()
		}
		s.batch.end()
		s.calling = 0
	}()
	s.handler.Handle(&s.batch)
}

func (s *stage) panicked(reason any) {
	s.w.pool.panics.Add(1)
	// The reason may quote the message: only its type is logged.
	s.w.log.Error("handler panicked; message refused", "worker", s.w.id,
		"panic", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()))
}

// takeCompletions passes on what was put off and is now complete.
func (s *stage) takeCompletions() bool {
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

// complete passes on messages with consecutive tickets, by runs.
func (s *stage) complete(c completion) {
	r := &s.scratch
	r.spans = r.spans[:0]
	for k := range Ticket(c.n) {
		d, ok := s.open.take(c.first + k)
		if !ok {
			panic("worker: message completed twice, or never put off")
		}
		n := len(r.spans)
		if n > 0 && (d.Slot != r.first.Slot+uint32(n) || d.Seq != r.first.Seq+uint64(n) ||
			d.Slab != r.first.Slab || d.Aux != r.first.Aux) {
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
	if s.texts != nil {
		s.texts.release(c.first, int(c.n))
	}
}

// drain tells the handler, once, that no message will come any more.
func (s *stage) drain() bool {
	if s.drained {
		return false
	}
	s.drained = true
	s.handler.Drain()
	return true
}
