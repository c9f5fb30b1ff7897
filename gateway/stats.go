package gateway

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"feedgate/worker"
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

	Latency Histogram // time from read to ack sent, one observation per read

	mu     sync.Mutex
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

func (s *Stats) setRings(rings func(yield func(worker int, ring string, depth int))) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rings = rings
}

// latencyBuckets are the upper bounds of Stats.Latency, in seconds.
var latencyBuckets = [...]float64{
	50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3,
	100e-3, 200e-3, 500e-3, 1, 2, 5, 10, 30,
}

// Histogram counts durations in buckets, whose upper bounds are latencyBuckets. The last counter is for
// longer ones.
type Histogram struct {
	counts [len(latencyBuckets) + 1]atomic.Uint64
	sum    atomic.Uint64 // the bits of a float64, in seconds; it has one writer
}

func (h *Histogram) observe(d time.Duration) {
	s := d.Seconds()
	i := 0
	for i < len(latencyBuckets) && s > latencyBuckets[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Store(math.Float64bits(math.Float64frombits(h.sum.Load()) + s))
}

// Snapshot returns the number of observations, their sum in seconds, and the
// cumulative count for each bucket.
func (h *Histogram) Snapshot() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(latencyBuckets))
	for i, bound := range latencyBuckets {
		count += h.counts[i].Load()
		buckets[bound] = count
	}
	return count + h.counts[len(latencyBuckets)].Load(), math.Float64frombits(h.sum.Load()), buckets
}
