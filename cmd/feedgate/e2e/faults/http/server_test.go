package http

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// keys is how many keys messages have: message n has key n%keys, as "k07 00000044".
const keys = 37

func line(dst []byte, n int) []byte { return fmt.Appendf(dst, "k%02d %08d", n%keys, n) }

// keySelector selects the key of a message.
const keySelector = "bytes:0:3"

// fault is what the server does with a request instead of storing it and answering 200.
type fault struct {
	before int    // status instead of storing; 0: it stores
	after  int    // status after storing; 0: 200
	reset  bool   // resets the connection instead of answering
	wait   *pause // before it answers; nil: none
}

// request is a request as the function that chooses its fault sees it.
type request struct {
	*http.Request
	n        int // from 1 on
	messages [][]byte
}

// server stores messages. It can be stopped and started again, at the same address, and keeps what it
// has stored.
type server struct {
	t       testing.TB
	address string
	choose  func(r request) fault // nil: no faults; called with the lock
	refuses bool                  // messages, which are acked and not stored
	dedupe  bool                  // drop batches whose Idempotency-Key was stored

	web    *http.Server
	served chan struct{}

	mu       sync.Mutex
	requests int
	seen     map[string]bool // Idempotency-Keys
	stored   []uint8         // by number: how often
	distinct uint64
	twice    uint64 // messages stored again
	dropped  uint64 // messages dropped by the key of their batch
	largest  int    // messages in a request
	last     [keys]int
	late     uint64 // messages stored after a later one of their key
}

// serve starts a server.
func serve(t testing.TB, choose func(r request) fault) *server {
	t.Helper()
	s := &server{t: t, choose: choose, seen: map[string]bool{}, address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// start makes the server listen.
func (s *server) start() {
	s.t.Helper()
	var ln net.Listener
	var err error
	testkit.Eventually(s.t, "the address", func() bool {
		ln, err = net.Listen("tcp", s.address)
		return err == nil
	})
	s.address = ln.Addr().String()
	s.web = &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	s.served = make(chan struct{})
	web, served := s.web, s.served
	go func() {
		defer close(served)
		_ = web.Serve(ln)
	}()
}

// kill ends the server: all connections end at once, whatever they are in.
func (s *server) kill() {
	_ = s.web.Close()
	<-s.served
}

// url returns the URL of the sink.
func (s *server) url() string { return "http://" + s.address + "/in" }

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		panic(http.ErrAbortHandler) // cut off; a handler that returned would answer 200
	}
	f := s.take(request{Request: r, messages: bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))})
	if f.wait != nil {
		<-f.wait.end
	}
	switch {
	case f.reset:
		hangUp(w)
	case f.before != 0:
		w.WriteHeader(f.before)
	case f.after != 0:
		w.WriteHeader(f.after)
	}
}

// take chooses the fault of a request, and stores its messages unless the fault prevents that.
func (s *server) take(r request) (f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	r.n = s.requests
	if s.choose != nil {
		f = s.choose(r)
	}
	if f.before != 0 {
		return f
	}
	s.largest = max(s.largest, len(r.messages))
	key := r.Header.Get("Idempotency-Key")
	if s.dedupe && s.seen[key] {
		s.dropped += uint64(len(r.messages))
		return f
	}
	s.seen[key] = true
	for _, m := range r.messages {
		s.store(m)
	}
	return f
}

func (s *server) store(m []byte) {
	var n int
	var err error
	if len(m) >= 12 {
		n, err = strconv.Atoi(string(m[4:12]))
	}
	if err != nil || n < 1 {
		s.t.Errorf("the server got %.40q", m)
		return
	}
	for len(s.stored) <= n {
		s.stored = append(s.stored, 0)
	}
	if s.stored[n]++; s.stored[n] > 1 {
		s.twice++
		return
	}
	s.distinct++
	key := n % keys
	if n < s.last[key] {
		s.late++
	}
	s.last[key] = max(s.last[key], n)
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

// has reports whether a message is stored.
func (s *server) has(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return n < uint64(len(s.stored)) && s.stored[n] > 0
}

// count returns how many messages are stored.
func (s *server) count() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.distinct
}

// awaitMore waits until more further messages are stored.
func (s *server) awaitMore(more uint64) {
	s.t.Helper()
	enough := s.count() + more
	testkit.Eventually(s.t, "messages at the server", func() bool { return s.count() >= enough })
}

// check checks that the server has the messages 1 to last, but for so many refused, and that each key is
// in order.
func (s *server) check(last, refused uint64) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	lost, first := uint64(0), 0
	for n := int(last); n >= 1; n-- {
		if n >= len(s.stored) || s.stored[n] == 0 {
			lost, first = lost+1, n
		}
	}
	if lost != refused {
		s.t.Errorf("LOST: %d of %d messages are not at the server, %d is the first", lost, last, first)
	}
	if s.late > 0 {
		s.t.Errorf("OUT OF ORDER: %d messages were stored after a later one of their key", s.late)
	}
}

func (s *server) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d messages in %d requests of up to %d, %d stored again, %d dropped by Idempotency-Key",
		s.distinct, s.requests, s.largest, s.twice, s.dropped)
}

// pause is a wait that a test ends.
type pause struct {
	end  chan struct{}
	once sync.Once
}

func newPause(t testing.TB) *pause {
	p := &pause{end: make(chan struct{})}
	t.Cleanup(p.stop)
	return p
}

func (p *pause) stop() { p.once.Do(func() { close(p.end) }) }
