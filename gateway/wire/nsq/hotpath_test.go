package nsq

import (
	"fmt"
	"testing"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// turn is a connection, and functions that decode a slab of n messages of size bytes and
// that ack them, in runs.
func turn(t testing.TB, n, size, run int) (decode, ack func()) {
	cfg := testConfig()
	cfg.InFlight = n
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := p.NewConn().(*conn)
	c.AppendHello(nil, wire.Hello{})
	in := wire.Input{Msgs: make([]wire.Msg, 0, 1024)}
	step := func(buf []byte) (msgs int) {
		in.Start, in.Keep, in.Scan = 0, 0, 0
		for in.Scan < len(buf) {
			in.Msgs, in.Event = in.Msgs[:0], wire.Event{}
			if err := c.Decode(buf, &in); err != nil {
				t.Fatal(err)
			}
			msgs += len(in.Msgs)
		}
		return msgs
	}
	step(answers())
	var slab []byte
	for i := range n {
		slab = append(slab, message(i, 1, bodyOf(size))...)
	}
	seq := uint64(1)
	dst := make([]byte, 0, run*requeueSize)
	decode = func() {
		if got := step(slab); got != n {
			t.Fatalf("%d messages", got)
		}
	}
	ack = func() {
		for at := 0; at < n; at += run {
			dst = c.AppendAcks(dst[:0], seq, run, worker.OK)
			seq += uint64(run)
		}
		dst = c.AppendAcks(dst[:0], seq-1, 1, worker.Refused)
	}
	return decode, ack
}

func TestHotPathAllocatesNothing(t *testing.T) {
	for _, run := range []int{1, 16, 512} {
		decode, ack := turn(t, 1024, 64, run)
		if n := testing.AllocsPerRun(100, func() { decode(); ack() }); n != 0 {
			t.Errorf("acks in runs of %d: %v allocations for 1024 messages", run, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{16, 64, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const n = 2048
			decode, _ := turn(b, n, size, 1)
			b.SetBytes(int64(n * (messageHead + size)))
			b.ReportAllocs()
			for b.Loop() {
				decode()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
		})
	}
}

func BenchmarkAppendAcks(b *testing.B) {
	for _, run := range []int{1, 16, 512} {
		b.Run(fmt.Sprint("runs of ", run), func(b *testing.B) {
			const n = 2048
			decode, ack := turn(b, n, 64, run)
			decode()
			b.ReportAllocs()
			for b.Loop() {
				ack()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/msg")
		})
	}
}
