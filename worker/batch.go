package worker

import "feedgate/ring"

// Batch is the messages that a worker hands its handler at once, and the
// handler's way through them: Done and Later each take the next messages, so the
// batch knows what is left when a handler panics. It is the handler's during
// Handle only.
type Batch struct {
	s   *stage
	run run // not yet passed to Done or Later

	// Of all messages: they are in one slab.
	origin *Origin
	split  func(frame []byte) (head, data []byte)

	texts []text // of those in run, where --output renders them; else nil
}

// begin gives the batch its messages, not yet rendered.
func (b *Batch) begin(r run) {
	b.run, b.texts = r, nil
	b.origin = b.s.w.origin(r.first.Slab, r.spans[0])
	b.split = b.origin.split()
}

// Left is the number of messages not yet passed to Done or Later.
func (b *Batch) Left() int { return len(b.run.spans) }

// At is the i-th message of those left, from 0.
func (b *Batch) At(i int) Message {
	frame := b.s.w.data(b.run.first.Slab, b.run.spans[i])
	m := Message{
		Data: frame,
		Seq:  b.run.first.Seq + uint64(i),
		Aux:  b.run.first.Aux,

		frame: frame, origin: b.origin,
	}
	if b.texts != nil {
		m.Data = b.texts[i].data
	} else if b.split != nil {
		_, m.Data = b.split(frame)
	}
	return m
}

// Size is the length of the data of the i-th message of those left, in bytes; it
// is cheaper to ask than At.
func (b *Batch) Size(i int) int {
	if b.texts != nil || b.split != nil {
		return len(b.At(i).Data)
	}
	return int(uint32(b.run.spans[i]))
}

// Done completes the next n messages with one code.
func (b *Batch) Done(n int, code Code) {
	if b.texts != nil {
		b.texts = b.texts[n:]
	}
	b.s.settled(b.run.cut(n), code)
}

// Later puts the next n messages off. Their data stay valid until they are
// completed. They get consecutive tickets, of which it returns the first.
func (b *Batch) Later(n int) Ticket {
	first := b.s.open.add(b.run.cut(n))
	if b.texts != nil {
		b.s.texts.pin(b.texts[:n], first)
		b.texts = b.texts[n:]
	}
	return first
}

func (b *Batch) panicked(reason any) { b.s.panicked(reason) }

// Ticket stands for a message that was put off. The tickets of one worker count
// up from 0 without gaps, in the order in which messages were put off.
type Ticket uint64

// Completer completes what one worker's handler has put off. One goroutine may use it
// at a time, any but the worker's own while it is in Handle included; completions pass to
// the worker by a ring of their own.
type Completer struct {
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

// origin is that of a message, and of all others in its slab.
func (w *Worker) origin(slab uint16, at span) *Origin {
	if slab == copied {
		return w.retry.copies[at>>32].origin
	}
	return w.slabs.slots[slab].Origin
}

// data is what lies in its slab for a message, or was copied out.
func (w *Worker) data(slab uint16, at span) []byte {
	if slab == copied {
		return w.retry.copies[at>>32].data
	}
	return w.slabs.bytes(slab, at)
}
