package worker

import "feedgate/ring"

// Batch is the messages that a worker hands its handler at once, and the
// handler's way through them: Done and Later each take the next messages, so the
// batch knows what is left when a handler panics. It is the handler's during
// Handle only.
type Batch struct {
	s   *stage
	run run // not yet passed to Done or Later
}

// Left is the number of messages not yet passed to Done or Later.
func (b *Batch) Left() int { return len(b.run.spans) }

// At is the i-th message of those left, from 0.
func (b *Batch) At(i int) Message {
	return Message{
		Data: b.s.w.data(b.run.first.Slab, b.run.spans[i]),
		Seq:  b.run.first.Seq + uint64(i),
		Aux:  b.run.first.Aux,
	}
}

// Size is the length of the data of the i-th message of those left, in bytes; it
// is cheaper to ask than At.
func (b *Batch) Size(i int) int { return int(uint32(b.run.spans[i])) }

// Done completes the next n messages with one code.
func (b *Batch) Done(n int, code Code) { b.s.settled(b.run.cut(n), code) }

// Later puts the next n messages off. Their data stay valid until they are
// completed. They get consecutive tickets, of which it returns the first.
func (b *Batch) Later(n int) Ticket { return b.s.open.add(b.run.cut(n)) }

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
