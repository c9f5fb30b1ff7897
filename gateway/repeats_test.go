package gateway

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestRepeats: the first at once, then one line a second with the count and the details of
// the last.
func TestRepeats(t *testing.T) {
	var out bytes.Buffer
	r := repeats{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))}
	lines := func(want ...string) {
		t.Helper()
		if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
			t.Errorf("logged\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
		out.Reset()
	}
	const ms = time.Millisecond
	now := time.Hour
	r.add(now, slog.LevelError, "lost", "", "n", 1)
	lines("msg=lost n=1")
	r.add(now+ms, slog.LevelError, "lost", "", "n", 2)
	r.add(now+2*ms, slog.LevelError, "lost", "", "n", 3)
	r.add(now+2*ms, slog.LevelError, "lost", "ws", "n", 4)
	lines("msg=lost n=4 reason=ws")
	if r.due != now+time.Second {
		t.Errorf("due at %v", r.due)
	}
	r.flush(now + 999*ms)
	lines("")
	r.flush(now + 1000*ms)
	lines("msg=lost n=3 times=2")
	if r.due != 0 {
		t.Errorf("due at %v, and nothing is left", r.due)
	}
	// The next second counts from the last line.
	r.add(now+1500*ms, slog.LevelError, "lost", "", "n", 5)
	r.add(now+1500*ms, slog.LevelError, "lost", "ws", "n", 6)
	r.add(now+1600*ms, slog.LevelError, "lost", "ws", "n", 7)
	lines("msg=lost n=6 reason=ws")
	r.flush(now + 2000*ms)
	lines("msg=lost n=5 times=1")
	if r.due != now+2500*ms {
		t.Errorf("due at %v", r.due)
	}
	r.end()
	lines("msg=lost n=7 reason=ws times=1")
	r.add(now+time.Minute, slog.LevelError, "lost", "", "n", 8)
	lines("msg=lost n=8")
	if r.end(); r.due != 0 || out.Len() > 0 {
		t.Errorf("due at %v, %q", r.due, out.String())
	}
}
