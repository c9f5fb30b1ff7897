package gateway

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

// wakeup is an eventfd that makes the poller call the loop: workers wake it so, and a
// busy loop gets itself called again behind the events that wait in the poller. A
// task would not do for that: the poller runs tasks until there are none, and a task
// that posts itself keeps it from the socket.
type wakeup int

// newWakeup registers the eventfd, edge-triggered: each write is an event, and
// nobody needs to read.
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
	one := [8]byte{1} // either byte order counts up
	if _, err := unix.Write(int(w), one[:]); err != nil && err != unix.EAGAIN {
		panic(fmt.Sprintf("gateway: write to an eventfd: %v", err))
	}
}

func (w wakeup) close() { unix.Close(int(w)) }
