package worker

// Func handles one message and returns OK, or the code with which the message is
// refused. A panic refuses the message with code Refused and is counted.
type Func func(m Message) Code

// Handler is what one worker runs its messages through. All its methods are
// called on that worker's goroutine, one at a time.
type Handler interface {
	// Handle takes a batch of one or more messages, in order of arrival; their numbers may
	// have gaps. Batches grow as far as that makes messages take less time each. Handle goes
	// through them with [Batch.Done], which completes the next ones, and
	// [Batch.Later], which puts the next ones off until the [Completer] that the
	// handler was opened with completes them, in any order. What was passed to
	// neither when Handle returns or panics is refused with code Refused. Handle
	// may block; its worker's further messages then wait. It must return soon
	// after [Completer.Stopped] was closed.
	Handle(b *Batch)

	// Drain announces that no message will come any more and that what was put off is
	// to be finished. It does not wait. A retry can still bring a message.
	Drain()

	// Close ends the handler. Messages put off and not completed by then are
	// given up; completions that still come are ignored. The data of those stay valid, for
	// goroutines that still read them.
	Close() error
}

// Sink makes the handlers of a pool's workers and owns what they share. One sink
// may serve several pools.
type Sink interface {
	// Open makes the handler of one worker. c completes what the handler puts
	// off; Open sets its [Hooks], if the handler has any.
	Open(c *Completer) (Handler, error)

	// Ready is nil when the sink can take messages, else what is missing. Any
	// goroutine may ask.
	Ready() error

	// Failed is closed, after which Err says why, when the sink can never take
	// messages again and the process should end with status 1.
	Failed() <-chan struct{}
	// Err is nil until Failed is closed.
	Err() error

	// Close releases what the handlers shared, after all of them were closed.
	Close() error
}

// Each makes a sink of a function that handles one message at a time. All workers
// call f, at the same time; it must be safe for that.
func Each(f Func) Sink { return each{f} }

type each struct{ f Func }

func (e each) Open(*Completer) (Handler, error) { return eachHandler(e), nil }
func (e each) Ready() error                     { return nil }
func (e each) Failed() <-chan struct{}          { return nil }
func (e each) Err() error                       { return nil }
func (e each) Close() error                     { return nil }

type eachHandler struct{ f Func }

func (h eachHandler) Handle(b *Batch) {
	for b.Left() > 0 {
		h.handleUntilPanic(b)
	}
}

// handleUntilPanic costs one deferred call a batch rather than one a message: a
// panic ends it behind the message that panicked, and Handle goes on from there.
// Messages with one outcome are completed together, up to the worker's next look at the
// clock: slow ones are acknowledged one by one.
func (h eachHandler) handleUntilPanic(b *Batch) {
	done, outcome := 0, OK
	defer func() {
		r := recover()
		if done > 0 {
			b.Done(done, outcome)
		}
		if r != nil {
			b.panicked(r)
			b.Done(1, Refused)
		}
	}()
	for b.Left() > 0 {
		var m Message
		if b.msgs == nil {
			m = b.plain(0) // of which the others differ in data and number only
		}
		for end := min(b.Left(), b.s.w.progress.stride); done < end; done++ {
			if b.msgs == nil {
				m.Data, m.Seq = b.data(done), b.run.first.Seq+uint64(done)
			} else {
				m = b.msgs[done]
			}
			code := h.f(m)
			if code != outcome {
				if done > 0 {
					b.Done(done, outcome)
				}
				end -= done
				done, outcome = 0, code
			}
		}
		b.Done(done, outcome)
		done = 0
	}
}

func (h eachHandler) Drain()       {}
func (h eachHandler) Close() error { return nil }
