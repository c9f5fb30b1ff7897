package stream

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// conn is the state of one connection, owned by the loop.
type conn struct {
	p      *protocol
	framer framer
	ready  bool   // EventReady was given
	seq    uint64 // arrival number of the last message
	pos    uint64 // bytes of the stream before in.Scan

	armed bool          // next is set
	next  time.Duration // when the heartbeat is due
}

func (c *conn) Open(dst []byte, r wire.Resume) []byte {
	if c.p.hello == nil {
		return dst
	}
	return c.p.hello.AppendHello(dst, r.Token)
}

// Decode keeps Start, Keep and Scan together, at the first byte of the first frame
// that is not whole.
func (c *conn) Decode(buf []byte, in *wire.Input) error {
	in.Need = 0
	if !c.ready {
		c.ready = true
		in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
		return nil
	}
	for {
		n := len(in.Msgs)
		room := in.Msgs[n:cap(in.Msgs)]
		p, f := c.framer.frames(room, c.seq, buf, in.Scan)
		kept := wire.DropPrefixed(buf, room[:p.n], c.p.ignore, c.seq)
		in.Ignored += p.n - kept
		in.Msgs = in.Msgs[:n+kept]
		c.seq += uint64(kept)
		c.pos += uint64(p.at - in.Scan)
		in.Need = p.need
		in.Start, in.Keep, in.Scan = p.at, p.at, p.at
		if f != nil {
			return c.errorf(f)
		}
		// Signs of life made room that the framer did not have.
		if kept == p.n || p.n < len(room) {
			return nil
		}
	}
}

func (c *conn) errorf(f *fault) error {
	code := worker.BadRequest
	if f.reason == wire.TooLarge {
		code = worker.TooLarge
	}
	return wire.Errorf(f.reason, code, "message %d at byte %d: %s", c.seq+1, c.pos, f.detail)
}

func (c *conn) End(rest int) error {
	if rest == 0 {
		return nil
	}
	return wire.Errorf(wire.Truncated, worker.BadRequest,
		"message %d at byte %d: the stream ended after %d bytes of it", c.seq+1, c.pos, rest)
}

func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	if !c.p.acks(code) {
		return dst
	}
	return c.p.ack.AppendRun(dst, seq, n, uint16(code))
}

// AppendAckTo is not there: Traits.CumulativeAcks is not set.
func (c *conn) AppendAckTo([]byte, uint64) []byte { panic("stream: there are no cumulative acks") }

// Tick counts the first interval from its first call.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if c.p.heartbeat == nil || c.p.interval == 0 {
		return dst, 0
	}
	if c.armed && now < c.next {
		return dst, c.next
	}
	if c.armed {
		dst = c.p.heartbeat.Append(dst, 0, 0, nil)
	}
	// From due time to due time, so that late calls do not add up, unless one was
	// later than a whole interval.
	if c.next += c.p.interval; !c.armed || c.next <= now {
		c.next = now + c.p.interval
	}
	c.armed = true
	return dst, c.next
}

// AppendClose appends nothing: the end of the stream is the goodbye.
func (c *conn) AppendClose(dst []byte, _ worker.Code) []byte { return dst }
