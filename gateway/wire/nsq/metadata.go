package nsq

import (
	"encoding/binary"
	"strconv"

	"feedgate/worker"
)

// metaSize is the length of a message's head with Config.Heads: the rest of its frame's head from
// timestampAt on, in bytes.
const metaSize = messageHead - timestampAt

// metadata returns what nsqd sends about a message. The id identifies it permanently: nsqd
// redelivers it under the same one.
func (p *protocol) metadata() *worker.Metadata {
	if !p.cfg.Heads {
		return headless
	}
	return headed
}

// head returns how many bytes before its body belong to a message.
func (p *protocol) head() uint32 {
	if !p.cfg.Heads {
		return 0
	}
	return metaSize
}

var names = []string{"id", "timestamp", "attempts"}

var headed = &worker.Metadata{
	Names:    names,
	Append:   appendMeta,
	AppendID: func(dst []byte, m worker.Message) []byte { return appendMeta(dst, m, "id") },
	Split: func(frame []byte) (head, data []byte) {
		if len(frame) < metaSize {
			return nil, frame
		}
		return frame[:metaSize:metaSize], frame[metaSize:]
	},
}

// headless is the metadata of messages without heads, which nobody reads.
var headless = &worker.Metadata{
	Names:  names,
	Append: func(dst []byte, _ worker.Message, _ string) []byte { return dst },
}

func appendMeta(dst []byte, m worker.Message, name string) []byte {
	head := m.Head()
	if len(head) < metaSize {
		return dst
	}
	switch name {
	case "id":
		return append(dst, head[idAt-timestampAt:metaSize]...)
	case "timestamp":
		return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(head)), 10)
	case "attempts":
		return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint16(head[attemptsAt-timestampAt:])), 10)
	}
	return dst
}
