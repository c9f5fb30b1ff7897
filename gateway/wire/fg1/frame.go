package fg1

import (
	"encoding/binary"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// Header of a frame, big-endian:
//
//	bytes  field
//	0-3    length of everything after this field: 12 + payload length
//	4      op
//	5      flags: bit 0 MORE, other bits 0
//	6-7    code
//	8-15   seq
const (
	HeaderSize = 16
	// minLength is the length field of a frame without payload.
	minLength = HeaderSize - 4
)

// Op is the kind of a frame.
type Op uint8

// Ops.
const (
	Hello   Op = 1
	Welcome Op = 2
	Data    Op = 3
	Ack     Op = 4
	AckTo   Op = 5
	Ping    Op = 6
	Pong    Op = 7
	Bye     Op = 10
)

// More is the flag of a DATA frame that is followed by another part of the same message.
const More = 1

// Codes of ACK and BYE, as in a frame.
const (
	CodeOK            = uint16(worker.OK)
	CodeBadRequest    = uint16(worker.BadRequest)
	CodeTooLarge      = uint16(worker.TooLarge)
	CodeBadToken      = uint16(wire.CloseBadToken)
	CodeProtocolError = uint16(wire.CloseProtocolError)
	CodeShuttingDown  = uint16(wire.CloseShuttingDown)
)

// Header is a decoded header.
type Header struct {
	Length uint32 // of everything after the length field
	Op     Op
	Flags  uint8
	Code   uint16
	Seq    uint64
}

// Payload returns the payload's length in bytes; negative if Length is too small.
func (h Header) Payload() int64 { return int64(h.Length) - minLength }

// ParseHeader decodes the first HeaderSize bytes of b.
func ParseHeader(b []byte) Header {
	_ = b[HeaderSize-1]
	return Header{
		Length: binary.BigEndian.Uint32(b[0:]),
		Op:     Op(b[4]),
		Flags:  b[5],
		Code:   binary.BigEndian.Uint16(b[6:]),
		Seq:    binary.BigEndian.Uint64(b[8:]),
	}
}

// PutHeader encodes the header of a frame with a payload of n bytes into b.
func PutHeader(b []byte, op Op, flags uint8, code uint16, seq uint64, n int) {
	binary.BigEndian.PutUint64(b[0:], uint64(minLength+n)<<32|uint64(op)<<24|uint64(flags)<<16|uint64(code))
	binary.BigEndian.PutUint64(b[8:], seq)
}

// AppendFrame appends a complete frame.
func AppendFrame(dst []byte, op Op, flags uint8, code uint16, seq uint64, payload []byte) []byte {
	var h [HeaderSize]byte
	PutHeader(h[:], op, flags, code, seq, len(payload))
	return append(append(dst, h[:]...), payload...)
}
