package worker

import "encoding/binary"

// Reply is what a worker reports to the loop: messages are finished, or, with Count 0, it
// has made room in its ring without finishing any.
//
// Record layout, little-endian:
//
//	bytes  field
//	0-3    slot of the first message
//	4-7    count of messages with consecutive slots
//	8-9    code of all of them
//	10-11  1: the ack lies aside, for it is longer than maxAck; else 0
//	12-    the ack's bytes, where workers render acks; count is then 1
type Reply struct {
	Slot  uint32
	Count uint32
	Code  Code
	Ack   []byte // of one message; lies in the ring until it is released
}

const replyHeader = 12

func (r Reply) put(b []byte, aside bool) {
	binary.LittleEndian.PutUint32(b[0:], r.Slot)
	binary.LittleEndian.PutUint32(b[4:], r.Count)
	tail := uint32(r.Code)
	if aside {
		tail |= 1 << 16
	}
	binary.LittleEndian.PutUint32(b[8:], tail)
	copy(b[replyHeader:], r.Ack)
}

// Reply decodes a record of Out. Loop only.
func (w *Worker) Reply(b []byte) Reply {
	r := Reply{
		Slot:  binary.LittleEndian.Uint32(b[0:]),
		Count: binary.LittleEndian.Uint32(b[4:]),
		Code:  Code(binary.LittleEndian.Uint16(b[8:])),
		Ack:   b[replyHeader:],
	}
	if binary.LittleEndian.Uint16(b[10:]) != 0 {
		ack, _ := w.aside.LoadAndDelete(r.Slot)
		r.Ack = ack.([]byte)
	}
	return r
}
