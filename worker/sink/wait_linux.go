package sink

import (
	"io"
	"syscall"

	"golang.org/x/sys/unix"
)

// waitWritable waits until w, when it is a file, can be written to.
func waitWritable(w io.Writer) error {
	f, ok := w.(syscall.Conn)
	if !ok {
		return syscall.EAGAIN
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var pollErr error
	err = conn.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		for {
			if _, pollErr = unix.Poll(fds, -1); pollErr != unix.EINTR {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return pollErr
}

// waitEnd waits until the child pid has ended, and leaves it to be reaped.
func waitEnd(pid int) error {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
