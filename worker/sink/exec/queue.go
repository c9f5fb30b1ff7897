package exec

import (
	"encoding/binary"

	"feedgate/worker"
)

// queue holds one worker's unanswered messages, oldest first. Their IDs are consecutive, because
// the handler defers every message, and answers have the order of messages.
//
// The current child gets a stream of bytes: the frames of the messages, one after the other.
//
// Invariant: sent <= len(); offset <= framed.
type queue struct {
	items   []queued
	head    int       // index in items of the first message
	first   worker.ID // of the first message
	sent    int       // messages, from the first on, that were framed for the current child
	offset  uint64    // of the first message's frame in the child's stream
	framed  uint64    // length of the child's stream so far
	crashes int       // children that have crashed on the first message

	answered uint64 // messages that the current child has answered
}

type queued struct {
	data []byte // the gateway's; valid until the message is resolved
	seq  uint64 // for the log
}

// headerSize is the size of a frame's header, the u32be length of the message.
const headerSize = 4

func (m queued) frameSize() uint64 { return headerSize + uint64(len(m.data)) }

func (q *queue) len() int    { return len(q.items) - q.head }
func (q *queue) unsent() int { return q.len() - q.sent }

// at returns the i-th message, from 0.
func (q *queue) at(i int) queued { return q.items[q.head+i] }

// push appends the batch's messages and defers them.
func (q *queue) push(b worker.Batch) {
	n := b.Len()
	for i := range n {
		m := b.At(i)
		q.items = append(q.items, queued{m.Data, m.Seq})
	}
	if first := b.Defer(n); q.first+worker.ID(q.len()-n) != first {
		panic("exec: the IDs of deferred messages are not consecutive")
	}
}

// drop removes the first n messages, which are resolved.
func (q *queue) drop(n int) {
	for i := range min(n, q.sent) {
		q.offset += q.at(i).frameSize()
	}
	clear(q.items[q.head : q.head+n])
	q.head += n
	q.first += worker.ID(n)
	q.answered += uint64(min(n, q.sent))
	q.sent -= min(n, q.sent)
	q.crashes = 0
	// The others move to the front once at least as many were dropped, so that each message
	// moves once at most.
	if q.head >= q.len() {
		left := copy(q.items, q.items[q.head:])
		clear(q.items[q.head:])
		q.items, q.head = q.items[:left], 0
	}
}

// frame appends the frames of unsent messages to dst until it has limit bytes, and counts them as
// sent.
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

// within returns how many of the first n messages are entirely within the first size bytes of the
// child's stream.
func (q *queue) within(n int, size uint64) int {
	end := q.offset
	for i := range min(n, q.sent) {
		if end += q.at(i).frameSize(); end > size {
			return i
		}
	}
	return min(n, q.sent)
}

// restart begins the stream of another child: no message is sent.
func (q *queue) restart() { q.sent, q.offset, q.framed, q.answered = 0, 0, 0, 0 }

// answersDue returns how many bytes the current child may have written: the answers to all messages
// that were framed for it.
func (q *queue) answersDue() uint64 { return answerSize * (q.answered + uint64(q.sent)) }
