package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/offheap"
	"feedgate/worker/sink/sinktest"
)

// raceBuild reports whether the race detector is on, which needs memory of its own.
var raceBuild = offheap.Default == offheap.Memory(offheap.Heap{})

// Tests keep messages on Go's heap, where the race detector sees them, and poison freed memory
// even without -race, so that late reads are detected. Pages are small because the simulation's
// slabs are. A test of the product's memory runs in its own process.
func init() {
	if sinktest.Alone() {
		offheap.Default = offheap.Kernel{}
	} else {
		offheap.Default = offheap.Heap{PageSize: 64}
	}
}

// deferringSink defers messages of up to most bytes until resolve is called, and resolves the
// others at once.
type deferringSink struct {
	most     int
	mu       sync.Mutex
	deferred []deferredMessage
	finished int
}

type deferredMessage struct {
	data []byte
	seq  uint64
	id   worker.ID
	done worker.Completer
}

func (s *deferringSink) Open(c worker.Completer) (worker.Handler, error) {
	return deferringHandler{s, c}, nil
}
func (s *deferringSink) Ready() error            { return nil }
func (s *deferringSink) Failed() <-chan struct{} { return nil }
func (s *deferringSink) Err() error              { return nil }
func (s *deferringSink) Close() error            { return nil }

type deferringHandler struct {
	k *deferringSink
	c worker.Completer
}

func (h deferringHandler) Handle(b worker.Batch) {
	h.k.mu.Lock()
	defer h.k.mu.Unlock()
	for b.Len() > 0 {
		if m := b.At(0); len(m.Data) <= h.k.most {
			h.k.deferred = append(h.k.deferred, deferredMessage{m.Data, m.Seq, b.Defer(1), h.c})
		} else {
			b.Resolve(1, worker.OK)
			h.k.finished++
		}
	}
}
func (h deferringHandler) Drain()       {}
func (h deferringHandler) Close() error { return nil }

// count returns the number of deferred and of finished messages.
func (s *deferringSink) count() (kept, finished int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.deferred), s.finished
}

// check compares the deferred messages with what was sent.
func (s *deferringSink) check(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.deferred {
		if !bytes.Equal(m.data, numberedPayload(m.seq)) {
			t.Errorf("message %d is %q", m.seq, m.data)
		}
	}
}

// read checks the deferred messages repeatedly, like a sink that is still sending them, until stop
// is called.
func (s *deferringSink) read(t *testing.T) (stop func()) {
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			s.check(t)
			select {
			case <-stopped:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
		s.check(t)
	}
}

// resolve resolves all deferred messages.
func (s *deferringSink) resolve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.deferred {
		m.done.Resolve(m.id, 1, worker.OK)
		m.done.Flush()
	}
	s.deferred = nil
}

// numberedPayload is a message of 64 bytes.
func numberedPayload(seq uint64) []byte { return fmt.Appendf(nil, "%064d", seq) }

// inKernelMemory runs the test in its own process, with the product's memory.
func inKernelMemory(t *testing.T, body func(t *testing.T)) {
	if sinktest.Alone() {
		body(t)
		return
	}
	cmd, output := sinktest.InOwnProcess(t)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if !strings.Contains(output.String(), "--- PASS: "+t.Name()) {
		t.Fatalf("the test did not run:\n%s", output)
	}
}

// TestReadingGoesOn: small messages that are deferred for long, one per slab and more of them than
// slabs fit --memory, do not stop reading, and memory stays within --memory.
func TestReadingGoesOn(t *testing.T) {
	inKernelMemory(t, func(t *testing.T) { readingGoesOn(t, 200, 64<<20) })
}

// TestTrimmedWhileRead is the same test with poisoned memory, which shows whether a page is given
// back while it is read.
func TestTrimmedWhileRead(t *testing.T) { readingGoesOn(t, 50, 16<<20) }

// readingGoesOn defers small messages with more than a slab of other messages between them.
func readingGoesOn(t *testing.T, small int, memory int64) {
	const between, size = 9, 60_000
	feed := newTestFeed(t)
	k := &deferringSink{most: 64}
	cfg := testConfig(t, feed.url(), accept)
	cfg.Sink, cfg.Memory = k, memory
	r := start(t, cfg)
	conn := feed.login(1, `{"session":"s"}`)
	stop := k.read(t)
	before := resident(t)
	sent := make(chan struct{})
	defer func() {
		conn.Close()
		<-sent
	}()
	go func() {
		defer close(sent)
		long := make([]byte, size)
		for i := range uint64(small) {
			seq := 1 + i*(1+between)
			frames := fg1.AppendFrame(nil, fg1.Data, 0, 0, seq, numberedPayload(seq))
			for j := range uint64(between) {
				frames = fg1.AppendFrame(frames, fg1.Data, 0, 0, seq+1+j, long)
			}
			conn.send(frames)
		}
		conn.bye()
	}()
	for acks := 0; acks < small*between; {
		switch h, _ := conn.frame(); h.Op {
		case fg1.Ack:
			acks++
		case fg1.Ping:
		default:
			t.Fatalf("op %d after %d acks", h.Op, acks)
		}
	}
	if kept, finished := k.count(); kept != small || finished != small*between {
		t.Errorf("%d messages deferred and %d finished", kept, finished)
	}
	grown := resident(t) - before
	t.Logf("%d MiB more", grown>>20)
	if sinktest.Alone() && !raceBuild && grown > memory+16<<20 {
		t.Errorf("%d bytes more, with --memory %d", grown, memory)
	}
	stop()
	k.resolve()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// TestDataOutliveTheGateway: a deferred message that was never completed can be read after Run has
// returned, and completing it then has no effect.
func TestDataOutliveTheGateway(t *testing.T) {
	inKernelMemory(t, func(t *testing.T) {
		const n = 100
		feed := newTestFeed(t)
		k := &deferringSink{most: 64}
		cfg := testConfig(t, feed.url(), accept)
		cfg.Sink, cfg.DrainTimeout = k, time.Millisecond
		r := start(t, cfg)
		conn := feed.login(1, `{"session":"s"}`)
		for seq := range uint64(n) {
			conn.data(1+seq, string(numberedPayload(1+seq)))
		}
		waitFor(t, func() bool { kept, _ := k.count(); return kept == n })
		stop := k.read(t)
		r.cancel()
		if err := r.wait(); !errors.Is(err, ErrUnfinished) {
			t.Errorf("Run: %v", err)
		}
		stop()
		k.resolve()
	})
}

// TestLateReadSeesPoison: after a message is completed, its data are poisoned before other data
// can replace them.
func TestLateReadSeesPoison(t *testing.T) {
	feed := newTestFeed(t)
	late := make(chan []byte, 2)
	r := start(t, testConfig(t, feed.url(), func(m worker.Message) worker.Code {
		late <- m.Data
		return worker.OK
	}))
	conn := feed.login(1, `{"session":"s"}`)
	conn.data(1, string(numberedPayload(1)))
	conn.expect(fg1.Ack, 0, 1)
	conn.data(2, string(numberedPayload(2))) // the slab was emptied before it was read
	conn.expect(fg1.Ack, 0, 2)
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if data := <-late; !bytes.Equal(data, bytes.Repeat([]byte{offheap.Poison}, len(data))) {
			t.Errorf("%q", data)
		}
	}
}

// resident returns the process's anonymous resident memory, in bytes.
func resident(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("no RssAnon")
	return 0
}
