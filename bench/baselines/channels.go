package baselines

import (
	"cmp"
	"context"
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// reply is a frame without payload that is to be sent.
type reply struct {
	op  fg1.Op
	seq uint64
}

// Channels copies each message and passes it over a channel to the next worker. The workers pass
// replies over another channel to a writer, which sends all available ones at once.
//
// Copies are in recycled buffers, see queue. Allocating each would cost a fifth of the rate at 64
// bytes and more than half from 1 KiB on. Slices of larger allocations regain half of that at 64
// bytes and little above; a sync.Pool regains little at 64 bytes and nearly all above. The
// remaining cost is that of two channel operations per message.
func Channels(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
	return channels(ctx, addr, "channels", workers, ackEach(work), readChannels)
}

// worker is what a worker does.
type worker struct {
	held int // the most messages that it has received and not finished
	// run receives from the queue until it is closed, and sends the replies. After an error it may
	// leave messages in the queue.
	run func(q *queue, replies chan<- reply) error
}

// ackEach is a worker that acks each message after work.
func ackEach(work func(msg []byte)) worker {
	return worker{held: 1, run: func(q *queue, replies chan<- reply) error {
		for m := range q.messages {
			work(m.data)
			replies <- reply{fg1.Ack, m.seq}
		}
		return nil
	}}
}

// channels runs a client with a channel per worker. read reads messages until BYE and queues them.
func channels(ctx context.Context, addr, name string, workers int, w worker,
	read func(r reader, queues []*queue, replies chan<- reply, res *Result) error) (Result, error) {
	return session(ctx, addr, name, func(c *net.TCPConn, _ uint64, res *Result) error {
		replies, written := make(chan reply, channelDepth), make(chan error, 1)
		go func() { written <- writeReplies(c, replies) }()

		var running sync.WaitGroup
		queues, failed := newQueues(workers, w.held), make(chan error, workers)
		for _, q := range queues {
			running.Go(func() {
				if err := w.run(q, replies); err != nil {
					failed <- err
					c.Close() // ends the reader
					for range q.messages {
					}
				}
			})
		}
		err := read(newReader(c), queues, replies, res)
		for _, q := range queues {
			close(q.messages)
		}
		running.Wait()
		close(replies)
		werr := <-written
		select {
		case err = <-failed: // the cause, if reader and writer failed as well
			return err
		default:
			return cmp.Or(werr, err)
		}
	})
}

func readChannels(r reader, queues []*queue, replies chan<- reply, res *Result) error {
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
			q := queues[turn]
			b := q.buf()
			if *b, err = r.payload(*b, int(h.Payload())); err != nil {
				return err
			}
			q.messages <- message{h.Seq, *b}
			res.Messages++
			res.Bytes += uint64(len(*b))
			if turn++; turn == len(queues) {
				turn = 0
			}
		}
	}
}

// writeReplies sends until replies is closed. After an error it closes c, which ends the reader,
// and keeps receiving, so that no worker blocks.
func writeReplies(c net.Conn, replies <-chan reply) (err error) {
	buf := make([]byte, 0, channelDepth*fg1.HeaderSize)
	for r := range replies {
		buf = fg1.AppendFrame(buf[:0], r.op, 0, fg1.CodeOK, r.seq, nil)
		// Nobody else receives, so the replies in the channel can be received without blocking.
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
