package gateway

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// ackModel drives sequence, window, acker and outbuf through any schedule of
// arrivals, completions, partial sends and reconnects, against a server that
// resumes, and checks what reaches the server.
type ackModel struct {
	seq sequence
	win *window
	out outbuf
	ack acker
	now time.Duration

	// The server's view.
	first     uint64          // of the session
	sent      uint64          // highest number ever sent
	done      map[uint64]bool // acked, on any connection
	base      uint64          // all up to it are acked
	cursor    uint64          // next to send on this connection
	received  map[uint64]bool // by the gateway, on this connection
	connAcked map[uint64]bool // on this connection
	lastOrder uint64
	covered   uint64

	// The workers' view.
	working   []uint64        // places
	finished  map[uint64]bool // numbers, in this process
	processed map[uint64]int
	codes     map[uint64]worker.Code
	seqOf     map[uint64]uint64 // place -> number
}

func newAckModel(mode ackMode, inFlight, pack int) *ackModel {
	m := &ackModel{
		win: newWindow(inFlight), done: map[uint64]bool{}, finished: map[uint64]bool{},
		processed: map[uint64]int{}, codes: map[uint64]worker.Code{}, seqOf: map[uint64]uint64{},
	}
	m.out.pack = pack
	m.ack = acker{mode: mode, win: m.win, out: &m.out, interval: 100, sent: func(worker.Code, int) {}}
	m.first = 1
	m.seq.restart(1)
	m.connect()
	return m
}

func (m *ackModel) connect() {
	for m.done[m.base+1] {
		m.base++
	}
	m.cursor = m.base + 1
	m.received, m.connAcked = map[uint64]bool{}, map[uint64]bool{}
	m.lastOrder, m.covered = 0, 0
	m.ack.connect(fg1.New(fg1.Config{MaxMessage: 1 << 20, Heartbeat: time.Second}).NewConn())
	if v := m.seq.resume(m.cursor); !v.skipped.empty() {
		m.ack.waive(v.skipped, m.now)
	}
}

// newSession connects to a server that knows nothing of before.
func (m *ackModel) newSession() {
	m.first = m.sent + 1000
	m.win.forsake()
	m.seq.restart(m.first)
	m.base, m.sent = m.first-1, m.first-1
	m.connect()
}

func (m *ackModel) arrive(t *rapid.T, n int) {
	for range n {
		seq := m.cursor
		if m.win.room() == 0 && !m.seq.knows(seq) {
			return
		}
		m.cursor++
		m.sent = max(m.sent, seq)
		m.received[seq] = true
		v := m.seq.accept(seq)
		switch v.arrival {
		case fresh:
			if m.processed[seq]++; m.processed[seq] > 1 {
				t.Fatalf("number %d processed twice", seq)
			}
			place := m.win.add(seq, 1, false)
			m.seqOf[place] = seq
			m.working = append(m.working, place)
		case again:
			if place, ok := m.win.runs.place(seq, m.win.base, m.win.next); ok {
				if m.seqOf[place] != seq {
					t.Fatalf("number %d found at place of %d", seq, m.seqOf[place])
				}
				m.ack.received(place, m.now)
			} else {
				m.ack.repeat(seq, m.now)
			}
		default:
			t.Fatalf("number %d: arrival %d", seq, v.arrival)
		}
	}
}

// finish completes up to n consecutive places from a random one on.
func (m *ackModel) finish(t *rapid.T, at, n int, code worker.Code) {
	if len(m.working) == 0 {
		return
	}
	at %= len(m.working)
	end := at + 1
	for end < len(m.working) && end-at < n && m.working[end] == m.working[end-1]+1 {
		end++
	}
	place := m.working[at]
	for _, p := range m.working[at:end] {
		m.finished[m.seqOf[p]] = true
		m.codes[m.seqOf[p]] = code
	}
	m.working = slices.Delete(m.working, at, end)
	m.ack.finished(m.win.widen(uint32(place)), end-at, code, nil, m.now)
}

