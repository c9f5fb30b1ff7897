package handlertest

import "feedgate/worker"

// Options are settings of a gateway for [StartWith]. Zero fields are their defaults.
type Options struct {
	Workers  int // default 1
	InFlight int // most messages that may be unresolved at once; default 1024

	// Retries is how many times a refused message is tried again, with --retry-min 1ms.
	Retries int
	// Key is the selector of order by key, as of --key; empty: messages have no order by key.
	// The test sends messages of a key to one worker.
	Key string
	// DeadLetters gets the messages that are refused after all retries; nil: nothing does.
	DeadLetters worker.Sink
}
