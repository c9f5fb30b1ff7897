package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"

	_ "feedgate/gateway/gnetlog" // gnet's poller logs what it also returns
	_ "feedgate/worker/linux_only"
)

const (
	// maxTurns bounds how many turns the loop takes without the poller, whose edges show
	// that the socket is writable again, and which runs what was posted.
	maxTurns = 64
	// busyPollTime is how long the loop waits after a read of many bytes, when nothing
	// is left to do, before it reads again.
	busyPollTime = 50 * time.Microsecond
)

// reactor is the goroutine that the loop runs on, in the real world: it turns as long
// as there is something to do, then blocks in the poller. All fields are its own
// but those headed shared.
type reactor struct {
	l       *loop
	epoch   time.Time
	poller  *netpoll.Poller
	watched int // descriptor of the loop's socket; -1: none
	wakeup  wakeup
	timer   *time.Timer
	timerAt time.Duration
	dials   chan dialResult // one at most

	// Shared: whoever wakes or posts uses the poller.
	mu     sync.Mutex
	closed bool // the poller is closed; under gate
}

// newReactor makes a host and what it blocks in. Its loop is the caller's to set.
func newReactor() (*reactor, error) {
	r := &reactor{epoch: time.Now(), watched: -1, dials: make(chan dialResult, 1)}
	var err error
	if r.poller, err = netpoll.OpenPoller(); err != nil {
		return nil, fmt.Errorf("open the poller: %w", err)
	}
	if r.wakeup, err = newWakeup(r.poller); err != nil {
		return nil, errors.Join(fmt.Errorf("open the poller: %w", err), r.poller.Close())
	}
	return r, nil
}

// run runs the loop until it is done. Its error is the poller's.
func (r *reactor) run() error {
	r.post(func() {})
	if err := r.poller.Polling(r.onEvent); !errors.Is(err, errorx.ErrEngineShutdown) {
		return fmt.Errorf("poll: %w", err)
	}
	return nil
}

func (r *reactor) now() time.Duration { return time.Since(r.epoch) }

func (r *reactor) connect(ctx context.Context, d *dialer) {
	go func() {
		r.dials <- d.dial(ctx)
		r.post(func() { r.l.conn.dialEnded(<-r.dials) })
	}()
}

func (r *reactor) watch(t transport) error {
	r.watched = t.(interface{ descriptor() int }).descriptor()
	return r.poller.AddReadWrite(&netpoll.PollAttachment{FD: r.watched}, true)
}

func (r *reactor) unwatch(transport) {
	if err := r.poller.Delete(r.watched); err != nil {
		r.l.log.Debug("stop watching the socket", "error", err)
	}
	r.watched = -1
}

// wake wakes the loop from the poller. Any goroutine. A task would do the same, but
// each is an allocation.
func (r *reactor) wake() {
	r.l.stats.Wakeups.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.wakeup.send()
	}
}

// post runs f on the loop's goroutine, or never when the loop has ended. Any
// goroutine.
func (r *reactor) post(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	err := r.poller.Trigger(queue.HighPriority, func(any) error {
		f()
		return r.runUntilIdle()
	}, nil)
	if err != nil {
		panic("gateway: wake the poller: " + err.Error()) // an eventfd of our own
	}
}

// cleanUp ends what the loop has left behind, after it has ended: a dial, and the
// connection.
func (r *reactor) cleanUp() {
	c := &r.l.conn
	c.log.End(r.now())
	if c.cancel != nil {
		c.cancel()
		if dialed := <-r.dials; dialed.err == nil {
			dialed.sock.close()
		}
	}
	if c.sock != nil {
		c.sock.close()
	}
	r.l.receiver.dropSlabs()
}

// close ends posting and closes the poller.
func (r *reactor) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.wakeup.close()
	return r.poller.Close()
}

// runUntilIdle turns until there is nothing to do, then goes back to the poller to block.
func (r *reactor) runUntilIdle() error {
	l := r.l
	l.bell.Wake()
	for turns := 0; ; turns++ {
		busy := l.turn()
		if l.stop.done {
			return errorx.ErrEngineShutdown
		}
		if busy && turns < maxTurns {
			continue
		}
		if busy {
			r.wakeup.send()
			return nil
		}
		if l.conn.mayBusyPoll() {
			r.busyPoll()
			continue
		}
		if l.sleep() {
			r.armTimer()
			return nil
		}
		runtime.Gosched()
	}
}

// busyPoll lets workers run for a moment, then has the next turn look at the socket
// though no edge has come. Under a bulk flow the next bytes are on their way: the
// feed and this process both save a wake-up, and one read finds more. A look that
// finds nothing ends it until the next bulk.
func (r *reactor) busyPoll() {
	for end := r.now() + busyPollTime; r.now() < end; {
		runtime.Gosched()
	}
	r.l.conn.peer.readable = true
}

// armTimer sees to it that the loop wakes when the next thing is due. A timer that is set
// for earlier is left to fire for nothing: deadlines move on far more often than they pass.
func (r *reactor) armTimer() {
	at := r.l.conn.nextDue()
	if at == 0 || r.timerAt != 0 && r.timerAt <= at {
		return
	}
	r.timerAt = at
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timer = time.AfterFunc(max(0, at-r.now()), func() {
		r.post(func() { r.timerAt = 0 })
	})
}

// onEvent takes an edge of the socket from the poller.
func (r *reactor) onEvent(fd int, event netpoll.IOEvent, _ netpoll.IOFlags) error {
	if fd == r.watched {
		r.l.conn.peer.edge(event&eventReadable != 0, event&eventWritable != 0, event&eventHalfClosed != 0, event&eventReset != 0)
	}
	return r.runUntilIdle()
}
