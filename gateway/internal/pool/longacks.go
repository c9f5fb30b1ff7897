package pool

import (
	"sync/atomic"

	"feedgate/ring"
	"feedgate/worker/offheap"
)

// longAcks takes rendered acks that are too long for the reply ring from a worker to the loop, in
// the order of their records in that ring. Their memory is outside of Go's heap.
type longAcks struct {
	ring  *ring.SPSC[offheap.Block] // worker -> loop
	bytes atomic.Int64              // of those in ring: the worker adds, the loop subtracts

	taken []offheap.Block // by the loop, and not released yet; owned by the loop
}

const (
	// longAcksMost limits the long acks of a worker that wait for the loop, in bytes: about the
	// size of a reply ring. At the limit, the worker waits.
	longAcksMost = 8 * maxAck
	longAcksRing = longAcksMost / maxAck
)

func (a *longAcks) init() { a.ring = ring.NewSPSC[offheap.Block](longAcksRing) }

// full reports whether the worker has to wait before it puts another one. Worker only.
func (a *longAcks) full() bool {
	return a.bytes.Load() >= longAcksMost || len(a.ring.Reserve(1)) == 0
}

// put copies an ack; full must be false. The loop can take it after ring.Publish. Worker only.
func (a *longAcks) put(ack []byte) {
	b := offheap.AllocBlock(offheap.Default, len(ack))
	copy(b.Bytes(), ack)
	a.bytes.Add(int64(len(ack)))
	a.ring.Reserve(1)[0] = b
	a.ring.Commit(1)
}

// next takes the next ack, which is valid until release. Loop only.
func (a *longAcks) next() []byte {
	b := a.ring.Peek()[0]
	a.ring.Take(1)
	a.taken = append(a.taken, b)
	return b.Bytes()
}

// release frees the acks taken so far. Loop only.
func (a *longAcks) release() {
	if len(a.taken) == 0 {
		return
	}
	for _, b := range a.taken {
		a.bytes.Add(-int64(len(b.Bytes())))
		b.Free()
	}
	clear(a.taken)
	a.taken = a.taken[:0]
	a.ring.Release()
}

// close frees all acks, after worker and loop have ended.
func (a *longAcks) close() {
	a.ring.Publish()
	for len(a.ring.Peek()) > 0 {
		a.next()
	}
	a.release()
}
