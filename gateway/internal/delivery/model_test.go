package delivery_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// model drives a Tracker by its methods through any schedule of arrivals, completions,
// partial sends and reconnects, against a server that resumes, and checks what reaches the
// server.
type model struct {
	*rapid.T
	track     *delivery.Tracker
	cfg       delivery.Config
	now       time.Duration
	stretched int // slots beyond the limit

	// The server's view.
	online    bool
	stream    []byte          // what the kernel took and the server has not read
	first     uint64          // of the session
	sent      uint64          // highest number ever sent, or passed over
	seen      uint64          // the gateway knows which numbers below are missing
	missing   map[uint64]bool // numbers up to it that were never sent
	acked     map[uint64]bool // on any connection
	cursor    uint64          // next to send on this connection
	skips     bool            // on this connection, acked messages are not sent again
	received  []uint64        // by the gateway, on this connection, in order
	connAcked map[uint64]bool // on this connection
	through   uint64          // number of the last cumulative ack on this connection

	// The workers' view.
	working []uint64               // slots
	codes   map[uint64]worker.Code // of numbers that are done
	taken   map[uint64]bool        // numbers that were given to a worker, or refused
	seqOf   map[uint64]uint64      // slot -> number
}

func newModel(t *rapid.T) *model {
	m := &model{
		T: t, missing: map[uint64]bool{}, acked: map[uint64]bool{}, codes: map[uint64]worker.Code{},
		taken: map[uint64]bool{}, seqOf: map[uint64]uint64{},
	}
	m.cfg = delivery.Config{
		Mode: rapid.SampledFrom([]delivery.Mode{
			delivery.Each, delivery.Ordered, delivery.Cumulative, delivery.None,
		}).Draw(t, "mode"),
		Sequenced: true,
		InFlight:  rapid.IntRange(1, 200).Draw(t, "in-flight"),
		Pack:      rapid.IntRange(0, 3).Draw(t, "pack"),
		Interval:  100,
		Count:     func(worker.Code, int) {},
		FirstSlot: rapid.SampledFrom([]uint64{0, 1<<32 - 100}).Draw(t, "first slot"),
	}
	m.track = delivery.New(m.cfg)
	m.begin(1)
	return m
}

// dial makes a connection, on which the server has received and sent nothing.
func (m *model) dial() wire.Conn {
	m.online, m.stream = true, m.stream[:0]
	m.received, m.connAcked, m.through = nil, map[uint64]bool{}, 0
	return fg1.New(fg1.Config{MaxMessage: 1 << 20, Heartbeat: time.Second}).NewConn()
}

// begin connects to a server that knows nothing of before.
func (m *model) begin(first uint64) {
	m.first, m.sent, m.seen, m.cursor = first, first-1, first-1, first
	clear(m.missing)
	m.track.Connect(m.dial(), first)
}

// resume connects to the session of before: all from the first message without an ack on
// comes again, or only what is not acked.
func (m *model) resume(skips bool) {
	m.skips = skips
	m.cursor = m.first
	for m.cursor <= m.sent && (m.acked[m.cursor] || m.missing[m.cursor]) {
		m.cursor++
	}
	m.checkGap(m.track.Resume(m.dial(), m.cursor, m.now))
	m.seen = max(m.seen, m.cursor)
}

func (m *model) disconnect() {
	m.online = false
	unacked := 0
	for _, slot := range m.working {
		if m.seqOf[slot] >= m.first {
			unacked++
		}
	}
	if got := m.track.Disconnect(0); m.cfg.Mode != delivery.None && got < unacked {
		m.Fatalf("%d messages without an ack are left, but %d are with workers", got, unacked)
	}
}

// arrive sends up to n messages in order, as far as there is room; with fill, missing ones
// too.
func (m *model) arrive(n int, fill bool) {
	for range n {
		for m.missing[m.cursor] && !fill || m.skips && m.acked[m.cursor] {
			m.cursor++
		}
		if !m.send(m.cursor, worker.OK) {
			return
		}
		m.cursor++
	}
}

