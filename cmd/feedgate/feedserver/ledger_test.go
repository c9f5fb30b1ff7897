package feedserver

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSeqSet compares a seqSet with a map, for random operations within its window.
func TestSeqSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s seqSet
		set := make(map[uint64]bool)
		base := rapid.Uint64Range(1, 1<<40).Draw(t, "base")
		top := base
		s.grow(base, top)
		t.Repeat(map[string]func(*rapid.T){
			"extend": func(t *rapid.T) {
				top += rapid.Uint64Range(0, 3000).Draw(t, "n")
				s.grow(base, top)
			},
			"add": func(t *rapid.T) {
				seq := rapid.Uint64Range(base, top).Draw(t, "seq")
				n := rapid.Uint64Range(0, min(top-seq, 300)).Draw(t, "n")
				var fresh uint64
				for i := seq; i < seq+n; i++ {
					if !set[i] {
						fresh++
					}
					set[i] = true
				}
				if got := s.add(seq, n); got != fresh {
					t.Fatalf("add %d+%d: %d fresh, want %d", seq, n, got, fresh)
				}
			},
			"clear leading": func(t *rapid.T) {
				limit := rapid.Uint64Range(base, top).Draw(t, "limit")
				want := base
				for want < limit && set[want] {
					delete(set, want)
					want++
				}
				if got := s.clearLeading(base, limit); got != want {
					t.Fatalf("clearLeading from %d: %d, want %d", base, got, want)
				}
				base = want
			},
			"clear": func(t *rapid.T) {
				to := rapid.Uint64Range(base, top).Draw(t, "to")
				for i := base; i < to; i++ {
					delete(set, i)
				}
				s.clear(base, to)
				base = to
			},
			"": func(t *rapid.T) {
				for _, seq := range []uint64{base, (base + top) / 2, top - 1} {
					if seq >= base && seq < top && s.has(seq) != set[seq] {
						t.Fatalf("has %d is %v", seq, !set[seq])
					}
				}
			},
		})
	})
}

// sessionModel is a model of a session and its ledger with maps as sets.
type sessionModel struct {
	everAcked, ackedHere              map[uint64]bool
	start, sentEnd, everSentEnd, last uint64
	duplicate, early, unknown, resent uint64
}

// connect begins a connection.
func (m *sessionModel) connect() {
	m.ackedHere = map[uint64]bool{}
	m.start = 1
	for m.everAcked[m.start] {
		m.start++
	}
	m.sentEnd = m.start
}

func (m *sessionModel) ack(seq uint64) {
	switch {
	case seq < m.start || seq > m.last:
		m.unknown++
	case seq >= m.sentEnd:
		m.early++
	case m.ackedHere[seq]:
		m.duplicate++
	default:
		m.ackedHere[seq], m.everAcked[seq] = true, true
	}
}

// TestSessionModel compares a session with sessionModel, for random sends, acks and reconnects.
func TestSessionModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const count = 600
		s := newSession("", 1, count, &Config{})
		m := sessionModel{everAcked: map[uint64]bool{}, last: count, everSentEnd: 1}
		connect := func() {
			m.connect()
			if next := s.attach(nil, 0); next != m.start {
				t.Fatalf("connection starts at %d, want %d", next, m.start)
			}
		}
		connect()
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				n := rapid.Uint64Range(0, min(count+1-m.sentEnd, 80)).Draw(t, "n")
				s.lat.sent(m.sentEnd, 1)
				s.markSent(m.sentEnd+n, 1)
				m.resent += min(max(m.everSentEnd, m.sentEnd), m.sentEnd+n) - m.sentEnd
				m.sentEnd += n
				m.everSentEnd = max(m.everSentEnd, m.sentEnd)
			},
			"ack": func(t *rapid.T) {
				seq := rapid.Uint64Range(0, count+5).Draw(t, "seq")
				n := rapid.Uint64Range(1, 70).Draw(t, "n")
				s.ack(seq, n, 0, 2)
				for i := seq; i < seq+n; i++ {
					m.ack(i)
				}
			},
			"reconnect": func(t *rapid.T) {
				s.endRead(2)
				s.detach(3)
				if rapid.Bool().Draw(t, "HELLO") {
					seq := rapid.Uint64Range(0, m.everSentEnd).Draw(t, "seq")
					if got := s.applyHello(seq); got != (seq < m.everSentEnd) {
						t.Fatalf("HELLO with %d of %d is %v", seq, m.everSentEnd, got)
					} else if got {
						for i := uint64(1); i <= seq; i++ {
							m.everAcked[i] = true
						}
					}
				}
				connect()
			},
			"end read": func(t *rapid.T) { s.endRead(2) },
			"": func(t *rapid.T) {
				if s.acknowledged != uint64(len(m.everAcked)) || s.sent() != m.everSentEnd-1 ||
					s.duplicate != m.duplicate || s.early != m.early || s.unknown != m.unknown || s.resent != m.resent {
					t.Fatalf("session %+v\nmodel %+v with %d acknowledged", s, m, len(m.everAcked))
				}
			},
		})
	})
}

