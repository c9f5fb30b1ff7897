package delivery

import (
	"runtime"
	"testing"

	"feedgate/worker"
)

// TestRefusalsLeaveNoMemory: the memory for a session's refusals is freed once the session has
// ended and nothing is in flight.
func TestRefusalsLeaveNoMemory(t *testing.T) {
	const refusals, most = 1 << 17, 1 << 20
	w := newWindow(refusals+1, 1)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	refuse := func() {
		slot := w.add(1, refusals, false)
		w.markDone(slot, refusals, worker.BadRequest)
		w.markAcked(slot, refusals)
	}
	refuse()
	if code, ok := w.codes.ofRetired(refusals); !ok || code != worker.BadRequest {
		t.Fatalf("the last refusal is %v, %t", code, ok)
	}
	if grown := heap() - before; grown <= most {
		t.Fatalf("%d refusals take %d bytes: too few for this test", refusals, grown)
	}
	w.abandon()
	if left := heap() - before; left > most {
		t.Errorf("%d bytes are left of a session that is over", left)
	}
	first := w.add(1, 1, false)
	refuse()
	w.abandon()
	w.markDone(first, 1, worker.OK)
	if n := w.inFlight(); n != 0 {
		t.Fatalf("%d in flight", n)
	}
	w.abandon()
	if left := heap() - before; left > most {
		t.Errorf("%d bytes are left once the last message is done", left)
	}
	runtime.KeepAlive(w)
}
