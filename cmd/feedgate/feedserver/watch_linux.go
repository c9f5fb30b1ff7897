package feedserver

import (
	"fmt"
	"sync"
	"time"

	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
	"golang.org/x/sys/unix"
)

// watch tells the loop what gnet does not: that a socket has become writable, that
// a time has come, and that the loop has looked at its sockets again, which it
// does not do between a task and another one that the task asks for.
//
// It is an epoll instance of its own with the same sockets, edge-triggered and
// for writing only; the kernel reports an edge after a write that a socket did
// not take whole, once a third of its buffer is free again, so there is nothing
// to re-arm. The timer is a timerfd: Go's own timers come up to a millisecond
// late in a process that is asleep.
//
// newWatch starts its goroutine, stop ends it; stop comes after the end of the
// loop, which calls the other methods.
type watch struct {
	poller *netpoll.Poller
	timer  int
	ended  chan struct{}

	mu       sync.Mutex
	wake     func() // makes the loop call take soon
	woken    bool   // and take was not called yet
	writable []int
	timeUp   bool
}

func newWatch() (*watch, error) {
	poller, err := netpoll.OpenPoller()
	if err != nil {
		return nil, fmt.Errorf("opening a poller: %w", err)
	}
	timer, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		_ = poller.Close()
		return nil, fmt.Errorf("making a timer: %w", err)
	}
	if err := poller.AddRead(&netpoll.PollAttachment{FD: timer}, true); err != nil {
		_ = poller.Close()
		_ = unix.Close(timer)
		return nil, fmt.Errorf("watching a timer: %w", err)
	}
	w := &watch{poller: poller, timer: timer, ended: make(chan struct{})}
	go w.run()
	return w, nil
}

// run passes events on until stop.
func (w *watch) run() {
	defer close(w.ended)
	// It ends with the error that stop hands it; any other leaves the feed to its
	// timeouts.
	_ = w.poller.Polling(func(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
		w.pass(fd)
		return nil
	})
}

// pass passes an event on.
func (w *watch) pass(fd int) {
	w.mu.Lock()
	switch fd {
	case noSocket:
	case w.timer:
		w.timeUp = true
	default:
		w.writable = append(w.writable, fd)
	}
	wake := w.wake
	if w.woken {
		wake = nil
	}
	w.woken = w.wake != nil
	w.mu.Unlock()
	if wake != nil {
		wake()
	}
}

// noSocket stands for an event that is about no socket.
const noSocket = -1

// nudge makes the loop call take after its next look at its sockets.
func (w *watch) nudge() error {
	return w.poller.Trigger(queue.HighPriority, func(any) error {
		w.pass(noSocket)
		return nil
	}, nil)
}

// bind says how the loop is woken. No socket is watched before.
func (w *watch) bind(wake func()) {
	w.mu.Lock()
	w.wake = wake
	w.mu.Unlock()
}

// add watches a socket until it is closed.
func (w *watch) add(fd int) error {
	return w.poller.AddWrite(&netpoll.PollAttachment{FD: fd}, true)
}

// setTimer makes the time come in d, instead of whenever was set before.
func (w *watch) setTimer(d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	return unix.TimerfdSettime(w.timer, 0, &spec, nil)
}

// take appends to fds the sockets that have become writable. A number may stand
// for a socket that was closed since, or for another that has got it.
func (w *watch) take(fds []int) (writable []int, timeUp bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fds = append(fds, w.writable...)
	timeUp = w.timeUp
	w.timeUp, w.woken, w.writable = false, false, w.writable[:0]
	return fds, timeUp
}

// stop ends the goroutine and waits for that.
func (w *watch) stop() {
	_ = w.poller.Trigger(queue.HighPriority, func(any) error { return errorx.ErrEngineShutdown }, nil)
	<-w.ended
	_ = w.poller.Close()
	_ = unix.Close(w.timer)
}
