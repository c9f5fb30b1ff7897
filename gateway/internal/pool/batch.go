package pool

import (
	"time"

	"feedgate/worker"
)

// batch implements [worker.Batch]. It knows which messages of a call remain, also when the handler
// panics.
//
// Invariant: run is empty only if rest is.
type batch struct {
	s    *handlerState
	run  run   // the first remaining messages
	rest []run // the others
	more int   // messages in rest

	// msgs are the remaining messages. Nil: they are one run, and their data lie in buffer as
	// they are, so that At can make them.
	msgs   []worker.Message
	buffer *worker.Buffer

	scratch []worker.Message // memory for msgs
}

// begin gives the batch its messages, as received or as --output renders them. The batch owns rest
// until the next begin.
func (b *batch) begin(first run, rest []run) {
	b.run, b.rest, b.more, b.msgs = first, rest, 0, nil
	b.buffer = &b.s.w.slabs.slots[first.base.Slab].Buffer
	if len(rest) == 0 && b.s.rendered == nil && !hasHeads(b.buffer.Origin) {
		return
	}
	b.msgs = b.scratch[:0]
	b.add(&first)
	for i := range rest {
		b.add(&rest[i])
		b.more += len(rest[i].spans)
	}
	b.scratch = b.msgs
}

// hasHeads reports whether messages have heads before their data.
func hasHeads(o *worker.Origin) bool { return o != nil && o.Meta != nil && o.Meta.Split != nil }

// add appends the messages of a run to msgs.
func (b *batch) add(r *run) {
	from := len(b.msgs)
	for i := range r.spans {
		b.msgs = append(b.msgs, b.s.w.message(r, i))
	}
	if b.s.rendered != nil {
		b.s.rendered.render(b.s.w, r, b.msgs[from:])
	}
}

// end forgets the messages, whose memory may be freed soon.
func (b *batch) end() {
	clear(b.scratch)
	b.scratch, b.msgs = b.scratch[:0], nil
}

// Len implements [worker.Batch].
func (b *batch) Len() int { return len(b.run.spans) + b.more }

// At implements [worker.Batch].
func (b *batch) At(i int) worker.Message {
	if b.msgs != nil {
		return b.msgs[i]
	}
	at := b.run.spans[i]
	return b.buffer.Message(uint32(at>>32), uint32(at), b.run.seq(i), b.run.base.Tag)
}

// data returns the data of the i-th message; msgs is nil.
func (b *batch) data(i int) []byte {
	at := b.run.spans[i]
	off, end := at>>32, at>>32+at&(1<<32-1)
	return b.buffer.Data[off:end:end]
}

// Size implements [worker.Batch].
func (b *batch) Size(i int) int {
	if b.msgs != nil {
		return len(b.msgs[i].Data)
	}
	return int(uint32(b.run.spans[i]))
}

// Bytes implements [worker.Batch].
func (b *batch) Bytes() int {
	sum := 0
	if b.msgs != nil {
		for i := range b.msgs {
			sum += len(b.msgs[i].Data)
		}
		return sum
	}
	for _, at := range b.run.spans {
		sum += int(uint32(at))
	}
	return sum
}

// Resolve implements [worker.Batch]. Slow messages are replied to at once, others at the end of the
// batch: see progress.
func (b *batch) Resolve(n int, code worker.Code) {
	b.pass(n)
	if b.s.rendered != nil {
		b.s.rendered.done(n)
	}
	for left := n; left > 0; {
		r := b.cut(left)
		left -= len(r.spans)
		b.s.resolved(r, code)
	}
	b.s.w.noteResolved(n)
}

// Again implements [worker.Batch].
func (b *batch) Again(n int, after time.Duration) {
	b.pass(n)
	if b.s.rendered != nil {
		b.s.rendered.done(n)
	}
	for left := n; left > 0; {
		r := b.cut(left)
		left -= len(r.spans)
		b.s.again(r, max(worker.MinAgain, min(after, worker.MaxAgain)))
	}
	b.s.w.noteResolved(n)
}

// Defer implements [worker.Batch].
func (b *batch) Defer(n int) worker.ID {
	b.pass(n)
	first := b.s.pending.next
	for left := n; left > 0; {
		r := b.cut(left)
		left -= len(r.spans)
		b.s.pending.add(r)
	}
	if b.s.rendered != nil {
		b.s.rendered.pin(first, n)
	}
	return first
}

// Each implements [worker.Batch].
func (b *batch) Each(f worker.Func) {
	if w := b.s.w; b.s == w.main {
		w.length.single = true // longer batches make it no faster
	}
	for b.Len() > 0 {
		b.eachUntilPanic(f)
	}
}

// eachUntilPanic calls f until it panics. Each then continues with the next message: so a batch has
// one deferred call, rather than one per message. Consecutive messages with the same code are
// resolved together, as far as to the worker's next look at the clock; so slow ones are resolved
// one by one.
func (b *batch) eachUntilPanic(f worker.Func) {
	done, outcome := 0, worker.OK // messages that f has processed and that are not resolved yet; their code
	defer func() {
		r := recover()
		if n := done; n > 0 {
			done = 0
			b.Resolve(n, outcome)
		}
		if r != nil {
			b.s.panicked(r)
			b.Resolve(1, worker.Refused)
		}
	}()
	ctx := b.s.w.pool.ctx
	for b.Len() > 0 {
		var m worker.Message
		if b.msgs == nil {
			m = b.At(0) // the others differ in Data and Seq only
		}
		end := min(b.Len(), b.s.w.progress.untilLook())
		if r := b.s.w.retry; r != nil && r.lazy && r.sorts() && b.s == b.s.w.main {
			if r.waits(b) {
				continue
			}
			end = 1
		}
		for ; done < end; done++ {
			if b.msgs == nil {
				m.Data, m.Seq = b.data(done), b.run.seq(done)
			} else {
				m = b.msgs[done]
			}
			code, after := worker.OK, time.Duration(0)
			if err := f(ctx, m); err != nil {
				if ctx.Err() != nil {
					n := done
					done = 0
					b.Resolve(n, outcome)
					b.Defer(b.Len()) // the pool stops: they were not processed
					return
				}
				code, after = worker.Outcome(err)
			}
			if code == outcome && after == 0 {
				continue
			}
			if done > 0 {
				b.Resolve(done, outcome)
			}
			end -= done
			done, outcome = 0, code
			if after > 0 {
				b.Again(1, after)
				done, end = -1, 0 // those that follow may have to wait for their key
			}
		}
		b.Resolve(done, outcome)
		done = 0
	}
}

// skip removes the next message, which the handler does not get now.
func (b *batch) skip() run {
	b.pass(1)
	if b.s.rendered != nil {
		b.s.rendered.done(1)
	}
	return b.cut(1)
}

// pass removes the next n messages from msgs. It panics if fewer remain.
func (b *batch) pass(n int) {
	if uint(n) > uint(b.Len()) {
		panic("worker: more messages resolved or deferred than the batch has")
	}
	if b.msgs != nil {
		b.msgs = b.msgs[n:]
	}
}

// cut removes the next messages, at most n and of one run.
func (b *batch) cut(n int) run {
	head := b.run.cut(min(n, len(b.run.spans)))
	if len(b.run.spans) == 0 && b.more > 0 {
		b.run, b.rest = b.rest[0], b.rest[1:]
		b.more -= len(b.run.spans)
	}
	return head
}

// message returns the i-th message of a run, as received.
func (w *Worker) message(r *run, i int) worker.Message {
	return w.slabs.slots[r.base.Slab].Message(r.spans[i], r.seq(i), r.base.Tag)
}
