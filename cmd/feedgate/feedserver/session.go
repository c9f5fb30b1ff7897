package feedserver

import (
	"math"
	"math/rand/v2"
	"time"
)

// session is the sequence of messages for one client, across connections. It is owned by the loop.
//
//	first <= ledger.base, ledger.sentEnd <= sentEnd
//
// All messages below first are acknowledged. Those of [first, resendEnd) that are in done were
// acknowledged on earlier connections.
type session struct {
	id     string
	client string
	last   uint64 // the last message of the session

	duration time.Duration // Config.Duration
	ends     time.Duration // when duration is over; [math.MaxInt64]: never, or not connected yet

	conn        *conn // nil: suspended, or over
	suspendedAt time.Duration
	over        bool // the feed does not wait for it any more

	first     uint64 // the first message to send on the next connection
	resendEnd uint64 // the messages below it were sent on an earlier connection
	sentEnd   uint64 // the first message that was never sent
	done      seqSet
	led       ledger
	lat       latency

	begun                     bool // a message was sent
	firstSent, lastAck        time.Duration
	connections               int
	bytes, resent             uint64
	acknowledged, refused     uint64
	duplicate, early, unknown uint64
	protocolErrors            uint64

	batchRNG, splitRNG *rand.Rand // of chaos
}

// newSession returns the ordinal'th session of a feed; count 0: endless.
func newSession(id string, ordinal, count uint64, cfg *Config) *session {
	s := &session{
		id: id, last: count, duration: cfg.Duration, ends: math.MaxInt64,
		first: 1, resendEnd: 1, sentEnd: 1,
		batchRNG: rand.New(rand.NewPCG(cfg.Seed, ordinal<<1)),
		splitRNG: rand.New(rand.NewPCG(cfg.Seed, ordinal<<1|1)),
	}
	if count == 0 {
		s.last = math.MaxUint64 - 1
	}
	if cfg.Rate > 0 {
		s.lat.period = float64(time.Second) / cfg.Rate
	}
	return s
}

// complete reports whether every message is acknowledged.
func (s *session) complete() bool { return s.acknowledged == s.last }

// sent is the number of messages that were sent at least once.
func (s *session) sent() uint64 { return s.sentEnd - 1 }

// attach begins a connection and returns the first message to send.
func (s *session) attach(c *conn, now time.Duration) uint64 {
	if s.connections == 0 {
		s.lat.epoch = now
		if s.duration > 0 {
			s.ends = now + s.duration
		}
	}
	s.conn = c
	s.connections++
	s.over = false
	s.resendEnd = s.sentEnd
	s.led.open(s.first)
	s.lat.reconnect()
	return s.first
}

// expire lowers last once the session's duration is over: to the last rendered message, or while it is
// suspended, to the last sent one. It returns true if last changes.
func (s *session) expire(now time.Duration) (fewer bool) {
	if now < s.ends {
		return false
	}
	last := s.sent()
	if s.conn != nil {
		last = max(last, s.conn.next-1)
	}
	fewer = last < s.last
	s.last = min(s.last, last)
	return fewer
}

// detach ends the connection and keeps the acks that it has received.
func (s *session) detach(now time.Duration) {
	l := &s.led
	l.advance()
	s.conn, s.suspendedAt = nil, now
	s.done.clear(s.first, min(l.base, s.first+s.done.span()))
	s.done.grow(l.base, s.sentEnd)
	for seq := l.base; seq < l.sentEnd; seq++ {
		if l.seen.has(seq) {
			s.done.add(seq, 1)
		}
	}
	s.first = s.done.clearLeading(l.base, s.sentEnd)
	s.expire(now)
}

// applyHello marks all messages up to seq as acknowledged, as the client's HELLO claims; false if seq was
// never sent. The session must be suspended.
func (s *session) applyHello(seq uint64) bool {
	if seq >= s.sentEnd {
		return false
	}
	for ; s.first <= seq; s.first++ {
		s.acknowledged += s.done.add(s.first, 1)
		s.done.clear(s.first, s.first+1)
	}
	s.first = s.done.clearLeading(s.first, s.sentEnd)
	return true
}

// markSent records that the socket has accepted all messages below seq.
func (s *session) markSent(seq uint64, now time.Duration) {
	if seq == s.led.sentEnd {
		return
	}
	if !s.begun {
		s.begun, s.firstSent = true, now
	}
	if s.led.sentEnd < s.resendEnd {
		s.resent += min(seq, s.resendEnd) - s.led.sentEnd
	}
	s.led.markSent(seq)
	s.sentEnd = max(s.sentEnd, seq)
}

// ack handles acks of n messages from seq on.
func (s *session) ack(seq, n uint64, code uint16, now time.Duration) {
	if s.led.pending(seq, n) {
		s.duplicate += n - s.record(seq, n, code, now)
		return
	}
	a := s.led.classify(seq, n, s.last)
	a.duplicate += a.n - s.record(a.from, a.n, code, now)
	s.count(a)
}

// ackTo handles an ack of all messages up to seq.
func (s *session) ackTo(seq uint64, now time.Duration) {
	a := s.led.classifyTo(seq, s.last)
	s.record(a.from, a.n, 0, now)
	s.count(a)
}

// record records acks of n sent messages from seq on, and returns how many of them are new on this
// connection.
func (s *session) record(seq, n uint64, code uint16, now time.Duration) (fresh uint64) {
	var again uint64 // of the fresh ones, those acknowledged on an earlier connection too
	for i := seq; i < min(seq+n, s.resendEnd); i++ {
		if s.done.has(i) && !s.led.seen.has(i) {
			again++
		}
	}
	fresh = s.led.seen.add(seq, n)
	if fresh == 0 {
		return 0
	}
	s.lat.acked(seq, fresh, now)
	s.acknowledged += fresh - again
	if code != 0 {
		s.refused += fresh - again
	}
	s.lastAck = now
	return fresh
}

// count adds the acks that acknowledge nothing.
func (s *session) count(a ackClasses) {
	s.duplicate += a.duplicate
	s.early += a.early
	s.unknown += a.unknown
}

// endRead completes the acks of one read.
func (s *session) endRead(now time.Duration) {
	s.led.advance()
	s.lat.flush(now)
	s.lat.forget(s.led.base)
}
