package pool

import (
	"bytes"
	"runtime"
	"testing"

	"feedgate/worker"
)

// TestLongAcksAreBounded: while the loop takes no acks that are too long for the reply ring, the
// worker waits at the limit. Their memory is freed.
func TestLongAcksAreBounded(t *testing.T) {
	const size = 3 * maxAck
	l := newTestLoop(t, Config{
		Sink:   byCode(func(worker.Message) worker.Code { return worker.OK }),
		Render: func(dst []byte, m worker.Message, code worker.Code) []byte { return append(dst, m.Data...) },
	})
	var long [][]byte
	for i := range 20 {
		long = append(long, bytes.Repeat([]byte{byte(i)}, size))
	}
	l.dispatch(0, 0, long...)
	w := l.pool.workers[0]
	for !w.awaitsReplySpace.Load() {
		runtime.Gosched()
	}
	if n := l.pool.AckBytes(); n < longAcksMost || n >= longAcksMost+size {
		t.Errorf("%d bytes of acks wait, want %d and part of one more", n, longAcksMost)
	}
	l.finish()
	for slot, want := range long {
		if l.acks[uint32(slot)] != string(want) {
			t.Errorf("ack %d is another", slot)
		}
	}
	if n := l.pool.AckBytes(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	l.wantFreed(0)
}
