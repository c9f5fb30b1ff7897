package ws

import (
	"encoding/binary"

	"feedgate/gateway/wire"
)

// head is a decoded frame header.
type head struct {
	fin     bool
	op      opcode
	size    int // bytes of the header
	payload int // bytes
}

// parseHead decodes and checks the header at the beginning of b. need, if not 0, is how many
// bytes of b it requires.
//
// Faults in the first two bytes are found first, so that the fault of a frame does not depend on
// how it arrives.
func (c *conn) parseHead(b []byte) (h head, need int, err *wire.Error) {
	if len(b) < 2 {
		return head{}, 2, nil
	}
	h = head{fin: b[0]&finBit != 0, op: opcode(b[0] & opBits), size: 2}
	short := b[1] &^ maskBit
	if err := c.checkFirst(b[0], h); err != nil {
		return h, 0, err
	}
	switch {
	case b[1]&maskBit != 0:
		return h, 0, c.fail(codeProtocol, "a masked frame from the server")
	case h.op.control() && short > maxControl:
		return h, 0, c.fail(codeProtocol, "control frame %#x of more than %d bytes", byte(h.op), maxControl)
	case !h.op.control() && short == 0 && c.empty == maxEmpty:
		return h, 0, c.fail(codeTooBig, "more than %d empty fragments", maxEmpty)
	}
	n := uint64(short)
	switch short {
	case length16:
		if h.size += 2; len(b) < h.size {
			return h, h.size, nil
		}
		if n = uint64(binary.BigEndian.Uint16(b[2:])); n < length16 {
			return h, 0, c.fail(codeProtocol, "length %d in 2 bytes, not the shortest form", n)
		}
	case length64:
		if h.size += 8; len(b) < h.size {
			return h, h.size, nil
		}
		if n = binary.BigEndian.Uint64(b[2:]); n <= 0xffff {
			return h, 0, c.fail(codeProtocol, "length %d in 8 bytes, not the shortest form", n)
		}
		if n>>63 != 0 {
			return h, 0, c.fail(codeProtocol, "length with the highest bit set")
		}
	}
	h.payload = int(n)
	return h, 0, nil
}

// checkFirst checks the first byte of a frame.
func (c *conn) checkFirst(first byte, h head) *wire.Error {
	switch {
	case first&rsvBits != 0:
		return c.fail(codeProtocol, "reserved bits %#x are set", first&rsvBits)
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return c.fail(codeProtocol, "reserved opcode %#x", byte(h.op))
	case h.op.control() && !h.fin:
		return c.fail(codeProtocol, "control frame %#x in fragments", byte(h.op))
	case h.op == opContinuation && c.fragments == 0:
		return c.fail(codeProtocol, "a continuation without a message")
	case !h.op.control() && h.op != opContinuation && c.fragments > 0:
		return c.fail(codeProtocol, "another message while this one is unfinished")
	}
	return nil
}

// fail makes the fault that ends the connection, names the message after the last one, and keeps
// the status code for our Close.
func (c *conn) fail(code statusCode, format string, args ...any) *wire.Error {
	c.closeCode = code
	reason, why := wire.WS, wire.CloseProtocolError
	switch code {
	case codeTooBig:
		reason, why = wire.TooLarge, wire.CloseTooLarge
	case codeNotUTF8:
		reason, why = wire.BadUTF8, wire.CloseBadRequest
	}
	return wire.Errorf(reason, why, "message %d: "+format, append([]any{c.seq + 1}, args...)...)
}
