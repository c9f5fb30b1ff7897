package toy

import (
	"encoding/binary"
	"strconv"

	"feedgate/worker"
)

var metaNames = []string{"topic", "id"}

// metadata returns Traits.Meta. Values come from the head of a message: its id, the length of its
// topic, and its topic. Without heads, nobody reads them.
func metadata(heads bool) *worker.Metadata {
	md := &worker.Metadata{Names: metaNames, Append: appendMeta, AppendID: appendID}
	if heads {
		md.Split = split
	}
	return md
}

// headMin is the length of a head with an empty topic.
const headMin = messageHead - idOffset

func split(frame []byte) (head, data []byte) {
	if len(frame) < headMin {
		return nil, frame
	}
	n := headMin + int(frame[headMin-1])
	if len(frame) < n {
		return nil, frame
	}
	return frame[:n], frame[n:]
}

func appendMeta(dst []byte, m worker.Message, name string) []byte {
	head := m.Head()
	switch {
	case len(head) == 0:
		return dst
	case name == "topic":
		return append(dst, head[headMin:]...)
	case name == "id":
		return strconv.AppendUint(dst, binary.BigEndian.Uint64(head), 10)
	}
	return dst
}

func appendID(dst []byte, m worker.Message) []byte { return appendMeta(dst, m, "id") }
