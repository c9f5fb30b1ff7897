package stream

import (
	"bytes"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// conn is the state of one connection. It belongs to the loop.
type conn struct {
	wire.Base

	p      *protocol
	framer framer
	ready  bool   // EventReady was returned
	seq    uint64 // arrival number of the last message
	pos    uint64 // bytes of the stream before the current frame, the first incomplete one

	// The frame being skipped.
	skip   wire.Skipper
	passed uint64 // bytes of it, before in.Scan
	search bool   // its length is unknown: the framer searches for its end

	heartbeat wire.Heartbeat
}

func (c *conn) AppendHello(dst []byte, r wire.Hello) []byte {
	if c.p.hello == nil || r.Probe {
		return dst
	}
	return c.p.hello.AppendHello(dst, r.Token)
}

// Decode keeps Start, Keep and Scan together, at the first byte of the first incomplete frame.
func (c *conn) Decode(buf []byte, in *wire.Input) *wire.Error {
	in.Need = 0
	if !c.ready {
		c.ready = true
		in.Event = wire.Event{Kind: wire.EventReady, First: 1, Each: true}
		return nil
	}
	for {
		if c.skip.Active() {
			if in.Full() {
				return nil
			}
			if through, err := c.passBytes(buf, in); err != nil || !through {
				return err
			}
		}
		n := len(in.Msgs)
		free := in.Msgs[n:cap(in.Msgs)]
		p, f := c.framer.frames(free, c.seq, buf, in.Scan)
		kept := c.p.ignore.Drop(buf, free[:p.n], c.seq)
		in.Msgs = in.Msgs[:n+kept]
		c.seq += uint64(kept)
		c.pos += uint64(p.at - in.Scan)
		in.Need = p.need
		in.AdvanceTo(p.at)
		switch {
		case f != nil:
			return c.errorf(f.reason, wire.CloseBadRequest, "%s", f.detail)
		case p.over:
			c.skip.Begin(buf, in)
			if c.search = p.size == 0; !c.search {
				c.skip.Add(uint64(p.lead), p.size, 0)
			}
		case kept == p.n || p.n < len(free):
			return nil
		}
		// Ignored messages have left space in Msgs: continue.
	}
}

// passBytes drops the bytes in buf of the frame being skipped, and refuses the message at its
// end. It returns false if the frame continues.
func (c *conn) passBytes(buf []byte, in *wire.Input) (through bool, err *wire.Error) {
	found := true
	if c.search {
		var n, size int
		n, size, found = c.framer.end(buf[in.Scan:])
		c.skip.Add(0, uint64(size), uint64(n-size))
	}
	if c.skip.Size > c.p.longest {
		return false, c.errorf(wire.TooLarge, wire.CloseTooLarge,
			"it is longer than %d bytes, the limit up to which messages over --max-message are skipped", c.p.longest)
	}
	before := in.Scan
	whole := c.skip.Pass(buf, in)
	c.passed += uint64(in.Scan - before)
	if !whole || !found {
		return false, nil
	}
	c.refuse(in)
	return true, nil
}

// refuse ends the skipped message with its refusal.
func (c *conn) refuse(in *wire.Input) {
	c.seq++
	c.skip.End(in, wire.Msg{Seq: c.seq})
	c.pos += c.passed
	c.passed = 0
}

// errorf makes an Error that names the current frame.
func (c *conn) errorf(reason string, code wire.CloseCode, format string, args ...any) *wire.Error {
	return wire.Errorf(reason, code, "message %d at byte %d: "+format, append([]any{c.seq + 1, c.pos}, args...)...)
}

func (c *conn) End(buf []byte, in *wire.Input, clean bool) *wire.Error {
	rest := c.passed + uint64(len(buf)-in.Scan)
	if rest == 0 {
		return nil
	}
	if clean && c.p.lastLine {
		c.lastLine(buf, in)
		return nil
	}
	return c.errorf(wire.Truncated, wire.CloseBadRequest, "the stream ended after %d bytes of it", rest)
}

// lastLine makes a message of a last line without LF.
func (c *conn) lastLine(buf []byte, in *wire.Input) {
	line := bytes.TrimSuffix(buf[in.Scan:], []byte("\r"))
	at := in.Scan
	switch {
	case c.skip.Active():
		c.skip.Add(0, uint64(len(line)), 0)
		c.skip.Pass(buf, in)
		c.refuse(in)
	case !c.p.ignore.Match(line):
		c.seq++
		in.Msgs = append(in.Msgs, wire.Msg{Seq: c.seq, Off: uint32(at), Len: uint32(len(line))})
	}
	in.Advance(len(buf) - in.Scan)
}

func (c *conn) AppendAcks(dst []byte, seq uint64, n int, code worker.Code) []byte {
	if !c.p.ack.Acks(code) {
		return dst
	}
	return c.p.ack.AppendRun(dst, seq, n, uint16(code))
}

// Tick appends the heartbeat when it is due. The first interval begins with the first call.
func (c *conn) Tick(dst []byte, now time.Duration) (out []byte, next time.Duration) {
	if c.p.heartbeat == nil {
		return dst, 0
	}
	due, next := c.heartbeat.Due(now)
	if due {
		dst = c.p.heartbeat.Append(dst, worker.Message{}, 0)
	}
	return dst, next
}
