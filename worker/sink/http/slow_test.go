package httpsink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// TestNoAnswer: a server that takes a request and never answers counts as away.
func TestNoAnswer(t *testing.T) {
	url := serveRaw(t, func(e *exchange) { _, _ = io.Copy(io.Discard, e.r) }, accept)
	log, cfg := logged(t)
	out := openWith(t, url, cfg, func(set *settings) { set.answer = 100 * time.Millisecond })
	g := handlertest.Start(t, out, 1, 64)
	send(g, "m")
	g.Wait(1)
	g.Stop()
	if g.Refused > 0 || !log.Has("no answer within 100ms") {
		t.Error(log.String())
	}
}

// TestSilentServer: while a server takes its time, the sink is not ready.
func TestSilentServer(t *testing.T) {
	hold := make(chan bool)
	url := serveRaw(t, func(e *exchange) {
		e.request()
		<-hold
		e.write(accepted)
	}, accept)
	log, cfg := logged(t)
	cfg.ConnectTimeout = 50 * time.Millisecond
	out := sinktest.Open(t, Kind, url, cfg)
	g := handlertest.Start(t, out, 1, 64)
	send(g, "m")
	testkit.Eventually(t, "not ready", func() bool {
		return out.Ready() != nil && strings.Contains(out.Ready().Error(), "has not answered for more than 50ms")
	})
	close(hold)
	g.Wait(1)
	testkit.Eventually(t, "ready again", func() bool { return out.Ready() == nil })
	g.Stop()
	if g.Refused > 0 || log.Count("they wait") != 1 {
		t.Error(log.String())
	}
}

// TestSlowServer: the wait for an answer begins again with each part of the request that the server takes.
func TestSlowServer(t *testing.T) {
	for after, want := range map[time.Duration]error{answerTimeout - time.Second: nil, answerTimeout + time.Second: errNoAnswer} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			at, err := parseURL(sink.URL{Rest: "//sink.example/"})
			if err != nil {
				t.Fatal(err)
			}
			cfg := new(sink.Config).WithDefaults()
			c := newClient(&settings{target: at, answer: answerTimeout}, &cfg, nil, 0)
			c.transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return &conn{Conn: near}, nil }
			c.parts = [][]byte{[]byte(large)}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer far.Close()
				req, err := http.ReadRequest(bufio.NewReader(far))
				for b := make([]byte, 64<<10); err == nil; time.Sleep(time.Minute) {
					_, err = io.ReadFull(req.Body, b)
				}
				time.Sleep(after - time.Minute)
				_, _ = far.Write([]byte(accepted))
			}()
			r := c.post(t.Context(), &kit.Batch{ID: 1}, newContent(c.set.format, c.parts))
			if !errors.Is(r.err, want) {
				t.Errorf("an answer after %v: %v", after, r.err)
			}
			r.end()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			<-done
		})
	}
}