// TestLedgerExtremes: numbers at the end of their range do not overflow.
func TestLedgerExtremes(t *testing.T) {
	var l ledger
	l.open(5)
	l.markSent(10)
	for _, seq := range []uint64{0, 4, 11, math.MaxUint64} {
		if a := l.classify(seq, 1, 10); a != (ackClasses{from: a.from, unknown: 1}) {
			t.Errorf("ack of %d is %+v", seq, a)
		}
	}
	if a := l.classify(math.MaxUint64, 2, 10); a != (ackClasses{unknown: 2}) {
		t.Errorf("acks that wrap are %+v", a)
	}
	if a := l.classify(10, 1, math.MaxUint64-1); a.early != 1 {
		t.Errorf("early ack is %+v", a)
	}
	if a := l.classify(math.MaxUint64-1, 1, math.MaxUint64-1); a.early != 1 {
		t.Errorf("early ack of the last is %+v", a)
	}
}

// TestLatencyOfBatches: without a rate, latency counts from the sending of the batch, in any order of
// acks, and the memory for it does not grow.
func TestLatencyOfBatches(t *testing.T) {
	var l latency
	const batch = 10
	for i := range uint64(1000) {
		l.sent(1+i*batch, time.Duration(i)*time.Millisecond)
		if i%2 == 0 {
			continue
		}
		// The later batch first: 1 ms old, then 2 ms.
		now := time.Duration(i+1) * time.Millisecond
		l.acked(1+i*batch, batch, now)
		l.acked(1+(i-1)*batch, batch, now)
		l.flush(now)
		l.forget(1 + (i+1)*batch)
	}
	if cap(l.stamps) > 1024 || l.hist.TotalCount() != 1000*batch {
		t.Errorf("%d stamps, %d measurements", cap(l.stamps), l.hist.TotalCount())
	}
	for percentile, want := range map[float64]time.Duration{25: time.Millisecond, 75: 2 * time.Millisecond} {
		got := time.Duration(l.hist.ValueAtPercentile(percentile))
		if (got - want).Abs() > want/100 {
			t.Errorf("p%v is %v, want %v", percentile, got, want)
		}
	}
}

// TestLatencyDue: at a rate, latency counts from when the message was due.
func TestLatencyDue(t *testing.T) {
	l := latency{epoch: time.Second, period: float64(time.Millisecond)}
	if l.due(1) != time.Second || l.due(11) != time.Second+10*time.Millisecond {
		t.Errorf("due at %v and %v", l.due(1), l.due(11))
	}
	for seq := uint64(1); seq < 1000; seq++ {
		if by := l.dueBy(l.due(seq) + 10); by != seq {
			t.Fatalf("at the time of %d, %d is due", seq, by)
		}
	}
	l.acked(1, 5, time.Second+10*time.Millisecond) // 10 ms to 6 ms
	l.acked(6, 1, 0)                               // before it is due: counts as 0
	if l.hist.TotalCount() != 6 || l.hist.Min() > 100 || time.Duration(l.hist.Max()).Round(100*time.Microsecond) != 10*time.Millisecond {
		t.Errorf("%d measurements from %d to %d", l.hist.TotalCount(), l.hist.Min(), l.hist.Max())
	}
}
