package feedserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

// TestManyClients: many clients at once each have their own session.
func TestManyClients(t *testing.T) {
	const clients, count = 50, 2000
	s := start(t, Config{Count: count, Clients: clients, Size: 32})
	var wg sync.WaitGroup
	for range clients {
		c := newFGClient(t, s)
		wg.Go(func() {
			if err := c.login("", 0, ""); err != nil {
				t.Error(err)
				return
			}
			if code, err := c.ackAll(); err != nil || code != 0 {
				t.Errorf("BYE with code %d, %v", code, err)
			}
			c.cut()
		})
	}
	wg.Wait()
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: clients * count, Acknowledged: clients * count, Connections: clients})
	sessions := make(map[string]bool)
	for _, client := range r.Clients {
		expect(t, client.Counts, Counts{Sent: count, Acknowledged: count, Connections: 1})
		sessions[client.Session] = true
	}
	if len(sessions) != clients || r.Err() != nil {
		t.Errorf("%d sessions, %v", len(sessions), r.Err())
	}
}

// TestSlowClient: a client that does not read gets no more than its TCP window, and does not delay
// others.
func TestSlowClient(t *testing.T) {
	const count = 5000
	s := start(t, Config{Count: count, Size: 4000, Clients: 2})
	slow := login(t, s, "", 0)
	fast := login(t, s, "", 0)
	for seq := uint64(1); seq <= count; seq += 100 {
		fast.data(seq, seq+99)
		fast.ack(seq, seq+99)
	}
	fast.end(fg1.CodeOK)
	if r := s.Report(); r.Clients[0].Acknowledged != 0 || r.Clients[0].Unsent == 0 {
		t.Errorf("the slow client has received %+v", r.Clients[0])
	}
	if code, err := slow.ackAll(); err != nil || code != 0 {
		t.Errorf("BYE with code %d, %v", code, err)
	}
	slow.cut()
	if r := wait(t, s); r.Total.Acknowledged != 2*count || r.Err() != nil {
		t.Errorf("%+v", r.Total)
	}
}

// TestIdleTimeout: a silent client is disconnected, in every state of its connection.
func TestIdleTimeout(t *testing.T) {
	s := start(t, Config{Count: 10, IdleTimeout: time.Second, SessionTimeout: 500 * time.Millisecond})
	newFGClient(t, s).eof() // never logs in
	c := login(t, s, "", 0)
	c.data(1, 10)
	c.ack(1, 9)
	c.eof()
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 10, Acknowledged: 9, Missing: 1, Connections: 1})
}

// TestIdleTimeoutLine: without heartbeats, a client may be silent while it has acknowledged
// everything.
func TestIdleTimeoutLine(t *testing.T) {
	s := start(t, Config{Protocol: "line", Count: 4, Rate: 10, IdleTimeout: 40 * time.Millisecond, SessionTimeout: 20 * time.Millisecond})
	nc := dial(t, s)
	r := bufio.NewReader(nc)
	for n := 1; n <= 3; n++ {
		if _, err := r.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(nc, "A%d\n", n)
	}
	// It is disconnected, because the fourth ack is missing.
	if _, err := r.ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	expect(t, wait(t, s).Total, Counts{Sent: 4, Acknowledged: 3, Missing: 1, Connections: 1})
}

// TestRate: with a rate, messages are sent when they are due, one by one or in batches.
func TestRate(t *testing.T) {
	for _, rate := range []float64{200, 1e6} {
		s := start(t, Config{Count: 20, Rate: rate})
		c := login(t, s, "", 0)
		if code, err := c.ackAll(); err != nil || code != 0 {
			t.Fatalf("BYE with code %d, %v", code, err)
		}
		c.cut()
		r := wait(t, s)
		expect(t, r.Total, Counts{Sent: 20, Acknowledged: 20, Connections: 1})
		if r.Total.P50US <= 0 {
			t.Errorf("no latency: %+v", r.Total)
		}
	}
}

