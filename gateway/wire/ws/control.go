package ws

import (
	"encoding/binary"
	"unicode/utf8"

	"feedgate/gateway/wire"
)

// statusCode is the status code of a Close frame (RFC 6455 7.4.1).
type statusCode uint16

const (
	codeNormal    statusCode = 1000
	codeGoingAway statusCode = 1001
	codeProtocol  statusCode = 1002
	codeNoStatus  statusCode = 1005 // never on the wire: Close has no code
	codeNotUTF8   statusCode = 1007
	codePolicy    statusCode = 1008 // faults without a code of their own
	codeTooBig    statusCode = 1009
)

// received reports whether a peer may send the code (RFC 6455 7.4, and IANA's registry for 1012
// to 1014).
func (c statusCode) received() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014:
		return true
	}
	return c >= 3000 && c <= 4999
}

// control handles a control frame, which may come between the fragments of a message.
func (c *conn) control(op opcode, payload []byte, in *wire.Input) *wire.Error {
	switch op {
	case opPing:
		if !c.closeSent {
			in.Out = appendFrame(in.Out, opPong, payload)
		}
	case opClose:
		return c.close(payload, in)
	}
	return nil
}

// close handles the server's Close (RFC 6455 5.5.1). The event has the server's own code; 0:
// none.
func (c *conn) close(payload []byte, in *wire.Input) *wire.Error {
	code := codeNoStatus
	switch {
	case len(payload) == 1:
		return c.fail(codeProtocol, "Close with half a code")
	case len(payload) > 1:
		code = statusCode(binary.BigEndian.Uint16(payload))
		if !code.received() {
			return c.fail(codeProtocol, "Close with code %d", code)
		}
		if !utf8.Valid(payload[2:]) {
			return c.fail(codeNotUTF8, "the reason of Close is not UTF-8")
		}
	}
	c.phase, c.closeCode = closed, code
	in.Event = wire.Event{
		Kind:  wire.EventClose,
		Clean: code == codeNormal || code == codeGoingAway || code == codeNoStatus,
	}
	if code != codeNoStatus {
		in.Event.Code = wire.CloseCode(code)
	}
	return nil
}

// AppendClose appends Close, once, after the handshake. Its code is that of the server's Close or
// of a fault, or else derived from why.
func (c *conn) AppendClose(dst []byte, why wire.CloseCode) []byte {
	if c.phase == opening || c.closeSent {
		return dst
	}
	c.closeSent = true
	code := c.closeCode
	if code == 0 {
		code = statusFor(why)
	}
	if code == codeNoStatus {
		return appendFrame(dst, opClose, nil)
	}
	return appendFrame(dst, opClose, binary.BigEndian.AppendUint16(nil, uint16(code)))
}

// statusFor translates a close code.
func statusFor(why wire.CloseCode) statusCode {
	switch why {
	case wire.CloseOK:
		return codeNormal
	case wire.CloseShuttingDown:
		return codeGoingAway
	case wire.CloseBadRequest, wire.CloseProtocolError:
		return codeProtocol
	case wire.CloseTooLarge:
		return codeTooBig
	}
	return codePolicy
}
