package gateway

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2/pkg/netpoll"

	"feedgate/gateway/internal/pool"
	"feedgate/gateway/tlstest"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker/credential"
)

// newUnpolledReactor returns a reactor whose events nobody waits for: the test calls turn.
func newUnpolledReactor(t *testing.T) *reactor {
	t.Helper()
	opened, err := netpoll.OpenPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return &reactor{
		epoch: time.Now(), watched: -1, wakeup: -1, poller: &poller{Poller: opened, byFD: make(map[int]*reactor)},
	}
}

// manualLoop is a loop that the test turns by hand, so that nothing but the path of
// a message runs between two looks at the allocator.
//
// serve takes the server's side of the connection, TLS and login and all. wrap, unless nil,
// makes another protocol of the configured one.
func manualLoop(
	t *testing.T, cfg Config, serve func(net.Conn) net.Conn, wrap func(*wire.Codec) *wire.Codec,
) (*loop, net.Conn) {
	t.Helper()
	feed := newTestFeed(t)
	cfg.Hosts = []string{feed.ln.Addr().String()}
	set, err := cfg.validate()
	if err != nil {
		t.Fatal(err)
	}
	if wrap != nil {
		set.codec = wrap(set.codec)
	}
	r := newUnpolledReactor(t)
	l := newLoop(&cfg, set, new(Stats), r)
	r.l = l
	l.pool, err = pool.New(pool.Config{
		Workers: cfg.Workers, Ring: cfg.Ring, InFlight: cfg.InFlight, Slabs: l.slabs.table,
		DrainSpan: cfg.DrainTimeout / 2, HoldBack: set.codec.HoldBack,
		Key: set.selector, Sink: cfg.Sink, Render: set.render(), Output: set.makeOutput(), OutputMemory: 1 << 20, Events: &l.events, Wake: func() {}, Log: cfg.Log,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.setWorkers(l.pool.Workers())
	l.pool.Start()
	t.Cleanup(func() {
		r.cleanUp()
		if err := l.pool.Stop(); err != nil {
			t.Error(err)
		}
		l.slabs.close()
	})

	served := make(chan net.Conn, 1)
	go func() {
		conn, err := feed.ln.Accept()
		if err != nil {
			t.Error(err)
		} else {
			conn = serve(conn)
		}
		served <- conn
	}()
	dialed := l.conn.dialer.dial(t.Context())
	if dialed.err != nil {
		t.Fatal(dialed.err)
	}
	l.conn.state = dialing
	l.conn.connected(dialed, r.now())
	turnUntil(t, l, func() bool { return l.conn.state == open })
	conn := <-served
	if conn == nil {
		t.FailNow()
	}
	t.Cleanup(func() { conn.Close() })
	return l, conn
}

// turnUntil turns the loop until done returns true. Every turn tries to read and write.
func turnUntil(t *testing.T, l *loop, done func() bool) {
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		l.conn.peer.readable, l.conn.peer.writable = true, true
		if !l.turn() {
			runtime.Gosched()
		}
		if time.Now().After(deadline) {
			t.Fatal("the loop does not get there")
		}
	}
}

// hotPath is a configuration whose messages must not cause allocations.
type hotPath struct {
	url    string // the host is replaced
	serve  func(net.Conn) net.Conn
	batch  func(b []byte, n uint64) []byte
	set    func(*Config)
	allocs float64 // allowed per hotMessages; they are not ours
	wrap   func(*wire.Codec) *wire.Codec
}

// hotMessages is the number of messages sent at once.
const hotMessages = 500

func testHotPath(t *testing.T, cfg Config, path hotPath) {
	l, server := manualLoop(t, cfg, path.serve, path.wrap)
	sent := uint64(0)
	buf, acks := make([]byte, 0, 1<<17), make([]byte, 1<<17)
	round := func() {
		buf = buf[:0]
		for range hotMessages {
			sent++
			buf = path.batch(buf, sent)
		}
		if _, err := server.Write(buf); err != nil {
			t.Fatal(err)
		}
		turnUntil(t, l, func() bool { return l.track.Next() == sent && l.track.InFlight() == 0 })
		if _, err := server.Read(acks); err != nil {
			t.Fatal(err)
		}
	}
	for range 200 {
		round() // until every buffer has its final size
	}
	calls := l.stats.Reads.Load() + l.stats.Flushes.Load()
	const rounds = 200
	if allocs := testing.AllocsPerRun(rounds, round); allocs > path.allocs {
		t.Errorf("%v allocations for %d messages, want %v", allocs, hotMessages, path.allocs)
	}
	calls = l.stats.Reads.Load() + l.stats.Flushes.Load() - calls
	// The test makes the loop read in every turn, so some reads find nothing. One call per message
	// would still be far more.
	t.Logf("%d system calls for %d messages", calls, rounds*hotMessages)
	if flushes := l.stats.Flushes.Load(); flushes > sent/10 {
		t.Errorf("%d flushes for %d messages", flushes, sent)
	}
}

// TestHotPathAllocatesNothing: a message causes no allocation from the socket to its ack, over
// every kind of connection, whether the loop or a worker makes the ack.
func TestHotPathAllocatesNothing(t *testing.T) {
	payload := bytes.Repeat([]byte("x"), 64)
	sequenced := func(b []byte, n uint64) []byte { return fg1.AppendFrame(b, fg1.Data, 0, 0, n, payload) }
	lines := func(b []byte, n uint64) []byte { return append(append(b, payload...), '\n') }
	texts := func(b []byte, n uint64) []byte { return append(append(b, 0x81, byte(len(payload))), payload...) }
	mixed := func(b []byte, n uint64) []byte {
		return append(append(b, 0x81+byte(n%2), byte(len(payload))), payload...)
	}
	welcome := func(conn net.Conn) net.Conn {
		if _, err := conn.Write(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, 1, []byte(`{"session":"s"}`))); err != nil {
			t.Error(err)
		}
		return conn
	}
	ca := tlstest.NewAuthority(t)
	serverTLS := ca.Server()
	overTLS := func(conn net.Conn) net.Conn { return welcome(tls.Server(conn, serverTLS)) }
	trust := func(c *Config) { c.TLS = mustTLS(t, credential.Files{CA: ca.File}) }
	plain := func(conn net.Conn) net.Conn { return conn }
	switching := func(conn net.Conn) net.Conn {
		upgrade(t, conn)
		return conn
	}
	subscribing := func(conn net.Conn) net.Conn {
		subscribe(t, conn)
		return conn
	}
	delivered := func(b []byte, n uint64) []byte {
		b = append(b, 0, 0, 0, byte(4+8+2+16+len(payload)), 0, 0, 0, 2)
		b = binary.BigEndian.AppendUint64(b, n)
		b = binary.BigEndian.AppendUint64(append(append(b, 0, 1), "message:"...), n)
		return append(b, payload...)
	}
	own := func(p *wire.Codec) *wire.Codec {
		return withSide(p, func(m *wire.Msg) bool { return m.Seq%100 < 50 })
	}
	numbered := func(c *Config) { setFlag(c, "ack-template", "A{n}") }
	// Allocations of crypto/tls on both sides, for three records of messages and one of acks: 4 to
	// 6 per round.
	const ofTLS = 12
	for name, path := range map[string]hotPath{
		"each":          {"fg://host:1", welcome, sequenced, func(c *Config) {}, 0, nil},
		"ordered":       {"fg://host:1", welcome, sequenced, func(c *Config) { c.Ack = "ordered" }, 0, nil},
		"single acks":   {"fg://host:1", welcome, sequenced, func(c *Config) { c.FlushPack = 1 }, 0, nil},
		"by key":        {"fg://host:1", welcome, sequenced, func(c *Config) { c.Dispatch, c.Key = "key", "bytes:0:8" }, 0, nil},
		"lines":         {"tcp://host:1", plain, lines, func(c *Config) { setFlag(c, "frame", "line"); setFlag(c, "ack-template", `A{n}\n`) }, 0, nil},
		"rendered acks": {"tcp://host:1", plain, lines, func(c *Config) { setFlag(c, "frame", "line"); setFlag(c, "ack-template", `{bytes:0:8}{code:u16be}`) }, 0, nil},
		"WebSocket":     {"ws://host:1", switching, texts, numbered, 0, nil},
		"text, binary":  {"ws://host:1", switching, mixed, numbered, 0, nil},
		"NSQ":           {"nsq://host:1/t/c", subscribing, delivered, func(c *Config) { c.InFlight = 1000 }, 0, nil},
		"TLS":           {"fg+tls://host:1", overTLS, sequenced, trust, ofTLS, nil},
		"own, by key":   {"fg://host:1", welcome, sequenced, func(c *Config) { c.Dispatch, c.Key = "key", "bytes:0:8" }, 0, own},
		"own":           {"fg://host:1", welcome, sequenced, func(c *Config) {}, 0, own},
		"NSQ, data":     {"nsq://host:1/t/c", subscribing, delivered, func(c *Config) { c.InFlight, c.DataOnly = 1000, true }, 0, nil},
		"NSQ by id": {"nsq://host:1/t/c", subscribing, delivered, func(c *Config) {
			c.InFlight, c.Dispatch, c.Key = 1000, "key", "meta:id"
		}, 0, nil},
		"output": {"fg://host:1", welcome, sequenced, func(c *Config) { c.Output = "{id} {meta:seq} {data}" }, 0, nil},
		"metadata in acks": {"ws://host:1", switching, mixed, func(c *Config) {
			c.ID = "bytes:0:4"
			setFlag(c, "ack-template", "{n} {meta:kind} {id}")
		}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, path.url, accept)
			path.set(&cfg)
			testHotPath(t, cfg, path)
		})
	}
}

// upgrade answers a WebSocket handshake (RFC 6455, section 4.2.2).
func upgrade(t *testing.T, conn net.Conn) {
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	if err != nil {
		t.Error(err)
		return
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
		"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil {
		t.Error(err)
	}
}

// subscribe plays the login of an nsqd, up to RDY (https://nsq.io/clients/tcp_protocol_spec.html).
func subscribe(t *testing.T, conn net.Conn) {
	in := bufio.NewReader(conn)
	for _, step := range []struct{ until, answer string }{
		{"}", `{"max_rdy_count":2500,"msg_timeout":60000}`}, {"SUB t c\n", "OK"}, {"RDY 1000\n", ""},
	} {
		for got := ""; !strings.HasSuffix(got, step.until); {
			b, err := in.ReadByte()
			if err != nil {
				t.Error(err)
				return
			}
			got += string(b)
		}
		if step.answer == "" {
			break
		}
		frame := append([]byte{0, 0, 0, byte(4 + len(step.answer)), 0, 0, 0, 0}, step.answer...)
		if _, err := conn.Write(frame); err != nil {
			t.Error(err)
		}
	}
}
