package line

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server stores lines. Every seventh time it closes the connection instead, and every fifth it asks
// to wait.
type server struct {
	ln     net.Listener
	served sync.WaitGroup

	mu    sync.Mutex
	lines []string
	n     int
}

func listen(t *testing.T, addr string) *server {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ln: ln}
	s.served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			s.served.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		answer := s.answer(lines.Text())
		if answer == "" {
			return
		}
		if _, err := conn.Write([]byte(answer)); err != nil || answer == "?\n" {
			return
		}
	}
}

func (s *server) answer(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.n++; {
	case s.n%7 == 0:
		return ""
	case s.n%5 == 0:
		return "?\n"
	case strings.HasPrefix(line, "bad"):
		return "-\n"
	}
	s.lines = append(s.lines, line)
	return "+\n"
}

// end closes the listener and waits until all connections have ended.
func (s *server) end() {
	s.ln.Close()
	s.served.Wait()
}

// TestLines: whatever the server does, each message is stored, in order, or refused alone.
func TestLines(t *testing.T) {
	s := listen(t, "127.0.0.1:0")
	g := handlertest.Start(t, sinktest.Open(t, Kind, "line://"+s.ln.Addr().String(), sink.Config{}), 1, 256)
	var want []string
	for i := range 100 {
		m := fmt.Sprint("good ", i)
		switch i % 10 {
		case 3:
			m = "bad"
		case 6:
			m = "two\nlines"
		default:
			want = append(want, m)
		}
		g.Send(0, []byte(m))
	}
	g.Wait(100)
	g.Stop()
	s.end()
	var first []string // a line whose answer was lost is stored again
	for _, line := range s.lines {
		if !slices.Contains(first, line) {
			first = append(first, line)
		}
	}
	if !slices.Equal(first, want) || g.Refused != 20 || g.Code(3) != worker.Refused || g.Code(6) != worker.BadRequest {
		t.Errorf("%d refused, stored %q", g.Refused, s.lines)
	}
}

// TestAway: while the server is away, the sink is not ready, tries the next host and loses nothing.
func TestAway(t *testing.T) {
	s := listen(t, "127.0.0.1:0")
	addr := s.ln.Addr().String()
	s.end()
	out := sinktest.Open(t, Kind, "line://"+addr+",127.0.0.1:1", sink.Config{})
	g := handlertest.Start(t, out, 1, 64)
	g.Send(0, []byte("a"))
	testkit.Eventually(t, "not ready", func() bool { return out.Ready() != nil })
	g.WantResolved(0)
	s = listen(t, addr)
	g.Wait(1)
	g.Stop()
	s.end()
	if out.Ready() != nil || len(s.lines) != 1 {
		t.Errorf("ready: %v, stored %q", out.Ready(), s.lines)
	}
}

func TestFaults(t *testing.T) {
	for url, want := range map[string]string{"line://a": "not HOST:PORT", "line://a:1/p": "a path has no meaning"} {
		if _, err := (sink.Registry{Kind}).Parse("--sink", url, nil); !errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}
