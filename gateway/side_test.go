package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire"
	"feedgate/worker"
)

// withSide wraps a protocol so that messages for which side returns true are side messages. side may
// also set a code. The buffer's copy is overwritten.
func withSide(real *wire.Codec, side func(m *wire.Msg) bool) *wire.Codec {
	codec := *real
	codec.NewConn = func() wire.Conn { return sideConn{real.NewConn(), side} }
	return &codec
}

type sideConn struct {
	wire.Conn
	side func(m *wire.Msg) bool
}

func (c sideConn) Decode(buf []byte, in *wire.Input) *wire.Error {
	had := len(in.Msgs)
	err := c.Conn.Decode(buf, in)
	for i := had; i < len(in.Msgs); i++ {
		m := &in.Msgs[i]
		if m.Code != worker.OK || !c.side(m) {
			continue
		}
		data := buf[m.Off:][:m.Len]
		m.Side, m.Off = true, uint32(len(in.Side))
		in.Side = append(in.Side, data...)
		for j := range data {
			data[j] = '?'
		}
	}
	return err
}

// startSide starts a gateway for lines, with side messages as in withSide.
func startSide(t *testing.T, cfg Config, side func(m *wire.Msg) bool) *running {
	t.Helper()
	setFlag(&cfg, "frame", "line")
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.set.codec = withSide(g.set.codec, side)
	return startGateway(t, g)
}

// TestSideMessages: side messages and others, mixed, are handled unchanged, once each and in the
// order of their keys, and are acked.
func TestSideMessages(t *testing.T) {
	const messages, keys = 20_000, 7
	for name, side := range map[string]func(m *wire.Msg) bool{
		"all":       func(m *wire.Msg) bool { return true },
		"in turn":   func(m *wire.Msg) bool { return m.Seq%2 == 0 },
		"in runs":   func(m *wire.Msg) bool { return m.Seq/50%3 == 0 },
		"now, then": func(m *wire.Msg) bool { return m.Seq%911 == 0 },
	} {
		for _, dispatch := range []string{"spread", "key"} {
			t.Run(name+", "+dispatch, func(t *testing.T) {
				s := newTestServer(t)
				var mu sync.Mutex
				lastOf, seen := [keys]int{}, make([]bool, messages+1)
				cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
					mu.Lock()
					defer mu.Unlock()
					var key, n int
					if _, err := fmt.Sscanf(string(m.Data), "%d %d", &key, &n); err != nil || string(m.Data) != ownLine(n, keys) {
						t.Errorf("message %d is %q", m.Seq, m.Data)
						return worker.OK
					}
					if seen[n] || uint64(n) != m.Seq || dispatch == "key" && n < lastOf[key] {
						t.Errorf("message %d, %d of key %d, behind %d, was seen: %v", m.Seq, n, key, lastOf[key], seen[n])
					}
					seen[n], lastOf[key] = true, n
					return worker.OK
				})
				cfg.Workers, cfg.MaxMessage, cfg.Memory = 3, 512, 64<<10
				setFlag(&cfg, "ack-template", `A{n}\n`)
				if cfg.Dispatch = dispatch; dispatch == "key" {
					cfg.Key = "field:1: "
				}
				r := startSide(t, cfg, side)
				conn := s.accept()
				go func() {
					out := bufio.NewWriter(conn)
					for n := 1; n <= messages; n++ {
						fmt.Fprintln(out, ownLine(n, keys))
					}
					if err := out.Flush(); err != nil {
						t.Error(err)
					}
					if err := conn.CloseWrite(); err != nil {
						t.Error(err)
					}
				}()
				acked := make([]bool, messages+1)
				acks := bufio.NewScanner(conn)
				for acks.Scan() {
					var n int
					if _, err := fmt.Sscanf(acks.Text(), "A%d", &n); err != nil || acked[n] {
						t.Fatalf("ack %q, %v", acks.Text(), err)
					}
					acked[n] = true
				}
				if err := r.wait(); err != nil {
					t.Fatal(err)
				}
				for n := 1; n <= messages; n++ {
					if !seen[n] || !acked[n] {
						t.Fatalf("message %d: seen %v, acked %v", n, seen[n], acked[n])
					}
				}
			})
		}
	}
}

// ownLine returns the n-th message: key, number, and up to 300 more bytes.
func ownLine(n, keys int) string {
	return fmt.Sprintf("%d %d %s", n%keys, n, strings.Repeat(string(rune('a'+n%26)), n*n%300))
}

