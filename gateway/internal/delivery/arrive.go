package delivery

import (
	"time"

	"feedgate/gateway/wire"
)

// Classify is the arrival of a number that comes next, which stays to be accepted. Without
// sessions every message is new and in order, whatever its number.
func (t *Tracker) Classify(seq uint64) Arrival {
	if !t.cfg.Sequenced || t.seq.inOrder(seq) {
		return InOrder
	}
	return t.seq.classify(seq)
}

// Arrive judges a number that is not in order, or whose message is refused. A message that
// was received before is acked, or will be; one that is Fresh, Late or InOrder is new and
// needs slots, by Add. gap is the numbers that are now missing.
func (t *Tracker) Arrive(seq uint64, now time.Duration) (a Arrival, gap Range, err *wire.Error) {
	if !t.cfg.Sequenced {
		return InOrder, noNumbers, nil
	}
	if seq > MaxSeq {
		return Back, noNumbers, wire.Errorf(wire.SeqBack, wire.CloseProtocolError,
			"message %d: numbers end at %d", seq, uint64(MaxSeq))
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

// Add gives slots to n new messages with consecutive numbers, and returns the first slot.
// There must be room. Numbers in order are accepted here, others were by Arrive.
func (t *Tracker) Add(seq uint64, n int, late bool) (slot uint64) {
	if t.cfg.Sequenced && t.seq.inOrder(seq) {
		t.seq.advance(n)
	}
	t.working += n
	return t.win.add(seq, n, late)
}

// JumpTo passes over the numbers before seq, which is next: the window is full, and the
// server does not want the acks of what it does not send again. False: there is nothing to
// pass over. gap is the numbers that are now missing.
func (t *Tracker) JumpTo(seq uint64, now time.Duration) (gap Range, ok bool) {
	if !t.cfg.Sequenced || seq <= t.seq.expect || seq > MaxSeq {
		return noNumbers, false
	}
	return t.applyVerdict(t.seq.jumpTo(seq), now), true
}

// Drop passes over a new message that will not be done and not be acked. last reports
// whether nothing behind it was received before.
func (t *Tracker) Drop(seq uint64, now time.Duration) (last bool) {
	// No cumulative ack may cover it. Messages before it that were received earlier and
	// did not come again on this connection need no ack any more.
	if t.cum != nil {
		t.cum.exclude(seq)
	}
	if reached := min(seq, t.seq.high); reached > t.seq.expect {
		t.applyVerdict(t.seq.jumpTo(reached), now)
	}
	return seq >= t.seq.high
}

// Stretch makes a slot beyond the limit if a full window can get room only by what comes
// behind the next message: all that is in it is done and was received on an earlier
// connection. A server that sends first what was missing, and then again what came after,
// brings that about. False: room will come by itself.
func (t *Tracker) Stretch() bool {
	if !t.cfg.Sequenced || !t.Full() || t.working > 0 || !t.idle() {
		return false
	}
	t.win.grow()
	return true
}

// applyVerdict resolves the slots of numbers that the server has skipped, and returns those that
// are missing.
func (t *Tracker) applyVerdict(v verdict, now time.Duration) (gap Range) {
	if !v.notResent.Empty() {
		t.win.resolveRange(v.notResent)
		t.strategy.resolved(now)
	}
	return v.gap
}
