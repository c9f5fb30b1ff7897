package baselines

import (
	"context"
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"

	"feedgate/gateway/wire/fg1"
)

// GnetAsync is a gnet client like gnet's examples: the loop copies each message and passes it over
// a channel to the next worker, and the workers call AsyncWrite for each ack.
//
// A full channel blocks the loop, which then reads no more. AsyncWrite does not block, so the
// workers continue. Its queue is bounded nevertheless: the loop empties it after each call of
// OnTraffic, so it has at most as many acks as one read, the channels and the workers have
// messages.
//
// gnet's write(2) per ack takes four fifths of its time. With combined acks it would be Channels.
// gnet closes at the end of the stream, so the server must not close its sending side before it has
// its acks.
func GnetAsync(ctx context.Context, addr string, workers int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "gnet-async", func(c *net.TCPConn, _ uint64, res *Result) error {
		g := &gnetAsync{gnetStream: newGnetStream(res), queues: newQueues(workers, 1)}
		return g.serve(c, g, func(gc gnet.Conn) error {
			var running sync.WaitGroup
			for _, q := range g.queues {
				running.Go(func() { g.worker(gc, q.messages, work) })
			}
			<-g.ended
			for _, q := range g.queues {
				close(q.messages)
			}
			running.Wait()
			return g.flushAll(gc)
		})
	})
}

type gnetAsync struct {
	gnetStream
	queues []*queue
	turn   int
}

// OnTraffic implements [gnet.EventHandler].
func (g *gnetAsync) OnTraffic(c gnet.Conn) gnet.Action {
	g.flush(c, maxUnsent)
	if err := g.take(c, g.parse); err != nil {
		g.end(err)
		return gnet.Close
	}
	return gnet.None
}

// parse returns the rest of b after the last complete frame.
func (g *gnetAsync) parse(c gnet.Conn, b []byte) (rest []byte, err error) {
	for !g.over {
		if seq, n := dataFrame(b); n > 0 {
			g.pass(seq, b[fg1.HeaderSize:n])
			g.res.Messages++
			g.res.Bytes += uint64(n - fg1.HeaderSize)
			b = b[n:]
			continue
		}
		h, n, err := otherFrame(b)
		if n == 0 {
			return b, err
		}
		switch h.Op {
		case fg1.Ping:
			_, _ = c.Write(fg1.AppendFrame(nil, fg1.Pong, 0, fg1.CodeOK, h.Seq, nil)) // OnClose gets the error
		case fg1.Bye:
			err := byeError(h)
			g.end(err)
			return nil, err
		}
		b = b[n:]
	}
	return nil, nil
}

// pass passes a copy of a message to the next worker.
func (g *gnetAsync) pass(seq uint64, msg []byte) {
	q := g.queues[g.turn]
	if g.turn++; g.turn == len(g.queues) {
		g.turn = 0
	}
	b := q.buf()
	*b = append(*b, msg...)
	q.messages <- message{seq, *b}
}

// worker allocates its acks in blocks, which the garbage collector frees after gnet has written the
// last ack of each.
func (g *gnetAsync) worker(c gnet.Conn, messages <-chan message, work func([]byte)) {
	var block []byte
	written := g.written
	for m := range messages {
		work(m.data)
		if len(block) == 0 {
			block = make([]byte, channelDepth*fg1.HeaderSize)
		}
		ack := block[:fg1.HeaderSize]
		block = block[fg1.HeaderSize:]
		fg1.PutHeader(ack, fg1.Ack, 0, fg1.CodeOK, m.seq, 0)
		if err := c.AsyncWrite(ack, written); err != nil {
			panic("baselines: gnet's loop ended before the workers: " + err.Error())
		}
	}
}

// written is called on the loop after an ack was written or queued, or after an error.
func (g *gnetAsync) written(_ gnet.Conn, err error) error {
	if err != nil && g.err == nil {
		g.err = err
	}
	return nil
}
