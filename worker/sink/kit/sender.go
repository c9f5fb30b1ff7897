package kit

import (
	"time"

	"feedgate/worker/backoff"
)

// claim is what a sender has: batches of messages, with their lanes, that are sent one after
// the other. More than one if a batch was split.
type claim struct {
	batches  []*Batch  // the last one first
	refusals []refusal // while nothing was ever accepted
	tried    int       // messages that the server was to take
	wait     *backoff.Backoff
}

// send is a sender.
func (h *handler) send() {
	for {
		c := h.claim()
		if c == nil {
			return
		}
		for len(c.batches) > 0 {
			if !h.attempt(c) {
				return
			}
		}
		h.release(c)
	}
}

// claim waits for messages that may be sent; nil when the handler has ended.
func (h *handler) claim() *claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.closed && (!h.sink.connected.Load() || !h.due()) {
		h.changed.Wait()
	}
	if h.closed {
		return nil
	}
	all := h.lanes.take(&h.sink.cfg)
	if h.lanes.waiting > 0 {
		h.changed.Signal() // another sender may take the rest
	}
	return &claim{
		batches: []*Batch{h.newBatch(all)}, tried: len(all),
		wait: h.sink.common.NewBackoff(),
	}
}

// due reports whether there is something to send now. The lock is held.
func (h *handler) due() bool {
	cfg := &h.sink.cfg
	l := &h.lanes
	return l.waiting > 0 && (cfg.Linger == 0 || h.flush || h.draining ||
		l.waiting >= cfg.MaxMessages || l.bytes >= cfg.MaxBytes || !time.Now().Before(h.lingers))
}

// attempt sends the claim's next batch once, waits for its outcome and, if it is to be sent
// again, until then. False: the handler has ended.
func (h *handler) attempt(c *claim) bool {
	last := len(c.batches) - 1
	b := c.batches[last]
	b.begin()
	h.client.Send(h.ctx, b)
	select {
	case <-b.resolved:
	case <-h.ctx.Done():
		return false
	}
	c.batches = c.batches[:last]
	h.mu.Lock()
	r := b.result()
	c.refusals = append(c.refusals, r.refusals...)
	h.refuse(c)
	for i := range r.unfit {
		h.complete([]entry{r.unfit[i].entry}, r.unfit[i].code)
	}
	c.tried -= len(r.unfit)
	if len(r.halves) > 0 {
		first, second := b.halve(r.halves)
		c.batches = append(c.batches, second, first)
	}
	h.mu.Unlock()
	retry, after, why := r.retry, r.after, r.why
	if retry == nil {
		if h.setDown(c, nil) {
			h.sink.log.resumes.Add("attempts", b.Attempt)
		}
		return true
	}
	c.batches = append(c.batches, retry)
	wait := max(c.wait.NextBackOff(), min(after, h.sink.common.ReconnectMax))
	h.setDown(c, why)
	h.sink.log.waits.Add("error", why, "messages", retry.Len(), "attempt", b.Attempt, "retry_in", wait)
	select {
	case <-time.After(wait):
	case <-h.ctx.Done():
		return false
	}
	return true
}

// refuse completes refused messages once the server has ever accepted one. The lock is held.
func (h *handler) refuse(c *claim) {
	if !h.accepted.Load() {
		return
	}
	for i := range c.refusals {
		r := &c.refusals[i]
		h.complete([]entry{r.entry}, r.code)
	}
	c.refusals = c.refusals[:0]
}

// release ends a claim: what was refused is completed, and with it the lanes are free. If the server refused everything in it, and has never accepted a
// message, that is not the messages' fault, and none of them is completed.
func (h *handler) release(c *claim) {
	if len(c.refusals) > 0 && h.sink.Accepted() {
		h.accepted.Store(true)
	}
	if len(c.refusals) > 0 && len(c.refusals) == c.tried && !h.accepted.Load() {
		h.sink.Fail(errAllRefused)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse(c)
}

// works notes that the server has accepted a message.
func (h *handler) works() {
	if !h.accepted.Load() {
		h.sink.noteAccepted()
		h.accepted.Store(true)
	}
}
