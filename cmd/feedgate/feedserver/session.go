package feedserver

import (
	"math"
	"math/rand/v2"
	"time"
)

// session is the messages for one client and what became of them, from connection
// to connection. It is owned by the loop.
//
//	first <= ledger.base, ledger.handed <= high
//
// Below first everything was acknowledged, on whichever connection; of [first,
// resendEnd) the members of done were, on earlier connections than this one.
type session struct {
	id     string
	client string
	last   uint64 // number of the last message there will be

	duration time.Duration // Config.Duration
	ends     time.Duration // when that is over; [math.MaxInt64]: never, or no connection yet

	conn     *conn // nil: between connections, or over
	lostAt   time.Duration
	finished bool // nothing more is expected

	first, resendEnd, high uint64
	done                   bitRing
	led                    ledger
	lat                    latency

	begun                     bool // a message was sent
	firstSent, lastAck        time.Duration
	connections               int
	bytes, resent             uint64
	acknowledged, refused     uint64
	duplicate, early, unknown uint64
	protocolErrors            uint64

	batchDice, splitDice *rand.Rand
}

// newSession makes the ordinal'th session. count 0 is endless.
func newSession(id string, ordinal, count uint64, cfg *Config) *session {
	s := &session{
		id: id, last: count, duration: cfg.Duration, ends: math.MaxInt64,
		first: 1, resendEnd: 1, high: 1,
		batchDice: rand.New(rand.NewPCG(cfg.Seed, ordinal<<1)),
		splitDice: rand.New(rand.NewPCG(cfg.Seed, ordinal<<1|1)),
	}
	if count == 0 {
		s.last = math.MaxUint64 - 1
	}
	if cfg.Rate > 0 {
		s.lat.period = float64(time.Second) / cfg.Rate
	}
	return s
}

// complete says whether every message was acknowledged.
func (s *session) complete() bool { return s.acknowledged == s.last }

// sent is the number of messages that were handed to a socket at least once.
func (s *session) sent() uint64 { return s.high - 1 }

// attach begins a connection. It returns the first number to be sent.
func (s *session) attach(c *conn, now time.Duration) uint64 {
	if s.connections == 0 {
		s.lat.epoch = now
		if s.duration > 0 {
			s.ends = now + s.duration
		}
	}
	s.conn = c
	s.connections++
	s.finished = false
	s.resendEnd = s.high
	s.led.open(s.first)
	s.lat.reconnect()
	return s.first
}

// expire ends the session where it stands once its time is up: behind what was
// rendered, and between connections behind what was handed to a socket. It returns
// true when fewer messages are to come for it.
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

// detach ends the connection and keeps what it acknowledged.
func (s *session) detach(now time.Duration) {
	l := &s.led
	l.advance()
	s.conn, s.lostAt = nil, now
	s.done.clear(s.first, min(l.base, s.first+s.done.room()))
	s.done.fit(l.base, s.high)
	for seq := l.base; seq < l.handed; seq++ {
		if l.seen.has(seq) {
			s.done.add(seq, 1)
		}
	}
	s.first = s.done.pass(l.base, s.high)
	s.expire(now)
}

// recall takes what a client says on logging in to have acknowledged: everything
// up to seq. It returns false when that was never sent. The session is between
// connections.
func (s *session) recall(seq uint64) bool {
	if seq >= s.high {
		return false
	}
	for ; s.first <= seq; s.first++ {
		s.acknowledged += s.done.add(s.first, 1)
		s.done.clear(s.first, s.first+1)
	}
	s.first = s.done.pass(s.first, s.high)
	return true
}

// hand notes that everything below seq was handed to the socket.
func (s *session) hand(seq uint64, now time.Duration) {
	if seq == s.led.handed {
		return
	}
	if !s.begun {
		s.begun, s.firstSent = true, now
	}
	if s.led.handed < s.resendEnd {
		s.resent += min(seq, s.resendEnd) - s.led.handed
	}
	s.led.hand(seq)
	s.high = max(s.high, seq)
}

// ack takes n acks from seq on.
func (s *session) ack(seq, n uint64, code uint16, now time.Duration) {
	if s.led.awaits(seq, n) {
		s.duplicate += n - s.mark(seq, n, code, now)
		return
	}
	v := s.led.judge(seq, n, s.last)
	v.duplicate += v.n - s.mark(v.from, v.n, code, now)
	s.count(v)
}

// ackTo takes an ack for everything up to seq.
func (s *session) ackTo(seq uint64, now time.Duration) {
	v := s.led.judgeTo(seq, s.last)
	s.mark(v.from, v.n, 0, now)
	s.count(v)
}

// mark enters acks that the ledger awaits. It returns how many are the first on
// this connection.
func (s *session) mark(seq, n uint64, code uint16, now time.Duration) (fresh uint64) {
	var again uint64 // of the fresh, acknowledged on an earlier connection too
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

func (s *session) count(v verdict) {
	s.duplicate += v.duplicate
	s.early += v.early
	s.unknown += v.unknown
}

// settle ends the acks of one read.
func (s *session) settle(now time.Duration) {
	s.led.advance()
	s.lat.flush(now)
	s.lat.forget(s.led.base)
}
