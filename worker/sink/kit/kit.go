// Package kit is for sinks that send messages to a server and learn later, in any order, what the
// server did with them. It makes batches of the messages that have accumulated, keeps their order,
// retries, and resolves them.
//
// # Writing a sink
//
// The Target of a [sink.Kind] opens a [Sink] with [Open]. Config.Open makes a [Client] for each
// worker. The kit gives the client's Send one batch after another; the client sees to it that every
// message of a batch gets one outcome:
//
//	Done()             the server has it: it is acknowledged
//	Again(after, err)  not now: it is sent again, after the backoff or the wait that the server asks for
//	Refused(code)      the server will never take it: it is refused, and may be dead-lettered
//	Unfit(code)        the sink itself cannot send it: it is refused
//	Denied(err)        the server takes no message from this sink: the settings are wrong
//
// [Batch.Resolve] sets the outcome of one message or of several, from any goroutine, during Send or
// after it. For example:
//
//	Kafka      Send makes a record batch for each partition, and sends it again itself until the
//	           broker's answer is clear. Meanwhile, b.Waits reports why.
//	HTTP       Send posts a batch and calls b.ResolveAll with the response. If the server
//	           refuses the body, b.Split finds the messages at fault.
//	JetStream  Send publishes an atomic batch, or with MaxPerKey: 1 a message of each key; the
//	           acks call b.Resolve.
//
// docs/examples/post is a whole sink of this kind.
//
// # Wrong settings
//
// If the server has never accepted a message, Denied fails the sink, and so does a first batch of
// which it refuses every message: the process ends with status 1, and nothing is acknowledged. Once
// it has accepted one, Denied is Again.
//
// # Connecting
//
// Config.Connect is called before any message is sent. If the server cannot be reached, it is
// called again, with backoff, until it succeeds; an error with [ErrDenied] fails the sink. A client
// that loses its connection later calls [Sink.SetDown]. The sink is not ready until Connect has
// succeeded, while a client is down, and while messages wait to be sent again: by the kit, or by a
// client that calls [Batch.Waits].
//
// # Order
//
// Messages with the same key are sent in order. Config.Key or Config.KeyFunc makes the key, such as
// a partition; without them, all messages of a worker have the same key. At most one batch at a
// time has messages of a key, from its first Send until they are all done or refused, with all
// retries. So they reach the server in order if the client keeps the order of a batch, and if the
// server, when it fails a message, stores no later one of the same key and batch. If it may store
// one, set MaxPerKey to 1. With Unordered there are no keys.
//
// # When a batch is sent
//
// As soon as fewer than Config.Outstanding batches of the worker are in progress, with the messages
// that have accumulated. With Linger, it waits that long for a full batch, unless no more messages
// can arrive: in a drain, or because the gateway has stopped reading (see Flush of [worker.Hooks]).
//
// # Memory
//
// The kit does not copy messages. A client that does holds at most Outstanding batches of MaxBytes,
// or of one longer message, for each worker. When the handler is closed, unresolved messages are
// abandoned, and Client.Close returns only when nothing reads their data any more.
package kit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
)

// Client sends the batches of one worker to a server.
type Client interface {
	// Send sends a batch. It may return before every message has an outcome, as long as each
	// gets one later. Config.Outstanding goroutines call Send; a panic in it ends the process. When ctx ends, the handler is
	// being closed: Send must return soon, and outcomes no longer matter.
	Send(ctx context.Context, b *Batch)
	// Close ends everything that Send has begun. It returns when nothing reads the data of a
	// batch any more. It is called once, after all Sends have returned.
	Close() error
}

// Config describes a sink. Open is required.
type Config struct {
	// Open makes the client of a worker, without waiting for the server. Workers are numbered
	// from 0.
	Open func(s *Sink, worker int) (Client, error)
	// Connect finds out whether the server can take messages, as far as that is possible
	// without sending one. It returns nil if so, an error that wraps [ErrDenied] if the
	// settings are wrong, or another error if the server cannot be reached; then it is called
	// again. One goroutine calls it; ctx ends after --connect-timeout. Nil: the sink is
	// connected from the start.
	Connect func(ctx context.Context) error

	// MaxMessages and MaxBytes limit a batch; default 1000 messages and 1 MiB. A longer message
	// is a batch of its own.
	MaxMessages, MaxBytes int
	// MaxPerKey limits the messages of one key in a batch; 0: no limit.
	MaxPerKey int
	// Outstanding is how many batches of a worker may be in progress; default 1.
	Outstanding int
	// Linger is how long a message may wait for a full batch; 0: not at all.
	Linger time.Duration

	// Key picks the key of a message, often as [sink.Config.Key] does. Nil: see KeyFunc.
	Key *selector.Selector
	// KeyFunc returns the key of a message as a number, such as its partition, and takes
	// precedence over Key. Several workers call it at once. Without both, all messages of a
	// worker have the same key.
	KeyFunc func(m worker.Message) uint64
	// Unordered: messages are sent in any order; Key and KeyFunc are not used.
	Unordered bool
}

