package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/worker"
	"feedgate/worker/histogram"
)

// Stats holds a gateway's counters. The loop updates them at most once per turn or batch, not per
// message. Any goroutine may read them.
type Stats struct {
	Messages   atomic.Uint64 // handed to workers, without duplicates
	ReadBytes  atomic.Uint64
	Duplicates atomic.Uint64
	Refused    atomic.Uint64 // messages refused, by a handler or before they reached one
	// DeadLettered counts refused messages that were stored as dead letters.
	DeadLettered atomic.Uint64
	// Dropped counts messages that were read and not given to a handler before a drain.
	Dropped    atomic.Uint64
	Gaps       atomic.Uint64 // jumps ahead in the sequence numbers
	Reconnects atomic.Uint64 // connections that ended and were followed by another dial
	Reads      atomic.Uint64 // system calls that read
	Flushes    atomic.Uint64 // system calls that wrote
	Wakeups    atomic.Uint64 // wake-ups of the loop by workers
	InFlight   atomic.Int64
	Watermark  atomic.Uint64 // last contiguous acknowledged sequence number
	Connected  atomic.Bool   // logged in
	Logins     atomic.Uint64 // successful logins
	Panics     atomic.Uint64 // handler panics

	returned atomic.Uint64 // part of Messages that a drain took back before a handler had them

	stalled atomic.Pointer[string] // where messages wait during a stall; nil: no stall

	Latency histogram.Durations // time from read to ack sent, one observation per read

	waiting atomic.Pointer[Waiting] // nil: not decided yet
	stopped [stopCauses]atomic.Int64
	oldest  atomic.Int64 // when the oldest unacknowledged message was read, by clock; 0: there is none
	unread  atomic.Int64 // since when the server has read no acks, by clock; 0: it reads them
	unsent  atomic.Int64 // bytes
	memory  atomic.Int64 // bytes of Limits.Memory in use

	mu     sync.Mutex
	clock  func() time.Duration // that of the loop; nil: it does not run yet
	pool   *pool.Pool
	limits Limits
	acks   map[uint16]uint64 // by code
	errors map[string]uint64 // protocol errors by reason
	rings  func(yield func(worker int, ring string, depth int))
}

// Totals are the counters over a gateway's life.
type Totals struct {
	Messages     uint64 // handed to workers, without duplicates
	Acked        uint64 // acknowledged with code 0
	Refused      uint64
	DeadLettered uint64
	Duplicates   uint64
	Dropped      uint64 // read, and dropped by a drain
}

// Totals returns the totals so far.
func (s *Stats) Totals() Totals {
	s.mu.Lock()
	acked := s.acks[uint16(worker.OK)]
	s.mu.Unlock()
	return Totals{
		Messages: s.Messages.Load() - s.returned.Load(), Acked: acked, Refused: s.Refused.Load(),
		DeadLettered: s.DeadLettered.Load(), Duplicates: s.Duplicates.Load(), Dropped: s.Dropped.Load(),
	}
}

// Plus returns the sum of t and o.
func (t Totals) Plus(o Totals) Totals {
	return Totals{
		t.Messages + o.Messages, t.Acked + o.Acked, t.Refused + o.Refused,
		t.DeadLettered + o.DeadLettered, t.Duplicates + o.Duplicates, t.Dropped + o.Dropped,
	}
}

// Attrs returns the attributes of the last line of the log.
func (t Totals) Attrs() []any {
	return []any{
		"messages", t.Messages, "acked", t.Acked, "refused", t.Refused,
		"dead_lettered", t.DeadLettered, "duplicates", t.Duplicates, "dropped", t.Dropped,
	}
}

func (s *Stats) addAcks(code uint16, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.acks == nil {
		s.acks = make(map[uint16]uint64)
	}
	s.acks[code] += uint64(n)
}

func (s *Stats) addError(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.errors == nil {
		s.errors = make(map[string]uint64)
	}
	s.errors[reason]++
}

