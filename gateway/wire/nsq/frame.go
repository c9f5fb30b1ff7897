package nsq

// Frame, big-endian.
//
//	bytes  field
//	0-3    size of all that follows this field, signed
//	4-7    type
//
// and of a message:
//
//	8-15   timestamp, nanoseconds since 1970
//	16-17  attempts, this one included
//	18-33  id, 16 hexadecimal digits
//	34-    body
const (
	sizeField = 4
	headSize  = 8
	// minSize is the size of a frame with a type and nothing else.
	minSize = headSize - sizeField

	timestampAt = 8
	attemptsAt  = 16
	idAt        = 18
	messageHead = idAt + idSize
	// minMessage is the size of a message without a body.
	minMessage = messageHead - sizeField

	idSize = 16
)

// Types of frames.
const (
	frameResponse = 0
	frameError    = 1
	frameMessage  = 2
)

// maxReply is the longest text of a response or an error, in bytes.
const maxReply = 64 << 10

// messageID is nsqd's id of a message.
type messageID [idSize]byte
