package feed

import (
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/wire/fg1"
)

// tap notes the acks that a gateway sends over FG/1, before they are passed on. Any
// goroutine may use it; nil looks at nothing.
type tap struct {
	t *testing.T

	mu      sync.Mutex
	acked   []bool // by number
	total   uint64 // numbers acked
	covered uint64 // by an ACKTO
	falls   uint64 // acks, of one connection, of a number that is not the next
}

// stream is what a gateway sends on one connection. It is the pump's.
type stream struct {
	tap  *tap
	rest []byte // the beginning of a frame
	last uint64 // acked last
}

// look begins a connection of a relay.
func (p *tap) look(int) (down, up testkit.Filter) {
	if p == nil {
		return nil, nil
	}
	return nil, (&stream{tap: p}).take
}

func (s *stream) take(passing []byte) []byte {
	s.tap.mu.Lock()
	defer s.tap.mu.Unlock()
	s.rest = append(s.rest, passing...)
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
	return passing
}

func (s *stream) frame(h fg1.Header) {
	p := s.tap
	switch h.Op {
	case fg1.Ack:
		if s.last != 0 && h.Seq != s.last+1 {
			p.falls++
		}
		p.note(h.Seq)
		s.last = h.Seq
	case fg1.AckTo:
		for ; p.covered < h.Seq; p.covered++ {
			p.note(p.covered + 1)
		}
	}
}

func (p *tap) note(seq uint64) {
	for uint64(len(p.acked)) <= seq {
		p.acked = append(p.acked, false)
	}
	if !p.acked[seq] {
		p.acked[seq] = true
		p.total++
	}
}

// count is how many numbers have been acked.
func (p *tap) count() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total
}

// disorder is how many acks did not name the number behind the one before.
func (p *tap) disorder() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.falls
}

// unfounded returns how many acked numbers are not in l, and the first of them.
func (p *tap) unfounded(l *testkit.Ledger) (n, first uint64) {
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
