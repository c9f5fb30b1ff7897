package mutate

import (
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// elsewhere are addresses without an nsqd. Mutants with another address are not sent, because a
// gateway would connect to it.
var elsewhere = []string{"127.99.99.99", "::1", "", "a b", "u@h", "fe80::1%lo", "127.99.99.99,127.99.99.98", strings.Repeat("a", 300)}

var broadcast = regexp.MustCompile(`(?i)broadcast_address[^:]*:\s*"([^"]*)"?`)

// lookupd responds to lookups: total times with mutated bytes, and then correctly.
type lookupd struct {
	s        *server
	listener net.Listener
	total    int64
	made     *atomic.Int64
}

func (l *lookupd) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		raw := conn.(*net.TCPConn)
		_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
		p := newPeer(raw, raw)
		n := l.made.Add(1) - 1
		d := l.s.random(n + int64(*from))
		p.await(time.Second, (ws{}).requested)
		b := answer(l.s.listeners[0].Addr().(*net.TCPAddr).IP.String(), l.s.listeners[0].Addr().(*net.TCPAddr).Port)
		if n < l.total {
			b = mutantAnswer(d)
		}
		p.send(d, b)
		if d.IntN(4) == 0 && n < l.total {
			p.reset()
			continue
		}
		p.finish()
	}
}

// answer returns a valid response with one nsqd.
func answer(host string, port int) []byte {
	body := fmt.Sprintf(`{"channels":["channel"],"producers":[{"remote_address":"10.0.0.1:5","hostname":"h","broadcast_address":"%s",`+
		`"tcp_port":%d,"http_port":4151,"version":"1.3.0"}]}`, host, port)
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Nsq-Content-Type: nsq; version=1.0\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// mutantAnswer returns a mutated response whose addresses, as far as they are legible, are among elsewhere.
func mutantAnswer(d *rand.Rand) []byte {
	for {
		t := conversation{b: answer(elsewhere[d.IntN(len(elsewhere))], 1+d.IntN(2))}
		t.mutate(d, answer(elsewhere[d.IntN(len(elsewhere))], d.IntN(1<<17)-100))
		safe := true
		for _, found := range broadcast.FindAllSubmatch(t.b, -1) {
			known := false
			for _, host := range elsewhere {
				known = known || host == string(found[1])
			}
			safe = safe && known
		}
		if safe {
			return t.b
		}
	}
}

// TestLookups: nsqlookupds respond with mutated bytes, and at the end with the address of an nsqd.
func TestLookups(t *testing.T) {
	t.Parallel()
	server := newServer(t, nsq{}, 1, 0)
	server.start()
	total := int64(count(10))
	var made atomic.Int64
	var lookupds sync.WaitGroup
	t.Cleanup(lookupds.Wait) // after the listeners are closed
	var addrs []string
	for range 3 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := &lookupd{s: server, listener: listener, total: total, made: &made}
		lookupds.Go(l.serve)
		t.Cleanup(func() { listener.Close() })
		addrs = append(addrs, listener.Addr().String())
	}
	begun := time.Now()
	p := testkit.Start(t, testkit.Launch{
		Admin: true, Env: []string{"GORACE=halt_on_error=1"},
		Args: []string{"nsq:///topic/channel", "--nsqlookupd=" + strings.Join(addrs, ","), "--workers=1", "--reconnect-min=1ms",
			"--reconnect-max=1ms", "--max-message=16KiB", "--memory=1MiB", "--drain-timeout=30s"},
	})
	p.Log.Forbid(marker, "panicked")
	early, late := watch(t, p, total, made.Load)
	over(t, p, "first", server.first)
	over(t, p, "last", server.last)
	log := p.Log.Bytes()
	t.Logf("%d answers in %v; %d bytes of log; of the second tenth: %v; of the last: %v", total, time.Since(begun), log, early, late)
	if total >= comparable {
		flat(t, early, late)
	}
	brief(t, log, int(total), time.Since(begun))
	server.stop()
	p.Stop()
}
