package gateway

import (
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// While unsent acks leave no room, the kernel is asked again after between clogLeast
// and clogMost.
const (
	clogLeast = 100 * time.Microsecond
	clogMost  = 250 * time.Millisecond
)

// dispatch gives decoded messages to the workers; all is false when the window or
// the rings are full and some are left.
func (in *intake) dispatch(now time.Duration) (moved, all bool) {
	l := in.l
	start := l.win.next
	msgs := in.cur.Msgs
	clogged := false
	for in.next < len(msgs) {
		m := &msgs[in.next]
		if !l.set.traits.Sequenced && m.Seq != l.seq.expect {
			l.seq.restart(m.Seq) // arrival numbers of what makes up one message leave gaps
		}
		if l.stop.drained && !l.seq.knows(m.Seq) {
			in.drop(m, now)
			continue
		}
		room := l.room(len(msgs)-in.next, now)
		if room == 0 && m.Seq > l.seq.expect && m.Seq <= maxSeq {
			l.session.note(l, l.seq.pass(m.Seq), now)
			room = l.room(len(msgs)-in.next, now)
		}
		if room == 0 && !l.seq.knows(m.Seq) {
			if !in.stuck() {
				clogged = l.win.room() > 0
				break
			}
			l.win.stretch()
			room = 1
		}
		n := 1
		switch {
		case m.Code != worker.OK:
			if err := in.refuse(m, in.data[m.Off:m.Off+m.Len], now); err != nil {
				in.fail(err)
			}
		case l.seq.inOrder(m.Seq):
			n = in.dispatchRun(msgs[in.next:min(len(msgs), in.next+room)], false)
			l.seq.took(n)
		default:
			n = in.dispatchOdd(msgs[in.next:in.next+1], now)
		}
		if n == 0 {
			break
		}
		in.next += n
		msgs = in.cur.Msgs
	}
	in.publish()
	in.clog(clogged, now)
	if l.win.next > start {
		l.note(readBatch{l.win.next, in.readAt})
	}
	return l.win.next > start, in.next == len(in.cur.Msgs)
}

// stuck reports whether the window, being full, can get room only by what comes
// behind this message: all that is in it is finished and was received on an earlier
// connection. A server that sends first what was missing, and then again what came
// after, brings that about.
func (in *intake) stuck() bool {
	l := in.l
	return l.set.traits.Sequenced && l.win.room() == 0 && l.working == 0 && l.out.len() == 0 && !l.ack.owed
}

// drop passes over a new message while the gateway stops: its workers take no more. It is
// not acked, so a server that knows its messages sends it again.
func (in *intake) drop(m *wire.Msg, now time.Duration) {
	l := in.l
	in.next++
	l.stats.Dropped.Add(1)
	if !l.set.traits.Sequenced {
		return
	}
	// No ACKTO may cover it. Messages before it that were received earlier and did not
	// come again on this connection need no ack any more.
	l.ack.bar(m.Seq)
	if reached := min(m.Seq, l.seq.high); reached > l.seq.expect {
		l.session.note(l, l.seq.pass(reached), now)
	}
	if m.Seq >= l.seq.high {
		// Nothing behind it was received before.
		l.link.finish(wire.CloseShuttingDown)
	}
}

// clog notes whether acks that the kernel has and cannot send leave no room. No edge
// tells when it could.
func (in *intake) clog(clogged bool, now time.Duration) {
	switch {
	case !clogged:
		in.clogged = 0
	case in.clogged == 0:
		in.clogged = max(1, now)
	}
}

// unclogged is when to look again: soon at first, then ever less often.
func (in *intake) unclogged() time.Duration {
	since := in.l.lastTurn - in.clogged
	return in.l.lastTurn + min(max(since/4, clogLeast), clogMost)
}

// fail drops what was decoded from here on: the connection ends with err.
func (in *intake) fail(err *wire.Error) {
	in.cur.Msgs = in.cur.Msgs[:in.next+1]
	in.failed, in.more, in.cur.Event = err, false, wire.Event{}
}

// dispatchOdd takes a message whose number is not simply the next.
func (in *intake) dispatchOdd(m []wire.Msg, now time.Duration) int {
	if !in.l.seq.knows(m[0].Seq) && !in.vacant(&m[0]) {
		return 0
	}
	err := in.judge(m[0].Seq, now, func(late bool) { in.dispatchRun(m, late) })
	if err != nil {
		in.fail(err)
	}
	return 1
}

// judge accepts a sequence number, counts what is to be counted, and calls take
// when the message has not been here before.
func (in *intake) judge(seq uint64, now time.Duration, take func(late bool)) *wire.Error {
	l := in.l
	if seq > maxSeq {
		return wire.Errorf(wire.SeqBack, wire.CloseProtocolError, "DATA seq %d: numbers end at %d", seq, uint64(maxSeq))
	}
	v := l.seq.accept(seq)
	l.session.note(l, v, now)
	switch v.arrival {
	case late:
		l.ack.late(seq)
		take(true)
	case fresh:
		take(false)
	case again:
		l.stats.Duplicates.Add(1)
		if place, ok := l.win.runs.place(seq, l.win.base, l.win.next); ok {
			l.ack.received(place, now)
		} else {
			l.ack.repeat(seq, now)
		}
	case back:
		return wire.Errorf(wire.SeqBack, wire.CloseProtocolError, "DATA seq %d after seq %d", seq, l.seq.expect-1)
	}
	return nil
}

// vacant reports whether the worker that m goes to has room.
func (in *intake) vacant(m *wire.Msg) bool {
	if in.l.set.selector != nil {
		return len(in.reserve(in.keyed(m), 1)) > 0
	}
	_, slots := in.spread(1)
	return len(slots) > 0
}

// refuse gives a message that no worker is to get its place and its code.
func (in *intake) refuse(m *wire.Msg, data []byte, now time.Duration) *wire.Error {
	return in.judge(m.Seq, now, func(late bool) {
		place := in.l.win.add(m.Seq, 1, late)
		var ack []byte
		if in.l.ack.rendered {
			ack = in.l.set.proto.Render(nil, worker.Message{Seq: m.Seq, Aux: m.Aux, Data: data}, m.Code)
		}
		in.l.finished(place, 1, m.Code, ack, now)
	})
}

// outside dispatches a message that does not lie in the slab; false when there is no
// room for it.
func (in *intake) outside(now time.Duration) bool {
	l, e := in.l, &in.cur.Event
	if l.stop.drained {
		l.stats.Dropped.Add(1)
		in.cur.Event = wire.Event{}
		return true
	}
	if l.room(1, now) == 0 {
		return false
	}
	l.seq.restart(e.Msg.Seq)
	if e.Msg.Code != worker.OK {
		err := in.refuse(&e.Msg, in.cur.Data, now)
		in.cur.Event, in.failed = wire.Event{}, err
		return true
	}
	id, ok := l.slabs.take(len(in.cur.Data))
	if !ok {
		return false
	}
	slab, data, dispatched := in.slab, in.data, in.dispatched
	in.slab, in.data, in.dispatched = id, l.slabs.table.At(id).Data, 0
	copy(in.data, in.cur.Data)
	n := in.dispatchRun([]wire.Msg{e.Msg}, false)
	l.slabs.letGo(id, in.dispatched)
	in.slab, in.data, in.dispatched = slab, data, dispatched
	if n == 0 {
		return false
	}
	in.publish()
	l.seq.took(1)
	l.note(readBatch{l.win.next, in.readAt})
	in.cur.Event = wire.Event{}
	return true
}
