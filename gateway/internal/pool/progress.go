package pool

import "time"

// In the middle of a batch, a worker reads the clock about every lookTime, at least after every
// lookMost resolved messages: a handler can become slow.
const (
	lookTime = 25 * time.Microsecond
	lookMost = 128
)

// progress decides when the replies to a batch are published before its end. The worker owns it.
type progress struct {
	resolved  int           // messages since the clock was last read
	stride    int           // messages between two reads of the clock, at least 1
	looked    time.Duration // when it was last read
	published time.Duration // when replies were last published, or the batch began
	target    time.Duration // how long replies may wait to be published
}

// begin begins a batch.
func (p *progress) begin(now, target time.Duration) {
	p.resolved, p.looked, p.published, p.target = 0, now, now, target
}

// end ends the batch. If that was shorter than a stride, the clock was not read in it, though the
// next batch may be as slow.
func (p *progress) end(now time.Duration) {
	if p.resolved > 0 {
		p.look(now)
	}
}

// look uses a read of the clock, after at least one message.
func (p *progress) look(now time.Duration) {
	each := max(1, (now-p.looked)/time.Duration(p.resolved))
	p.stride = int(max(1, min(lookMost, lookTime/each)))
	p.resolved, p.looked = 0, now
}

// untilLook returns after how many more resolved messages the clock is read. It is at least 1.
func (p *progress) untilLook() int { return max(1, p.stride-p.resolved) }

// noteResolved counts n more resolved messages. It publishes the replies so far if they have waited
// for target.
func (w *Worker) noteResolved(n int) {
	p := &w.progress
	if p.resolved += n; p.resolved < p.stride {
		return
	}
	now := w.now()
	p.look(now)
	if now-p.published >= p.target {
		p.published = now
		w.publishReplies()
	}
}
