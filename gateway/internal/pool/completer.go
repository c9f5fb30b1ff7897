package pool

import (
	"context"
	"time"

	"feedgate/ring"
	"feedgate/worker"
)

// completer implements [worker.Completer]. A ring takes the completions to the worker.
type completer struct {
	hooks    worker.Hooks // set while the handler is opened
	observed bool         // the handler calls ObserveCalls; set while it is opened

	s    *handlerState
	ring *ring.SPSC[completion]
}

// completion resolves n deferred messages with consecutive IDs. With codeAgain, it asks for one
// message again, after n milliseconds.
type completion struct {
	first worker.ID
	n     uint32
	code  worker.Code
}

// codeAgain marks a completion that asks for a message again. No handler resolves with Returned.
const codeAgain = Returned

// Resolve implements [worker.Completer]. The ring has space for every message that can be pending.
func (c *completer) Resolve(first worker.ID, n int, code worker.Code) {
	if !code.ForHandlers() {
		code = worker.Refused
	}
	if n > 0 {
		c.put(completion{first, uint32(n), code})
	}
}

// Again implements [worker.Completer].
func (c *completer) Again(first worker.ID, n int, after time.Duration) {
	ms := uint32(max(worker.MinAgain, min(after, worker.MaxAgain)).Milliseconds())
	for i := range n {
		c.put(completion{first + worker.ID(i), ms, codeAgain})
	}
}

func (c *completer) put(done completion) {
	s := c.ring.Reserve(1)
	if len(s) == 0 {
		panic("worker: more completions than deferred messages")
	}
	s[0] = done
	c.ring.Commit(1)
}

// Flush implements [worker.Completer].
func (c *completer) Flush() {
	c.ring.Publish()
	c.s.w.Wake()
}

// Context implements [worker.Completer].
func (c *completer) Context() context.Context { return c.s.w.pool.ctx }

// Panicked implements [worker.Completer].
func (c *completer) Panicked(reason any) { c.s.panicked(reason) }

// SetHooks implements [worker.Completer].
func (c *completer) SetHooks(h worker.Hooks) { c.hooks, c.observed = h, h.ObservesCalls }

// ObserveCalls implements [worker.Completer].
func (c *completer) ObserveCalls(each time.Duration, n int) { c.s.w.callTimes.Observe(each, n) }
