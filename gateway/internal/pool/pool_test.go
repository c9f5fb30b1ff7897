package pool

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/ring"
	"feedgate/worker"
	"feedgate/worker/offheap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byCode is worker.Each for a function that returns codes.
func byCode(f func(m worker.Message) worker.Code) worker.Sink {
	return worker.Each(func(_ context.Context, m worker.Message) error {
		if code := f(m); code != worker.OK {
			return worker.Refuse(code)
		}
		return nil
	})
}

// testLoop takes the place of the gateway's loop: it fills slabs, dispatches messages, and takes
// replies.
type testLoop struct {
	t      testing.TB
	pool   *Pool
	slabs  *Slabs
	events ring.EventCount
	woken  chan struct{}
	next   uint32 // slot of the next message

	mu      sync.Mutex
	freed   map[uint16]int
	replies map[uint32]worker.Code
	acks    map[uint32]string
}

func newTestLoop(t testing.TB, cfg Config) *testLoop {
	t.Helper()
	l := &testLoop{
		t: t, woken: make(chan struct{}, 1), freed: map[uint16]int{},
		replies: map[uint32]worker.Code{}, acks: map[uint32]string{},
	}
	l.slabs = NewSlabs(4, func(id uint16) {
		data := l.slabs.At(id).Data
		offheap.Default.Recycle(data) // a later read is a race, and reads poison
		l.mu.Lock()
		l.freed[id]++
		l.mu.Unlock()
	})
	cfg.Workers = max(cfg.Workers, 1)
	cfg.Ring, cfg.InFlight, cfg.Slabs, cfg.Events = 64, 1<<16, l.slabs, &l.events
	cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.Wake = func() {
		select {
		case l.woken <- struct{}{}:
		default:
		}
	}
	pool, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.pool = pool
	pool.Start()
	t.Cleanup(func() {
		if err := pool.Stop(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// dispatch gives payloads to worker w, all in slab id. It waits while the ring is full.
func (l *testLoop) dispatch(w int, id uint16, payloads ...[]byte) {
	l.t.Helper()
	var data []byte
	for _, p := range payloads {
		data = append(data, p...)
	}
	slab := l.slabs.At(id)
	if l.slabs.Refs(id) != 0 {
		l.t.Fatal("slab is in use")
	}
	slab.Data = data
	l.slabs.Hold(id, len(payloads))
	off := 0
	for _, p := range payloads {
		first := Desc{Seq: uint64(l.next) + 1, Slot: l.next, Slab: id}
		in := l.pool.workers[w].In()
		l.until(func() bool {
			spans := in.Reserve(1)
			if len(spans) == 0 {
				return false
			}
			spans[0] = Span(uint32(off), uint32(len(p)))
			in.Commit(first, 1)
			in.Publish()
			return true
		})
		l.pool.workers[w].Wake()
		off += len(p)
		l.next++
	}
}

// dispatchRun gives payloads to worker w as one run, as many of the first as fit, and
// returns the others.
func (l *testLoop) dispatchRun(w int, id uint16, payloads ...[]byte) [][]byte {
	l.t.Helper()
	in := l.pool.workers[w].In()
	spans := in.Reserve(len(payloads))
	payloads, rest := payloads[:len(spans)], payloads[len(spans):]
	l.slabs.At(id).Data = bytes.Join(payloads, nil)
	l.slabs.Hold(id, len(payloads))
	off := 0
	for i, p := range payloads {
		spans[i] = Span(uint32(off), uint32(len(p)))
		off += len(p)
	}
	in.Commit(Desc{Seq: uint64(l.next) + 1, Slot: l.next, Slab: id}, len(payloads))
	in.Publish()
	l.next += uint32(len(payloads))
	l.pool.workers[w].Wake()
	return rest
}

// until takes replies until done, sleeping on the eventcount in between.
func (l *testLoop) until(done func() bool) {
	l.t.Helper()
	timeout := time.After(20 * time.Second)
	for !done() {
		if l.take() {
			continue
		}
		if !l.events.Sleep() {
			runtime.Gosched()
			continue
		}
		if done() {
			l.events.Wake()
			return
		}
		select {
		case <-l.woken:
		case <-timeout:
			l.t.Fatalf("no further reply; %d so far, %d pending, %d words in the ring, drained %v", len(l.replies), l.pool.workers[0].main.pending.count, l.pool.workers[0].in.Len(), l.pool.workers[0].main.drained)
		}
		l.events.Wake()
	}
}

func (l *testLoop) take() bool {
	n := 0
	for _, w := range l.pool.workers {
		for b := w.Out().Next(); b != nil; b = w.Out().Next() {
			n++
			r := w.Reply(b)
			for slot := range slotsOf(r) {
				if _, twice := l.replies[slot]; twice {
					l.t.Fatalf("slot %d replied to twice", slot)
				}
				l.replies[slot] = r.Code
				l.acks[slot] = string(r.Ack)
			}
		}
		w.ReleaseReplies()
		w.Wake()
	}
	if n > 0 {
		l.events.Sub(n)
	}
	return n > 0
}

// slotsOf yields the slots of the messages that a reply is to.
func slotsOf(r Reply) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for slot, n := range r.Slots {
			for i := range uint32(n) {
				if !yield(slot + i) {
					return
				}
			}
		}
	}
}

func (l *testLoop) finish() {
	l.t.Helper()
	l.until(func() bool { return len(l.replies) == int(l.next) })
}

func (l *testLoop) wantFreed(ids ...uint16) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		if l.freed[id] != 1 || l.slabs.Refs(id) != 0 {
			l.t.Errorf("slab %d freed %d times, %d references left", id, l.freed[id], l.slabs.Refs(id))
		}
	}
}

