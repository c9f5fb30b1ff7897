package gateway

import (
	"feedgate/worker/offheap"
	"feedgate/worker/sink/sinktest"
)

// Messages lie on the heap, where the race detector sees them, and are poisoned when they are
// given up, also without -race: who reads too late, or gives up too early, reads poison. Pages are
// small, as the slabs of the simulation are. A test that wants the memory of the product runs in a
// process of its own.
func init() {
	if !sinktest.Alone() {
		offheap.Default = offheap.Heap{PageSize: 64}
	}
}
