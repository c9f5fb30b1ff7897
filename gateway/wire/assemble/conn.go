package assemble

import (
	"time"

	"feedgate/gateway/wire"
)

// conn takes the messages of an inner Conn and hands on those that are whole
// requests. It is owned by the loop.
type conn struct {
	wire.Conn
	p     *settings
	table table
	rest  rest
	skim  skim
	watch func([]byte) // skimmed

	ticked  time.Duration // the last Tick
	decoded bool          // Decode was called since
}

// Decode implements [wire.Conn]. A request whose parts have come in several
// messages goes out as an event, with what the inner Conn has decoded behind it
// put off.
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	c.decoded = true
	if c.rest.pending {
		from := in.Scan
		msgs, err := c.rest.resume(buf, in)
		if more, err := c.sift(buf, in, batch{msgs, from, true, err}); !more {
			return err
		}
	}
	for len(in.Msgs) < cap(in.Msgs) {
		if c.expire(in) {
			return nil
		}
		from, handed := in.Scan, in.Msgs
		in.Msgs, in.Skim = handed[len(handed):], c.watch
		err := c.Conn.Decode(buf, in)
		msgs := in.Msgs
		in.Msgs = handed
		if more, err := c.sift(buf, in, batch{msgs, from, len(msgs) == cap(msgs), err}); !more {
			return err
		}
	}
	return nil
}

// batch is what one Decode of the inner Conn has brought, beside its event.
type batch struct {
	msgs []wire.Msg // may lie behind in.Msgs in one array
	from int        // in.Scan when it began
	more bool       // it did not stop for want of bytes
	err  *wire.Error
}

// sift hands on what the inner Conn has decoded. more says that it may have more for
// this call.
func (c *conn) sift(buf []byte, in *wire.Input, b batch) (more bool, err *wire.Error) {
	for i, m := range b.msgs {
		if len(in.Msgs) == cap(in.Msgs) {
			c.rest.hold(in, b.msgs[i:], b.from, b.err)
			return false, nil
		}
		end := m.Off + m.Len
		b.from = max(b.from, int(end))
		switch c.table.take(&m, buf[m.Off:end]) {
		case passed:
			in.Msgs = append(in.Msgs, m)
		case ignored:
			in.Ignored++
		case joined:
			c.rest.hold(in, b.msgs[i+1:], b.from, b.err)
			c.emit(in, m)
			return false, nil
		}
	}
	if in.Event.Kind == wire.EventMessage {
		b.more = c.siftEvent(in)
	}
	switch {
	case in.Event.Kind == wire.EventClose && in.Event.Fault == nil:
		in.Event.Fault = c.drop()
	case b.err != nil:
		c.table.clear()
	}
	return b.more && b.err == nil && in.Event.Kind == wire.EventNone, b.err
}

// siftEvent hands on a message of the inner Conn that does not lie in the buffer;
// true when nothing came of it yet.
func (c *conn) siftEvent(in *wire.Input) bool {
	switch c.table.take(&in.Event.Msg, in.Data) {
	case passed:
		return false
	case joined:
		c.emit(in, in.Event.Msg)
		return false
	case ignored:
		in.Ignored++
	}
	in.Event, in.Data = wire.Event{}, nil
	return true
}

// expire hands out the refusal of a request that is overdue; false when there is
// none.
func (c *conn) expire(in *wire.Input) bool {
	m, found := c.table.expire()
	if found {
		c.emit(in, m)
	}
	return found
}

// emit hands out the table's whole as message m.
func (c *conn) emit(in *wire.Input, m wire.Msg) {
	m.Off, m.Len = 0, uint32(len(c.table.whole))
	in.Event = wire.Event{Kind: wire.EventMessage, Msg: m}
	in.Data = c.table.whole
}

// skimmed takes bytes of a message that the inner Conn skips; nil is its end.
func (c *conn) skimmed(b []byte) {
	if b != nil {
		c.skim.add(b)
		return
	}
	c.table.skipped(c.skim.end())
}

// End implements [wire.Conn]. A last message may complete a request.
func (c *conn) End(buf []byte, in *wire.Input, whole bool) *wire.Error {
	from := in.Scan
	in.Skim = c.watch
	fault := c.Conn.End(buf, in, whole)
	msgs := in.Msgs
	in.Msgs = msgs[:0]
	if _, err := c.sift(buf, in, batch{msgs, from, false, nil}); fault == nil {
		fault = err
	}
	if open := c.drop(); fault == nil {
		fault = open
	}
	return fault
}

// drop drops the requests that are open, as no more parts will come; nil: there are
// none.
func (c *conn) drop() *wire.Error {
	n := c.table.open.n
	c.table.clear()
	if n == 0 {
		return nil
	}
	return unfinished(n)
}

func unfinished(n int) *wire.Error {
	return wire.Errorf(wire.Truncated, wire.CloseOK, "requests of which not all parts have come (--assemble): %d", n)
}

// Tick implements [wire.Conn]. The time of requests stands still while the loop does
// not decode: then it is not the peer that keeps them waiting.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	out, next = c.Conn.Tick(dst, now)
	if c.p.idle == 0 {
		return out, next
	}
	if c.decoded {
		c.table.pass(now - c.ticked)
	}
	c.ticked, c.decoded = now, false
	if due := now + max(c.p.idle/8, leastPeriod); next == 0 || due < next {
		next = due
	}
	return out, next
}
