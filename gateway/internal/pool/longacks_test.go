package pool

import (
	"bytes"
	"runtime"
	"testing"

	"feedgate/worker"
)

// TestLongAcksAreBounded: a worker waits with acks that are too long for its reply ring while the
// loop takes none, and their memory comes back.
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
	for !w.wantsRoom.Load() {
		runtime.Gosched()
	}
	if n := l.pool.AckBytes(); n < longAcksMost || n >= longAcksMost+size {
		t.Errorf("%d bytes of acks wait, want %d and part of one more", n, longAcksMost)
	}
	l.finish()
	for place, want := range long {
		if l.acks[uint32(place)] != string(want) {
			t.Errorf("ack %d is another", place)
		}
	}
	if n := l.pool.AckBytes(); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
	l.wantFreed(0)
}
