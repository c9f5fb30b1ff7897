package toy

import (
	"encoding/binary"
	"math/bits"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// conn is the client's side of one connection.
type conn struct {
	wire.Base
	channel  string
	settings wire.Settings
	ping     wire.Heartbeat

	ready  bool // the login was accepted
	closed bool // the server sent its goodbye; later bytes have no meaning
	skip   wire.Skipper

	// Numbers of messages, from 1: the newest received, the newest for which the server has
	// credit, and the newest acked. acked <= received <= granted <= acked + limit.
	received, granted, acked uint64

	limit int      // most messages granted and not acked
	ids   []uint64 // ids of unacknowledged messages, each at its number modulo the length
}

// AppendHello implements [wire.Conn].
func (c *conn) AppendHello(dst []byte, h wire.Hello) []byte {
	body := append([]byte(c.channel), '\n')
	return AppendFrame(dst, Login, append(body, h.Token...)...)
}

// login ends the login. The server accepts credit for at most window messages.
func (c *conn) login(window int, in *wire.Input) {
	c.ready = true
	c.limit = min(c.limit, window)
	c.ids = make([]uint64, 1<<bits.Len(uint(c.limit-1)))
	in.Out = c.grant(in.Out)
	in.Event = wire.Event{Kind: wire.EventReady, Each: true}
}

// AppendAcks implements [wire.Conn].
func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	for end := seq + uint64(n); seq < end; seq++ {
		dst = appendAck(dst, *c.id(seq), uint16(code))
	}
	c.acked += uint64(n)
	return c.grant(dst)
}

// grant appends credit once at least half of it can be given. The server cannot run out
// meanwhile: it has the other half, or has sent messages for it whose acks will call grant again.
func (c *conn) grant(dst []byte) []byte {
	all := uint64(min(c.limit, c.settings.Allowed()))
	given := c.granted - c.acked
	if c.closed || given+(all+1)/2 > all {
		return dst
	}
	c.granted += all - given
	return appendCredit(dst, uint32(all-given))
}

// id returns the slot for the id of message seq.
func (c *conn) id(seq uint64) *uint64 { return &c.ids[seq&uint64(len(c.ids)-1)] }

// Tick implements [wire.Conn].
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if !c.ready || c.closed {
		return dst, 0
	}
	due, next := c.ping.Due(now)
	if due {
		dst = AppendFrame(dst, Ping)
	}
	return dst, next
}

// AppendClose implements [wire.Conn].
func (c *conn) AppendClose(dst []byte, _ wire.CloseCode) []byte { return AppendFrame(dst, Goodbye) }

// End implements [wire.Conn]. Without a goodbye the connection is lost, which is no fault of the
// protocol.
func (c *conn) End([]byte, *wire.Input, bool) *wire.Error { return nil }

// control handles a frame that is not a message.
func (c *conn) control(kind byte, body []byte, in *wire.Input) *wire.Error {
	switch kind {
	case Accepted:
		if len(body) != 2 {
			return wire.Errorf(wire.BadLength, wire.CloseProtocolError, "frame O: body of %d bytes, want 2", len(body))
		}
		window := binary.BigEndian.Uint16(body)
		if window == 0 {
			return wire.Errorf(badCredit, wire.CloseProtocolError, "frame O: the server takes no credit")
		}
		c.login(int(window), in)
	case Refused:
		// The body is not quoted, because it may repeat the token.
		return wire.Errorf(wire.Login, wire.CloseBadToken, "frame R: the server refused the login")
	case Ping:
		in.Out = AppendFrame(in.Out, Pong)
	case Goodbye:
		c.closed = true
		in.Event = wire.Event{Kind: wire.EventClose, Clean: true}
	}
	return nil
}
