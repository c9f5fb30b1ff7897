package nsqfake

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Types of frames, NSQ TCP protocol spec,
// https://nsq.io/clients/tcp_protocol_spec.html#data-format.
const (
	frameResponse = 0
	frameError    = 1
)

// NSQD lets clients log in and records their commands. It has no messages. Any goroutine may call
// its methods.
type NSQD struct {
	addr    string
	serving sync.WaitGroup

	mu        sync.Mutex
	listener  net.Listener     // nil: closed
	conns     map[net.Conn]int // their RDY counts
	subs      []string         // TOPIC CHANNEL of each SUB
	refuses   bool
	ignoreCLS bool
}

// StartNSQD starts one. It stops when the test ends.
func StartNSQD(t testing.TB) *NSQD {
	t.Helper()
	s := &NSQD{addr: "127.0.0.1:0", conns: make(map[net.Conn]int)}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Open listens, at the same address as before.
func (s *NSQD) Open() error {
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = listener, listener.Addr().String()
	s.serving.Go(func() { s.accept(listener) })
	return nil
}

// Close closes all connections and the listener.
func (s *NSQD) Close() {
	s.mu.Lock()
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// Addr returns HOST:PORT.
func (s *NSQD) Addr() string { return s.addr }

// Refuse makes it answer SUB with E_UNAUTHORIZED, or stop doing so.
func (s *NSQD) Refuse(refuses bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = refuses
}

// IgnoreCLS makes it leave CLS unanswered.
func (s *NSQD) IgnoreCLS() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ignoreCLS = true
}

// Ready returns the sum of the RDY counts of its connections.
func (s *NSQD) Ready() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := 0
	for _, n := range s.conns {
		sum += n
	}
	return sum
}

// Subscriptions returns the SUB commands so far, each "TOPIC CHANNEL".
func (s *NSQD) Subscriptions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.subs...)
}

func (s *NSQD) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.listener != listener {
			conn.Close() // Close was called meanwhile
		} else {
			s.conns[conn] = 0
			s.serving.Go(func() { s.serve(conn) })
		}
		s.mu.Unlock()
	}
}

func (s *NSQD) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(conn)
	if _, err := io.ReadFull(r, make([]byte, len("  V2"))); err != nil {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if len(words) > 0 && words[0] == "IDENTIFY" && skipBody(r) != nil {
			return
		}
		kind, text := s.answer(conn, words)
		if text == "" {
			continue
		}
		frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(text)))
		frame = binary.BigEndian.AppendUint32(frame, kind)
		if _, err := conn.Write(append(frame, text...)); err != nil {
			return
		}
	}
}

// answer returns the answer to a command; for most commands, none.
func (s *NSQD) answer(conn net.Conn, words []string) (kind uint32, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch strings.Join(words[:min(len(words), 1)], "") {
	case "IDENTIFY":
		return frameResponse, `{"max_rdy_count":2500,"msg_timeout":60000,"max_msg_timeout":900000,"auth_required":false}`
	case "SUB":
		s.subs = append(s.subs, strings.Join(words[1:], " "))
		if s.refuses {
			return frameError, "E_UNAUTHORIZED not here"
		}
		return frameResponse, "OK"
	case "RDY":
		n, err := strconv.Atoi(strings.Join(words[1:], ""))
		if err != nil {
			return frameError, "E_INVALID RDY"
		}
		s.conns[conn] = n
	case "CLS":
		if !s.ignoreCLS {
			return frameResponse, "CLOSE_WAIT"
		}
	}
	return 0, ""
}

// skipBody reads a command's body, which follows its length.
func skipBody(r io.Reader) error {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, r, int64(binary.BigEndian.Uint32(size[:])))
	return err
}
