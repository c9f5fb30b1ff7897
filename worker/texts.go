package worker

import (
	"slices"
	"sort"
)

// texts holds what --output has made of one worker's messages, for its handler. It is the
// worker's own.
//
// Texts lie in chunks, in the order of the messages. Those of messages that the handler
// completes at once are gone when Handle returns. A deferred message pins the chunk that its
// text is in until it is completed. As the tickets of deferred messages count up, those in a
// chunk are a range of their own.
type texts struct {
	output func(dst []byte, m Message) []byte
	limit  int // bytes that deferred messages may pin
	size   int // bytes of the usual chunk

	batch   []text   // of the messages that the handler has now
	used    []*chunk // in which these are, but for cur
	cur     *chunk   // is being filled; nil: none is
	pinned  []*chunk // with deferred messages, by ticket; cur may be the last
	free    []*chunk
	scratch []byte // the text that is being made

	pinnedBytes, freeBytes int
}

// text is what was made of one message.
type text struct {
	data []byte
	in   *chunk
}

// chunk is a buffer of texts.
//
// Invariant: the deferred messages whose texts are in it have the tickets from first to
// end-1, and open of them are not completed.
type chunk struct {
	buf        []byte
	first, end Ticket
	open       int
}

// A chunk is chunkMax bytes, with little memory less, down to chunkMin, or one longer text.
const (
	chunkMax = 64 << 10
	chunkMin = 4 << 10
)

func newTexts(render func([]byte, Message) []byte, limit int64) *texts {
	return &texts{
		output: render, limit: int(limit),
		size: int(max(chunkMin, min(chunkMax, limit/8))),
	}
}

// render makes the texts of a batch, whose messages are as they were received so far.
func (t *texts) render(b *Batch) {
	t.batch = t.batch[:0]
	for i := range b.run.spans {
		t.scratch = t.output(t.scratch[:0], b.At(i))
		t.batch = append(t.batch, t.place(t.scratch))
	}
	b.texts = t.batch
}

// place copies a text into a chunk with room for it.
func (t *texts) place(s []byte) text {
	if t.cur == nil || cap(t.cur.buf)-len(t.cur.buf) < len(s) {
		if t.cur != nil {
			t.used = append(t.used, t.cur)
		}
		t.cur = t.take(len(s))
	}
	c := t.cur
	at := len(c.buf)
	c.buf = append(c.buf, s...)
	return text{c.buf[at:len(c.buf):len(c.buf)], c}
}

// take is an empty chunk with room for n bytes. Free ones that are too small are given up.
func (t *texts) take(n int) *chunk {
	for k := len(t.free); k > 0; k-- {
		c := t.free[k-1]
		t.free = t.free[:k-1]
		t.freeBytes -= cap(c.buf)
		if cap(c.buf) >= n {
			return c
		}
	}
	n = max(t.size, (n+t.size-1)/t.size*t.size)
	return &chunk{buf: make([]byte, 0, n)}
}

// recycle keeps a chunk for further texts, unless there are enough.
func (t *texts) recycle(c *chunk) {
	c.buf = c.buf[:0]
	if c == t.cur {
		t.cur = nil
	}
	if t.pinnedBytes+t.freeBytes+cap(c.buf) <= max(t.limit, t.size) {
		t.free = append(t.free, c)
		t.freeBytes += cap(c.buf)
	}
}

// pin keeps texts of the batch whose messages are deferred, with tickets from first on.
func (t *texts) pin(deferred []text, first Ticket) {
	for i := range deferred {
		c := deferred[i].in
		if c.open == 0 {
			c.first = first + Ticket(i)
			t.pinned = append(t.pinned, c)
			t.pinnedBytes += cap(c.buf)
		}
		c.end = first + Ticket(i) + 1
		c.open++
	}
}

// release gives up the texts of n messages with consecutive tickets, which are completed.
func (t *texts) release(first Ticket, n int) {
	for n > 0 {
		i := sort.Search(len(t.pinned), func(i int) bool { return t.pinned[i].end > first })
		c := t.pinned[i]
		k := min(n, int(c.end-first))
		if c.open -= k; c.open == 0 {
			t.pinned = slices.Delete(t.pinned, i, i+1)
			t.pinnedBytes -= cap(c.buf)
			t.recycle(c)
		}
		first += Ticket(k)
		n -= k
	}
}

// endBatch gives up the texts of the batch that are not pinned.
func (t *texts) endBatch() {
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
func (t *texts) full() bool { return t != nil && t.pinnedBytes >= t.limit }

// next is the next messages for the handler, at most limit of one run. Those that --output
// renders are as many as are rendered before room is asked again.
func (w *Worker) next(limit int) run {
	if t := w.main.texts; t != nil {
		limit = w.in.fit(limit, t.size)
	}
	return w.in.next(limit)
}

// full reports whether what --output has made of deferred messages takes up all the memory
// there is for it. In a drain there is no such bound, for the reason that room gives.
func (w *Worker) full() bool { return w.main.texts.full() && !w.draining.Load() }