func numbered(n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, binary.BigEndian.AppendUint32(nil, uint32(i)))
	}
	return out
}

func TestEveryMessageRepliedOnce(t *testing.T) {
	l := newTestLoop(t, Config{Workers: 2, Sink: byCode(func(m worker.Message) worker.Code {
		if n := binary.BigEndian.Uint32(m.Data); n%7 == 0 {
			return worker.CodeHandler + worker.Code(n%3)
		}
		return worker.OK
	})})
	l.dispatch(0, 0, numbered(5000)...)
	l.dispatch(1, 1, numbered(5000)...)
	l.finish()
	for slot, code := range l.replies {
		want, n := worker.OK, slot%5000
		if n%7 == 0 {
			want = worker.CodeHandler + worker.Code(n%3)
		}
		if code != want {
			t.Fatalf("slot %d: code %d, want %d", slot, code, want)
		}
	}
	l.wantFreed(0, 1)
}

func TestPanicRefusesOneMessage(t *testing.T) {
	l := newTestLoop(t, Config{Sink: byCode(func(m worker.Message) worker.Code {
		if binary.BigEndian.Uint32(m.Data)%10 == 3 {
			panic("no")
		}
		return worker.OK
	})})
	l.dispatch(0, 0, numbered(100)...)
	l.finish()
	for slot, code := range l.replies {
		want := worker.OK
		if slot%10 == 3 {
			want = worker.Refused
		}
		if code != want {
			t.Errorf("slot %d: code %d, want %d", slot, code, want)
		}
	}
	if got := l.pool.Panics(); got != 10 {
		t.Errorf("%d panics counted, want 10", got)
	}
	l.wantFreed(0)
}

func TestAcksAreRendered(t *testing.T) {
	long := make([]byte, maxAck+1)
	l := newTestLoop(t, Config{
		Sink:   byCode(func(worker.Message) worker.Code { return worker.OK }),
		Render: func(dst []byte, m worker.Message, code worker.Code) []byte { return append(dst, m.Data...) },
	})
	l.dispatch(0, 0, []byte("one"), nil, long, []byte("four"))
	l.finish()
	for slot, want := range []string{"one", "", string(long), "four"} {
		if got := l.acks[uint32(slot)]; got != want {
			t.Errorf("slot %d: ack of %d bytes, want %d", slot, len(got), len(want))
		}
	}
	l.wantFreed(0)
}

// deferSink defers most messages, and resolves them from another goroutine, in random order.
type deferSink struct {
	worker.Sink
	work sync.WaitGroup
}

type deferHandler struct {
	s   *deferSink
	c   worker.Completer
	ids chan worker.ID
}

func (s *deferSink) Open(c worker.Completer) (worker.Handler, error) {
	h := &deferHandler{s, c, make(chan worker.ID, 1<<16)}
	s.work.Go(func() {
		var held []worker.ID
		rnd := rand.New(rand.NewPCG(1, 2))
		for k := range h.ids {
			if held = append(held, k); len(held) < 50 && len(h.ids) > 0 {
				continue
			}
			rnd.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
			for _, k := range held {
				c.Resolve(k, 1, worker.OK)
			}
			c.Flush()
			held = held[:0]
		}
	})
	return h, nil
}

func (h *deferHandler) Handle(b worker.Batch) {
	if b.At(0).Seq%3 == 0 {
		b.Resolve(1, worker.OK) // some at once
	}
	n := b.Len()
	first := b.Defer(n)
	for i := range n {
		h.ids <- first + worker.ID(i)
	}
}
func (h *deferHandler) Drain()       {}
func (h *deferHandler) Close() error { close(h.ids); return nil }

