package feedtest

import (
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/wire/fg1"
)

// Tap records the acks that a gateway sends over FG/1, before the relay passes them on. Any
// goroutine may use it. A nil Tap records nothing.
type Tap struct {
	// OnAck is called with each number when it is acked for the first time, before the relay passes
	// the ack on. Nil: nothing is.
	OnAck func(seq uint64)

	t testing.TB

	mu         sync.Mutex
	acked      []bool // by number
	total      uint64 // numbers acked
	ackedTo    uint64 // highest number of an ACKTO
	outOfOrder uint64 // ACKs whose number does not follow the previous one on their connection
}

// NewTap returns a Tap for a test.
func NewTap(t testing.TB) *Tap { return &Tap{t: t} }

// stream decodes one connection of a gateway. Its pump owns it.
type stream struct {
	tap  *Tap
	rest []byte // the beginning of a frame
	last uint64 // number of the last ACK
}

// Observe returns the filters of a new connection; see testkit.RelayOptions.
func (p *Tap) Observe(int) (down, up testkit.Filter) {
	if p == nil {
		return nil, nil
	}
	return nil, (&stream{tap: p}).filter
}

func (s *stream) filter(relayed []byte) []byte {
	s.tap.mu.Lock()
	defer s.tap.mu.Unlock()
	s.rest = append(s.rest, relayed...)
	b := s.rest
	for len(b) >= fg1.HeaderSize {
		h := fg1.ParseHeader(b)
		if h.Payload() < 0 || h.Payload() > 1<<20 {
			s.tap.t.Errorf("the gateway sent a frame of %d bytes", h.Payload())
			break
		}
		end := fg1.HeaderSize + int(h.Payload())
		if len(b) < end {
			break
		}
		s.frame(h)
		b = b[end:]
	}
	s.rest = append(s.rest[:0], b...)
	return relayed
}

func (s *stream) frame(h fg1.Header) {
	p := s.tap
	switch h.Op {
	case fg1.Ack:
		if s.last != 0 && h.Seq != s.last+1 {
			p.outOfOrder++
		}
		p.record(h.Seq)
		s.last = h.Seq
	case fg1.AckTo:
		for ; p.ackedTo < h.Seq; p.ackedTo++ {
			p.record(p.ackedTo + 1)
		}
	}
}

func (p *Tap) record(seq uint64) {
	for uint64(len(p.acked)) <= seq {
		p.acked = append(p.acked, false)
	}
	if !p.acked[seq] {
		p.acked[seq] = true
		p.total++
		if p.OnAck != nil {
			p.OnAck(seq)
		}
	}
}

// Count returns how many numbers were acked.
func (p *Tap) Count() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// Disorder returns how many ACKs were out of order.
func (p *Tap) Disorder() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outOfOrder
}

// Premature returns how many acked numbers are not in l, and the first of them.
func (p *Tap) Premature(l *testkit.Ledger) (n, first uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return l.Lacking(func(yield func(uint64) bool) {
		for seq, acked := range p.acked {
			if acked && !yield(uint64(seq)) {
				return
			}
		}
	})
}
