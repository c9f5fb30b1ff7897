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

// syscalls counts the system calls of a child process and all its threads, by the
// kernel's tracepoint raw_syscalls:sys_enter. It is what perf stat does: an event
// of the thread that starts the child, which the child inherits and exec switches
// on. The thread itself never execs, so nothing else is counted.
type syscalls struct{ fd int }

// watchSyscalls counts for the child that the calling goroutine starts before it
// calls release. It takes a mounted tracefs and the right to trace: CAP_PERFMON,
// or -1 in kernel.perf_event_paranoid.
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

// tracepoint is the number that the kernel gave a tracepoint.
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

// count is how many there were so far.
func (s *syscalls) count() (uint64, error) {
	var b [8]byte
	if _, err := unix.Read(s.fd, b[:]); err != nil {
		return 0, fmt.Errorf("reading the counter: %w", err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

func (s *syscalls) close() { _ = unix.Close(s.fd) }
