package feedserver

import "encoding/binary"

// A WebSocket frame (RFC 6455, section 5.2), numbers big-endian:
//
//	bytes  field
//	0      FIN, three reserved bits, opcode in four
//	1      MASK, length in seven bits; 126: it is in the next 2 bytes, 127: in 8
//	then   masking key of 4 bytes, with MASK
//	then   payload; with MASK byte i is XORed with byte i%4 of the key
const (
	wsFin      = 0x80
	wsReserved = 0x70
	wsOpcode   = 0x0f
	wsMask     = 0x80
	wsLength   = 0x7f

	wsLength16 = 126
	wsLength64 = 127

	wsHeadSize   = 2 // the least, of a server's frame
	wsKeySize    = 4
	wsMaxControl = 125 // payload of a control frame
)

// Opcodes. From opClose on they are those of control frames.
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

// appendWSFrame appends a frame as servers send them, unmasked. op has wsFin set
// unless more frames of the message follow.
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

// appendWSClose appends a Close. code 0 is none.
func appendWSClose(dst []byte, code uint16) []byte {
	if code == 0 {
		return appendWSFrame(dst, wsFin|opClose, nil)
	}
	return appendWSFrame(dst, wsFin|opClose, binary.BigEndian.AppendUint16(nil, code))
}

// wsHead is what stands before a client's payload.
type wsHead struct {
	fin  bool
	op   byte
	key  [wsKeySize]byte
	size int // of the head itself
	end  int // of the frame
}

// parseWSHead reads the head that b begins with. ok is false when b ends before the
// head does. A *fault says what clients must not send.
func parseWSHead(b []byte) (h wsHead, ok bool, err error) {
	if len(b) < 2 {
		return h, false, nil
	}
	h.fin, h.op = b[0]&wsFin != 0, b[0]&wsOpcode
	length := uint64(b[1] & wsLength)
	switch {
	case b[0]&wsReserved != 0:
		return h, false, faultf(closeProtocolError, "frame with reserved bits, and no extension was agreed on")
	case b[1]&wsMask == 0:
		return h, false, faultf(closeProtocolError, "frame without a mask")
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return h, false, faultf(closeProtocolError, "frame with opcode %d", h.op)
	case h.op >= opClose && (!h.fin || length > wsMaxControl):
		return h, false, faultf(closeProtocolError, "control frame in fragments or longer than %d bytes", wsMaxControl)
	}
	h.size = 2
	least := uint64(0) // that is put into so many bytes
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
		return h, false, faultf(closeProtocolError, "frame of %d bytes with the length in %d bytes", length, h.size-wsKeySize-2)
	case length > maxFrame:
		return h, false, faultf(closeTooBig, "frame of %d bytes", length)
	}
	h.key = [wsKeySize]byte(b[h.size-wsKeySize:])
	h.end = h.size + int(length)
	return h, true, nil
}

// unmask applies the key to a whole payload.
func (h *wsHead) unmask(b []byte) {
	for i := range b {
		b[i] ^= h.key[i%wsKeySize]
	}
}
