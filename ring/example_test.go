package ring_test

import (
	"fmt"
	"runtime"

	"feedgate/ring"
)

// Both sides work in batches: many entries to one publish and one release.
func ExampleSPSC() {
	r := ring.NewSPSC[int](8)
	const last = 20

	go func() { // the producer
		for i := 1; i <= last; {
			slots := r.Reserve(last - i + 1)
			if len(slots) == 0 {
				runtime.Gosched() // full
				continue
			}
			for j := range slots {
				slots[j] = i
				i++
			}
			r.Commit(len(slots))
			r.Publish()
		}
	}()

	sum := 0
	for taken := 0; taken < last; { // the consumer
		entries := r.Peek()
		if len(entries) == 0 {
			runtime.Gosched() // empty
			continue
		}
		for _, v := range entries {
			sum += v
		}
		taken += len(entries)
		r.Take(len(entries))
		r.Release()
	}
	fmt.Println(sum)
	// Output: 210
}

// A record is written and read where it lies in the ring.
func ExampleBytes() {
	r := ring.NewBytes(1024)

	for seq := range 3 {
		space := r.Reserve(32) // nil when the ring is full
		record := fmt.Appendf(space[:0], "ack %d", seq)
		r.Commit(len(record))
	}
	r.Publish()

	for record := r.Next(); record != nil; record = r.Next() {
		fmt.Printf("%s\n", record)
	}
	r.Release()
	// Output:
	// ack 0
	// ack 1
	// ack 2
}

// One consumer sleeps until any of several rings has something for it.
func ExampleEventCount() {
	var events ring.EventCount
	rings := []*ring.SPSC[int]{ring.NewSPSC[int](8), ring.NewSPSC[int](8)}
	wake := make(chan struct{}, 1)

	for i, r := range rings {
		go func() { // a producer
			r.Reserve(1)[0] = i + 1
			r.Commit(1)
			r.Publish()
			if events.Add(1) {
				wake <- struct{}{}
			}
		}()
	}

	sum := 0
	for left := len(rings); left > 0; { // the consumer
		for _, r := range rings {
			entries := r.Peek()
			for _, v := range entries {
				sum += v
			}
			events.Sub(len(entries))
			left -= len(entries)
			r.Take(len(entries))
			r.Release()
		}
		if left > 0 && events.Sleep() {
			<-wake
			events.Wake()
		}
	}
	fmt.Println(sum)
	// Output: 3
}
