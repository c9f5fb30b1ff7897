package pool

import (
	"feedgate/gateway/internal/bitrun"
	"feedgate/worker"
)

const (
	// replySlots limits how far apart the slots of one reply are, unless they are consecutive. It is
	// more than a run and a word: a reply to a whole run is one reply.
	replySlots = 1024
	// replyGap is how many words without a bit may be between two runs: about as many as another reply
	// would take.
	replyGap = 2
)

// nextReply is the reply that is not in the ring yet, because it may grow: to messages with the same
// code, whose slots are consecutive or lie within replySlots.
type nextReply struct {
	slot  uint32 // of the first message; if bits are used, the multiple of 64 at or below it
	count uint32 // of messages; 0: there is no reply
	code  worker.Code

	words int // of bits that are used; 0: the slots are consecutive
	bits  [replySlots / 64]uint64
}

// extend adds the messages of a run to nextReply, or starts another one.
func (w *Worker) extend(r *run, code worker.Code) {
	n := &w.nextReply
	if n.count > 0 && !n.add(r, code) {
		w.flushReply()
	}
	if n.count == 0 {
		n.start(r, code)
	}
}

// start makes it a reply to a run.
func (n *nextReply) start(r *run, code worker.Code) {
	n.slot, n.code = r.slot(0), code
	if r.distances == nil {
		n.count = uint32(len(r.spans))
		return
	}
	n.slot &^= 63
	n.addRun(r)
}

// add adds a run, if it can.
func (n *nextReply) add(r *run, code worker.Code) bool {
	if n.code != code {
		return false
	}
	first, last := r.slot(0), r.slot(len(r.spans)-1)
	if n.words == 0 && first == n.slot+n.count && r.distances == nil {
		n.count += uint32(len(r.spans))
		return true
	}
	// Slots are compared by their differences, as in the window: they wrap around.
	base := n.slot &^ 63
	if first-base >= replySlots || last-base >= replySlots || n.words == 0 && n.slot-base+n.count > replySlots {
		return false
	}
	if used := max(n.words, int(n.slot-base+n.count+63)/64); int(first-base)/64 > used+replyGap {
		return false
	}
	if n.words == 0 {
		from, count := n.slot&63, n.count
		n.slot, n.count = n.slot&^63, 0
		n.addSlots(from, count)
	}
	n.addRun(r)
	return true
}

// addRun adds a run whose slots the bits can hold.
func (n *nextReply) addRun(r *run) {
	from := r.base.Slot - n.slot
	if r.distances == nil {
		n.addSlots(from, uint32(len(r.spans)))
		return
	}
	// Bits are collected in a variable: in memory, each would wait for the one before.
	word, k := uint64(0), (from+uint32(r.distances[0]))/64
	for _, d := range r.distances {
		at := from + uint32(d)
		if at/64 != k {
			n.bits[k] |= word
			word, k = 0, at/64
		}
		word |= 1 << (at % 64)
	}
	n.bits[k] |= word
	n.count += uint32(len(r.distances))
	n.words = max(n.words, int(from+uint32(r.distances[len(r.distances)-1]))/64+1)
}

// addSlots adds count slots, at a distance of from to slot.
func (n *nextReply) addSlots(from, count uint32) {
	for at := from; at < from+count; {
		k := min(from+count-at, 64-at%64)
		n.bits[at/64] |= bitrun.Mask(int(at%64), int(k))
		at += k
	}
	n.count += count
	n.words = max(n.words, int(from+count-1)/64+1)
}

// flushReply writes nextReply to the ring.
func (w *Worker) flushReply() {
	n := &w.nextReply
	if n.count == 0 {
		return
	}
	w.commit(Reply{Slot: n.slot, Count: n.count, Code: n.code, Bits: n.bits[:n.words]})
	clear(n.bits[:n.words])
	n.count, n.words = 0, 0
}
