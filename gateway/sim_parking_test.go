package gateway

import (
	"runtime"
	"testing"
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/ring"
	"feedgate/worker/testkit"
)

// TestParking tests what the simulation leaves out: real workers that park. Each message is
// published when its worker is about to park after the previous one. If the worker did not check
// its ring a second time, it would miss the message.
func TestParking(t *testing.T) {
	rounds := 200_000
	if testing.Short() {
		rounds = 50_000
	}
	slabs := pool.NewSlabs(1, func(uint16) {})
	slabs.At(0).Data = make([]byte, 8)
	slabs.Hold(0, loopRefs)
	var events ring.EventCount
	p, err := pool.New(pool.Config{
		Workers: 1, Ring: 64, InFlight: 64, Slabs: slabs, Sink: testkit.ByCode(accept),
		Events: &events, Wake: func() {}, Log: discardLog(),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	w := p.Workers()[0]
	for i := range rounds {
		var deadline time.Time // of this round, generous because the machine may be busy
		w.In().Reserve(1)[0] = pool.Span(0, 8)
		w.In().Commit(pool.Desc{Seq: uint64(i), Slot: uint32(i)}, 1)
		w.In().Publish()
		w.Wake()
		for k := 1; w.Out().Next() == nil; k++ {
			if k%64 == 0 {
				runtime.Gosched()
			}
			if k == 1<<16 {
				deadline = time.Now().Add(20 * time.Second)
			}
			if k%(1<<16) == 0 && time.Now().After(deadline) {
				t.Errorf("the worker sleeps on message %d", i)
				if err := p.Stop(); err != nil {
					t.Error(err)
				}
				return
			}
		}
		w.ReleaseReplies()
		events.Sub(1)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
