package exec

import (
	"cmp"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// input is this process's end of a child's standard input. It counts the bytes that the pipe has
// accepted, and those that the child has read: only a message that it has read can be answered, or
// be the cause of a crash. One goroutine writes; any goroutine may call the other methods.
//
// Invariant: consumed <= written.
type input struct {
	file *os.File
	conn syscall.RawConn

	mu       sync.Mutex // held during a write, which does not block
	written  uint64     // bytes that the pipe has accepted
	closed   bool
	consumed uint64 // bytes that had been read when it was closed
}

func newInput(file *os.File) (*input, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &input{file: file, conn: conn}, nil
}

// write writes all of b. It blocks while the pipe is full, until close.
func (p *input) write(b []byte) error {
	var fault error
	err := p.conn.Write(func(fd uintptr) (done bool) {
		for len(b) > 0 {
			var n int
			n, fault = p.writeSome(int(fd), b)
			b = b[n:]
			switch fault {
			case nil, unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				return true
			}
		}
		return true
	})
	return cmp.Or(err, fault)
}

// writeSome writes as many bytes as the pipe accepts. It holds the lock, so that a goroutine that
// has read an answer also sees the count with the bytes of its message.
func (p *input) writeSome(fd int, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, os.ErrClosed
	}
	n, err := unix.Write(fd, b)
	n = max(n, 0)
	p.written += uint64(n)
	return n, err
}

// accepted returns the number of bytes that the pipe has accepted.
func (p *input) accepted() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written
}

// read returns the number of bytes that the child has read; after close, the number when it was
// closed.
func (p *input) read() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.readLocked()
}

func (p *input) readLocked() uint64 {
	if p.closed {
		return p.consumed
	}
	return p.written - min(p.written, uint64(unread(p.conn)))
}

// close closes the pipe, which ends a blocked write. Only the first call has an effect.
func (p *input) close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.consumed = p.readLocked()
	p.closed = true
	p.mu.Unlock()
	p.file.Close()
}

// unread returns how many bytes are in a pipe; pipe is either end of it.
func unread(pipe syscall.RawConn) int {
	n := 0
	// An error means that this end is closed. TIOCINQ is FIONREAD.
	_ = pipe.Control(func(fd uintptr) {
		n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	})
	return max(n, 0)
}
