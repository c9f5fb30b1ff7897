package feedserver

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A bit ring is a set, as long as its window fits.
func TestBitRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r bitRing
		set := make(map[uint64]bool)
		base := rapid.Uint64Range(1, 1<<40).Draw(t, "base")
		top := base
		r.fit(base, top)
		t.Repeat(map[string]func(*rapid.T){
			"extend": func(t *rapid.T) {
				top += rapid.Uint64Range(0, 3000).Draw(t, "n")
				r.fit(base, top)
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
				if got := r.add(seq, n); got != fresh {
					t.Fatalf("add %d+%d: %d fresh, want %d", seq, n, got, fresh)
				}
			},
			"pass": func(t *rapid.T) {
				limit := rapid.Uint64Range(base, top).Draw(t, "limit")
				want := base
				for want < limit && set[want] {
					delete(set, want)
					want++
				}
				if got := r.pass(base, limit); got != want {
					t.Fatalf("pass from %d: %d, want %d", base, got, want)
				}
				base = want
			},
			"clear": func(t *rapid.T) {
				to := rapid.Uint64Range(base, top).Draw(t, "to")
				for i := base; i < to; i++ {
					delete(set, i)
				}
				r.clear(base, to)
				base = to
			},
			"": func(t *rapid.T) {
				for _, seq := range []uint64{base, (base + top) / 2, top - 1} {
					if seq >= base && seq < top && r.has(seq) != set[seq] {
						t.Fatalf("has %d is %v", seq, !set[seq])
					}
				}
			},
		})
	})
}

// sessionModel is a session by plain sets.
type sessionModel struct {
	everAcked, ackedHere              map[uint64]bool
	start, handed, high, last         uint64
	duplicate, early, unknown, resent uint64
}

// connect begins a connection.
func (m *sessionModel) connect() {
	m.ackedHere = map[uint64]bool{}
	m.start = 1
	for m.everAcked[m.start] {
		m.start++
	}
	m.handed = m.start
}

func (m *sessionModel) ack(seq uint64) {
	switch {
	case seq < m.start || seq > m.last:
		m.unknown++
	case seq >= m.handed:
		m.early++
	case m.ackedHere[seq]:
		m.duplicate++
	default:
		m.ackedHere[seq], m.everAcked[seq] = true, true
	}
}

// A session counts as plain sets do, over any schedule of sends, acks and lost
// connections.
func TestSessionModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const count = 600
		s := newSession("", 1, count, &Config{})
		m := sessionModel{everAcked: map[uint64]bool{}, last: count, high: 1}
		connect := func() {
			m.connect()
			if next := s.attach(nil, 0); next != m.start {
				t.Fatalf("connection starts at %d, want %d", next, m.start)
			}
		}
		connect()
		t.Repeat(map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				n := rapid.Uint64Range(0, min(count+1-m.handed, 80)).Draw(t, "n")
				s.lat.sent(m.handed, 1)
				s.hand(m.handed+n, 1)
				m.resent += min(max(m.high, m.handed), m.handed+n) - m.handed
				m.handed += n
				m.high = max(m.high, m.handed)
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
				s.settle(2)
				s.detach(3)
				if rapid.Bool().Draw(t, "recall") {
					seq := rapid.Uint64Range(0, m.high).Draw(t, "seq")
					if got := s.recall(seq); got != (seq < m.high) {
						t.Fatalf("recall %d of %d is %v", seq, m.high, got)
					} else if got {
						for i := uint64(1); i <= seq; i++ {
							m.everAcked[i] = true
						}
					}
				}
				connect()
			},
			"settle": func(t *rapid.T) { s.settle(2) },
			"": func(t *rapid.T) {
				if s.acknowledged != uint64(len(m.everAcked)) || s.sent() != m.high-1 ||
					s.duplicate != m.duplicate || s.early != m.early || s.unknown != m.unknown || s.resent != m.resent {
					t.Fatalf("session %+v\nmodel %+v with %d acknowledged", s, m, len(m.everAcked))
				}
			},
		})
	})
}

// Numbers at the end of their range wrap nowhere.
func TestLedgerExtremes(t *testing.T) {
	var l ledger
	l.open(5)
	l.hand(10)
	for _, seq := range []uint64{0, 4, 11, math.MaxUint64} {
		if v := l.judge(seq, 1, 10); v != (verdict{from: v.from, unknown: 1}) {
			t.Errorf("ack of %d is %+v", seq, v)
		}
	}
	if v := l.judge(math.MaxUint64, 2, 10); v != (verdict{unknown: 2}) {
		t.Errorf("acks that wrap are %+v", v)
	}
	if v := l.judge(10, 1, math.MaxUint64-1); v.early != 1 {
		t.Errorf("early ack is %+v", v)
	}
	if v := l.judge(math.MaxUint64-1, 1, math.MaxUint64-1); v.early != 1 {
		t.Errorf("early ack of the last is %+v", v)
	}
}

// Acks are measured from the sending of their batch, in whatever order they come,
// and what is measured does not grow.
func TestLatencyFlatOut(t *testing.T) {
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

// At a rate, they are measured from when the message was due.
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
	l.acked(6, 1, 0)                               // before its time: not negative
	if l.hist.TotalCount() != 6 || l.hist.Min() > 100 || time.Duration(l.hist.Max()).Round(100*time.Microsecond) != 10*time.Millisecond {
		t.Errorf("%d measurements from %d to %d", l.hist.TotalCount(), l.hist.Min(), l.hist.Max())
	}
}
