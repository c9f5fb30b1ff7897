package delivery

import (
	"math/bits"

	"feedgate/worker"
)

// window is the in-flight window: every message that was given to a worker, or
// refused when it was framed, has a slot in it until it is acked. Slots count up for the
// gateway's whole life, in order of arrival.
//
// Invariant: base <= next, next-base <= size of the bitmaps; next-base <= limit but
// for what grow has made room for.
// Outside [base, next) all bits are zero.
type window struct {
	limit uint64 // --in-flight, in messages
	base  uint64 // every slot below is done and resolved
	next  uint64 // slot of the next message

	done     bitmap // its worker is done with it; for ever
	received bitmap // its message came on this connection, so it may be acked on it
	resolved bitmap // this connection owes no ack for it: sent, or not wanted

	codes   codes
	extents extents
}

func newWindow(inFlight int, first uint64) *window {
	size := uint64(64)
	if inFlight > 64 {
		size = 1 << bits.Len64(uint64(inFlight)-1)
	}
	return &window{
		limit:    uint64(inFlight),
		base:     first,
		next:     first,
		done:     newBitmap(size),
		received: newBitmap(size),
		resolved: newBitmap(size),
		codes:    newCodes(inFlight),
	}
}

// free is how many messages more there are slots for.
func (w *window) free() int { return max(0, int(w.limit)-w.inFlight()) }

// inFlight is the number of slots in use.
func (w *window) inFlight() int { return int(w.next - w.base) }

// grow makes a slot beyond the limit.
func (w *window) grow() {
	for _, b := range []*bitmap{&w.done, &w.received, &w.resolved} {
		if w.next-w.base <= b.mask {
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

// add gives slots to n messages with consecutive sequence numbers that came on
// this connection, and returns the first slot. There must be room.
func (w *window) add(seq uint64, n int, late bool) uint64 {
	slot := w.next
	w.extents.append(slot, seq, late)
	w.received.set(slot, uint64(n))
	w.next += uint64(n)
	return slot
}

// fullSlot is the slot in the window of which low is the low half.
func (w *window) fullSlot(low uint32) uint64 {
	return w.base + uint64(low-uint32(w.base))
}

// find finds the slot of a sequence number; false when it has none any more.
func (w *window) find(seq uint64) (slot uint64, ok bool) {
	return w.extents.slot(seq, w.base, w.next)
}

// markDone records that the workers are done with n slots.
func (w *window) markDone(slot uint64, n int, code worker.Code) {
	w.done.set(slot, uint64(n))
	if code != worker.OK {
		w.codes.set(slot, n, code)
	}
	w.advance()
}

// owed reports whether a slot, which may be free again, is owed an ack on this connection.
func (w *window) owed(slot uint64) bool {
	return slot >= w.base && w.received.has(slot) && !w.resolved.has(slot)
}

// resolve records that no ack is owed for n slots any more: it was sent, or the peer does
// not want it. Slots below the base are left out.
func (w *window) resolve(slot uint64, n int) {
	from, end := max(slot, w.base), slot+uint64(n)
	if from < end {
		w.resolved.set(from, end-from)
		w.advance()
	}
}

// advance moves the base past what is done and resolved.
func (w *window) advance() {
	from := w.base
	for w.base < w.next && w.resolved.has(w.base) && w.done.has(w.base) {
		n, _ := w.resolved.prefix(w.base, w.next-w.base)
		k, _ := w.done.prefix(w.base, n)
		w.base += k
	}
	if n := w.base - from; n > 0 {
		w.done.clear(from, n)
		w.received.clear(from, n)
		w.resolved.clear(from, n)
		w.codes.retire(from, w.base, &w.extents)
		w.extents.dropBelow(w.base)
	}
}

// disconnect forgets what belongs to one connection: the next has received nothing yet,
// and acks that were sent but not contiguous are owed again there.
func (w *window) disconnect() {
	n := w.next - w.base
	w.received.clear(w.base, n)
	w.resolved.clear(w.base, n)
	w.extents.eachAbandoned(w.base, w.next, func(slot, n uint64) { w.resolved.set(slot, n) })
}

// abandon gives up all acks still owed: their session or connection is over. The
// slots stay in use until their workers are done with them.
func (w *window) abandon() {
	w.extents.abandon()
	if n := w.next - w.base; n > 0 {
		w.resolve(w.base, int(n))
	}
	w.codes.abandon()
}

// resolveRange resolves the slots of these numbers: the server does not want their acks.
func (w *window) resolveRange(r Range) {
	var slots [][2]uint64 // resolving changes the extents
	w.extents.eachIn(r, w.base, w.next, func(slot, n uint64) {
		slots = append(slots, [2]uint64{slot, n})
	})
	for _, s := range slots {
		w.resolve(s[0], int(s[1]))
	}
}

// lateBelow reports whether a message that filled a gap, with a number up to seq, is not
// done.
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

// needsRedelivery reports whether a message of the living session must be received again
// before it can be acked.
func (w *window) needsRedelivery() bool {
	found := false
	w.extents.eachIn(allNumbers, w.base, w.next, func(slot, n uint64) {
		for n > 0 && !found {
			k, received := w.received.prefix(slot, n)
			if !received {
				var resolved bool
				k, resolved = w.resolved.prefix(slot, k)
				found = !resolved
			}
			slot += k
			n -= k
		}
	})
	return found
}

// unacked is the number of messages of the living session whose ack was not sent.
func (w *window) unacked() int {
	count := 0
	w.extents.eachIn(allNumbers, w.base, w.next, func(slot, n uint64) {
		for n > 0 {
			k, resolved := w.resolved.prefix(slot, n)
			if !resolved {
				count += int(k)
			}
			slot += k
			n -= k
		}
	})
	return count
}

// watermark is the highest number up to which every message of the session is acked: what
// a server need not send again.
func (w *window) watermark() uint64 { return w.extents.watermark(w.base, w.next) }
