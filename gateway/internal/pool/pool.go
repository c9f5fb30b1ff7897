// Package pool runs the handlers of a gateway: N workers, each a goroutine, with a ring of
// descriptors from the gateway's loop to the worker and a ring of replies back.
//
// A message passes through a worker as follows. The loop publishes its descriptor. The worker gives
// it to the sink's handler, in a batch. The handler resolves it, asks for it again, or defers it; a
// deferred one is pending until the handler resolves it through its completer. A message that
// succeeded, or was refused with no try left, is done, and the worker replies to it; one with tries
// left, or asked for again, waits in the retrier; a refused one that is to be kept goes to the
// handler of dead letters first. The loop collects the reply and sends the ack.
package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/ring"
	"feedgate/worker"
	"feedgate/worker/selector"
)

// Config is the configuration of a pool. The fields from Render to HoldBack, Now and Log may be
// zero.
type Config struct {
	Workers  int
	Ring     int // entries of each ring, a power of two
	InFlight int // limit of the messages that the pool has at once

	Slabs *Slabs
	Sink  worker.Sink

	// Render appends the ack of a message to dst. Nil: acks need nothing from the message, and
	// the loop makes them. Workers call it.
	Render func(dst []byte, m worker.Message, code worker.Code) []byte

	// Output appends the data that the sink's handler gets for a message to dst. Nil: it gets
	// the message as received. Workers call it. Acks, keys and dead letters are always made of
	// the message as received. The data of a deferred message are kept until it is resolved; a
	// worker that keeps OutputMemory bytes or more takes no new messages.
	Output       func(dst []byte, m worker.Message) []byte
	OutputMemory int64

	// Retries is how often a refused message is tried again, RetryMin the wait before the
	// second try; it doubles for each further one. Key is the key under order by key; nil:
	// order is not by key.
	Retries  int
	RetryMin time.Duration
	Key      *selector.Selector
	// DeadLetters gets messages that are refused with no try left; those that it keeps are
	// replied to with code DeadLettered. Nil: they are refused.
	DeadLetters worker.Sink

	// DrainSpan limits the messages of a worker to what it can do in this time at its pace so
	// far; 0: no limit. Without HoldBack, the loop gives a worker no more than
	// [Worker.Allowance]. With HoldBack, it gives it any number; the worker gives its handler
	// no more than the limit, and returns the others at Drain.
	DrainSpan time.Duration
	HoldBack  bool

	// Events counts published replies for the loop. Wake wakes the loop; it is called if
	// Events.Add returns true.
	Events *ring.EventCount
	Wake   func()

	Now func() time.Duration // monotonic clock; nil: the machine's

	Log *slog.Logger
}

// Pool is the workers of a gateway. The gateway's loop owns it:
//
//	New opens the handlers.
//	Start starts the workers.
//	Drain announces that no message will be dispatched any more; replies continue.
//	Stop ends the workers, waits for them and closes the handlers.
type Pool struct {
	workers []*Worker
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	done    sync.WaitGroup
	panics  atomic.Uint64
	quota   atomic.Int64  // of the worker that measured its pace last; 0: none has
	asked   atomic.Uint32 // number of calls of Ask
}

// New makes the workers and opens a handler for each.
func New(cfg Config) (*Pool, error) {
	p := new(Pool)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for i := range cfg.Workers {
		w := newWorker(i, &cfg, p)
		p.workers = append(p.workers, w)
		if err := w.openHandlers(&cfg); err != nil {
			p.cancel() // handlers may wait for it
			return nil, errors.Join(err, p.closeHandlers())
		}
	}
	return p, nil
}

// openHandlers opens the handlers of the sink and of dead letters.
func (w *Worker) openHandlers(cfg *Config) (err error) {
	if err = w.main.open(cfg.Sink); err != nil {
		return fmt.Errorf("open the sink for worker %d: %w", w.id, err)
	}
	w.length.init()
	if w.retry == nil && cfg.Key != nil && w.main.completer.hooks.Again {
		w.retry = newRetrier(w, cfg)
	}
	w.flush.wanted = w.main.completer.hooks.Flush != nil
	if w.dead == nil {
		return nil
	}
	if err = w.dead.open(cfg.DeadLetters); err != nil {
		return fmt.Errorf("open the dead letters for worker %d: %w", w.id, err)
	}
	w.flush.wanted = w.flush.wanted || w.dead.completer.hooks.Flush != nil
	return nil
}

// open opens the handler.
func (s *handlerState) open(sink worker.Sink) (err error) {
	err = errors.New("it panicked")
	s.guard(func() { s.handler, err = sink.Open(&s.completer) })
	if err == nil && s.handler == nil {
		err = errors.New("there is no handler")
	}
	return err
}

// Start starts the workers' goroutines.
func (p *Pool) Start() {
	for _, w := range p.workers {
		p.done.Add(1)
		go p.run(w)
	}
}

// run runs a worker. If its handler ends the goroutine, it starts another one.
func (p *Pool) run(w *Worker) {
	returned := false
	defer func() {
		if returned || w.stopping() {
			p.done.Done()
			return
		}
		go p.run(w)
	}()
	w.run()
	returned = true
}

// Turn does what a worker has to do now, up to one batch. It returns false if there was nothing. It
// is for tests that run the workers of a pool that was not started: one goroutine calls it, and no
// reply ring may be full.
func (p *Pool) Turn(worker int) bool { return p.workers[worker].turn() }

// Workers returns the workers, for dispatch and replies.
func (p *Pool) Workers() []*Worker { return p.workers }

// Panics returns the number of panics in handlers so far. Any goroutine may call it.
func (p *Pool) Panics() uint64 { return p.panics.Load() }

// Drain makes each worker call Drain of its handlers once its ring is empty. It does not wait for
// that.
func (p *Pool) Drain() {
	for _, w := range p.workers {
		w.draining.Store(true)
		w.Wake()
	}
}

// Stop ends the workers, each after its current call of Handle, waits for them, and closes the
// handlers. Messages that are not replied to by then never are. The slabs of those that no handler
// has deferred are released.
func (p *Pool) Stop() error {
	p.cancel()
	for _, w := range p.workers {
		w.Wake()
	}
	p.done.Wait()
	for _, w := range p.workers {
		w.longAcks.close()
	}
	err := p.closeHandlers()
	for _, w := range p.workers {
		w.abandon()
	}
	return err
}

// AckBytes returns the memory of acks that are on their way to the loop and too long for the reply
// rings, in bytes.
func (p *Pool) AckBytes() int64 {
	sum := int64(0)
	for _, w := range p.workers {
		sum += w.longAcks.bytes.Load()
	}
	return sum
}

func (p *Pool) closeHandlers() error {
	var errs []error
	for _, w := range p.workers {
		for _, s := range []*handlerState{w.main, w.dead} {
			if s == nil || s.handler == nil {
				continue
			}
			err := errors.New("it panicked")
			s.guard(func() { err = s.handler.Close() })
			if err != nil {
				errs = append(errs, fmt.Errorf("close the sink of worker %d: %w", w.id, err))
			}
		}
	}
	return errors.Join(errs...)
}
