package baselines

import (
	"context"
	"net"
	"sync"

	"feedgate/gateway/wire/fg1"
)

// Naive copies each message and passes it over one channel to whichever worker is
// free, which writes the ack to the connection itself: the first thing that one
// writes. The Write an ack is nineteen twentieths of its time, so that nothing else
// in it matters: with 16 times the channel it is as fast.
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
		case err = <-failed: // what ended the reader, if it failed as well
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

// naiveWorker relies on net.Conn's writes being whole and safe side by side.
// After an error it closes c and goes on receiving, so that the reader ends.
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