func TestDeferredInAnyOrder(t *testing.T) {
	sink := &deferSink{Sink: worker.Each(nil)}
	l := newTestLoop(t, Config{Workers: 2, Sink: sink})
	l.dispatch(0, 0, numbered(20_000)...)
	l.dispatch(1, 1, numbered(20_000)...)
	l.finish()
	l.wantFreed(0, 1)
}

func TestRetries(t *testing.T) {
	tries := map[uint32]int{}
	l := newTestLoop(t, Config{Retries: 2, RetryMin: time.Millisecond, Sink: byCode(func(m worker.Message) worker.Code {
		n := binary.BigEndian.Uint32(m.Data)
		tries[n]++
		if n%5 == 0 || n%5 == 1 && tries[n] < 3 {
			return worker.CodeHandler
		}
		return worker.OK
	})})
	l.dispatch(0, 0, numbered(200)...)
	l.finish()
	for slot, code := range l.replies {
		want, wantTries := worker.OK, 1
		switch slot % 5 {
		case 0:
			want, wantTries = worker.CodeHandler, 3
		case 1:
			wantTries = 3
		}
		if code != want || tries[slot] != wantTries {
			t.Errorf("slot %d: code %d after %d tries, want %d after %d", slot, code, tries[slot], want, wantTries)
		}
	}
	l.wantFreed(0)
}

// TestRetriesKeepOrderOfKey: later messages of a key wait for one that fails; those of other keys
// do not.
func TestRetriesKeepOrderOfKey(t *testing.T) {
	const keys, each = 7, 40
	rnd := rand.New(rand.NewPCG(3, 4))
	fails := map[string]int{}
	done := map[byte][]byte{}
	l := newTestLoop(t, Config{
		Retries: 5, RetryMin: time.Millisecond,
		Key: mustSelect(t, "bytes:0:1"),
		Sink: byCode(func(m worker.Message) worker.Code {
			if fails[string(m.Data)] > 0 {
				fails[string(m.Data)]--
				return worker.Refused
			}
			done[m.Data[0]] = append(done[m.Data[0]], m.Data[1])
			return worker.OK
		}),
	})
	var payloads [][]byte
	for i := range keys * each {
		p := []byte{byte(i % keys), byte(i / keys)}
		payloads = append(payloads, p)
		if rnd.IntN(4) == 0 {
			fails[string(p)] = 1 + rnd.IntN(3)
		}
	}
	l.dispatch(0, 0, payloads...)
	l.finish()
	l.wantDoneInOrder(done, each)
}

// wantDoneInOrder checks that all messages are done, those of each key in order, and that slab 0 is
// free.
func (l *testLoop) wantDoneInOrder(done map[byte][]byte, each int) {
	l.t.Helper()
	for key, order := range done {
		if len(order) != each || !slices.IsSorted(order) {
			l.t.Errorf("key %d handled in order %v", key, order)
		}
	}
	for slot, code := range l.replies {
		if code != worker.OK {
			l.t.Errorf("slot %d refused with %d", slot, code)
		}
	}
	l.wantFreed(0)
}

func TestDeadLetters(t *testing.T) {
	var mu sync.Mutex
	var kept []string
	deadLetters := byCode(func(m worker.Message) worker.Code {
		mu.Lock()
		defer mu.Unlock()
		kept = append(kept, string(m.Data))
		return worker.OK
	})
	l := newTestLoop(t, Config{
		Retries: 1, RetryMin: time.Millisecond, DeadLetters: deadLetters,
		Sink: byCode(func(m worker.Message) worker.Code {
			if m.Data[0] == 'x' {
				return worker.Refused
			}
			return worker.OK
		}),
	})
	l.dispatch(0, 0, []byte("a"), []byte("x1"), []byte("b"), []byte("x2"))
	l.finish()
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(kept)
	if got := fmt.Sprint(kept); got != "[x1 x2]" {
		t.Errorf("dead letters %v", got)
	}
	for slot, want := range []worker.Code{worker.OK, worker.DeadLettered, worker.OK, worker.DeadLettered} {
		if got := l.replies[uint32(slot)]; got != want {
			t.Errorf("slot %d: code %d, want %d", slot, got, want)
		}
	}
	l.wantFreed(0)
}

// drainSink resolves messages only in Drain.
type drainSink struct{ worker.Sink }
type drainHandler struct {
	c worker.Completer
	n int
}

