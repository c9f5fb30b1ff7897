package httpsink

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/selector"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// journal records the numbers of each key in the order in which a server stored them.
type journal struct {
	t    testing.TB
	last map[string]int // the highest number of each key
	keys map[string]bool
	dups int
}

// store records a batch. A batch is stored again only as a whole, so the numbers of each key have no
// gap and go back only to the beginning of a batch that was stored before.
func (j *journal) store(p post) {
	if key := p.Header.Get("Idempotency-Key"); j.keys[key] {
		j.dups++
		return
	}
	j.keys[p.Header.Get("Idempotency-Key")] = true
	for _, m := range p.messages {
		var key string
		var n int
		if _, err := fmt.Sscanf(m, "%s %d", &key, &n); err != nil {
			j.t.Errorf("message %q: %v", m, err)
		}
		if n != j.last[key]+1 {
			j.t.Errorf("key %s: %d after %d", key, n, j.last[key])
		}
		j.last[key] = n
	}
}

// TestOrder: 37 keys over 4 workers, and a server that fails in every way, before or after it has
// stored a batch. It drops what it has stored by the Idempotency-Key, and then has every message once,
// each key in order.
func TestOrder(t *testing.T) {
	const keys, workers, each = 37, 4, 60
	for _, by := range []string{"key", "worker"} {
		t.Run(by, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			j := &journal{t: t, last: map[string]int{}, keys: map[string]bool{}}
			faults := 0
			s := serve(t, func(w http.ResponseWriter, p post) int {
				fault := rng.IntN(8)
				if faults++; faults > 400 || len(j.keys) < workers {
					fault = 7
				}
				if fault == 0 {
					return 503
				}
				if fault == 1 {
					hangUp(w)
					return -1
				}
				switch j.store(p); fault {
				case 2:
					hangUp(w)
					return -1
				case 3:
					return 504
				}
				return 0
			})
			cfg := sink.Config{ReconnectMin: 100 * time.Microsecond, ReconnectMax: time.Millisecond}
			if by == "key" {
				key, err := selector.Parse("field:1: ")
				if err != nil {
					t.Fatal(err)
				}
				cfg.Key = &key
			}
			out := sinktest.Open(t, Kind, s.URL+"/?batch=20", cfg)
			g := handlertest.Start(t, out, workers, 4096)
			for n := 1; n <= each; n++ {
				for k := range keys {
					g.Send(k%workers, fmt.Appendf(nil, "k%d %d", k, n))
				}
			}
			g.Wait(keys * each)
			g.Stop()
			if j.dups == 0 || len(j.last) != keys {
				t.Errorf("%d keys, %d batches sent again after they were stored", len(j.last), j.dups)
			}
			for key, last := range j.last {
				if last != each {
					t.Errorf("key %s ends with %d", key, last)
				}
			}
		})
	}
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
}

// TestClose: in any state, the workers end soon, what the server has not confirmed is not resolved,
// and nothing is left.
func TestClose(t *testing.T) {
	held := func(e *exchange) { _, _ = io.Copy(io.Discard, e.r) } // until the sink closes
	for name, c := range map[string]struct {
		script func(e *exchange)
		large  bool
	}{
		"no answer":             {held, false},
		"half an answer":        {func(e *exchange) { e.write("HTTP/1.1 200 OK\r\n"); held(e) }, false},
		"half a request":        {func(e *exchange) { _, _ = e.r.Peek(1); <-time.After(50 * time.Millisecond) }, true},
		"the body of a refusal": {func(e *exchange) { e.request(); e.write("HTTP/1.1 503 x\r\nContent-Length: 9\r\n\r\n"); held(e) }, false},
		"backoff":               {func(e *exchange) { e.request(); e.write("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n") }, false},
		"resets":                {(*exchange).reset, false},
	} {
		t.Run(name, func(t *testing.T) {
			var begun atomic.Bool
			url := serveRaw(t, func(e *exchange) {
				begun.Store(true)
				c.script(e)
			})
			g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{ReconnectMin: time.Hour, ReconnectMax: time.Hour}), 1, 64)
			message := "m"
			if c.large {
				message = large
			}
			send(g, message, "n")
			g.WaitFor("a request", begun.Load)
			g.Drain()
			start := time.Now()
			g.Stop()
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("the end took %v", d)
			}
			g.WantResolved(0)
		})
	}
}

// TestUnreachable: messages wait for a server that is away, at the start or later, and the sink is not
// ready.
func TestUnreachable(t *testing.T) {
	s := serve(t, nil)
	address := s.address()
	s.Close()
	out := sinktest.Open(t, Kind, "http://"+address, sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil || out.Ready() == nil || !strings.Contains(out.Ready().Error(), "connection refused") {
		t.Errorf("start: %v, ready: %v", err, out.Ready())
	}
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	for i := range 3 {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		web := &http.Server{Handler: &server{t: t}, ErrorLog: quiet}
		served := make(chan error)
		go func() { served <- web.Serve(listener) }()
		g.Wait(i + 1)
		g.WaitFor("ready", func() bool { return out.Ready() == nil })
		web.Close()
		<-served
		send(g, "b")
		g.WaitFor("not ready", func() bool { return out.Ready() != nil })
		g.WantResolved(i + 1)
	}
	g.Stop()
}

// TestNothingLingers: messages are sent as soon as the server can take them, all of those that have
// accumulated. With linger=D, they wait for more, except at a drain.
func TestNothingLingers(t *testing.T) {
	hold, holding := make(chan bool), make(chan bool)
	var sizes []int
	s := serve(t, func(_ http.ResponseWriter, p post) int {
		if sizes = append(sizes, len(p.messages)); len(sizes) == 1 {
			holding <- true
			<-hold
		}
		return 0
	})
	g := handlertest.Start(t, sinktest.Open(t, Kind, s.URL, sink.Config{}), 1, 64)
	send(g, "a")
	<-holding
	send(g, "b", "c", "d")
	g.WantResolved(0) // acked only after the server has answered
	hold <- true
	g.Wait(4)
	if len(sizes) > 3 {
		t.Errorf("batches of %d", sizes)
	}
	g.Stop()

	sizes = []int{0}
	g = handlertest.Start(t, sinktest.Open(t, Kind, s.URL+"?linger=1h&batch=3", sink.Config{}), 1, 64)
	send(g, "a", "b", "c", "d")
	g.Wait(3)
	g.WantResolved(3)
	g.Drain()
	g.Wait(4)
	g.Stop()
	if fmt.Sprint(sizes) != "[0 3 1]" {
		t.Errorf("batches of %d", sizes)
	}
}
