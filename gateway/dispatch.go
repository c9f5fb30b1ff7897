package gateway

import (
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/worker"
)

// While acks in the kernel leave no slot free, the loop checks their number again after
// recheckMin to recheckMax.
const (
	recheckMin = 100 * time.Microsecond
	recheckMax = 250 * time.Millisecond
)

// dispatch gives decoded messages to the workers. all is false if some remain, because the window or
// the rings are full, there is no slab for side messages, or the session is not in the state file yet.
//
// Each message is either dropped (a drain has begun), waits (for the state file or for space), is
// refused, or goes to a worker: as part of a run if it is in order, else alone.
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
			r.stopped = byState
			break
		}
		free := l.free(len(msgs)-r.next, now)
		if free == 0 {
			if gap, ok := l.track.JumpTo(m.Seq, now); ok {
				l.countGap(gap)
				free, arrival = l.free(len(msgs)-r.next, now), l.track.Classify(m.Seq)
			}
		}
		if free == 0 && arrival != delivery.Redelivered { // a redelivered message has its slot
			if !l.track.Stretch() {
				sendBlocked = !l.track.Full()
				if r.stopped = byWindow; sendBlocked {
					r.stopped = byAcks
				}
				break
			}
			free = 1
		}
		n, full := 1, byRing
		switch {
		case m.Code != worker.OK:
			if err := r.refuse(m, now); err != nil {
				r.failNext(err)
			}
		case m.Side && int(m.Len) > l.slabs.maxFrame:
			r.failNext(wire.Errorf(wire.Internal, wire.CloseProtocolError, "decoder's side message of %d bytes", m.Len))
		case m.Side && arrival != delivery.Redelivered && !r.copySide():
			n, full = 0, byMemory
		case arrival == delivery.InOrder:
			n = r.dispatchRun(msgs[r.next:min(len(msgs), r.next+free)], false)
		default:
			n = r.dispatchOutOfOrder(msgs[r.next:r.next+1], arrival, now)
		}
		if n == 0 {
			r.stopped = full
			break
		}
		r.next += n
		msgs = r.input.Msgs
	}
	r.publish()
	r.recordBlocked(sendBlocked, now)
	return l.track.Read(r.readAt), r.next == len(r.input.Msgs)
}

// drop skips a new message during a drain: the handlers expect no more. It is not acked,
// so a server with sessions redelivers it.
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

// recordBlocked records whether acks that the kernel cannot transmit leave no slot free. No edge
// signals when it has transmitted them.
func (r *receiver) recordBlocked(sendBlocked bool, now time.Duration) {
	switch {
	case !sendBlocked:
		r.sendBlockedSince = 0
	case r.sendBlockedSince == 0:
		r.sendBlockedSince = max(1, now)
	}
}

// recheckAt returns when to check again: soon at first, then at growing intervals.
func (r *receiver) recheckAt() time.Duration {
	since := r.l.lastTurn - r.sendBlockedSince
	return r.l.lastTurn + min(max(since/4, recheckMin), recheckMax)
}

// failNext ends the connection with err at the next message and drops the ones after it.
func (r *receiver) failNext(err *wire.Error) {
	r.input.Msgs = r.input.Msgs[:r.next+1]
	r.fault, r.decodeMore, r.input.Event = err, false, wire.Event{}
}

// dispatchOutOfOrder dispatches a message whose number is not the next in order.
func (r *receiver) dispatchOutOfOrder(m []wire.Msg, arrival delivery.Arrival, now time.Duration) int {
	if arrival != delivery.Redelivered && !r.hasSpace(m) {
		return 0
	}
	err := r.arrive(m[0].Seq, now, func(late bool) { r.dispatchRun(m, late) })
	if err != nil {
		r.failNext(err)
	}
	return 1
}

// arrive accepts a sequence number, updates the counters, and calls add if the message is new.
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

// hasSpace reports whether the worker for the first of msgs, which are the next ones, may have it, and
// its ring has space.
func (r *receiver) hasSpace(msgs []wire.Msg) bool {
	if r.byKey != nil {
		return r.freeFor(r.workerFor(msgs), 1) > 0
	}
	_, slots := r.reserveNext(1)
	return len(slots) > 0
}

// refusedMessage returns m, which is refused before it reaches a worker, for rendering its ack. Of a
// skipped message, only the number is known.
func (r *receiver) refusedMessage(m *wire.Msg) worker.Message {
	data := r.input.Bytes(r.slab.data, m)
	if m.Code == worker.TooLarge && len(data) == 0 {
		return worker.Message{Seq: m.Seq, Tag: m.Tag}
	}
	return r.l.slabs.origin.Message(data, m.Seq, m.Tag)
}

// refuse resolves a message with its code, without giving it to a worker.
func (r *receiver) refuse(m *wire.Msg, now time.Duration) *wire.Error {
	return r.arrive(m.Seq, now, func(late bool) {
		slot := r.l.track.Add(m.Seq, 1, late)
		var ack []byte
		if r.l.set.codec.RenderAcks {
			ack = r.l.set.codec.Render(nil, r.refusedMessage(m), m.Code)
		}
		r.l.markDone(uint32(slot), 1, m.Code, ack, now)
	})
}
