package sink

import (
	"sync/atomic"
	"time"

	"feedgate/worker"
	"feedgate/worker/histogram"
)

// Stats are the measurements of a sink. Its goroutines add to them, once per request or batch; any goroutine
// may read them.
type Stats struct {
	// Seconds is how long requests took: to a server, or a write with its fsync.
	Seconds histogram.Durations
	// Batches is the number of messages in each request.
	Batches histogram.Sizes
	// InProgress is the number of requests that are not answered yet.
	InProgress atomic.Int64

	Messages atomic.Uint64 // taken: on the disk, or confirmed by the server; see Counted
	Refused  atomic.Uint64 // messages that the server or the sink refused
	Retries  atomic.Uint64 // requests that had to be repeated
	Restarts atomic.Uint64 // child processes started again

	// Counted returns the number of messages taken, for a sink whose handlers each count their own, so
	// that workers share no counter. It is set before the sink is opened. Nil: Messages has all.
	Counted func() uint64
}

// Taken returns the number of messages taken.
func (s *Stats) Taken() uint64 {
	if s.Counted != nil {
		return s.Counted()
	}
	return s.Messages.Load()
}

// Begin counts a request with n messages. The function that it returns is called once: when the request
// was answered, or is abandoned.
func (s *Stats) Begin(n int) (end func(answered bool)) {
	s.InProgress.Add(1)
	s.Batches.Observe(n)
	start := time.Now()
	return func(answered bool) {
		if answered {
			s.Seconds.Observe(time.Since(start), 1)
		}
		s.InProgress.Add(-1)
	}
}

// Resolved counts n messages with an outcome.
func (s *Stats) Resolved(code worker.Code, n int) {
	if code == worker.OK {
		s.Messages.Add(uint64(n))
		return
	}
	s.Refused.Add(uint64(n))
}
