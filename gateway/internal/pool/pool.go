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

// Config sets a pool up. Fields from Render to DeadLetters, Now and Log may be
// zero.
type Config struct {
	Workers  int
	Ring     int // entries of each ring, a power of two
	InFlight int // the most messages that can be with the pool at once

	Slabs *Slabs
	Sink  worker.Sink

	// Render makes a message's ack, appending to dst; nil when acks need nothing
	// from the message and the loop makes them. Called on worker goroutines.
	Render func(dst []byte, m worker.Message, code worker.Code) []byte

	// Output makes what the sink's handler gets as a message's data, appending to dst; nil:
	// it gets the message. Called on worker goroutines. Acks, keys, retries and dead letters
	// are of the message itself. What was made of deferred messages is kept until they are
	// completed. A worker that keeps OutputMemory bytes or more takes no further messages.
	Output       func(dst []byte, m worker.Message) []byte
	OutputMemory int64

	// Retries is how often a message that failed is tried again, RetryMin the
	// wait before the first of these, doubling. Key, where order is by key, makes
	// later messages of a key wait behind one that failed.
	Retries  int
	RetryMin time.Duration
	Key      *selector.Selector
	// DeadLetters takes messages that are refused for good; nil: they are only
	// refused. What it completes is replied to with code DeadLettered.
	DeadLetters worker.Sink

	// DrainSpan bounds what a worker may have at once to what it can do in this time at
	// its pace so far; 0: no bound. Without HoldBack, [Worker.Allowance] is that bound, and
	// the loop keeps to it. With HoldBack, the loop gives a worker what it likes; the worker
	// hands its handler no more than the bound, and Drain has it return the rest.
	DrainSpan time.Duration
	HoldBack  bool

	// Bell counts published replies for the loop; Wake wakes it when the bell
	// says so.
	Bell *ring.Bell
	Wake func()

	Now func() time.Duration // a clock that never goes back; nil: the machine's

	Log *slog.Logger
}

// Pool is N workers. Its owner is one goroutine, the gateway's loop:
//
//	New opens the handlers; Start starts the goroutines;
//	Drain says that nothing will be dispatched any more; replies go on;
//	Stop ends the workers where they stand, closes the handlers and waits.
type Pool struct {
	workers []*Worker
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	done    sync.WaitGroup
	panics  atomic.Uint64
	quota   atomic.Int64  // of the worker that has measured its pace last; 0: none has
	asked   atomic.Uint32 // how often the loop has asked what the workers have
}

// New makes the workers and opens a handler for each.
func New(cfg Config) (*Pool, error) {
	p := new(Pool)
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for i := range cfg.Workers {
		w := newWorker(i, &cfg, p)
		p.workers = append(p.workers, w)
		if err := w.openHandlers(&cfg); err != nil {
			return nil, errors.Join(err, p.closeHandlers())
		}
	}
	return p, nil
}

func (w *Worker) openHandlers(cfg *Config) (err error) {
	if w.main.handler, err = cfg.Sink.Open(&w.main.completer); err != nil {
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
	if w.dead.handler, err = cfg.DeadLetters.Open(&w.dead.completer); err != nil {
		return fmt.Errorf("open the dead letters for worker %d: %w", w.id, err)
	}
	w.flush.wanted = w.flush.wanted || w.dead.completer.hooks.Flush != nil
	return nil
}

// Start starts the workers' goroutines.
func (p *Pool) Start() {
	for _, w := range p.workers {
		p.done.Add(1)
		go func() {
			defer p.done.Done()
			w.run()
		}()
	}
}

// Turn does what a worker has to do now, up to one batch; false when that was
// nothing. It is for who runs the workers of a pool that was not started on a
// schedule of its own: one goroutine calls it, also for Drain to have an effect. No
// reply ring may be full.
func (p *Pool) Turn(worker int) bool { return p.workers[worker].turn() }

// Workers are the pool's workers, for dispatch and replies.
func (p *Pool) Workers() []*Worker { return p.workers }

// Panics is the number of handler panics. Any goroutine may ask.
func (p *Pool) Panics() uint64 { return p.panics.Load() }

// Drain tells the handlers, once their workers' rings are empty, that no message
// will come any more. It does not wait.
func (p *Pool) Drain() {
	for _, w := range p.workers {
		w.draining.Store(true)
		w.Wake()
	}
}

// Stop ends the workers, each after the Handle that it is in, closes the handlers
// and waits for them. A pool that was never started only closes its handlers. Messages that are
// not finished are replied to no more; those that no handler has deferred give up their data.
func (p *Pool) Stop() error {
	p.cancel()
	for _, w := range p.workers {
		w.Wake()
	}
	p.done.Wait()
	for _, w := range p.workers {
		w.aside.close()
	}
	err := p.closeHandlers()
	for _, w := range p.workers {
		w.giveUp()
	}
	return err
}

// AckBytes is the memory, in bytes, of acks on their way to the loop that are too long for the
// rings.
func (p *Pool) AckBytes() int64 {
	sum := int64(0)
	for _, w := range p.workers {
		sum += w.aside.bytes.Load()
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
			if err := s.handler.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close the sink of worker %d: %w", w.id, err))
			}
		}
	}
	return errors.Join(errs...)
}
