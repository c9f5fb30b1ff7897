package exec

import "golang.org/x/sys/unix"

// waitEnd waits until the child pid has ended, without reaping it.
func waitEnd(pid int) error {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
