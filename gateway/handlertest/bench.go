package handlertest

import (
	"testing"

	"feedgate/gateway/internal/pool"
	"feedgate/worker"
)

// Benchmark runs b.N messages of size bytes through one worker of a sink, and closes the sink.
func Benchmark(b *testing.B, s worker.Sink, size int) {
	const inFlight = 8192
	g := Start(b, s, 1, inFlight)
	w := g.pool.Workers()[0]
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	done, next := 0, 0
	for done < b.N {
		room := min(b.N-next, inFlight-(next-done))
		slots := w.In().Reserve(min(room, 128))
		for i := range slots {
			slots[i] = pool.Span(uint32((next+i)%inFlight*size), uint32(size))
		}
		if n := len(slots); n > 0 {
			g.slabs.Hold(0, n)
			w.In().Commit(pool.Desc{Slot: uint32(next)}, n)
			w.In().Publish()
			w.Wake()
			next += n
		}
		took := 0
		for rec := w.Out().Next(); rec != nil; rec = w.Out().Next() {
			done += int(w.Reply(rec).Count)
			took++
		}
		w.ReleaseReplies()
		w.Wake()
		g.bell.Answer(took)
		if took == 0 && len(slots) == 0 && g.bell.Sleep() {
			<-g.wake
			g.bell.Wake()
		}
	}
	b.StopTimer()
	g.Stop()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
