package bench

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// syscalls counts the system calls of a child process and all its threads by the kernel's
// tracepoint raw_syscalls:sys_enter. Like perf stat, it uses an event of the thread that starts the
// child; the child inherits it, and exec enables it. The thread itself never calls exec, so nothing
// else is counted.
type syscalls struct{ fd int }

// watchSyscalls counts the system calls of the child that the calling goroutine starts before it
// calls release. It requires a mounted tracefs, and CAP_PERFMON or -1 in
// kernel.perf_event_paranoid.
func watchSyscalls() (s *syscalls, release func(), err error) {
	id, err := tracepoint("raw_syscalls/sys_enter")
	if err != nil {
		return nil, nil, err
	}
	attr := unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_TRACEPOINT,
		Config: id,
		Bits:   unix.PerfBitDisabled | unix.PerfBitInherit | unix.PerfBitEnableOnExec,
	}
	runtime.LockOSThread()
	const thisThread, anyCPU, noGroup = 0, -1, -1
	fd, err := unix.PerfEventOpen(&attr, thisThread, anyCPU, noGroup, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, nil, fmt.Errorf("perf_event_open: %w", err)
	}
	return &syscalls{fd}, runtime.UnlockOSThread, nil
}

// tracepoint returns the kernel's ID of a tracepoint.
func tracepoint(name string) (uint64, error) {
	text, err := os.ReadFile("/sys/kernel/tracing/events/" + name + "/id")
	if err != nil {
		text, err = os.ReadFile("/sys/kernel/debug/tracing/events/" + name + "/id")
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// count returns the number of system calls so far.
func (s *syscalls) count() (uint64, error) {
	var b [8]byte
	if _, err := unix.Read(s.fd, b[:]); err != nil {
		return 0, fmt.Errorf("reading the counter: %w", err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

func (s *syscalls) close() { _ = unix.Close(s.fd) }
