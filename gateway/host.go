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
	// gatherTime is how long the loop waits after a read of many bytes, when nothing
	// is left to do, before it reads again.
	gatherTime = 50 * time.Microsecond
)

// host is the goroutine that the loop runs on, in the real world: it turns as long
// as there is something to do, then blocks in the poller. All fields are its own
// but those headed shared.
type host struct {
	l       *loop
	epoch   time.Time
	poller  *netpoll.Poller
	watched int // descriptor of the loop's socket; -1: none
	nudge   nudge
	timer   *time.Timer
	timerAt time.Duration
	dials   chan dialResult // one at most

	// Shared: whoever wakes or posts uses the poller.
	gate  sync.Mutex
	ended bool // the poller is closed; under gate
}

// newHost makes a host and what it blocks in. Its loop is the caller's to set.
func newHost() (*host, error) {
	h := &host{epoch: time.Now(), watched: -1, dials: make(chan dialResult, 1)}
	var err error
	if h.poller, err = netpoll.OpenPoller(); err != nil {
		return nil, fmt.Errorf("open the poller: %w", err)
	}
	if h.nudge, err = newNudge(h.poller); err != nil {
		return nil, errors.Join(fmt.Errorf("open the poller: %w", err), h.poller.Close())
	}
	return h, nil
}

// run runs the loop until it is done. Its error is the poller's.
func (h *host) run() error {
	h.post(func() {})
	if err := h.poller.Polling(h.onEvent); !errors.Is(err, errorx.ErrEngineShutdown) {
		return fmt.Errorf("poll: %w", err)
	}
	return nil
}

func (h *host) now() time.Duration { return time.Since(h.epoch) }

func (h *host) connect(ctx context.Context, d *dialer) {
	go func() {
		h.dials <- d.dial(ctx)
		h.post(func() { h.l.conn.dialEnded(<-h.dials) })
	}()
}

func (h *host) watch(t transport) error {
	h.watched = t.(interface{ descriptor() int }).descriptor()
	return h.poller.AddReadWrite(&netpoll.PollAttachment{FD: h.watched}, true)
}

func (h *host) unwatch(transport) {
	if err := h.poller.Delete(h.watched); err != nil {
		h.l.log.Debug("stop watching the socket", "error", err)
	}
	h.watched = -1
}

// wake wakes the loop from the poller. Any goroutine. A task would do the same, but
// each is an allocation.
func (h *host) wake() {
	h.l.stats.Wakeups.Add(1)
	h.gate.Lock()
	defer h.gate.Unlock()
	if !h.ended {
		h.nudge.send()
	}
}

// post runs f on the loop's goroutine, or never when the loop has ended. Any
// goroutine.
func (h *host) post(f func()) {
	h.gate.Lock()
	defer h.gate.Unlock()
	if h.ended {
		return
	}
	err := h.poller.Trigger(queue.HighPriority, func(any) error {
		f()
		return h.spin()
	}, nil)
	if err != nil {
		panic("gateway: wake the poller: " + err.Error()) // an eventfd of our own
	}
}

// abandon ends what the loop has left behind, after it has ended: a dial, and the
// connection.
func (h *host) abandon() {
	c := &h.l.conn
	c.repeats.end(h.now())
	if c.cancel != nil {
		c.cancel()
		if r := <-h.dials; r.err == nil {
			r.sock.close()
		}
	}
	if c.sock != nil {
		c.sock.close()
	}
	h.l.in.dropSlabs()
}

// close ends posting and closes the poller.
func (h *host) close() error {
	h.gate.Lock()
	defer h.gate.Unlock()
	h.ended = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.nudge.close()
	return h.poller.Close()
}

// spin turns until there is nothing to do, then goes back to the poller to block.
func (h *host) spin() error {
	l := h.l
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
			h.nudge.send()
			return nil
		}
		if l.conn.mayLook() {
			h.gather()
			continue
		}
		if l.sleep() {
			h.armTimer()
			return nil
		}
		runtime.Gosched()
	}
}

// gather lets workers run for a moment, then has the next turn look at the socket
// though no edge has come. Under a bulk flow the next bytes are on their way: the
// feed and this process both save a wake-up, and one read finds more. A look that
// finds nothing ends it until the next bulk.
func (h *host) gather() {
	for end := h.now() + gatherTime; h.now() < end; {
		runtime.Gosched()
	}
	h.l.conn.peer.readable = true
}

// armTimer sees to it that the loop wakes when the next thing is due. A timer that is set
// for earlier is left to fire for nothing: deadlines move on far more often than they pass.
func (h *host) armTimer() {
	at := h.l.conn.nextDue()
	if at == 0 || h.timerAt != 0 && h.timerAt <= at {
		return
	}
	h.timerAt = at
	if h.timer != nil {
		h.timer.Stop()
	}
	h.timer = time.AfterFunc(max(0, at-h.now()), func() {
		h.post(func() { h.timerAt = 0 })
	})
}

// onEvent takes an edge of the socket from the poller.
func (h *host) onEvent(fd int, event netpoll.IOEvent, _ netpoll.IOFlags) error {
	if fd == h.watched {
		h.l.conn.peer.edge(event&eventReadable != 0, event&eventWritable != 0, event&eventClosed != 0, event&eventDead != 0)
	}
	return h.spin()
}
