package sink

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"feedgate/ring"
	"feedgate/worker"
)

// patience ends a wait for something that will not come.
const patience = 10 * time.Second

// rig stands for the gateway: it owns a pool, hands it messages and takes its
// replies, on the test's goroutine.
type rig struct {
	t     testing.TB
	pool  *worker.Pool
	slabs *worker.Slabs
	bell  ring.Bell
	wake  chan struct{}

	used     int    // bytes of the slab
	messages []sent // by place
	refused  int
	done     int
	stopped  bool
}

type sent struct {
	data []byte // in the slab; overwritten once completed
	done bool
	code worker.Code
}

const rigSlab = 8 << 20

func newRig(t testing.TB, s worker.Sink, workers, inFlight int) *rig {
	t.Helper()
	r := &rig{t: t, wake: make(chan struct{}, 1)}
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
	r.pool = pool
	pool.Start()
	t.Cleanup(r.stop)
	return r
}

// send gives a worker a message, and returns its place.
func (r *rig) send(to int, data []byte) int {
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
	w := r.pool.Workers()[to]
	spans := w.In().Reserve(1)
	for len(spans) == 0 {
		r.turn(patience)
		spans = w.In().Reserve(1)
	}
	spans[0] = span
	w.In().Commit(worker.Desc{Seq: uint64(place) + 1, Place: uint32(place)}, 1)
	w.In().Publish()
	w.Wake()
	return place
}

// turn takes what replies there are, or waits for some; false when none came.
func (r *rig) turn(wait time.Duration) bool {
	r.t.Helper()
	took := 0
	for _, w := range r.pool.Workers() {
		n := 0
		for b := w.Out().Next(); b != nil; b = w.Out().Next() {
			r.take(w.Reply(b))
			n++
		}
		if n > 0 {
			w.Out().Release()
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
func (r *rig) take(reply worker.Reply) {
	r.t.Helper()
	for k := range reply.Count {
		m := &r.messages[reply.Place+k]
		if m.done {
			r.t.Fatalf("message %d completed twice", reply.Place+k)
		}
		m.done, m.code = true, reply.Code
		r.done++
		if reply.Code != worker.OK {
			r.refused++
		}
		for i := range m.data {
			m.data[i] = 0xFF
		}
	}
}

// wait waits until n messages in all are completed.
func (r *rig) wait(n int) {
	r.t.Helper()
	for r.done < n {
		if !r.turn(patience) {
			r.t.Fatalf("%d of %d messages completed", r.done, n)
		}
	}
}

// waitFor waits until ok, taking replies meanwhile.
func (r *rig) waitFor(what string, ok func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain: %s", what)
		}
		r.turn(time.Millisecond)
	}
}

// none checks that no message beyond n is completed now.
func (r *rig) none(n int) {
	r.t.Helper()
	for r.turn(0) {
	}
	if r.done != n {
		r.t.Fatalf("%d messages completed, want %d", r.done, n)
	}
}

func (r *rig) code(place int) worker.Code {
	r.t.Helper()
	if !r.messages[place].done {
		r.t.Fatalf("message %d is not completed", place)
	}
	return r.messages[place].code
}

func (r *rig) stop() {
	if r.stopped {
		return
	}
	r.stopped = true
	if err := r.pool.Stop(); err != nil {
		r.t.Errorf("stop: %v", err)
	}
}

// openSink opens a sink, and closes it at the end of the test, after its pools.
func openSink(t testing.TB, url string, cfg Config) worker.Sink {
	t.Helper()
	verifyNoLeaks(t)
	s, err := Open(url, withTestDefaults(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the sink: %v", err)
		}
	})
	return s
}

func withTestDefaults(t testing.TB, cfg Config) Config {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	if cfg.ReconnectMin == 0 {
		cfg.ReconnectMin, cfg.ReconnectMax = 2*time.Millisecond, 8*time.Millisecond
	}
	return cfg
}

// verifyNoLeaks checks, after everything that the test cleans up from here on,
// that it has left no goroutine, descriptor or child process.
func verifyNoLeaks(t testing.TB) {
	t.Helper()
	before := openFiles(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t)
		if after := openFiles(t); len(after) > len(before) {
			t.Errorf("open files: %q before, %q after", before, after)
		}
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			t.Errorf("a child process is left: %d, %v", pid, err)
		}
	})
}

func openFiles(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The runtime's poller keeps two for itself from its first use on, and a
		// process handle may be open for a moment.
		if err == nil && !strings.HasPrefix(name, "anon_inode:") {
			files = append(files, name)
		}
	}
	return files
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// logBuffer is a log to look into.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}

// quiet is a logger that leaves the test's output alone.
func (l *logBuffer) quiet() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logBuffer) logger(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(io.MultiWriter(l, testWriter{t}), nil))
}
