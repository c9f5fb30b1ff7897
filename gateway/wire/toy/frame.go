package toy

import "encoding/binary"

// A frame, big-endian:
//
//	bytes  field
//	0-3    length of all that follows this field
//	4      type
//	5-     body
//
// The body of a message:
//
//	bytes  field
//	0-7    id
//	8      length of the topic
//	9-     topic, data
const (
	lengthSize = 4
	typeOffset = lengthSize
	frameHead  = lengthSize + 1 // length and type

	idOffset    = frameHead
	topicOffset = idOffset + 8
	// messageHead is the length of a message up to its topic.
	messageHead = topicOffset + 1
	maxTopic    = 255

	// maxControl is the longest body of every frame but a message, in bytes.
	maxControl = 1 << 10

	ackSize    = frameHead + 8 + 2
	creditSize = frameHead + 4
)

// Types of frames.
const (
	Login    = 'L' // from the client: channel, line feed, token
	Accepted = 'O' // u16: the most messages that the client may grant
	Refused  = 'R' // text
	Message  = 'M' // u64 id, u8 length of topic, topic, data
	Ack      = 'A' // from the client: u64 id, u16 code
	Credit   = 'C' // from the client: u32: number of additional messages that may be sent
	Ping     = 'P' // both ways
	Pong     = 'Q' // both ways
	Goodbye  = 'Z' // both ways
)

// known reports whether kind is a type of frame.
func known(kind byte) bool {
	switch kind {
	case Login, Accepted, Refused, Message, Ack, Credit, Ping, Pong, Goodbye:
		return true
	}
	return false
}

// AppendFrame appends a frame.
func AppendFrame(dst []byte, kind byte, body ...byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(1+len(body)))
	return append(append(dst, kind), body...)
}

// AppendMessage appends a message with a topic of at most 255 bytes.
func AppendMessage(dst []byte, id uint64, topic, data string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(messageHead-lengthSize+len(topic)+len(data)))
	dst = binary.BigEndian.AppendUint64(append(dst, Message), id)
	return append(append(append(dst, byte(len(topic))), topic...), data...)
}

func appendAck(dst []byte, id uint64, code uint16) []byte {
	dst = binary.BigEndian.AppendUint32(dst, ackSize-lengthSize)
	dst = binary.BigEndian.AppendUint64(append(dst, Ack), id)
	return binary.BigEndian.AppendUint16(dst, code)
}

func appendCredit(dst []byte, n uint32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, creditSize-lengthSize)
	return binary.BigEndian.AppendUint32(append(dst, Credit), n)
}

// header is the decoded beginning of a message.
type header struct {
	id    uint64
	topic int64 // length in bytes
	data  int64 // length in bytes; negative if the frame is too short for its topic
}

// parseHeader decodes the first messageHead bytes of b.
func parseHeader(b []byte) header {
	topic := int64(b[topicOffset])
	return header{
		id:    binary.BigEndian.Uint64(b[idOffset:]),
		topic: topic,
		data:  frameSize(b) - messageHead - topic,
	}
}

// frameSize returns the length of the frame at the beginning of b, in bytes.
func frameSize(b []byte) int64 { return lengthSize + int64(binary.BigEndian.Uint32(b)) }
