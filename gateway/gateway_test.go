package gateway

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
	"feedgate/worker/testkit"
)

// Goroutines that libraries start when they are imported may stay.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func testConfig(t testing.TB, url string, f func(worker.Message) worker.Code) Config {
	t.Helper()
	cfg := Config{
		Workers: 2, Sink: testkit.ByCode(f), ExitOnClose: true,
		ReconnectMin: time.Millisecond, ReconnectMax: 10 * time.Millisecond,
		Log: testkit.Logger(t),
	}
	aim(t, &cfg, url)
	return cfg
}

// running is a gateway under test.
type running struct {
	t      testing.TB
	g      *Gateway
	cancel context.CancelFunc
	done   chan error
}

func start(t testing.TB, cfg Config) *running {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return startGateway(t, g)
}

func startGateway(t testing.TB, g *Gateway) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t, g, cancel, make(chan error, 1)}
	go func() { r.done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		g.Abort()
	})
	return r
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(60 * time.Second):
		r.t.Fatal("the gateway does not end")
		return nil
	}
}

func accept(worker.Message) worker.Code { return worker.OK }

func TestEachMessageAckedOnce(t *testing.T) {
	n := 300_000
	for _, mode := range []string{"each", "ordered"} {
		for _, dispatch := range []string{"spread", "key"} {
			for _, pack := range []int{0, 1, 7} {
				t.Run(mode+" "+dispatch, func(t *testing.T) {
					feed := newTestFeed(t)
					var handled atomic.Int64
					cfg := testConfig(t, feed.url(), func(m worker.Message) worker.Code {
						handled.Add(1)
						return worker.OK
					})
					cfg.Ack, cfg.Dispatch, cfg.FlushPack = mode, dispatch, pack
					if dispatch == "key" {
						cfg.Key = "bytes:0:8"
					}
					r := start(t, cfg)
					conn := feed.login(1, `{"session":"s"}`)
					if err := conn.stream(1, n, 64); err != nil {
						t.Fatal(err)
					}
					conn.Close()
					if err := r.wait(); err != nil {
						t.Fatal(err)
					}
					if got := handled.Load(); got != int64(n) {
						t.Errorf("handled %d of %d", got, n)
					}
				})
			}
		}
	}
}

func TestPongWhileBusy(t *testing.T) {
	feed := newTestFeed(t)
	release := make(chan struct{})
	r := start(t, testConfig(t, feed.url(), func(worker.Message) worker.Code { <-release; return worker.OK }))
	conn := feed.login(7, "")
	conn.data(7, "x")
	conn.send(fg1.AppendFrame(nil, fg1.Ping, 0, 0, 99, nil))
	conn.expect(fg1.Pong, 0, 99)
	close(release)
	conn.expect(fg1.Ack, 0, 7)
	conn.bye()
	conn.expect(fg1.Bye, 0, 0)
	conn.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}
