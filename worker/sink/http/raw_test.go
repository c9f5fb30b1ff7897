package httpsink

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

// exchange is one connection of a raw server.
type exchange struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

// request reads a request and returns its body.
func (e *exchange) request() (body string, req *http.Request) {
	req, err := http.ReadRequest(e.r)
	if err != nil {
		return "", nil // the sink has closed
	}
	b, err := io.ReadAll(req.Body)
	if err != nil {
		return "", nil
	}
	return string(b), req
}

func (e *exchange) write(text string) { _, _ = e.Write([]byte(text)) }

// reset closes the connection with a reset.
func (e *exchange) reset() {
	_ = e.SetLinger(0)
	e.Close()
}

const accepted = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// serveRaw starts a server that runs each script on one connection, in order, the last one on all
// further connections. It returns its URL.
func serveRaw(t testing.TB, scripts ...func(e *exchange)) string {
	t.Helper()
	sinktest.VerifyNoLeaks(t)
	ln := testkit.Listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := -1; ; {
			c, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			if n >= 0 { // the first connection is that of Connect
				scripts[min(n, len(scripts)-1)](&exchange{c, t, bufio.NewReader(c)})
			}
			n++
			c.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return "http://" + ln.Addr().String()
}

// accept answers each request with 200 until the connection ends.
func accept(e *exchange) {
	for {
		if _, req := e.request(); req == nil {
			return
		}
		e.write(accepted)
	}
}

// once answers one request with 200.
func once(e *exchange) {
	_, _ = e.request()
	e.write(accepted)
}

// TestEarlyServer: a server that answers each connection before it has a request, whatever the answer is,
// confirms and refuses nothing. It is not ready, and later one that answers the request is.
func TestEarlyServer(t *testing.T) {
	for _, early := range []string{accepted, accepted + accepted, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "220 mail.example ESMTP\r\n"} {
		t.Run(strings.Fields(early)[1], func(t *testing.T) {
			began := make(chan bool)
			speak := func(e *exchange) {
				e.write(early)
				_, _ = e.r.ReadByte() // until the sink closes
			}
			url := serveRaw(t, speak, speak, func(e *exchange) { <-began; accept(e) })
			out := openWith(t, url, sink.Config{}, func(s *settings) { s.silence = 100 * time.Millisecond })
			g := handlertest.Start(t, out, 1, 64)
			g.Send(0, []byte("m"))
			g.WaitFor("not ready", func() bool {
				return out.Ready() != nil && strings.Contains(out.Ready().Error(), "before it had a request")
			})
			if g.Resolved > 0 {
				t.Errorf("resolved with %d", g.Code(0))
			}
			close(began)
			g.Wait(1)
			if g.Code(0) != worker.OK {
				t.Errorf("code %d", g.Code(0))
			}
		})
	}
}

// TestConnectionLost: at any moment before the answer, the batch is sent again, with the same key.
func TestConnectionLost(t *testing.T) {
	var lost, again string
	take := func(key *string, then func(e *exchange)) func(e *exchange) {
		return func(e *exchange) {
			_, req := e.request()
			if req == nil {
				return
			}
			*key = req.Header.Get("Idempotency-Key")
			then(e)
		}
	}
	answer := func(text string) func(e *exchange) {
		return take(&lost, func(e *exchange) { e.write(text) })
	}
	for name, script := range map[string]func(e *exchange){
		"closed at once":           func(*exchange) {},
		"reset at once":            (*exchange).reset,
		"closed within the head":   func(e *exchange) { _, _ = e.r.Peek(1) },
		"closed after the request": take(&lost, func(*exchange) {}),
		"reset after the request":  take(&lost, (*exchange).reset),
		"half a status":            answer("HTTP/1.1 2"),
		"half a head":              answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"),
		"not HTTP":                 answer("SSH-2.0-OpenSSH_9.6\r\n"),
		"no number":                answer("HTTP/1.1 2x0 OK\r\n\r\n"),
		"an endless status":        answer("HTTP/1.1 200 " + strings.Repeat("x", maxHead)),
		"an endless head":          answer("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHead/4)),
		"1xx without end":          answer(strings.Repeat("HTTP/1.1 102 Processing\r\nA: "+strings.Repeat("x", 1000)+"\r\n\r\n", 200)),
		"101 and another protocol": answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
		"101, and the connection stays": take(&lost, func(e *exchange) {
			e.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			_, _ = e.r.Peek(1) // until the client closes it
		}),
		"two lengths that disagree":   answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 7\r\n\r\n"),
		"HTTP/2":                      answer("HTTP/2.0 200 OK\r\n\r\n"),
		"a request for a certificate": answer("\x15\x03\x03\x00\x02\x02\x28"),
	} {
		t.Run(name, func(t *testing.T) {
			lost, again = "", ""
			url := serveRaw(t, script, take(&again, func(e *exchange) { e.write(accepted); accept(e) }))
			log, cfg := logged(t)
			g := handlertest.Start(t, sinktest.Open(t, Kind, url, cfg), 1, 64)
			send(g, "s3cret")
			g.Wait(1)
			g.Stop()
			if g.Refused > 0 || lost != "" && lost != again || again == "" {
				t.Errorf("%d refused, keys %q, %q", g.Refused, lost, again)
			}
			if log.Has("s3cret") || log.Has("OpenSSH") || !log.Has("does not take messages") {
				t.Error(log.String())
			}
		})
	}
}

// TestOddAnswers: unusual ones that are well-formed confirm the batch, and the next one is sent on the
// same connection if that is possible.
func TestOddAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		reused bool
	}{
		"early hints":        {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + accepted, true},
		"100 without expect": {"HTTP/1.1 100 Continue\r\n\r\n" + accepted, true},
		"chunked":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n", true},
		"204":                {"HTTP/1.1 204 No Content\r\n\r\n", true},
		"no reason":          {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true},
		"HTTP/1.0":           {"HTTP/1.0 200 OK\r\n\r\nuntil the end", false},
		"close":              {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false},
		"a long body":        {"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", 60000), true},
		"half a body":        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false},
		"an endless body":    {"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<20), false},
	} {
		t.Run(name, func(t *testing.T) {
			connections := 0
			url := serveRaw(t, func(e *exchange) {
				connections++
				for _, req := e.request(); req != nil; _, req = e.request() {
					if e.write(c.answer); !c.reused {
						return
					}
				}
			})
			g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{}), 1, 64)
			for i := range 3 {
				send(g, "m")
				g.Wait(i + 1)
			}
			g.Stop()
			if g.Refused > 0 || c.reused != (connections == 1) {
				t.Errorf("%d refused, %d connections", g.Refused, connections)
			}
		})
	}
}

