package delivery

import (
	"time"

	"feedgate/gateway/wire"
)

// Classify predicts the arrival of the next number without accepting it. Without sessions, every
// message is new and in order, whatever its number.
func (t *Tracker) Classify(seq uint64) Arrival {
	if !t.cfg.Sequenced || t.seq.inOrder(seq) {
		return InOrder
	}
	return t.seq.classify(seq)
}

// Arrive accepts a number that is out of order or whose message is refused. A Redelivered message
// is acked once it is done. One that is Fresh, Late or InOrder is new: the caller adds it with Add.
// gap holds the numbers that are missing as a result.
func (t *Tracker) Arrive(seq uint64, now time.Duration) (a Arrival, gap Range, err *wire.Error) {
	if !t.cfg.Sequenced {
		return InOrder, noNumbers, nil
	}
	if seq > MaxSeq {
		return Back, noNumbers, wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"message %d exceeds the maximum number %d", seq, uint64(MaxSeq))
	}
	v := t.seq.accept(seq)
	gap = t.applyVerdict(v, now)
	switch v.arrival {
	case Late:
		if t.cum != nil {
			t.cum.splitPending(seq)
		}
	case Redelivered:
		if slot, ok := t.win.find(seq); ok {
			t.win.received.set(slot, 1)
			t.strategy.redelivered(slot, now)
		} else {
			t.strategy.redeliveredRetired(seq, now)
		}
	case Back:
		err = wire.Errorf(wire.SeqBack, wire.CloseProtocolError, "message %d after message %d", seq, t.seq.expect-1)
	}
	return v.arrival, gap, err
}

// Add gives slots to n new messages with consecutive numbers and returns the first slot. Enough slots
// must be free. Add accepts numbers in order; Arrive has accepted the others.
func (t *Tracker) Add(seq uint64, n int, late bool) (slot uint64) {
	if t.cfg.Sequenced && t.seq.inOrder(seq) {
		t.seq.advance(n)
	}
	t.working += n
	return t.win.add(seq, n, late)
}

// JumpTo marks the numbers before seq, the next one to arrive, as acked. It frees slots of a full
// window: a server needs no acks for messages that it does not redeliver. ok is false if seq does not
// jump ahead. gap holds the numbers that are missing as a result.
func (t *Tracker) JumpTo(seq uint64, now time.Duration) (gap Range, ok bool) {
	if !t.cfg.Sequenced || seq <= t.seq.expect || seq > MaxSeq {
		return noNumbers, false
	}
	return t.applyVerdict(t.seq.jumpTo(seq), now), true
}

// Drop skips a new message, which will be neither processed nor acked. last reports whether no
// higher number was received earlier in the session.
func (t *Tracker) Drop(seq uint64, now time.Duration) (last bool) {
	// No cumulative ack may cover it. Lower numbers that were received on an earlier connection
	// and not redelivered on this one no longer need an ack.
	if t.cum != nil {
		t.cum.exclude(seq)
	}
	if reached := min(seq, t.seq.high); reached > t.seq.expect {
		t.applyVerdict(t.seq.jumpTo(reached), now)
	}
	return seq >= t.seq.high
}

// Stretch adds a slot beyond the limit if the window would otherwise stay full: all its messages
// are done, and only their redelivery, behind the next message, can free them. This happens when a
// server first sends what was missing and then redelivers the rest. It returns false if slots will
// become free anyway.
func (t *Tracker) Stretch() bool {
	if !t.cfg.Sequenced || !t.Full() || t.working > 0 || !t.idle() {
		return false
	}
	t.win.grow()
	return true
}

// applyVerdict marks the slots of numbers that the server did not redeliver as acked. It returns the
// missing numbers.
func (t *Tracker) applyVerdict(v verdict, now time.Duration) (gap Range) {
	if !v.notResent.Empty() {
		t.win.markRangeAcked(v.notResent)
		t.strategy.afterSkip(now)
	}
	return v.gap
}
