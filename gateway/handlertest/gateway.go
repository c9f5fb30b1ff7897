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
	"feedgate/worker/selector"
)

// Patience is how long a test waits for something before it fails.
const Patience = 10 * time.Second

// Poison is the byte that overwrites the data of resolved messages.
const Poison = 0xFF

// Gateway takes the place of a gateway: it gives messages to workers and takes their replies, both
// on the test's goroutine, which alone may call its methods. Workers and messages are numbered from
// 0. A message is resolved when a gateway would acknowledge it: as done, or refused with no try
// left.
type Gateway struct {
	t      testing.TB
	pool   *pool.Pool
	slabs  *pool.Slabs
	free   []uint16 // slabs for messages with metadata, one each; slab 0 is for all others
	events ring.EventCount
	wake   chan struct{}
	skew   atomic.Int64 // how far the workers' clock is ahead, in nanoseconds

	// Resolved counts the messages resolved so far, Refused those of them with another code
	// than OK. Only the methods that take replies change them: Wait, WaitFor, WantResolved,
	// Poll.
	Resolved, Refused int

	used     int // bytes of slab 0
	messages []message
	stopped  bool
}

// message is one that was sent.
type message struct {
	data     []byte // in its slab; overwritten once the message is resolved
	original []byte // copy of data; nil once the message is resolved
	resolved bool
	code     worker.Code
}

const (
	slabBytes = 8 << 20
	slabs     = 4096
	ringSize  = 1024
)

// Start starts workers on a sink, and stops them at the end of the test. The sink remains open. At
// most inFlight messages may be unresolved at once: the test must see to it, because Send does not
// wait.
func Start(t testing.TB, s worker.Sink, workers, inFlight int) *Gateway {
	t.Helper()
	return StartWith(t, s, Options{Workers: workers, InFlight: inFlight})
}

