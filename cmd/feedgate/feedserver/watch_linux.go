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

// watch wakes the loop for events that gnet does not report: a socket has become writable, the timer
// has expired, or the loop has polled its sockets again. (gnet does not poll between a task and
// another one that this task posts.)
//
// It is a second epoll instance with the same sockets, edge-triggered and for writing only. After a
// partial write, the kernel reports an edge once a third of the socket's buffer is free, so nothing
// has to be re-armed. The timer is a timerfd, because Go's timers fire up to a millisecond late in a
// process that sleeps.
//
// newWatch starts the goroutine and stop ends it, after the loop has ended. The loop calls the other
// methods.
type watch struct {
	poller *netpoll.Poller
	timer  int           // descriptor of the timerfd
	ended  chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	wake     func() // makes the loop call events
	woken    bool   // wake was called, and events not yet
	writable []int  // descriptors
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
		return nil, fmt.Errorf("creating a timer: %w", err)
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

// run delivers events until stop.
func (w *watch) run() {
	defer close(w.ended)
	// Polling ends with the error of stop. After any other error, only timeouts end connections.
	_ = w.poller.Polling(func(fd int, _ netpoll.IOEvent, _ netpoll.IOFlags) error {
		w.deliver(fd)
		return nil
	})
}

// deliver records an event and wakes the loop.
func (w *watch) deliver(fd int) {
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

// noSocket is the descriptor of an event without a socket.
const noSocket = -1

// requestWake makes the loop call events after it has polled its sockets.
func (w *watch) requestWake() error {
	return w.poller.Trigger(queue.HighPriority, func(any) error {
		w.deliver(noSocket)
		return nil
	}, nil)
}

// bind sets the function that wakes the loop. It must be called before add.
func (w *watch) bind(wake func()) {
	w.mu.Lock()
	w.wake = wake
	w.mu.Unlock()
}

// add watches a socket until it is closed.
func (w *watch) add(fd int) error {
	return w.poller.AddWrite(&netpoll.PollAttachment{FD: fd}, true)
}

// setTimer sets the timer to expire after d.
func (w *watch) setTimer(d time.Duration) error {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	return unix.TimerfdSettime(w.timer, 0, &spec, nil)
}

// events appends to fds the sockets that have become writable, and returns whether the timer has
// expired. A descriptor may be closed or reused by now.
func (w *watch) events(fds []int) (writable []int, timeUp bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fds = append(fds, w.writable...)
	timeUp = w.timeUp
	w.timeUp, w.woken, w.writable = false, false, w.writable[:0]
	return fds, timeUp
}

// stop ends the goroutine and waits for its end.
func (w *watch) stop() {
	_ = w.poller.Trigger(queue.HighPriority, func(any) error { return errorx.ErrEngineShutdown }, nil)
	<-w.ended
	_ = w.poller.Close()
	_ = unix.Close(w.timer)
}
