package peers_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/gateway/wire/fg1"
)

// deadline bounds every test here.
const deadline = 30 * time.Second

// feed is an FG/1 server that is unkind where the protocol allows it: messages of
// mixed lengths, written in pieces of any length, with PINGs in between. It is
// written apart from Server so that the two check each other.
type feed struct {
	messages int
	size     func(*rand.Rand) int
	bye      uint16
}

// pingEvery messages there is a PING, numbered from 1.
const pingEvery = 500

// pattern is what payloads are cut from.
var pattern = func() []byte {
	b := make([]byte, 1<<20+256)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}()

// body is the payload of message seq: its number, then bytes that follow from it.
func body(seq uint64, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, seq)
	return append(b, pattern[seq%256:][:size-8]...)
}

// seen counts how often each message was worked on.
type seen struct {
	t      *testing.T
	counts []atomic.Int32
}

func newSeen(t *testing.T, messages int) *seen {
	return &seen{t, make([]atomic.Int32, messages+1)}
}

func (s *seen) work(msg []byte) {
	seq := binary.BigEndian.Uint64(msg)
	if seq == 0 || seq >= uint64(len(s.counts)) || !bytes.Equal(msg, body(seq, len(msg))) {
		s.t.Errorf("message %d arrived damaged", seq)
		return
	}
	s.counts[seq].Add(1)
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
	ln, err := net.Listen("tcp", "127.0.0.1:0")
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

func welcome(c net.Conn) error {
	if h, err := read(c); err != nil || h.Op != fg1.Hello {
		return fmt.Errorf("instead of HELLO: %+v %w", h, err)
	}
	_, err := c.Write(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, 1, []byte(`{}`)))
	return err
}

func (f feed) serve(c *net.TCPConn) error {
	if err := welcome(c); err != nil {
		return err
	}
	sending := make(chan error, 1)
	go func() { sending <- f.send(c) }()
	if err := f.receive(c); err != nil {
		return err
	}
	return <-sending
}

func (f feed) send(c net.Conn) error {
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
	for i := range f.messages {
		seq := uint64(i + 1)
		out = fg1.AppendFrame(out, fg1.Data, 0, 0, seq, body(seq, f.size(rnd)))
		if seq%pingEvery == 0 {
			out = fg1.AppendFrame(out, fg1.Ping, 0, 0, seq/pingEvery, nil)
		}
		if err := flush(false); err != nil {
			return err
		}
	}
	out = fg1.AppendFrame(out, fg1.Bye, 0, f.bye, 0, nil)
	return flush(true)
}

// receive wants one ack for each message, the PONGs in order, then BYE and the
// end of the stream.
func (f feed) receive(c net.Conn) error {
	acked, pong := make(map[uint64]bool), uint64(0)
	for {
		h, err := read(c)
		if err != nil {
			return fmt.Errorf("after %d acks: %w", len(acked), err)
		}
		switch {
		case h.Payload() != 0 || h.Flags != 0 || h.Code != fg1.CodeOK:
			return fmt.Errorf("frame %+v", h)
		case h.Op == fg1.Ack && h.Seq >= 1 && h.Seq <= uint64(f.messages) && !acked[h.Seq]:
			acked[h.Seq] = true
		case h.Op == fg1.Pong && h.Seq == pong+1:
			pong++
		case h.Op == fg1.Bye:
			if len(acked) != f.messages || pong != uint64(f.messages/pingEvery) {
				return fmt.Errorf("BYE after %d of %d acks and %d PONGs", len(acked), f.messages, pong)
			}
			if _, err := read(c); err != io.EOF {
				return fmt.Errorf("after BYE: %v", err)
			}
			return nil
		default:
			return fmt.Errorf("frame %+v after %d acks and %d PONGs", h, len(acked), pong)
		}
	}
}
