package gateway

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"feedgate/worker"
)

// TestEventLog: the first event is logged at once, then one line per second with the number of
// events and the details of the latest. A tally does the same in its own words.
func TestEventLog(t *testing.T) {
	var out bytes.Buffer
	r := eventLog{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
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
	if r.Due() != now+time.Second {
		t.Errorf("due at %v", r.Due())
	}
	r.Flush(now + 999*ms)
	lines("")
	r.Flush(now + 1000*ms)
	lines("msg=lost n=3 times=2")
	if r.Due() != 0 {
		t.Errorf("due at %v, and nothing is left", r.Due())
	}
	// The interval starts with the last line.
	r.add(now+1500*ms, slog.LevelError, "lost", "", "n", 5)
	r.add(now+1500*ms, slog.LevelError, "lost", "ws", "n", 6)
	r.add(now+1600*ms, slog.LevelError, "lost", "ws", "n", 7)
	lines("msg=lost n=6 reason=ws")
	r.Flush(now + 2000*ms)
	lines("msg=lost n=5")
	if r.Due() != now+2500*ms {
		t.Errorf("due at %v", r.Due())
	}
	r.End(now + 2000*ms)
	lines("msg=lost n=7 reason=ws")
	r.add(now+time.Minute, slog.LevelError, "lost", "", "n", 8)
	lines("msg=lost n=8")
	if r.End(now + time.Minute); r.Due() != 0 || out.Len() > 0 {
		t.Errorf("due at %v, %q", r.Due(), out.String())
	}

	now += time.Hour
	suppressed := 0
	sum := refusals{why: "--ack-template has no {code}", unacked: func() int { n := suppressed; suppressed = 0; return n }, codes: make(map[worker.Code]int)}
	sum.changed = r.tally("refused", sum.take)
	sum.add(worker.Refused, 2)
	sum.add(worker.BadRequest, 1)
	r.Flush(now)
	lines(`msg="messages refused" messages=3 by_code="1:2 2:1"`)
	if r.Flush(now + time.Second); r.Due() != 0 {
		t.Errorf("due at %v, and nothing is left", r.Due())
	}
	lines("")
	sum.add(worker.Refused, 1)
	suppressed = 1
	r.Flush(now + 999*ms)
	lines("")
	if r.Due() != now+time.Second {
		t.Errorf("due at %v", r.Due())
	}
	r.Flush(now + time.Second)
	lines(`msg="messages refused; --ack-template has no {code}, so no ack is sent for them" messages=1 by_code=1:1 without_ack=1`)
	sum.add(worker.Refused, 1)
	r.End(now + time.Second)
	lines(`msg="messages refused" messages=1 by_code=1:1`)
}
