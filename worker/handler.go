package worker

import (
	"context"
	"time"
)

// Sink makes the handlers of workers and owns what they share. One sink may serve several gateways.
// It outlives them: whoever made the sink closes it after all gateways have ended.
type Sink interface {
	// Open makes the handler of one worker. The handler resolves deferred messages through c.
	// If it has hooks, Open calls c.SetHooks.
	Open(c Completer) (Handler, error)

	// Ready returns nil while the sink can take messages, else an error that names what is
	// missing. Any goroutine may call it, and it must not block.
	Ready() error

	// Failed returns a channel that is closed when the sink can never take messages again. The
	// gateways then end with the error of Err. A nil channel means that the sink never fails.
	Failed() <-chan struct{}
	// Err returns why the sink has failed; nil until Failed is closed.
	Err() error

	// Close releases what the handlers shared. They have all been closed.
	Close() error
}

// AlwaysReady implements every method of [Sink] except Open, for embedding in a sink that can
// always take messages and has nothing to close.
type AlwaysReady struct{}

func (AlwaysReady) Ready() error            { return nil }
func (AlwaysReady) Failed() <-chan struct{} { return nil }
func (AlwaysReady) Err() error              { return nil }
func (AlwaysReady) Close() error            { return nil }

// Handler processes the messages of one worker. The worker's goroutine calls its methods, so its
// own fields need no lock. A panic in one of them is counted and logged, and ends nothing else.
type Handler interface {
	// Handle resolves each message of a batch, asks for it again, or defers it. A batch has one
	// or more messages, in order of arrival; batches grow for as long as that lowers the time
	// per message. Messages left over when Handle returns or panics are refused with code
	// [Refused].
	//
	// Handle may block; meanwhile, further messages of its worker wait. When
	// [Completer.Context] ends, it must return soon.
	Handle(b Batch)

	// Drain is called once, when no new messages will arrive. The handler must resolve its
	// deferred messages without waiting for more, and Drain itself must not block. Handle may
	// still be called with messages that are tried again.
	Drain()

	// Close ends the handler. Messages that it has deferred and not resolved are abandoned:
	// they are not acknowledged, and resolving them has no effect. Their data stay valid for
	// goroutines that still read them.
	Close() error
}

// Batch holds the messages of one call of Handle, and is valid during that call only. Resolve,
// Again and Defer each take the next n of the remaining messages, in order; n above Len panics.
type Batch interface {
	Len() int         // remaining messages
	At(i int) Message // the i-th remaining message, from 0
	Size(i int) int   // len(At(i).Data), at less cost
	Bytes() int       // the sum of Size over the remaining messages

	// Resolve resolves the next n messages with one code: OK, or why they are refused.
	Resolve(n int, code Code)
	// Again asks to be given the next n messages once more after this time, as the function
	// [Again] does.
	Again(n int, after time.Duration)
	// Defer defers the next n messages, until the handler resolves them through its
	// [Completer]. It returns the ID of the first; the others have the IDs after it.
	Defer(n int) ID
	// Each calls f for every remaining message, which the result of f resolves, or asks for
	// again. A panic in f refuses its message only.
	Each(f Func)
}

// ID identifies a deferred message of one worker. IDs count deferrals, from 0.
type ID uint64

// Completer resolves the deferred messages of one worker, in any order. Its calls must not overlap
// each other; they may overlap Handle.
type Completer interface {
	// Resolve resolves n messages with consecutive IDs, with one code. It takes effect at the
	// next Flush, and never blocks. To resolve a message twice is a bug, and panics.
	Resolve(first ID, n int, code Code)
	// Again asks to be given n messages with consecutive IDs once more after this time, as the
	// function [Again] does. It takes effect at the next Flush. If they are deferred again,
	// they get new IDs.
	Again(first ID, n int, after time.Duration)
	// Flush passes on the messages resolved so far, and wakes the worker.
	Flush()
	// Context ends when the gateway stops its workers. Handle, and whatever processes deferred
	// messages, must then return.
	Context() context.Context
	// Panicked counts and logs a panic that the handler has recovered from. The log has the
	// type of the reason, not its text, which may quote a message.
	Panicked(reason any)
	// ObserveCalls counts n calls of what processes the messages, each of which took this time,
	// for a handler with Hooks.ObservesCalls.
	ObserveCalls(each time.Duration, n int)
	// SetHooks sets the handler's hooks. Only Open may call it.
	SetHooks(h Hooks)
}

// Hooks are what only some handlers need. The worker's goroutine calls the functions; each may be
// nil. They belong to the [Completer] rather than to Handler, so that a handler that wraps another
// one cannot lose them.
type Hooks struct {
	// Flush is for a handler that waits for more messages before it processes deferred ones. It
	// is called when no more will arrive until some are resolved, because the handler has as
	// many as it may have, or the gateway has stopped reading. It must not block. The handler
	// may wait again from the next Handle on.
	Flush func()

	// Starved is for a handler that defers messages. It reports whether the handler needs more
	// of them before it can resolve any, as one does that waits for a full batch; a slow
	// handler does not. The gateway limits what a worker has to what it can do at its pace so
	// far, and raises the limit for a starved handler. Without Starved, a handler that
	// has resolved nothing for a while counts as starved.
	Starved func() bool

	// Again is for a handler that takes several messages before it resolves the first, and asks
	// for messages again: under order by key, it gets at most one message of each key at a
	// time. Without Again, messages of a key that it took before it asked for an earlier one
	// again overtake that.
	Again bool

	// ObservesCalls is for a handler that only passes messages on to what processes them, such as
	// a child process: it calls [Completer.ObserveCalls], and calls of Handle do not count as
	// calls in the metrics.
	ObservesCalls bool
}
