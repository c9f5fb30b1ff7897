package baselines

import (
	"context"
	"encoding/binary"
	"io"
	"net"

	"feedgate/gateway/wire/fg1"
)

// Limit receives in bulk into one buffer without looking at messages, works on
// none, and sends their acks from another, in which only numbers change, 8 bytes an
// ack: no client can do less.
//
// It takes the length of all messages from the first, and their numbers from
// WELCOME on. So it needs a feed that sends messages of one length, numbered
// without a gap, and between the first of them and BYE nothing else: no PING,
// which means a heartbeat that is longer than the run.
func Limit(ctx context.Context, addr string, _ int, _ func(msg []byte)) (Result, error) {
	return session(ctx, addr, "limit", func(c *net.TCPConn, first uint64, res *Result) error {
		return receiveAll(c, first, res)
	})
}

func receiveAll(c net.Conn, first uint64, res *Result) error {
	// The last header-sized bytes received stand in front of buf: with every
	// message of one length, that is where BYE is found.
	buf := make([]byte, fg1.HeaderSize+readSize)
	acks := newAckBlock(readSize/fg1.HeaderSize + 1)
	frame, total, least := 0, 0, fg1.HeaderSize
	for {
		n, err := io.ReadAtLeast(c, buf[fg1.HeaderSize:], least)
		if err != nil {
			return lost(err)
		}
		if frame == 0 {
			h := fg1.ParseHeader(buf[fg1.HeaderSize:])
			if !taken(h) || h.Op == fg1.Ping || h.Op == fg1.Pong {
				return refused(h)
			}
			frame, least = fg1.HeaderSize+int(h.Payload()), 1
		}
		total += n
		last := fg1.ParseHeader(buf[n : n+fg1.HeaderSize])
		bye := (total-fg1.HeaderSize)%frame == 0 && last.Op == fg1.Bye
		whole := total / frame
		if bye {
			whole = (total - fg1.HeaderSize) / frame
		}
		if owed := whole - int(res.Messages); owed > 0 {
			if _, err := c.Write(acks.number(first+res.Messages, owed)); err != nil {
				return err
			}
		}
		res.Messages = uint64(whole)
		res.Bytes = res.Messages * uint64(frame-fg1.HeaderSize)
		if bye {
			return byeError(last)
		}
		copy(buf, buf[n:n+fg1.HeaderSize])
	}
}

// ackBlock is acks of which only the numbers are open.
type ackBlock []byte

func newAckBlock(n int) ackBlock {
	b := make(ackBlock, 0, n*fg1.HeaderSize)
	for range n {
		b = fg1.AppendFrame(b, fg1.Ack, 0, fg1.CodeOK, 0, nil)
	}
	return b
}

// number returns n acks from number seq on, valid until the next call.
func (b ackBlock) number(seq uint64, n int) []byte {
	b = b[:n*fg1.HeaderSize]
	for rest := b; len(rest) >= fg1.HeaderSize; rest = rest[fg1.HeaderSize:] {
		binary.BigEndian.PutUint64(rest[8:], seq)
		seq++
	}
	return b
}
