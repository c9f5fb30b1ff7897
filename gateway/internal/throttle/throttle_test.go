package throttle

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// buffer holds the log. Any goroutine may write to it.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// take returns what was logged since the last call.
func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// logger logs lines without time and level.
func logger(out *buffer) (*slog.Logger, *Handler) {
	h := New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	return slog.New(h), h
}

func expect(t *testing.T, out *buffer, want string) {
	t.Helper()
	if got := out.take(); got != want {
		t.Errorf("logged:\n%swant:\n%s", got, want)
	}
}

func TestRepeatsAreOneRecordASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log, _ := logger(&out)
		for i := range 10 {
			log.Error("away", "n", i)
		}
		expect(t, &out, "msg=away n=0\n")
		time.Sleep(Every)
		synctest.Wait()
		expect(t, &out, "msg=away n=9 times=9\n")
		log.Error("away", "n", 10)
		expect(t, &out, "")
		time.Sleep(Every)
		synctest.Wait()
		expect(t, &out, "msg=away n=10\n")
		time.Sleep(2 * Every)
		log.Error("away", "n", 11)
		expect(t, &out, "msg=away n=11\n")
		time.Sleep(2 * Every)
	})
}

func TestKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log, h := logger(&out)
		a := log.With("upstream", "a")
		for range 2 {
			log.Info("away")
			log.Info("back")
			a.Info("away")
			log.Info("away", "upstream", "b")
			a.Info("away", "reason", "reset")
			a.Info("away", "nsqlookupd", "c")
		}
		first := "msg=away\nmsg=back\nmsg=away upstream=a\nmsg=away upstream=b\nmsg=away upstream=a reason=reset\n" +
			"msg=away upstream=a nsqlookupd=c\n"
		expect(t, &out, first)
		h.End()
		if last := out.take(); strings.Count(last, "\n") != 6 || strings.Contains(last, "times") {
			t.Errorf("logged at the end:\n%s", last)
		}
	})
}

// TestEnd: End logs everything that is waiting, in order; later records are logged at once.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out buffer
		log, h := logger(&out)
		for i := range 3 {
			for _, msg := range []string{"away", "back"} {
				log.Info(msg, "n", i)
				time.Sleep(time.Millisecond)
			}
		}
		out.take()
		h.End()
		expect(t, &out, "msg=away n=2 times=2\nmsg=back n=2 times=2\n")
		log.Info("away", "n", 3)
		log.Info("away", "n", 4)
		expect(t, &out, "msg=away n=3\nmsg=away n=4\n")
		time.Sleep(2 * Every)
		synctest.Wait()
		expect(t, &out, "")
	})
}

// second is a handler that closes a channel at its second record. The throttle calls it under its lock.
type second struct {
	slog.Handler
	records int
	closed  chan struct{}
}

func (h *second) Handle(context.Context, slog.Record) error {
	if h.records++; h.records == 2 {
		close(h.closed)
	}
	return nil
}

// TestLaterLine: a line that the timer logs later, on a goroutine of its own, shares nothing with the
// call that it is of. The race detector judges.
func TestLaterLine(t *testing.T) {
	next := &second{Handler: slog.DiscardHandler, closed: make(chan struct{})}
	h := New(next)
	t.Cleanup(h.End)
	for range 2 {
		if err := h.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "a", 0)); err != nil {
			t.Error(err)
		}
	}
	<-next.closed
}
