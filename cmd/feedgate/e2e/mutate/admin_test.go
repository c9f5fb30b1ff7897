package mutate

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// adminRequests are requests of browsers, scrapers and scanners.
var adminRequests = []string{
	"GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\n\r\n",
	"GET /stats HTTP/1.0\r\n\r\n",
	"GET /ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
	"GET /ping HTTP/1.1\r\nHost: h\r\n\r\nGET /ping HTTP/1.1\r\nHost: h\r\n\r\n",
	"POST /ping HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nhello, world",
	"PUT /metrics HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	"HEAD /debug/pprof/?x=%41 HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
	"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
}

// TestAdminRequests: mutated requests to the admin address, on several connections at once.
func TestAdminRequests(t *testing.T) {
	t.Parallel()
	total := int64(count(3))
	server := newServer(t, fg{}, 1, 0)
	server.start()
	p := testkit.Start(t, testkit.Launch{
		Admin: true, Env: []string{"GORACE=halt_on_error=1"},
		Args: []string{"fg://" + server.listeners[0].Addr().String(), "--workers=2", "--reconnect-min=1ms", "--reconnect-max=1s", "--max-message=16KiB"},
	})
	p.Log.Forbid(marker, "panicked")
	over(t, p, "first", server.first)
	over(t, p, "last", server.last)
	start := rest(t, p)
	addr := p.AdminAddr()
	var begun, made atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for n := begun.Add(1) - 1; n < total; n = begun.Add(1) - 1 {
				ask(t, addr, server, n+int64(*from))
				made.Add(1)
			}
		})
	}
	at := time.Now()
	early, late := watch(t, p, total, made.Load)
	clients.Wait()
	log := p.Log.Bytes()
	t.Logf("%d connections in %v; %d bytes of log; at first: %v; of the second tenth: %v; of the last: %v", total, time.Since(at), log, start, early, late)
	if total >= comparable {
		flatMemory(t, early, late)
	}
	// 10,000 requests take a few seconds, so a sample has connections in progress.
	sampleWithin(t, p, start.fds+gateways, start.goroutines+2*gateways)
	brief(t, log, int(total), time.Since(at))
	server.stop()
	p.Stop()
}

// ask sends a mutated request, and reads a part of the response.
func ask(t *testing.T, addr string, s *server, n int64) {
	d := s.random(n)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Errorf("connection %d to the admin address: %v", n, err)
		return
	}
	raw := conn.(*net.TCPConn)
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	p := newPeer(raw, raw)
	request := conversation{b: []byte(adminRequests[d.IntN(len(adminRequests))] + marker)}
	request.mutate(d, []byte(adminRequests[d.IntN(len(adminRequests))]))
	p.send(d, request.b)
	switch d.IntN(3) {
	case 0:
		p.finish()
	case 1:
		p.await(time.Duration(d.IntN(20))*time.Millisecond, func(got []byte) bool { return len(got) > 0 })
		p.close()
	case 2:
		p.reset()
	}
}
