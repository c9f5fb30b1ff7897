package baselines

import (
	"context"
	"net"
	"time"

	"feedgate/gateway/wire/fg1"
)

// Inline does everything on one goroutine and ignores workers: it reads what is available, writes
// the acks over the processed messages, and sends them at once.
func Inline(ctx context.Context, addr string, _ int, work func(msg []byte)) (Result, error) {
	return runInline(ctx, addr, "inline", work, fault{})
}

// fault is the difference of a control from Inline, whose fault is zero.
type fault struct {
	slow bool                  // takes a quarter longer for each read
	edit func(b []byte) []byte // edits the replies to a read; nil: unchanged
}

func runInline(ctx context.Context, addr, name string, work func([]byte), f fault) (Result, error) {
	return session(ctx, addr, name, func(c *net.TCPConn, _ uint64, res *Result) error {
		in := inline{work: work, buf: make([]byte, readSize)}
		for !in.bye {
			n, err := c.Read(in.buf[in.have:])
			if err != nil {
				return lost(err)
			}
			begun := time.Now()
			in.have += n
			if err := in.parse(res); err != nil {
				return err
			}
			replies := in.buf[:in.unsent:in.unsent]
			if f.edit != nil {
				replies = f.edit(replies)
			}
			if len(replies) > 0 {
				if _, err := c.Write(replies); err != nil {
					return err
				}
			}
			in.shift()
			if f.slow {
				burn(time.Since(begun) / 4)
			}
		}
		return nil
	})
}

// inline has a buffer of, in this order: replies to send, processed bytes, and bytes to parse.
//
//	0 <= unsent <= at <= have <= len(buf)
//
// unsent cannot overtake at, because no frame is shorter than the reply to it.
type inline struct {
	work             func([]byte)
	buf              []byte
	unsent, at, have int
	bye              bool
}

func (in *inline) parse(res *Result) error {
	for !in.bye {
		b := in.buf[in.at:in.have]
		if seq, n := dataFrame(b); n > 0 {
			in.at += n
			in.work(b[fg1.HeaderSize:n:n])
			res.Messages++
			res.Bytes += uint64(n - fg1.HeaderSize)
			in.reply(fg1.Ack, seq)
			continue
		}
		h, n, err := otherFrame(b)
		if n == 0 {
			return err
		}
		in.at += n
		switch h.Op {
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
	fg1.PutHeader(in.buf[in.unsent:], op, 0, fg1.CodeOK, seq, 0)
	in.unsent += fg1.HeaderSize
}

// shift moves the bytes to parse to the front. It enlarges the buffer if a message does not fit.
func (in *inline) shift() {
	to := in.buf
	if in.at == 0 && in.have == len(to) {
		to = make([]byte, fg1.HeaderSize+maxMessage)
	}
	in.have = copy(to, in.buf[in.at:in.have])
	in.buf, in.unsent, in.at = to, 0, 0
}
