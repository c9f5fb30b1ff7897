package worker

// Hooks are what only some handlers can do. [Sink.Open] sets them on the [Completer] that it is
// given, which belongs to the worker: so a sink or a handler that wraps another one cannot lose
// them. All are called on the worker's goroutine, and may be nil.
type Hooks struct {
	// Flush is for a handler that may wait for more messages before it does anything with
	// those that it has deferred. It must not when none will come until it has completed
	// some: Flush is called when the handler has as many as it may have, or the gateway has
	// stopped reading. It does not wait. A later Handle cancels it.
	Flush func()

	// Starved is for a handler that defers messages and knows whether it needs more of them
	// to go on. One that gathers messages before it completes any must get more than its
	// pace so far allows; one that is slow must not. Without Starved, a handler counts as
	// starved if it has completed nothing for a while.
	Starved func() bool
}
