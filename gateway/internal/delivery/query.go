package delivery

import "feedgate/gateway/wire"

// Free returns how many more messages may be given to workers. Acks that the kernel has not yet
// transmitted count as in flight: if the process is killed, the reset destroys them and their
// messages are redelivered.
func (t *Tracker) Free() int { return max(0, t.win.free()-t.out.inKernel) }

// Full reports whether every slot is in use.
func (t *Tracker) Full() bool { return t.win.free() == 0 }

// InFlight returns the number of slots in use.
func (t *Tracker) InFlight() int { return t.win.inFlight() }

// Working returns the number of messages with workers, including those of earlier connections.
func (t *Tracker) Working() int { return t.working }

// WaitingAcks returns the memory of rendered acks that wait for their turn, in bytes; all includes
// spare memory.
func (t *Tracker) WaitingAcks() (waiting, all int64) { return t.store.waiting, t.store.bytes() }

// Next returns the slot of the next message. It never decreases.
func (t *Tracker) Next() uint64 { return t.win.next }

// Watermark returns the highest number up to which every message of the session is acked: a server
// need not redeliver those. It is 0 without a session.
func (t *Tracker) Watermark() uint64 { return t.win.watermark() }

// Unacked returns the number of messages of the current session whose ack is not known to be on the
// wire, plus those whose ack was lost on this connection.
func (t *Tracker) Unacked() int { return t.win.unacked() + t.lost + t.out.inKernel }

// NeedsRedelivery reports whether a message of the current session can be acked only after it has
// been redelivered.
func (t *Tracker) NeedsRedelivery() bool {
	return t.cfg.Mode != wire.AckNone && t.win.needsRedelivery()
}

// AckingStopped reports whether StopAcking was called on this connection.
func (t *Tracker) AckingStopped() bool { return t.ackingStopped }

// TakeSuppressed returns the number of messages, since the last call, that were refused without an
// ack because the protocol cannot express their code.
func (t *Tracker) TakeSuppressed() int {
	n := t.acks.suppressed
	t.acks.suppressed = 0
	return n
}
