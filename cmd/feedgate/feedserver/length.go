package feedserver

import (
	"encoding/binary"

	"feedgate/gateway/wire/fg1"
)

// Frames of the length protocol, big-endian:
//
//	bytes  field
//	0-3    length of the rest
//	4-     from the server: a message
//	4-11   from the client: the message's number on the connection, from 1
//	12-13  from the client: code
//
// Frames of a client with another length are signs of life, as in lineProtocol.
const (
	lengthSize = 4
	ackSize    = lengthSize + 10
)

func ackNumber(b []byte) uint64 { return binary.BigEndian.Uint64(b[4:]) }
func ackCode(b []byte) uint16   { return binary.BigEndian.Uint16(b[12:]) }

// lengthProtocol sends messages with a length prefix.
type lengthProtocol struct{}

func newLength(*Config) protocol { return lengthProtocol{} }

func (lengthProtocol) traits() traits { return traits{} }

func (lengthProtocol) newCodec() codec { return &lengthCodec{} }

func (lengthProtocol) appendMessage(dst []byte, _ int, payload, _ []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(payload))), payload...)
}

// lengthCodec is the protocol state of a connection with length-prefixed frames.
type lengthCodec struct {
	numbered
	tail tail
}

func (c *lengthCodec) read(b []byte, r receiver) error {
	b = c.tail.join(b)
	var acks ackRun
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
