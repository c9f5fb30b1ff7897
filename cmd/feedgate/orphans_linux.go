package main

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// adoptsOrphans reports whether the kernel makes orphaned processes our children: it does
// for process 1 of a container, and for a child subreaper, such as a process that replaced
// one by exec.
var adoptsOrphans = os.Getpid() == 1 || isSubreaper()

// init keeps the main thread for main, which only waits, and reaps.
//
// The kernel leaves a signal to the main thread if that has none yet (complete_signal in
// linux/kernel/signal.c): in a system call that waits for a disk, it would not handle the
// signal until the disk answers.
//
// The kernel gives orphans to the main thread, and a child that we start belongs to the thread
// that has started it, which is never the main one. So wait4 with __WNOTHREAD finds orphans
// alone, and takes no exit status away from os/exec.
func init() { runtime.LockOSThread() }

func isSubreaper() bool {
	var is int32
	_, _, errno := unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0)
	return errno == 0 && is != 0
}

// reapingOrphans runs command on another thread and returns its status. Where orphans are our children
// it reaps them meanwhile. It must be called by main.
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

// reapOrphans reaps the orphans that have ended. Signals for several that ended at
// the same time may be one.
func reapOrphans() {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WNOTHREAD, nil)
		if err != unix.EINTR && pid <= 0 {
			return // none, or none that has ended
		}
	}
}
