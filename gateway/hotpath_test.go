package gateway

import (
	"net"
	"runtime"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// handLoop is a loop that the test turns by hand, so that nothing but the path of
// a message runs between two looks at the allocator.
func handLoop(t *testing.T, cfg Config) (*loop, *net.TCPConn) {
	t.Helper()
	feed := newTestFeed(t)
	cfg.URL = feed.url()
	if cfg.Frame != "" {
		cfg.URL = "tcp://" + feed.ln.Addr().String()
	}
	set, err := cfg.validate()
	if err != nil {
		t.Fatal(err)
	}
	h, err := newHost()
	if err != nil {
		t.Fatal(err)
	}
	l := newLoop(&cfg, set, new(Stats), h)
	h.l = l
	l.pool, err = worker.NewPool(worker.Config{
		Workers: cfg.Workers, Ring: cfg.Ring, InFlight: cfg.InFlight, Slabs: l.slabs.table,
		Sink: cfg.Sink, Render: set.render(), Bell: &l.bell, Wake: func() {}, Log: cfg.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.workers = l.pool.Workers()
	l.pool.Start()
	t.Cleanup(func() {
		h.abandon()
		if err := l.pool.Stop(); err != nil {
			t.Error(err)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
		l.slabs.close()
	})

	dialed := l.link.dialer.dial(t.Context())
	if dialed.err != nil {
		t.Fatal(dialed.err)
	}
	l.link.connected(dialed, h.now())
	conn, err := feed.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return l, conn.(*net.TCPConn)
}

// turnUntil turns the loop until done, looking at the socket every time.
func turnUntil(t *testing.T, l *loop, done func() bool) {
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		l.link.readable, l.link.writable = true, true
		if !l.turn() {
			runtime.Gosched()
		}
		if time.Now().After(deadline) {
			t.Fatal("the loop does not get there")
		}
	}
}

func testHotPath(t *testing.T, cfg Config, login []byte, batch func(b []byte, n uint64) []byte) {
	const messages = 500
	l, server := handLoop(t, cfg)
	if len(login) > 0 {
		if _, err := server.Write(login); err != nil {
			t.Fatal(err)
		}
	}
	turnUntil(t, l, func() bool { return l.link.phase == open })
	sent := uint64(0)
	buf, acks := make([]byte, 0, 1<<17), make([]byte, 1<<17)
	round := func() {
		buf = buf[:0]
		for range messages {
			sent++
			buf = batch(buf, sent)
		}
		if _, err := server.Write(buf); err != nil {
			t.Fatal(err)
		}
		turnUntil(t, l, func() bool { return l.win.base == sent })
		if _, err := server.Read(acks); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		round() // every buffer has reached its size
	}
	calls := l.stats.Reads.Load() + l.stats.Flushes.Load()
	const rounds = 200
	if allocs := testing.AllocsPerRun(rounds, round); allocs > 0 {
		t.Errorf("%v allocations for %d messages, want 0", allocs, messages)
	}
	calls = l.stats.Reads.Load() + l.stats.Flushes.Load() - calls
	// The loop is made to look at the socket in every turn here, so reads that
	// find nothing are of the test's making; a call for each message would still
	// be far more.
	t.Logf("%d system calls for %d messages", calls, rounds*messages)
	if flushes := l.stats.Flushes.Load(); flushes > sent/10 {
		t.Errorf("%d flushes for %d messages", flushes, sent)
	}
}

// TestHotPathAllocatesNothing holds the path of a message to no allocation, from
// the socket to the socket, for acks that the loop makes and acks that workers
// render.
func TestHotPathAllocatesNothing(t *testing.T) {
	payload := make([]byte, 64)
	sequenced := func(b []byte, n uint64) []byte { return fg1.AppendFrame(b, fg1.Data, 0, 0, n, payload) }
	lines := func(b []byte, n uint64) []byte { return append(append(b, payload...), '\n') }
	welcome := fg1.AppendFrame(nil, fg1.Welcome, 0, 0, 1, []byte(`{"session":"s"}`))
	for _, c := range []struct {
		name  string
		login []byte
		batch func([]byte, uint64) []byte
		set   func(*Config)
	}{
		{"each", welcome, sequenced, func(c *Config) {}},
		{"ordered", welcome, sequenced, func(c *Config) { c.Ack = "ordered" }},
		{"single acks", welcome, sequenced, func(c *Config) { c.FlushPack = 1 }},
		{"by key", welcome, sequenced, func(c *Config) { c.Dispatch, c.Key = "key", "bytes:0:8" }},
		{"lines", nil, lines, func(c *Config) { c.Frame, c.AckTemplate = "line", `A{n}\n` }},
		{"rendered acks", nil, lines, func(c *Config) { c.Frame, c.AckTemplate = "line", `{bytes:0:8}{code:u16be}` }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig(t, "", accept)
			c.set(&cfg)
			testHotPath(t, cfg, c.login, c.batch)
		})
	}
}