// TestSideRefused: the ack of a refused side message is rendered from its bytes.
func TestSideRefused(t *testing.T) {
	s := newTestServer(t)
	var handled atomic.Int64
	cfg := testConfig(t, "tcp://"+s.ln.Addr().String(), func(m worker.Message) worker.Code {
		handled.Add(1)
		return worker.OK
	})
	cfg.Workers, cfg.Ack = 1, "ordered"
	setFlag(&cfg, "ack-template", `{bytes:0:4}{code}\n`)
	r := startSide(t, cfg, func(m *wire.Msg) bool {
		if m.Seq%3 == 0 {
			m.Code = worker.BadRequest
		}
		return m.Seq%2 == 0 || m.Seq%3 == 0
	})
	conn := s.accept()
	var want strings.Builder
	for n := 1; n <= 900; n++ {
		code := worker.OK
		if n%3 == 0 {
			code = worker.BadRequest
		}
		fmt.Fprintf(&want, "%04d%d\n", n, code)
		if _, err := fmt.Fprintf(conn, "%04d and more\n", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != want.String() {
		t.Errorf("%d bytes of acks, want %d, %v", len(got), want.Len(), err)
	}
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if totals := r.g.Stats().Totals(); handled.Load() != 600 || totals.Refused != 300 {
		t.Errorf("%d handled and %d refused, want 600 and 300", handled.Load(), totals.Refused)
	}
}

// TestSideWithoutMemory: side messages wait for a slab, along with the messages behind them; then
// all are handled, once and in order.
func TestSideWithoutMemory(t *testing.T) {
	const messages = 20
	got := make(chan string, 2*messages)
	cfg := testConfig(t, "tcp://host:1", func(m worker.Message) worker.Code {
		got <- string(m.Data)
		return worker.OK
	})
	cfg.Workers, cfg.MaxMessage, cfg.Memory = 1, 1000, 4<<10
	setFlag(&cfg, "frame", "line")
	l, server := manualLoop(t, cfg, func(c net.Conn) net.Conn { return c }, func(p *wire.Codec) *wire.Codec {
		return withSide(p, func(m *wire.Msg) bool { return m.Seq%2 == 0 })
	})
	send := func(text string) {
		if _, err := io.WriteString(server, text); err != nil {
			t.Fatal(err)
		}
	}
	send("first\n")
	turnUntil(t, l, func() bool { return len(got) == 1 && l.track.InFlight() == 0 })
	<-got
	var taken []uint16
	for id, ok := l.slabs.get(1); ok; id, ok = l.slabs.get(1) {
		taken = append(taken, id)
	}
	var text strings.Builder
	for n := range messages {
		fmt.Fprintln(&text, n)
	}
	send(text.String())
	r := &l.receiver
	turnUntil(t, l, func() bool {
		return l.paused && r.next < len(r.input.Msgs) && r.input.Msgs[r.next].Side && !r.side.valid
	})
	if l.turn() || len(got) > 0 {
		t.Errorf("%d messages handled", len(got))
	}
	for _, id := range taken {
		l.slabs.release(id, 0)
	}
	turnUntil(t, l, func() bool { return len(got) == messages && l.track.InFlight() == 0 })
	for n := range messages {
		if data := <-got; data != fmt.Sprint(n) {
			t.Fatalf("message %d is %q", n, data)
		}
	}
}

// TestSideRun: adjacent side messages form one run, and the messages behind them another.
func TestSideRun(t *testing.T) {
	gate, entered := make(chan struct{}), make(chan struct{}, 20)
	cfg := testConfig(t, "tcp://host:1", func(m worker.Message) worker.Code {
		entered <- struct{}{}
		<-gate
		return worker.OK
	})
	defer close(gate)
	cfg.Workers, cfg.DrainTimeout = 1, time.Minute
	setFlag(&cfg, "frame", "line")
	l, server := manualLoop(t, cfg, func(c net.Conn) net.Conn { return c }, func(p *wire.Codec) *wire.Codec {
		return withSide(p, func(m *wire.Msg) bool { return m.Seq <= 6 })
	})
	send := func(text string, inAll int) {
		if _, err := io.WriteString(server, text); err != nil {
			t.Fatal(err)
		}
		turnUntil(t, l, func() bool { return l.track.Working() == inAll })
	}
	send("1\n", 1)
	<-entered
	before := l.workers[0].In().Len()
	send("2\n3\n4\n5\n6\n7\n8\n9\n", 9)
	// A run is two words and one for each message.
	if words := l.workers[0].In().Len() - before; words != 2+5+2+3 {
		t.Errorf("%d words in the ring", words)
	}
}
