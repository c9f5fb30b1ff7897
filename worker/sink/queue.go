package sink

import (
	"encoding/binary"

	"feedgate/worker"
)

// queue is one worker's messages that have no answer yet, oldest first. Their
// tickets are consecutive: the handler puts off every message, in order, and they
// leave in order.
//
// Invariant: sent <= len().
type queue struct {
	items  []queued
	head   int           // index of the first in line
	first  worker.Ticket // ticket of the first in line
	sent   int           // how many from the first in line on the present child was given
	deaths int           // how many children have died with the first in line unanswered
}

type queued struct {
	data []byte // the gateway's, valid until the message is completed
	seq  uint64 // for the log
}

func (q *queue) len() int    { return len(q.items) - q.head }
func (q *queue) unsent() int { return q.len() - q.sent }

// push appends the batch's messages, which is when they are put off.
func (q *queue) push(b *worker.Batch) {
	n := b.Left()
	for i := range n {
		m := b.At(i)
		q.items = append(q.items, queued{m.Data, m.Seq})
	}
	if first := b.Later(n); q.first+worker.Ticket(q.len()-n) != first {
		panic("sink: tickets are not consecutive")
	}
}

// drop removes the first n, which have their outcome.
func (q *queue) drop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	q.first += worker.Ticket(n)
	q.sent -= min(n, q.sent)
	q.deaths = 0
	// Moving what is left down once at least as much was dropped costs one move a
	// message at most.
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
		m := q.items[q.head+q.sent].data
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(m)))
		dst = append(dst, m...)
		q.sent++
	}
	return dst
}
