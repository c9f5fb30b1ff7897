package sinktest

import (
	"log/slog"
	"testing"

	"feedgate/worker"
	"feedgate/worker/sink"
)

// Benchmark runs b.N messages of size bytes through one worker.
func Benchmark(b *testing.B, kind sink.Kind, url string, size int) {
	s, err := sink.Registry{kind}.Open(url, sink.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	const inFlight = 8192
	r := NewRig(b, s, 1, inFlight)
	w := r.Pool.Workers()[0]
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	done, next := 0, 0
	for done < b.N {
		room := min(b.N-next, inFlight-(next-done))
		slots := w.In().Reserve(min(room, 128))
		for i := range slots {
			slots[i] = worker.Span(uint32((next+i)%inFlight*size), uint32(size))
		}
		if n := len(slots); n > 0 {
			r.slabs.Hold(0, n)
			w.In().Commit(worker.Desc{Slot: uint32(next)}, n)
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
		r.bell.Answer(took)
		if took == 0 && len(slots) == 0 && r.bell.Sleep() {
			<-r.wake
			r.bell.Wake()
		}
	}
	b.StopTimer()
	r.Stop()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