// kernelTakes sends up to n bytes; the server sees the whole frames among them.
func (m *ackModel) kernelTakes(t *rapid.T, n int, partial *[]byte) {
	var msgs [maxBatch][]byte
	for k := m.out.plan(msgs[:]); k > 0 && n > 0; k = m.out.plan(msgs[:]) {
		took := 0
		for _, b := range msgs[:k] {
			if m.out.pack == 1 && len(b)%fg1.HeaderSize != 0 && len(b) > fg1.HeaderSize {
				t.Fatalf("message of %d bytes with one ack each", len(b))
			}
			took += min(len(b), n-took)
		}
		*partial = append(*partial, m.out.buf[m.out.head:m.out.head+took]...)
		m.out.took(took, m.win.settle)
		n -= took
	}
	for len(*partial) >= fg1.HeaderSize {
		m.serverSees(t, fg1.ParseHeader(*partial))
		*partial = (*partial)[fg1.HeaderSize:]
	}
}

func (m *ackModel) serverSees(t *rapid.T, h fg1.Header) {
	if h.Op == fg1.AckTo {
		if !m.received[h.Seq] {
			t.Fatalf("ACKTO %d names a number not received on this connection", h.Seq)
		}
		for s := m.base + 1; s <= h.Seq; s++ {
			if !m.finished[s] || !m.received[s] && s >= m.cursor {
				t.Fatalf("ACKTO %d covers %d: finished %v, received %v", h.Seq, s, m.finished[s], m.received[s])
			}
			if m.codes[s] != worker.OK && !m.done[s] && !m.connAcked[s] {
				t.Fatalf("ACKTO %d covers refused %d without its own ACK", h.Seq, s)
			}
			m.done[s] = true
		}
		if h.Seq < m.covered {
			t.Fatalf("ACKTO %d after %d", h.Seq, m.covered)
		}
		m.covered = h.Seq
		return
	}
	switch {
	case !m.received[h.Seq]:
		t.Fatalf("ack of %d, not received on this connection", h.Seq)
	case m.connAcked[h.Seq]:
		t.Fatalf("ack of %d twice on one connection", h.Seq)
	case !m.finished[h.Seq]:
		t.Fatalf("ack of %d before it is finished", h.Seq)
	case worker.Code(h.Code) != m.codes[h.Seq]:
		t.Fatalf("ack of %d with code %d, finished with %d", h.Seq, h.Code, m.codes[h.Seq])
	case m.ack.mode == ackOrdered && h.Seq != m.lastOrder+1 && m.lastOrder != 0:
		t.Fatalf("ack of %d after %d", h.Seq, m.lastOrder)
	}
	m.lastOrder = h.Seq
	m.connAcked[h.Seq], m.done[h.Seq] = true, true
}

func (m *ackModel) check(t *rapid.T) {
	if mark := m.win.runs.watermark(m.win.base, m.win.next); mark > 0 {
		for s := m.base + 1; s <= mark; s++ {
			if !m.finished[s] {
				t.Fatalf("watermark %d, but %d is not finished", mark, s)
			}
		}
	}
	if m.win.span() > int(m.win.limit) {
		t.Fatalf("window of %d holds %d", m.win.limit, m.win.span())
	}
}

