package top

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/worker/testkit"

	"go.uber.org/goleak"
)

// TestMain: the goroutine that reads keys ends with its terminal.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers /stats with a document that the test changes.
type server struct {
	*httptest.Server
	stats atomic.Pointer[map[string]any]
	asked atomic.Int64
	gone  atomic.Bool // requests are not answered
}

func serve(t *testing.T, stats map[string]any) *server {
	s := &server{}
	s.stats.Store(&stats)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.gone.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path != "/stats" {
			http.NotFound(w, r)
			return
		}
		s.asked.Add(1)
		if err := json.NewEncoder(w).Encode(*s.stats.Load()); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) addr() string { return strings.TrimPrefix(s.URL, "http://") }

// stats is an answer of /stats with upstreams of so many workers.
func stats(upstreams, workers int) map[string]any {
	all, rings := map[string]any{}, map[string]any{}
	for i := range workers {
		rings[fmt.Sprint(i)] = map[string]any{"in": i, "out": 0}
	}
	for i := range upstreams {
		all[fmt.Sprintf("fg://feed%03d.example:7000", i)] = map[string]any{
			"feedgate_connected": 1, "feedgate_messages_total": 123456, "feedgate_in_flight": 65536, "feedgate_in_flight_limit": 65536,
			"feedgate_oldest_unacked_seconds": 3.5, "feedgate_ring_depth": rings, "feedgate_ring_limit": 8192,
			"feedgate_protocol_errors_total": map[string]any{"bad_json": 3}, "feedgate_reconnects_total": 2,
			"feedgate_waiting_for": map[string]any{"workers": 1}, "waiting_for": "the workers: 65,536 in rings, 32 in a call by worker 0, 1; --in-flight is full",
		}
	}
	return map[string]any{
		"upstreams": all, "not_ready": []string{}, "sink": map[string]any{"label": "exec:./handle", "feedgate_sink_ready": 1},
		"process": map[string]any{"feedgate_build_info": map[string]any{"v1.2.3": 1}},
	}
}

// running is a top in a terminal.
type running struct {
	*testing.T
	pty   *testkit.PTY
	ended chan error
	stop  context.CancelFunc
}

func run(t *testing.T, addr string, columns, lines int) *running {
	t.Helper()
	t.Setenv("TERM", "xterm")
	ctx, stop := context.WithCancel(t.Context())
	r := &running{t, testkit.NewPTY(t, columns, lines), make(chan error, 1), stop}
	t.Cleanup(stop)
	go func() { r.ended <- Run(ctx, addr, r.pty.Terminal, r.pty.Terminal) }()
	return r
}

func (r *running) shows(texts ...string) {
	r.Helper()
	for _, text := range texts {
		testkit.Eventually(r, fmt.Sprintf("%q on the screen", text), func() bool { return strings.Contains(r.pty.Screen(), text) })
	}
}

// restored expects that top ends without an error and leaves the terminal as it was.
func (r *running) restored() {
	r.Helper()
	if err := <-r.ended; err != nil {
		r.Error(err)
	}
	testkit.Eventually(r, "the screen left", func() bool { return strings.HasSuffix(r.pty.Text(), leaveScreen) })
}

func TestKeysQuitAndRestoreTheTerminal(t *testing.T) {
	s := serve(t, stats(1, 2))
	for name, end := range map[string]func(*running){
		"q": func(r *running) { r.pty.Press(t, "q") }, "Ctrl-C": func(r *running) { r.pty.Press(t, "\x03") },
		"many at once": func(r *running) { r.pty.Press(t, "xxq") }, "the end of the context": func(r *running) { r.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, s.addr(), 120, 30)
			r.shows("READY", "Waiting for the workers", "feed000.example", "q quits")
			before := testkit.NewPTY(t, 80, 24).State(t)
			if r.pty.State(t) == before {
				t.Error("the terminal is not in raw mode")
			}
			end(r)
			r.restored()
			if after := r.pty.State(t); after != before {
				t.Errorf("the modes are %v, want %v", after, before)
			}
		})
	}
}

// panics is a transport that panics at the second request.
type panics struct {
	http.RoundTripper
	n atomic.Int64
}

func (p *panics) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.n.Add(1) > 1 {
		panic("planted")
	}
	return p.RoundTripper.RoundTrip(r)
}

