package gateway

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// ackMode is --ack.
type ackMode uint8

const (
	ackEach ackMode = iota
	ackOrdered
	ackRange
	ackNone
)

// acker turns finished messages into acks in the outbuf, as the ack mode has it.
// It does no I/O and reads no clock; the loop owns it.
type acker struct {
	mode     ackMode
	rendered bool          // acks come from the workers
	interval time.Duration // --ack-interval

	win  *window
	out  *outbuf
	conn wire.Conn // nil while there is no connection
	sent func(code worker.Code, n int)

	unsaid int  // refused messages whose protocol had no ack for that
	muted  bool // acks cannot be sent on this connection any more
	unsent int  // acks that were not, since muted

	// Of ordered and range: every place below order is acked or need not be.
	order uint64
	held  [][]byte // rendered acks that wait for their turn, by place & mask

	// Of range.
	covered uint64        // sequence number that the next ACKTO names
	told    uint64        // place that the last one reached
	owed    bool          // covered has moved since the last ACKTO
	since   time.Duration // when owed was set
	single  int           // acked by themselves and yet to be covered
}

// connect begins a connection on which nothing was received yet.
func (a *acker) connect(conn wire.Conn) {
	a.conn = conn
	a.order, a.told = a.win.base, a.win.base
	a.owed, a.single, a.covered = false, 0, 0
	a.muted, a.unsent = false, 0
}

// disconnect ends it: acks that were not sent are owed again.
func (a *acker) disconnect() {
	a.conn = nil
	a.out.reset()
}

// finished takes messages that a worker is done with; ack is what it rendered,
// good until finished returns.
func (a *acker) finished(place uint64, n int, code worker.Code, ack []byte, now time.Duration) {
	a.win.finish(place, n, code)
	a.win.advance() // no ack may be owed for them any more
	switch {
	case a.mode == ackNone:
		a.win.settle(place, n)
	case a.muted:
		a.unsent += n
		a.win.settle(place, n)
	case a.mode == ackEach:
		a.emit(place, n, ack)
	case a.mode == ackOrdered:
		a.hold(place, ack)
		a.inOrder()
	case a.mode == ackRange:
		if code != worker.OK {
			a.emit(place, n, nil)
			a.single += n
		}
		a.cover(now)
	}
}

// mute goes on with a connection that takes no acks any more: what it still brings
// is worked on, and what cannot be acked is counted. It is for protocols without
// sessions, whose messages nobody will know again.
func (a *acker) mute() {
	a.conn, a.muted = nil, true
	a.unsent = a.win.owed()
	a.out.reset()
	a.win.forsake()
}

// received takes a message that the server has sent again.
func (a *acker) received(place uint64, now time.Duration) {
	a.win.here.set(place, 1)
	if !a.win.finished.has(place) {
		return
	}
	switch a.mode {
	case ackEach:
		a.emit(place, 1, nil)
	case ackOrdered:
		a.inOrder()
	case ackRange:
		if a.win.code(place) != worker.OK {
			a.emit(place, 1, nil)
		}
		a.cover(now)
	case ackNone:
		a.win.settle(place, 1)
	}
}

// repeat acks a message that the server has sent again after it left the window.
func (a *acker) repeat(seq uint64, now time.Duration) {
	code, refused := a.win.old[seq]
	if a.mode == ackEach || a.mode == ackOrdered || a.mode == ackRange && refused {
		a.out.buf = a.conn.AppendAcks(a.out.buf, seq, 1, code)
		a.out.appended(0, 0)
		a.sent(code, 1)
	}
	if a.mode != ackRange || refused {
		return
	}
	if a.win.lateBelow(seq) {
		a.out.buf = a.conn.AppendAcks(a.out.buf, seq, 1, worker.OK)
		a.out.appended(0, 0)
		a.sent(worker.OK, 1)
		return
	}
	a.owe(max(a.covered, seq), now)
}

