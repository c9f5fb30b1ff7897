package peers

import (
	"fmt"
	"net"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire/fg1"
)

// exchange is the server's one loop over a connection: it sends as much as the
// socket takes, reads as many acks as there are, and waits for either in one
// poll(2). Two goroutines, one for each way, cost twice as much, and what the
// server takes no client has.
type exchange struct {
	s    *Server
	fd   int
	acks counter
	sent atomic.Uint64 // stored to before messages go out

	block []byte // frames of which only the numbers change
	rest  []byte // of the block, not yet taken by the kernel
	next  uint64
	bye   bool // BYE is in rest, or gone

	replies []byte // PONGs, to go out between two blocks
}

// run sends all messages and BYE, and returns when as many acks have come.
func (x *exchange) run() error {
	x.fill()
	in := make([]byte, readSize)
	for x.acks.count() < x.s.Messages || len(x.rest) > 0 {
		fds := []unix.PollFd{{Fd: int32(x.fd), Events: unix.POLLIN}}
		if len(x.rest) > 0 {
			fds[0].Events |= unix.POLLOUT
		}
		n, err := unix.Poll(fds, int(closeTimeout.Milliseconds()))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("poll: %w", err)
		case n == 0:
			return fmt.Errorf("nothing moved for %v: %d of %d acks", closeTimeout, x.acks.count(), x.s.Messages)
		}
		if fds[0].Revents&(unix.POLLIN|unix.POLLERR|unix.POLLHUP) != 0 {
			if err := x.receive(in); err != nil {
				return err
			}
		}
		if fds[0].Revents&unix.POLLOUT != 0 {
			if err := x.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Write takes a reply to the client; it goes out between two blocks.
func (x *exchange) Write(b []byte) (int, error) {
	x.replies = append(x.replies, b...)
	return len(b), nil
}

// fill makes what is to be sent next: replies, or the block with its numbers
// patched, or BYE.
func (x *exchange) fill() {
	if len(x.replies) > 0 {
		x.rest, x.replies = x.replies, nil
		return
	}
	frame := fg1.HeaderSize + x.s.Size
	if x.block == nil {
		payload := make([]byte, x.s.Size)
		for i := range payload {
			payload[i] = byte(i)
		}
		for range max(1, sendSize/frame) {
			x.block = fg1.AppendFrame(x.block, fg1.Data, 0, 0, 0, payload)
		}
		x.next = 1
	}
	n := int(min(uint64(len(x.block)/frame), x.s.Messages-x.next+1))
	for at := 0; at < n*frame; at += frame {
		fg1.PutHeader(x.block[at:], fg1.Data, 0, 0, x.next, x.s.Size)
		x.next++
	}
	x.sent.Store(x.next - 1)
	x.rest = x.block[:n*frame]
	if n == 0 && !x.bye {
		x.bye = true
		x.rest = fg1.AppendFrame(nil, fg1.Bye, 0, fg1.CodeOK, 0, nil)
	}
}

func (x *exchange) send() error {
	for len(x.rest) > 0 {
		n, err := unix.SendmsgN(x.fd, x.rest, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN || err == unix.EINTR {
			return nil
		}
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if x.rest = x.rest[n:]; len(x.rest) == 0 {
			x.fill()
		}
	}
	return nil
}

func (x *exchange) receive(in []byte) error {
	n, _, err := unix.Recvfrom(x.fd, in, unix.MSG_DONTWAIT)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return fmt.Errorf("receive: %d of %d acks: %w", x.acks.count(), x.s.Messages, err)
	case n == 0:
		return fmt.Errorf("receive: the client closed after %d of %d acks", x.acks.count(), x.s.Messages)
	}
	return x.acks.take(in[:n])
}

// takeDescriptor duplicates c's descriptor and closes c, so that the runtime's
// poller hears nothing of the socket.
func takeDescriptor(c *net.TCPConn) (int, error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return -1, err
	}
	return fd, dupErr
}
