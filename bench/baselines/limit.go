package baselines

import (
	"context"
	"encoding/binary"
	"io"
	"net"

	"feedgate/gateway/wire/fg1"
)

// Limit receives in bulk into one buffer, neither parses nor processes messages, and sends their
// acks from another buffer, in which it changes only the 8 bytes of the number per ack. No client
// can do less.
//
// It takes the length of all messages from the first one, and numbers them from WELCOME's number.
// So the feed must send messages of one length, numbered without gaps, and nothing else between the
// first one and BYE: no PING, so its heartbeat interval must be longer than the run.
func Limit(ctx context.Context, addr string, _ int, _ func(msg []byte)) (Result, error) {
	return session(ctx, addr, "limit", func(c *net.TCPConn, first uint64, res *Result) error {
		return receiveAll(c, first, res)
	})
}

func receiveAll(c net.Conn, first uint64, res *Result) error {
	// The beginning of buf keeps the last header-sized bytes received. All messages have one
	// length, so BYE is found there.
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
			if !accepted(h) || h.Op == fg1.Ping || h.Op == fg1.Pong {
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
		if unacked := whole - int(res.Messages); unacked > 0 {
			if _, err := c.Write(acks.number(first+res.Messages, unacked)); err != nil {
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

// ackBlock is a sequence of acks, except for their numbers.
type ackBlock []byte

func newAckBlock(n int) ackBlock {
	b := make(ackBlock, 0, n*fg1.HeaderSize)
	for range n {
		b = fg1.AppendFrame(b, fg1.Ack, 0, fg1.CodeOK, 0, nil)
	}
	return b
}

// number returns n acks, numbered from seq. They are valid until the next call.
func (b ackBlock) number(seq uint64, n int) []byte {
	b = b[:n*fg1.HeaderSize]
	for rest := b; len(rest) >= fg1.HeaderSize; rest = rest[fg1.HeaderSize:] {
		binary.BigEndian.PutUint64(rest[8:], seq)
		seq++
	}
	return b
}
