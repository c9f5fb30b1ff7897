package worker

import (
	"context"
	"time"
)

// Sink makes the handlers of a gateway's workers and owns what they share. One sink may serve
// several gateways.
type Sink interface {
	// Open makes the handler of one worker. c resolves the messages that the handler defers;
	// Open sets its hooks, if the handler has any.
	Open(c Completer) (Handler, error)

	// Ready is nil while the sink can take messages, else it names what is missing. Any
	// goroutine may call it.
	Ready() error

	// Failed is closed once the sink can never take messages again: gateways end, and Err is
	// the reason. A nil channel: it never fails.
	Failed() <-chan struct{}
	// Err is nil until Failed is closed.
	Err() error

	// Close releases what the handlers shared, after all of them were closed.
	Close() error
}

// Handler processes the messages of one worker. All its methods are called on that worker's
// goroutine, one at a time.
type Handler interface {
	// Handle gets a batch of one or more messages, in order of arrival, and resolves or defers
	// each of them. Batches grow as long as that lowers the time per message. What is neither
	// resolved nor deferred when Handle returns or panics is refused with code [Refused].
	// Handle may block; further messages of its worker then wait. It must return soon after
	// [Completer.Context] has ended.
	Handle(b Batch)

	// Drain announces that no further message will arrive and that deferred ones are to be
	// resolved. It must not wait for that. A retry can still bring a message.
	Drain()

	// Close ends the handler. Messages deferred and not resolved by then are abandoned, and
	// later completions are ignored; their data stay valid, for goroutines that still read
	// them.
	Close() error
}

// Batch is the messages of one call of Handle. It is valid during that call only. Its methods take
// the messages that are left in order: Done, Again and Defer each take the next ones.
type Batch interface {
	Len() int         // messages left
	At(i int) Message // the i-th message left, from 0
	Size(i int) int   // bytes of its data; cheaper than At
	Bytes() int       // the sum of Size for all messages left

	// Done resolves the next n messages with one code: OK, or why they are refused.
	Done(n int, code Code)
	// Again asks for the next n messages once more after this time, see [Again].
	Again(n int, after time.Duration)
	// Defer defers the next n messages until the handler's [Completer] resolves them, in any
	// order. They get consecutive IDs, of which it returns the first.
	Defer(n int) ID
	// Each resolves every message left by what f returns for it. A panic of f refuses that
	// message only.
	Each(f Func)
}

// ID identifies a deferred message of one worker. IDs count up from 0 without gaps, in the order
// of deferral.
type ID uint64

// Completer resolves the messages that one worker's handler has deferred. One goroutine may use it
// at a time, also while the worker is in Handle.
type Completer interface {
	// Done resolves n messages with consecutive IDs, with one code. It never blocks. The worker
	// learns of it at the next Flush.
	Done(first ID, n int, code Code)
	// Again asks for n messages with consecutive IDs once more after this time. They then get
	// new IDs if they are deferred again.
	Again(first ID, n int, after time.Duration)
	// Flush passes the completions so far to the worker and wakes it.
	Flush()
	// Context ends when the gateway stops its workers: Handle and whatever works on deferred
	// messages must then return.
	Context() context.Context
	// Panicked counts and logs a panic that the handler has recovered from. The reason, which may
	// quote a message, is not logged, only its type.
	Panicked(reason any)
	// SetHooks sets the hooks of the handler. Only Open may call it.
	SetHooks(h Hooks)
}

// Hooks are what only some handlers can do. They belong to the [Completer], so that a sink or a
// handler that wraps another one cannot lose them. All are called on the worker's goroutine; nil
// functions are not.
type Hooks struct {
	// Flush is for a handler that may wait for more messages before it processes deferred ones.
	// It is called when no more will arrive until some are resolved: the handler has as many
	// as it may have, or the gateway has stopped reading. It must not wait. The next Handle
	// cancels it.
	Flush func()

	// Starved is for a handler that defers messages and knows whether it needs more of them to
	// go on: one that gathers messages before it resolves any needs more than its pace so far
	// allows; one that is slow does not. Without Starved, a handler counts as starved if it has
	// resolved nothing for a while.
	Starved func() bool

	// Again is for a handler that takes several messages before it resolves the first, and asks
	// for messages again: under order by key, it gets at most one message of each key at a
	// time. Without Again, messages of a key that it took before it asked for an earlier one
	// again overtake that.
	Again bool
}
