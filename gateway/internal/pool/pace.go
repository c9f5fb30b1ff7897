package pool

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// Before its pace is known, a worker may have firstAllowance messages, or more if it could
	// do them within span at firstEach per message.
	firstAllowance = 4
	firstEach      = 1250 * time.Millisecond
	// The pace is an average over the last paceTime of work, or over the last paceMessages,
	// whichever is less.
	paceTime     = float64(time.Second)
	paceMessages = 256
	// slowStart is by how many messages the quota may rise for each one that is replied to: a
	// few fast ones prove little.
	slowStart = 4
	// The quota of a handler that resolves nothing is raised after span, and then after each
	// span/starveSteps. Until then, a handler that reads ahead and works slowly looks the same
	// as one that waits for more.
	starveSteps = 8
	// drainStall: in a drain, a handler that has resolved nothing for this long gets Drain,
	// although messages wait for their key or another try.
	drainStall = time.Second
)

// pace measures how long a worker takes per message, and derives its quota from that: how many
// messages it can do within span. A worker with no more than that ends a drain in time. The worker
// owns it; the loop reads allowed.
type pace struct {
	span     time.Duration // 0: no limit
	quota    int64         // messages that the worker may have
	replied  int           // messages replied to after since
	deferred int           // those of them that were deferred
	since    time.Duration // when the worker last replied to messages, or became busy
	idle     bool          // it had nothing to do since then

	each  float64 // nanoseconds per message; 0: unknown
	total int64   // messages replied to so far

	lookAt time.Duration // when to check whether the handler is starved; 0: not at all
	timer  *time.Timer   // wakes a parked worker at lookAt; nil: never needed yet

	// allowed is the quota for the loop, plus the messages that wait for a retry. While the
	// pace is unknown, it is negative: then the latest quota of a worker of the pool counts, if
	// larger.
	allowed atomic.Int64
}

func (p *pace) init(span time.Duration) {
	p.span, p.idle = span, true
	p.quota = math.MaxInt32
	if span > 0 {
		p.quota = p.first()
	}
	p.allowed.Store(-p.quota)
}

// first returns the quota before the pace is known.
func (p *pace) first() int64 { return int64(max(firstAllowance, p.span/firstEach)) }

// begin records that the worker starts on messages at now.
func (p *pace) begin(now time.Duration) {
	if p.idle {
		p.idle, p.since = false, now
		p.lookAt = 0
	}
}

// update updates the pace with the messages replied to up to now. left more are with the handler.
// idle: the worker has no further messages.
func (p *pace) update(now time.Duration, left int, idle bool) {
	took, replied := float64(max(now-p.since, 1)), float64(p.replied)
	weight := 1.0
	if p.each > 0 {
		weight = min(1, max(took/paceTime, replied/paceMessages))
	}
	p.each += (took/replied - p.each) * weight
	p.total += int64(p.replied)
	if p.span > 0 {
		able := int64(min(float64(p.span)/p.each, math.MaxInt32))
		p.quota = max(1, min(max(able, p.batch(took, left)), p.first()+slowStart*p.total))
	}
	p.replied, p.deferred, p.since, p.idle, p.lookAt = 0, 0, now, idle, 0
}

// batch returns how many messages a handler may have that resolves at least half of its pending
// messages at once, after took: twice as many may take no longer. For other handlers it returns 0.
func (p *pace) batch(took float64, left int) int64 {
	held := int64(p.deferred + left)
	switch {
	case p.deferred < 2 || held > int64(2*p.deferred):
		return 0
	case took > float64(p.span):
		return held // fewer would not make it faster
	}
	return 2 * held
}

// stop stops the timer.
func (p *pace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// Allowance returns how many messages the worker may have that it has not replied to. Any goroutine
// may call it. When the worker raises it, it publishes a reply, perhaps an empty one, so that the
// loop reads it again.
func (w *Worker) Allowance() int {
	n := w.pace.allowed.Load()
	if n < 0 {
		n = max(-n, w.pool.quota.Load())
	}
	return int(n)
}

// keepPace updates the pace and the quota after a turn. Messages that wait for a retry do not count
// against the quota, because the worker can do nothing about them now.
func (w *Worker) keepPace() {
	p := &w.pace
	if p.replied > 0 {
		p.update(w.now(), w.quotaUsed(), w.in.empty() && w.main.pending.count == 0)
		w.pool.quota.Store(p.quota)
	}
	if p.span == 0 {
		return
	}
	allowed := p.quota
	if w.retry != nil {
		allowed += int64(len(w.retry.due))
	}
	if p.each == 0 {
		allowed = -allowed
	}
	if before := p.allowed.Load(); allowed != before {
		p.allowed.Store(allowed)
		if max(allowed, -allowed) > max(before, -before) {
			w.mustPublish = true // the loop may be waiting for a higher allowance
		}
	}
}

// quotaUsed returns how many messages count against the quota: those pending, and those that wait
// for their key.
func (w *Worker) quotaUsed() int {
	n := w.main.pending.count
	if w.retry != nil {
		n += w.retry.queued
	}
	return n
}

// waitsForMore reports whether the handler has deferred as many messages as the quota allows, so
// that it gets more only with a higher quota.
func (w *Worker) waitsForMore() bool {
	return w.pace.span > 0 && !w.draining.Load() && int64(w.quotaUsed()) >= w.pace.quota &&
		w.main.pending.count > 0 && w.canRetry() && w.in.empty() != w.holdBack
}

// widen doubles the quota of a starved handler that has resolved nothing for span. After twice that
// time, it does so whatever the hook Starved returns: such a handler cannot drain in time anyway.
// It returns false if it did not.
func (w *Worker) widen() bool {
	p := &w.pace
	if !w.waitsForMore() {
		return false
	}
	now := w.now()
	if now < p.lookAt {
		return false
	}
	first := p.lookAt == 0
	p.lookAt = now + p.span/starveSteps
	if first {
		p.lookAt = p.since + p.span
		return false
	}
	if w.main.completer.hooks.Starved != nil && now-p.since < 2*p.span && !w.main.starved() {
		return false
	}
	p.quota = min(2*p.quota, math.MaxInt32)
	w.mustPublish = true // the loop may be waiting for a higher allowance
	return true
}

// armLook sets the timer that wakes a worker about to park, when it must check whether a handler is
// starved or stalled.
func (w *Worker) armLook() {
	p := &w.pace
	at := p.lookAt
	switch {
	case w.draining.Load() && w.mayStall():
		at = p.since + drainStall
	case !w.waitsForMore() || at == 0:
		return
	}
	wait := at - w.now()
	if p.timer == nil {
		p.timer = time.AfterFunc(wait, w.Wake)
	} else {
		p.timer.Reset(wait)
	}
}

// mayLook reports, just before parking, whether widen is due.
func (w *Worker) mayLook() bool {
	return w.waitsForMore() && w.pace.lookAt != 0 && w.now() >= w.pace.lookAt
}
