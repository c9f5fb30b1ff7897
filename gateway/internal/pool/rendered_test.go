package pool

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"feedgate/worker"
)

// TestRenderedStaysUntilResolved uses rendered as a worker does: some messages of each batch are
// deferred, and resolved later in any order. No data change before their message is resolved, and
// the memory stays within limits.
func TestRenderedStaysUntilResolved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int64{0, 5000, 50_000, 1 << 20}).Draw(t, "limit")
		ts := newRendered(nil, limit)
		type deferred struct {
			data   []byte
			filled byte
		}
		open := map[worker.ID]deferred{}
		next, largest := worker.ID(0), ts.size
		check := func(d deferred) {
			if len(bytes.Trim(d.data, string([]byte{d.filled}))) != 0 {
				t.Fatalf("the data of a deferred message changed")
			}
		}
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(open) > 0 && (ts.full() || rapid.Bool().Draw(t, "resolve")) {
				first := rapid.SampledFrom(keysOf(open, next)).Draw(t, "first")
				n := 0
				for d, ok := open[first+worker.ID(n)]; ok && n < 40; d, ok = open[first+worker.ID(n)] {
					check(d)
					delete(open, first+worker.ID(n))
					n++
				}
				ts.release(first, n)
				continue
			}
			ts.batch = ts.batch[:0]
			var made [][]byte
			fill := byte(step + 1)
			for range rapid.IntRange(1, 8).Draw(t, "messages") {
				size := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, 3*ts.size)).Draw(t, "size")
				data, _ := ts.place(bytes.Repeat([]byte{fill}, size), worker.Buffer{})
				made = append(made, data)
				largest = max(largest, size+2*ts.size)
			}
			ts.remaining = ts.batch
			for len(made) > 0 {
				n := rapid.IntRange(1, len(made)).Draw(t, "n")
				if rapid.Bool().Draw(t, "defer") {
					ts.pin(next, n)
					for _, data := range made[:n] {
						open[next] = deferred{data, fill}
						next++
					}
				} else {
					ts.done(n)
				}
				made = made[n:]
			}
			for _, d := range open {
				check(d)
			}
			ts.endBatch()
			if held := ts.pinnedBytes + ts.freeBytes; held > int(limit)+9*largest {
				t.Fatalf("%d bytes are held, the limit is %d", held, limit)
			}
		}
		for first := range next {
			if _, ok := open[first]; ok {
				ts.release(first, 1)
			}
		}
		if ts.pinnedBytes != 0 || len(ts.pinned) != 0 || ts.full() {
			t.Fatalf("%d bytes are pinned, in %d chunks, with nothing deferred", ts.pinnedBytes, len(ts.pinned))
		}
		if ts.freeBytes > max(int(limit), 2*ts.size) {
			t.Fatalf("%d bytes are kept free, the limit is %d", ts.freeBytes, limit)
		}
	})
}

// keysOf returns the pending IDs in order.
func keysOf[V any](open map[worker.ID]V, next worker.ID) (all []worker.ID) {
	for k := range next {
		if _, ok := open[k]; ok {
			all = append(all, k)
		}
	}
	return all
}

// bracket is the Output of these tests.
func bracket(dst []byte, m worker.Message) []byte {
	dst = append(append(dst, '<'), m.Data...)
	return m.AppendMeta(append(dst, '>'), "topic")
}

