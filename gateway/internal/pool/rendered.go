package pool

import (
	"slices"
	"sort"

	"feedgate/worker"
	"feedgate/worker/offheap"
)

// texts holds what --output has made of one worker's messages, for its handler. It is the
// worker's own.
//
// Texts lie in chunks, in the order of the messages. Those of messages that the handler
// completes at once are gone when Handle returns. A deferred message pins the chunk that its
// text is in until it is completed. As the tickets of deferred messages count up, those in a
// chunk are a range of their own.
type rendered struct {
	output func(dst []byte, m worker.Message) []byte
	limit  int // bytes that deferred messages may pin
	size   int // bytes of the usual chunk

	batch   []*chunk // of the texts of the messages that the handler has now
	left    []*chunk // the end of batch: of those not yet passed to Done or Later
	used    []*chunk // in which these are, but for cur
	cur     *chunk   // is being filled; nil: none is
	pinned  []*chunk // with deferred messages, by ID; cur may be the last
	free    []*chunk
	long    *chunk // without a buffer, for the next long text; nil: there is none
	scratch []byte // the text that is being made
	spare   []byte // for the next, when a long chunk has taken scratch

	pinnedBytes, freeBytes int
}

// chunk is a buffer of texts.
//
// Invariant: the deferred messages whose texts are in it have the tickets from first to
// end-1, and open of them are not completed.
type chunk struct {
	buf        []byte
	buffers    []worker.Buffer // of the texts in buf; it never grows
	first, end worker.ID
	open       int
	long       bool // its one text is longer than the usual chunk
}

// The usual chunk is chunkMax bytes, with little memory less, down to chunkMin. It
// has room for a text for each textMean of the usual size.
const (
	chunkMax = 64 << 10
	chunkMin = 4 << 10
	textMean = 64
	// bufferSize is the size of a source.
	bufferSize = 40
)

// bytes is the memory that the chunk takes up.
func (c *chunk) bytes() int { return cap(c.buf) + bufferSize*cap(c.buffers) }

// fits reports whether there is room for a text of n bytes.
func (c *chunk) fits(n int) bool {
	return n <= cap(c.buf)-len(c.buf) && len(c.buffers) < cap(c.buffers)
}

func newRendered(output func([]byte, worker.Message) []byte, limit int64) *rendered {
	return &rendered{
		output: output, limit: int(max(1, limit)),
		size: int(max(chunkMin, min(chunkMax, limit/8))),
	}
}

// begin starts on another batch.
func (t *rendered) begin() { t.batch = t.batch[:0] }

// render makes the texts of further messages of the batch, those of a run, which are as they
// were received so far.
func (t *rendered) render(w *Worker, r *run, msgs []worker.Message) {
	origin := w.slabs.slots[r.first.Slab].Origin
	for i := range msgs {
		m := &msgs[i]
		t.scratch = t.output(t.scratch[:0], *m)
		frame := w.slabs.bytes(r.first.Slab, r.spans[i])
		text, home := t.place(t.scratch, worker.Buffer{Data: frame, Origin: origin, Rendered: true})
		*m = home.Render(*m, text)
	}
	t.left = t.batch
}

// place copies the text of the batch's next message, whose frame is given, into a chunk with
// room for it.
func (t *rendered) place(text []byte, frame worker.Buffer) ([]byte, *worker.Buffer) {
	if t.cur == nil || !t.cur.fits(len(text)) {
		if t.cur != nil {
			t.used = append(t.used, t.cur)
		}
		if len(text) > t.size {
			return t.placeLong(text, frame)
		}
		t.cur = t.take(len(text))
	}
	c := t.cur
	at := len(c.buf)
	c.buf = append(c.buf, text...)
	c.buffers = append(c.buffers, frame)
	t.batch = append(t.batch, c)
	return c.buf[at:len(c.buf):len(c.buf)], &c.buffers[len(c.buffers)-1]
}

