package gateway

import (
	"errors"
	"fmt"
	"time"
)

// stopping is the state of the loop's end.
type stopping struct {
	ending      bool          // the loop is to end once everything received is finished and acked
	poolDrained bool          // drainPool has ended the handlers' input
	deadline    time.Duration // of the drain that the user requested; 0: none
	aborted     bool          // the loop is to end at once
	lostAcks    int           // messages that cannot be acked because the server began a new session
	done        bool          // the loop has ended
	err         error         // nil: it has not failed
}

// drain begins the drain that the user requested.
func (l *loop) drain() {
	if l.stop.deadline != 0 {
		return
	}
	l.stop.deadline = l.env.now() + l.cfg.DrainTimeout
	l.stop.ending = true
	l.log.Info("draining", "in_flight", l.status.inFlight(l), "timeout", l.cfg.DrainTimeout)
}

// abort ends the gateway at once.
func (l *loop) abort() {
	l.stop.ending, l.stop.aborted = true, true
}

// fail ends the gateway with an error, once the connection is closed in order.
func (l *loop) fail(err error) {
	if l.stop.err == nil {
		l.stop.err = err
	}
	l.stop.ending = true
}

// exit ends the loop, with an error if messages are unfinished or acks unsent.
func (l *loop) exit() {
	l.stop.done = true
	unacked := l.conn.unacked
	if l.conn.sock != nil {
		l.out.Transmitted(l.conn.sock.untransmitted())
		unacked = l.track.Unacked()
	}
	unacked += l.stop.lostAcks
	unfinished := l.track.Working() + len(l.receiver.input.Msgs) - l.receiver.next
	if unfinished > 0 || unacked > 0 {
		left := fmt.Errorf("%w: %d unfinished, %d acknowledgements not sent", ErrUnfinished, unfinished, unacked)
		if at := l.backlog(); at.total() > 0 {
			left = fmt.Errorf("%w; waiting: %s", left, at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel))
		}
		l.stop.err = errors.Join(l.stop.err, left)
	}
}

// drainPool drains the handlers, once: no more messages will arrive.
//
// During a drain it does so at once, and messages that no worker has are dropped. But if the server was
// asked to stop, it counts messages as delivered until it answers, so drainPool waits for the answer
// and for the last messages. If the server has closed, everything it sent is dispatched first. A
// connection made during a drain only serves to send acks.
func (c *conn) drainPool() {
	l := c.l
	atOnce := l.stop.deadline != 0 && c.state != stopAnswered
	switch {
	case l.stop.poolDrained,
		c.state == stopSent,
		c.is(finishes) && !atOnce && (l.receiver.pending() || c.end.moreUntil != 0):
		return
	}
	l.stop.poolDrained = true
	l.pool.Drain()
}
