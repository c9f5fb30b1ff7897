package ws

import "feedgate/gateway/wire"

// tooLarge reports whether the data frame with header h makes its message longer than
// --max-message.
func (c *conn) tooLarge(h head, in *wire.Input) bool {
	return c.skip.Active() || uint64(in.Keep-in.Start)+uint64(h.payload) > uint64(c.p.limit)
}

// startSkip starts to skip a data frame, and drops the fragments joined before it. Control frames
// between fragments are handled as usual.
func (c *conn) startSkip(h head, buf []byte, in *wire.Input) *wire.Error {
	if !c.skip.Active() {
		c.skip.Begin(buf, in)
	}
	c.skip.Add(0, uint64(h.payload), 0)
	if c.skip.Size > c.p.longest {
		return c.fail(codeTooBig, "it has %d bytes; up to %d are skipped, see --max-message", c.skip.Size, c.p.longest)
	}
	c.skipFin = h.fin
	c.count(h)
	in.Advance(h.size)
	return nil
}

// passBytes drops the bytes in buf of the frame being skipped, and refuses the message after its
// last frame. It returns false if the frame continues. Text is checked nevertheless (RFC 6455,
// section 8.1).
func (c *conn) passBytes(buf []byte, in *wire.Input) (whole bool, err *wire.Error) {
	if c.kind == opText && !c.text.add(c.skip.Available(buf, in)) {
		return false, c.fail(codeNotUTF8, "text is not UTF-8")
	}
	if !c.skip.Pass(buf, in) {
		return false, nil
	}
	if !c.skipFin {
		return true, nil
	}
	if !c.text.whole() {
		return false, c.fail(codeNotUTF8, "text ends within a UTF-8 sequence")
	}
	c.fragments, c.empty = 0, 0
	c.seq++
	c.skip.End(in, wire.Msg{Seq: c.seq, Tag: c.kind.tag()})
	c.kinds.record(in.Msgs[len(in.Msgs)-1:], kindSet(c.kind))
	return true, nil
}
