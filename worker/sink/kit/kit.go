// Package kit is for sinks that complete later: those that give messages to a server and
// learn from it, at some time and in any order, what became of them. It makes batches of
// what has accumulated, keeps order, retries, and maps outcomes to the workers' completions.
//
// # Writing a sink
//
// A sink's folder has a [sink.Kind] whose Target opens a [Sink] with [Open], and a [Client].
// Config.Open is called once for each worker. The client's Send gets one batch after another
// and sees to it that each of its messages is resolved, once:
//
//	Done()             the server has it: it is acknowledged
//	Again(after, err)  not now: it is sent again, after the backoff or what the server asks for
//	Refused(code)      the server will never take it: it is refused, and may be dead-lettered
//	Unfit(code)        the sink itself cannot send it: it is refused
//	Denied(err)        the server takes no message from this sink: a fault of the settings
//
// Denied, and a first batch of which every message is refused, fail the sink if the server has
// never accepted anything: the process ends with status 1, and nothing is acknowledged. After
// that, Denied is Again. docs/examples/post is a whole sink.
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
// # Connecting
//
// Config.Connect makes the first contact, before any message is sent. A server that cannot be
// reached is tried again, with backoff, for as long as it takes; an error with [ErrDenied] fails
// the sink. A connection that a client loses later is reported by [Sink.SetDown], and a message
// that was not taken by Again: until each of these has ended, the sink is not ready.
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
// bound. A client that copies them has at most Outstanding batches of MaxBytes, or of one
// message, for each worker. When the handler is closed, unresolved messages are given up;
// Client.Close must not return while anything still reads their data.
package kit

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker/selector"

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
	// Open makes the client of a worker, without waiting for the server. They are numbered
	// from 0.
	Open func(s *Sink, worker int) (Client, error)
	// Connect makes the first contact with the server: it returns nil once the server has
	// confirmed that it can take messages, as far as that can be known without sending one.
	// An error is ErrDenied, or the server cannot be reached and is tried again. ctx ends
	// after --connect-timeout. Nil: there is nothing to find out.
	Connect func(ctx context.Context) error

	// MaxMessages and MaxBytes bound a batch; default 1000 messages, 1 MiB. A longer message
	// is a batch by itself.
	MaxMessages, MaxBytes int
	// MaxPerLane bounds the messages of one lane in a batch; 0: no bound.
	MaxPerLane int
	// Outstanding is how many batches of a worker may be on their way; default 1.
	Outstanding int
	// Linger is how long to wait for a full batch; 0: not at all.
	Linger time.Duration

	// Key picks what makes a message's lane: those with the same key have an order. Often that
	// of [sink.Config.Key].
	Key *selector.Selector
	// Lane is the lane of a message instead, such as its partition. Called on workers'
	// goroutines, by several at once. Without Key and Lane there is one lane per worker.
	Lane func(m worker.Message) uint64
	// Unordered: order does not matter, and Key and Lane are not used.
	Unordered bool
}

// Sink is a [worker.Sink] whose clients complete later.
type Sink struct {
	cfg    Config
	common *sink.Config
	log    struct{ waits, resumes, unreachable, lost, back *sink.Repeats }

	ctx         context.Context // ends with Close
	cancel      context.CancelFunc
	ended       sync.WaitGroup // of the goroutine that connects
	connectOnce sync.Once
	tried       chan struct{} // closed when the first contact has succeeded or failed
	connected   atomic.Bool   // the first contact has succeeded

	mu          sync.Mutex
	opened      int
	open        []*handler
	accepted    bool          // a server has accepted a message
	unreachable error         // why there was no first contact
	down        map[int]error // why clients have no connection, by worker

	failed chan struct{}
	err    error // set before failed is closed
}

// Open makes a sink. common is what the Target was opened with.
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
	if cfg.MaxPerLane == 0 {
		cfg.MaxPerLane = cfg.MaxMessages
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
	return s
}

// Open implements [worker.Sink]. Without Start, it begins to connect.
func (s *Sink) Open(c worker.Completer) (worker.Handler, error) {
	s.connectOnce.Do(s.connect)
	s.mu.Lock()
	number := s.opened
	s.opened++
	s.mu.Unlock()
	client, err := s.cfg.Open(s, number)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := newHandler(s, number, client, c)
	s.open = append(s.open, h)
	return h, nil
}

// Ready implements [worker.Sink]: it is why the server cannot be reached, or the fault for
// which messages are being retried.
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
	s.fail(err)
}

func (s *Sink) fail(err error) {
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
	s.cancel()
	s.ended.Wait()
	for _, r := range []*sink.Repeats{s.log.waits, s.log.resumes, s.log.unreachable, s.log.lost, s.log.back} {
		r.Close()
	}
	return nil
}

// deny fails the sink if no server has ever accepted a message.
func (s *Sink) deny(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.accepted {
		s.fail(err)
	}
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
	delete(s.down, h.number)
	s.open = slices.DeleteFunc(s.open, func(o *handler) bool { return o == h })
}

// errAllRefused is the failure of a sink whose server has refused all of the first batch.
var errAllRefused = errors.New("the server refused every message of the first batch, and has never accepted one")