// TestAcksReachTheServer: whatever happens, each message is processed once, acked
// at most once a connection, never before it is finished, and in the end all are.
func TestAcksReachTheServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mode := rapid.SampledFrom([]ackMode{ackEach, ackOrdered, ackRange}).Draw(t, "mode")
		m := newAckModel(mode, rapid.IntRange(1, 200).Draw(t, "in-flight"), rapid.IntRange(0, 3).Draw(t, "pack"))
		var partial []byte
		online := true
		drop := func() {
			m.ack.disconnect()
			m.win.disconnect()
			partial = partial[:0]
			online = false
		}
		t.Repeat(map[string]func(*rapid.T){
			"arrive": func(t *rapid.T) {
				if online {
					m.arrive(t, rapid.IntRange(1, 100).Draw(t, "n"))
				}
			},
			"finish": func(t *rapid.T) {
				code := worker.OK
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					code = worker.Refused
				}
				m.finish(t, rapid.IntRange(0, 1000).Draw(t, "at"), rapid.IntRange(1, 80).Draw(t, "n"), code)
			},
			"send": func(t *rapid.T) { m.kernelTakes(t, rapid.IntRange(1, 900).Draw(t, "bytes"), &partial) },
			"time": func(t *rapid.T) { m.now += 60; m.ack.tell(m.now, false) },
			"drop": func(t *rapid.T) { drop() },
			"resume": func(t *rapid.T) {
				if !online {
					m.connect()
					online = true
				}
			},
			"new session": func(t *rapid.T) {
				drop()
				m.newSession()
				online = true
			},
			"": m.check,
		})
		// Wind up: everything arrives, is finished and acked.
		if !online {
			m.connect()
		}
		for rounds := 0; m.cursor <= m.sent || len(m.working) > 0 || m.out.len() > 0 || m.ack.owed; rounds++ {
			if rounds > 100_000 {
				t.Fatalf("stuck: sent %d, cursor %d, window [%d,%d), order %d, owed %v, unsent %d, runs %v",
					m.sent, m.cursor, m.win.base, m.win.next, m.ack.order, m.ack.owed, m.out.len(), m.win.runs.list)
			}
			m.arrive(t, int(min(50, m.sent+1-m.cursor)))
			m.finish(t, 0, 100, worker.OK)
			m.ack.tell(m.now, true)
			m.kernelTakes(t, 1<<20, &partial)
		}
		for s := m.first; s <= m.sent; s++ {
			if !m.done[s] {
				t.Fatalf("%d of %d was never acked", s, m.sent)
			}
		}
		if m.win.span() != 0 {
			t.Fatalf("%d places left in the window", m.win.span())
		}
	})
}

// TestGaps: a jump is one gap, its numbers may come later, and are then new.
func TestGaps(t *testing.T) {
	var s sequence
	s.restart(10)
	steps := []struct {
		seq  uint64
		want arrival
		gap  seqRange
	}{
		{10, fresh, noRange},
		{15, fresh, seqRange{11, 14}},
		{12, late, noRange},
		{12, back, noRange},
		{11, late, noRange},
		{10, back, noRange},
		{16, fresh, noRange},
		{14, late, noRange},
		{13, late, noRange},
		{13, back, noRange},
	}
	for _, step := range steps {
		v := s.accept(step.seq)
		if v.arrival != step.want || v.gap != step.gap {
			t.Errorf("%d: arrival %d gap %v, want %d %v", step.seq, v.arrival, v.gap, step.want, step.gap)
		}
	}
	for i := range uint64(3000) {
		s.accept(100 + 2*i)
	}
	if len(s.gaps) != maxGaps {
		t.Errorf("%d gaps remembered, want %d", len(s.gaps), maxGaps)
	}
}

// TestBitmapAgainstModel compares the bitmap with a slice of bools.
func TestBitmapAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 256
		b, model := newBitmap(size), make([]bool, size)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			place := rapid.Uint64Range(1<<40, 1<<40+size).Draw(t, "place")
			n := rapid.Uint64Range(0, size).Draw(t, "n")
			set := rapid.Bool().Draw(t, "set")
			if set {
				b.set(place, n)
			} else {
				b.clear(place, n)
			}
			for i := range n {
				model[(place+i)%size] = set
			}
			from := rapid.Uint64Range(1<<40, 1<<40+size).Draw(t, "from")
			most := rapid.Uint64Range(1, size).Draw(t, "most")
			want := uint64(1)
			for want < most && model[(from+want)%size] == model[from%size] {
				want++
			}
			if got, set := b.run(from, most); got != want || set != model[from%size] {
				t.Fatalf("run(%d, %d) = %d %v, want %d %v", from, most, got, set, want, model[from%size])
			}
		}
	})
}
