package baselines

// channelDepth is the capacity of channels of single messages and replies. Four
// times that is no faster, and needs as many times the memory; a quarter is slower.
const channelDepth = 1024

// message is a received message and the bytes that hold it.
type message struct {
	seq  uint64
	data []byte
}

// lane is a channel to one worker, with buffers for the copies of messages that
// pass over it. The receiving side owns it; its worker sees only the channel.
//
// Buffers take turns. There are two more than the channel holds: when it is a
// buffer's turn again, that many messages and one have gone into the channel after
// its last, so the worker has taken one of them, and was done with ours before.
type lane struct {
	queue chan message
	bufs  [channelDepth + 2][]byte
	turn  int
}

// newLanes makes a lane for each of n workers.
func newLanes(n int) []*lane {
	lanes := make([]*lane, n)
	for i := range lanes {
		lanes[i] = &lane{queue: make(chan message, channelDepth)}
	}
	return lanes
}

// buf is an empty buffer for the next message. It is to be called once for each
// that is put into the queue.
func (l *lane) buf() *[]byte {
	b := &l.bufs[l.turn]
	if l.turn++; l.turn == len(l.bufs) {
		l.turn = 0
	}
	*b = (*b)[:0]
	return b
}
