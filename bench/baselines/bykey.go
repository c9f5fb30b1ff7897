package baselines

import (
	"context"
	"hash/maphash"

	"feedgate/gateway/wire/fg1"
)

// ChannelsByKey is Channels, except that messages with the same key go to the same worker, which
// processes them in order. keyOf returns the key of a message.
func ChannelsByKey(keyOf func(msg []byte) []byte) Func {
	return func(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
		return channels(ctx, addr, "channels by key", workers, ackEach(work),
			func(r reader, queues []*queue, replies chan<- reply, res *Result) error {
				return readByKey(r, queues, keyOf, replies, res)
			})
	}
}

func readByKey(r reader, queues []*queue, keyOf func([]byte) []byte, replies chan<- reply, res *Result) error {
	seed := maphash.MakeSeed()
	var data []byte
	for {
		h, err := r.next()
		if err != nil {
			return err
		}
		switch h.Op {
		case fg1.Ping:
			replies <- reply{fg1.Pong, h.Seq}
		case fg1.Bye:
			return byeError(h)
		default:
			if data, err = r.payload(data[:0], int(h.Payload())); err != nil {
				return err
			}
			q := queues[maphash.Bytes(seed, keyOf(data))%uint64(len(queues))]
			b := q.buf()
			*b = append(*b, data...)
			q.messages <- message{h.Seq, *b}
			res.Messages++
			res.Bytes += uint64(len(*b))
		}
	}
}
