package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

// wakeup is an eventfd that makes the poller call the loop. Workers write to it to wake the loop, and
// a busy loop does so to be called again after the poller's pending events. A posted task would not
// do: the poller runs tasks until there are none, so one that posts itself would starve the socket.
type wakeup int

// newWakeup makes an eventfd and registers it, edge-triggered: each write is an event, so it need not
// be read.
func newWakeup(p *netpoll.Poller) (wakeup, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("make an eventfd: %w", err)
	}
	if err := p.AddRead(&netpoll.PollAttachment{FD: fd}, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return wakeup(fd), nil
}

func (w wakeup) send() {
	one := [8]byte{1} // not zero in either byte order
	if _, err := unix.Write(int(w), one[:]); err != nil && err != unix.EAGAIN {
		panic(fmt.Sprintf("gateway: write to an eventfd: %v", err))
	}
}

func (w wakeup) close() { unix.Close(int(w)) }
