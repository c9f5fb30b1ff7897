package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adoptsOrphans reports whether the kernel makes orphaned processes our children: if we are process
// 1 of a container or a child subreaper, which a process stays across exec.
var adoptsOrphans = os.Getpid() == 1 || isSubreaper()

// init reserves the main thread for main, which only waits and reaps.
//
// The kernel prefers the main thread for a signal (complete_signal in linux/kernel/signal.c). If that
// thread were in a system call that waits for a disk, the signal would be handled only after the
// disk answers.
//
// Orphans become children of the main thread. Our own children belong to the thread that started
// them, which is never the main one. So wait4 with __WNOTHREAD on the main thread reaps orphans
// only, and os/exec keeps its exit statuses.
func init() { runtime.LockOSThread() }

func isSubreaper() bool {
	var is int32
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0)
	return errno == 0 && is != 0
}

// reapingOrphans runs command on another thread and returns its exit status. Meanwhile it reaps
// orphans, if they are our children. Only main may call it.
func reapingOrphans(command func() int) int {
	status := make(chan int)
	go func() { status <- command() }()
	if !adoptsOrphans {
		return <-status
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for {
		reapOrphans()
		select {
		case <-ended:
		case code := <-status:
			return code
		}
	}
}

// reapOrphans reaps all orphans that have ended. One SIGCHLD may be for several, because pending
// signals merge.
func reapOrphans() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WNOTHREAD, nil)
		if err != unix.EINTR && pid <= 0 {
			return // no orphan, or none has ended
		}
	}
}
