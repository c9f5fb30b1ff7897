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

	suppressed int    // refused messages whose code the protocol has no ack for; refusals logs and resets it
	muted      bool   // acks cannot be sent on this connection any more
	mutedAt    uint64 // place of the next message then: all before it are counted
	unsent     int    // acks that were not sent on it

	// Of ordered.
	queue  fifo[placeRun] // what came on this connection and is not acked, in order
	queued uint64         // every place below is in the queue, or was there before it came here
	held   [][]byte       // rendered acks that wait for their turn, by place & mask

	// Of range. Every place below order is acked or need not be.
	order   uint64
	covered uint64        // sequence number that the next ACKTO names
	repeats []seqRange    // that it covers and that have left the window
	told    uint64        // place that the last one reached
	owed    bool          // covered has moved since the last ACKTO
	since   time.Duration // when owed was set
	single  int           // acked by themselves and yet to be covered
	barred  seqRange      // from the lowest number received here that will not be done
}

// connect begins a connection on which nothing was received yet.
func (a *acker) connect(conn wire.Conn) {
	a.conn = conn
	a.queue.reset()
	a.queued = a.win.next
	a.order, a.told = a.win.base, a.win.base
	a.owed, a.single, a.covered, a.repeats = false, 0, 0, a.repeats[:0]
	a.barred = noRange
	a.muted, a.unsent = false, 0
}

// disconnect ends it: acks that were not sent are owed again.
func (a *acker) disconnect() {
	a.conn, a.owed = nil, false
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
		a.unsent += max(0, int(place+uint64(n)-max(place, a.mutedAt)))
		a.win.settle(place, n)
	case a.mode == ackEach:
		a.emit(place, n, ack)
	case a.mode == ackOrdered:
		a.hold(place, ack)
		a.inOrder()
	case a.mode == ackRange:
		a.emitAlone(place, n, code)
		a.cover(now)
	}
}

// mute goes on with a connection that takes no acks any more: what it still brings
// is worked on, and what cannot be acked is counted, behind acks that were destroyed. It
// is for protocols without sessions, whose messages nobody will know again.
func (a *acker) mute(destroyed int) {
	a.conn, a.muted, a.mutedAt = nil, true, a.win.next
	a.unsent = a.win.owed() + destroyed
	a.out.reset()
	a.win.forsake()
}

// skip passes over messages that nobody has handled and that get no ack. It is for
// protocols without sessions, whose peer does not take that for done.
func (a *acker) skip(place uint64, n int) {
	a.win.finish(place, n, worker.OK)
	a.win.settle(place, n)
}

// received takes a message that the server has sent again.
func (a *acker) received(place uint64, now time.Duration) {
	a.win.here.set(place, 1)
	if a.mode == ackOrdered {
		a.enqueue()
		a.push(place, 1)
	}
	if !a.win.finished.has(place) {
		return
	}
	switch a.mode {
	case ackEach:
		a.emit(place, 1, nil)
	case ackOrdered:
		a.inOrder()
	case ackRange:
		a.emitAlone(place, 1, a.win.code(place))
		a.cover(now)
	case ackNone:
		a.win.settle(place, 1)
	}
}

// repeat acks a message that the server has sent again after it left the window.
func (a *acker) repeat(seq uint64, now time.Duration) {
	switch a.mode {
	case ackEach:
		a.emitRepeat(seq)
	case ackOrdered:
		a.enqueue()
		a.pushRepeat(seq)
		a.inOrder()
	case ackRange:
		if _, refused := a.win.old[seq]; refused || a.overreaches(seq) {
			a.emitRepeat(seq)
			return
		}
		a.repeats = appendSeq(a.repeats, seq)
		a.owe(max(a.covered, seq), now)
	}
}

func (a *acker) emitRepeat(seq uint64) {
	code := a.win.old[seq]
	a.out.buf = a.conn.AppendAcks(a.out.buf, seq, 1, code)
	a.out.appended(0, 0)
	a.sent(code, 1)
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
		a.suppressed += n
	}
	if a.out.len() == 0 {
		a.out.took(0, a.win.settle)
	}
}