func TestPanicRestoresTheTerminal(t *testing.T) {
	s := serve(t, stats(1, 1))
	c, err := newClient(s.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer s.CloseClientConnections()
	c.http.Transport = &panics{RoundTripper: c.http.Transport}
	first, err := c.ask(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pty := testkit.NewPTY(t, 80, 24)
	before := pty.State(t)
	panicked := func() (value any) {
		defer func() { value = recover() }()
		show := &top{client: c, in: pty.Terminal}
		show.history.Add(first)
		return show.live(t.Context(), pty.Terminal)
	}()
	if panicked != "planted" {
		t.Errorf("the panic is %v", panicked)
	}
	if pty.State(t) != before {
		t.Error("the modes are not restored")
	}
	testkit.Eventually(t, "the screen left", func() bool { return strings.HasSuffix(pty.Text(), leaveScreen) })
}

// TestStaleness: what is old does not look alive, and the display continues when the gateway is back.
func TestStaleness(t *testing.T) {
	s := serve(t, stats(1, 1))
	r := run(t, s.addr(), 100, 30)
	r.shows("rates of the last")
	s.gone.Store(true)
	r.shows("NO ANSWER for ", "what follows is old", "READY")
	s.gone.Store(false)
	testkit.Eventually(t, "no alarm", func() bool {
		return !strings.Contains(r.pty.Screen(), "NO ANSWER") && strings.Contains(r.pty.Screen(), "q quits")
	})
	r.pty.Press(t, "q")
	r.restored()
}

func TestResizeAndScroll(t *testing.T) {
	s := serve(t, stats(200, 2))
	r := run(t, s.addr(), 120, 24)
	r.shows("200 upstreams: 200 waiting for the workers", "feed000.example", "lines 1 to")
	r.pty.Press(t, "G")
	r.shows("feed199.example", "exec:./handle")
	r.pty.Press(t, "\x1b[H")
	r.shows("feed000.example")
	r.pty.Press(t, "\x1b[6~")
	r.shows("feed003.example")
	r.pty.Resize(t, 40, 12)
	r.pty.Press(t, "g")
	// Without a controlling terminal, the kernel sends no SIGWINCH; the next drawing asks for the size.
	testkit.Eventually(t, "12 lines", func() bool { return strings.Count(r.pty.Screen(), "\r\n") == 11 })
	r.pty.Press(t, "q")
	r.restored()
}

func TestWithoutTerminalItPrintsOneSnapshot(t *testing.T) {
	s := serve(t, stats(2, 20))
	var out bytes.Buffer
	if err := Run(t.Context(), s.URL, nil, &out); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"feedgate v1.2.3  READY  " + s.URL, "▲ 2 upstreams: 2 waiting for the workers", "fg://feed001.example:7000", "65,536 of 65,536", "in flight 131,072 of 131,072, oldest 3.50 s",
		"waits for the workers: 65,536 in rings", "bad_json 3", "reconnects 2", "exec:./handle", "at most 19, out",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in\n%s", text, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("control sequences in\n%s", out.String())
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestAddressFaults(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/json/") {
			fmt.Fprint(w, `{"a":1}`)
			return
		}
		http.Error(w, "\x1b[31mno", http.StatusNotFound)
	}))
	defer other.Close()
	gone := testkit.Listen(t)
	gone.Close()
	for addr, want := range map[string]string{
		"localhost": "ADDR: \"localhost\" is not HOST:PORT", "ftp://a:1": "ADDR: ", "http://": "ADDR: ", "http://a:b/": "ADDR: ",
		gone.Addr().String():       gone.Addr().String() + ": connect: connection refused; is a gateway running, with this as its --admin address?",
		other.URL:                  other.URL + ": it answers 404 Not Found; is a gateway running",
		other.URL + "/json/":       "its answer is not that of a gateway",
		other.URL + "/a?token=s3c": "ADDR: ",
	} {
		var out bytes.Buffer
		err := Run(t.Context(), addr, nil, &out)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") || out.Len() > 0 {
			t.Errorf("%s: %v, want %q; %q", addr, err, want, out.String())
			continue
		}
		if usage := strings.HasPrefix(want, "ADDR: "); cli.IsUsage(err) != usage {
			t.Errorf("%s: usage error: %v", addr, !usage)
		}
	}
}
