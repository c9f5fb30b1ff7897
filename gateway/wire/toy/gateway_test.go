package toy_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/worker/testkit"

	"feedgate/gateway"
	"feedgate/gateway/wire/toy"
	"feedgate/gateway/wire/toy/toytest"
	"feedgate/worker"
	"feedgate/worker/credential"
)

// recorder is a sink's handler that records its messages.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) handle(m worker.Message) worker.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, string(m.Data))
	if strings.HasSuffix(string(m.Data), "bad") {
		return worker.CodeHandler
	}
	return worker.OK
}

// newGateway makes a gateway of a server, with 4 workers.
func newGateway(t *testing.T, s *toytest.Server, cfg gateway.Config) *gateway.Gateway {
	t.Helper()
	cfg.Hosts = []string{s.Addr()}
	cfg.Workers = 4
	cfg.ReconnectMin = time.Millisecond
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.Sink == nil {
		cfg.Sink = testkit.ByCode(new(recorder).handle)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func run(t *testing.T, g *gateway.Gateway) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := g.Run(ctx)
	if ctx.Err() != nil {
		t.Fatal("the gateway does not end")
	}
	return err
}

// messages returns n messages of 7 topics, with ids that are not consecutive.
func messages(n int) []toytest.Message {
	all := make([]toytest.Message, n)
	for i := range all {
		all[i] = toytest.Message{ID: uint64(1_000_000 - i), Topic: fmt.Sprint("t", i%7), Data: fmt.Sprint("data ", i)}
	}
	return all
}

// TestGateway: a server that resets the connection once gets all acks in order and never
// more credit than it may have.
func TestGateway(t *testing.T) {
	const n, limit, resetAfter, long, bad = 5000, 50, 1000, 10, 20
	all := messages(n)
	all[long].Data = strings.Repeat("x", 101)
	all[bad].Data = "bad"
	server := toytest.Start(t, toytest.Config{
		Channel: "orders", Token: "secret", Messages: all, Window: 1000, Limit: limit, ResetAfter: resetAfter,
	})
	seen := new(recorder)
	g := newGateway(t, server, gateway.Config{
		Protocol: toy.Protocol{Channel: "orders", Credit: limit}, Token: credential.NewSecret([]byte("secret")),
		Dispatch: "key", Key: "meta:topic", Output: "{id} {meta:topic} {data}", MaxMessage: 100,
		ExitOnClose: true, Sink: testkit.ByCode(seen.handle),
	})
	if err := run(t, g); err != nil {
		t.Error(err)
	}
	await(t, "goodbye", func() bool { return server.Report().Goodbyes == 1 })
	r := server.Report()
	if r.Fault != nil || r.Connections != 2 || len(r.Codes) != n || r.Credits > n/(limit/2)+3 {
		t.Errorf("fault %v, %d connections, %d acks, %d frames of credit", r.Fault, r.Connections, len(r.Codes), r.Credits)
	}
	for i, code := range r.Codes {
		if want := map[int]worker.Code{long: worker.TooLarge, bad: worker.CodeHandler}[i]; code != uint16(want) {
			t.Errorf("message %d: code %d, want %d", i, code, want)
		}
	}
	checkSeen(t, seen.lines, all, long, limit)
}

// checkSeen checks that each message but one was handled, those of a topic in order, and
// that at most again of them were handled twice.
func checkSeen(t *testing.T, lines []string, all []toytest.Message, but, again int) {
	t.Helper()
	got := map[string][]string{} // by topic
	first := map[string]bool{}
	for _, line := range lines {
		if !first[line] {
			first[line] = true
			topic := strings.Fields(line)[1]
			got[topic] = append(got[topic], line)
		}
	}
	want := map[string][]string{}
	for i, m := range all {
		if i != but {
			want[m.Topic] = append(want[m.Topic], fmt.Sprintf("%d %s %s", m.ID, m.Topic, m.Data))
		}
	}
	for topic := range want {
		if strings.Join(got[topic], "\n") != strings.Join(want[topic], "\n") {
			t.Errorf("topic %s: %d messages, want %d in their order", topic, len(got[topic]), len(want[topic]))
		}
	}
	if twice := len(lines) - len(first); twice > again {
		t.Errorf("%d messages were handled twice, want at most %d", twice, again)
	}
}

// TestDrain: a gateway that is stopped acks what it has read and sends its goodbye. Until then it
// sends pings.
func TestDrain(t *testing.T) {
	server := toytest.Start(t, toytest.Config{Channel: "c", Messages: messages(200_000), Window: 100, Limit: 100})
	g := newGateway(t, server, gateway.Config{Protocol: toy.Protocol{Channel: "c"}, Heartbeat: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	await(t, "acks and a ping", func() bool { r := server.Report(); return len(r.Codes) > 0 && r.Pings > 0 })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	await(t, "goodbye", func() bool { return server.Report().Goodbyes == 1 })
	r := server.Report()
	if acked := g.Stats().Totals().Acked; r.Fault != nil || uint64(len(r.Codes)) != acked {
		t.Errorf("fault %v, %d acks of %d", r.Fault, len(r.Codes), acked)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

// TestRefusedLogin: the gateway gives up.
func TestRefusedLogin(t *testing.T) {
	server := toytest.Start(t, toytest.Config{Channel: "c", Token: "secret", Window: 1, Limit: 1})
	g := newGateway(t, server, gateway.Config{Protocol: toy.Protocol{Channel: "c"}, Token: credential.NewSecret([]byte("another"))})
	err := run(t, g)
	if err == nil || errors.Is(err, gateway.ErrUnfinished) || strings.Contains(err.Error(), "another") || faults(g)["login"] != 1 {
		t.Errorf("error %v, faults %v", err, faults(g))
	}
}

// TestOverrun: messages without credit are a fault with a reason of its own.
func TestOverrun(t *testing.T) {
	server := toytest.Start(t, toytest.Config{Channel: "c", Messages: messages(20), Window: 5, Limit: 5, Overrun: true})
	g := newGateway(t, server, gateway.Config{Protocol: toy.Protocol{Channel: "c"}, ExitOnClose: true})
	if err := run(t, g); err != nil {
		t.Error(err)
	}
	if faults(g)["toy"] == 0 {
		t.Errorf("faults %v", faults(g))
	}
}

func faults(g *gateway.Gateway) map[string]uint64 {
	all := map[string]uint64{}
	g.Stats().Errors(func(reason string, n uint64) { all[reason] = n })
	return all
}
