package ws

import (
	"io"

	"feedgate/bench/baselines"
)

const (
	// depth is the capacity of channels, as in package baselines.
	depth = 1024
	// copyLimit is the longest message, in bytes, whose buffer is of its lane. Up to
	// 4 KiB that takes a tenth to a fifth less processor time than the library's own
	// buffer or one of a sync.Pool, which come back from another processor; at 16 KiB
	// it takes as much or more, at 64 KiB up to twice as much.
	copyLimit = 8 << 10
)

// message is a received message.
type message struct {
	n     uint64 // its number, from 1
	data  []byte
	owner io.Closer // takes data back; nil: it is its lane's
}

// lane is a channel to one worker, with buffers for the messages that are copied.
// The receiving side owns it; its worker sees only the channel.
//
// Buffers take turns. There are two more than the channel holds: when it is a
// buffer's turn again, that many messages and one, or more, have gone into the
// channel after its last, so the worker has taken one of them, and was done with
// ours before.
type lane struct {
	queue chan message
	bufs  [depth + 2][]byte
	turn  int
}

// intake gives messages to the lanes in turn. The reader owns it.
type intake struct {
	lanes []*lane
	turn  int
	res   baselines.Result
}

func newIntake(workers int) *intake {
	in := &intake{lanes: make([]*lane, workers)}
	for i := range in.lanes {
		in.lanes[i] = &lane{queue: make(chan message, depth)}
	}
	return in
}

// buf is an empty buffer for the next message, which is to be put before another is
// asked for.
func (in *intake) buf() *[]byte {
	l := in.lanes[in.turn]
	b := &l.bufs[l.turn]
	if l.turn++; l.turn == len(l.bufs) {
		l.turn = 0
	}
	*b = (*b)[:0]
	return b
}

// put gives a message to the next lane. owner is told when the worker is done with
// data; it is nil when data is in what buf returned.
func (in *intake) put(data []byte, owner io.Closer) {
	in.res.Messages++
	in.res.Bytes += uint64(len(data))
	in.lanes[in.turn].queue <- message{in.res.Messages, data, owner}
	if in.turn++; in.turn == len(in.lanes) {
		in.turn = 0
	}
}

func (in *intake) close() {
	for _, l := range in.lanes {
		close(l.queue)
	}
}
