package exec

import (
	"encoding/binary"

	"feedgate/worker"
)

// queue is one worker's messages that have no answer yet, oldest first. Their
// tickets are consecutive: the handler puts off every message, in order, and they
// leave in order.
//
// The present child gets a stream of bytes: the frames of the messages in turn.
//
// Invariant: sent <= len(); offset <= framed.
type queue struct {
	items  []queued
	head   int       // index of the first in line
	first  worker.ID // ticket of the first in line
	sent   int       // how many from the first in line on were framed for the present child
	offset uint64    // where the frame of the first in line begins in its stream
	framed uint64    // length of its stream so far
	deaths int       // how many children have died on the first in line

	answered uint64 // how many messages the present child has answered
}

type queued struct {
	data []byte // the gateway's, valid until the message is completed
	seq  uint64 // for the log
}

// headerSize is the size of a frame's header, the u32be length of what follows.
const headerSize = 4

func (m queued) frameSize() uint64 { return headerSize + uint64(len(m.data)) }

func (q *queue) len() int    { return len(q.items) - q.head }
func (q *queue) unsent() int { return q.len() - q.sent }

// at is the i-th in line, from 0.
func (q *queue) at(i int) queued { return q.items[q.head+i] }

// push appends the batch's messages and defers them.
func (q *queue) push(b worker.Batch) {
	n := b.Len()
	for i := range n {
		m := b.At(i)
		q.items = append(q.items, queued{m.Data, m.Seq})
	}
	if first := b.Defer(n); q.first+worker.ID(q.len()-n) != first {
		panic("sink: tickets are not consecutive")
	}
}

// drop removes the first n, which are completed.
func (q *queue) drop(n int) {
	for i := range min(n, q.sent) {
		q.offset += q.at(i).frameSize()
	}
	clear(q.items[q.head : q.head+n])
	q.head += n
	q.first += worker.ID(n)
	q.answered += uint64(min(n, q.sent))
	q.sent -= min(n, q.sent)
	q.deaths = 0
	// The rest is moved down once at least as many were dropped: at most one move per
	// message.
	if q.head >= q.len() {
		left := copy(q.items, q.items[q.head:])
		clear(q.items[q.head:])
		q.items, q.head = q.items[:left], 0
	}
}

// frame appends unsent messages to dst as the child gets them, u32be length and
// bytes, until there are limit bytes, and counts them as sent.
func (q *queue) frame(dst []byte, limit int) []byte {
	for q.unsent() > 0 && len(dst) < limit {
		m := q.at(q.sent)
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(m.data)))
		dst = append(dst, m.data...)
		q.sent++
		q.framed += m.frameSize()
	}
	return dst
}

// within is how many of the first n in line lie wholly within the first size bytes
// of the child's stream.
func (q *queue) within(n int, size uint64) int {
	end := q.offset
	for i := range min(n, q.sent) {
		if end += q.at(i).frameSize(); end > size {
			return i
		}
	}
	return min(n, q.sent)
}

// restart begins the stream of another child: everything is unsent again.
func (q *queue) restart() { q.sent, q.offset, q.framed, q.answered = 0, 0, 0, 0 }

// owed is how many bytes of answers the messages framed for the present child allow it to
// write, those that it has written included.
func (q *queue) owed() uint64 { return answerSize * (q.answered + uint64(q.sent)) }
