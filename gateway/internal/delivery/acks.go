package delivery

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// strategy turns done messages into acks, as one ack mode wants them. A connection has one at
// a time.
type strategy interface {
	// connect begins a connection on which nothing was received yet.
	connect()
	// done handles n slots that have just become done; ack is what the worker rendered,
	// valid until done returns.
	done(slot uint64, n int, code worker.Code, ack []byte, now time.Duration)
	// redelivered handles a message that the server has sent again; its slot is received now, and
	// done or not.
	redelivered(slot uint64, now time.Duration)
	// redeliveredRetired handles one that the server has sent again after it left the window.
	redeliveredRetired(seq uint64, now time.Duration)
	// resolved goes on after slots were resolved without an ack.
	resolved(now time.Duration)
	// emitBacklog goes on with acks that are due and for which the output had no room; it reports
	// whether it has appended any.
	emitBacklog() bool
	// backlogged reports whether there may be such acks.
	backlogged() bool

	// cumulative is the strategy's cumulative acks; nil: it has none.
	cumulative() *cumulative
}

// immediate is embedded by strategies that keep no ack back.
type immediate struct{}

func (immediate) connect()                {}
func (immediate) resolved(time.Duration)  {}
func (immediate) emitBacklog() bool       { return false }
func (immediate) backlogged() bool        { return false }
func (immediate) cumulative() *cumulative { return nil }

// acks encodes acks into the output; the strategies share it.
type acks struct {
	win      *window
	out      *SendBuffer
	conn     wire.Conn // nil: no ack can be sent
	rendered bool      // acks come from the workers
	count    func(code worker.Code, n int)

	suppressed int // refused messages for whose code the protocol has no ack; see Tracker.TakeSuppressed
}

// emit appends the acks of those of n done slots whose message came on this connection.
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

// emitRetired acks a message that has left the window, with the code that it had.
func (a *acks) emitRetired(seq uint64) {
	code, _ := a.win.codes.ofRetired(seq)
	a.emitRetiredRun(seq, 1, code)
}

// emitRetiredRun acks n messages that have left the window.
func (a *acks) emitRetiredRun(seq uint64, n int, code worker.Code) {
	a.out.buf = a.conn.AppendAcks(a.out.buf, seq, n, code)
	a.out.appended(0, 0)
	a.count(code, n)
}

// append encodes acks in pieces of what may share a message of sendmmsg, or a
// boundary.
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

// appended records that size bytes of acks of n slots were appended. A message for whose
// code the protocol has no ack is resolved with what was appended before it.
func (a *acks) appended(slot uint64, n int, code worker.Code, size int) {
	a.out.appended(slot, n)
	a.count(code, n)
	if size == 0 && code != worker.OK {
		a.suppressed += n
	}
	if a.out.Len() == 0 {
		a.out.Sent(0)
	}
}
