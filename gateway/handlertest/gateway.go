package handlertest

import (
	"bytes"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/internal/pool"
	"feedgate/ring"
	"feedgate/worker"
)

// Patience ends a wait for something that does not happen.
const Patience = 10 * time.Second

// Poison is the byte that overwrites the data of resolved messages.
const Poison = 0xFF

// Gateway stands for a gateway: it gives messages to workers and takes their replies, on the
// test's goroutine.
type Gateway struct {
	t     testing.TB
	pool  *pool.Pool
	slabs *pool.Slabs
	free  []uint16 // slabs of messages with metadata; the first is for all others
	bell  ring.Bell
	wake  chan struct{}
	skew  atomic.Int64 // nanoseconds that the workers' clock is ahead

	Refused int // messages resolved with another code than OK
	Done    int // messages resolved

	used     int    // bytes of the first slab
	messages []sent // by place
	stopped  bool
}

type sent struct {
	data []byte // in the slab; overwritten once the message is resolved
	copy []byte
	done bool
	code worker.Code
}

const (
	slabBytes = 8 << 20
	slabs     = 4096
	ringSize  = 1024
)

// Start starts workers on a sink, and stops them at the end of the test. No more than inFlight
// messages may be sent and not resolved: Send does not wait for that.
func Start(t testing.TB, s worker.Sink, workers, inFlight int) *Gateway {
	t.Helper()
	g := &Gateway{t: t, wake: make(chan struct{}, 1)}
	g.slabs = pool.NewSlabs(slabs, func(uint16) {})
	g.slabs.At(0).Data = make([]byte, slabBytes)
	g.slabs.Hold(0, 1)
	for id := uint16(slabs - 1); id > 0; id-- {
		g.free = append(g.free, id)
	}
	start := time.Now()
	p, err := pool.New(pool.Config{
		Workers: workers, Ring: ringSize, InFlight: max(1, inFlight),
		Slabs: g.slabs, Sink: s, Bell: &g.bell,
		Wake: func() {
			select {
			case g.wake <- struct{}{}:
			default:
			}
		},
		Now: func() time.Duration { return time.Since(start) + time.Duration(g.skew.Load()) },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.pool = p
	p.Start()
	t.Cleanup(g.Stop)
	return g
}

// Send gives a worker a message, and returns its place.
func (g *Gateway) Send(to int, data []byte) int {
	g.t.Helper()
	if g.used+len(data) > slabBytes {
		g.t.Fatal("the test's messages are too long")
	}
	off := g.used
	copy(g.slabs.At(0).Data[off:], data)
	g.used += len(data)
	return g.give(to, 0, off, len(data))
}

// SendMessage is Send for a message with metadata, of which there can be 4095.
func (g *Gateway) SendMessage(to int, m Message) int {
	g.t.Helper()
	origin := m.origin()
	if origin == nil {
		return g.Send(to, []byte(m.Data))
	}
	if len(g.free) == 0 {
		g.t.Fatal("the test has too many messages with metadata")
	}
	id := g.free[len(g.free)-1]
	g.free = g.free[:len(g.free)-1]
	slab := g.slabs.At(id)
	slab.Data, slab.Origin = []byte(m.Data), origin
	g.slabs.Hold(id, 1)
	return g.give(to, id, 0, len(m.Data))
}

func (g *Gateway) give(to int, id uint16, off, n int) int {
	g.t.Helper()
	place := len(g.messages)
	data := g.slabs.At(id).Data[off : off+n]
	g.messages = append(g.messages, sent{data: data, copy: bytes.Clone(data)})
	g.slabs.Hold(id, 1)
	w := g.pool.Workers()[to]
	spans := w.In().Reserve(1)
	for len(spans) == 0 {
		g.Turn(Patience)
		spans = w.In().Reserve(1)
	}
	spans[0] = pool.Span(uint32(off), uint32(n))
	w.In().Commit(pool.Desc{Seq: uint64(place) + 1, Slot: uint32(place), Slab: id}, 1)
	w.In().Publish()
	w.Wake()
	return place
}

// Turn takes the replies that there are, or waits for some; false when none arrived in time.
func (g *Gateway) Turn(wait time.Duration) bool {
	g.t.Helper()
	took := 0
	for _, w := range g.pool.Workers() {
		n := 0
		for b := w.Out().Next(); b != nil; b = w.Out().Next() {
			g.take(w.Reply(b))
			n++
		}
		if n > 0 {
			w.ReleaseReplies()
			w.Wake()
		}
		took += n
	}
	g.bell.Answer(took)
	if took > 0 {
		return true
	}
	if wait == 0 || !g.bell.Sleep() {
		return wait != 0
	}
	defer g.bell.Wake()
	select {
	case <-g.wake:
		return true
	case <-time.After(wait):
		return false
	}
}

// take notes a reply and, as a gateway may reuse a message's memory from then on, overwrites the
// data.
func (g *Gateway) take(reply pool.Reply) {
	g.t.Helper()
	for k := range reply.Count {
		place := reply.Slot + k
		m := &g.messages[place]
		if m.done {
			g.t.Fatalf("message %d is resolved twice", place)
		}
		if !bytes.Equal(m.data, m.copy) {
			g.t.Errorf("the handler has changed the data of message %d", place)
		}
		m.done, m.code, m.copy = true, reply.Code, nil
		g.Done++
		if reply.Code != worker.OK {
			g.Refused++
		}
		for i := range m.data {
			m.data[i] = Poison
		}
	}
}

// Wait waits until n messages in all are resolved.
func (g *Gateway) Wait(n int) {
	g.t.Helper()
	for g.Done < n {
		if !g.Turn(Patience) {
			g.t.Fatalf("%d of %d messages are resolved", g.Done, n)
		}
	}
}

// WaitFor waits until ok, taking replies meanwhile.
func (g *Gateway) WaitFor(what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			g.t.Fatalf("waited in vain: %s", what)
		}
		g.Turn(time.Millisecond)
	}
}

// None checks that no message beyond n is resolved now.
func (g *Gateway) None(n int) {
	g.t.Helper()
	for g.Turn(0) {
	}
	if g.Done != n {
		g.t.Fatalf("%d messages are resolved, want %d", g.Done, n)
	}
}

// Code is the code with which the message at a place was resolved.
func (g *Gateway) Code(place int) worker.Code {
	g.t.Helper()
	if !g.messages[place].done {
		g.t.Fatalf("message %d is not resolved", place)
	}
	return g.messages[place].code
}

// Block tells a worker that the gateway has stopped reading, or no longer.
func (g *Gateway) Block(worker int, blocked bool) { g.pool.Workers()[worker].SetBlocked(blocked) }

// Drain tells the handlers that no message will follow.
func (g *Gateway) Drain() { g.pool.Drain() }

// Panics is the number of panics of handlers.
func (g *Gateway) Panics() uint64 { return g.pool.Panics() }

// Stop stops the workers and closes their handlers. Only the first call has an effect.
func (g *Gateway) Stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	if err := g.pool.Stop(); err != nil {
		g.t.Errorf("stop: %v", err)
	}
}

// Sent is how many messages were sent.
func (g *Gateway) Sent() int { return len(g.messages) }
