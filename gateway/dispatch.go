package gateway

import (
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// While unsent acks leave no room, the kernel is asked again after between recheckMin
// and recheckMax.
const (
	recheckMin = 100 * time.Microsecond
	recheckMax = 250 * time.Millisecond
)

// dispatch gives decoded messages to the workers; all is false when some are left: the window
// or the rings are full, there is no slab for own messages, or the session is not in the state
// file yet.
//
// The next message is dropped, if a drain has begun; or waits for the state file, or for room; or
// is refused; or goes to a worker, with all that follow it in every way if it is in order, else by
// itself.
func (in *intake) dispatch(now time.Duration) (moved, all bool) {
	l := in.l
	msgs := in.cur.Msgs
	sendBlocked := false
	for in.next < len(msgs) {
		m := &msgs[in.next]
		arrival := l.track.Classify(m.Seq)
		if l.stop.drained && arrival != delivery.Again {
			in.drop(m, now)
			continue
		}
		if l.session.awaited != 0 {
			break
		}
		room := l.room(len(msgs)-in.next, now)
		if room == 0 {
			if gap, ok := l.track.PassOver(m.Seq, now); ok {
				l.missed(gap)
				room, arrival = l.room(len(msgs)-in.next, now), l.track.Classify(m.Seq)
			}
		}
		if room == 0 && arrival != delivery.Again { // what is sent again has its slot
			if !l.track.Stretch() {
				sendBlocked = !l.track.Full()
				break
			}
			room = 1
		}
		n := 1
		switch {
		case m.Code != worker.OK:
			if err := in.refuse(m, now); err != nil {
				in.fail(err)
			}
		case m.Side && int(m.Len) > l.slabs.frame:
			in.fail(wire.Errorf(wire.Internal, wire.CloseProtocolError, "decoder's own message of %d bytes", m.Len))
		case m.Side && arrival != delivery.Again && !in.copyOwn():
			n = 0
		case arrival == delivery.InOrder:
			n = in.dispatchRun(msgs[in.next:min(len(msgs), in.next+room)], false)
		default:
			n = in.dispatchOdd(msgs[in.next:in.next+1], arrival, now)
		}
		if n == 0 {
			break
		}
		in.next += n
		msgs = in.cur.Msgs
	}
	in.publish()
	in.recordBlocked(sendBlocked, now)
	return l.track.Read(in.readAt), in.next == len(in.cur.Msgs)
}

// drop passes over a new message while the gateway stops: its workers take no more. It is
// not acked, so a server that knows its messages sends it again.
func (in *intake) drop(m *wire.Msg, now time.Duration) {
	l := in.l
	in.next++
	l.stats.Dropped.Add(1)
	if !l.set.codec.Sequenced {
		return
	}
	if last := l.track.Drop(m.Seq, now); last {
		l.conn.on(evRedelivered, about{now: now})
	}
}

// recordBlocked records whether acks that the kernel has and cannot send leave no room. No edge
// shows when it has sent them.
func (in *intake) recordBlocked(sendBlocked bool, now time.Duration) {
	switch {
	case !sendBlocked:
		in.sendBlocked = 0
	case in.sendBlocked == 0:
		in.sendBlocked = max(1, now)
	}
}

// recheckAt is when to look again: soon at first, then ever less often.
func (in *intake) recheckAt() time.Duration {
	since := in.l.lastTurn - in.sendBlocked
	return in.l.lastTurn + min(max(since/4, recheckMin), recheckMax)
}

// fail drops what was decoded from here on: the connection ends with err.
func (in *intake) fail(err *wire.Error) {
	in.cur.Msgs = in.cur.Msgs[:in.next+1]
	in.failed, in.more, in.cur.Event = err, false, wire.Event{}
}

// dispatchOdd takes a message whose number is not simply the next.
func (in *intake) dispatchOdd(m []wire.Msg, arrival delivery.Arrival, now time.Duration) int {
	if arrival != delivery.Again && !in.vacant(&m[0]) {
		return 0
	}
	err := in.accept(m[0].Seq, now, func(late bool) { in.dispatchRun(m, late) })
	if err != nil {
		in.fail(err)
	}
	return 1
}

// accept accepts a sequence number, counts what is to be counted, and calls take
// when the message is new.
func (in *intake) accept(seq uint64, now time.Duration, take func(late bool)) *wire.Error {
	l := in.l
	arrival, gap, err := l.track.Arrive(seq, now)
	l.missed(gap)
	switch arrival {
	case delivery.Back:
	case delivery.Again:
		l.stats.Duplicates.Add(1)
	default:
		take(arrival == delivery.Late)
	}
	return err
}

// vacant reports whether the worker that m goes to has room.
func (in *intake) vacant(m *wire.Msg) bool {
	if in.l.set.selector != nil {
		return len(in.reserve(in.keyed(m), 1)) > 0
	}
	_, slots := in.spread(1)
	return len(slots) > 0
}

// refusedMessage is m, which is refused before any worker has it, for its ack. Of one that
// was skipped, nothing is known but its number.
func (in *intake) refusedMessage(m *wire.Msg) worker.Message {
	data := in.cur.Bytes(in.slab.data, m)
	if m.Code == worker.TooLarge && len(data) == 0 {
		return worker.Message{Seq: m.Seq, Tag: m.Tag}
	}
	return in.l.slabs.origin.Message(data, m.Seq, m.Tag)
}

// refuse gives a message that no worker is to get its slot and its code.
func (in *intake) refuse(m *wire.Msg, now time.Duration) *wire.Error {
	return in.accept(m.Seq, now, func(late bool) {
		slot := in.l.track.Add(m.Seq, 1, late)
		var ack []byte
		if in.l.set.codec.RenderAcks {
			ack = in.l.set.codec.Render(nil, in.refusedMessage(m), m.Code)
		}
		in.l.finished(uint32(slot), 1, m.Code, ack, now)
	})
}
