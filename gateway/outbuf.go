package gateway

// outbuf is what is to be sent: acks and the protocol's own frames in one stream
// of bytes, in the order in which they go out. The loop owns it.
//
// Invariant: buf[head:] was not yet taken by the kernel, and its first byte has
// offset sent in the connection's stream.
type outbuf struct {
	buf  []byte
	head int
	sent uint64

	marks fifo[mark]   // of acks, by end
	taken fifo[batch]  // acks that the kernel has and may not have sent, by end
	held  int          // messages whose acks are in taken
	wired uint64       // so much was on the wire when that was last asked
	cuts  fifo[uint64] // ends of messages for sendmmsg; unused when pack is 0
	pack  int          // acks in one such message at most; 0: no limit
}

// mark says that when the stream has been sent up to end, the acks of n places
// have been.
type mark struct {
	end   uint64
	place uint64
	n     int
}

// markRun bounds how many acks one mark stands for, so that a peer that takes few
// bytes at a time still moves the window.
const markRun = 1024

func (o *outbuf) len() int { return len(o.buf) - o.head }

// end is the offset of the next byte that is appended.
func (o *outbuf) end() uint64 { return o.sent + uint64(o.len()) }

// batch is acks of n messages that end at an offset of the stream.
type batch struct {
	end uint64
	n   int
}

// batchLimit bounds how many acks go into a batch.
const batchLimit = 64

// appended notes that o.buf has grown by a frame of the protocol's own, or by
// acks of n places from place on.
func (o *outbuf) appended(place uint64, n int) {
	end := o.end()
	if o.pack > 0 && (o.cuts.len() == 0 || *o.cuts.last() != end) {
		o.cuts.push(end)
	}
	if n == 0 {
		return
	}
	if o.marks.len() > 0 {
		if m := o.marks.last(); m.place+uint64(m.n) == place && m.n+n <= markRun {
			m.end, m.n = end, m.n+n
			return
		}
	}
	o.marks.push(mark{end, place, n})
}

// took notes that the kernel has taken n bytes, and calls settle for all acks
// whose last byte was among them.
func (o *outbuf) took(n int, settle func(place uint64, n int)) {
	o.head += n
	o.sent += uint64(n)
	for o.marks.len() > 0 && o.marks.first().end <= o.sent {
		m := *o.marks.first()
		o.marks.pop()
		o.hold(m.end, m.n)
		settle(m.place, m.n)
	}
	for o.cuts.len() > 0 && *o.cuts.first() <= o.sent {
		o.cuts.pop()
	}
	switch {
	case o.head == len(o.buf):
		o.buf, o.head = o.buf[:0], 0
	case o.head > len(o.buf)/2:
		o.buf = o.buf[:copy(o.buf, o.buf[o.head:])]
		o.head = 0
	}
}

// hold notes that the kernel has acks of n messages to put on the wire.
func (o *outbuf) hold(end uint64, n int) {
	o.held += n
	if o.taken.len() > 0 {
		if last := o.taken.last(); last.n+n <= batchLimit {
			last.end, last.n = end, last.n+n
			return
		}
	}
	o.taken.push(batch{end, n})
}

// transmitted notes that the kernel has put on the wire all that it took but the last
// unsent bytes; it reports whether that is more than was known.
func (o *outbuf) transmitted(unsent int) bool {
	wired := o.sent - min(o.sent, uint64(unsent))
	for o.taken.len() > 0 && o.taken.first().end <= wired {
		o.held -= o.taken.first().n
		o.taken.pop()
	}
	more := wired > o.wired
	o.wired = wired
	return more
}

// plan fills msgs with the next messages for sendmmsg and returns how many.
func (o *outbuf) plan(msgs [][]byte) int {
	if o.len() == 0 {
		return 0
	}
	if o.pack == 0 {
		msgs[0] = o.buf[o.head:]
		return 1
	}
	from, n := o.sent, 0
	for n < len(msgs) && n < o.cuts.len() {
		to := *o.cuts.at(n)
		msgs[n] = o.buf[o.head+int(from-o.sent) : o.head+int(to-o.sent)]
		from = to
		n++
	}
	return n
}

// reset drops everything: the connection is gone.
func (o *outbuf) reset() {
	o.buf, o.head, o.sent, o.wired = o.buf[:0], 0, 0, 0
	o.marks.reset()
	o.taken.reset()
	o.held = 0
	o.cuts.reset()
}

// fifo is a queue in one slice that is reused.
type fifo[T any] struct {
	items []T
	head  int
}

func (q *fifo[T]) len() int    { return len(q.items) - q.head }
func (q *fifo[T]) first() *T   { return &q.items[q.head] }
func (q *fifo[T]) last() *T    { return &q.items[len(q.items)-1] }
func (q *fifo[T]) at(i int) *T { return &q.items[q.head+i] }
func (q *fifo[T]) reset()      { q.items, q.head = q.items[:0], 0 }

func (q *fifo[T]) push(v T) {
	if q.head > 0 && len(q.items) == cap(q.items) && q.head >= len(q.items)/2 {
		q.items = q.items[:copy(q.items, q.items[q.head:])]
		q.head = 0
	}
	q.items = append(q.items, v)
}

func (q *fifo[T]) pop() {
	q.head++
	if q.head == len(q.items) {
		q.reset()
	}
}
