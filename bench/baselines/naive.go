package baselines

import (
	"context"
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// Naive copies each message and passes it over one channel to the next free worker, which writes
// the ack to the connection: the first version that one writes. One write per ack takes 95% of its
// time, so nothing else matters: with a channel of 16 times the capacity it is as fast.
func Naive(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "naive", func(c *net.TCPConn, _ uint64, res *Result) error {
		queue, failed := make(chan message, channelDepth), make(chan error, workers)
		var running sync.WaitGroup
		for range workers {
			running.Go(func() {
				if err := naiveWorker(c, queue, work); err != nil {
					failed <- err
				}
			})
		}
		err := readNaive(c, queue, res)
		close(queue)
		running.Wait()
		select {
		case err = <-failed: // the cause, if the reader failed as well
		default:
		}
		return err
	})
}

func readNaive(c net.Conn, queue chan<- message, res *Result) error {
	r, pong := newReader(c), make([]byte, fg1.HeaderSize)
	for {
		h, err := r.next()
		if err != nil {
			return err
		}
		switch h.Op {
		case fg1.Ping:
			fg1.PutHeader(pong, fg1.Pong, 0, fg1.CodeOK, h.Seq, 0)
			if _, err := c.Write(pong); err != nil {
				return err
			}
		case fg1.Bye:
			return byeError(h)
		default:
			data, err := r.payload(nil, int(h.Payload()))
			if err != nil {
				return err
			}
			queue <- message{h.Seq, data}
			res.Messages++
			res.Bytes += uint64(len(data))
		}
	}
}

// naiveWorker relies on concurrent writes to a net.Conn being atomic. After an error it closes c,
// which ends the reader, and keeps receiving, so that the reader does not block.
func naiveWorker(c net.Conn, queue <-chan message, work func([]byte)) (err error) {
	ack := make([]byte, fg1.HeaderSize)
	for m := range queue {
		work(m.data)
		fg1.PutHeader(ack, fg1.Ack, 0, fg1.CodeOK, m.seq, 0)
		if err == nil {
			if _, err = c.Write(ack); err != nil {
				c.Close()
			}
		}
	}
	return err
}
