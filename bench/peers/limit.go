package peers

import (
	"context"
	"io"
	"net"

	"feedgate/gateway/wire/fg1"
)

// Limit receives in bulk into one buffer without looking at messages, works on
// none, and sends as many bytes as their acks would be: no client can do less.
// It takes the length of all messages from the first, and its acks name none of
// them, so it needs a server that sends messages of one size and nothing else,
// and that counts acks by their bytes, as [Server] does.
func Limit(ctx context.Context, addr string, _ int, _ func(msg []byte)) (Result, error) {
	return session(ctx, addr, "limit", func(c *net.TCPConn, res *Result) error {
		// The last header-sized bytes received stand in front of buf: with every
		// message of one size, that is where BYE is found.
		buf := make([]byte, fg1.HeaderSize+readSize)
		acks := make([]byte, 0, readSize+fg1.HeaderSize)
		for len(acks) < cap(acks) {
			acks = fg1.AppendFrame(acks, fg1.Ack, 0, fg1.CodeOK, 0, nil)
		}
		frame, total, least := 0, 0, fg1.HeaderSize
		for {
			n, err := io.ReadAtLeast(c, buf[fg1.HeaderSize:], least)
			if err != nil {
				return lost(err)
			}
			if frame == 0 {
				frame = fg1.HeaderSize + int(fg1.ParseHeader(buf[fg1.HeaderSize:]).Payload())
				least = 1
			}
			total += n
			last := fg1.ParseHeader(buf[n : n+fg1.HeaderSize])
			bye := (total-fg1.HeaderSize)%frame == 0 && last.Op == fg1.Bye
			whole := total / frame
			if bye {
				whole = (total - fg1.HeaderSize) / frame
			}
			owed := whole - int(res.Messages)
			if _, err := c.Write(acks[:owed*fg1.HeaderSize]); err != nil {
				return err
			}
			res.Messages = uint64(whole)
			if bye {
				res.Bytes = res.Messages * uint64(frame-fg1.HeaderSize)
				return byeError(last)
			}
			copy(buf, buf[n:n+fg1.HeaderSize])
		}
	})
}
