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
func (r *receiver) dispatch(now time.Duration) (moved, all bool) {
	l := r.l
	msgs := r.input.Msgs
	sendBlocked := false
	for r.next < len(msgs) {
		m := &msgs[r.next]
		arrival := l.track.Classify(m.Seq)
		if l.stop.poolDrained && arrival != delivery.Redelivered {
			r.drop(m, now)
			continue
		}
		if l.session.awaitedWrite != 0 {
			break
		}
		room := l.room(len(msgs)-r.next, now)
		if room == 0 {
			if gap, ok := l.track.JumpTo(m.Seq, now); ok {
				l.countGap(gap)
				room, arrival = l.room(len(msgs)-r.next, now), l.track.Classify(m.Seq)
			}
		}
		if room == 0 && arrival != delivery.Redelivered { // what is sent again has its slot
			if !l.track.Stretch() {
				sendBlocked = !l.track.Full()
				break
			}
			room = 1
		}
		n := 1
		switch {
		case m.Code != worker.OK:
			if err := r.refuse(m, now); err != nil {
				r.failNext(err)
			}
		case m.Own && int(m.Len) > l.slabs.maxFrame:
			r.failNext(wire.Errorf(wire.Internal, wire.CloseProtocolError, "decoder's own message of %d bytes", m.Len))
		case m.Own && arrival != delivery.Redelivered && !r.copyOwn():
			n = 0
		case arrival == delivery.InOrder:
			n = r.dispatchRun(msgs[r.next:min(len(msgs), r.next+room)], false)
		default:
			n = r.dispatchOutOfOrder(msgs[r.next:r.next+1], arrival, now)
		}
		if n == 0 {
			break
		}
		r.next += n
		msgs = r.input.Msgs
	}
	r.publish()
	r.recordBlocked(sendBlocked, now)
	return l.track.Read(r.readAt), r.next == len(r.input.Msgs)
}

// drop passes over a new message while the gateway stops: its workers take no more. It is
// not acked, so a server that knows its messages sends it again.
func (r *receiver) drop(m *wire.Msg, now time.Duration) {
	l := r.l
	r.next++
	l.stats.Dropped.Add(1)
	if !l.set.codec.Sequenced {
		return
	}
	if last := l.track.Drop(m.Seq, now); last {
		l.conn.on(evRedelivered, details{now: now})
	}
}

// recordBlocked records whether acks that the kernel has and cannot send leave no room. No edge
// shows when it has sent them.
func (r *receiver) recordBlocked(sendBlocked bool, now time.Duration) {
	switch {
	case !sendBlocked:
		r.sendBlockedSince = 0
	case r.sendBlockedSince == 0:
		r.sendBlockedSince = max(1, now)
	}
}

// recheckAt is when to look again: soon at first, then ever less often.
func (r *receiver) recheckAt() time.Duration {
	since := r.l.lastTurn - r.sendBlockedSince
	return r.l.lastTurn + min(max(since/4, recheckMin), recheckMax)
}

// failNext drops what was decoded from here on: the connection ends with err.
func (r *receiver) failNext(err *wire.Error) {
	r.input.Msgs = r.input.Msgs[:r.next+1]
	r.fault, r.decodeMore, r.input.Event = err, false, wire.Event{}
}

// dispatchOutOfOrder takes a message whose number is not simply the next.
func (r *receiver) dispatchOutOfOrder(m []wire.Msg, arrival delivery.Arrival, now time.Duration) int {
	if arrival != delivery.Redelivered && !r.hasRoom(&m[0]) {
		return 0
	}
	err := r.arrive(m[0].Seq, now, func(late bool) { r.dispatchRun(m, late) })
	if err != nil {
		r.failNext(err)
	}
	return 1
}

// arrive accepts a sequence number, counts what is to be counted, and calls take
// when the message is new.
func (r *receiver) arrive(seq uint64, now time.Duration, add func(late bool)) *wire.Error {
	l := r.l
	arrival, gap, err := l.track.Arrive(seq, now)
	l.countGap(gap)
	switch arrival {
	case delivery.Back:
	case delivery.Redelivered:
		l.stats.Duplicates.Add(1)
	default:
		add(arrival == delivery.Late)
	}
	return err
}

// hasRoom reports whether the worker that m goes to has room.
func (r *receiver) hasRoom(m *wire.Msg) bool {
	if r.l.set.selector != nil {
		return len(r.reserve(r.workerFor(m), 1)) > 0
	}
	_, slots := r.reserveNext(1)
	return len(slots) > 0
}

// refusedMessage is m, which is refused before any worker has it, for its ack. Of one that
// was skipped, nothing is known but its number.
func (r *receiver) refusedMessage(m *wire.Msg) worker.Message {
	data := r.input.Bytes(r.slab.data, m)
	if m.Code == worker.TooLarge && len(data) == 0 {
		return worker.Message{Seq: m.Seq, Tag: m.Aux}
	}
	return r.l.slabs.origin.Message(data, m.Seq, m.Aux)
}

// refuse gives a message that no worker is to get its slot and its code.
func (r *receiver) refuse(m *wire.Msg, now time.Duration) *wire.Error {
	return r.arrive(m.Seq, now, func(late bool) {
		slot := r.l.track.Add(m.Seq, 1, late)
		var ack []byte
		if r.l.set.codec.RenderAcks {
			ack = r.l.set.codec.Render(nil, r.refusedMessage(m), m.Code)
		}
		r.l.complete(uint32(slot), 1, m.Code, ack, now)
	})
}
