package pool

import "time"

// A worker looks at the clock after about lookTime of completed messages, but after
// lookMost of them at the latest: a handler can become slow in the middle of a batch.
const (
	lookTime = 25 * time.Microsecond
	lookMost = 128
)

// progress is that of the batch in hand. The worker owns it.
type progress struct {
	completed int           // messages since the last look at the clock
	stride    int           // messages from there to the next, 1 at least
	looked    time.Duration // when it was
	published time.Duration // when something was last published, or the batch began
	target    time.Duration // how long what is finished may wait to be published
}

// begin notes that a batch begins.
func (p *progress) begin(now, target time.Duration) {
	p.completed, p.looked, p.published, p.target = 0, now, now, target
}

// end notes that the batch has ended. One shorter than a stride has not looked at the clock, and the
// next may be as slow as it was.
func (p *progress) end(now time.Duration) {
	if p.completed > 0 {
		p.look(now)
	}
}

// look is a look at the clock, after one message at least.
func (p *progress) look(now time.Duration) {
	each := max(1, (now-p.looked)/time.Duration(p.completed))
	p.stride = int(max(1, min(lookMost, lookTime/each)))
	p.completed, p.looked = 0, now
}

// noteCompleted notes that n messages more were completed. What is finished is published if the
// loop has waited for it as long as a batch is to take.
func (w *Worker) noteCompleted(n int) {
	p := &w.progress
	if p.completed += n; p.completed < p.stride {
		return
	}
	now := w.now()
	p.look(now)
	if now-p.published >= p.target {
		p.published = now
		w.publishFinished()
	}
}
