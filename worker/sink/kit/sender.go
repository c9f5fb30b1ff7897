package kit

import (
	"time"

	"feedgate/worker/backoff"
)

// claim holds the messages that a sender has, in batches that it sends one after the other: several
// if a batch was split.
type claim struct {
	batches  []*Batch  // the next one is last
	refusals []refusal // kept until the server has accepted a message
	fit      int       // messages that were not unfit
	wait     *backoff.Backoff
}

// buffers are a sender's, for the first batch of each claim. When it claims again, every message of the last
// claim has its outcome, and nothing uses its batches any more.
type buffers struct {
	entries  []entry
	outcomes []Outcome
}

// send is the goroutine of a sender.
func (h *handler) send() {
	var reused buffers
	for {
		c := h.claim(&reused)
		if c == nil {
			return
		}
		for len(c.batches) > 0 {
			if !h.attempt(c) {
				return
			}
		}
		h.endClaim(c)
	}
}

// claim waits for messages that may be sent, and claims them. It returns nil when the handler has
// ended.
func (h *handler) claim(reused *buffers) *claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.closed && (!h.sink.connected.Load() || !h.due()) {
		h.changed.Wait()
	}
	if h.closed {
		return nil
	}
	all := h.queues.claim(&h.sink.cfg, reused.entries[:0])
	reused.entries = all
	if len(all) > len(reused.outcomes) {
		reused.outcomes = make([]Outcome, cap(all))
	}
	if h.queues.waiting > 0 {
		h.changed.Signal() // another sender may claim the rest
	}
	h.batches++
	return &claim{
		batches: []*Batch{h.batch(h.batches, all, reused.outcomes[:len(all)])}, fit: len(all),
		wait: h.sink.common.NewBackoff(),
	}
}

// due reports whether a batch is to be sent now. The lock is held.
func (h *handler) due() bool {
	cfg := &h.sink.cfg
	q := &h.queues
	return q.waiting > 0 && (cfg.Linger == 0 || h.flush || h.draining ||
		q.waiting >= cfg.MaxMessages || q.bytes >= cfg.MaxBytes || !time.Now().Before(h.lingers))
}

// attempt sends the claim's next batch once and waits until every message has an outcome. If some
// are to be sent again, it also waits until that is due. It returns false if the handler has ended.
func (h *handler) attempt(c *claim) bool {
	last := len(c.batches) - 1
	b := c.batches[last]
	b.claim = c
	b.begin()
	end := h.sink.common.Stats.Begin(b.Len())
	h.client.Send(h.ctx, b)
	select {
	case <-b.ended:
		end(true)
	case <-h.ctx.Done():
		end(false)
		return false
	}
	c.batches = c.batches[:last]
	h.mu.Lock()
	r := b.result()
	c.refusals = append(c.refusals, r.refusals...)
	h.refuse(c)
	for i := range r.unfit {
		h.resolve([]entry{r.unfit[i].entry}, r.unfit[i].code)
	}
	c.fit -= len(r.unfit)
	if len(r.halves) > 0 {
		first, second := b.halve(r.halves)
		c.batches = append(c.batches, second, first)
	}
	h.mu.Unlock()
	retry, after, why := r.retry, r.after, r.why
	if retry == nil {
		if h.setDown(c, nil) {
			h.sink.log.waits.Forget()
			if r.done {
				h.sink.log.resumes.Add("worker", h.worker)
			}
		}
		return true
	}
	if h.ctx.Err() != nil || h.sink.Err() != nil {
		return false
	}
	c.batches = append(c.batches, retry)
	h.sink.common.Stats.Retries.Add(1)
	wait := max(c.wait.NextBackOff(), min(after, h.sink.common.ReconnectMax))
	h.setDown(c, why)
	h.sink.log.resumes.Forget()
	h.sink.log.waits.Add("worker", h.worker, "error", why, "messages", retry.Len(), "attempt", b.Attempt, "retry_in", wait)
	select {
	case <-time.After(wait):
	case <-h.ctx.Done():
		return false
	}
	return true
}

// refuse resolves refused messages, once the server has accepted any message. The lock is held.
func (h *handler) refuse(c *claim) {
	if !h.accepted.Load() {
		return
	}
	for i := range c.refusals {
		r := &c.refusals[i]
		h.resolve([]entry{r.entry}, r.code)
	}
	c.refusals = c.refusals[:0]
}

// endClaim ends a claim: refused messages are resolved now at the latest. If the server refused all
// of the claim, and has never accepted a message, the settings are at fault rather than the
// messages: the sink fails, and none of them is resolved.
func (h *handler) endClaim(c *claim) {
	if len(c.refusals) > 0 && h.sink.Accepted() {
		h.accepted.Store(true)
	}
	if len(c.refusals) > 0 && len(c.refusals) == c.fit && !h.accepted.Load() {
		h.sink.failAllRefused()
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse(c)
}

// noteAccepted records that the server has accepted a message.
func (h *handler) noteAccepted() {
	if !h.accepted.Load() {
		h.sink.noteAccepted()
		h.accepted.Store(true)
	}
}
