package feedserver

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"feedgate/gateway/wire/fg1"
)

// wsProtocol is the server's side of WebSocket (RFC 6455). A message is a text frame, or a binary frame
// if it is not UTF-8. An ack is a message `A{n}`, where n is the message's number on the connection,
// from 1. Messages of a client that do not begin with A are signs of life, as in lineProtocol.
type wsProtocol struct {
	fragments int // frames per message
}

func newWS(cfg *Config) protocol { return &wsProtocol{fragments: cfg.Fragment} }

func (*wsProtocol) traits() traits {
	return traits{login: true, pings: true, bye: true, byeReply: true}
}

func (*wsProtocol) newCodec() codec { return &wsCodec{} }

// pingEvery is the interval, in fragmented messages, of those with a PING after their first fragment.
const pingEvery = 100

func (p *wsProtocol) appendMessage(dst []byte, i int, payload, _ []byte) []byte {
	op := byte(opText)
	if !utf8.Valid(payload) {
		op = opBinary
	}
	size := (len(payload) + p.fragments - 1) / p.fragments
	for part := range p.fragments - 1 {
		k := min(size, len(payload))
		dst = appendWSFrame(dst, op, payload[:k])
		op, payload = opContinuation, payload[k:]
		if part == 0 && i%pingEvery == 0 {
			dst = appendWSFrame(dst, wsFin|opPing, []byte("between"))
		}
	}
	return appendWSFrame(dst, wsFin|op, payload)
}

// wsCodec is the protocol state of a WebSocket connection.
type wsCodec struct {
	numbered
	tail tail

	up       upgrade
	asked    bool // the client's handshake was read
	welcomed bool // the handshake was answered

	op      byte   // of the unfinished message; opContinuation: none
	message []byte // the unfinished message, unmasked

	closed     bool   // Close was sent
	peerClosed bool   // Close was received
	peerCode   uint16 // code of the received Close; 0: none
}

func (c *wsCodec) read(b []byte, r receiver) error {
	if c.peerClosed {
		return nil // RFC 6455, section 1.4: what follows is discarded
	}
	b = c.tail.join(b)
	if !c.asked {
		head, err := cutHead(b)
		if head == nil || err != nil {
			c.tail.keep(b)
			return err
		}
		if c.up, err = parseUpgrade(head); err != nil {
			return err
		}
		c.asked = true
		if err := r.login(hello{}); err != nil {
			return err
		}
		b = b[len(head):]
	}
	var acks ackRun
	rest, err := c.frames(b, &acks, r)
	acks.flush(r)
	c.tail.keep(rest)
	return err
}

// frames handles all whole frames of b and returns the rest.
func (c *wsCodec) frames(b []byte, acks *ackRun, r receiver) (rest []byte, err error) {
	for !c.peerClosed {
		if n, count, size := scanWSAcks(b); size > 0 && c.op == opContinuation {
			acks.add(c.seq(n), count, 0, r)
			b = b[size:]
			continue
		}
		h, ok, err := parseWSHead(b)
		if err != nil {
			return nil, err
		}
		if !ok || len(b) < h.end {
			return b, nil
		}
		if err := c.frame(&h, b[h.size:h.end], acks, r); err != nil {
			return nil, err
		}
		b = b[h.end:]
	}
	return nil, nil
}

// frame handles a whole frame, whose payload is still masked.
func (c *wsCodec) frame(h *wsHead, payload []byte, acks *ackRun, r receiver) error {
	if h.op >= opClose {
		var whole [wsMaxControl]byte
		n := copy(whole[:], payload)
		h.unmask(whole[:n])
		return c.control(h.op, whole[:n], r)
	}
	switch {
	case h.op == opContinuation && c.op == opContinuation:
		return faultf(closeProtocolError, "continuation of no message")
	case h.op != opContinuation && c.op != opContinuation:
		return faultf(closeProtocolError, "message within a message")
	case len(c.message)+len(payload) > maxFrame:
		return faultf(closeTooBig, "message longer than %d bytes", maxFrame)
	case h.op != opContinuation:
		c.op = h.op
	}
	before := len(c.message)
	c.message = append(c.message, payload...)
	h.unmask(c.message[before:])
	if !h.fin {
		return nil
	}
	if c.op == opText && !utf8.Valid(c.message) {
		return faultf(closeNotUTF8, "text that is not UTF-8")
	}
	if len(c.message) > 0 && c.message[0] == 'A' {
		acks.add(c.seq(ackedBy(c.message)), 1, 0, r)
	}
	c.op, c.message = opContinuation, c.message[:0]
	return nil
}

// ackedBy returns the number in a message that begins with A; 0 if it is not an ack.
func ackedBy(message []byte) uint64 {
	for _, d := range message[1:] {
		if d < '0' || d > '9' {
			return 0
		}
	}
	n, err := strconv.ParseUint(string(message[1:]), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// control handles a control frame.
func (c *wsCodec) control(op byte, payload []byte, r receiver) error {
	switch op {
	case opPing:
		r.reply(func(dst []byte) []byte { return appendWSFrame(dst, wsFin|opPong, payload) })
	case opClose:
		code, ok := parseClose(payload)
		if !ok {
			return faultf(closeProtocolError, "Close with an invalid code or reason")
		}
		c.peerClosed, c.peerCode = true, code
		r.bye(code)
	}
	return nil
}

// parseClose parses the payload of a Close (RFC 6455, sections 5.5.1 and 7.4, and codes registered
// later); code 0: none.
func parseClose(payload []byte) (code uint16, ok bool) {
	if len(payload) == 0 {
		return 0, true
	}
	if len(payload) == 1 || !utf8.Valid(payload[2:]) {
		return 0, false
	}
	code = binary.BigEndian.Uint16(payload)
	return code, code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

func (c *wsCodec) appendWelcome(dst []byte, _ welcome) []byte {
	c.welcomed = true
	return c.up.appendAccepted(dst)
}

func (c *wsCodec) appendPing(dst []byte, seq uint64) []byte {
	if c.closed {
		return dst
	}
	return appendWSFrame(dst, wsFin|opPing, strconv.AppendUint(nil, seq, 10))
}

// appendBye appends a Close, with the client's code if it answers a Close. If the handshake is not
// answered yet, it refuses it.
func (c *wsCodec) appendBye(dst []byte, code uint16) []byte {
	switch {
	case !c.welcomed:
		return appendRefused(dst, code)
	case c.closed:
		return dst
	case c.peerClosed:
		code = c.peerCode
	case code == fg1.CodeOK:
		code = closeNormal
	case code == fg1.CodeShuttingDown:
		code = closeGoingAway
	}
	c.closed = true
	return appendWSClose(dst, code)
}
