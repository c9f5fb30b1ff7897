package gateway

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxBatch is the most messages in one sendmmsg.
const maxBatch = 32

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// kernel is the system calls that move data, as the kernel answers them.
type kernel interface {
	recvfrom(fd int, b []byte) (int, unix.Errno)
	sendmmsg(fd int, hdrs []mmsghdr) (int, unix.Errno)
}

// linux makes raw system calls: with MSG_DONTWAIT they never block, so there is
// nothing to tell the scheduler, and the loop keeps its P.
type linux struct{}

func (linux) recvfrom(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func (linux) sendmmsg(fd int, hdrs []mmsghdr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(hdrs))), uintptr(len(hdrs)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// socket is a connected, non-blocking TCP socket. It is used by one goroutine.
type socket struct {
	fd     int
	kernel kernel
	hdrs   [maxBatch]mmsghdr
	iovs   [maxBatch]unix.Iovec
}

func newSocket(fd int) *socket { return &socket{fd: fd, kernel: linux{}} }

// takeSocket takes a connection's descriptor away from the Go runtime, whose
// poller would otherwise hear of every packet too. conn is closed.
func takeSocket(conn *net.TCPConn) (int, error) {
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("take over the socket: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return -1, fmt.Errorf("take over the socket: %w", err)
	}
	return fd, nil
}

// recv reads into b. Zero bytes without an error is the end of the stream; EAGAIN
// means that nothing is there.
func (s *socket) recv(b []byte) (int, error) {
	for {
		n, errno := s.kernel.recvfrom(s.fd, b)
		switch errno {
		case 0:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func (s *socket) buffered() bool { return false }

func (s *socket) descriptor() int { return s.fd }

// send hands msgs, at most maxBatch, to the kernel by one sendmmsg and returns how
// many of their bytes it took, in order. On a stream the kernel stops behind a
// message that went out in part and counts it (Linux 4.9), so the sum of the
// lengths is where to go on.
func (s *socket) send(msgs [][]byte) (int, error) {
	for i, m := range msgs {
		s.iovs[i].Base = unsafe.SliceData(m)
		s.iovs[i].SetLen(len(m))
		s.hdrs[i].hdr.Iov = &s.iovs[i]
		s.hdrs[i].hdr.SetIovlen(1)
	}
	for {
		n, errno := s.kernel.sendmmsg(s.fd, s.hdrs[:len(msgs)])
		switch errno {
		case 0:
			sent := 0
			for i := range n {
				sent += int(s.hdrs[i].len)
			}
			return sent, nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// closeSend ends our sending side.
func (s *socket) closeSend() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

// untransmitted is how many bytes were taken and not put on the wire yet, mostly as the
// peer's buffer is full.
func (s *socket) untransmitted() int { return s.ask(unix.SIOCOUTQNSD) }

// unacked is how many bytes, a FIN included, the peer's TCP has not acknowledged.
func (s *socket) unacked() int { return s.ask(unix.SIOCOUTQ) }

// socketError is EPIPE for a reset that came behind the end of the peer's stream.
func (s *socket) socketError() error {
	errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || errno == 0 {
		return unix.ECONNRESET
	}
	return unix.Errno(errno)
}

// stateClosed is TCP_CLOSE, linux/include/net/tcp_states.h.
const stateClosed = 7

// tcpClosed reports whether TCP is done with the connection: closed by both in order, or reset.
// An edge does not tell: it comes as soon as both have closed, with data on its way yet.
func (s *socket) tcpClosed() bool {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.SOL_TCP, unix.TCP_INFO)
	return err != nil || info.State == stateClosed
}

func (s *socket) ask(request uint) int {
	var n int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(s.fd), uintptr(request), uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (s *socket) close() { unix.Close(s.fd) }

// wouldBlock reports whether err only says that the socket is not ready.
func wouldBlock(err error) bool { return err == unix.EAGAIN }

// Poller events that say that reading would not block, writing would not block,
// that the peer has closed or reset, or that the connection is gone both ways.
const (
	eventReadable   = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	eventWritable   = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	eventHalfClosed = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	eventReset      = unix.EPOLLHUP | unix.EPOLLERR
)
