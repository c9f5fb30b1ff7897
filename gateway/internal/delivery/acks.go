package delivery

import (
	"math/bits"
	"time"

	"feedgate/gateway/internal/bitrun"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// strategy implements one ack mode: it decides when done messages are acked. A connection has one
// at a time.
type strategy interface {
	// connect begins a connection on which nothing has been received.
	connect()
	// done handles n slots that have just become done; ack is what the worker rendered,
	// valid until done returns.
	done(slot uint64, n int, code worker.Code, ack []byte, now time.Duration)
	// doneSet is done for slots with code OK and without rendered acks, whose acks may wait for
	// emitSets.
	doneSet(s slotSet, now time.Duration)
	// emitSets follows calls of doneSet, before any method except done.
	emitSets()
	// redelivered handles a redelivered message that is in the window. Its slot counts as received
	// on this connection and may be done.
	redelivered(slot uint64, now time.Duration)
	// redeliveredRetired handles a redelivered message that has left the window.
	redeliveredRetired(seq uint64, now time.Duration)
	// afterSkip is called after slots were marked acked because the server does not need the acks.
	afterSkip(now time.Duration)
	// emitBacklog appends acks that are due and were held back by a full send buffer. It reports
	// whether it appended any.
	emitBacklog() bool
	// backlogged reports whether acks may be held back by a full send buffer.
	backlogged() bool

	// cumulative returns the strategy itself if its acks are cumulative, else nil.
	cumulative() *cumulative
}

// immediate is embedded by strategies that never delay an ack.
type immediate struct{}

func (immediate) connect()                {}
func (immediate) emitSets()               {}
func (immediate) afterSkip(time.Duration) {}
func (immediate) emitBacklog() bool       { return false }
func (immediate) backlogged() bool        { return false }
func (immediate) cumulative() *cumulative { return nil }

// acks encodes acks into the send buffer. The strategies share it.
type acks struct {
	win      *window
	out      *SendBuffer
	conn     wire.Conn // nil: no ack can be sent
	rendered bool      // workers render the acks
	count    func(code worker.Code, n int)

	suppressed int // refused messages whose code the protocol cannot express; see Tracker.TakeSuppressed
}

// emit appends the acks of n done slots, except those not received on this connection.
func (a *acks) emit(slot uint64, n int, ack []byte) {
	for n > 0 && a.conn != nil {
		k, received := a.win.received.prefix(slot, uint64(n))
		if received {
			a.emitReceived(slot, int(k), ack)
		}
		slot += k
		n -= int(k)
	}
}

// emitReceived appends the acks of n done slots, all received on this connection.
func (a *acks) emitReceived(slot uint64, n int, ack []byte) {
	for n > 0 {
		e, k := a.win.extents.at(slot, n)
		k, code := a.win.codes.prefix(slot, k)
		switch {
		case e.abandoned:
		case a.rendered:
			a.out.buf = append(a.out.buf, ack...)
			a.appended(slot, k, code, len(ack))
		default:
			a.append(slot, e.seq+(slot-e.slot), k, code)
		}
		slot += uint64(k)
		n -= k
	}
}

// emitWord appends the acks of the slots of a word of a slotSet, with code OK, except those not received
// on this connection.
func (a *acks) emitWord(base, w uint64) {
	if w &= *a.win.received.word(base); w == 0 || a.conn == nil {
		return
	}
	first, last := bits.TrailingZeros64(w), 63-bits.LeadingZeros64(w)
	e, n := a.win.extents.at(base+uint64(first), last-first+1)
	switch {
	case n <= last-first: // rare: the numbers are not consecutive
		for slot, n := range (slotSet{base, []uint64{w}}).runs {
			a.emitReceived(slot, n, nil)
		}
	case !e.abandoned:
		a.appendWord(base, e.seq+(base-e.slot), w)
	}
}

// appendWord encodes the acks of the slots of a word, with code OK and consecutive numbers; seq is that of
// slot base, whether it has one or not.
func (a *acks) appendWord(base, seq, w uint64) {
	n := bits.OnesCount64(w)
	if sets, ok := a.conn.(wire.SetAcker); ok && a.out.pack == 0 {
		a.out.buf = sets.AppendAckSet(a.out.buf, seq, w)
	} else {
		a.appendRuns(seq, w)
	}
	a.out.addBoundary(boundary{slot: base, n: n, bits: w})
	a.noteAppended(worker.OK, n)
}

// appendRuns encodes the acks of a word as consecutive ones, in pieces that fit one message of sendmmsg.
func (a *acks) appendRuns(seq, w uint64) {
	piece := a.out.pack
	if piece == 0 {
		piece = 64
	}
	left := piece
	for w != 0 {
		from, n := bitrun.First(w)
		n = min(n, left)
		a.out.buf = a.conn.AppendAcks(a.out.buf, seq+uint64(from), n, worker.OK)
		w &^= bitrun.Mask(from, n)
		if left -= n; left == 0 || w == 0 {
			a.out.endMessage()
			left = piece
		}
	}
}

// emitRetired acks a message that has left the window, with its original code.
func (a *acks) emitRetired(seq uint64) {
	code, _ := a.win.codes.ofRetired(seq)
	a.emitRetiredRun(seq, 1, code)
}

// emitRetiredRun acks n messages that have left the window, with consecutive numbers from seq.
func (a *acks) emitRetiredRun(seq uint64, n int, code worker.Code) {
	a.out.buf = a.conn.AppendAcks(a.out.buf, seq, n, code)
	a.out.appended(0, 0)
	a.count(code, n)
}

// append encodes acks in pieces: each fits one message of sendmmsg, or one boundary.
func (a *acks) append(slot, seq uint64, n int, code worker.Code) {
	piece := maxBoundary
	if a.out.pack > 0 {
		piece = a.out.pack
	}
	for n > 0 {
		k := min(n, piece)
		before := len(a.out.buf)
		a.out.buf = a.conn.AppendAcks(a.out.buf, seq, k, code)
		a.appended(slot, k, code, len(a.out.buf)-before)
		slot += uint64(k)
		seq += uint64(k)
		n -= k
	}
}

// appended records that acks of n slots, size bytes in all, were appended. If the protocol has no
// ack for the code, size is 0 and the slots count as acked with the bytes before them.
func (a *acks) appended(slot uint64, n int, code worker.Code, size int) {
	a.out.appended(slot, n)
	if size == 0 && code != worker.OK {
		a.suppressed += n
	}
	a.noteAppended(code, n)
}

// noteAppended counts acks that were appended. If none of them has any bytes, none is left to send.
func (a *acks) noteAppended(code worker.Code, n int) {
	a.count(code, n)
	if a.out.Len() == 0 {
		a.out.Sent(0)
	}
}
