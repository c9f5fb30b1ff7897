package delivery

import (
	"math/bits"

	"feedgate/worker"
)

// window is the in-flight window. Every message has a slot in it from when it is given to a worker,
// or refused by the decoder, until it is done and acked. Slots count up in order of arrival, for the
// life of the gateway.
//
// Invariant: base <= next, and next-base exceeds limit only by the slots that grow has added. The bitmaps
// are so much larger that no word of them has slots of both ends. Outside [base, next), all bits are
// zero.
type window struct {
	limit uint64 // --in-flight, in messages
	base  uint64 // every slot below is done and acked
	next  uint64 // slot of the next message

	done     bitmap // the worker has finished the message; never cleared while in the window
	received bitmap // received on this connection, so it may be acked on it
	acked    bitmap // this connection needs no ack any more: it is sent, or the server does not need it
	toAck    bitmap // of each

	codes   codes
	extents extents
}

// bitmapMargin is the size of a word at each end, in bits.
const bitmapMargin = 128

func newWindow(inFlight int, first uint64) *window {
	size := uint64(1) << bits.Len64(uint64(inFlight)+bitmapMargin-1)
	return &window{
		limit:    uint64(inFlight),
		base:     first,
		next:     first,
		done:     newBitmap(size),
		received: newBitmap(size),
		acked:    newBitmap(size),
		toAck:    newBitmap(size),
		codes:    newCodes(inFlight),
	}
}

// free returns the number of free slots.
func (w *window) free() int { return max(0, int(w.limit)-w.inFlight()) }

// inFlight returns the number of slots in use.
func (w *window) inFlight() int { return int(w.next - w.base) }

// grow makes the bitmaps large enough for one slot beyond the limit.
func (w *window) grow() {
	for _, b := range []*bitmap{&w.done, &w.received, &w.acked, &w.toAck} {
		if w.next-w.base+bitmapMargin <= b.mask {
			continue
		}
		old := *b
		*b = newBitmap(2 * (old.mask + 1))
		for slot := w.base; slot < w.next; slot++ {
			if old.has(slot) {
				b.set(slot, 1)
			}
		}
	}
}

// add gives slots to n messages received on this connection, with consecutive sequence numbers, and
// returns the first slot. There must be enough free slots.
func (w *window) add(seq uint64, n int, late bool) uint64 {
	slot := w.next
	w.extents.append(slot, seq, late)
	w.received.set(slot, uint64(n))
	w.next += uint64(n)
	return slot
}

// fullSlot returns the slot in the window whose low half is low.
func (w *window) fullSlot(low uint32) uint64 {
	return w.base + uint64(low-uint32(w.base))
}

// find returns the slot of a sequence number; false if it is no longer in the window.
func (w *window) find(seq uint64) (slot uint64, ok bool) {
	return w.extents.slot(seq, w.base, w.next)
}

// markDone records that workers have finished n messages.
func (w *window) markDone(slot uint64, n int, code worker.Code) {
	w.done.set(slot, uint64(n))
	if code != worker.OK {
		w.codes.set(slot, n, code)
	}
	w.advance()
}

// markDoneSet is markDone for a set of slots with code OK.
func (w *window) markDoneSet(s slotSet) {
	for base, word := range s.each {
		*w.done.word(base) |= word
	}
	w.advance()
}

// needsAck reports whether this connection still needs an ack for a slot. The slot may have left
// the window.
func (w *window) needsAck(slot uint64) bool {
	return slot >= w.base && w.received.has(slot) && !w.acked.has(slot)
}

// markAcked records that n slots need no acks any more: they are sent, or the server does not need
// them. It ignores slots below base.
func (w *window) markAcked(slot uint64, n int) {
	from, end := max(slot, w.base), slot+uint64(n)
	if from < end {
		w.acked.set(from, end-from)
		w.advance()
	}
}

// markAckedWord is markAcked for the slots of a word of a slotSet.
func (w *window) markAckedWord(base, word uint64) {
	if base < w.base {
		if w.base-base >= 64 {
			return
		}
		word = word >> (w.base - base) << (w.base - base)
	}
	*w.acked.word(base) |= word
	w.advance()
}

// advance moves base past the slots that are done and acked.
func (w *window) advance() {
	from := w.base
	for w.base < w.next && w.acked.has(w.base) && w.done.has(w.base) {
		n, _ := w.acked.prefix(w.base, w.next-w.base)
		k, _ := w.done.prefix(w.base, n)
		w.base += k
	}
	if n := w.base - from; n > 0 {
		w.done.clear(from, n)
		w.received.clear(from, n)
		w.acked.clear(from, n)
		w.codes.retire(from, w.base, &w.extents)
		w.extents.dropBelow(w.base)
	}
}

// disconnect resets the state of one connection: nothing counts as received on the next one, and
// every slot still in the window needs an ack there, even if one was sent before.
func (w *window) disconnect() {
	n := w.next - w.base
	w.received.clear(w.base, n)
	w.acked.clear(w.base, n)
	w.extents.eachAbandoned(w.base, w.next, func(slot, n uint64) { w.acked.set(slot, n) })
}

// abandon abandons all acks not sent yet, because their session or connection has ended. The slots
// stay in use until their workers are done.
func (w *window) abandon() {
	w.extents.abandon()
	if n := w.next - w.base; n > 0 {
		w.markAcked(w.base, int(n))
	}
	w.codes.abandon()
}

// markRangeAcked marks the slots of the numbers in r as acked: the server does not need their acks.
func (w *window) markRangeAcked(r Range) {
	var slots [][2]uint64 // collected first, as markAcked changes the extents
	w.extents.eachIn(r, w.base, w.next, func(slot, n uint64) {
		slots = append(slots, [2]uint64{slot, n})
	})
	for _, s := range slots {
		w.markAcked(s[0], int(s[1]))
	}
}

// lateBelow reports whether a late message with a number up to seq is not done.
func (w *window) lateBelow(seq uint64) bool {
	found := false
	w.extents.eachLate(seq, w.base, w.next, func(slot, n uint64) {
		for n > 0 && !found {
			k, done := w.done.prefix(slot, n)
			found = !done
			slot += k
			n -= k
		}
	})
	return found
}

// needsRedelivery reports whether a message of the current session can be acked only after it has
// been redelivered.
func (w *window) needsRedelivery() bool {
	found := false
	w.extents.eachIn(allNumbers, w.base, w.next, func(slot, n uint64) {
		for n > 0 && !found {
			k, received := w.received.prefix(slot, n)
			if !received {
				var acked bool
				k, acked = w.acked.prefix(slot, k)
				found = !acked
			}
			slot += k
			n -= k
		}
	})
	return found
}

// unacked returns the number of messages of the current session whose ack is not sent.
func (w *window) unacked() int {
	count := 0
	w.extents.eachIn(allNumbers, w.base, w.next, func(slot, n uint64) {
		for n > 0 {
			k, acked := w.acked.prefix(slot, n)
			if !acked {
				count += int(k)
			}
			slot += k
			n -= k
		}
	})
	return count
}

// watermark returns the highest number up to which every message of the session is acked.
func (w *window) watermark() uint64 { return w.extents.watermark(w.base, w.next) }
