package assemble

import (
	"time"

	"feedgate/gateway/wire"
)

// conn takes the messages of an inner Conn and returns complete requests. It belongs to the loop.
type conn struct {
	wire.Conn
	p     *settings
	table table
	skim  skim
	watch func([]byte) // skimmed

	ticked  time.Duration // time of the last Tick
	decoded bool          // Decode has been called since
}

// Decode implements [wire.Conn]. Overdue requests are refused once all received bytes are
// decoded.
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	c.decoded = true
	for !in.Full() {
		msgs := c.begin(in, c.table.batch(in))
		err := c.Conn.Decode(buf, in)
		more := in.Full()
		c.filter(buf, in, msgs)
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

// begin makes the inner Conn append to the end of in.Msgs, up to n messages, and returns in.Msgs
// as it was.
func (c *conn) begin(in *wire.Input, n int) []wire.Msg {
	msgs := in.Msgs
	in.Skim = c.watch
	in.Msgs = msgs[len(msgs):len(msgs):min(cap(msgs), len(msgs)+n)]
	return msgs
}

// filter appends those of the inner Conn's messages that are complete requests, or refusals, to
// msgs and so to in.Msgs. If the peer closes, it drops the open requests.
func (c *conn) filter(buf []byte, in *wire.Input, msgs []wire.Msg) {
	for _, m := range in.Msgs {
		if c.table.handle(in, &m, in.Bytes(buf, &m)) {
			msgs = append(msgs, m)
		}
	}
	in.Msgs = msgs
	if in.Event.Kind == wire.EventClose && in.Event.Fault == nil {
		in.Event.Fault = c.dropOpen()
	}
}

// skimmed handles bytes of a message that the inner Conn skips; nil is its end.
func (c *conn) skimmed(b []byte) {
	if b != nil {
		c.skim.add(b)
		return
	}
	c.table.skipped(c.skim.end())
}

// End implements [wire.Conn]. A last message may complete a request.
func (c *conn) End(buf []byte, in *wire.Input, clean bool) *wire.Error {
	msgs := c.begin(in, cap(in.Msgs))
	fault := c.Conn.End(buf, in, clean)
	c.filter(buf, in, msgs)
	if open := c.dropOpen(); fault == nil {
		fault = open
	}
	return fault
}

// dropOpen drops the open requests, because no more parts will arrive. It returns nil if there
// are none.
func (c *conn) dropOpen() *wire.Error {
	n := c.table.open.n
	c.table.clear()
	if n == 0 {
		return nil
	}
	return unfinished(n)
}

func unfinished(n int) *wire.Error {
	return wire.Errorf(wire.Truncated, wire.CloseOK, "incomplete requests dropped (--assemble): %d", n)
}

// Tick implements [wire.Conn]. The clock of requests is paused while the loop does not decode,
// because then the delay is not the peer's.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	out, next = c.Conn.Tick(dst, now)
	if c.p.idle == 0 {
		return out, next
	}
	if c.decoded {
		c.table.pass(now - c.ticked)
	}
	c.ticked, c.decoded = now, false
	if due := now + max(c.p.idle/8, minPeriod); next == 0 || due < next {
		next = due
	}
	return out, next
}
