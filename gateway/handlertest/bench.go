package handlertest

import (
	"testing"

	"feedgate/gateway/internal/pool"
	"feedgate/worker"
)

// Benchmark runs b.N messages of size bytes through one worker of a sink, with up to 8192
// unresolved at once, and closes the sink.
func Benchmark(b *testing.B, s worker.Sink, size int) {
	const inFlight = 8192
	g := Start(b, s, 1, inFlight)
	w := g.pool.Workers()[0]
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	resolved, next := 0, 0
	for resolved < b.N {
		limit := min(b.N-next, inFlight-(next-resolved))
		spans := w.In().Reserve(min(limit, 128))
		for i := range spans {
			spans[i] = pool.Span(uint32((next+i)%inFlight*size), uint32(size))
		}
		if n := len(spans); n > 0 {
			g.slabs.Hold(0, n)
			w.In().Commit(pool.Desc{Slot: uint32(next)}, n)
			w.In().Publish()
			w.Wake()
			next += n
		}
		records := 0
		for rec := w.Out().Next(); rec != nil; rec = w.Out().Next() {
			resolved += int(w.Reply(rec).Count)
			records++
		}
		w.ReleaseReplies()
		w.Wake()
		g.events.Sub(records)
		if records == 0 && len(spans) == 0 && g.events.Sleep() {
			<-g.wake
			g.events.Wake()
		}
	}
	b.StopTimer()
	g.Stop()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
