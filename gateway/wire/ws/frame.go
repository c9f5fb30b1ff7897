package ws

import (
	"encoding/binary"
	"math/rand/v2"
)

// Frame header (RFC 6455 5.2), big-endian.
//
//	bytes  field
//	0      FIN 0x80, RSV 0x70, opcode 0x0f
//	1      MASK 0x80, payload length 0x7f: itself up to 125, or
//	2-3    126: the length, 126 to 65535
//	2-9    127: the length, 65536 to 2^63-1
//	then   the masking key, 4 bytes, in what the client sends
const (
	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0f
	maskBit = 0x80

	length16 = 126
	length64 = 127

	// shortHead is the length of a client's header for a payload of up to 125 bytes.
	shortHead = 2 + 4
	// maxControl is the longest payload of a control frame (RFC 6455 5.5).
	maxControl = 125
)

type opcode uint8

const (
	opContinuation opcode = 0x0
	opText         opcode = 0x1
	opBinary       opcode = 0x2
	opClose        opcode = 0x8
	opPing         opcode = 0x9
	opPong         opcode = 0xa
)

func (op opcode) control() bool { return op&0x8 != 0 }

// tag returns wire.Msg.Tag for a message of this kind.
func (op opcode) tag() uint8 { return uint8(op) & textTag }

// appendFrame appends an unfragmented frame with a copy of payload.
func appendFrame(dst []byte, op opcode, payload []byte) []byte {
	start := len(dst)
	return sealFrame(append(openFrame(dst), payload...), start, op)
}

// openFrame appends space for the header of a frame whose payload is appended next.
func openFrame(dst []byte) []byte {
	var head [shortHead]byte
	return append(dst, head[:]...)
}

// sealFrame completes the frame that openFrame began at start.
//
// The masking key is new for each frame. It comes from the generator of math/rand/v2's functions,
// ChaCha8 seeded by the operating system, which is the strong source of entropy that RFC 6455 5.3
// and 10.3 require: some keys do not reveal the next.
func sealFrame(dst []byte, start int, op opcode) []byte {
	n := len(dst) - start - shortHead
	head := shortHead
	switch {
	case n > 0xffff:
		head += 8
	case n > maxControl:
		head += 2
	}
	if extra := head - shortHead; extra > 0 {
		var zeros [8]byte
		dst = append(dst, zeros[:extra]...)
		copy(dst[start+head:], dst[start+shortHead:start+shortHead+n])
	}
	frame := dst[start:]
	frame[0] = finBit | byte(op)
	switch head {
	case shortHead:
		frame[1] = maskBit | byte(n)
	case shortHead + 2:
		frame[1] = maskBit | length16
		binary.BigEndian.PutUint16(frame[2:], uint16(n))
	default:
		frame[1] = maskBit | length64
		binary.BigEndian.PutUint64(frame[2:], uint64(n))
	}
	key := rand.Uint32()
	binary.LittleEndian.PutUint32(frame[head-4:], key)
	mask(frame[head:], key)
	return dst
}

// mask masks or unmasks b with the key's bytes, lowest first (RFC 6455 5.3).
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
	}
	for i := range b {
		b[i] ^= byte(wide)
		wide >>= 8
	}
}
