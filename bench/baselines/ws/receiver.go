package ws

import (
	"io"

	"feedgate/bench/baselines"
)

const (
	// depth is the capacity of channels, as in package baselines.
	depth = 1024
	// copyLimit is the maximum length, in bytes, of a message in a buffer of its queue. Up to 4 KiB
	// that takes a tenth to a fifth less CPU time than the library's own buffer, or one of a
	// sync.Pool, which were last used by another CPU. At 16 KiB it takes as much or more, at 64 KiB
	// up to twice as much.
	copyLimit = 8 << 10
)

// message is a received message.
type message struct {
	n     uint64 // its number, from 1
	data  []byte
	owner io.Closer // recycles data; nil: data is in a buffer of the queue
}

// queue is a channel to one worker, with buffers for copied messages. The reader owns it; the worker
// uses only the channel.
//
// Buffers are used in turn, and there are two more than the channel's capacity. When a buffer is
// reused, at least capacity + 1 messages have been sent after its last one, so the worker has
// received one of those, and so has finished with this buffer.
type queue struct {
	messages chan message
	bufs     [depth + 2][]byte
	turn     int
}

// receiver distributes messages to the queues in turn. The reader owns it.
type receiver struct {
	queues []*queue
	turn   int
	res    baselines.Result
}

func newReceiver(workers int) *receiver {
	in := &receiver{queues: make([]*queue, workers)}
	for i := range in.queues {
		in.queues[i] = &queue{messages: make(chan message, depth)}
	}
	return in
}

// buf returns an empty buffer for the next message. put must be called before the next call.
func (in *receiver) buf() *[]byte {
	q := in.queues[in.turn]
	b := &q.bufs[q.turn]
	if q.turn++; q.turn == len(q.bufs) {
		q.turn = 0
	}
	*b = (*b)[:0]
	return b
}

// put sends a message to the next queue. owner is closed when the worker has finished with data; it
// is nil if data is in the buffer returned by buf.
func (in *receiver) put(data []byte, owner io.Closer) {
	in.res.Messages++
	in.res.Bytes += uint64(len(data))
	in.queues[in.turn].messages <- message{in.res.Messages, data, owner}
	if in.turn++; in.turn == len(in.queues) {
		in.turn = 0
	}
}

func (in *receiver) close() {
	for _, q := range in.queues {
		close(q.messages)
	}
}