// StartWith is Start with more settings.
func StartWith(t testing.TB, s worker.Sink, o Options) *Gateway {
	t.Helper()
	var key *selector.Selector
	if o.Key != "" {
		k, err := selector.Parse(o.Key)
		if err != nil {
			t.Fatal(err)
		}
		key = &k
	}
	if o.InFlight == 0 {
		o.InFlight = ringSize
	}
	g := &Gateway{t: t, wake: make(chan struct{}, 1)}
	g.slabs = pool.NewSlabs(slabs, func(uint16) {})
	g.slabs.At(0).Data = make([]byte, slabBytes)
	g.slabs.Hold(0, 1)
	for id := uint16(slabs - 1); id > 0; id-- {
		g.free = append(g.free, id)
	}
	start := time.Now()
	p, err := pool.New(pool.Config{
		Workers: max(1, o.Workers), Ring: ringSize, InFlight: max(1, o.InFlight),
		Retries: o.Retries, RetryMin: time.Millisecond, Key: key, DeadLetters: o.DeadLetters,
		Slabs: g.slabs, Sink: s, Events: &g.events,
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

// Send gives a worker a copy of data as a message, and returns the message's number. All messages
// of a test share 8 MiB.
func (g *Gateway) Send(worker int, data []byte) int {
	g.t.Helper()
	if g.used+len(data) > slabBytes {
		g.t.Fatalf("the test's messages have more than %d bytes", slabBytes)
	}
	off := g.used
	copy(g.slabs.At(0).Data[off:], data)
	g.used += len(data)
	return g.dispatch(worker, 0, off, len(data))
}

// SendMessage is Send for a message that may have metadata. A test can have 4095 of these.
func (g *Gateway) SendMessage(worker int, m Message) int {
	g.t.Helper()
	origin := m.origin()
	if origin == nil {
		return g.Send(worker, []byte(m.Data))
	}
	if len(g.free) == 0 {
		g.t.Fatalf("the test has more than %d messages with metadata", slabs-1)
	}
	id := g.free[len(g.free)-1]
	g.free = g.free[:len(g.free)-1]
	slab := g.slabs.At(id)
	slab.Data, slab.Origin = []byte(m.Data), origin
	g.slabs.Hold(id, 1)
	return g.dispatch(worker, id, 0, len(m.Data))
}

// dispatch gives a worker the n bytes at off of a slab.
func (g *Gateway) dispatch(worker int, id uint16, off, n int) int {
	g.t.Helper()
	number := len(g.messages)
	data := g.slabs.At(id).Data[off : off+n]
	g.messages = append(g.messages, message{data: data, original: bytes.Clone(data)})
	g.slabs.Hold(id, 1)
	w := g.pool.Workers()[worker]
	spans := w.In().Reserve(1)
	for len(spans) == 0 {
		g.Poll(Patience)
		spans = w.In().Reserve(1)
	}
	spans[0] = pool.Span(uint32(off), uint32(n))
	w.In().Commit(pool.Desc{Seq: uint64(number) + 1, Slot: uint32(number), Slab: id}, 1)
	w.In().Publish()
	w.Wake()
	return number
}

// Poll takes the replies that have arrived; if there are none, it waits for some, up to wait. It
// returns false if none arrived in that time.
func (g *Gateway) Poll(wait time.Duration) bool {
	g.t.Helper()
	records := 0
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
		records += n
	}
	g.events.Sub(records)
	if records > 0 {
		return true
	}
	if wait == 0 || !g.events.Sleep() {
		return wait != 0
	}
	defer g.events.Wake()
	select {
	case <-g.wake:
		return true
	case <-time.After(wait):
		return false
	}
}

// take records a reply and poisons its messages.
func (g *Gateway) take(reply pool.Reply) {
	g.t.Helper()
	for slot, n := range reply.Slots {
		for i := range uint32(n) {
			g.resolve(slot+i, reply.Code)
		}
	}
}

// resolve records that a message is resolved, and poisons it.
func (g *Gateway) resolve(number uint32, code worker.Code) {
	g.t.Helper()
	m := &g.messages[number]
	if m.resolved {
		g.t.Fatalf("message %d is resolved twice", number)
	}
	if !bytes.Equal(m.data, m.original) {
		g.t.Errorf("the handler has changed the data of message %d", number)
	}
	m.resolved, m.code, m.original = true, code, nil
	g.Resolved++
	if code != worker.OK {
		g.Refused++
	}
	for i := range m.data {
		m.data[i] = Poison
	}
}

// Wait waits until n messages in all are resolved. It fails the test if none is for [Patience].
func (g *Gateway) Wait(n int) {
	g.t.Helper()
	for g.Resolved < n {
		if !g.Poll(Patience) {
			g.t.Fatalf("%d of %d messages are resolved", g.Resolved, n)
		}
	}
}

// WaitFor takes replies until ok returns true. It fails the test after [Patience], naming what it
// waited for.
func (g *Gateway) WaitFor(what string, ok func() bool) {
	g.t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); {
		if time.Now().After(deadline) {
			g.t.Fatalf("not within %v: %s", Patience, what)
		}
		g.Poll(time.Millisecond)
	}
}

// WantResolved takes the replies that have arrived, and fails the test unless n messages in all are
// resolved.
func (g *Gateway) WantResolved(n int) {
	g.t.Helper()
	for g.Poll(0) {
	}
	if g.Resolved != n {
		g.t.Fatalf("%d messages are resolved, want %d", g.Resolved, n)
	}
}

// Code returns the code with which a message was resolved. It fails the test if it is not.
func (g *Gateway) Code(number int) worker.Code {
	g.t.Helper()
	if !g.messages[number].resolved {
		g.t.Fatalf("message %d is not resolved", number)
	}
	return g.messages[number].code
}

// SetBlocked sets whether a worker is to assume that the gateway has stopped reading until messages
// are resolved; see [worker.Hooks].
func (g *Gateway) SetBlocked(worker int, blocked bool) { g.pool.Workers()[worker].SetBlocked(blocked) }

// Advance moves the workers' clock ahead, such as to the next try of a message that a handler wants
// again.
func (g *Gateway) Advance(d time.Duration) {
	g.skew.Add(int64(d))
	for _, w := range g.pool.Workers() {
		w.Wake()
	}
}

// Drain announces that no more messages will be sent. It does not wait; Wait does.
func (g *Gateway) Drain() { g.pool.Drain() }

// Panics returns the number of panics in handlers so far.
func (g *Gateway) Panics() uint64 { return g.pool.Panics() }

// Stop stops the workers and closes their handlers. Messages not resolved by then never are. Only
// the first call has an effect.
func (g *Gateway) Stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	if err := g.pool.Stop(); err != nil {
		g.t.Errorf("stop: %v", err)
	}
}

// Sent returns the number of messages sent so far.
func (g *Gateway) Sent() int { return len(g.messages) }
