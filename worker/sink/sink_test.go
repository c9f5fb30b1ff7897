package sink

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/worker"
)

func TestOpenNamesFlagAndFault(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"", "no colon"},
		{"discard", "no colon"},
		{"kafka:topic", "unknown scheme"},
		{"discard:x", "nothing may follow discard:"},
		{"stdout:x", "nothing but ?frame= may follow stdout:"},
		{"stdout:x?frame=json", "nothing but ?frame= may follow stdout:"},
		{"stdout:?", "unknown parameter"},
		{"stdout:?frame=xml", "frame=xml is not line, length or json"},
		{"file:?frame=json", "want a path"},
		{"file:x?", "unknown parameter"},
		{"file:x?frame", "is not line, length or json"},
		{"file:x?frame=", "is not line, length or json"},
		{"file:x?frame=JSON", "is not line, length or json"},
		{"file:x?fram=json", `unknown parameter "fram"`},
		{"file:x?frame=json&sync=no", `unknown parameter "sync"`},
		{"file:x?frame=json&frame=json", "frame is given twice"},
		{"file:x?frame=json&", "unknown parameter"},
		{"file:a?b.log", "a ? in a path is written %3F"},
		{"spin:", "want a duration"},
		{"spin:500", "want a duration"},
		{"spin:-1ns", "want a duration"},
		{"file:", "want a path"},
		{"exec:", "want a command"},
		{"exec:  ", "want a command"},
	} {
		_, err := Open(c.url, Config{})
		if checked := Check("--sink", c.url); checked == nil || checked.Error() != err.Error() {
			t.Errorf("%q: Check finds %v, and Open %v", c.url, checked, err)
		}
		if !errors.Is(err, ErrURL) {
			t.Errorf("%q: %v, want a fault of the URL", c.url, err)
			continue
		}
		if got := err.Error(); !strings.HasPrefix(got, fmt.Sprintf("--sink %q: ", c.url)) || !strings.Contains(got, c.want) {
			t.Errorf("%q: %s; want the flag, the URL and %q", c.url, got, c.want)
		}
	}
}

func TestOpenNamesAnotherFlag(t *testing.T) {
	_, err := Open("file:/nonexistent/dir/x", Config{Flag: "--dead-letter"})
	if err == nil || errors.Is(err, ErrURL) || !strings.HasPrefix(err.Error(), `--dead-letter "file:/nonexistent/dir/x": `) {
		t.Errorf("got %v", err)
	}
}

func TestBackoffBounds(t *testing.T) {
	cfg := Config{ReconnectMin: 100 * time.Millisecond, ReconnectMax: time.Second}
	b := cfg.newBackoff()
	for _, bound := range []time.Duration{200, 400, 800, 1000, 1000} {
		if d := b.NextBackOff(); d < cfg.ReconnectMin || d > bound*time.Millisecond {
			t.Errorf("wait of %v, want %v to %v", d, cfg.ReconnectMin, bound*time.Millisecond)
		}
	}
}

func TestDiscardCounts(t *testing.T) {
	log := new(logBuffer)
	s, err := Open("discard:", Config{Log: log.logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	a, b := newRig(t, s, 2, 4096), newRig(t, s, 1, 4096)
	const n = 3000
	bytes := 0
	for i := range n {
		data := make([]byte, i%50)
		a.send(i%2, data)
		b.send(0, data)
		bytes += 2 * len(data)
	}
	a.wait(n)
	b.wait(n)
	check := func() {
		t.Helper()
		// A worker counts a batch after it has finished it.
		eventually(t, "counts", func() bool {
			m, by := s.(*Discard).Count()
			return m == 2*n && by == uint64(bytes)
		})
	}
	check()
	a.stop()
	check()
	b.stop()
	check()
	if a.refused+b.refused != 0 || s.Ready() != nil || s.Err() != nil {
		t.Error("discard refused a message or has a fault")
	}
	if err := s.Close(); err != nil || log.count(fmt.Sprintf("messages=%d bytes=%d", 2*n, bytes)) != 1 {
		t.Errorf("close: %v; the log lacks the sums", err)
	}
}

func TestSpinFinishesEveryMessage(t *testing.T) {
	s := openSink(t, "spin:500ns", Config{})
	r := newRig(t, s, 2, 4096)
	for i := range 2000 {
		r.send(i%2, []byte("x"))
	}
	r.wait(2000)
	if r.refused != 0 {
		t.Errorf("%d refused", r.refused)
	}
	r.stop()
}

func TestSpinRoundsFollowTheDuration(t *testing.T) {
	if roundsFor(0) != 0 {
		t.Error("nothing to burn takes rounds")
	}
	one := roundsFor(500 * time.Nanosecond)
	if one < 10 {
		t.Errorf("%d rounds for 500ns: too coarse to be accurate", one)
	}
	if ten := roundsFor(5 * time.Microsecond); ten < 10*one-10 || ten > 10*one+10 {
		t.Errorf("%d rounds for ten times the time of %d", ten, one)
	}
}

// BenchmarkSpin500ns is the accuracy of spin: cpu-ns/op against 500. The time by
// the clock, ns/op, contains what other processes ran meanwhile.
func BenchmarkSpin500ns(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rounds := roundsFor(500 * time.Nanosecond)
	start := threadTime(b)
	for b.Loop() {
		burn(rounds)
	}
	b.ReportMetric(float64(threadTime(b)-start)/float64(b.N), "cpu-ns/op")
}

func threadTime(t testing.TB) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// BenchmarkDiscard is a batch through the whole pool, and must not allocate.
func BenchmarkDiscard(b *testing.B) { benchmarkSink(b, "discard:", 64) }

// benchmarkSink runs b.N messages of size bytes through one worker.
func benchmarkSink(b *testing.B, url string, size int) {
	s, err := Open(url, Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	const inFlight = 8192
	r := newRig(b, s, 1, inFlight)
	w := r.pool.Workers()[0]
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	done, next := 0, 0
	for done < b.N {
		room := min(b.N-next, inFlight-(next-done))
		slots := w.In().Reserve(min(room, 128))
		for i := range slots {
			slots[i] = worker.Span(uint32((next+i)%inFlight*size), uint32(size))
		}
		if n := len(slots); n > 0 {
			r.slabs.Hold(0, n)
			w.In().Commit(worker.Desc{Place: uint32(next)}, n)
			w.In().Publish()
			w.Wake()
			next += n
		}
		took := 0
		for rec := w.Out().Next(); rec != nil; rec = w.Out().Next() {
			done += int(w.Reply(rec).Count)
			took++
		}
		w.Out().Release()
		w.Wake()
		r.bell.Answer(took)
		if took == 0 && len(slots) == 0 && r.bell.Sleep() {
			<-r.wake
			r.bell.Wake()
		}
	}
	b.StopTimer()
	r.stop()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
