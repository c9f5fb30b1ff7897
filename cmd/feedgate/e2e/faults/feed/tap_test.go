package feed

import (
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/wire/fg1"
)

// tap records the acks that a gateway sends over FG/1, before the relay passes them on. Any
// goroutine may use it. A nil tap records nothing.
type tap struct {
	t *testing.T

	mu         sync.Mutex
	acked      []bool // by number
	total      uint64 // numbers acked
	ackedTo    uint64 // highest number of an ACKTO
	outOfOrder uint64 // ACKs whose number does not follow the previous one on their connection
}

// stream decodes one connection of a gateway. Its pump owns it.
type stream struct {
	tap  *tap
	rest []byte // the beginning of a frame
	last uint64 // number of the last ACK
}

// observe returns the filters of a new connection; see testkit.RelayOptions.
func (p *tap) observe(int) (down, up testkit.Filter) {
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

func (p *tap) record(seq uint64) {
	for uint64(len(p.acked)) <= seq {
		p.acked = append(p.acked, false)
	}
	if !p.acked[seq] {
		p.acked[seq] = true
		p.total++
	}
}

// count returns how many numbers were acked.
func (p *tap) count() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// disorder returns how many ACKs were out of order.
func (p *tap) disorder() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outOfOrder
}

// premature returns how many acked numbers are not in l, and the first of them.
func (p *tap) premature(l *testkit.Ledger) (n, first uint64) {
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
