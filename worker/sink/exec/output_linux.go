package exec

import (
	"cmp"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// output is this process's end of a child's standard output. It counts the bytes that the child has
// written, read or not: before the child gets another message, the count shows whether it has
// written more than answers. One goroutine reads; any goroutine may call the other methods.
type output struct {
	*os.File
	conn syscall.RawConn

	mu   sync.Mutex // held during a read, which does not block
	seen uint64     // bytes read
}

func newOutput(file *os.File) (*output, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &output{File: file, conn: conn}, nil
}

// Read implements [io.Reader]. It blocks until the read deadline.
func (p *output) Read(b []byte) (n int, err error) {
	var fault error
	err = p.conn.Read(func(fd uintptr) (done bool) {
		for {
			n, fault = p.readSome(int(fd), b)
			switch fault {
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			default:
				return true
			}
		}
	})
	if err = cmp.Or(err, fault); err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

// readSome holds the lock, so that every byte is either in the pipe or counted.
func (p *output) readSome(fd int, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := unix.Read(fd, b)
	n = max(n, 0)
	p.seen += uint64(n)
	return n, err
}

// written returns the number of bytes that the child has written so far.
func (p *output) written() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen + uint64(unread(p.conn))
}
