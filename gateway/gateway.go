package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/gateway/internal/pool"
)

// Time for handlers to return and close once the pool is stopped.
const (
	// doneGrace applies after a complete drain: twice the grace period of 2 s that a child of exec:
	// has, and a margin.
	doneGrace = 6 * time.Second
	// abortGrace applies when Run fails or is aborted.
	abortGrace = 400 * time.Millisecond
)

// Gateway has one upstream connection, its event loop and its workers.
//
// New checks the configuration. Run does everything else; when it returns, the connection is closed
// and all goroutines have ended, unless a handler hangs. The caller closes the sink afterwards.
type Gateway struct {
	cfg   Config
	set   settings
	stats Stats
	abort chan struct{}
	once  sync.Once
	ran   atomic.Bool // Run was called
}

// New validates cfg and makes a gateway, which does not connect yet. Its error is [ErrConfig], with a
// [FieldError] for each fault.
func New(cfg Config) (*Gateway, error) {
	set, err := cfg.validate()
	if err != nil {
		return nil, fieldErrors(err)
	}
	set.masks.Add(cfg.Token)
	set.masks.Add(set.codec.Secrets...)
	cfg.Log = slog.New(set.masks.Handler(cfg.Log.Handler())).With("upstream", cfg.Label)
	g := &Gateway{cfg: cfg, set: set, abort: make(chan struct{})}
	g.stats.expect(cfg.Protocol.Scheme().Reasons)
	return g, nil
}

// Stats returns the gateway's counters.
func (g *Gateway) Stats() *Stats { return &g.stats }

// URL returns the upstream as configured.
func (g *Gateway) URL() string { return g.cfg.URL }

// Label returns the upstream's name in logs.
func (g *Gateway) Label() string { return g.cfg.Label }

// Workers returns the number of workers.
func (g *Gateway) Workers() int { return g.cfg.Workers }

// Abort ends a drain at once. Run then returns [ErrUnfinished] unless everything is done.
func (g *Gateway) Abort() { g.once.Do(func() { close(g.abort) }) }

// Run connects, processes messages and reconnects until
//
//   - ctx is cancelled: it then drains, for at most Config.DrainTimeout, and closes the handlers,
//     for which they have up to 6 s more, or 0.4 s if messages are left;
//   - the server closes cleanly, with Config.ExitOnClose; or
//   - something fails permanently.
//
// A nil error means that every message given to a worker is acknowledged, and that the handlers were
// closed without an error. Run may be called once.
func (g *Gateway) Run(ctx context.Context) error {
	if g.ran.Swap(true) {
		return errors.New("gateway: Run was called before")
	}
	g.LogWarnings()
	r, err := newReactor()
	if err != nil {
		return err
	}
	l := newLoop(&g.cfg, g.set, &g.stats, r)
	r.l = l
	l.pool, err = pool.New(pool.Config{
		Workers: g.cfg.Workers, Ring: g.cfg.Ring, InFlight: g.set.window,
		Slabs: l.slabs.table, Sink: g.cfg.Sink, Render: g.set.render(),
		Output: g.set.makeOutput(), OutputMemory: g.cfg.outputMemory() / int64(g.cfg.Workers),
		Retries: g.cfg.Retries, RetryMin: g.cfg.RetryMin, Key: g.set.selector, DeadLetters: g.cfg.DeadLetters,
		DrainSpan: g.cfg.DrainTimeout / 2, HoldBack: g.set.codec.HoldBack,
		Events: &l.events, Wake: r.wake, Log: g.cfg.Log,
	})
	if err != nil {
		return errors.Join(kindError{err: err, kind: ErrSink}, r.close())
	}
	l.setWorkers(l.pool.Workers())
	l.status.every = statusPeriod
	g.stats.attach(l)
	l.pool.Start()

	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { g.watch(ctx, r, ended) })
	if err := r.run(); err != nil {
		l.stop.err = errors.Join(l.stop.err, err)
	}
	close(ended)
	watching.Wait()
	return errors.Join(l.stop.err, g.shutDown(r))
}

// watch tells the loop when ctx is cancelled, the sink fails, or Abort is called.
func (g *Gateway) watch(ctx context.Context, r *reactor, ended <-chan struct{}) {
	drain, failed, abort := ctx.Done(), g.cfg.Sink.Failed(), (<-chan struct{})(g.abort)
	var deadFailed <-chan struct{}
	if g.cfg.DeadLetters != nil {
		deadFailed = g.cfg.DeadLetters.Failed()
	}
	for {
		select {
		case <-ended:
			return
		case <-drain:
			drain = nil
			r.post(r.l.drain)
		case <-failed:
			failed = nil
			r.post(func() { r.l.fail(causedBy("--sink", g.cfg.Sink.Err(), ErrSink)); r.l.abort() })
		case <-deadFailed:
			deadFailed = nil
			r.post(func() { r.l.fail(causedBy("--dead-letter", g.cfg.DeadLetters.Err(), ErrSink)); r.l.abort() })
		case <-abort:
			abort = nil
			r.post(r.l.abort)
		}
	}
}

// shutDown cleans up after the loop, in this order: the dial, the connection, the workers, the poller
// that they wake, the slabs.
func (g *Gateway) shutDown(r *reactor) error {
	r.cleanUp()
	var err error
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err = r.l.pool.Stop(); err != nil {
			err = kindError{err: err, kind: ErrSink}
		}
	}()
	if !g.awaitStop(stopped, &r.l.stop) {
		err := errors.New("a handler did not return; its goroutine is abandoned")
		return errors.Join(kindError{err: err, kind: ErrSink}, r.close())
	}
	err = errors.Join(err, r.close())
	r.l.slabs.closeExcept(r.l.pool.Left())
	r.l.track.Close()
	return err
}

// awaitStop waits up to doneGrace or abortGrace for the pool to stop. It returns false if the pool has
// not stopped.
func (g *Gateway) awaitStop(stopped <-chan struct{}, stop *stopping) bool {
	grace, abort := doneGrace, (<-chan struct{})(g.abort)
	if stop.err != nil || stop.aborted {
		grace, abort = abortGrace, nil
	}
	limit := time.NewTimer(grace)
	defer limit.Stop()
	for {
		select {
		case <-stopped:
			return true
		case <-abort:
			abort = nil
			limit.Reset(abortGrace)
		case <-limit.C:
			return false
		}
	}
}