// large is a message that no socket's buffers can hold.
var large = strings.Repeat("m", 6<<20)

// TestEarlyAnswer: a server may refuse a request before it has all of it, and close. The answer is
// understood, although the connection is reset.
func TestEarlyAnswer(t *testing.T) {
	url := serveRaw(t, once, func(e *exchange) {
		_, _ = e.r.Peek(1 << 10)
		e.write("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		e.Close() // with unread input, so the peer gets a reset
	}, accept)
	g := handlertest.Start(t, openWith(t, url, sink.Config{}, func(set *settings) { set.batch = 1 }), 1, 64)
	send(g, "a")
	g.Wait(1)
	g.Send(0, []byte(large))
	g.Wait(2)
	send(g, "b")
	g.Wait(3)
	g.Stop()
	if g.Code(1) != worker.Refused || g.Refused != 1 {
		t.Errorf("codes %d, %d", g.Code(1), g.Code(2))
	}
}

// TestEarlyConfirmation: a 2xx to a part of a request confirms nothing, whether or not the server
// closes the connection.
func TestEarlyConfirmation(t *testing.T) {
	for name, then := range map[string]func(e *exchange){
		"closes": func(e *exchange) { e.Close() },
		"stays":  func(*exchange) { time.Sleep(50 * time.Millisecond) },
	} {
		t.Run(name, func(t *testing.T) {
			early := func(e *exchange) {
				_, _ = e.r.Peek(1 << 10)
				e.write(accepted)
				then(e)
			}
			whole := 0
			url := serveRaw(t, early, early, func(e *exchange) {
				body, _ := e.request()
				whole = len(body)
				e.write(accepted)
				accept(e)
			})
			log, cfg := logged(t)
			g := handlertest.Start(t, sinktest.Open(t, Kind, url, cfg), 1, 64)
			g.Send(0, []byte(large))
			g.Wait(1)
			g.Stop()
			if whole != len(large)+1 || !log.Has("200 OK before it had the whole request") {
				t.Errorf("%d bytes\n%s", whole, log)
			}
		})
	}
}

// TestNoReadAfterTheOutcome: when a message has its outcome, the gateway may reuse its memory, also
// if the transport was still sending it. The test's gateway overwrites it; nothing of that is sent.
func TestNoReadAfterTheOutcome(t *testing.T) {
	refused := make(chan []byte, 1)
	url := serveRaw(t, once, func(e *exchange) {
		_, _ = e.r.Peek(1 << 10)
		e.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
		time.Sleep(20 * time.Millisecond) // the memory is overwritten meanwhile
		b, _ := io.ReadAll(e.r)
		refused <- b
	}, accept)
	g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{}), 1, 64)
	send(g, "a")
	g.Wait(1)
	g.Send(0, []byte(large))
	g.Wait(2)
	g.Stop()
	if got := <-refused; bytes.IndexByte(got, handlertest.Poison) >= 0 {
		t.Errorf("%d bytes were sent, overwritten ones among them", len(got))
	}
}

// TestIdleConnectionClosed: a server may close a connection between two requests. The next batch is
// sent at once, over another one.
func TestIdleConnectionClosed(t *testing.T) {
	closed := make(chan bool)
	first := func(e *exchange) {
		once(e)
		e.Close()
		closed <- true
	}
	log, cfg := logged(t)
	url := serveRaw(t, first, first, first, accept)
	g := handlertest.Start(t, sinktest.Open(t, Kind, url, cfg), 1, 64)
	for i := range 4 {
		send(g, "m")
		if g.Wait(i + 1); i < 3 {
			<-closed
		}
	}
	g.Stop()
	if log.Count("level=WARN") > 0 {
		t.Error(log.String())
	}
}
