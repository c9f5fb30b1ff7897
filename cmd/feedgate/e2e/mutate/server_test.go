package mutate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// server is a hostile server with an address for each gateway. At each address, the first connection
// is clean, the next ones have mutated bytes until all of those have been made, and the last one is
// clean.
type server struct {
	t       *testing.T
	d       dialect
	secure  *tls.Config // nil: without TLS
	upgrade bool        // TLS begins after the answer to IDENTIFY
	seed    uint64
	total   int64

	messages int // of the last connections

	made      atomic.Int64 // connections of mutated bytes
	untouched atomic.Int64 // those of them with nothing mutated
	acks      atomic.Int64 // on them
	running   sync.WaitGroup
	listeners []net.Listener
	first     chan error // of each address, when its first connection is over
	last      chan error // of each address, when its last connection is over
}

func newServer(t *testing.T, d dialect, addresses, total int) *server {
	s := &server{
		t: t, d: d, total: int64(total), seed: testkit.Rand(t).Uint64(), messages: testkit.Form(200, 1000),
		first: make(chan error, addresses), last: make(chan error, addresses),
	}
	for range addresses {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.listeners = append(s.listeners, l)
	}
	return s
}

// start begins to accept. It ends with the test.
func (s *server) start() {
	for _, l := range s.listeners {
		s.running.Go(func() { s.serve(l) })
	}
	s.t.Cleanup(s.stop)
}

func (s *server) stop() {
	for _, l := range s.listeners {
		l.Close()
	}
	s.running.Wait()
}

// random returns the source of random numbers of connection n.
func (s *server) random(n int64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(n))) }

func (s *server) serve(l net.Listener) {
	name := fnv.New64()
	name.Write([]byte(l.Addr().String()))
	d := rand.New(rand.NewPCG(s.seed, name.Sum64()))
	begun, ended := false, false
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		raw := conn.(*net.TCPConn)
		switch {
		case !begun:
			begun = true
			s.first <- s.clean(raw, d, 20)
		default:
			n := s.made.Add(1) - 1
			if n < s.total {
				s.mutated(raw, n+int64(*from))
				continue
			}
			err := s.clean(raw, d, s.messages)
			if !ended {
				ended = true
				s.last <- err
			}
		}
	}
}

// open prepares a connection up to the beginning of the conversation. With a flaw, the bytes below
// TLS are mutated.
func (s *server) open(raw *net.TCPConn, d *rand.Rand, flaw bool) (*peer, error) {
	if s.secure == nil {
		return newPeer(raw, raw), nil
	}
	if s.upgrade {
		if err := identify(raw, d, flaw); err != nil {
			return nil, err
		}
	}
	var below net.Conn = raw
	if flaw && d.IntN(2) == 0 {
		below = &flawed{Conn: raw, d: d, at: d.IntN(1 << (5 + d.IntN(8)))}
	}
	conn := tls.Server(below, s.secure)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return newPeer(raw, conn), nil
}

// identify is the exchange before nsqd's TLS. It reads byte by byte, because the bytes after IDENTIFY
// belong to TLS.
func identify(raw net.Conn, d *rand.Rand, flaw bool) error {
	var got []byte
	for one := make([]byte, 1); !(nsq{}).requested(got); got = append(got, one[0]) {
		if _, err := raw.Read(one); err != nil {
			return err
		}
	}
	var t conversation
	t.nsqFrame(nsqResponse, []byte(identified(d, true)))
	if flaw && d.IntN(4) == 0 {
		t.mutate(d, got)
	}
	_, err := raw.Write(t.b)
	return err
}

// flawed is a connection that mutates one write.
type flawed struct {
	net.Conn
	d  *rand.Rand
	at int // bytes before the mutation; below 0: done
}

func (f *flawed) Write(b []byte) (int, error) {
	if f.at < 0 || f.at >= len(b) {
		f.at = max(-1, f.at-len(b))
		return f.Conn.Write(b)
	}
	f.at = -1
	if _, err := f.Conn.Write(mutated(f.d, append([]byte(nil), b...), b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// clean sends a valid conversation and waits for all its acks.
func (s *server) clean(raw *net.TCPConn, d *rand.Rand, messages int) error {
	_ = raw.SetDeadline(time.Now().Add(2 * testkit.Patience))
	p, err := s.open(raw, d, false)
	if err != nil {
		raw.Close()
		return err
	}
	defer p.finish()
	if !p.await(testkit.Patience, s.d.requested) {
		return errors.New("the gateway does not log in")
	}
	t := s.d.generate(d, p.received(), messages)
	pieces := rand.New(rand.NewPCG(d.Uint64(), 0))
	go p.send(pieces, t.b) // acks may fill the buffers between
	if p.await(testkit.Patience, func(got []byte) bool { return s.whole(t, got) == nil }) {
		return nil
	}
	return s.whole(t, p.received())
}

// whole checks that each message of a valid conversation was acked once.
func (s *server) whole(t conversation, got []byte) error {
	acked, err := s.d.judge(t.b, got)
	if err != nil {
		return err
	}
	for _, key := range t.keys {
		if acked[key] != 1 {
			return fmt.Errorf("message %s of %d was acked %d times", key, len(t.keys), acked[key])
		}
	}
	if len(acked) != len(t.keys) {
		return fmt.Errorf("%d of %d messages were acked", len(acked), len(t.keys))
	}
	return nil
}

// mutated serves connection n.
func (s *server) mutated(raw *net.TCPConn, n int64) {
	d := s.random(n)
	if d.IntN(20) == 0 {
		s.untouched.Add(1)
		if err := s.clean(raw, d, messages(d)); err != nil {
			s.t.Errorf("connection %d, with nothing mutated: %v", n, err)
		}
		return
	}
	_ = raw.SetDeadline(time.Now().Add(5 * time.Second))
	p, err := s.open(raw, d, true)
	if err != nil {
		raw.Close()
		return
	}
	if d.IntN(8) > 0 {
		p.await(time.Second, s.d.requested)
	}
	t := s.mutant(d, p.received())
	p.send(d, t.b)
	switch how := d.IntN(10); {
	case how < 6:
		p.finish()
	case how < 8:
		p.reset()
	case how < 9:
		p.close()
	default:
		p.await(time.Duration(1+d.IntN(50))*time.Millisecond, func([]byte) bool { return false })
		p.reset()
	}
	acked, err := s.d.judge(t.b, p.received())
	s.acks.Add(int64(len(acked)))
	if err != nil {
		s.t.Errorf("connection %d: %v", n, err)
	}
}

// messages returns a number of messages for a conversation, mostly few.
func messages(d *rand.Rand) int { return 1 + d.IntN(1<<d.IntN(8)) }

// mutant returns a mutated conversation in response to request.
func (s *server) mutant(d *rand.Rand, request []byte) conversation {
	t := s.d.generate(d, request, messages(d))
	if _, ok := s.d.(ws); ok && d.IntN(20) == 0 {
		t = conversation{b: []byte(refusals[d.IntN(len(refusals))])}
	}
	if d.IntN(50) > 0 { // else only the pieces and the end of the connection differ
		t.mutate(d, s.d.generate(d, request, messages(d)).b)
	}
	if n, ok := s.d.(nsq); ok {
		n.rename(t.b)
	}
	return t
}