func (drainSink) Open(c worker.Completer) (worker.Handler, error) { return &drainHandler{c: c}, nil }
func (h *drainHandler) Handle(b worker.Batch)                     { h.n += b.Len(); b.Defer(b.Len()) }
func (h *drainHandler) Drain()                                    { h.c.Resolve(0, h.n, worker.OK); h.c.Flush() }
func (h *drainHandler) Close() error                              { return nil }

func TestDrainFollowsTheLastMessage(t *testing.T) {
	l := newTestLoop(t, Config{Workers: 2, Sink: drainSink{worker.Each(nil)}})
	l.dispatch(0, 0, numbered(50)...)
	l.dispatch(1, 1, numbered(70)...)
	l.pool.Drain()
	l.finish()
	l.wantFreed(0, 1)
}

func TestFailedOpenClosesHandlers(t *testing.T) {
	sink := &failingSink{Sink: worker.Each(nil)}
	_, err := New(Config{
		Workers: 3, Ring: 2, InFlight: 2, Slabs: NewSlabs(1, nil), Sink: sink, Events: new(ring.EventCount),
	})
	if err == nil || sink.opened != 2 || sink.closed != 2 {
		t.Fatalf("opened %d, closed %d, error %v", sink.opened, sink.closed, err)
	}
}

type failingSink struct {
	worker.Sink
	opened, closed int
}

func (s *failingSink) Open(worker.Completer) (worker.Handler, error) {
	if s.opened == 2 {
		return nil, io.ErrUnexpectedEOF
	}
	s.opened++
	return s, nil
}
func (s *failingSink) Handle(worker.Batch) {}
func (s *failingSink) Drain()              {}
func (s *failingSink) Close() error        { s.closed++; return nil }

// breaker is a handler that panics wherever it is called.
type breaker struct{ c worker.Completer }

func (h breaker) Handle(b worker.Batch) { b.Defer(b.Len()) }
func (breaker) Drain()                  { panic("Drain") }
func (breaker) Close() error            { panic("Close") }

// TestPanicsAreContained: a panic in any method or hook of a handler is counted, and ends nothing.
func TestPanicsAreContained(t *testing.T) {
	p := newPaced(t, time.Second, func(*paced) worker.Sink {
		return gatherSink{open: func(c worker.Completer) worker.Handler {
			c.SetHooks(worker.Hooks{Flush: func() { panic("Flush") }, Starved: func() bool { panic("Starved") }})
			return breaker{c}
		}}
	})
	p.fill()
	for range 30 {
		p.pool.Turn(0)
		p.w.callFlush()
		p.clock += 100 * time.Millisecond
	}
	p.pool.Drain()
	for range 30 {
		p.pool.Turn(0)
		p.clock += 100 * time.Millisecond
	}
	before := p.pool.Panics()
	if err := p.pool.Stop(); err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("Stop: %v", err)
	}
	if before < 3 || p.pool.Panics() != before+1 { // Flush, Starved, Drain; Close
		t.Errorf("%d panics, %d before Close", p.pool.Panics(), before)
	}
	p.pool = nil
}

// TestOpenFails: if a handler cannot be opened, those before it are closed, whose context has ended by
// then.
func TestOpenFails(t *testing.T) {
	for name, fail := range map[string]func() (worker.Handler, error){
		"error":      func() (worker.Handler, error) { return nil, io.ErrUnexpectedEOF },
		"panic":      func() (worker.Handler, error) { panic("a bug") },
		"no handler": func() (worker.Handler, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := &secondFails{fail: fail}
			var events ring.EventCount
			_, err := New(Config{Workers: 2, Ring: 8, InFlight: 8, Slabs: NewSlabs(1, nil), Sink: s, Events: &events, Wake: func() {}})
			if err == nil || !strings.Contains(err.Error(), "worker 1") || s.closed != 1 {
				t.Errorf("error %v, %d handlers closed", err, s.closed)
			}
		})
	}
}

// secondFails is a sink whose first handler waits in Close for the end of its context.
type secondFails struct {
	worker.Sink
	fail           func() (worker.Handler, error)
	opened, closed int
}

func (s *secondFails) Open(c worker.Completer) (worker.Handler, error) {
	if s.opened++; s.opened == 2 {
		return s.fail()
	}
	return &waitingCloser{s, c}, nil
}

type waitingCloser struct {
	s *secondFails
	c worker.Completer
}

func (h *waitingCloser) Handle(worker.Batch) {}
func (h *waitingCloser) Drain()              {}
func (h *waitingCloser) Close() error {
	<-h.c.Context().Done()
	h.s.closed++
	return nil
}
