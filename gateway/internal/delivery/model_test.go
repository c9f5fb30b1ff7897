package delivery_test

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// model drives a Tracker through random schedules of arrivals, completions, partial sends and
// reconnects, with a server that resumes sessions, and checks the acks that reach the server.
type model struct {
	*rapid.T
	track     *delivery.Tracker
	cfg       delivery.Config
	now       time.Duration
	noSets    bool // connections are not wire.SetAckers
	stretched int  // slots beyond the limit

	// The server's view.
	online    bool
	stream    []byte          // sent bytes that the server has not read
	first     uint64          // of the session
	sent      uint64          // highest number sent or skipped
	seen      uint64          // the gateway knows all missing numbers below
	missing   map[uint64]bool // numbers up to sent that were never sent
	acked     map[uint64]bool // on any connection
	cursor    uint64          // next to send on this connection
	skips     bool            // on this connection, acked messages are not redelivered
	received  []uint64        // numbers received by the gateway on this connection, in order
	connAcked map[uint64]bool // on this connection
	through   uint64          // number of the last cumulative ack on this connection

	// The workers' view.
	working []uint64               // slots
	waiting bool                   // DoneSet was called after the last EmitDone
	codes   map[uint64]worker.Code // by number; only of messages that are done
	taken   map[uint64]bool        // numbers given to a worker or refused
	seqOf   map[uint64]uint64      // slot -> number
}

func newModel(t *rapid.T) *model {
	m := &model{
		T: t, missing: map[uint64]bool{}, acked: map[uint64]bool{}, codes: map[uint64]worker.Code{},
		taken: map[uint64]bool{}, seqOf: map[uint64]uint64{},
	}
	m.cfg = delivery.Config{
		Mode: rapid.SampledFrom([]wire.AckMode{
			wire.AckEach, wire.AckOrdered, wire.AckRange, wire.AckNone,
		}).Draw(t, "mode"),
		Sequenced: true,
		InFlight:  rapid.IntRange(1, 200).Draw(t, "in-flight"),
		Pack:      rapid.IntRange(0, 3).Draw(t, "pack"),
		Interval:  100,
		Count:     func(worker.Code, int) {},
		FirstSlot: rapid.SampledFrom([]uint64{0, 1<<32 - 100}).Draw(t, "first slot"),
	}
	m.noSets = rapid.Bool().Draw(t, "no sets")
	m.track = delivery.New(m.cfg)
	m.begin(1)
	return m
}

// dial makes a connection.
func (m *model) dial() wire.Conn {
	m.online, m.stream = true, m.stream[:0]
	m.received, m.connAcked, m.through = nil, map[uint64]bool{}, 0
	conn := fg1.New(fg1.Config{MaxMessage: 1 << 20, Heartbeat: time.Second}).NewConn()
	if m.noSets {
		return struct{ wire.Conn }{conn}
	}
	return conn
}

// begin connects and begins a new session.
func (m *model) begin(first uint64) {
	m.first, m.sent, m.seen, m.cursor = first, first-1, first-1, first
	clear(m.missing)
	m.track.Connect(m.dial(), first)
}

// resume connects and resumes the session. The server redelivers everything from the first unacked
// message or, with skips, only unacked messages.
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
	if got := m.track.Disconnect(0); m.cfg.Mode != wire.AckNone && got < unacked {
		m.Fatalf("%d messages without an ack are left, but %d are with workers", got, unacked)
	}
}

// arrive sends up to n messages in order while slots are free; with fill, including missing ones.
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

// send sends a message, which is refused unless code is OK. It returns false if no slot is free.
// It does the same as receiver.dispatch.
func (m *model) send(seq uint64, code worker.Code) bool {
	arrival := m.track.Classify(seq)
	if m.track.Free() == 0 {
		if gap, ok := m.track.JumpTo(seq, m.now); ok {
			m.checkGap(gap)
			m.seen = max(m.seen, seq)
			arrival = m.track.Classify(seq)
		}
	}
	if m.track.Free() == 0 && arrival != delivery.Redelivered {
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
	if again := arrival == delivery.Redelivered; again != m.taken[seq] {
		m.Fatalf("number %d: arrival %d, taken before: %v", seq, arrival, m.taken[seq])
	} else if again {
		return true
	}
	if late != (arrival == delivery.Late) {
		m.Fatalf("number %d: arrival %d, missing before: %v", seq, arrival, late)
	}
	m.taken[seq] = true
	delete(m.acked, seq) // a cumulative ack does not cover a message that was never sent
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

// miss skips n numbers.
func (m *model) miss(n uint64) {
	for range n {
		m.sent++
		m.missing[m.sent] = true
	}
}

// fill sends one of the numbers that the gateway knows to be missing.
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

// finish completes up to n consecutive slots, starting with the at-th that is working.
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

// emitDone appends the acks that wait for it.
func (m *model) emitDone() {
	if m.waiting {
		m.track.EmitDone()
		m.waiting = false
	}
}

// finishSet completes some of the slots from the at-th one that is working, those that the bits of pick
// are set for, with one call.
func (m *model) finishSet(at int, pick uint64) {
	if len(m.working) == 0 {
		return
	}
	at %= len(m.working)
	base, words := m.working[at]&^63, make([]uint64, 3)
	rest, n := m.working[:at:at], 0
	for i, slot := range m.working[at:] {
		if d := slot - base; d < 64*uint64(len(words)) && (pick|1)>>(i%64)&1 != 0 {
			words[d/64] |= 1 << (d % 64)
			m.codes[m.seqOf[slot]] = worker.OK
			n++
		} else {
			rest = append(rest, slot)
		}
	}
	m.working, m.waiting = rest, true
	m.track.DoneSet(uint32(base), words, n, m.now)
}

// kernelTakes makes the kernel accept up to n bytes.
func (m *model) kernelTakes(n int) {
	var msgs [4][]byte
	for k := m.track.SendBuffer().Plan(msgs[:]); k > 0 && n > 0; k = m.track.SendBuffer().Plan(msgs[:]) {
		took := 0
		for _, b := range msgs[:k] {
			if m.cfg.Pack > 0 && len(b) > m.cfg.Pack*fg1.HeaderSize {
				m.Fatalf("message of %d bytes with %d acks at most", len(b), m.cfg.Pack)
			}
			b = b[:min(len(b), n-took)]
			m.stream = append(m.stream, b...)
			took += len(b)
		}
		m.track.SendBuffer().Sent(took)
		n -= took
	}
}

// serverReads makes the server read the complete frames among the next n bytes.
func (m *model) serverReads(n int) {
	for ; len(m.stream) >= fg1.HeaderSize && n >= fg1.HeaderSize; n -= fg1.HeaderSize {
		m.serverSees(fg1.ParseHeader(m.stream))
		m.stream = m.stream[fg1.HeaderSize:]
	}
}
