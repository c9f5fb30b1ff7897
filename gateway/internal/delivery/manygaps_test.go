package delivery_test

import (
	"testing"
	"time"

	"feedgate/gateway/internal/delivery"
)

// TestManyGapsInFlight: if a server omits every other number, there are as many extents as
// messages in flight. The time per ack must not grow with them: with 65,536 in flight, the loop
// was once saturated, and drains timed out.
func TestManyGapsInFlight(t *testing.T) {
	t.Parallel()
	const rounds = 1 << 14
	few, many := skipping(t, 1<<6, rounds), skipping(t, 1<<15, rounds)
	t.Logf("%d acks: %v with few in flight, %v with many", rounds, few, many)
	if limit := time.Second/2 + 20*few; many > limit {
		t.Errorf("%v with many in flight, %v with few: at most %v wanted", many, few, limit)
	}
}

// skipping returns the time to acknowledge rounds messages, oldest first, while each frees a slot
// for a new one.
func skipping(t *testing.T, inFlight, rounds int) time.Duration {
	d := newTracked(t, delivery.Config{Sequenced: true, InFlight: inFlight})
	seq := uint64(1)
	var slots []uint32
	next := func() {
		seq += 2
		slots = append(slots, d.add(seq, 1))
	}
	for range inFlight {
		next()
	}
	began := time.Now()
	for i := range rounds {
		d.done(slots[i], 1)
		var msgs [1][]byte
		for d.SendBuffer().Plan(msgs[:]) > 0 {
			d.SendBuffer().Sent(len(msgs[0]))
		}
		next()
	}
	took := time.Since(began)
	if d.counted != rounds || d.InFlight() != inFlight {
		t.Errorf("%d acked, %d in flight; want %d and %d", d.counted, d.InFlight(), rounds, inFlight)
	}
	if want := 2*uint64(rounds) + 1; d.Watermark() != want {
		t.Errorf("watermark %d, want %d", d.Watermark(), want)
	}
	return took
}
