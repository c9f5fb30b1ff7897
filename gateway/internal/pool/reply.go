package pool

import (
	"encoding/binary"

	"feedgate/worker"
)

// Reply is what a worker reports to the loop: messages are finished, or, with Count 0, it
// has made room in its ring without finishing any.
//
// Record layout, little-endian:
//
//	bytes  field
//	0-3    slot of the first message
//	4-7    count of messages with consecutive slots
//	8-9    code of all of them
//	10-11  1: the ack, longer than maxAck, is the next of longAcks; else 0
//	12-    the ack's bytes, where workers render acks; count is then 1
type Reply struct {
	Slot  uint32
	Count uint32
	Code  worker.Code
	Ack   []byte // of one message; valid until ReleaseReplies
}

const replyHeader = 12

// long reports whether the ack does not lie in the ring.
func (r Reply) long() bool { return len(r.Ack) > maxAck }

// put encodes the reply; b has room for the ack, if that lies in the ring.
func (r Reply) put(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], r.Slot)
	binary.LittleEndian.PutUint32(b[4:], r.Count)
	tail := uint32(r.Code)
	if r.long() {
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
		Code:  worker.Code(binary.LittleEndian.Uint16(b[8:])),
		Ack:   b[replyHeader:],
	}
	if binary.LittleEndian.Uint16(b[10:]) != 0 {
		r.Ack = w.aside.next()
	}
	return r
}

// ReleaseReplies gives the memory of all replies taken, with their acks, back to the worker, and
// wakes it if it waits for that: the worker says that it waits before it looks a last time, and
// here is released before it is looked whether the worker waits. Loop only.
func (w *Worker) ReleaseReplies() {
	w.aside.release()
	w.out.Release()
	if w.wantsRoom.Load() {
		w.Wake()
	}
}

// Returned is the code of messages that were given back: no handler had them.
const Returned worker.Code = 1<<16 - 1