// waive notes that the server does not want acks of these numbers any more.
func (a *acker) waive(r seqRange, now time.Duration) {
	var places [][2]uint64
	a.win.runs.eachIn(r, a.win.base, a.win.next, func(place, n uint64) {
		places = append(places, [2]uint64{place, n})
	})
	for _, p := range places {
		a.win.settle(p[0], int(p[1]))
	}
	a.catchUp(now)
}

// catchUp goes on after places were settled from elsewhere.
func (a *acker) catchUp(now time.Duration) {
	switch a.mode {
	case ackOrdered:
		a.inOrder()
	case ackRange:
		a.cover(now)
	}
}

// emit appends the acks of those of n finished places whose message came on this
// connection.
func (a *acker) emit(place uint64, n int, ack []byte) {
	for n > 0 && a.conn != nil {
		k, here := a.win.here.run(place, uint64(n))
		if here {
			a.emitHere(place, int(k), ack)
		}
		place += k
		n -= int(k)
	}
}

func (a *acker) emitHere(place uint64, n int, ack []byte) {
	for n > 0 {
		run, k := a.win.runs.at(place, n)
		code := a.win.code(place)
		if len(a.win.codes) > 0 {
			k = a.sameCode(place, k, code)
		}
		switch {
		case run.gone:
		case a.rendered:
			a.out.buf = append(a.out.buf, ack...)
			a.wrote(place, k, code, len(ack))
		default:
			a.append(place, run.seq+(place-run.place), k, code)
		}
		place += uint64(k)
		n -= k
	}
}

func (a *acker) sameCode(place uint64, n int, code worker.Code) int {
	for k := 1; k < n; k++ {
		if a.win.code(place+uint64(k)) != code {
			return k
		}
	}
	return n
}

// append encodes acks in pieces of what may share a message of sendmmsg, or a
// mark.
func (a *acker) append(place, seq uint64, n int, code worker.Code) {
	piece := markRun
	if a.out.pack > 0 {
		piece = a.out.pack
	}
	for n > 0 {
		k := min(n, piece)
		before := len(a.out.buf)
		a.out.buf = a.conn.AppendAcks(a.out.buf, seq, k, code)
		a.wrote(place, k, code, len(a.out.buf)-before)
		place += uint64(k)
		seq += uint64(k)
		n -= k
	}
}

// wrote notes that size bytes of acks of n places were appended. A message whose
// protocol has no ack for its code is settled with what was appended before it.
func (a *acker) wrote(place uint64, n int, code worker.Code, size int) {
	a.out.appended(place, n)
	a.sent(code, n)
	if size == 0 && code != worker.OK {
		a.unsaid += n
	}
	if a.out.len() == 0 {
		a.out.took(0, a.win.settle)
	}
}

// hold keeps a rendered ack until all before it are sent.
func (a *acker) hold(place uint64, ack []byte) {
	if !a.rendered {
		return
	}
	if a.held == nil {
		a.held = make([][]byte, a.win.finished.mask+1)
	}
	slot := &a.held[place&a.win.finished.mask]
	*slot = append((*slot)[:0], ack...)
}

// inOrder appends the acks that are next in order of arrival.
func (a *acker) inOrder() {
	a.order = max(a.order, a.win.base)
	for a.conn != nil && a.order < a.win.next {
		n, ok := a.reached()
		if !ok {
			return
		}
		if a.win.settled.has(a.order) {
			n = 1
		} else if a.rendered {
			n = 1
			a.emit(a.order, 1, a.held[a.order&a.win.finished.mask])
		} else {
			a.emit(a.order, n, nil)
		}
		a.order = max(a.order+uint64(n), a.win.base)
	}
}

// reached is how many places from order on are settled, or are finished and came on
// this connection; false when the first is neither.
func (a *acker) reached() (int, bool) {
	if a.win.settled.has(a.order) {
		return 1, true
	}
	n, finished := a.win.finished.run(a.order, a.win.next-a.order)
	if !finished {
		return 0, false
	}
	n, here := a.win.here.run(a.order, n)
	return int(n), here
}
