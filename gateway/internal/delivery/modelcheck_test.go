package delivery_test

import (
	"slices"

	"pgregory.net/rapid"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

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
	case m.cfg.Mode == wire.AckOrdered && h.Seq != m.received[len(m.connAcked)]:
		m.Fatalf("ack of %d, but %d was received next", h.Seq, m.received[len(m.connAcked)])
	}
	m.connAcked[h.Seq], m.acked[h.Seq] = true, true
}

func (m *model) seesAckTo(through uint64) {
	if m.cfg.Mode != wire.AckRange || through < m.through {
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
	case m.cfg.Mode == wire.AckNone && (m.track.SendBuffer().Len() > 0 || m.track.SendBuffer().Acks()):
		m.Fatal("acks are to be sent")
	}
}

// windUp delivers, completes and acks everything.
func (m *model) windUp() {
	if !m.online {
		m.resume(false)
	}
	for rounds := 0; m.cursor <= m.sent || !m.track.AllAcked() || len(m.stream) > 0; rounds++ {
		if rounds > 100_000 {
			m.Fatalf("stuck: sent %d, cursor %d, %d in flight, %d unsent", m.sent, m.cursor, m.track.InFlight(), m.track.SendBuffer().Len())
		}
		if m.cursor <= m.sent {
			m.arrive(int(min(50, m.sent+1-m.cursor)), false)
		}
		m.finish(0, 100, worker.OK)
		m.track.Flush(m.now, true)
		m.kernelTakes(1 << 20)
		m.serverReads(1 << 20)
		m.track.SendBuffer().Transmitted(0)
	}
	m.track.SendBuffer().Transmitted(0)
	for seq := m.first; seq <= m.sent && m.cfg.Mode != wire.AckNone; seq++ {
		if !m.acked[seq] && !m.missing[seq] {
			m.Fatalf("%d of %d was never acked", seq, m.sent)
		}
	}
	if n, working, kernel := m.track.InFlight(), m.track.Working(), m.track.SendBuffer().InKernel(); n+working+kernel != 0 {
		m.Fatalf("%d slots in use, %d with workers, %d acks with the kernel are left", n, working, kernel)
	}
}
