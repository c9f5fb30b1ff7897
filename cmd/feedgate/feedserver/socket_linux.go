package feedserver

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeSocket writes p. If the socket does not accept all of it, full is true, and epoll reports when
// it is writable.
func writeSocket(fd int, p []byte) (n int, full bool, err error) {
	for {
		n, err = unix.Write(fd, p)
		switch err {
		case nil:
			return n, n < len(p), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError("write", err)
		}
	}
}

// shutdownSocket closes the sending side.
func shutdownSocket(fd int) error {
	return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
}

// States of a TCP socket whose peer has closed its sending side, or reset the
// connection; enum in the kernel's include/net/tcp_states.h.
const (
	tcpTimeWait  = 6
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// peerHasClosed reports whether the input of a socket has an end.
func peerHasClosed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return false
	}
	switch info.State {
	case tcpTimeWait, tcpClose, tcpCloseWait, tcpLastAck, tcpClosing:
		return true
	}
	return false
}
