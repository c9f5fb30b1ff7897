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

// kernel is the system calls that move data. The simulation replaces them.
type kernel interface {
	recvfrom(fd int, b []byte) (int, unix.Errno)
	sendmmsg(fd int, hdrs []mmsghdr) (int, unix.Errno)
}

// linux makes raw system calls. With MSG_DONTWAIT they never block, so the scheduler need not know of
// them, and the loop keeps its P.
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

// socket is a connected, non-blocking TCP socket, for use by one goroutine.
type socket struct {
	fd     int
	kernel kernel
	hdrs   [maxBatch]mmsghdr
	iovs   [maxBatch]unix.Iovec
}

func newSocket(fd int) *socket { return &socket{fd: fd, kernel: linux{}} }

// takeSocket duplicates a connection's descriptor and closes conn, so that the runtime's poller does not
// receive an event for every packet.
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

// recv implements transport. EAGAIN: nothing has been received.
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

// send implements transport with one sendmmsg. On a stream, the kernel stops after a message that it
// accepted in part, and counts that message (Linux 4.9). So the sum of the lengths is the number of
// bytes accepted.
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

// closeSend implements transport.
func (s *socket) closeSend() error { return unix.Shutdown(s.fd, unix.SHUT_WR) }

// untransmitted implements transport. There are such bytes mostly while the peer's buffer is full.
func (s *socket) untransmitted() int { return s.ask(unix.SIOCOUTQNSD) }

// unacked implements transport.
func (s *socket) unacked() int { return s.ask(unix.SIOCOUTQ) }

// socketError implements transport. It is EPIPE if the reset followed the end of the peer's stream.
func (s *socket) socketError() error {
	errno, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || errno == 0 {
		return unix.ECONNRESET
	}
	return unix.Errno(errno)
}

// stateClosed is TCP_CLOSE, linux/include/net/tcp_states.h.
const stateClosed = 7

// tcpClosed implements transport. The last edge does not prove it: it comes as soon as both sides have
// closed, when data may still be in flight.
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

// wouldBlock reports whether err means that the socket is not ready.
func wouldBlock(err error) bool { return err == unix.EAGAIN }

// Poller events after which a read would not block, a write would not block, the peer has closed or
// reset, or both directions are closed.
const (
	eventReadable   = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	eventWritable   = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	eventHalfClosed = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	eventReset      = unix.EPOLLHUP | unix.EPOLLERR
)