// expect registers the reasons with 0 errors each, so that rates are correct from the first error on.
func (s *Stats) expect(reasons []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = make(map[string]uint64)
	for _, reason := range reasons {
		s.errors[reason] = 0
	}
}

// Stalled describes where messages wait if none became done for Config.StallAfter; otherwise it returns
// "".
func (s *Stats) Stalled() string {
	if words := s.stalled.Load(); words != nil {
		return *words
	}
	return ""
}

// Waiting returns what the gateway waits for.
func (s *Stats) Waiting() Waiting {
	switch w := s.waiting.Load(); {
	case w != nil:
		return *w
	case s.Connected.Load():
		return nothingToDo
	}
	return notConnected
}

// StoppedTime calls yield with each cause for which reading can stop, and for how long it did.
func (s *Stats) StoppedTime(yield func(why string, d time.Duration)) {
	for cause := notStopped + 1; cause < stopCauses; cause++ {
		yield(stopNames[cause], time.Duration(s.stopped[cause].Load()))
	}
}

// OldestUnacked returns the age of the oldest unacknowledged message; 0: there is none.
func (s *Stats) OldestUnacked() time.Duration {
	s.mu.Lock()
	clock := s.clock
	s.mu.Unlock()
	if clock == nil {
		return 0
	}
	oldest, unread := s.oldest.Load(), s.unread.Load()
	if oldest == 0 || unread != 0 && unread < oldest {
		oldest = unread
	}
	if oldest == 0 {
		return 0
	}
	return max(0, clock()-time.Duration(oldest))
}

// UnsentAckBytes returns the number of bytes of acks that the server has not taken.
func (s *Stats) UnsentAckBytes() int64 { return s.unsent.Load() }

// MemoryBytes returns how much of Config.Memory is in use.
func (s *Stats) MemoryBytes() int64 { return s.memory.Load() }

// Limits are the limits of a gateway's gauges.
type Limits struct {
	InFlight       int   // messages
	Memory         int64 // bytes
	Ring           int   // entries of each ring
	UnsentAckBytes int64
	Workers        int
}

// Limits returns the gateway's limits; zero before Run.
func (s *Stats) Limits() Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits
}

// Retries returns how often a message was to be tried again.
func (s *Stats) Retries() (n uint64) {
	s.mu.Lock()
	workers := s.pool
	s.mu.Unlock()
	if workers == nil {
		return 0
	}
	for _, w := range workers.Workers() {
		n += w.Retries()
	}
	return n
}

// HandlerSeconds returns how long the calls of the handlers took.
func (s *Stats) HandlerSeconds() (all histogram.Snapshot) {
	s.mu.Lock()
	workers := s.pool
	s.mu.Unlock()
	if workers == nil {
		return new(histogram.Durations).Snapshot()
	}
	for _, w := range workers.Workers() {
		all = all.Plus(w.CallTimes())
	}
	return all
}

// Acks calls yield with each code and the number of acks sent with it.
func (s *Stats) Acks(yield func(code uint16, n uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for code, n := range s.acks {
		yield(code, n)
	}
}

// Errors calls yield with each reason and the number of protocol errors counted for it.
func (s *Stats) Errors(yield func(reason string, n uint64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for reason, n := range s.errors {
		yield(reason, n)
	}
}

// RingDepths calls yield with the number of entries in each worker's rings: "in" leads to the worker,
// "out" back from it.
func (s *Stats) RingDepths(yield func(worker int, ring string, depth int)) {
	s.mu.Lock()
	rings := s.rings
	s.mu.Unlock()
	if rings != nil {
		rings(yield)
	}
}

// attach makes the statistics of a running loop available.
func (s *Stats) attach(l *loop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rings, s.clock, s.pool = l.ringDepths, l.env.now, l.pool
	s.limits = Limits{
		InFlight: l.set.window, Memory: l.cfg.Memory, Ring: l.cfg.Ring,
		UnsentAckBytes: maxUnsent, Workers: len(l.workers),
	}
}
