package gateway

import (
	"math/bits"

	"feedgate/worker"
)

// window is the in-flight window: every message that was given to a worker, or
// refused when it was framed, has a place in it until its ack is sent. Places
// count up from 0 for the gateway's whole life, in order of arrival.
//
// Invariant: base <= next, next-base <= size of the bitmaps; next-base <= limit but
// for what stretch has made room for.
// Outside [base, next) all bits are zero.
//
// It does no I/O and reads no clock; the loop owns it.
type window struct {
	limit uint64 // --in-flight
	base  uint64 // every place below is finished and settled
	next  uint64 // place of the next message

	finished bitmap // its worker is done with it
	here     bitmap // its message came on this connection, so that it may be acked on it
	settled  bitmap // no ack is owed for it on this connection

	codes map[uint64]worker.Code // of finished places, where not OK
	runs  seqRuns

	// Codes of refused messages that have left the window, by sequence number,
	// for the case that the server sends them again: acks that the kernel has taken
	// can be lost with the connection. The newest keptCodes are kept, and limit at
	// least.
	old      map[uint64]worker.Code
	oldOrder []uint64
}

// keptCodes is more refusals than socket buffers usually hold as acks.
const keptCodes = 1 << 18

func newWindow(inFlight int) *window {
	size := uint64(64)
	if inFlight > 64 {
		size = 1 << bits.Len64(uint64(inFlight)-1)
	}
	return &window{
		limit:    uint64(inFlight),
		finished: newBitmap(size),
		here:     newBitmap(size),
		settled:  newBitmap(size),
		codes:    make(map[uint64]worker.Code),
		old:      make(map[uint64]worker.Code),
	}
}

// room is how many messages more may be read.
func (w *window) room() int { return max(0, int(w.limit)-w.span()) }

// stretch makes a place beyond the limit, for a message that must be taken before
// any place can get free.
func (w *window) stretch() {
	for _, b := range []*bitmap{&w.finished, &w.here, &w.settled} {
		if w.next-w.base <= b.mask {
			continue
		}
		old := *b
		*b = newBitmap(2 * (old.mask + 1))
		for p := w.base; p < w.next; p++ {
			if old.has(p) {
				b.set(p, 1)
			}
		}
	}
}

// span is the number of places in use.
func (w *window) span() int { return int(w.next - w.base) }

// add gives places to n messages with consecutive sequence numbers that came on
// this connection, and returns the first place. There must be room.
func (w *window) add(seq uint64, n int, late bool) uint64 {
	place := w.next
	w.runs.append(place, seq, late)
	w.here.set(place, uint64(n))
	w.next += uint64(n)
	return place
}

// widen turns the low half of a place in the window into the place.
func (w *window) widen(low uint32) uint64 {
	return w.base + uint64(low-uint32(w.base))
}

// finish notes that a worker is done with n places.
func (w *window) finish(place uint64, n int, code worker.Code) {
	w.finished.set(place, uint64(n))
	if code != worker.OK {
		for i := range uint64(n) {
			w.codes[place+i] = code
		}
	}
}

// lateBelow reports whether a message that filled a gap, with a number up to seq,
// is not finished.
func (w *window) lateBelow(seq uint64) bool {
	found := false
	w.runs.eachLate(seq, w.base, w.next, func(place, n uint64) {
		for n > 0 && !found {
			k, finished := w.finished.run(place, n)
			found = !finished
			place += k
			n -= k
		}
	})
	return found
}

func (w *window) code(place uint64) worker.Code {
	if len(w.codes) == 0 {
		return worker.OK
	}
	return w.codes[place]
}

// settle notes that no ack is owed for n places any more: it was sent, or the
// peer does not want it. The base moves past what is finished and settled.
// Places that it has passed already are left out.
func (w *window) settle(place uint64, n int) {
	from, end := max(place, w.base), place+uint64(n)
	if from < end {
		w.settled.set(from, end-from)
		w.advance()
	}
}

func (w *window) advance() {
	from := w.base
	for w.base < w.next && w.settled.has(w.base) && w.finished.has(w.base) {
		n, _ := w.settled.run(w.base, w.next-w.base)
		k, _ := w.finished.run(w.base, n)
		w.base += k
	}
	if n := w.base - from; n > 0 {
		w.finished.clear(from, n)
		w.here.clear(from, n)
		w.settled.clear(from, n)
		if len(w.codes) > 0 {
			w.forgetCodes(from)
		}
		w.runs.passed(w.base)
	}
}

// forgetCodes moves the codes of places from from up to the base out of the
// window.
func (w *window) forgetCodes(from uint64) {
	for p := from; p < w.base; p++ {
		code, ok := w.codes[p]
		if !ok {
			continue
		}
		delete(w.codes, p)
		run, _ := w.runs.at(p, 1)
		if run.gone {
			continue
		}
		seq := run.seq + (p - run.place)
		w.old[seq] = code
		w.oldOrder = append(w.oldOrder, seq)
		if uint64(len(w.oldOrder)) > max(w.limit, keptCodes) {
			delete(w.old, w.oldOrder[0])
			w.oldOrder = w.oldOrder[1:]
		}
	}
}

// disconnect forgets what belongs to one connection: nothing was received on the
// next one yet, and what was settled but not contiguous is owed again there.
func (w *window) disconnect() {
	n := w.next - w.base
	w.here.clear(w.base, n)
	w.settled.clear(w.base, n)
	w.runs.eachGone(w.base, w.next, func(place, n uint64) { w.settled.set(place, n) })
}

// forsake gives up all acks still owed: their session or connection is gone. The
// places stay until their workers are done with them.
func (w *window) forsake() {
	w.runs.forsake()
	clear(w.old)
	w.oldOrder = nil
	if n := w.next - w.base; n > 0 {
		w.settle(w.base, int(n))
	}
}

// awaits reports whether a message of the living session must be received again
// before it can be acked.
func (w *window) awaits() bool {
	found := false
	w.runs.eachIn(seqRange{0, 1<<64 - 1}, w.base, w.next, func(place, n uint64) {
		for n > 0 && !found {
			k, here := w.here.run(place, n)
			if !here {
				var settled bool
				k, settled = w.settled.run(place, k)
				found = !settled
			}
			place += k
			n -= k
		}
	})
	return found
}

// owed is the number of messages of the living session whose ack was not sent.
func (w *window) owed() int {
	n := 0
	all := seqRange{0, 1<<64 - 1}
	w.runs.eachIn(all, w.base, w.next, func(place, k uint64) {
		for k > 0 {
			length, settled := w.settled.run(place, k)
			if !settled {
				n += int(length)
			}
			place += length
			k -= length
		}
	})
	return n
}
