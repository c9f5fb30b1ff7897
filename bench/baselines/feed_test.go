package baselines_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire/fg1"
)

// deadline bounds every test here.
const deadline = 30 * time.Second

// unkind is an FG/1 server that is as difficult as the protocol allows: messages of mixed lengths,
// written in pieces of random length, with PINGs in between, and BYE immediately after the last
// one. It checks acks independently of the feed server.
type unkind struct {
	first    uint64 // number of the first message
	messages int
	size     func(*rand.Rand) int
	bye      uint16
	acks     map[uint64]int // how many acks are expected; 1 if not in the map
}

// pingEvery is the number of messages between PINGs, which are numbered from 1.
const pingEvery = 500

// pattern has the bytes of all payloads.
var pattern = func() []byte {
	b := make([]byte, 1<<20+256)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}()

// body returns the payload of message seq: its number, then bytes derived from it.
func body(seq uint64, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, seq)
	return append(b, pattern[seq%256:][:max(size-8, 0)]...)[:size]
}

// seen counts how often each message was processed.
type seen struct {
	t      *testing.T
	counts []atomic.Int32
	bytes  atomic.Uint64
}

func newSeen(t *testing.T, messages int) *seen {
	return &seen{t: t, counts: make([]atomic.Int32, messages+1)}
}

func (s *seen) work(msg []byte) {
	seq := binary.BigEndian.Uint64(msg)
	if seq == 0 || seq >= uint64(len(s.counts)) || !bytes.Equal(msg, body(seq, len(msg))) {
		s.t.Errorf("message %d arrived damaged", seq)
		return
	}
	s.counts[seq].Add(1)
	s.bytes.Add(uint64(len(msg)))
}

func (s *seen) checkOnce() {
	for seq := range s.counts[1:] {
		if n := s.counts[seq+1].Load(); n != 1 {
			s.t.Errorf("message %d was worked on %d times", seq+1, n)
		}
	}
}

// listen runs serve on the first connection to the address that it returns.
func listen(t *testing.T, serve func(c *net.TCPConn) error) (addr string, served <-chan error) {
	t.Helper()
	return listenBy(t, net.ListenConfig{}, serve)
}

// tight makes connections with small buffers for acks: a small receive buffer, and short segments,
// from which the kernel derives the client's send buffer.
var tight = net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
	cerr := raw.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10),
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 536))
	})
	return errors.Join(err, cerr)
}}

func listenBy(t *testing.T, by net.ListenConfig, serve func(c *net.TCPConn) error) (addr string, served <-chan error) {
	t.Helper()
	ln, err := by.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		defer ln.Close()
		c, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		if err = c.SetDeadline(time.Now().Add(deadline)); err == nil {
			err = serve(c.(*net.TCPConn))
		}
		done <- err
	}()
	return ln.Addr().String(), done
}

// read reads one frame.
func read(r io.Reader) (fg1.Header, error) {
	b := make([]byte, fg1.HeaderSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return fg1.Header{}, err
	}
	h := fg1.ParseHeader(b)
	_, err := io.CopyN(io.Discard, r, h.Payload())
	return h, err
}

// welcome answers the login. The first message has number first.
func welcome(c net.Conn, first uint64) error {
	if h, err := read(c); err != nil || h.Op != fg1.Hello {
		return fmt.Errorf("instead of HELLO: %+v %w", h, err)
	}
	_, err := c.Write(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, first, []byte(`{}`)))
	return err
}

func (f unkind) serve(c *net.TCPConn) error {
	if err := welcome(c, f.first); err != nil {
		return err
	}
	sending := make(chan error, 1)
	go func() { sending <- f.send(c) }()
	if err := f.receive(c); err != nil {
		return err
	}
	return <-sending
}

func (f unkind) send(c net.Conn) error {
	rnd := rand.New(rand.NewPCG(1, 2))
	var out []byte
	flush := func(all bool) error {
		for len(out) > 0 && (all || len(out) > 64<<10) {
			n := min(1+rnd.IntN(20<<10), len(out))
			if rnd.IntN(4) == 0 {
				n = min(1+rnd.IntN(40), len(out))
			}
			if _, err := c.Write(out[:n]); err != nil {
				return err
			}
			out = out[n:]
		}
		return nil
	}
	for i := range uint64(f.messages) {
		seq := f.first + i
		out = fg1.AppendFrame(out, fg1.Data, 0, 0, seq, body(seq, f.size(rnd)))
		if n := i + 1; n%pingEvery == 0 {
			out = fg1.AppendFrame(out, fg1.Ping, 0, 0, n/pingEvery, nil)
		}
		if err := flush(false); err != nil {
			return err
		}
	}
	out = fg1.AppendFrame(out, fg1.Bye, 0, f.bye, 0, nil)
	return flush(true)
}

// receive expects the acks, the PONGs in order, then BYE and the end of the stream.
func (f unkind) receive(c net.Conn) error {
	acked, pong := make(map[uint64]int), uint64(0)
	for {
		h, err := read(c)
		if err != nil {
			return fmt.Errorf("after %d acks: %w", len(acked), err)
		}
		switch {
		case h.Payload() != 0 || h.Flags != 0 || h.Code != fg1.CodeOK:
			return fmt.Errorf("frame %+v", h)
		case h.Op == fg1.Ack:
			acked[h.Seq]++
		case h.Op == fg1.Pong && h.Seq == pong+1:
			pong++
		case h.Op == fg1.Bye:
			if pong != uint64(f.messages/pingEvery) {
				return fmt.Errorf("BYE after %d PONGs", pong)
			}
			if _, err := read(c); err != io.EOF {
				return fmt.Errorf("after BYE: %v", err)
			}
			return f.check(acked)
		default:
			return fmt.Errorf("frame %+v after %d acks and %d PONGs", h, len(acked), pong)
		}
	}
}

// check compares the acks with the expected ones.
func (f unkind) check(acked map[uint64]int) error {
	for i := range uint64(f.messages) {
		seq := f.first + i
		want, known := f.acks[seq]
		if !known {
			want = 1
		}
		if acked[seq] != want {
			return fmt.Errorf("message %d acknowledged %d times, want %d", seq, acked[seq], want)
		}
		delete(acked, seq)
	}
	if len(acked) > 0 {
		return fmt.Errorf("acks for what was not sent: %v", acked)
	}
	return nil
}