// Sink is a [worker.Sink] that sends messages with clients.
type Sink struct {
	cfg    Config
	common *sink.Config
	log    struct{ waits, resumes, unreachable, lost, back, refusals *sink.Repeats }

	ctx         context.Context // ends with Close
	cancel      context.CancelFunc
	ended       sync.WaitGroup // of the goroutine that calls Config.Connect
	connectOnce sync.Once
	tried       chan struct{} // closed when Config.Connect has returned once
	connected   atomic.Bool   // Config.Connect has succeeded

	mu          sync.Mutex
	opened      int // workers so far
	open        []*handler
	accepted    bool          // the server has accepted a message
	refusal     error         // why a message was refused last, see NoteRefusal; nil: unknown
	unreachable error         // why Config.Connect has not succeeded
	down        map[int]error // why clients have no connection, by worker

	failed chan struct{}
	err    error // set before failed is closed
}

// Open makes a sink. common is the Config with which its Target was opened.
func Open(cfg Config, common *sink.Config) *sink.Sink {
	s := newSink(cfg, common)
	return &sink.Sink{Sink: s, Start: s.Start}
}

func newSink(cfg Config, common *sink.Config) *Sink {
	if cfg.MaxMessages == 0 {
		cfg.MaxMessages = 1000
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
	if cfg.MaxPerKey == 0 {
		cfg.MaxPerKey = cfg.MaxMessages
	}
	cfg.Outstanding = max(cfg.Outstanding, 1)
	s := &Sink{
		cfg: cfg, common: common, failed: make(chan struct{}), tried: make(chan struct{}), down: make(map[int]error),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.log.waits = sink.NewRepeats(common.Log, slog.LevelWarn, "the sink's server does not take messages; they wait")
	s.log.resumes = sink.NewRepeats(common.Log, slog.LevelInfo, "the sink's server takes messages again")
	s.log.unreachable = sink.NewRepeats(common.Log, slog.LevelWarn, "the sink's server cannot be reached; messages wait")
	s.log.lost = sink.NewRepeats(common.Log, slog.LevelWarn, "the connection to the sink's server is lost; messages wait")
	s.log.back = sink.NewRepeats(common.Log, slog.LevelInfo, "connected to the sink's server again")
	s.log.refusals = sink.NewRepeats(common.Log, slog.LevelWarn, "a message is refused by the sink or its server")
	return s
}

// Open implements [worker.Sink]. Unless Start was called, it starts to connect.
func (s *Sink) Open(c worker.Completer) (worker.Handler, error) {
	s.connectOnce.Do(s.connect)
	s.mu.Lock()
	n := s.opened
	s.opened++
	s.mu.Unlock()
	client, err := s.cfg.Open(s, n)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := newHandler(s, n, client, c)
	s.open = append(s.open, h)
	return h, nil
}

// Ready implements [worker.Sink]. The error is why the server cannot be reached, or why messages
// are sent again.
func (s *Sink) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.unreachable != nil {
		return s.unreachable
	}
	for _, err := range s.down {
		return err
	}
	for _, h := range s.open {
		if err := h.whyDown(); err != nil {
			return err
		}
	}
	return nil
}

// Fail makes the sink fail, and so the process end with status 1. Only the first call has an
// effect.
func (s *Sink) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(err)
}

func (s *Sink) fail(err error) {
	if s.err == nil {
		s.err = err
		close(s.failed)
	}
}

// Accepted reports whether the server has accepted a message. Until then, a fault that concerns
// every message shows that the settings are wrong; see [Denied] and Fail.
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
	s.cancel()
	s.ended.Wait()
	for _, r := range []*sink.Repeats{s.log.waits, s.log.resumes, s.log.unreachable, s.log.lost, s.log.back, s.log.refusals} {
		r.Close()
	}
	return nil
}

// remove removes a handler that is closed.
func (s *Sink) remove(h *handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.down, h.worker)
	s.open = slices.DeleteFunc(s.open, func(o *handler) bool { return o == h })
}
