package feedserver

import "encoding/binary"

// A WebSocket frame (RFC 6455, section 5.2), numbers big-endian:
//
//	bytes  field
//	0      FIN, three reserved bits, opcode in four
//	1      MASK, length in seven bits; 126: the next 2 bytes have it, 127: the next 8
//	then   if MASK, the masking key of 4 bytes
//	then   payload; if MASK, byte i is XORed with byte i%4 of the key
const (
	wsFin      = 0x80
	wsReserved = 0x70
	wsOpcode   = 0x0f
	wsMask     = 0x80
	wsLength   = 0x7f

	wsLength16 = 126
	wsLength64 = 127

	wsHeadSize   = 2 // of a short frame, without the key
	wsKeySize    = 4
	wsMaxControl = 125 // longest payload of a control frame
)

// Opcodes. Those from opClose on are control frames.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// Close codes (RFC 6455, section 7.4.1).
const (
	closeNormal        = 1000
	closeGoingAway     = 1001
	closeProtocolError = 1002
	closeNotUTF8       = 1007
	closeTooBig        = 1009
)

// appendWSFrame appends an unmasked frame, as servers send them. op includes wsFin unless more frames of
// the message follow.
func appendWSFrame(dst []byte, op byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < wsLength16:
		dst = append(dst, op, byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, op, wsLength16), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, op, wsLength64), uint64(n))
	}
	return append(dst, payload...)
}

// appendWSClose appends a Close; code 0: without a code.
func appendWSClose(dst []byte, code uint16) []byte {
	if code == 0 {
		return appendWSFrame(dst, wsFin|opClose, nil)
	}
	return appendWSFrame(dst, wsFin|opClose, binary.BigEndian.AppendUint16(nil, code))
}

// wsHead is the head of a client's frame.
type wsHead struct {
	fin  bool
	op   byte
	key  [wsKeySize]byte
	size int // length of the head
	end  int // length of the frame
}

// parseWSHead parses the head that b begins with. ok is false if the head is not complete. A *fault
// means that the client may not send such a frame.
func parseWSHead(b []byte) (h wsHead, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.fin, h.op = b[0]&wsFin != 0, b[0]&wsOpcode
	length := uint64(b[1] & wsLength)
	switch {
	case b[0]&wsReserved != 0:
		return h, false, faultf(closeProtocolError, "frame with reserved bits, without an extension")
	case b[1]&wsMask == 0:
		return h, false, faultf(closeProtocolError, "frame without a mask")
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return h, false, faultf(closeProtocolError, "frame with opcode %d", h.op)
	case h.op >= opClose && (!h.fin || length > wsMaxControl):
		return h, false, faultf(closeProtocolError, "control frame in fragments or longer than %d bytes", wsMaxControl)
	}
	h.size = 2
	least := uint64(0) // the shortest payload for this form of the length
	switch length {
	case wsLength16:
		if h.size, least = 4, wsLength16; len(b) >= h.size {
			length = uint64(binary.BigEndian.Uint16(b[2:]))
		}
	case wsLength64:
		if h.size, least = 10, 1<<16; len(b) >= h.size {
			length = binary.BigEndian.Uint64(b[2:])
		}
	}
	h.size += wsKeySize
	switch {
	case len(b) < h.size:
		return h, false, nil
	case length < least:
		return h, false, faultf(closeProtocolError, "frame of %d bytes whose length takes %d bytes", length, h.size-wsKeySize-2)
	case length > maxFrame:
		return h, false, faultf(closeTooBig, "frame of %d bytes", length)
	}
	h.key = [wsKeySize]byte(b[h.size-wsKeySize:])
	h.end = h.size + int(length)
	return h, true, nil
}

// unmask unmasks a whole payload.
func (h *wsHead) unmask(b []byte) {
	for i := range b {
		b[i] ^= h.key[i%wsKeySize]
	}
}
