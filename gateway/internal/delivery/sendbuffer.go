package delivery

// SendBuffer holds the bytes to send: acks and the protocol's own frames, in order. The loop owns
// it.
//
// A byte is sent once the kernel has accepted it, and transmitted once the kernel has put it on the
// wire.
//
// Invariant: buf[head:] is unsent, and its first byte has offset sent in the connection's stream.
type SendBuffer struct {
	win *window

	buf  []byte
	head int
	sent uint64

	boundaries  queue[boundary] // of the acks in buf, by end
	messageEnds queue[uint64]   // where messages for sendmmsg end; unused if pack is 0
	pack        int             // most acks in one such message; 0: no limit

	kernel   queue[kernelBoundary] // of acks that are sent and not known to be transmitted, by end
	inKernel int                   // messages acked by them
	onWire   uint64                // offset up to which all bytes were transmitted, when last checked
}

// boundary is the end of some acks in the stream: once all bytes before end are sent, so are the acks
// of n slots: those starting at slot or, if bits is not 0, slot+i for each bit i.
type boundary struct {
	end  uint64
	slot uint64
	n    int
	bits uint64
}

// kernelBoundary is a boundary of acks in the kernel.
type kernelBoundary struct {
	end uint64
	n   int
}

const (
	// maxBoundary is the maximum number of acks in one boundary. It is low enough that a peer that
	// accepts only few bytes at a time still moves the window.
	maxBoundary = 1024
	// maxKernelBoundary is the same for acks in the kernel.
	maxKernelBoundary = 64
	// maxIdleBuffer is the capacity above which an empty buffer is freed, in bytes: occasionally,
	// acks are as long as messages.
	maxIdleBuffer = 1 << 20
)

// Len returns the number of unsent bytes.
func (o *SendBuffer) Len() int { return len(o.buf) - o.head }

// Acks reports whether the unsent bytes contain acks.
func (o *SendBuffer) Acks() bool { return o.boundaries.len() > 0 }

// InKernel returns the number of messages whose acks are sent and not known to be transmitted.
func (o *SendBuffer) InKernel() int { return o.inKernel }

// end returns the offset of the next byte to be appended.
func (o *SendBuffer) end() uint64 { return o.sent + uint64(o.Len()) }

// AvailableBuffer returns an empty buffer to which the caller may append one of the protocol's own
// frames, and which it then passes to Write immediately.
func (o *SendBuffer) AvailableBuffer() []byte { return o.buf[len(o.buf):] }

// Write appends one of the protocol's own frames, which acks nothing in the window.
func (o *SendBuffer) Write(frame []byte) {
	if len(frame) > 0 {
		o.buf = append(o.buf, frame...)
		o.appended(0, 0)
	}
}

// appended records that buf has grown by acks of n slots starting at slot or, if n is 0, by a frame
// that acks nothing in the window.
func (o *SendBuffer) appended(slot uint64, n int) {
	o.endMessage()
	if n == 0 {
		return
	}
	if o.boundaries.len() > 0 {
		b := o.boundaries.last()
		if b.bits == 0 && b.slot+uint64(b.n) == slot && b.n+n <= maxBoundary {
			b.end, b.n = o.end(), b.n+n
			return
		}
	}
	o.addBoundary(boundary{slot: slot, n: n})
}

// endMessage ends a message for sendmmsg at the end of buf, if acks are packed.
func (o *SendBuffer) endMessage() {
	if end := o.end(); o.pack > 0 && (o.messageEnds.len() == 0 || *o.messageEnds.last() != end) {
		o.messageEnds.push(end)
	}
}

// addBoundary adds a boundary at the end of buf.
func (o *SendBuffer) addBoundary(b boundary) {
	b.end = o.end()
	o.boundaries.push(b)
}

// Sent records that the kernel has accepted the next n bytes. It marks the slots whose acks end among
// them as acked.
func (o *SendBuffer) Sent(n int) {
	o.head += n
	o.sent += uint64(n)
	for o.boundaries.len() > 0 && o.boundaries.first().end <= o.sent {
		b := *o.boundaries.first()
		o.boundaries.pop()
		o.moveToKernel(b)
		if b.bits != 0 {
			o.win.markAckedWord(b.slot, b.bits)
		} else {
			o.win.markAcked(b.slot, b.n)
		}
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

// moveToKernel records that acks are in the kernel, to be transmitted.
func (o *SendBuffer) moveToKernel(b boundary) {
	o.inKernel += b.n
	if o.kernel.len() > 0 {
		if last := o.kernel.last(); last.n+b.n <= maxKernelBoundary {
			last.end, last.n = b.end, last.n+b.n
			return
		}
	}
	o.kernel.push(kernelBoundary{b.end, b.n})
}

// Transmitted records that the kernel has put all sent bytes on the wire, except the last
// untransmitted ones. It reports whether that is more than was known.
func (o *SendBuffer) Transmitted(untransmitted int) bool {
	onWire := o.sent - min(o.sent, uint64(untransmitted))
	for o.kernel.len() > 0 && o.kernel.first().end <= onWire {
		o.inKernel -= o.kernel.first().n
		o.kernel.pop()
	}
	more := onWire > o.onWire
	o.onWire = onWire
	return more
}

// Accepted returns the offset up to which the kernel has accepted all bytes.
func (o *SendBuffer) Accepted() uint64 { return o.sent }

// OnWire returns the offset up to which the kernel had put all bytes on the wire, when last checked.
func (o *SendBuffer) OnWire() uint64 { return o.onWire }

// Plan fills msgs with the next messages for sendmmsg and returns how many there are. They are
// valid until another method is called.
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

// reset drops everything: the connection has ended, or its peer accepts nothing more.
func (o *SendBuffer) reset() {
	o.buf, o.head, o.sent = o.buf[:0], 0, 0
	o.boundaries.reset()
	o.messageEnds.reset()
	o.kernel.reset()
	o.inKernel, o.onWire = 0, 0
}
