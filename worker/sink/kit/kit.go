// Package kit is for sinks that complete later: those that give messages to a server and
// learn from it, at some time and in any order, what became of them. It makes batches of
// what has accumulated, keeps order, retries, and maps outcomes to the workers' completions.
//
// # Writing a sink
//
// A sink's folder has a [sink.Kind] whose Target opens a [Sink] with [New], and a [Client].
// New calls Config.Open once for each worker. The client's Send gets one batch after another
// and sees to it that each of its messages is resolved, once:
//
//	Done()             the server has it: it is acknowledged
//	Again(after, err)  not now: it is sent again, after the backoff or what the server asks for
//	Refused(code)      the server will never take it: it is refused, and may be dead-lettered
//
// [Batch.Resolve] takes any goroutine, for one message or several, in any order, during Send
// or after it. For example:
//
//	Kafka      Send produces each record; its promise calls b.Resolve(i, 1, ...).
//	           Lane is the partition.
//	HTTP       Send posts and calls b.ResolveAll once it has the response. If the server
//	           refuses the body, b.Split finds the message that it refuses.
//	JetStream  Send publishes an atomic batch, or one message of each lane with
//	           MaxPerLane: 1; the acks call b.Resolve.
//
// # Order
//
// A message belongs to the lane that Config.Lane returns for it, such as its key or its
// partition; without Lane, all messages of a worker are one lane. At most one batch has
// messages of a lane, from its first Send until all of them are done or refused, retries
// included. So messages of a lane reach the server in order if the client keeps the order of
// a batch, and if the server, when it fails one message of a lane, stores none behind it in
// that batch. With Unordered there are no lanes.
//
// # When a batch is sent
//
// As soon as fewer than Config.Outstanding batches are on their way, with what has
// accumulated. With Linger, it waits that long for a full one, unless no more can come: the
// gateway reads nothing, because its window or its memory is full ([worker.Hooks]), or it
// drains.
//
// # Memory
//
// Messages are not copied: their data are the gateway's and valid until they are resolved.
// The kit holds as many as the worker has deferred, which its ring and the gateway's window
// bound. When the handler is closed, unresolved messages are given up; Client.Close must not
// return while anything still reads their data.
package kit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"feedgate/worker"
	"feedgate/worker/sink"
)

// Client gives the batches of one worker to a server.
type Client interface {
	// Send begins to send a batch and may block until it is resolved. It is called by
	// Config.Outstanding goroutines. Every message must be resolved, also if ctx ends, upon
	// which Send returns soon: the handler is being closed, and outcomes no longer count.
	Send(ctx context.Context, b *Batch)
	// Close ends everything that Send has begun. When it returns, no data of any batch are
	// read any more. It is called once, after all Sends have returned.
	Close() error
}

// Config describes a sink. Open is required.
type Config struct {
	// Open makes the client of a worker. They are numbered from 0.
	Open func(worker int) (Client, error)

	// MaxMessages and MaxBytes bound a batch; default 1000 messages, 1 MiB. A longer message
	// is a batch by itself.
	MaxMessages, MaxBytes int
	// MaxPerLane bounds the messages of one lane in a batch; 0: no bound.
	MaxPerLane int
	// Outstanding is how many batches of a worker may be on their way; default 1.
	Outstanding int
	// Linger is how long to wait for a full batch; 0: not at all.
	Linger time.Duration

	// Lane is the lane of a message; nil: one lane per worker. Called on workers.
	Lane func(m worker.Message) uint64
	// Unordered: order does not matter, and Lane is not used.
	Unordered bool
}

// Sink is a [worker.Sink] whose clients complete later.
type Sink struct {
	cfg    Config
	common *sink.Config

	waits, resumes *sink.Repeats

	mu       sync.Mutex
	opened   int
	open     []*handler
	accepted bool // a server has accepted a message

	failed chan struct{}
	err    error // set before failed is closed
}

// New makes a sink. common is what the Target was opened with.
func New(cfg Config, common *sink.Config) *Sink {
	if cfg.MaxMessages == 0 {
		cfg.MaxMessages = 1000
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
	if cfg.MaxPerLane == 0 {
		cfg.MaxPerLane = cfg.MaxMessages
	}
	cfg.Outstanding = max(cfg.Outstanding, 1)
	return &Sink{
		cfg: cfg, common: common, failed: make(chan struct{}),
		waits:   sink.NewRepeats(common.Log, slog.LevelWarn, "the sink's server does not take messages; they wait"),
		resumes: sink.NewRepeats(common.Log, slog.LevelInfo, "the sink's server takes messages again"),
	}
}

// Open implements [worker.Sink].
func (s *Sink) Open(c *worker.Completer) (worker.Handler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	client, err := s.cfg.Open(s.opened)
	if err != nil {
		return nil, err
	}
	s.opened++
	h := newHandler(s, client, c)
	s.open = append(s.open, h)
	return h, nil
}

// Ready implements [worker.Sink]: it is the fault for which messages are being retried.
func (s *Sink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, h := range s.open {
		if err := h.isDown(); err != nil {
			return err
		}
	}
	return nil
}

// Fail ends the sink for good: the process ends with status 1. Only the first fault counts.
func (s *Sink) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.failed)
	}
}

// Accepted reports whether a server has accepted any message. Until then, a fault that
// concerns every message is one of the settings: see Fail.
func (s *Sink) Accepted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Failed implements [worker.Sink].
func (s *Sink) Failed() <-chan struct{} { return s.failed }

// Err implements [worker.Sink].
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close implements [worker.Sink].
func (s *Sink) Close() error {
	s.waits.Close()
	s.resumes.Close()
	return nil
}

// noteAccepted remembers that a server has accepted a message.
func (s *Sink) noteAccepted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = true
}

// forget removes a handler that is closed.
func (s *Sink) forget(h *handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.open {
		if s.open[i] == h {
			s.open = append(s.open[:i], s.open[i+1:]...)
			return
		}
	}
}

// errAllRefused is the failure of a sink whose server has refused all of the first batch.
var errAllRefused = errors.New("the server refused every message of the first batch, and has never accepted one")