// send sends a message, which is refused unless code is OK; false when there is no room for
// it. It goes the way of the gateway's dispatch.
func (m *model) send(seq uint64, code worker.Code) bool {
	arrival := m.track.Classify(seq)
	if m.track.Room() == 0 {
		if gap, ok := m.track.PassOver(seq, m.now); ok {
			m.checkGap(gap)
			m.seen = max(m.seen, seq)
			arrival = m.track.Classify(seq)
		}
	}
	if m.track.Room() == 0 && arrival != delivery.Again {
		if !m.track.Stretch() {
			return false
		}
		m.stretched++
	}
	m.sent = max(m.sent, seq)
	late := m.missing[seq] && seq < m.seen
	delete(m.missing, seq)
	m.received, m.seen = append(m.received, seq), max(m.seen, seq)
	if arrival != delivery.InOrder || code != worker.OK {
		was := arrival
		var gap delivery.Range
		var err *wire.Error
		if arrival, gap, err = m.track.Arrive(seq, m.now); err != nil {
			m.Fatalf("number %d: %v", seq, err)
		} else if arrival != was && (was != delivery.InOrder || arrival != delivery.Fresh) {
			m.Fatalf("number %d: arrival %d after %d", seq, arrival, was)
		}
		m.checkGap(gap)
	}
	if again := arrival == delivery.Again; again != m.taken[seq] {
		m.Fatalf("number %d: arrival %d, taken before: %v", seq, arrival, m.taken[seq])
	} else if again {
		return true
	}
	if late != (arrival == delivery.Late) {
		m.Fatalf("number %d: arrival %d, missing before: %v", seq, arrival, late)
	}
	m.taken[seq] = true
	delete(m.acked, seq) // an ack for all up to a number does not mean what was never sent
	slot := m.track.Add(seq, 1, late)
	m.seqOf[slot] = seq
	if code != worker.OK {
		m.codes[seq] = code
		m.track.Done(uint32(slot), 1, code, nil, m.now)
		return true
	}
	m.working = append(m.working, slot)
	return true
}

func (m *model) checkGap(gap delivery.Range) {
	for seq := gap.First; seq <= gap.Last; seq++ {
		if !m.missing[seq] {
			m.Fatalf("number %d is taken for missing", seq)
		}
	}
}

// miss passes over n numbers that were never sent.
func (m *model) miss(n uint64) {
	for range n {
		m.sent++
		m.missing[m.sent] = true
	}
}

// fill sends one of the missing numbers that the gateway has seen passed over.
func (m *model) fill(at int) {
	var passed []uint64
	for seq := range m.missing {
		if seq < m.cursor && seq < m.seen {
			passed = append(passed, seq)
		}
	}
	if len(passed) > 0 {
		slices.Sort(passed)
		m.send(passed[at%len(passed)], worker.OK)
	}
}

// finish completes up to n consecutive slots from any one on.
func (m *model) finish(at, n int, code worker.Code) {
	if len(m.working) == 0 {
		return
	}
	at %= len(m.working)
	end := at + 1
	for end < len(m.working) && end-at < n && m.working[end] == m.working[end-1]+1 {
		end++
	}
	slot := m.working[at]
	for _, s := range m.working[at:end] {
		m.codes[m.seqOf[s]] = code
	}
	m.working = slices.Delete(m.working, at, end)
	m.track.Done(uint32(slot), end-at, code, nil, m.now)
}

// kernelTakes has the kernel take up to n bytes.
func (m *model) kernelTakes(n int) {
	var msgs [4][]byte
	for k := m.track.Output().Plan(msgs[:]); k > 0 && n > 0; k = m.track.Output().Plan(msgs[:]) {
		took := 0
		for _, b := range msgs[:k] {
			if m.cfg.Pack > 0 && len(b) > m.cfg.Pack*fg1.HeaderSize {
				m.Fatalf("message of %d bytes with %d acks at most", len(b), m.cfg.Pack)
			}
			b = b[:min(len(b), n-took)]
			m.stream = append(m.stream, b...)
			took += len(b)
		}
		m.track.Output().Taken(took)
		n -= took
	}
}

// serverReads has the server read the whole frames among n bytes of what the kernel took.
func (m *model) serverReads(n int) {
	for ; len(m.stream) >= fg1.HeaderSize && n >= fg1.HeaderSize; n -= fg1.HeaderSize {
		m.serverSees(fg1.ParseHeader(m.stream))
		m.stream = m.stream[fg1.HeaderSize:]
	}
}

func (m *model) serverSees(h fg1.Header) {
	code, done := m.codes[h.Seq]
	switch {
	case !slices.Contains(m.received, h.Seq):
		m.Fatalf("op %d of %d, not received on this connection", h.Op, h.Seq)
	case h.Op == fg1.AckTo:
		m.seesAckTo(h.Seq)
		return
	case m.connAcked[h.Seq]:
		m.Fatalf("ack of %d twice on one connection", h.Seq)
	case !done:
		m.Fatalf("ack of %d before it is done", h.Seq)
	case worker.Code(h.Code) != code:
		m.Fatalf("ack of %d with code %d, done with %d", h.Seq, h.Code, code)
	case m.cfg.Mode == delivery.Ordered && h.Seq != m.received[len(m.connAcked)]:
		m.Fatalf("ack of %d, but %d is the next that came", h.Seq, m.received[len(m.connAcked)])
	}
	m.connAcked[h.Seq], m.acked[h.Seq] = true, true
}

