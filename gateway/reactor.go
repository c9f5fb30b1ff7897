package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"

	_ "feedgate/worker/linux_only"
)

const (
	// maxTurns is the most turns of the loop without a call of the poller, which reports edges and
	// runs what was posted; maxSharedTurns if it also runs other loops.
	maxTurns       = 64
	maxSharedTurns = 4
	// busyPollTime is how long an idle loop waits before it reads again, after a bulk read.
	busyPollTime = 50 * time.Microsecond
)

// reactor is the real env. The poller's goroutine runs the loop: it calls turn while there is work, then
// blocks in the poller. That goroutine owns all fields except the shared ones.
type reactor struct {
	l       *loop
	epoch   time.Time
	poller  *poller
	watched int // descriptor of the loop's socket; -1: none
	wakeup  wakeup
	timer   *time.Timer
	timerAt time.Duration
	dials   chan dialResult // at most one
	done    chan struct{}   // closed when the loop is done
	ended   bool            // done is closed

	// Shared with the goroutines that call wake or post.
	mu     sync.Mutex
	closed bool // close was called; guarded by mu
}

// newReactor makes a reactor. The caller sets the loop.
func newReactor() (*reactor, error) {
	r := &reactor{epoch: time.Now(), watched: -1, dials: make(chan dialResult, 1), done: make(chan struct{})}
	var err error
	if r.poller, err = usePoller(); err != nil {
		return nil, err
	}
	if r.wakeup, err = newWakeup(r.poller.Poller); err != nil {
		return nil, errors.Join(fmt.Errorf("open the poller: %w", err), r.poller.leave())
	}
	return r, nil
}

// run runs the loop until it is done. Its error comes from the poller.
func (r *reactor) run() error {
	r.post(func() {
		r.poller.byFD[int(r.wakeup)] = r
		r.poller.loops++
	})
	select {
	case <-r.done:
		return nil
	case <-r.poller.ended:
		return r.poller.err
	}
}

// end ends the loop.
func (r *reactor) end() {
	delete(r.poller.byFD, r.watched)
	delete(r.poller.byFD, int(r.wakeup))
	r.poller.loops--
	r.ended = true
	close(r.done)
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
	r.poller.byFD[r.watched] = r
	return r.poller.AddReadWrite(&netpoll.PollAttachment{FD: r.watched}, true)
}

func (r *reactor) unwatch(transport) {
	if err := r.poller.Delete(r.watched); err != nil {
		r.l.log.Debug("stop watching the socket", "error", err)
	}
	delete(r.poller.byFD, r.watched)
	r.watched = -1
}

// wake makes the poller return. Any goroutine may call it. Unlike post, it does not allocate.
func (r *reactor) wake() {
	r.l.stats.Wakeups.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.wakeup.send()
	}
}

// post implements env.
func (r *reactor) post(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.poller.post(func() error {
		if !r.ended {
			f()
			r.runUntilIdle()
		}
		return nil
	})
}

// cleanUp ends the dial and the connection, after the loop has ended.
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

// close leaves the poller. Later calls of wake and post have no effect.
func (r *reactor) close() error {
	r.mu.Lock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.wakeup.close()
	r.mu.Unlock()
	return r.poller.leave()
}

// runUntilIdle turns the loop until there is nothing to do, or for maxTurns or maxSharedTurns.
func (r *reactor) runUntilIdle() {
	l, limit, alone := r.l, maxTurns, r.poller.loops == 1
	if !alone {
		limit = maxSharedTurns
	}
	l.events.Wake()
	for turns := 0; ; turns++ {
		busy := l.turn()
		if l.stop.done {
			r.end()
			return
		}
		if busy && turns < limit {
			continue
		}
		if busy {
			r.wakeup.send()
			return
		}
		if alone && l.conn.mayBusyPoll() {
			r.busyPoll()
			continue
		}
		if l.sleep() {
			r.armTimer()
			return
		}
		runtime.Gosched()
	}
}

// busyPoll lets workers run for a moment, then makes the next turn read without an edge. During a
// bulk transfer the next bytes are about to arrive: this saves the server and this process a wake-up,
// and one read returns more. A read that finds nothing ends it until the next bulk read.
func (r *reactor) busyPoll() {
	for end := r.now() + busyPollTime; r.now() < end; {
		runtime.Gosched()
	}
	r.l.conn.peer.readable = true
}

// armTimer sets the timer for the next deadline. A timer that is set for an earlier time is left
// alone and may fire for nothing: deadlines are extended far more often than they expire.
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

// onEvent handles an event of one of the reactor's descriptors.
func (r *reactor) onEvent(fd int, event netpoll.IOEvent) {
	if fd == r.watched {
		r.l.conn.peer.edge(event&eventReadable != 0, event&eventWritable != 0, event&eventHalfClosed != 0, event&eventReset != 0)
	}
	r.runUntilIdle()
}
