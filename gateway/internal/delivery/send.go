package delivery

// AvailableBuffer is an empty buffer for a frame of the protocol's own, to be passed to the
// Write that follows at once.
func (t *Tracker) AvailableBuffer() []byte { return t.out.buf[len(t.out.buf):] }

// Write appends a frame of the protocol's own, if any, to what is to be sent.
func (t *Tracker) Write(frame []byte) { t.out.frame(frame) }

// Unsent is the number of bytes that are to be sent.
func (t *Tracker) Unsent() int { return t.out.len() }

// UnsentAcks reports whether there are acks among them.
func (t *Tracker) UnsentAcks() bool { return t.out.boundaries.len() > 0 }

// Plan fills msgs with what to send next, a message of sendmmsg each, and returns how many.
// They are valid until the next call of another method.
func (t *Tracker) Plan(msgs [][]byte) int { return t.out.plan(msgs) }

// Taken records that the kernel has taken the next n bytes. An ack counts when its last
// byte was taken.
func (t *Tracker) Taken(n int) { t.out.taken(n, t.win) }

// Transmitted records that all but the last unsent bytes that the kernel has taken are on
// the wire; it reports whether that is more than was known.
func (t *Tracker) Transmitted(unsent int) (more bool) { return t.out.transmitted(unsent) }

// InKernel is the number of messages whose acks the kernel has taken and, for all that is
// known, not put on the wire.
func (t *Tracker) InKernel() int { return t.out.inKernel }

// Discard drops what is to be sent, because the peer takes nothing more, and counts acks
// that were destroyed.
func (t *Tracker) Discard(destroyed int) {
	t.lost += destroyed
	t.out.reset()
}
