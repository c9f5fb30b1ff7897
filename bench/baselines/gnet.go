package baselines

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"feedgate/gateway/gnetlog"
)

// maxUnsent is how many unsent bytes gnet may hold. gnet itself has no limit, and keeps reading.
const maxUnsent = 256 << 10

// gnetStream is the connection of both gnet clients, between login and BYE. gnet's loop owns it;
// others may read it after the loop has ended.
type gnetStream struct {
	gnet.BuiltinEventEngine

	res   *Result
	split split

	over   bool          // nothing more is read
	ended  chan struct{} // closed when over is set
	closed bool          // gnet has closed its descriptor
	err    error         // the first error
}

func newGnetStream(res *Result) gnetStream {
	return gnetStream{res: res, ended: make(chan struct{})}
}

// serve starts a gnet client with one loop, which calls h for c's connection, runs beside, and
// stops gnet when that returns. gnet gets a duplicate descriptor, and c stays open, because gnet
// cannot close only the sending side.
func (s *gnetStream) serve(c *net.TCPConn, h gnet.EventHandler, beside func(gnet.Conn) error) error {
	client, err := gnet.NewClient(h, gnet.WithReadBufferCap(readSize), gnet.WithLogger(gnetlog.None{}))
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	err = enroll(client, c, beside)
	stopErr := client.Stop()
	return cmp.Or(s.err, err, stopErr)
}

func enroll(client *gnet.Client, c *net.TCPConn, beside func(gnet.Conn) error) error {
	file, err := c.File()
	if err != nil {
		return err
	}
	defer file.Close()
	dup, err := net.FileConn(file)
	if err != nil {
		return err
	}
	g, err := client.Enroll(dup) // which closes dup
	if err != nil {
		return err
	}
	return beside(g)
}

// take passes the received bytes to parse, which returns the rest after the last complete frame.
func (s *gnetStream) take(c gnet.Conn, parse func(gnet.Conn, []byte) (rest []byte, err error)) error {
	b, err := c.Next(-1)
	if err != nil || s.over {
		return err
	}
	whole, b := s.split.join(b)
	if _, err := parse(c, whole); err != nil {
		return err
	}
	b, err = parse(c, b)
	s.split.keep(b)
	return err
}

// end stops reading, because of err or, if that is nil, after BYE.
func (s *gnetStream) end(err error) {
	if !s.over {
		s.over, s.err = true, err
		close(s.ended)
	}
}

// OnClose implements [gnet.EventHandler].
func (s *gnetStream) OnClose(c gnet.Conn, err error) gnet.Action {
	s.closed = true
	if n := c.OutboundBuffered(); n > 0 && s.err == nil {
		s.err = fmt.Errorf("connection lost with %d bytes unsent: %w", n, cmp.Or(err, net.ErrClosed))
	}
	s.end(lost(cmp.Or(err, net.ErrClosed)))
	return gnet.None
}

// flush waits until gnet holds no more than limit unsent bytes. It blocks the loop on purpose:
// otherwise the loop would read more, and have more acks to send. OnClose gets errors.
func (s *gnetStream) flush(c gnet.Conn, limit int) {
	for !s.closed && c.OutboundBuffered() > limit {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.Fd()), Events: unix.POLLOUT}}, -1)
		_ = c.Flush()
	}
}

// flushAll flushes everything that the workers have passed to AsyncWrite before. Any goroutine but
// the loop may call it.
func (s *gnetStream) flushAll(c gnet.Conn) error {
	done := make(chan struct{})
	err := c.EventLoop().Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
		s.flush(c, 0)
		close(done)
		return nil
	}))
	if err == nil {
		<-done
	}
	return err
}
