package gateway

import (
	"time"

	"feedgate/worker"
)

// cover moves the cumulative ack over what is finished without a hole.
func (a *acker) cover(now time.Duration) {
	a.order = max(a.order, a.win.base)
	for a.conn != nil && a.order < a.win.next {
		n, ok := a.reached()
		if !ok {
			return
		}
		run, k := a.win.runs.at(a.order, n)
		switch {
		case run.gone || !a.win.here.has(a.order):
			// The server does not want it any more.
		case run.late:
			// Below what was covered already: an ACKTO cannot name it.
			a.emit(a.order, k, nil)
			a.single += k
		default:
			seq := run.seq + (a.order - run.place) + uint64(k) - 1
			if a.win.lateBelow(seq) {
				a.tell(now, true)
				a.emitDone(a.order, k)
				a.told = a.order + uint64(k)
			} else {
				a.owe(seq, now)
			}
		}
		a.order = max(a.order+uint64(k), a.win.base)
	}
}

// emitDone appends the acks of n finished places one by one, where an ACKTO would
// cover a message that came late and is not done. Those that were refused have
// theirs already.
func (a *acker) emitDone(place uint64, n int) {
	for n > 0 {
		code := a.win.code(place)
		k := a.sameCode(place, n, code)
		if code == worker.OK {
			a.emit(place, k, nil)
		}
		place += uint64(k)
		n -= k
	}
}

// late prepares for a message that fills a gap: an ACKTO that is owed and would
// cover it goes out as single acks.
func (a *acker) late(seq uint64) {
	if a.mode != ackRange || !a.owed || seq > a.covered {
		return
	}
	a.owed = false
	for place := max(a.told, a.win.base); place < a.order; place++ {
		if run, _ := a.win.runs.at(place, 1); !run.late && !run.gone {
			a.emitDone(place, 1)
		}
	}
	a.told = a.order
}

func (a *acker) owe(seq uint64, now time.Duration) {
	a.covered = seq
	if !a.owed {
		a.owed, a.since = true, now
	}
}

// due says when the cumulative ack that is owed must go out at the latest; zero
// when none is.
func (a *acker) due() time.Duration {
	if !a.owed || a.conn == nil {
		return 0
	}
	if uint64(a.win.span()) >= a.win.limit/2 {
		return a.since
	}
	return a.since + a.interval
}

// tell appends the cumulative ack that is owed, if it is due or must go out now.
func (a *acker) tell(now time.Duration, must bool) {
	if !a.owed || a.conn == nil || !must && now < a.due() {
		return
	}
	a.owed = false
	from := max(a.told, a.win.base)
	a.told = a.order
	a.out.buf = a.conn.AppendAckTo(a.out.buf, a.covered)
	n := int(a.told - from)
	a.out.appended(from, n)
	single := min(n, a.single)
	a.single -= single
	a.sent(worker.OK, n-single)
}