// TestOutputIsForTheHandler: the handler gets rendered data, once for each try; acks and dead
// letters are of the messages as received.
func TestOutputIsForTheHandler(t *testing.T) {
	var got, dead []string
	l := newTestLoop(t, Config{
		Output: bracket, OutputMemory: 1 << 20, Retries: 1, RetryMin: time.Millisecond,
		Sink: batchSink(func(b worker.Batch) {
			for b.Len() > 0 {
				m := b.At(0)
				if b.Size(0) != len(m.Data) || "<"+string(m.Received())+">t" != string(m.Data) {
					t.Errorf("size %d, received %q, data %q", b.Size(0), m.Received(), m.Data)
				}
				if m.ID() != string(m.Received()) || m.Meta("topic") != "t" {
					t.Errorf("id %q, topic %q of %q", m.ID(), m.Meta("topic"), m.Received())
				}
				got = append(got, string(m.Data))
				code := worker.OK
				if string(m.Received()) == "b" {
					code = worker.Refused
				}
				b.Resolve(1, code)
			}
		}),
		DeadLetters: byCode(func(m worker.Message) worker.Code { dead = append(dead, string(m.Data)); return worker.OK }),
		Render:      func(dst []byte, m worker.Message, code worker.Code) []byte { return append(dst, m.Data...) },
	})
	l.slabs.At(0).Origin = &worker.Origin{Meta: testMeta, ID: mustSelect(t, "bytes:0:9")}
	l.dispatch(0, 0, testFrame(0, "t", "a"), testFrame(0, "t", "b"), testFrame(0, "t", "c"))
	l.finish()
	count := map[string]int{}
	for _, s := range got {
		count[s]++
	}
	if len(got) != 4 || count["<a>t"] != 1 || count["<b>t"] != 2 || count["<c>t"] != 1 {
		t.Errorf("the handler got %q", got)
	}
	if len(dead) != 1 || dead[0] != "b" {
		t.Errorf("dead letters %q", dead)
	}
	for slot, want := range []string{"a", "b", "c"} {
		if l.acks[uint32(slot)] != want {
			t.Errorf("ack %d is %q, want %q", slot, l.acks[uint32(slot)], want)
		}
	}
	l.wantFreed(0)
}

// heldSink defers every message, and resolves them in random order; just before, it checks the data
// of each. It records the most bytes that were deferred at once.
type heldSink struct {
	worker.Sink
	t    *testing.T
	work sync.WaitGroup

	mu   sync.Mutex
	held int
	most int
}

type heldHandler struct {
	s    *heldSink
	c    worker.Completer
	msgs chan heldMessage
}

type heldMessage struct {
	m worker.Message
	k worker.ID
}

func (s *heldSink) Open(c worker.Completer) (worker.Handler, error) {
	h := &heldHandler{s, c, make(chan heldMessage, 1<<16)}
	s.work.Go(h.resolve)
	return h, nil
}

func (h *heldHandler) resolve() {
	rnd := rand.New(rand.NewPCG(1, 2))
	var batch []heldMessage
	for m := range h.msgs {
		if batch = append(batch, m); len(batch) < 64 && len(h.msgs) > 0 {
			continue
		}
		rnd.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
		for _, m := range batch {
			if want := fmt.Sprintf("<%s>", m.m.Received()); string(m.m.Data) != want {
				h.s.t.Errorf("the data of message %d are %.20q..., want %.20q...", m.m.Seq, m.m.Data, want)
			}
			h.s.mu.Lock()
			h.s.held -= len(m.m.Data)
			h.s.mu.Unlock()
			h.c.Resolve(m.k, 1, worker.OK)
		}
		h.c.Flush()
		batch = batch[:0]
	}
}

func (h *heldHandler) Handle(b worker.Batch) {
	if b.At(0).Seq%3 == 0 {
		b.Resolve(1, worker.OK) // some at once
	}
	n := b.Len()
	var msgs []heldMessage
	for i := range n {
		msgs = append(msgs, heldMessage{m: b.At(i)})
	}
	first := b.Defer(n)
	for i, m := range msgs {
		m.k = first + worker.ID(i)
		h.s.mu.Lock()
		h.s.held += len(m.m.Data)
		h.s.most = max(h.s.most, h.s.held)
		h.s.mu.Unlock()
		h.msgs <- m
	}
}
func (h *heldHandler) Drain()       {}
func (h *heldHandler) Close() error { close(h.msgs); h.s.work.Wait(); return nil }

