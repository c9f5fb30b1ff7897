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
	skim  skim
	watch func([]byte) // skimmed

	ticked  time.Duration // the last Tick
	decoded bool          // Decode was called since
}

// Decode implements [wire.Conn]. Requests are refused as overdue once everything received is
// decoded.
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	c.decoded = true
	for !in.Full() {
		msgs := c.begin(in, c.table.batch(in))
		err := c.Conn.Decode(buf, in)
		more := in.Full()
		c.sift(buf, in, msgs)
		switch {
		case err != nil:
			c.table.clear()
			return err
		case in.Event.Kind != wire.EventNone:
			return nil
		case !more:
			c.table.expire(in)
			return nil
		}
	}
	return nil
}

// begin has the inner Conn fill in.Msgs from its end on, with up to n messages, and returns
// in.Msgs as it was.
func (c *conn) begin(in *wire.Input, n int) []wire.Msg {
	msgs := in.Msgs
	in.Skim = c.watch
	in.Msgs = msgs[len(msgs):len(msgs):min(cap(msgs), len(msgs)+n)]
	return msgs
}

// sift appends to msgs, and so to in.Msgs, those of the messages that the inner Conn has
// appended to them that are handed on. A close then drops the requests that are open.
func (c *conn) sift(buf []byte, in *wire.Input, msgs []wire.Msg) {
	for _, m := range in.Msgs {
		if c.table.take(in, &m, in.Bytes(buf, &m)) {
			msgs = append(msgs, m)
		}
	}
	in.Msgs = msgs
	if in.Event.Kind == wire.EventClose && in.Event.Fault == nil {
		in.Event.Fault = c.drop()
	}
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
	msgs := c.begin(in, cap(in.Msgs))
	fault := c.Conn.End(buf, in, whole)
	c.sift(buf, in, msgs)
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
