package ring_test

import (
	"runtime"
	"testing"

	"github.com/Workiva/go-datastructures/queue"

	"feedgate/ring"
)

// BenchmarkRoundTrip sends one entry there and back over two queues; ns/op is ns
// per round trip. "spin" waits with Gosched, "block" sleeps on a channel until
// the other side, on a true result of Ring, wakes it.
func BenchmarkRoundTrip(b *testing.B) {
	b.Run("spsc-spin", roundTripSpin)
	b.Run("spsc-block", roundTripBlock)
	b.Run("channel", roundTripChannel)
	b.Run("ringbuffer", roundTripRingBuffer)
}

func roundTripSpin(b *testing.B) {
	there, back := ring.NewSPSC[uint64](1024), ring.NewSPSC[uint64](1024)
	receive := func(r *ring.SPSC[uint64]) uint64 {
		for {
			if v, ok := r.Pop(); ok {
				return v
			}
			runtime.Gosched()
		}
	}
	go func() {
		for range b.N {
			back.Push(receive(there))
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		there.Push(uint64(i))
		if v := receive(back); v != uint64(i) {
			b.Fatalf("got %d, want %d", v, i)
		}
	}
}

// mailbox is a ring with a consumer that sleeps.
type mailbox struct {
	ring   *ring.SPSC[uint64]
	events ring.EventCount
	wake   chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{ring: ring.NewSPSC[uint64](1024), wake: make(chan struct{}, 1)}
}

func (m *mailbox) send(v uint64) {
	m.ring.Push(v)
	if m.events.Add(1) {
		m.wake <- struct{}{}
	}
}

func (m *mailbox) receive() uint64 {
	for {
		if v, ok := m.ring.Pop(); ok {
			m.events.Sub(1)
			return v
		}
		if m.events.Sleep() {
			<-m.wake
			m.events.Wake()
		}
	}
}

func roundTripBlock(b *testing.B) {
	there, back := newMailbox(), newMailbox()
	go func() {
		for range b.N {
			back.send(there.receive())
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		there.send(uint64(i))
		if v := back.receive(); v != uint64(i) {
			b.Fatalf("got %d, want %d", v, i)
		}
	}
}

func roundTripChannel(b *testing.B) {
	there, back := make(chan uint64, 1024), make(chan uint64, 1024)
	go func() {
		for range b.N {
			back <- <-there
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		there <- uint64(i)
		if v := <-back; v != uint64(i) {
			b.Fatalf("got %d, want %d", v, i)
		}
	}
}

func roundTripRingBuffer(b *testing.B) {
	there, back := queue.NewRingBuffer(1024), queue.NewRingBuffer(1024)
	move := func(from, to *queue.RingBuffer) uint64 {
		v, err := from.Get()
		if err == nil && to != nil {
			err = to.Put(v)
		}
		if err != nil {
			panic(err)
		}
		return v.(uint64)
	}
	go func() {
		for range b.N {
			move(there, back)
		}
	}()
	b.ResetTimer()
	for i := range b.N {
		if err := there.Put(uint64(i)); err != nil {
			b.Fatal(err)
		}
		if v := move(back, nil); v != uint64(i) {
			b.Fatalf("got %d, want %d", v, i)
		}
	}
}
