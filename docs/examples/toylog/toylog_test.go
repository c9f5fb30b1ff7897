package toylog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/docs/examples/toylog/toylogtest"
	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// free is an address to listen on.
const free = "127.0.0.1:0"

// open opens the sink. The hosts must have been started before, or their goroutines count as leaks.
func open(t *testing.T, hosts, query string, cfg sink.Config) *sink.Sink {
	t.Helper()
	return sinktest.Open(t, Kind, "toylog://"+hosts+"/orders"+query, cfg)
}

// config returns a Config with --toylog-timeout.
func config(timeout time.Duration) sink.Config {
	flags := sink.Registry{Kind}.NewFlags()
	for _, group := range flags.Groups() {
		if own, ok := group.(*Flags); ok {
			own.Timeout = timeout
		}
	}
	return sink.Config{Flags: flags}
}

func send(g *handlertest.Gateway, messages ...string) {
	for _, m := range messages {
		g.Send(0, []byte(m))
	}
}

func stored(l *toylogtest.Log) (all []string) {
	for _, m := range l.Stored() {
		all = append(all, m.Data)
	}
	return all
}

// TestOrder: several workers store their messages in batches, each key in order.
func TestOrder(t *testing.T) {
	var l toylogtest.Log
	h := l.Listen(t, free)
	g := handlertest.Start(t, open(t, h.Addr, "?batch=7&key=field:1:-", sink.Config{}), 3, 1024)
	for i := range 600 {
		key := i % 30
		g.Send(key%3, fmt.Appendf(nil, "%d-%d", key, i/30))
	}
	g.Wait(600)
	g.Stop()
	next := make(map[string]int)
	for _, m := range l.Stored() {
		if want := fmt.Sprintf("%s-%d", m.Key, next[m.Key]); m.Data != want {
			t.Fatalf("stored %q with the key %q, want %q", m.Data, m.Key, want)
		}
		next[m.Key]++
	}
	if n := slices.Max(l.Batches()); len(next) != 30 || g.Refused != 0 || n < 2 || n > 7 {
		t.Errorf("%d keys, %d refused, batches of up to %d", len(next), g.Refused, n)
	}
}

// TestOutcomes: without keys, the messages of a worker are stored in order, whatever the server
// answers.
func TestOutcomes(t *testing.T) {
	times := make(map[string]int)
	l := toylogtest.Log{Answer: func(m toylogtest.Message) toylogtest.Answer {
		times[m.Data]++
		switch {
		case m.Data == "bad":
			return toylogtest.Never
		case times[m.Data] > 1 || m.Data == "a":
			return toylogtest.Stored
		case m.Data == "b":
			return toylogtest.Busy
		case m.Data == "c":
			return 9
		case m.Data == "d":
			return toylogtest.Reset
		}
		return toylogtest.Lost
	}}
	h := l.Listen(t, free)
	g := handlertest.Start(t, open(t, h.Addr, "", sink.Config{}), 1, 64)
	send(g, "a", "bad", "b", "c", "d", "e", "")
	g.Wait(7)
	g.Stop()
	if got := stored(&l); !slices.Equal(got, []string{"a", "b", "c", "d", "e", "e", "", ""}) || g.Refused != 1 || g.Code(1) != worker.Refused {
		t.Errorf("stored %q, %d refused", got, g.Refused)
	}
}

// TestTimeout: if a server never answers, the next host is tried.
func TestTimeout(t *testing.T) {
	var works toylogtest.Log
	hangs := toylogtest.Log{Answer: func(toylogtest.Message) toylogtest.Answer { return toylogtest.Hang }}
	a, b := hangs.Listen(t, free), works.Listen(t, free)
	out := open(t, a.Addr+","+b.Addr, "", config(20*time.Millisecond))
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	g.Wait(1)
	g.Stop()
	if got := stored(&works); !slices.Equal(got, []string{"a"}) || len(hangs.Batches()) == 0 {
		t.Errorf("stored %q, %d batches to the other", got, len(hangs.Batches()))
	}
}

// TestAway: while the server is away, messages wait and the sink is not ready, also if there are no
// messages.
func TestAway(t *testing.T) {
	var l toylogtest.Log
	h := l.Listen(t, free)
	h.Close()
	out := open(t, "127.0.0.1:1,"+h.Addr, "", sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	g := handlertest.Start(t, out, 1, 64)
	notReady := func() bool { return out.Ready() != nil && strings.Contains(out.Ready().Error(), h.Addr) }
	ready := func() bool { return out.Ready() == nil }
	send(g, "a")
	testkit.Eventually(t, "not ready", notReady)
	g.WantResolved(0)
	h = l.Listen(t, h.Addr)
	g.Wait(1)
	testkit.Eventually(t, "ready", ready)

	h.Close()
	testkit.Eventually(t, "not ready without a message", notReady)
	h = l.Listen(t, h.Addr)
	testkit.Eventually(t, "ready without a message", ready)

	h.Close()
	send(g, "b", "c")
	testkit.Eventually(t, "not ready", notReady)
	g.WantResolved(1)
	h = l.Listen(t, h.Addr)
	g.Wait(3)
	g.Stop()
	h.Close()
	if got := stored(&l); !slices.Equal(got, []string{"a", "b", "c"}) || g.Refused != 0 {
		t.Errorf("stored %q, %d refused", got, g.Refused)
	}
}

// TestStop: messages without an answer are not acknowledged, and do not delay the end.
func TestStop(t *testing.T) {
	l := toylogtest.Log{Answer: func(toylogtest.Message) toylogtest.Answer { return toylogtest.Hang }}
	h := l.Listen(t, free)
	g := handlertest.Start(t, open(t, h.Addr, "", config(time.Hour)), 1, 64)
	send(g, "a", "b")
	testkit.Eventually(t, "a batch", func() bool { return len(l.Batches()) > 0 })
	g.Drain()
	began := time.Now()
	g.Stop()
	g.WantResolved(0)
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the stop took %v", d)
	}
}

// TestDrain: queued messages are stored before the end.
func TestDrain(t *testing.T) {
	var l toylogtest.Log
	h := l.Listen(t, free)
	g := handlertest.Start(t, open(t, h.Addr, "", sink.Config{}), 1, 64)
	send(g, "a", "b", "c")
	g.Drain()
	g.Wait(3)
	g.Stop()
	if got := stored(&l); len(got) != 3 {
		t.Errorf("stored %q", got)
	}
}

func TestFaults(t *testing.T) {
	for url, want := range map[string]string{
		"toylog:x":                   "want // and a host",
		"toylog://a/s":               "not HOST:PORT",
		"toylog://a:1":               "want a stream",
		"toylog://a:1/":              "want a stream",
		"toylog://a:1/s?batch=0":     "batch=0 is not a number from 1 to 10000",
		"toylog://a:1/s?batch=10001": "batch=10001 is not",
		"toylog://a:1/s?batch=x":     "batch=x is not",
		"toylog://a:1/s?key=colour":  "key: ",
		"toylog://a:1/s?linger=1s":   "linger",
		"toylog+tls://a:1/s":         "--toylog-timeout: -1s is negative",
	} {
		_, err := sink.Registry{Kind}.Parse("--sink", url, config(-time.Second).Flags)
		if !errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	target, err := sink.Registry{Kind}.Parse("--sink", "toylog://a:1/s?key=meta:id", nil)
	if err != nil || !target.UsesMeta {
		t.Errorf("uses metadata: %v, %v", target.UsesMeta, err)
	}
	if err := target.CheckPassword([]byte("s3cret word")); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}
