package delivery

// SendBuffer is what is to be sent: acks and the protocol's own frames in one stream
// of bytes, in the order in which they go out. Its owner is the loop.
//
// Invariant: buf[head:] was not yet taken by the kernel, and its first byte has
// offset sent in the connection's stream.
type SendBuffer struct {
	win *window

	buf  []byte
	head int
	sent uint64

	boundaries  queue[boundary] // of the acks in buf, by end
	messageEnds queue[uint64]   // ends of messages for sendmmsg; unused when pack is 0
	pack        int             // acks in one such message at most; 0: no limit

	kernel   queue[boundary] // of acks that the kernel has and may not have put on the wire, by end
	inKernel int             // messages whose acks those are
	onWire   uint64          // offset up to which all was on the wire when that was last asked
}

// boundary is the end of acks in the stream: with all bytes before end, the acks of n
// slots from slot on have gone.
type boundary struct {
	end  uint64
	slot uint64 // not used for what the kernel has
	n    int
}

const (
	// maxBoundary is how many acks one boundary stands for at most, so that a peer that
	// takes few bytes at a time still moves the window.
	maxBoundary = 1024
	// maxKernelBoundary is the same for acks that the kernel has.
	maxKernelBoundary = 64
	// maxIdleBuffer is the longest buffer that is kept when it is empty, in bytes: a few acks may
	// be as long as messages.
	maxIdleBuffer = 1 << 20
)

// Len is the number of bytes that the kernel has not taken.
func (o *SendBuffer) Len() int { return len(o.buf) - o.head }

// Acks reports whether there are acks among them.
func (o *SendBuffer) Acks() bool { return o.boundaries.len() > 0 }

// InKernel is the number of messages whose acks the kernel has taken and, for all that is
// known, not put on the wire.
func (o *SendBuffer) InKernel() int { return o.inKernel }

// end is the offset of the next byte that is appended.
func (o *SendBuffer) end() uint64 { return o.sent + uint64(o.Len()) }

// AvailableBuffer is an empty buffer for a frame of the protocol's own, to be passed to the
// Write that follows at once.
func (o *SendBuffer) AvailableBuffer() []byte { return o.buf[len(o.buf):] }

// Write appends a frame of the protocol's own, if any. It acks nothing in the window.
func (o *SendBuffer) Write(frame []byte) {
	if len(frame) > 0 {
		o.buf = append(o.buf, frame...)
		o.appended(0, 0)
	}
}

// appended records that buf has grown by acks of n slots from slot on, or, where n is 0, by
// a frame that acks nothing in the window.
func (o *SendBuffer) appended(slot uint64, n int) {
	end := o.end()
	if o.pack > 0 && (o.messageEnds.len() == 0 || *o.messageEnds.last() != end) {
		o.messageEnds.push(end)
	}
	if n == 0 {
		return
	}
	if o.boundaries.len() > 0 {
		if b := o.boundaries.last(); b.slot+uint64(b.n) == slot && b.n+n <= maxBoundary {
			b.end, b.n = end, b.n+n
			return
		}
	}
	o.boundaries.push(boundary{end, slot, n})
}

// Sent records that the kernel has taken the next n bytes. All slots whose acks' last byte
// was among them are resolved.
func (o *SendBuffer) Sent(n int) {
	o.head += n
	o.sent += uint64(n)
	for o.boundaries.len() > 0 && o.boundaries.first().end <= o.sent {
		b := *o.boundaries.first()
		o.boundaries.pop()
		o.moveToKernel(b)
		o.win.resolve(b.slot, b.n)
	}
	for o.messageEnds.len() > 0 && *o.messageEnds.first() <= o.sent {
		o.messageEnds.pop()
	}
	switch {
	case o.head == len(o.buf):
		o.buf, o.head = o.buf[:0], 0
		if cap(o.buf) > maxIdleBuffer {
			o.buf = nil
		}
	case o.head > len(o.buf)/2:
		o.buf = o.buf[:copy(o.buf, o.buf[o.head:])]
		o.head = 0
	}
}

// moveToKernel records that the kernel has acks to put on the wire.
func (o *SendBuffer) moveToKernel(b boundary) {
	o.inKernel += b.n
	if o.kernel.len() > 0 {
		if last := o.kernel.last(); last.n+b.n <= maxKernelBoundary {
			last.end, last.n = b.end, last.n+b.n
			return
		}
	}
	o.kernel.push(b)
}

// Transmitted records that the kernel has put on the wire all that it took but the last
// unsent bytes; it reports whether that is more than was known.
func (o *SendBuffer) Transmitted(unsent int) bool {
	onWire := o.sent - min(o.sent, uint64(unsent))
	for o.kernel.len() > 0 && o.kernel.first().end <= onWire {
		o.inKernel -= o.kernel.first().n
		o.kernel.pop()
	}
	more := onWire > o.onWire
	o.onWire = onWire
	return more
}

// Plan fills msgs with what to send next, a message of sendmmsg each, and returns how many.
// They are valid until the next call of another method.
func (o *SendBuffer) Plan(msgs [][]byte) int {
	if o.Len() == 0 {
		return 0
	}
	if o.pack == 0 {
		msgs[0] = o.buf[o.head:]
		return 1
	}
	from, n := o.sent, 0
	for n < len(msgs) && n < o.messageEnds.len() {
		to := *o.messageEnds.at(n)
		msgs[n] = o.buf[o.head+int(from-o.sent) : o.head+int(to-o.sent)]
		from = to
		n++
	}
	return n
}

// reset drops everything: the connection is over, or takes nothing more.
func (o *SendBuffer) reset() {
	o.buf, o.head, o.sent = o.buf[:0], 0, 0
	o.boundaries.reset()
	o.messageEnds.reset()
	o.kernel.reset()
	o.inKernel, o.onWire = 0, 0
}
