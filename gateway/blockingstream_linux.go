package gateway

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// pollSlice is how often a blocking call looks whether its context has ended.
const pollSlice = 50 * time.Millisecond

// blockingStream reads and writes a transport with calls that block, until a time or the end of a
// context. One goroutine uses it.
type blockingStream struct {
	ctx   context.Context
	sock  transport
	until time.Time
}

// Read implements [io.Reader].
func (s *blockingStream) Read(b []byte) (int, error) {
	for {
		n, err := s.sock.recv(b)
		switch {
		case err != nil && wouldBlock(err):
			if err := s.await(unix.POLLIN); err != nil {
				return 0, err
			}
		case err == nil && n == 0:
			return 0, io.EOF
		default:
			return n, err
		}
	}
}

// Write implements [io.Writer].
func (s *blockingStream) Write(b []byte) (int, error) {
	sent := 0
	for sent < len(b) {
		n, err := s.sock.send([][]byte{b[sent:]})
		sent += n
		if err != nil && !wouldBlock(err) {
			return sent, err
		}
		if err != nil || n == 0 {
			if err := s.await(unix.POLLOUT); err != nil {
				return sent, err
			}
		}
	}
	return sent, nil
}

// await waits until the socket may be read or written.
func (s *blockingStream) await(events int16) error {
	fds := []unix.PollFd{{Fd: int32(s.sock.(interface{ descriptor() int }).descriptor()), Events: events}}
	for {
		left := time.Until(s.until)
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case left <= 0:
			return errNoAnswer
		}
		n, err := unix.Poll(fds, int(min(left, pollSlice)/time.Millisecond)+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		if n > 0 {
			return nil
		}
	}
}
