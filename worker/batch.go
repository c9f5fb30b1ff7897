package worker

import "feedgate/ring"

// Batch is the messages that a worker hands its handler at once, and the
// handler's way through them: Done and Later each take the next messages, so the
// batch knows what is left when a handler panics. It is the handler's during
// Handle only.
type Batch struct {
	s   *stage
	run run // not yet passed to Done or Later

	source *source   // in which messages lie, where msgs is nil
	msgs   []Message // of run, where data are not simply what lies in the slab; else nil

	scratch []Message // memory for msgs
}

// begin gives the batch its messages, as they were received.
func (b *Batch) begin(r run) {
	b.run, b.msgs = r, nil
	w := b.s.w
	b.source = &w.slabs.slots[r.first.Slab].source
	if b.s.texts == nil && b.source.Origin.split() == nil {
		return
	}
	b.msgs = b.scratch[:0]
	for i := range r.spans {
		b.msgs = append(b.msgs, w.message(&r, i))
	}
	b.scratch = b.msgs
}

// end forgets the messages, whose memory may be gone soon.
func (b *Batch) end() {
	clear(b.scratch)
	b.scratch, b.msgs = b.scratch[:0], nil
}

// Left is the number of messages not yet passed to Done or Later.
func (b *Batch) Left() int { return len(b.run.spans) }

// At is the i-th message of those left, from 0. It is small enough to be inlined.
func (b *Batch) At(i int) Message {
	// Where msgs is nil there are no heads, so that off does not matter.
	m := Message{Seq: b.run.first.Seq + uint64(i), Aux: b.run.first.Aux, source: b.source}
	if b.msgs == nil {
		at := b.run.spans[i]
		m.Data = b.source.Data[at>>32:][:uint32(at):uint32(at)]
	} else {
		m.Data, m.off, m.source = b.msgs[i].Data, b.msgs[i].off, b.msgs[i].source
	}
	return m
}

// plain is At where msgs is nil.
func (b *Batch) plain(i int) Message {
	at, s := b.run.spans[i], b.source
	off, end := at>>32, at>>32+at&(1<<32-1)
	return Message{Data: s.Data[off:end:end], Seq: b.run.first.Seq + uint64(i), Aux: b.run.first.Aux, source: s}
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

// Done completes the next n messages with one code.
func (b *Batch) Done(n int, code Code) {
	b.pass(n)
	if b.s.texts != nil {
		b.s.texts.done(n)
	}
	b.s.settled(b.run.cut(n), code)
}

// Later puts the next n messages off. Their data and metadata stay valid until they are
// completed, also after the handler's Close. They get consecutive tickets, of which it returns the first.
func (b *Batch) Later(n int) Ticket {
	first := b.s.open.add(b.run.cut(n))
	b.pass(n)
	if b.s.texts != nil {
		b.s.texts.pin(first, n)
	}
	return first
}

// pass passes over the next n messages.
func (b *Batch) pass(n int) {
	if b.msgs != nil {
		b.msgs = b.msgs[n:]
	}
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
// blocks: the ring has room for every message that can be open. The worker hears
// of it at Flush.
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
