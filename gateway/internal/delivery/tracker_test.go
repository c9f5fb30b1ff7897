package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/internal/delivery"
	"feedgate/gateway/internal/pool"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// tracked is a Tracker with a connection that counts acks.
type tracked struct {
	*testing.T
	*delivery.Tracker
	counted int
}

func newTracked(t *testing.T, cfg delivery.Config) *tracked {
	d := &tracked{T: t}
	cfg.Count = func(_ worker.Code, n int) { d.counted += n }
	if cfg.InFlight == 0 {
		cfg.InFlight = 100
	}
	d.Tracker = delivery.New(cfg)
	d.Connect(newConn(), 1)
	return d
}

func newConn() wire.Conn {
	return fg1.New(fg1.Config{MaxMessage: 1 << 20, Heartbeat: time.Second}).NewConn()
}

// add adds n messages in order, or one out of order.
func (d *tracked) add(seq uint64, n int) (slot uint32) {
	d.Helper()
	late := false
	if d.Classify(seq) != delivery.InOrder {
		arrival, _, err := d.Arrive(seq, 0)
		if err != nil || arrival == delivery.Redelivered {
			d.Fatalf("number %d: arrival %d, %v", seq, arrival, err)
		}
		late = arrival == delivery.Late
	}
	return uint32(d.Add(seq, n, late))
}

func (d *tracked) done(slot uint32, n int) { d.Done(slot, n, worker.OK, nil, 0) }

// wantSent makes the kernel accept all bytes and compares them.
func (d *tracked) wantSent(want ...string) {
	d.Helper()
	var sent []string
	var msgs [1][]byte
	for d.SendBuffer().Plan(msgs[:]) > 0 {
		b := msgs[0]
		for ; len(b) >= fg1.HeaderSize; b = b[fg1.HeaderSize:] {
			h := fg1.ParseHeader(b)
			sent = append(sent, strings.TrimSpace(map[fg1.Op]string{fg1.Ack: "", fg1.AckTo: "to"}[h.Op]+fmt.Sprintf(" %d", h.Seq)))
		}
		if len(b) > 0 {
			sent = append(sent, string(b))
		}
		d.SendBuffer().Sent(len(msgs[0]))
	}
	if !slices.Equal(sent, want) {
		d.Errorf("sent %q, want %q", sent, want)
	}
}

