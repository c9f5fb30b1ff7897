package feedserver

import (
	"encoding/binary"

	"feedgate/gateway/wire/fg1"
)

// Frames of the length protocol, big-endian, both ways:
//
//	bytes  field
//	0-3    length of what follows
//	4-     a message; or from the client an ack:
//	4-11   the message's number on the connection, from 1
//	12-13  code
//
// Frames of another length than an ack's are signs of life, as in lineProtocol.
const (
	lengthSize = 4
	ackSize    = lengthSize + 10
)

func ackNumber(b []byte) uint64 { return binary.BigEndian.Uint64(b[4:]) }
func ackCode(b []byte) uint16   { return binary.BigEndian.Uint16(b[12:]) }

// lengthProtocol sends messages with their length in front.
type lengthProtocol struct{}

func newLength(*Config) protocol { return lengthProtocol{} }

func (lengthProtocol) traits() traits { return traits{} }

func (lengthProtocol) newCodec() codec { return &lengthCodec{} }

func (lengthProtocol) appendMessage(dst []byte, _ int, payload, _ []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(payload))), payload...)
}

// lengthCodec is one connection of length-prefixed frames.
type lengthCodec struct {
	numbered
	tail tail
}

func (c *lengthCodec) read(b []byte, r receiver) error {
	b = c.tail.join(b)
	var acks run
	for len(b) >= lengthSize {
		size := int64(binary.BigEndian.Uint32(b))
		if size > maxFrame {
			return faultf(fg1.CodeProtocolError, "frame of %d bytes", size)
		}
		end := lengthSize + int(size)
		if len(b) < end {
			break
		}
		if end == ackSize {
			acks.add(c.seq(ackNumber(b)), 1, ackCode(b), r)
		}
		b = b[end:]
	}
	acks.flush(r)
	c.tail.keep(b)
	return nil
}
