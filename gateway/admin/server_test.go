package admin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway"
	"feedgate/worker/testkit"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReady(t *testing.T) {
	var a, b gateway.Stats
	var sinkFault atomic.Pointer[error]
	setSink := func(err error) { sinkFault.Store(&err) }
	setSink(nil)
	server := start(t, Report{
		Upstreams: fixed(Upstream{"fg://a:1", &a}, Upstream{"tcp://b:2", &b}),
		Sink:      func() error { return *sinkFault.Load() },
	})
	check := func(status int, body string) {
		t.Helper()
		if gotStatus, got := get(t, server, "/ready"); gotStatus != status || got != body {
			t.Errorf("ready answers %d %q, not %d %q", gotStatus, got, status, body)
		}
	}
	const aMissing, bMissing = "upstream fg://a:1 is not connected\n", "upstream tcp://b:2 is not connected\n"
	const aWaits = "upstream fg://a:1 waits for the upstream: everything received is handled\n"
	const bWaits = "upstream tcp://b:2 waits for the upstream: everything received is handled\n"
	check(503, aMissing+bMissing)
	a.Connected.Store(true)
	check(503, bMissing)
	b.Connected.Store(true)
	check(200, "ready\n"+aWaits+bWaits)
	setSink(errors.New("no child"))
	check(503, "sink: no child\n")
	a.Connected.Store(false)
	check(503, aMissing+"sink: no child\n")
	a.Connected.Store(true)
	setSink(nil)
	check(200, "ready\n"+aWaits+bWaits)
}

// TestReadyShowsNoSecret: a secret that a server repeats is masked, and a line stays one line.
func TestReadyShowsNoSecret(t *testing.T) {
	server := start(t, Report{
		Sink: func() error { return errors.New("refused s3cret\nready\x1b[2J") },
		Mask: func(s string) string { return strings.ReplaceAll(s, "s3cret", "***") },
	})
	if _, got := get(t, server, "/ready"); got != "sink: refused ***\uFFFDready\uFFFD[2J\n" {
		t.Errorf("%q", got)
	}
	if _, got := get(t, server, "/stats"); strings.Contains(got, "s3cret") || !strings.Contains(got, "***") {
		t.Error(got)
	}
}

// TestUpstreamsChange: an upstream is reported as long as it is in the list.
func TestUpstreamsChange(t *testing.T) {
	var upstreams atomic.Pointer[[]Upstream]
	set := func(all ...Upstream) { upstreams.Store(&all) }
	var missing atomic.Pointer[error]
	lookup := func(err error) { missing.Store(&err) }
	set()
	lookup(errors.New("nsq:///t/c: no nsqd has topic t\nnsq:///u/c: no nsqlookupd has answered"))
	server := start(t, Report{
		Upstreams: func() []Upstream { return *upstreams.Load() },
		Discovery: func() error { return *missing.Load() },
	})
	check := func(ready string, labels ...string) {
		t.Helper()
		if _, got := get(t, server, "/ready"); got != ready {
			t.Errorf("ready answers %q, not %q", got, ready)
		}
		var seen []string
		for _, of := range scrape(t, server)["feedgate_connected"].labels {
			seen = append(seen, of["upstream"])
		}
		_, stats := get(t, server, "/stats")
		for _, label := range labels {
			if !strings.Contains(stats, `"`+label+`"`) {
				t.Errorf("stats without %s: %s", label, stats)
			}
		}
		if !slices.Equal(seen, labels) {
			t.Errorf("series of %q, not %q", seen, labels)
		}
	}
	var a, b gateway.Stats
	check("nsq:///t/c: no nsqd has topic t\nnsq:///u/c: no nsqlookupd has answered\n")
	lookup(nil)
	set(Upstream{"nsq://a:1/t/c", &a}, Upstream{"nsq://b:1/t/c", &b})
	a.Connected.Store(true)
	const aWaits = "upstream nsq://a:1/t/c waits for the upstream: everything received is handled\n"
	check("upstream nsq://b:1/t/c is not connected\n", "nsq://a:1/t/c", "nsq://b:1/t/c")
	set(Upstream{"nsq://a:1/t/c", &a})
	check("ready\n"+aWaits, "nsq://a:1/t/c")
}

func TestPaths(t *testing.T) {
	server := start(t, Report{})
	for path, want := range map[string]int{
		"/ping": 200, "/": 200, "/stats": 200, "/metrics": 200, "/ready": 200, "/nothing": 404, "/ping/x": 404,
	} {
		if status, body := get(t, server, path); status != want {
			t.Errorf("%s answers %d %q, not %d", path, status, body, want)
		}
	}
	response, err := http.Post("http://"+server.Addr().String()+"/ping", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %d", response.StatusCode)
	}
}

func TestAddressInUse(t *testing.T) {
	server := start(t, Report{})
	_, err := New(Config{Addr: server.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second server on one address: %v", err)
	}
}

func TestShutdownWithoutServe(t *testing.T) {
	server, err := New(Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr := server.Addr().String()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, err := New(Config{Addr: addr})
	if err != nil {
		t.Fatalf("the address is not free: %v", err)
	}
	again.Shutdown(t.Context())
}

// start runs a server on a free port until the test ends.
func start(t *testing.T, r Report) *Server {
	t.Helper()
	server, err := New(Config{Addr: "127.0.0.1:0", Log: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(r) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return server
}

func get(t *testing.T, server *Server, path string) (status int, body string) {
	t.Helper()
	response, err := http.Get("http://" + server.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}
