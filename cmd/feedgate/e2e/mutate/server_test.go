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

// server is a hostile one, at as many addresses as there are gateways. At each, the first
// connection is clean, then come those of mutated bytes until all have been made, and then
// a clean one.
type server struct {
	t       *testing.T
	d       dialect
	secure  *tls.Config // nil: without TLS
	upgrade bool        // TLS begins after the answer to IDENTIFY
	seed    uint64
	total   int64

	messages int // of the last connections

	made      atomic.Int64 // connections of mutated bytes
	untouched atomic.Int64 // of them, those with nothing mutated
	acks      atomic.Int64 // on them
	running   sync.WaitGroup
	listeners []net.Listener
	first     chan error // of each address, when its first connection is over
	last      chan error // of each address, when its last connection is over
}

func newServer(t *testing.T, d dialect, addresses, total int) *server {
	s := &server{
		t: t, d: d, total: int64(total), seed: testkit.Dice(t).Uint64(), messages: testkit.Form(200, 1000),
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

// dice is what is random in connection n.
func (s *server) dice(n int64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(n))) }

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

// open takes a connection up to where the talk begins. With a flaw, what the server sends is
// changed below TLS.
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

// identify is what is said before nsqd's TLS. It reads byte by byte: what is behind is TLS's.
func identify(raw net.Conn, d *rand.Rand, flaw bool) error {
	var got []byte
	for one := make([]byte, 1); !(nsq{}).asked(got); got = append(got, one[0]) {
		if _, err := raw.Read(one); err != nil {
			return err
		}
	}
	var t talk
	t.nsqFrame(nsqResponse, []byte(identified(d, true)))
	if flaw && d.IntN(4) == 0 {
		t.mutate(d, got)
	}
	_, err := raw.Write(t.b)
	return err
}

// flawed mutates what is written, once.
type flawed struct {
	net.Conn
	d  *rand.Rand
	at int // bytes until then; below 0: it has happened
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

// clean has a valid conversation and waits for all its acks.
func (s *server) clean(raw *net.TCPConn, d *rand.Rand, messages int) error {
	_ = raw.SetDeadline(time.Now().Add(2 * testkit.Patience))
	p, err := s.open(raw, d, false)
	if err != nil {
		raw.Close()
		return err
	}
	defer p.finish()
	if !p.await(testkit.Patience, s.d.asked) {
		return errors.New("the gateway does not log in")
	}
	t := s.d.talk(d, p.heard(), messages)
	pieces := rand.New(rand.NewPCG(d.Uint64(), 0))
	go p.say(pieces, t.b) // acks may fill the buffers between
	if p.await(testkit.Patience, func(got []byte) bool { return s.whole(t, got) == nil }) {
		return nil
	}
	return s.whole(t, p.heard())
}

// whole checks that each message of a valid conversation was acked once.
func (s *server) whole(t talk, got []byte) error {
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

// mutated is connection n.
func (s *server) mutated(raw *net.TCPConn, n int64) {
	d := s.dice(n)
	if d.IntN(20) == 0 {
		s.untouched.Add(1)
		if err := s.clean(raw, d, messages(d)); err != nil {
			s.t.Errorf("connection %d, of which nothing is mutated: %v", n, err)
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
		p.await(time.Second, s.d.asked)
	}
	t := s.mutant(d, p.heard())
	p.say(d, t.b)
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
	acked, err := s.d.judge(t.b, p.heard())
	s.acks.Add(int64(len(acked)))
	if err != nil {
		s.t.Errorf("connection %d: %v", n, err)
	}
}

// messages is how many a conversation has: mostly few.
func messages(d *rand.Rand) int { return 1 + d.IntN(1<<d.IntN(8)) }

// mutant is what is said where a server that is well would answer what was asked.
func (s *server) mutant(d *rand.Rand, asked []byte) talk {
	t := s.d.talk(d, asked, messages(d))
	if _, ok := s.d.(ws); ok && d.IntN(20) == 0 {
		t = talk{b: []byte(refusals[d.IntN(len(refusals))])}
	}
	if d.IntN(50) > 0 { // else it comes in pieces, and to its end as any
		t.mutate(d, s.d.talk(d, asked, messages(d)).b)
	}
	if n, ok := s.d.(nsq); ok {
		n.rename(t.b)
	}
	return t
}