func TestOutputOfDeferredMessages(t *testing.T) {
	const limit = 32 << 10
	sink := &heldSink{Sink: worker.Each(nil), t: t}
	l := newTestLoop(t, Config{Sink: sink, Output: bracket, OutputMemory: limit})
	var payloads [][]byte
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 4000 {
		size := rnd.IntN(300)
		if i%200 == 7 {
			size = 20 << 10
		}
		payloads = append(payloads, bytes.Repeat([]byte{byte('a' + i%26)}, size))
	}
	l.dispatch(0, 0, payloads...)
	l.finish()
	l.wantFreed(0)
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if sink.held != 0 || sink.most > limit+2*(20<<10) {
		t.Errorf("%d bytes are deferred at the end, and there were %d at once, with a limit of %d", sink.held, sink.most, limit)
	}
}

// TestOutputWaitsForMemory: a worker whose rendered data take all its memory takes no new message
// until one is resolved.
func TestOutputWaitsForMemory(t *testing.T) {
	var c worker.Completer
	handled := make(chan worker.Message, 100)
	l := newTestLoop(t, Config{
		Sink:   deferFunc{worker.Each(nil), func(b worker.Batch) { handled <- b.At(0); b.Defer(1) }, &c},
		Output: bracket, OutputMemory: 1,
	})
	big := make([]byte, chunkMin) // so that each is a batch
	l.dispatch(0, 0, big, big, big)
	for i := range 3 {
		m := <-handled
		select {
		case more := <-handled:
			t.Fatalf("message %d was handled while %d was pending", more.Seq, m.Seq)
		case <-time.After(20 * time.Millisecond):
		}
		c.Resolve(worker.ID(i), 1, worker.OK)
		c.Flush()
	}
	l.finish()
	l.wantFreed(0)
}

// deferFunc is a sink of a function for batches. It passes its completer to the test.
type deferFunc struct {
	worker.Sink
	handle batchSink
	c      *worker.Completer
}

func (s deferFunc) Open(c worker.Completer) (worker.Handler, error) {
	*s.c = c
	return batchHandler{s.handle}, nil
}

// TestOutputAllocatesNothing: the memory of rendered data is reused, for deferred messages and
// others.
func TestOutputAllocatesNothing(t *testing.T) {
	ts := newRendered(func(dst []byte, m worker.Message) []byte { return append(append(dst, m.Data...), m.Data...) }, 1<<20)
	w := &Worker{slabs: NewSlabs(1, func(uint16) {})}
	w.slabs.At(0).Data = make([]byte, 100<<10)
	b := &batch{s: &handlerState{w: w, rendered: ts}}
	spans, next := make([]span, 0, 100), worker.ID(0)
	round := func() {
		spans = spans[:0]
		for i := range uint32(cap(spans)) {
			spans = append(spans, Span(i, 1000))
		}
		spans[7] = Span(0, 90<<10)
		ts.begin()
		b.begin(run{spans: spans}, nil)
		ts.pin(next, 50)
		ts.endBatch()
		ts.release(next+20, 30)
		ts.release(next, 20)
		next += 50
	}
	for range 20 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations for %d messages", n, cap(spans))
	}
}

// TestLongRenderedIsNotCopied: rendered data of --max-message take memory once, apart from the
// message.
func TestLongRenderedIsNotCopied(t *testing.T) {
	const long = 4 << 20
	ts := newRendered(func(dst []byte, m worker.Message) []byte { return append(dst, m.Data...) }, 1<<20)
	w := &Worker{slabs: NewSlabs(1, func(uint16) {})}
	w.slabs.At(0).Data = make([]byte, long)
	b := &batch{s: &handlerState{w: w, rendered: ts}}
	for range 3 {
		ts.begin()
		b.begin(run{spans: []span{Span(0, long)}}, nil)
		held := cap(ts.scratch) + cap(ts.spare)
		for _, c := range append(ts.used, ts.current) {
			held += c.bytes()
		}
		if data := b.At(0).Data; len(data) != long || held > 3*long/2 {
			t.Fatalf("data of %d bytes take %d", len(data), held)
		}
		ts.done(1)
		ts.endBatch()
	}
}