// TestClose: a feed can be closed at any time.
func TestClose(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	s, err := New(Config{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Wait(t.Context()); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Wait before Start: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrNotStarted) {
		t.Errorf("Close before Start: %v", err)
	}
	if s.Addr() != nil {
		t.Errorf("address before Start is %v", s.Addr())
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = start(t, Config{})
	c := login(t, s, "", 0)
	waited := make(chan error, 1)
	go func() {
		_, err := s.Wait(t.Context())
		waited <- err
	}()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := <-waited; !errors.Is(err, ErrStopped) {
		t.Errorf("Wait returns %v", err)
	}
	if _, err := c.ackAll(); err == nil {
		t.Error("the client received BYE")
	}
	if r := s.Report(); len(r.Clients) != 1 || r.Total.Sent == 0 {
		t.Errorf("report after Close is %+v", r)
	}
}

// TestWaitNobody: the end of the context ends Wait for clients that never connect.
func TestWaitNobody(t *testing.T) {
	s := start(t, Config{Count: 1, DrainTimeout: patience})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := s.Wait(ctx)
	if err != nil || len(r.Clients) != 0 || r.Clients == nil {
		t.Errorf("%+v, %v", r, err)
	}
	// From now on no client is admitted.
	c := newFGClient(t, s)
	c.hello(0, `{"version":1}`)
	if f := c.want(fg1.Bye); f.Code != fg1.CodeShuttingDown {
		t.Errorf("BYE with code %d", f.Code)
	}
}

func TestListenFaults(t *testing.T) {
	ln := testkit.Listen(t)
	s, err := New(Config{Listen: ln.Addr().String(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("listening on an address in use: %v", err)
	}
}

// TestConfigFaults: the error names the flag of every fault.
func TestConfigFaults(t *testing.T) {
	_, err := New(Config{
		Listen: "nowhere", Protocol: "tcp", Fragment: -1, TLS: &tls.Config{}, Count: -2, Duration: -1, Size: -1, Rate: -1, Clients: -1, Parts: 2000, Batch: -1,
		Window: -1, Acks: []string{"all"}, Token: []byte("x"), Heartbeat: 1, IdleTimeout: -1, SessionTimeout: -1,
		DrainTimeout: -1, Chaos: Chaos{Reset: 2, SplitMin: 2, SplitMax: 1, StallP: 0.5},
	})
	for _, flag := range []string{"listen", "protocol", "count", "duration", "size", "rate", "clients", "more", "fragment", "tls-cert", "batch", "window",
		"acks", "token-file", "heartbeat", "idle-timeout", "session-timeout", "drain-timeout", "chaos"} {
		if !strings.Contains(fmt.Sprint(err), "--"+flag+": ") {
			t.Errorf("--%s is not named in\n%v", flag, err)
		}
	}
	if !strings.Contains(err.Error(), "fg, length, line, ws") {
		t.Errorf("the protocols are not named in\n%v", err)
	}
	for _, path := range []string{t.TempDir() + "/none", writeFile(t, "")} {
		if _, err := New(Config{Replay: path}); err == nil || !strings.HasPrefix(err.Error(), "--replay: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestReportJSON: other programs rely on the names and units of a report.
func TestReportJSON(t *testing.T) {
	r := Report{Protocol: "fg", Clients: []ClientReport{{Client: "c", Session: "s", Counts: Counts{Sent: 3, P50US: 1.5}}}}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	counts := `"acknowledged":0,"missing":0,"duplicate":0,"refused":0,"early":0,"unknown":0,"unsent":0,"resent":0,"connections":0,"protocol_errors":0,"seconds":0,"msgs_per_s":0,"mb_per_s":0,`
	want := `{"protocol":"fg","clients":[{"client":"c","session":"s","sent":3,` + counts +
		`"p50_us":1.5,"p99_us":0,"p999_us":0,"max_us":0}],"total":{"sent":0,` + counts +
		`"p50_us":0,"p99_us":0,"p999_us":0,"max_us":0},"rejected_logins":0,"failed_handshakes":0}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var table strings.Builder
	if err := r.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(table.String(), "\n"); len(lines) != 4 || !strings.Contains(lines[1], "c s") || !strings.Contains(lines[2], "total") {
		t.Errorf("table is\n%s", table.String())
	}
}
