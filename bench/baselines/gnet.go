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

// maxUnsent is how many bytes gnet may hold that the socket did not take. gnet sets
// no bound, and goes on reading.
const maxUnsent = 256 << 10

// gnetStream is a connection between login and BYE as both gnet clients have it.
// gnet's loop owns it; others may look at it once the loop has ended.
type gnetStream struct {
	gnet.BuiltinEventEngine

	res   *Result
	split split

	over   bool          // nothing more is to be read
	ended  chan struct{} // closed then
	closed bool          // gnet has closed its descriptor
	err    error         // the first that there was
}

func newGnetStream(res *Result) gnetStream {
	return gnetStream{res: res, ended: make(chan struct{})}
}

// serve has a gnet client of one loop call h for c's connection, and runs beside
// meanwhile; when that returns, gnet is stopped. gnet gets a descriptor of its own
// and c stays open: gnet cannot close its sending side alone.
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

// take has parse look at what has arrived. parse returns what it leaves behind the
// last whole frame.
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

// end notes that nothing more is to be read, for err or, if that is nil, because
// BYE was.
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

// settle waits until gnet holds no more than limit bytes. There is nothing else
// for the loop to do: if it went on, it would read more and owe more. What goes
// wrong is told by OnClose.
func (s *gnetStream) settle(c gnet.Conn, limit int) {
	for !s.closed && c.OutboundBuffered() > limit {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.Fd()), Events: unix.POLLOUT}}, -1)
		_ = c.Flush()
	}
}

// settled is settle for other goroutines, after all that they have asked gnet to
// write before.
func (s *gnetStream) settled(c gnet.Conn) error {
	done := make(chan struct{})
	err := c.EventLoop().Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
		s.settle(c, 0)
		close(done)
		return nil
	}))
	if err == nil {
		<-done
	}
	return err
}
