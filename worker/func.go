package worker

import "context"

// Func processes one message. Nil means that it is done and may be acknowledged; [Again] asks for
// it once more, [Refuse] refuses it with a code, and any other error is a failure: the message is
// retried if the gateway is told to, then refused with code [Refused], as after a panic. ctx ends
// when the gateway stops its workers; m is valid until Func returns.
type Func func(ctx context.Context, m Message) error

// Each makes a sink of a function that processes one message at a time. All workers call f, at the
// same time.
func Each(f Func) Sink { return each{f} }

type each struct{ f Func }

func (e each) Open(Completer) (Handler, error) { return eachHandler(e), nil }
func (e each) Ready() error                    { return nil }
func (e each) Failed() <-chan struct{}         { return nil }
func (e each) Err() error                      { return nil }
func (e each) Close() error                    { return nil }

type eachHandler struct{ f Func }

func (h eachHandler) Handle(b Batch) { b.Each(h.f) }
func (h eachHandler) Drain()         {}
func (h eachHandler) Close() error   { return nil }
