package pool

import (
	"encoding/binary"

	"feedgate/gateway/internal/bitrun"
	"feedgate/worker"
)

// Reply is a worker's reply to messages: they are done, successful or refused with no try left. One
// with Count 0 only wakes the loop, e.g. because the worker's ring has space again.
//
// Its record in the ring, little-endian:
//
//	bytes  field
//	0-3    slot of the first message; replyBits: of bit 0, a multiple of 64
//	4-7    count of messages
//	8-9    code of all of them
//	10-11  kind
//	12-    replyRun: the ack, if workers render acks; count is then 1
//	       replyLong: nothing; the ack is longer than maxAck, and the next of longAcks
//	       replyBits: 64-bit words of bits
type Reply struct {
	Slot  uint32
	Count uint32
	Code  worker.Code
	Ack   []byte // of one message; valid until ReleaseReplies
	// Bits are the slots of the messages: bit i of word k is slot Slot+64k+i, and Slot is a
	// multiple of 64. None: the slots are consecutive. Valid until the next reply of the worker.
	Bits []uint64
}

const (
	replyHeader = 12

	// Kinds. The slots are consecutive except with replyBits.
	replyRun  = 0
	replyLong = 1
	replyBits = 2
)

// long reports whether the ack is too long for the ring.
func (r *Reply) long() bool { return len(r.Ack) > maxAck }

// size returns the size of the record with the ack, in bytes.
func (r *Reply) size() int { return replyHeader + len(r.Ack) + 8*len(r.Bits) }

// put encodes the reply. b has space for the ack unless it is too long for the ring.
func (r *Reply) put(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], r.Slot)
	binary.LittleEndian.PutUint32(b[4:], r.Count)
	kind := uint32(replyRun)
	switch {
	case r.long():
		kind = replyLong
	case len(r.Bits) > 0:
		kind = replyBits
	}
	binary.LittleEndian.PutUint32(b[8:], uint32(r.Code)|kind<<16)
	copy(b[replyHeader:], r.Ack)
	for i, word := range r.Bits {
		binary.LittleEndian.PutUint64(b[replyHeader+8*i:], word)
	}
}

// Reply decodes a record of Out. Loop only.
func (w *Worker) Reply(b []byte) Reply {
	r := Reply{
		Slot:  binary.LittleEndian.Uint32(b[0:]),
		Count: binary.LittleEndian.Uint32(b[4:]),
		Code:  worker.Code(binary.LittleEndian.Uint16(b[8:])),
	}
	rest := b[replyHeader:]
	switch binary.LittleEndian.Uint16(b[10:]) {
	case replyLong:
		r.Ack = w.longAcks.next()
	case replyBits:
		r.Bits = w.bits[:len(rest)/8]
		for i := range r.Bits {
			r.Bits[i] = binary.LittleEndian.Uint64(rest[8*i:])
		}
	default:
		r.Ack = rest
	}
	return r
}

// Slots yields the slots of the messages: the first of consecutive ones, and how many they are.
func (r Reply) Slots(yield func(slot uint32, n int) bool) {
	if len(r.Bits) == 0 {
		yield(r.Slot, int(r.Count))
		return
	}
	for from, n := range bitrun.All(r.Bits) {
		if !yield(r.Slot+uint32(from), n) {
			return
		}
	}
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
