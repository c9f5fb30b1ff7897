package delivery_test

import (
	"fmt"
	"testing"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

// TestRenderedAcks: rendered acks are sent in order; an empty one counts as sent.
func TestRenderedAcks(t *testing.T) {
	d := newTracked(t, delivery.Config{Mode: wire.AckOrdered, Rendered: true, InFlight: 4})
	slot := d.add(1, 4)
	d.Done(slot+2, 1, worker.OK, []byte("c"), 0)
	d.Done(slot+1, 1, worker.OK, []byte("b"), 0)
	d.wantSent()
	d.Done(slot, 1, worker.OK, []byte("a"), 0)
	d.wantSent("abc")
	d.Done(slot+3, 1, worker.Refused, nil, 0)
	d.want("in flight", d.InFlight(), 0)
	d.want("refused without an ack", d.TakeSuppressed(), 1)
	d.want("refused without an ack, since", d.TakeSuppressed(), 0)
}

// TestAcksWaitInCountedMemory: the memory of waiting acks is counted until they are appended to
// the send buffer, up to its limit at a time, or the connection ends.
func TestAcksWaitInCountedMemory(t *testing.T) {
	d := newTracked(t, delivery.Config{
		Mode: wire.AckOrdered, Rendered: true, InFlight: 64, SendLimit: 8, Memory: offheap.Heap{}, AckChunk: 16,
	})
	kept := func() int64 { n, _ := d.WaitingAcks(); return n }
	slot := d.add(1, 10)
	for i := uint32(9); i > 0; i-- {
		d.Done(slot+i, 1, worker.OK, []byte(fmt.Sprintf("ack%d,", i)), 0)
	}
	d.want("nine of 5 bytes wait, three to a chunk", kept(), int64(48))
	d.Done(slot, 1, worker.OK, []byte("ack0,"), 0)
	d.wantSent("ack0,ack1,")
	d.want("some still wait", d.AllAcked(), false)
	for i := 2; i < 10; i += 2 {
		d.want("more are appended", d.Flush(0, false), true)
		d.wantSent(fmt.Sprintf("ack%d,ack%d,", i, i+1))
	}
	d.want("none waits", kept(), int64(0))
	d.want("there are no more", d.Flush(0, false), false)
	d.want("finished", d.AllAcked(), true)

	slot = d.add(11, 3)
	d.Done(slot+1, 1, worker.OK, []byte("b"), 0)
	d.want("one waits", kept(), int64(16))
	d.Disconnect(0)
	d.want("the connection is over", kept(), int64(0))
	d.Done(slot+2, 1, worker.OK, []byte("c"), 0)
	d.Connect(newConn(), 1)
	d.Done(slot, 1, worker.OK, []byte("a"), 0)
	d.want("no ack of the connection before waits", kept(), int64(0))
	d.wantSent()
	slot = d.add(1, 2)
	d.Done(slot+1, 1, worker.OK, []byte("e"), 0)
	d.Done(slot, 1, worker.OK, []byte("d"), 0)
	d.wantSent("de")
	d.Close()
	_, all := d.WaitingAcks()
	d.want("all memory is given back", all, int64(0))
}

// TestFrames: the protocol's own frames keep their position among the acks.
func TestFrames(t *testing.T) {
	for _, pack := range []int{0, 1} {
		d := newTracked(t, delivery.Config{Pack: pack})
		out := d.SendBuffer()
		slot := d.add(1, 2)
		out.Write(append(out.AvailableBuffer(), "hello"...))
		d.want("acks to send", out.Acks(), false)
		d.done(slot, 2)
		out.Write(nil)
		d.want("acks to send", out.Acks(), true)
		d.want("bytes to send", out.Len(), len("hello")+2*fg1.HeaderSize)
		var msgs [4][]byte
		d.want("messages", out.Plan(msgs[:]), 1+2*pack)
		out.Sent(len("hello") + fg1.HeaderSize + 1)
		// Both acks have the same boundary.
		d.want("in flight", d.InFlight(), 2)
		out.Sent(fg1.HeaderSize - 1)
		d.want("in flight", d.InFlight(), 0)
		d.want("acks in the kernel", out.InKernel(), 2)
		d.want("more on the wire", out.Transmitted(0), true)
		d.want("acks in the kernel", out.InKernel(), 0)
		d.want("more on the wire", out.Transmitted(0), false)
		out.Write([]byte("bye"))
		d.Discard(1)
		d.want("bytes to send", out.Len(), 0)
		d.want("acks lost", d.Unacked(), 1)
	}
}

// TestDue: a cumulative ack is sent after its interval, or at once if the window is half full.
func TestDue(t *testing.T) {
	d := newTracked(t, delivery.Config{Mode: wire.AckRange, Sequenced: true, InFlight: 4, Interval: 100})
	d.Done(d.add(1, 1), 1, worker.OK, nil, 7)
	d.want("due", d.Due(), time.Duration(107))
	d.Flush(106, false)
	d.wantSent()
	d.want("finished", d.AllAcked(), false)
	d.Flush(107, false)
	d.wantSent("to 1")
	d.want("due", d.Due(), time.Duration(0))
	d.Done(d.add(2, 2), 2, worker.OK, nil, 200)
	d.want("due", d.Due(), time.Duration(200))
	d.EndAcks()
	d.Flush(1000, true)
	d.wantSent()
}

// TestReads: a read is reported once all its messages are acked.
func TestReads(t *testing.T) {
	d := newTracked(t, delivery.Config{})
	next := func() time.Duration {
		when, _ := d.NextAcked()
		return when
	}
	d.want("a read without messages", d.Read(1), false)
	slot := d.add(1, 1)
	d.want("a read", d.Read(2), true)
	d.add(2, 1)
	d.want("more of it", d.Read(2), true)
	d.add(3, 1)
	d.Read(3)
	d.done(slot, 1)
	d.SendBuffer().Sent(d.SendBuffer().Len())
	d.want("acked", next(), time.Duration(0))
	d.done(slot+1, 2)
	d.want("acked", next(), time.Duration(0))
	d.SendBuffer().Sent(d.SendBuffer().Len())
	d.want("acked", next(), time.Duration(2))
	d.want("acked", next(), time.Duration(3))
	d.want("acked", next(), time.Duration(0))
}