func (d *tracked) want(what string, got, want any) {
	d.Helper()
	if got != want {
		d.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestStopAcking: messages received after acking stopped are processed, and each ack that cannot
// be sent is counted once.
func TestStopAcking(t *testing.T) {
	d := newTracked(t, delivery.Config{})
	first := d.add(1, 3)
	d.done(first, 1)
	d.StopAcking(2) // two more had left the window
	d.want("stopped", d.AckingStopped(), true)
	d.want("bytes to send", d.SendBuffer().Len(), 0)
	d.want("acks lost", d.Unacked(), 3+2)
	next := d.add(4, 1)
	d.done(first+1, 2)
	d.want("finished with one at a worker", d.AllAcked(), false)
	d.done(next, 1)
	d.want("finished", d.AllAcked(), true)
	d.want("in flight", d.InFlight(), 0)
	d.want("acks lost with the connection", d.Disconnect(1), 3+2+1+1)
	d.Connect(newConn(), 1)
	d.want("acks lost on the next", d.Unacked(), 0)
	d.done(d.add(1, 1), 1)
	d.wantSent("1")
}

// TestReturned: a returned message frees its slot, and no ack is sent or counted.
func TestReturned(t *testing.T) {
	d := newTracked(t, delivery.Config{})
	d.Done(d.add(1, 2), 2, pool.Returned, nil, 0)
	d.wantSent()
	d.want("in flight", d.InFlight(), 0)
	d.want("with workers", d.Working(), 0)
	d.want("acks", d.counted, 0)
}

// TestDisconnectWithoutSessions: acks of an earlier connection are never sent; its slots stay in
// use until the workers are done.
func TestDisconnectWithoutSessions(t *testing.T) {
	d := newTracked(t, delivery.Config{InFlight: 2})
	old := d.add(1, 2)
	d.done(old, 1)
	d.want("without an ack", d.Disconnect(0), 2)
	d.Connect(newConn(), 1)
	d.want("free", d.Free(), 1)
	d.want("finished, of this connection", d.AllAcked(), true)
	d.done(old+1, 1)
	d.want("free", d.Free(), 2)
	d.wantSent()
}

// TestRestored: of an earlier process's session, only messages that the server does not redeliver
// count as done.
func TestRestored(t *testing.T) {
	d := &tracked{T: t, Tracker: delivery.New(delivery.Config{
		Sequenced: true, InFlight: 10, Watermark: 5, Count: func(worker.Code, int) {},
	})}
	d.want("watermark", d.Watermark(), uint64(5))
	d.ConnectRestored(newConn(), 4)
	d.want("watermark", d.Watermark(), uint64(3))
	slot := d.add(4, 3)
	d.done(slot+1, 2)
	d.wantSent("5", "6")
	d.want("watermark", d.Watermark(), uint64(3))
	d.done(slot, 1)
	d.wantSent("4")
	d.want("watermark", d.Watermark(), uint64(6))
}

// TestDrop: no cumulative ack covers a dropped message.
func TestDrop(t *testing.T) {
	d := newTracked(t, delivery.Config{Mode: wire.AckRange, Sequenced: true, Interval: 100})
	first, fourth := d.add(1, 1), d.add(4, 1)
	d.done(first, 1)
	d.done(fourth, 1)
	d.wantSent() // an ACKTO 4 is pending
	d.want("last at 2", d.Drop(2, 0), false)
	d.wantSent("1", "4")
	d.done(d.add(5, 1), 1)
	d.Flush(1000, true)
	d.wantSent("5")
	d.want("last at 6", d.Drop(6, 0), true)
}

// TestDropPassesOver: messages that the server does not redeliver before a dropped one need no
// ack.
func TestDropPassesOver(t *testing.T) {
	d := newTracked(t, delivery.Config{Sequenced: true})
	d.done(d.add(1, 2), 2)
	d.Disconnect(0)
	d.want("needs redelivery", d.NeedsRedelivery(), true)
	d.Resume(newConn(), 1, 0)
	d.Drop(3, 0)
	d.want("needs redelivery", d.NeedsRedelivery(), false)
	d.want("in flight", d.InFlight(), 0)
}

// TestStretch: a full window accepts one more message if the server will redeliver the others only
// after it, but not while a worker may still free a slot.
func TestStretch(t *testing.T) {
	const n = 128 // as many as the bitmaps have space for, so that they must grow
	d := newTracked(t, delivery.Config{Sequenced: true, InFlight: n})
	first := d.add(2, 1)
	d.Add(3, n-1, false)
	d.Disconnect(0)
	d.Resume(newConn(), 1, 0)
	d.want("full", d.Full(), true)
	d.want("arrival of 1", d.Classify(1), delivery.Late)
	d.want("stretched with messages at workers", d.Stretch(), false)
	d.done(first, n)
	d.want("stretched", d.Stretch(), true)
	d.done(d.add(1, 1), 1)
	d.wantSent("1")
	for seq := uint64(2); seq < n+2; seq++ {
		d.Arrive(seq, 0)
	}
	d.want("acks", d.counted, n+1)
	d.SendBuffer().Sent(d.SendBuffer().Len())
	d.want("in flight", d.InFlight(), 0)
}

// TestSlotsAreUsedAgain: what was recorded of a slot that has left the window does not apply to a later one
// with the same bits.
func TestSlotsAreUsedAgain(t *testing.T) {
	d := newTracked(t, delivery.Config{Sequenced: true, InFlight: 4})
	for seq := uint64(1); seq < 3000; seq++ {
		slot := d.add(seq, 1)
		d.Disconnect(0)
		d.Resume(newConn(), seq, 0)
		if a, _, err := d.Arrive(seq, 0); a != delivery.Redelivered || err != nil {
			t.Fatalf("message %d arrives again: %d, %v", seq, a, err)
		}
		if d.InFlight() != 1 || d.SendBuffer().Len() != 0 {
			t.Fatalf("message %d is with a worker: %d in flight, %d bytes to send", seq, d.InFlight(), d.SendBuffer().Len())
		}
		d.done(slot, 1)
		d.SendBuffer().Sent(d.SendBuffer().Len())
		d.want("acks", d.counted, int(seq))
	}
}

// TestRefusedNumbers: numbers that go back, or could wrap soon, are refused.
func TestRefusedNumbers(t *testing.T) {
	d := newTracked(t, delivery.Config{Sequenced: true})
	d.add(1, 5)
	for seq, want := range map[uint64]string{
		3: "message 3 after message 5 (seq_back)", delivery.MaxSeq + 1: "message 18374686479671623681 exceeds the maximum number 18374686479671623680 (seq_back)",
	} {
		if arrival, gap, err := d.Arrive(seq, 0); err == nil || err.Error() != want || arrival != delivery.Back || !gap.Empty() {
			t.Errorf("%d: arrival %d, gap %v, error %v", seq, arrival, gap, err)
		}
	}
}

// TestArrivalNumbers: without sessions, numbers may have gaps and go back.
func TestArrivalNumbers(t *testing.T) {
	d := newTracked(t, delivery.Config{})
	for _, seq := range []uint64{1, 4, 5, 2} {
		d.want(fmt.Sprint("arrival of ", seq), d.Classify(seq), delivery.InOrder)
		d.done(uint32(d.Add(seq, 1, false)), 1)
	}
	d.wantSent("1", "4", "5", "2")
}