func (m *model) seesAckTo(through uint64) {
	if m.cfg.Mode != delivery.Cumulative || through < m.through {
		m.Fatalf("ACKTO %d after %d in mode %d", through, m.through, m.cfg.Mode)
	}
	m.through = through
	for seq := m.first; seq <= through; seq++ {
		code, done := m.codes[seq]
		switch {
		case m.missing[seq]:
			continue
		case !done:
			m.Fatalf("ACKTO %d covers %d, which is not done", through, seq)
		case code != worker.OK && !m.acked[seq]:
			m.Fatalf("ACKTO %d covers refused %d without its own ACK", through, seq)
		}
		m.acked[seq] = true
	}
}

func (m *model) check(*rapid.T) {
	for seq := m.first; seq <= m.track.Watermark(); seq++ {
		if _, done := m.codes[seq]; !done && !m.missing[seq] {
			m.Fatalf("watermark %d, but %d is not done", m.track.Watermark(), seq)
		}
	}
	switch n := m.track.InFlight(); {
	case n > m.cfg.InFlight+m.stretched:
		m.Fatalf("window of %d and %d holds %d", m.cfg.InFlight, m.stretched, n)
	case n < len(m.working) || m.track.Working() != len(m.working):
		m.Fatalf("%d slots, %d working, but %d messages are with workers", n, m.track.Working(), len(m.working))
	case m.cfg.Mode == delivery.None && (m.track.Output().Len() > 0 || m.track.Output().Acks()):
		m.Fatal("acks are to be sent")
	}
}

// windUp has everything arrive, be done and acked.
func (m *model) windUp() {
	if !m.online {
		m.resume(false)
	}
	for rounds := 0; m.cursor <= m.sent || !m.track.Finished() || len(m.stream) > 0; rounds++ {
		if rounds > 100_000 {
			m.Fatalf("stuck: sent %d, cursor %d, %d in flight, %d unsent", m.sent, m.cursor, m.track.InFlight(), m.track.Output().Len())
		}
		if m.cursor <= m.sent {
			m.arrive(int(min(50, m.sent+1-m.cursor)), false)
		}
		m.finish(0, 100, worker.OK)
		m.track.Flush(m.now, true)
		m.kernelTakes(1 << 20)
		m.serverReads(1 << 20)
		m.track.Output().Transmitted(0)
	}
	m.track.Output().Transmitted(0)
	for seq := m.first; seq <= m.sent && m.cfg.Mode != delivery.None; seq++ {
		if !m.acked[seq] && !m.missing[seq] {
			m.Fatalf("%d of %d was never acked", seq, m.sent)
		}
	}
	if n, working, kernel := m.track.InFlight(), m.track.Working(), m.track.Output().InKernel(); n+working+kernel != 0 {
		m.Fatalf("%d slots in use, %d with workers, %d acks with the kernel are left", n, working, kernel)
	}
}

// TestAcksReachTheServer: whatever happens, each message is processed once, acked
// at most once a connection, never before it is done, and in the end all are.
func TestAcksReachTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		whileOnline := func(f func()) func(*rapid.T) {
			return func(*rapid.T) {
				if m.online {
					f()
				}
			}
		}
		draw := func(least, most int, what string) int { return rapid.IntRange(least, most).Draw(t, what) }
		t.Repeat(map[string]func(*rapid.T){
			"arrive": whileOnline(func() { m.arrive(draw(1, 100, "n"), draw(0, 1, "fill") > 0) }),
			"refuse": whileOnline(func() {
				if m.cursor > m.sent && m.send(m.cursor, worker.TooLarge) {
					m.cursor++
				}
			}),
			"miss": whileOnline(func() {
				if m.cursor > m.sent {
					m.miss(uint64(draw(1, 5, "n")))
				}
			}),
			"fill": whileOnline(func() { m.fill(draw(0, 100, "which")) }),
			"finish": func(*rapid.T) {
				code := worker.OK
				if draw(0, 9, "fails") == 0 {
					code = worker.Refused
				}
				m.finish(draw(0, 1000, "at"), draw(1, 80, "n"), code)
			},
			"send": whileOnline(func() { m.kernelTakes(draw(1, 900, "bytes")) }),
			"read": whileOnline(func() { m.serverReads(draw(1, 900, "bytes")) }),
			"wire": whileOnline(func() { m.track.Output().Transmitted(draw(0, 900, "unsent")) }),
			"time": func(*rapid.T) { m.now += 60; m.track.Flush(m.now, false) },
			"reconnect": func(*rapid.T) {
				if m.online {
					m.disconnect()
				} else {
					m.resume(draw(0, 1, "skips") > 0)
				}
			},
			"new session": func(*rapid.T) {
				if m.online {
					m.disconnect()
				}
				m.begin(m.sent + 1000)
			},
			"": m.check,
		})
		m.windUp()
	})
}
