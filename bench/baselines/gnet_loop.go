package baselines

import (
	"context"
	"net"

	"github.com/panjf2000/gnet/v2"

	"feedgate/gateway/wire/fg1"
)

// GnetLoop is a gnet client that does everything on its loop and ignores workers: it processes
// messages in gnet's read buffer, combines the acks of all messages of a call, and writes them at
// once. Edge-triggered polling, or a loop locked to its thread, make no difference.
func GnetLoop(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "gnet-loop", func(c *net.TCPConn, _ uint64, res *Result) error {
		g := &gnetLoop{
			gnetStream: newGnetStream(res), work: work,
			// For each frame that a read can have, and one that began before.
			replies: make([]byte, readSize+fg1.HeaderSize),
		}
		return g.serve(c, g, func(gnet.Conn) error {
			<-g.ended
			return nil
		})
	})
}

type gnetLoop struct {
	gnetStream
	work    func([]byte)
	replies []byte
	unsent  int // bytes of replies to send
	bye     bool
}

// OnTraffic implements [gnet.EventHandler].
func (g *gnetLoop) OnTraffic(c gnet.Conn) gnet.Action {
	err := g.take(c, g.parse)
	if g.unsent > 0 {
		_, _ = c.Write(g.replies[:g.unsent]) // OnClose gets the error
		g.unsent = 0
	}
	if g.bye || err != nil {
		g.flush(c, 0)
		g.end(err)
		return gnet.Close
	}
	g.flush(c, maxUnsent)
	return gnet.None
}

// parse returns the rest of b after the last complete frame.
func (g *gnetLoop) parse(_ gnet.Conn, b []byte) (rest []byte, err error) {
	for !g.bye {
		if seq, n := dataFrame(b); n > 0 {
			g.work(b[fg1.HeaderSize:n:n])
			g.res.Messages++
			g.res.Bytes += uint64(n - fg1.HeaderSize)
			g.reply(fg1.Ack, seq)
			b = b[n:]
			continue
		}
		h, n, err := otherFrame(b)
		if n == 0 {
			return b, err
		}
		switch h.Op {
		case fg1.Ping:
			g.reply(fg1.Pong, h.Seq)
		case fg1.Bye:
			g.bye = true
			return nil, byeError(h)
		}
		b = b[n:]
	}
	return nil, nil
}

func (g *gnetLoop) reply(op fg1.Op, seq uint64) {
	fg1.PutHeader(g.replies[g.unsent:], op, 0, fg1.CodeOK, seq, 0)
	g.unsent += fg1.HeaderSize
}
