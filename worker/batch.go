package worker

import "feedgate/ring"

// Batch is the messages that a worker hands its handler at once, and the
// handler's way through them: Done and Later each take the next messages, so the
// batch knows what is left when a handler panics. It is the handler's during
// Handle only.
//
// Invariant: run is empty only if rest is.
type Batch struct {
	s    *stage
	run  run   // of messages not yet passed to Done or Later, the first
	rest []run // those behind it
	more int   // messages in rest

	source *source   // in which messages lie, where msgs is nil
	msgs   []Message // all that are left; nil: they are one run, and their data are what lies in the slab

	scratch []Message // memory for msgs
}

// begin gives the batch its messages, as they were received, or as --output makes them. rest
// is the batch's until the next one.
func (b *Batch) begin(first run, rest []run) {
	b.run, b.rest, b.more, b.msgs = first, rest, 0, nil
	b.source = &b.s.w.slabs.slots[first.first.Slab].source
	if len(rest) == 0 && b.s.texts == nil && b.source.Origin.split() == nil {
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

// add appends the messages of a run to msgs.
func (b *Batch) add(r *run) {
	from := len(b.msgs)
	for i := range r.spans {
		b.msgs = append(b.msgs, b.s.w.message(r, i))
	}
	if b.s.texts != nil {
		b.s.texts.render(b.s.w, r, b.msgs[from:])
	}
}

// end forgets the messages, whose memory may be gone soon.
func (b *Batch) end() {
	clear(b.scratch)
	b.scratch, b.msgs = b.scratch[:0], nil
}

// Left is the number of messages not yet passed to Done or Later.
func (b *Batch) Left() int { return len(b.run.spans) + b.more }

// At is the i-th message of those left, from 0. It is small enough to be inlined.
func (b *Batch) At(i int) Message {
	if b.msgs != nil {
		return b.msgs[i]
	}
	return b.plain(i)
}

// plain is At where msgs is nil. There are no heads then, so that off does not matter.
func (b *Batch) plain(i int) Message {
	return Message{Data: b.data(i), Seq: b.run.first.Seq + uint64(i), Aux: b.run.first.Aux, source: b.source}
}

// data are those of the i-th message where msgs is nil.
func (b *Batch) data(i int) []byte {
	at := b.run.spans[i]
	off, end := at>>32, at>>32+at&(1<<32-1)
	return b.source.Data[off:end:end]
}

// Size is the length of the data of the i-th message of those left, in bytes; it
// is cheaper to ask than At.
func (b *Batch) Size(i int) int {
	if b.msgs != nil {
		return len(b.msgs[i].Data)
	}
	return int(uint32(b.run.spans[i]))
}

// Bytes is the sum of Size for all messages left.
func (b *Batch) Bytes() int {
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

// Done completes the next n messages with one code. Where messages take long, they are
// acknowledged now; else at the end of the batch.
func (b *Batch) Done(n int, code Code) {
	b.pass(n)
	if b.s.texts != nil {
		b.s.texts.done(n)
	}
	for left := n; left > 0; {
		r := b.cut(left)
		left -= len(r.spans)
		b.s.completed(r, code)
	}
	b.s.w.noteCompleted(n)
}

// Later puts the next n messages off. Their data and metadata stay valid until they are
// completed, also after the handler's Close. They get consecutive tickets, of which it returns the first.
func (b *Batch) Later(n int) Ticket {
	b.pass(n)
	first := b.s.open.next
	for left := n; left > 0; {
		r := b.cut(left)
		left -= len(r.spans)
		b.s.open.add(r)
	}
	if b.s.texts != nil {
		b.s.texts.pin(first, n)
	}
	return first
}

// pass passes over the next n messages.
func (b *Batch) pass(n int) {
	if uint(n) > uint(b.Left()) {
		panic("worker: more messages completed or put off than the batch has")
	}
	if b.msgs != nil {
		b.msgs = b.msgs[n:]
	}
}

// cut takes the next messages off, at most n, of one run.
func (b *Batch) cut(n int) run {
	head := b.run.cut(min(n, len(b.run.spans)))
	if len(b.run.spans) == 0 && b.more > 0 {
		b.run, b.rest = b.rest[0], b.rest[1:]
		b.more -= len(b.run.spans)
	}
	return head
}

func (b *Batch) panicked(reason any) { b.s.panicked(reason) }

// Ticket stands for a message that was put off. The tickets of one worker count
// up from 0 without gaps, in the order in which messages were put off.
type Ticket uint64

// Completer completes what one worker's handler has put off. One goroutine may use it
// at a time, any but the worker's own while it is in Handle included; completions pass to
// the worker by a ring of their own.
type Completer struct {
	Hooks Hooks // set by Open, and not changed afterwards

	w    *Worker
	ring *ring.SPSC[completion]
}

type completion struct {
	first Ticket
	n     uint32
	code  Code
}

// Done completes n messages with consecutive tickets, with one code. It never
// blocks: the ring has room for every message that can be open. The worker gets
// them at Flush.
func (c *Completer) Done(first Ticket, n int, code Code) {
	s := c.ring.Reserve(1)
	if len(s) == 0 {
		panic("worker: more completions than messages put off")
	}
	s[0] = completion{first, uint32(n), code}
	c.ring.Commit(1)
}

// Stopped is closed when the pool stops: a Handle that waits for something must
// then return.
func (c *Completer) Stopped() <-chan struct{} { return c.w.pool.stopped }

// Flush passes the completions made so far to the worker and wakes it.
func (c *Completer) Flush() {
	c.ring.Publish()
	c.w.Wake()
}

// message is the i-th of a run, as it was received.
func (w *Worker) message(r *run, i int) Message {
	return w.slabs.slots[r.first.Slab].Message(r.spans[i], r.first.Seq+uint64(i), r.first.Aux)
}
