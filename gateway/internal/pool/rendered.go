package pool

import (
	"slices"
	"sort"

	"feedgate/worker"
	"feedgate/worker/offheap"
)

// rendered holds the data that --output has rendered of one worker's messages, for its handler. The
// worker owns it.
//
// Rendered data lie in chunks, in the order of the messages. Those of messages that the handler
// resolves at once are dropped when Handle returns. A deferred message pins its chunk until it is
// resolved. As the IDs of deferred messages count up, those in a chunk are a range.
type rendered struct {
	output func(dst []byte, m worker.Message) []byte
	limit  int // bytes that deferred messages may pin
	size   int // of a usual chunk, in bytes

	batch     []*chunk // by message of the current batch: the chunk with its data
	remaining []*chunk // the end of batch: of messages neither resolved nor deferred yet
	used      []*chunk // the chunks in batch, each once, except current
	current   *chunk   // the one that is being filled; nil: none
	pinned    []*chunk // with deferred messages, by ID; current may be the last
	free      []*chunk
	long      *chunk // without a buffer, for the next long data; nil: none
	scratch   []byte // for the output of the next message
	spare     []byte // replaces scratch when that becomes a long chunk

	pinnedBytes, freeBytes int
}

// chunk is a buffer of rendered data.
//
// Invariant: the deferred messages in it have the IDs from first to end-1; open of them are
// pending.
type chunk struct {
	data       []byte
	buffers    []worker.Buffer // of the messages whose data are in data; it never grows
	first, end worker.ID
	open       int
	long       bool // it has one message, longer than a usual chunk
}

// A usual chunk has chunkMax bytes; with little memory fewer, down to chunkMin. It has a Buffer for
// every meanSize bytes.
const (
	chunkMax = 64 << 10
	chunkMin = 4 << 10
	meanSize = 64
	// bufferSize is the size of a worker.Buffer, in bytes.
	bufferSize = 40
)

// bytes returns the memory of the chunk.
func (c *chunk) bytes() int { return cap(c.data) + bufferSize*cap(c.buffers) }

// fits reports whether the chunk has space for n bytes and a Buffer.
func (c *chunk) fits(n int) bool {
	return n <= cap(c.data)-len(c.data) && len(c.buffers) < cap(c.buffers)
}

func newRendered(output func([]byte, worker.Message) []byte, limit int64) *rendered {
	return &rendered{
		output: output, limit: int(max(1, limit)),
		size: int(max(chunkMin, min(chunkMax, limit/8))),
	}
}

// begin begins a batch.
func (t *rendered) begin() { t.batch = t.batch[:0] }

// render renders the data of the messages of a run, which are the next ones of the batch, and
// replaces them in msgs.
func (t *rendered) render(w *Worker, r *run, msgs []worker.Message) {
	origin := w.slabs.slots[r.base.Slab].Origin
	for i := range msgs {
		m := &msgs[i]
		t.scratch = t.output(t.scratch[:0], *m)
		frame := w.slabs.bytes(r.base.Slab, r.spans[i])
		data, buffer := t.place(t.scratch, worker.Buffer{Data: frame, Origin: origin, Rendered: true})
		*m = buffer.Render(*m, data)
	}
	t.remaining = t.batch
}

// place copies the data of the next message of the batch, with its frame, to a chunk with space for
// it.
func (t *rendered) place(data []byte, frame worker.Buffer) ([]byte, *worker.Buffer) {
	if t.current == nil || !t.current.fits(len(data)) {
		if t.current != nil {
			t.used = append(t.used, t.current)
		}
		if len(data) > t.size {
			return t.placeLong(data, frame)
		}
		t.current = t.take(len(data))
	}
	c := t.current
	at := len(c.data)
	c.data = append(c.data, data...)
	c.buffers = append(c.buffers, frame)
	t.batch = append(t.batch, c)
	return c.data[at:len(c.data):len(c.data)], &c.buffers[len(c.buffers)-1]
}

// placeLong makes a chunk of data longer than a usual chunk, which are in scratch. It does not copy
// them: data of --max-message may be most of the memory.
func (t *rendered) placeLong(data []byte, frame worker.Buffer) ([]byte, *worker.Buffer) {
	c := t.long
	if t.long = nil; c == nil {
		c = &chunk{buffers: make([]worker.Buffer, 0, 1), long: true}
	}
	c.data, t.scratch, t.spare = data, t.spare, nil
	c.buffers = append(c.buffers, frame)
	t.current = c
	t.batch = append(t.batch, c)
	return data[:len(data):len(data)], &c.buffers[0]
}

// take returns an empty chunk with space for n bytes. It drops free ones that are too small.
func (t *rendered) take(n int) *chunk {
	for k := len(t.free); k > 0; k-- {
		c := t.free[k-1]
		t.free = t.free[:k-1]
		t.freeBytes -= c.bytes()
		if cap(c.data) >= n {
			return c
		}
	}
	return &chunk{data: make([]byte, 0, t.size), buffers: make([]worker.Buffer, 0, t.size/meanSize)}
}

// recycle keeps a chunk for later messages, unless there are enough.
func (t *rendered) recycle(c *chunk) {
	offheap.Default.Recycle(c.data)
	clear(c.buffers) // they refer to slabs, which may be unmapped, and to Origins
	c.data, c.buffers = c.data[:0], c.buffers[:0]
	if c == t.current {
		t.current = nil
	}
	if c.long {
		if cap(t.scratch) < cap(c.data) {
			t.spare, t.scratch = t.scratch, c.data
		}
		c.data, t.long = nil, c
		return
	}
	if t.pinnedBytes+t.freeBytes+c.bytes() <= max(t.limit, 2*t.size) {
		t.free = append(t.free, c)
		t.freeBytes += c.bytes()
	}
}

// done is called when the next n messages of the batch are resolved.
func (t *rendered) done(n int) { t.remaining = t.remaining[n:] }

// pin pins the chunks of the next n messages of the batch, which are deferred with IDs from first
// on.
func (t *rendered) pin(first worker.ID, n int) {
	for i, c := range t.remaining[:n] {
		if c.open == 0 {
			c.first = first + worker.ID(i)
			t.pinned = append(t.pinned, c)
			t.pinnedBytes += c.bytes()
		}
		c.end = first + worker.ID(i) + 1
		c.open++
	}
	t.remaining = t.remaining[n:]
}

// release is called when n deferred messages with consecutive IDs are resolved. It recycles chunks
// without further ones.
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

// endBatch recycles the chunks of the batch that are not pinned.
func (t *rendered) endBatch() {
	clear(t.batch)
	for _, c := range t.used {
		if c.open == 0 {
			t.recycle(c)
		}
	}
	t.used = t.used[:0]
	if t.current != nil && t.current.open == 0 {
		t.recycle(t.current)
	}
	if cap(t.scratch) > max(t.limit, t.size) {
		t.scratch = nil
	}
}

// full reports whether deferred messages pin all the memory. A nil rendered is never full.
func (t *rendered) full() bool { return t != nil && t.pinnedBytes >= t.limit }

// renderedFull reports whether the rendered data of deferred messages take all the memory for them.
// A drain has no such limit: see limits.go.
func (w *Worker) renderedFull() bool { return w.main.rendered.full() && !w.draining.Load() }
