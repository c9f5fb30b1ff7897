package worker

import (
	"context"
	"errors"
)

// Func processes one message. Its result decides what becomes of the message:
//
//   - nil: it is done, and is acknowledged.
//   - [Again]: the function wants it once more, after some time.
//   - [Refuse]: it is refused with a code.
//   - any other error, or a panic: it is refused with code [Refused].
//
// With --retries, a refused message is tried again first. ctx ends when the gateway stops its
// workers, at the latest after --drain-timeout; an error that is returned after that means that the
// message was not processed: it is neither acknowledged nor refused. m.Data is valid until Func
// returns.
type Func func(ctx context.Context, m Message) error

// Each returns a sink that calls f for every message. Each worker calls f for one message at a
// time; several workers call it at once.
func Each(f Func) Sink { return each{f: f} }

type each struct {
	AlwaysReady
	f Func
}

func (e each) Open(Completer) (Handler, error) {
	if e.f == nil {
		return nil, errNoFunction
	}
	return eachHandler{e.f}, nil
}

// errNoFunction is the fault of a sink without a function, which would refuse every message.
var errNoFunction = errors.New("worker: the function is nil")

type eachHandler struct{ f Func }

func (h eachHandler) Handle(b Batch) { b.Each(h.f) }
func (h eachHandler) Drain()         {}
func (h eachHandler) Close() error   { return nil }
