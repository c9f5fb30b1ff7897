package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hangVariable makes the test binary pass a seccomp descriptor for the system calls of hungCalls over the
// socket at descriptor 3, and then execute the command in its arguments.
const hangVariable = "ACCEPT_HUNG_DISK"

// hungCalls are the system calls that wait for a disk.
var hungCalls = []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC}

// hungDisk controls the disk of one process: fsync calls wait in the kernel (seccomp,
// SECCOMP_RET_USER_NOTIF) until the test resumes them. As with a dead NFS server, only SIGKILL or
// the end of the process interrupts them. It requires no privileges.
type hungDisk struct {
	t    *testing.T
	conn *os.File // the test's end of the socket

	mu     sync.Mutex
	hung   map[string]bool // fsync of paths that contain a key hangs
	held   []heldCall
	notify int
}

type heldCall struct {
	id   uint64
	path string
}

// seccompNotif and seccompNotifResp are structs of linux/seccomp.h.
type seccompNotif struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type seccompNotifResp struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// runOnDisk starts `feedgate run` with a hungDisk.
func runOnDisk(t *testing.T, args ...string) (*process, *hungDisk) {
	t.Helper()
	return runOnDiskWith(t, launch{args: args})
}

func runOnDiskWith(t *testing.T, l launch) (*process, *hungDisk) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer theirs.Close()
	d := &hungDisk{t: t, conn: os.NewFile(uintptr(pair[0]), "ours"), hung: make(map[string]bool)}
	l.env = append(l.env, hangVariable+"=1")
	l.through = []string{os.Args[0]}
	l.prepare = func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{theirs} }
	p := runWith(t, l)
	theirs.Close()
	if l.hung != "" {
		d.hang(l.hung)
	}
	d.receive()
	go d.serve(p)
	return p, d
}

// receive receives the descriptor that notifies of the system calls.
func (d *hungDisk) receive() {
	d.t.Helper()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(d.conn.Fd()), make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	d.conn.Close()
	if err != nil {
		d.t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		d.t.Fatalf("the process has no hung disk: %v, %d messages", err, len(messages))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		d.t.Fatal(err)
	}
	d.notify = fds[0]
}

// serve resumes every call that is not to hang, until the process has ended.
func (d *hungDisk) serve(p *process) {
	defer unix.Close(d.notify)
	for p.running() {
		poll := []unix.PollFd{{Fd: int32(d.notify), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, 50); n <= 0 || err != nil || poll[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var call seccompNotif
		if err := ioctl(d.notify, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)); err != nil {
			continue // the call was interrupted
		}
		if int(call.pid) == p.cmd.Process.Pid {
			d.t.Error("the main thread waits for a disk, which would delay the first signal")
		}
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", call.pid, call.args[0]))
		d.mu.Lock()
		if d.hangs(path) {
			d.held = append(d.held, heldCall{call.id, path})
		} else {
			d.resume(call.id)
		}
		d.mu.Unlock()
	}
}

func (d *hungDisk) hangs(path string) bool {
	for part := range d.hung {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// resume lets the kernel execute a call. The lock is held.
func (d *hungDisk) resume(id uint64) {
	answer := seccompNotifResp{id: id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	err := ioctl(d.notify, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
	if err != nil && !errors.Is(err, unix.ENOENT) { // ENOENT: the process has ended
		d.t.Errorf("hung disk: %v", err)
	}
}

// hang makes fsync hang from now on for paths that contain part.
func (d *hungDisk) hang(part string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hung[part] = true
}

// waitHung waits until an fsync of a path that contains part hangs.
func (d *hungDisk) waitHung(part string) {
	d.t.Helper()
	eventually(d.t, "an fsync that hangs", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, c := range d.held {
			if strings.Contains(c.path, part) {
				return true
			}
		}
		return false
	})
}

// release resumes all calls.
func (d *hungDisk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.hung)
	for _, c := range d.held {
		d.resume(c.id)
	}
	d.held = nil
}

func ioctl(fd int, request uint, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// becomeHung installs the seccomp filter, passes its descriptor to the test, and executes the
// command in the arguments.
func becomeHung() {
	runtime.LockOSThread()
	os.Unsetenv(hangVariable)
	check := func(doing string, err error) {
		if err != nil {
			fmt.Fprintf(os.Stderr, "hung disk: %s: %v\n", doing, err)
			os.Exit(3)
		}
	}
	// The first word of seccomp_data is the number of the call. The filter is for the architecture of
	// this binary only.
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for i, nr := range hungCalls {
		filter = append(filter, unix.SockFilter{
			Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: nr, Jt: uint8(len(hungCalls) - i),
		})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	check("no new privileges", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		check("seccomp", errno)
	}
	check("send", unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0))
	unix.Close(3)
	unix.Close(int(fd))
	check("exec", syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
}
