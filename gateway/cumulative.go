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
			a.owe(run.seq+(a.order-run.place)+uint64(k)-1, now)
		}
		a.order += uint64(k)
		a.win.advance()
	}
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
