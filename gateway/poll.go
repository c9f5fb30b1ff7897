package gateway

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	errorx "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
	"github.com/panjf2000/gnet/v2/pkg/queue"
)

// openPoller makes what the loop blocks in.
func (l *loop) openPoller() (err error) {
	if l.poller, err = netpoll.OpenPoller(); err != nil {
		return fmt.Errorf("open the poller: %w", err)
	}
	if l.nudge, err = newNudge(l.poller); err != nil {
		return errors.Join(fmt.Errorf("open the poller: %w", err), l.poller.Close())
	}
	return nil
}

// wake wakes the loop from the poller. Any goroutine.
func (l *loop) wake() {
	l.wakes.Add(1)
	l.trigger(l.spinTask)
}

// post runs f on the loop's goroutine, or never when the loop has ended. Any
// goroutine.
func (l *loop) post(f func()) {
	l.trigger(func(any) error {
		f()
		return l.spin()
	})
}

func (l *loop) trigger(task queue.Func) {
	l.gate.Lock()
	defer l.gate.Unlock()
	if l.ended {
		return
	}
	if err := l.poller.Trigger(queue.HighPriority, task, nil); err != nil {
		panic("gateway: wake the poller: " + err.Error()) // an eventfd of our own
	}
}

// close ends posting and closes the poller.
func (l *loop) close() error {
	l.gate.Lock()
	defer l.gate.Unlock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.nudge.close()
	return l.poller.Close()
}

// spin turns until there is nothing to do, then goes back to the poller to block.
func (l *loop) spin() error {
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
			l.nudge.send()
			return nil
		}
		if l.link.mayLook() {
			l.gather()
			continue
		}
		if l.sleep() {
			return nil
		}
		runtime.Gosched()
	}
}

// gather lets workers run for a moment, then has the next turn look at the socket
// though no edge has come. Under a bulk flow the next bytes are on their way: the
// feed and this process both save a wake-up, and one read finds more. A look that
// finds nothing ends it until the next bulk.
func (l *loop) gather() {
	for end := l.now() + gatherTime; l.now() < end; {
		runtime.Gosched()
	}
	l.link.readable = true
}

// sleep readies the loop for blocking; false when there is something to do first.
func (l *loop) sleep() bool {
	// With the peer not reading, replies stay where they are and workers have
	// nothing to tell; the socket's edge wakes the loop.
	if l.out.len() < outLimit && !l.bell.Sleep() {
		return false
	}
	l.armTimer()
	return true
}

// armTimer sees to it that the loop wakes when the next thing is due. A timer
// that stands for earlier is left to fire for nothing: deadlines move on far more
// often than they pass.
func (l *loop) armTimer() {
	at := l.link.nextDue()
	if at == 0 || l.timerAt != 0 && l.timerAt <= at {
		return
	}
	l.timerAt = at
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(max(0, at-l.now()), func() {
		l.post(func() { l.timerAt = 0 })
	})
}

// earliest is the lesser of two times of which zero is never.
func earliest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// onEvent takes an edge of the socket from the poller.
func (l *loop) onEvent(fd int, event netpoll.IOEvent, _ netpoll.IOFlags) error {
	if fd == l.link.sock.fd {
		l.link.edge(event)
	}
	return l.spin()
}