// placeLong makes scratch, which holds a text that is longer than the usual chunk, a chunk of
// its own. It is not copied: one of --max-message may be most of the memory that there is.
func (t *rendered) placeLong(text []byte, frame worker.Buffer) ([]byte, *worker.Buffer) {
	c := t.long
	if t.long = nil; c == nil {
		c = &chunk{buffers: make([]worker.Buffer, 0, 1), long: true}
	}
	c.buf, t.scratch, t.spare = text, t.spare, nil
	c.buffers = append(c.buffers, frame)
	t.cur = c
	t.batch = append(t.batch, c)
	return text[:len(text):len(text)], &c.buffers[0]
}

// take is an empty chunk with room for n bytes. Free ones that are too small are given up.
func (t *rendered) take(n int) *chunk {
	for k := len(t.free); k > 0; k-- {
		c := t.free[k-1]
		t.free = t.free[:k-1]
		t.freeBytes -= c.bytes()
		if cap(c.buf) >= n {
			return c
		}
	}
	return &chunk{buf: make([]byte, 0, t.size), buffers: make([]worker.Buffer, 0, t.size/textMean)}
}

// recycle keeps a chunk for further texts, unless there are enough.
func (t *rendered) recycle(c *chunk) {
	offheap.Default.Recycle(c.buf)
	clear(c.buffers) // they refer to slabs, which may be unmapped, and to Origins
	c.buf, c.buffers = c.buf[:0], c.buffers[:0]
	if c == t.cur {
		t.cur = nil
	}
	if c.long {
		if cap(t.scratch) < cap(c.buf) {
			t.spare, t.scratch = t.scratch, c.buf
		}
		c.buf, t.long = nil, c
		return
	}
	if t.pinnedBytes+t.freeBytes+c.bytes() <= max(t.limit, 2*t.size) {
		t.free = append(t.free, c)
		t.freeBytes += c.bytes()
	}
}

// done passes over the next n texts of the batch: their messages are completed.
func (t *rendered) done(n int) { t.left = t.left[n:] }

// pin keeps the next n texts of the batch: their messages are deferred, with tickets from first
// on.
func (t *rendered) pin(first worker.ID, n int) {
	for i, c := range t.left[:n] {
		if c.open == 0 {
			c.first = first + worker.ID(i)
			t.pinned = append(t.pinned, c)
			t.pinnedBytes += c.bytes()
		}
		c.end = first + worker.ID(i) + 1
		c.open++
	}
	t.left = t.left[n:]
}

// release gives up the texts of n messages with consecutive tickets, which are completed.
func (t *rendered) release(first worker.ID, n int) {
	for n > 0 {
		i := sort.Search(len(t.pinned), func(i int) bool { return t.pinned[i].end > first })
		c := t.pinned[i]
		k := min(n, int(c.end-first))
		if c.open -= k; c.open == 0 {
			t.pinned = slices.Delete(t.pinned, i, i+1)
			t.pinnedBytes -= c.bytes()
			t.recycle(c)
		}
		first += worker.ID(k)
		n -= k
	}
}

// endBatch gives up the texts of the batch that are not pinned.
func (t *rendered) endBatch() {
	clear(t.batch)
	for _, c := range t.used {
		if c.open == 0 {
			t.recycle(c)
		}
	}
	t.used = t.used[:0]
	if t.cur != nil && t.cur.open == 0 {
		t.recycle(t.cur)
	}
	if cap(t.scratch) > max(t.limit, t.size) {
		t.scratch = nil
	}
}

// full reports whether deferred messages pin all the memory there is. A nil texts is not.
func (t *rendered) full() bool { return t != nil && t.pinnedBytes >= t.limit }

// full reports whether what --output has made of deferred messages takes up all the memory
// there is for it. In a drain there is no such bound, for the reason that room gives.
func (w *Worker) full() bool { return w.main.rendered.full() && !w.draining.Load() }
