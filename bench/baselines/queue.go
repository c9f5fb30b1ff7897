package baselines

// channelDepth is the capacity of channels of messages and replies. Four times that is no faster
// and needs four times the memory; a quarter is slower.
const channelDepth = 1024

// message is a received message and the bytes that hold it.
type message struct {
	seq  uint64
	data []byte
}

// queue is a channel to one worker, with buffers for the copies of its messages. The reader owns it;
// the worker uses only the channel.
//
// Buffers are used in turn. There are as many as the channel's capacity, and one more than the worker
// holds. When a buffer is reused, capacity + held messages have been sent after its last one. At least
// held of those have been received, so the worker has finished with this buffer.
type queue struct {
	messages chan message
	bufs     [][]byte
	turn     int
}

// newQueues makes a queue for each of n workers that hold up to so many messages each.
func newQueues(n, held int) []*queue {
	queues := make([]*queue, n)
	for i := range queues {
		queues[i] = &queue{messages: make(chan message, channelDepth), bufs: make([][]byte, channelDepth+held+1)}
	}
	return queues
}

// buf returns an empty buffer for the next message. It must be called once for each message put
// into messages.
func (q *queue) buf() *[]byte {
	b := &q.bufs[q.turn]
	if q.turn++; q.turn == len(q.bufs) {
		q.turn = 0
	}
	*b = (*b)[:0]
	return b
}
