package gateway

import (
	"errors"
	"fmt"
	"time"
)

// stopping is how the loop comes to its end.
type stopping struct {
	ending      bool          // the loop is to end, once what was received is finished and acked
	poolDrained bool          // drainPool has ended the handlers' input
	deadline    time.Duration // of a drain that the user asked for; 0: there is none
	aborted     bool          // the loop is to end at once
	lostAcks    int           // acks that a new session of the server has made void
	done        bool          // the loop has ended
	err         error         // why it failed; nil: it has not
}

// drain begins the end of the gateway that its user asked for.
func (l *loop) drain() {
	if l.stop.deadline != 0 {
		return
	}
	l.stop.deadline = l.env.now() + l.cfg.DrainTimeout
	l.stop.ending = true
	l.log.Info("draining", "in_flight", l.track.InFlight(), "timeout", l.cfg.DrainTimeout)
}

// abort ends the gateway at once.
func (l *loop) abort() {
	l.stop.ending, l.stop.aborted = true, true
}

// fail ends the gateway with an error, after the connection was closed in order.
func (l *loop) fail(err error) {
	if l.stop.err == nil {
		l.stop.err = err
	}
	l.stop.ending = true
}

// exit ends the loop. Unfinished messages and unsent acks make it a failure.
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
		if at := l.waiting(); at.total() > 0 {
			left = fmt.Errorf("%w; waiting: %s", left, at.describe(l.cfg.SinkLabel, l.cfg.DeadLetterLabel))
		}
		l.stop.err = errors.Join(l.stop.err, left)
	}
}

// drainPool ends the handlers' input, once: there will be no more messages. After a signal
// it does so at once, and messages that no worker has are dropped; but if the server was asked
// to stop, it counts messages as delivered until it answers. If the server has closed,
// everything that it sent is handed out first. A connection that is open during the drain
// is there for acks alone.
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
