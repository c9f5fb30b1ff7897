package stdout

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errNoStdout: messages would be acknowledged and lost.
var errNoStdout = errors.New("standard output is closed, or is /dev/null opened for reading and writing; redirect it, or choose another sink")

// checkStdout returns an error if w is a file that is not open for writing, or that replaces a
// closed standard output: then Go's runtime has opened /dev/null for reading and writing. A shell
// that discards the output opens it for writing only.
func checkStdout(w io.Writer) error {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var bad error
	err = conn.Control(func(fd uintptr) {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			bad = err
			return
		}
		switch flags & unix.O_ACCMODE {
		case unix.O_RDONLY:
			bad = errors.New("standard output is open for reading only")
		case unix.O_RDWR:
			if isNull(int(fd)) {
				bad = errNoStdout
			}
		}
	})
	return errors.Join(err, bad)
}

// isNull reports whether fd is /dev/null.
func isNull(fd int) bool {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}

// waitWritable waits until w, if it is a file, can be written to.
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
