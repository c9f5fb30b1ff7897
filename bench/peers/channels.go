package peers

import (
	"context"
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// channelDepth is the capacity of channels of single messages and replies.
const channelDepth = 4096

// message is a copy of its own of a received message.
type message struct {
	seq  uint64
	data []byte
}

// reply is a frame without payload that the client owes.
type reply struct {
	op  fg1.Op
	seq uint64
}

// Channels copies each message and passes it over a channel to one of the workers
// in turn; they pass replies over another to a writer, which sends all that lie
// ready at once.
func Channels(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "channels", func(c *net.TCPConn, res *Result) error {
		replies, written := make(chan reply, channelDepth), make(chan error, 1)
		go func() { written <- writeReplies(c, replies) }()

		var running sync.WaitGroup
		queues := make([]chan message, workers)
		for i := range queues {
			queues[i] = make(chan message, channelDepth)
			running.Go(func() {
				for m := range queues[i] {
					work(m.data)
					replies <- reply{fg1.Ack, m.seq}
				}
			})
		}
		err := readChannels(newReader(c), queues, replies, res)
		for _, q := range queues {
			close(q)
		}
		running.Wait()
		close(replies)
		if werr := <-written; werr != nil {
			return werr
		}
		return err
	})
}

func readChannels(r reader, queues []chan message, replies chan<- reply, res *Result) error {
	for turn := 0; ; {
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
			data, err := r.payload(nil, int(h.Payload()))
			if err != nil {
				return err
			}
			queues[turn] <- message{h.Seq, data}
			res.Messages++
			res.Bytes += uint64(len(data))
			if turn++; turn == len(queues) {
				turn = 0
			}
		}
	}
}

// writeReplies sends until replies is closed. After an error it closes c, which
// ends the reader, and goes on receiving, so that no worker blocks.
func writeReplies(c net.Conn, replies <-chan reply) (err error) {
	buf := make([]byte, 0, channelDepth*fg1.HeaderSize)
	for r := range replies {
		buf = fg1.AppendFrame(buf[:0], r.op, 0, fg1.CodeOK, r.seq, nil)
		// Nobody else receives, so what lies ready now can be had without waiting.
		for range min(len(replies), channelDepth-1) {
			r := <-replies
			buf = fg1.AppendFrame(buf, r.op, 0, fg1.CodeOK, r.seq, nil)
		}
		if err == nil {
			if _, err = c.Write(buf); err != nil {
				c.Close()
			}
		}
	}
	return err
}
