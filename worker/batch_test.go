package worker

import (
	"testing"
	"time"
)

// TestBatchesSpanRuns: a handler whose call costs 1 ms gets long batches of messages that are
// each a run of their own.
func TestBatchesSpanRuns(t *testing.T) {
	for _, span := range []time.Duration{0, 5 * time.Second} {
		calls := 0
		p := newPaced(t, span, func(p *paced) Sink {
			return batchSink(func(b *Batch) {
				calls++
				p.clock = p.clock.Add(time.Millisecond)
				b.Done(b.Left(), OK)
			})
		})
		for range 60 {
			p.fill()
			p.turn()
		}
		calls = 0
		before := p.next - uint32(p.held)
		for range 100 {
			p.fill()
			p.turn()
		}
		if done := p.next - uint32(p.held) - before; calls != 100 || done < 95_000 {
			t.Errorf("span %v: %d messages in %d calls", span, done, calls)
		}
	}
}
