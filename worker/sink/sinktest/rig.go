package sinktest

import (
	"log/slog"
	"testing"
	"time"

	"feedgate/ring"
	"feedgate/worker"
)

// Rig stands for the gateway: it owns a pool, hands it messages and takes its
// replies, on the test's goroutine.
type Rig struct {
	t     testing.TB
	Pool  *worker.Pool
	slabs *worker.Slabs
	bell  ring.Bell
	wake  chan struct{}

	Refused int // messages completed with another code than OK
	Done    int // messages completed

	used     int    // bytes of the slab
	messages []sent // by place
	stopped  bool
}

type sent struct {
	data []byte // in the slab; overwritten once completed
	done bool
	code worker.Code
}

const rigSlab = 8 << 20

// NewRig starts a pool of workers on a sink, and stops it at the end of the test. The test must
// not have more than inFlight messages sent and not completed: Send does not wait for that.
func NewRig(t testing.TB, s worker.Sink, workers, inFlight int) *Rig {
	t.Helper()
	r := &Rig{t: t, wake: make(chan struct{}, 1)}
	r.slabs = worker.NewSlabs(1, func(uint16) {})
	r.slabs.At(0).Data = make([]byte, rigSlab)
	r.slabs.Hold(0, 1)
	pool, err := worker.NewPool(worker.Config{
		Workers: workers, Ring: 1024, InFlight: inFlight,
		Slabs: r.slabs, Sink: s, Bell: &r.bell,
		Wake: func() {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Pool = pool
	pool.Start()
	t.Cleanup(r.Stop)
	return r
}

// Send gives a worker a message, and returns its place.
func (r *Rig) Send(to int, data []byte) int {
	r.t.Helper()
	place := len(r.messages)
	if r.used+len(data) > rigSlab {
		r.t.Fatal("the rig's slab is full")
	}
	slot := r.slabs.At(0).Data[r.used : r.used+len(data)]
	copy(slot, data)
	span := worker.Span(uint32(r.used), uint32(len(data)))
	r.used += len(data)
	r.messages = append(r.messages, sent{data: slot})
	r.slabs.Hold(0, 1)
	w := r.Pool.Workers()[to]
	spans := w.In().Reserve(1)
	for len(spans) == 0 {
		r.Turn(Patience)
		spans = w.In().Reserve(1)
	}
	spans[0] = span
	w.In().Commit(worker.Desc{Seq: uint64(place) + 1, Slot: uint32(place)}, 1)
	w.In().Publish()
	w.Wake()
	return place
}

// Turn takes what replies there are, or waits for some; false when none came.
func (r *Rig) Turn(wait time.Duration) bool {
	r.t.Helper()
	took := 0
	for _, w := range r.Pool.Workers() {
		n := 0
		for b := w.Out().Next(); b != nil; b = w.Out().Next() {
			r.take(w.Reply(b))
			n++
		}
		if n > 0 {
			w.ReleaseReplies()
			w.Wake()
		}
		took += n
	}
	r.bell.Answer(took)
	if took > 0 {
		return true
	}
	if wait == 0 || !r.bell.Sleep() {
		return wait != 0
	}
	defer r.bell.Wake()
	select {
	case <-r.wake:
		return true
	case <-time.After(wait):
		return false
	}
}

// take notes a reply and, as the gateway may reuse a message's bytes from then
// on, overwrites them.
func (r *Rig) take(reply worker.Reply) {
	r.t.Helper()
	for k := range reply.Count {
		m := &r.messages[reply.Slot+k]
		if m.done {
			r.t.Fatalf("message %d completed twice", reply.Slot+k)
		}
		m.done, m.code = true, reply.Code
		r.Done++
		if reply.Code != worker.OK {
			r.Refused++
		}
		for i := range m.data {
			m.data[i] = 0xFF
		}
	}
}

// Wait waits until n messages in all are completed.
func (r *Rig) Wait(n int) {
	r.t.Helper()
	for r.Done < n {
		if !r.Turn(Patience) {
			r.t.Fatalf("%d of %d messages completed", r.Done, n)
		}
	}
}

// WaitFor waits until ok, taking replies meanwhile.
func (r *Rig) WaitFor(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s", what)
		}
		r.Turn(time.Millisecond)
	}
}

// None checks that no message beyond n is completed now.
func (r *Rig) None(n int) {
	r.t.Helper()
	for r.Turn(0) {
	}
	if r.Done != n {
		r.t.Fatalf("%d messages completed, want %d", r.Done, n)
	}
}

// Code is the code with which the message at a place was completed.
func (r *Rig) Code(place int) worker.Code {
	r.t.Helper()
	if !r.messages[place].done {
		r.t.Fatalf("message %d is not completed", place)
	}
	return r.messages[place].code
}

// Stop stops the pool. Only the first call has an effect.
func (r *Rig) Stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	if err := r.Pool.Stop(); err != nil {
		r.t.Errorf("stop: %v", err)
	}
}

// Sent is how many messages were sent.
func (r *Rig) Sent() int { return len(r.messages) }
