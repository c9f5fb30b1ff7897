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
			// It has an ack of its own.
		default:
			seq := run.seq + (a.order - run.place) + uint64(k) - 1
			if a.overreaches(seq) {
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

// emitAlone appends the acks of those of n finished places that no ACKTO stands
// for: refused ones, and those that came late, below what was covered already.
func (a *acker) emitAlone(place uint64, n int, code worker.Code) {
	end := place + uint64(n)
	for place = max(place, a.win.base); place < end; {
		run, k := a.win.runs.at(place, int(end-place))
		n, here := a.win.here.run(place, uint64(k))
		if here && a.conn != nil && (code != worker.OK || run.late) {
			a.emitHere(place, int(n), nil)
			a.single += int(n)
		}
		place += n
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

// overreaches reports whether an ACKTO of seq would cover what is not done.
func (a *acker) overreaches(seq uint64) bool {
	return !a.barred.empty() && a.barred.first <= seq || a.win.lateBelow(seq)
}

// bar keeps a message that came and will not be done from being covered.
func (a *acker) bar(seq uint64) {
	a.late(seq)
	if a.barred.empty() || seq < a.barred.first {
		a.barred = seqRange{seq, 1<<64 - 1}
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
	for _, r := range a.repeats {
		n := int(r.last - r.first + 1)
		a.out.buf = a.conn.AppendAcks(a.out.buf, r.first, n, worker.OK)
		a.out.appended(0, 0)
		a.sent(worker.OK, n)
	}
	a.repeats = a.repeats[:0]
}

// appendSeq adds a number to ranges that it is above.
func appendSeq(to []seqRange, seq uint64) []seqRange {
	if n := len(to); n > 0 && to[n-1].last+1 == seq {
		to[n-1].last = seq
		return to
	}
	return append(to, seqRange{seq, seq})
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
	a.repeats = a.repeats[:0]
	a.out.buf = a.conn.AppendAckTo(a.out.buf, a.covered)
	n := int(a.told - from)
	a.out.appended(from, n)
	single := min(n, a.single)
	a.single -= single
	a.sent(worker.OK, n-single)
}
