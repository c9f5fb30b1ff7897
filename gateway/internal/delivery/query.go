package delivery

import "feedgate/gateway/wire"

// Room is how many messages more may be given to workers. Acks that the kernel has not put
// on the wire count as in flight still: the reset that a killed process leaves behind
// destroys them, and what they were for is sent again.
func (t *Tracker) Room() int { return max(0, t.win.free()-t.out.inKernel) }

// Full reports whether every slot is in use.
func (t *Tracker) Full() bool { return t.win.free() == 0 }

// InFlight is the number of slots in use.
func (t *Tracker) InFlight() int { return t.win.inFlight() }

// Working is the number of messages that are with workers, of earlier connections too.
func (t *Tracker) Working() int { return t.working }

// WaitingAcks is the memory of rendered acks that wait for their turn, in bytes; all is with what is
// spare.
func (t *Tracker) WaitingAcks() (waiting, all int64) { return t.store.waiting, t.store.bytes() }

// Next is the slot of the next message. It never goes back.
func (t *Tracker) Next() uint64 { return t.win.next }

// Watermark is the highest number up to which every message of the session is acked: what
// a server need not send again. It is 0 without a session.
func (t *Tracker) Watermark() uint64 { return t.win.watermark() }

// Unacked is the number of messages of the living session whose ack is not on the wire, for
// all that is known, and of those whose ack was lost on this connection.
func (t *Tracker) Unacked() int { return t.win.unacked() + t.lost + t.out.inKernel }

// NeedsRedelivery reports whether a message of the living session must be received again
// before it can be acked.
func (t *Tracker) NeedsRedelivery() bool {
	return t.cfg.Mode != wire.AckNone && t.win.needsRedelivery()
}

// AckingStopped reports whether acks cannot be sent on this connection any more: StopAcking.
func (t *Tracker) AckingStopped() bool { return t.ackingStopped }

// TakeSuppressed is the number of refused messages for whose code the protocol had no ack,
// since the last call.
func (t *Tracker) TakeSuppressed() int {
	n := t.acks.suppressed
	t.acks.suppressed = 0
	return n
}
