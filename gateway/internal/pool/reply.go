package pool

import (
	"encoding/binary"

	"feedgate/worker"
)

// Reply is a worker's reply to messages: they are done, successful or refused with no try left. One
// with Count 0 only wakes the loop, e.g. because the worker's ring has space again.
//
// Its record in the ring, little-endian:
//
//	bytes  field
//	0-3    slot of the first message
//	4-7    count of messages with consecutive slots
//	8-9    code of all of them
//	10-11  1: the ack is longer than maxAck, and the next of longAcks; else 0
//	12-    the ack, if workers render acks; count is then 1
type Reply struct {
	Slot  uint32
	Count uint32
	Code  worker.Code
	Ack   []byte // of one message; valid until ReleaseReplies
}

const replyHeader = 12

// long reports whether the ack is too long for the ring.
func (r Reply) long() bool { return len(r.Ack) > maxAck }

// put encodes the reply. b has space for the ack unless it is too long for the ring.
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
		r.Ack = w.longAcks.next()
	}
	return r
}

// ReleaseReplies returns the memory of all replies read so far, with their acks, to the worker, and
// wakes it if it waits for that. The worker sets awaitsReplySpace before it checks the ring for the
// last time; here, the ring is released before awaitsReplySpace is read. Loop only.
func (w *Worker) ReleaseReplies() {
	w.longAcks.release()
	w.out.Release()
	if w.awaitsReplySpace.Load() {
		w.Wake()
	}
}

// Returned is the code of replies to messages that were returned in a drain: no handler ever had
// them.
const Returned worker.Code = 1<<16 - 1
