// Package netpath has a network path that a test can cut: two network namespaces, each with
// only a TUN device, and goroutines of the test that copy packets between the devices, or drop
// them. Neither end's kernel is notified of a cut.
//
// It requires CAP_SYS_ADMIN, CAP_NET_ADMIN and /dev/net/tun.
package netpath

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mtu is that of most networks. With larger packets a socket's send buffer would start far
// larger (tcp_sndbuf_expand in linux/net/ipv4/tcp_input.c).
const mtu = 1500

// Path is a path between two ends. Any goroutine may use it.
type Path struct {
	Ends [2]*End

	cut     [2]atomic.Bool            // packets of this end are dropped
	last    [2]atomic.Pointer[[]byte] // the last packet of this end that was copied
	packets atomic.Int64
	running sync.WaitGroup
}

// End is a network namespace at one end of a path.
type End struct {
	Addr netip.Addr

	t      testing.TB
	ns     int // descriptor of the namespace
	device *os.File
}

// New makes a path, which exists until the test ends. If the kernel denies it, the test is
// skipped.
func New(t testing.TB) *Path {
	t.Helper()
	p := new(Path)
	for i := range p.Ends {
		e, err := newEnd(t, netip.AddrFrom4([4]byte{10, 77, 0, byte(1 + i)}))
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) {
			t.Skipf("NOT TESTED: a path between network namespaces requires root and /dev/net/tun: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.Ends[i] = e
	}
	p.running.Go(func() { p.copyFrom(0) })
	p.running.Go(func() { p.copyFrom(1) })
	t.Cleanup(func() {
		for _, e := range p.Ends {
			e.device.Close()
			unix.Close(e.ns)
		}
		p.running.Wait()
	})
	return p
}

// Cut drops every packet from now on.
func (p *Path) Cut() {
	p.CutFrom(0)
	p.CutFrom(1)
}

// CutFrom drops every packet of one end from now on.
func (p *Path) CutFrom(end int) { p.cut[end].Store(true) }

// Repeat delivers the last packet of an end again and again, until the test ends, like the
// retransmissions of an unacknowledged segment, but without their backoff.
func (p *Path) Repeat(end int, every time.Duration) {
	ticker := time.NewTicker(every)
	stop := make(chan struct{})
	p.running.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				if packet := p.last[end].Load(); packet != nil {
					_, _ = p.Ends[1-end].device.Write(*packet) // or it is lost
				}
			}
		}
	})
	p.Ends[end].t.Cleanup(func() { ticker.Stop(); close(stop) })
}

// Packets returns how many packets both ends have sent, including dropped ones.
func (p *Path) Packets() int64 { return p.packets.Load() }

func (p *Path) copyFrom(from int) {
	source, sink := p.Ends[from].device, p.Ends[1-from].device
	packet := make([]byte, mtu)
	for {
		n, err := source.Read(packet)
		if err != nil {
			return // closed
		}
		if p.packets.Add(1); p.cut[from].Load() {
			continue
		}
		p.last[from].Store(new(slices.Clone(packet[:n])))
		// A packet that the device refuses is lost, as on any network.
		if _, err := sink.Write(packet[:n]); errors.Is(err, os.ErrClosed) {
			return
		}
	}
}

// newEnd makes a namespace with lo and one other device, which has addr in a /24 network.
func newEnd(t testing.TB, addr netip.Addr) (*End, error) {
	e := &End{Addr: addr, t: t}
	var err error
	if threadErr := restoringNamespace(func() { err = e.make() }); threadErr != nil {
		return nil, threadErr
	}
	return e, err
}

// restoringNamespace runs f, which may change the network namespace of its thread, and restores
// the namespace. The thread must not end instead: processes that it has started may be set to die
// with it (PR_SET_PDEATHSIG of prctl(2)).
func restoringNamespace(f func()) error {
	runtime.LockOSThread()
	back, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open the network namespace: %w", err)
	}
	defer func() { // also if f ends the test
		if err := unix.Setns(back, unix.CLONE_NEWNET); err != nil {
			panic(fmt.Sprintf("netpath: restore the network namespace: %v", err))
		}
		unix.Close(back)
		runtime.UnlockOSThread()
	}()
	f()
	return nil
}

func (e *End) make() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the network namespace: %w", err)
	}
	if e.device, err = tun(e.Addr); err != nil {
		unix.Close(ns)
		return err
	}
	e.ns = ns
	return nil
}

// tun makes a device in the namespace of this thread.
func tun(addr netip.Addr) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	defer unix.Close(control)
	for _, set := range []struct {
		fd      int
		request uint
		name    string
		value   func(*unix.Ifreq) error
	}{
		{fd, unix.TUNSETIFF, "path0", flags(unix.IFF_TUN | unix.IFF_NO_PI)},
		{control, unix.SIOCSIFADDR, "path0", address(addr)},
		{control, unix.SIOCSIFNETMASK, "path0", address(netip.AddrFrom4([4]byte{255, 255, 255, 0}))},
		{control, unix.SIOCSIFMTU, "path0", func(r *unix.Ifreq) error { r.SetUint32(mtu); return nil }},
		{control, unix.SIOCSIFFLAGS, "path0", flags(unix.IFF_UP)},
		{control, unix.SIOCSIFFLAGS, "lo", flags(unix.IFF_UP)},
	} {
		r, err := unix.NewIfreq(set.name)
		if err == nil {
			err = set.value(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(set.fd, set.request, r)
		}
		if err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("set up a TUN device, request %#x: %w", set.request, err)
		}
	}
	return os.NewFile(uintptr(fd), "path "+strconv.Quote(addr.String())), nil
}

func flags(f uint16) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { r.SetUint16(f); return nil }
}

func address(a netip.Addr) func(*unix.Ifreq) error {
	return func(r *unix.Ifreq) error { return r.SetInet4Addr(a.AsSlice()) }
}

// Set writes a value below /proc/sys/net of the namespace, for sockets that are opened later. If
// the kernel denies it, the test is skipped.
func (e *End) Set(name, value string) {
	e.t.Helper()
	var err error
	e.Do(func() { err = os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
	switch {
	case errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT):
		e.t.Skipf("NOT TESTED: no access to the network namespace's settings: %v", err)
	case err != nil:
		e.t.Fatal(err)
	}
}

// Do runs f in the namespace: sockets that it opens and processes that it starts are in it;
// goroutines that it starts are not.
func (e *End) Do(f func()) {
	e.t.Helper()
	err := restoringNamespace(func() {
		if err := unix.Setns(e.ns, unix.CLONE_NEWNET); err != nil {
			e.t.Fatal(err)
		}
		f()
	})
	if err != nil {
		e.t.Fatal(err)
	}
}
