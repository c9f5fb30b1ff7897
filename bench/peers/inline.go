package peers

import (
	"context"
	"net"

	"feedgate/gateway/wire/fg1"
)

// Inline does everything on one goroutine, whatever workers says: it reads what
// there is, writes the acks over the messages that it has worked on, and sends
// them in one piece.
func Inline(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return session(ctx, addr, "inline", func(c *net.TCPConn, res *Result) error {
		in := inline{work: work, buf: make([]byte, readSize)}
		for !in.bye {
			n, err := c.Read(in.buf[in.have:])
			if err != nil {
				return lost(err)
			}
			in.have += n
			if err := in.parse(res); err != nil {
				return err
			}
			if _, err := c.Write(in.buf[:in.owed]); err != nil {
				return err
			}
			in.shift()
		}
		return nil
	})
}

// inline's buffer is, from the front: replies, bytes that are used up, and what
// was not parsed.
//
//	0 <= owed <= at <= have <= len(buf)
//
// owed cannot overtake at: a frame is no shorter than the reply to it.
type inline struct {
	work           func([]byte)
	buf            []byte
	owed, at, have int
	bye            bool
}

func (in *inline) parse(res *Result) error {
	for in.have-in.at >= fg1.HeaderSize && !in.bye {
		h := fg1.ParseHeader(in.buf[in.at:in.have])
		if !taken(h) {
			return refused(h)
		}
		body, end := in.at+fg1.HeaderSize, in.at+fg1.HeaderSize+int(h.Payload())
		if end > in.have {
			return nil
		}
		in.at = end
		switch h.Op {
		case fg1.Data:
			in.work(in.buf[body:end:end])
			res.Messages++
			res.Bytes += uint64(end - body)
			in.reply(fg1.Ack, h.Seq)
		case fg1.Ping:
			in.reply(fg1.Pong, h.Seq)
		case fg1.Bye:
			in.bye = true
			return byeError(h)
		}
	}
	return nil
}

func (in *inline) reply(op fg1.Op, seq uint64) {
	fg1.PutHeader(in.buf[in.owed:], op, 0, fg1.CodeOK, seq, 0)
	in.owed += fg1.HeaderSize
}

// shift moves what was not parsed to the front, and makes room when that is the
// beginning of a message that the buffer cannot hold.
func (in *inline) shift() {
	to := in.buf
	if in.at == 0 && in.have == len(to) {
		to = make([]byte, fg1.HeaderSize+maxMessage)
	}
	in.have = copy(to, in.buf[in.at:in.have])
	in.buf, in.owed, in.at = to, 0, 0
}
