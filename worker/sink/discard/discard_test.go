package discard

import (
	"fmt"
	"testing"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestDiscardCounts(t *testing.T) {
	log := new(testkit.Log)
	s := newCounter(log.Tee(t))
	a, b := handlertest.Start(t, s, 2, 4096), handlertest.Start(t, s, 1, 4096)
	const n = 3000
	bytes := 0
	for i := range n {
		data := make([]byte, i%50)
		a.Send(i%2, data)
		b.Send(0, data)
		bytes += 2 * len(data)
	}
	a.Wait(n)
	b.Wait(n)
	check := func() {
		t.Helper()
		// A worker counts a batch after it has resolved it.
		testkit.Eventually(t, "counts", func() bool {
			m, by := s.count()
			return m == 2*n && by == uint64(bytes)
		})
	}
	check()
	a.Stop()
	check()
	b.Stop()
	check()
	if a.Refused+b.Refused != 0 || s.Ready() != nil || s.Err() != nil {
		t.Error("discard refused a message or has a fault")
	}
	if err := s.Close(); err != nil || log.Count(fmt.Sprintf("messages=%d bytes=%d", 2*n, bytes)) != 1 {
		t.Errorf("close: %v; the log lacks the sums", err)
	}
}

// BenchmarkDiscard measures the pool. It must not allocate.
func BenchmarkDiscard(b *testing.B) { sinktest.Benchmark(b, Kind, "discard:", 64) }
