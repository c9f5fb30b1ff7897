package cpp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/wire/fg1"
)

// server is a connection of a scripted FG/1 server.
type server struct {
	*net.TCPConn
	r *bufio.Reader
}

// serve accepts one client and returns the script's result.
func serve(t *testing.T, f func(c *server) error) (addr string, served <-chan error) {
	t.Helper()
	built(t, asio) // otherwise no client would connect
	return serveWith(t, net.ListenConfig{}, f)
}

func serveWith(t *testing.T, config net.ListenConfig, f func(c *server) error) (addr string, served <-chan error) {
	t.Helper()
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String(), serveOne(ln, f)
}

func serveOne(ln net.Listener, f func(c *server) error) <-chan error {
	served := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			served <- err
			return
		}
		defer nc.Close()
		if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
			served <- err
			return
		}
		served <- f(&server{nc.(*net.TCPConn), bufio.NewReader(nc)})
	}()
	return served
}

var bye = fg1.Header{Op: fg1.Bye}

func data(dst []byte, seq uint64, size int) []byte {
	return fg1.AppendFrame(dst, fg1.Data, 0, 0, seq, make([]byte, size))
}

// login reads HELLO and answers it.
func (c *server) login() error {
	h, err := c.read()
	if err != nil {
		return err
	}
	if h.Op != fg1.Hello || h.Flags != 0 || h.Seq != 0 {
		return fmt.Errorf("login with %+v", h)
	}
	_, err = c.Write(fg1.AppendFrame(nil, fg1.Welcome, 0, 0, 1, []byte(`{"session":"s"}`)))
	return err
}

// send sends a frame without payload.
func (c *server) send(h fg1.Header) error {
	_, err := c.Write(fg1.AppendFrame(nil, h.Op, h.Flags, h.Code, h.Seq, nil))
	return err
}

// read reads a frame and discards its payload.
func (c *server) read() (fg1.Header, error) {
	var head [fg1.HeaderSize]byte
	if _, err := io.ReadFull(c.r, head[:]); err != nil {
		return fg1.Header{}, err
	}
	h := fg1.ParseHeader(head[:])
	_, err := io.CopyN(io.Discard, c.r, h.Payload())
	return h, err
}

// want expects this frame, without payload.
func (c *server) want(h fg1.Header) error {
	got, err := c.read()
	h.Length = fg1.HeaderSize - 4
	if err == nil && got != h {
		err = fmt.Errorf("got %+v, want %+v", got, h)
	}
	return err
}

// wantAcks expects the acks of messages 1 to n.
func (c *server) wantAcks(n uint64) error {
	seen := make([]bool, n+1)
	for range n {
		h, err := c.read()
		if err != nil {
			return err
		}
		if h.Op != fg1.Ack || h.Code != 0 || h.Payload() != 0 || h.Seq < 1 || h.Seq > n || seen[h.Seq] {
			return fmt.Errorf("%+v is no ack, or one too many", h)
		}
		seen[h.Seq] = true
	}
	return nil
}

func (c *server) wantEnd() error {
	if _, err := c.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("after BYE: %w", errors.Join(err, errors.New("want the end of the stream")))
	}
	return nil
}

// TestASIOAnswersPing: each PONG is sent first, and messages before BYE are acked after it.
func TestASIOAnswersPing(t *testing.T) {
	addr, served := serve(t, func(c *server) error {
		return errors.Join(c.login(),
			c.send(fg1.Header{Op: fg1.Ping, Seq: 7}), c.want(fg1.Header{Op: fg1.Pong, Seq: 7}),
			c.send(fg1.Header{Op: fg1.Pong, Seq: 9}),
			c.send(fg1.Header{Op: fg1.Data, Seq: 1}), c.want(fg1.Header{Op: fg1.Ack, Seq: 1}),
			c.send(fg1.Header{Op: fg1.Ping, Seq: 1 << 63}), c.want(fg1.Header{Op: fg1.Pong, Seq: 1 << 63}),
			c.send(fg1.Header{Op: fg1.Bye, Code: fg1.CodeShuttingDown}), c.want(bye), c.wantEnd())
	})
	if o := launch(t, addr, 2).succeeds(); o.Messages != 1 || o.Bytes != 0 {
		t.Errorf("outcome %+v", o)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestASIOFinishesAtBye: BYE follows the messages immediately, and the server closes its sending
// side before it reads the first ack. Messages have all lengths and all positions in the read
// buffers.
func TestASIOFinishesAtBye(t *testing.T) {
	built(t, asio)
	rng := rand.New(rand.NewPCG(1, 2))
	for name, size := range map[string]func() int{
		"short": func() int { return rng.IntN(200) },
		"mixed": func() int { return rng.IntN(1 << rng.IntN(21)) },
		"long":  func() int { return 1<<20 - rng.IntN(2) },
	} {
		t.Run(name, func(t *testing.T) {
			var stream []byte
			count := uint64(0)
			for len(stream) < 20<<20 && count < 10_000 {
				count++
				stream = data(stream, count, size())
			}
			payload := uint64(len(stream)) - count*fg1.HeaderSize
			stream = fg1.AppendFrame(stream, fg1.Bye, 0, 0, 0, nil)
			addr, served := serve(t, func(c *server) error {
				if err := c.login(); err != nil {
					return err
				}
				acks := make(chan error, 1)
				go func() { acks <- c.wantAcks(count) }()
				_, err := c.Write(stream)
				return errors.Join(err, c.CloseWrite(), <-acks, c.want(bye), c.wantEnd())
			})
			if o := launch(t, addr, 3).succeeds(); o.Messages != count || o.Bytes != payload {
				t.Errorf("outcome %+v, want %d messages, %d bytes", o, count, payload)
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestASIOStopsReading: a server that reads no acks is soon unable to send. Once it reads, the
// client acks all messages.
func TestASIOStopsReading(t *testing.T) {
	// More messages and acks than all socket buffers can hold.
	const most, run, size = 2000, 1000, 64
	// The client's segments end within an ack, and so does the last sendmmsg that its socket accepts.
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if cerr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, 999)
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	addr, served := serveWith(t, config, func(c *server) error {
		err := errors.Join(c.SetReadBuffer(128<<10), c.SetWriteBuffer(128<<10), c.login())
		var unsent []byte
		sent := uint64(0)
		for runs := 0; err == nil; runs++ {
			if runs == most {
				return errors.New("it reads on, though nobody takes its acks")
			}
			unsent = unsent[:0]
			for range run {
				sent++
				unsent = data(unsent, sent, size)
			}
			// If the client is slow instead of blocked, the rest of the test is easier, but still valid.
			_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			var n int
			n, err = c.Write(unsent)
			unsent = unsent[n:]
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		acks := make(chan error, 1)
		go func() { acks <- c.wantAcks(sent) }()
		_, err = c.Write(fg1.AppendFrame(unsent, fg1.Bye, 0, 0, 0, nil))
		return errors.Join(err, <-acks, c.want(bye), c.wantEnd())
	})
	o := launch(t, addr, 2).succeeds()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if o.Messages < 2*8192 || o.Bytes != o.Messages*size {
		t.Errorf("outcome %+v: its queues alone hold more", o)
	}
}

func TestASIOFails(t *testing.T) {
	built(t, asio)
	frame := func(op fg1.Op, flags uint8, code uint16, n int) []byte {
		return fg1.AppendFrame(nil, op, flags, code, 1, make([]byte, n))
	}
	const lost, wrong = "connection lost before BYE", "protocol error"
	for _, c := range []struct {
		name  string
		sends []byte
		words string
	}{
		{"end of stream", frame(fg1.Data, 0, 0, 8), lost},
		{"end within a frame", frame(fg1.Data, 0, 0, 8)[:20], lost},
		{"end within a header", frame(fg1.Data, 0, 0, 8)[:10], lost},
		{"unknown op", frame(99, 0, 0, 0), wrong},
		{"a part", frame(fg1.Data, fg1.More, 0, 8), wrong},
		{"too long", frame(fg1.Data, 0, 0, 1<<20+1)[:16], wrong},
		{"too short", append([]byte{0, 0, 0, 11}, make([]byte, 12)...), wrong},
		{"BYE for a reason", frame(fg1.Bye, 0, fg1.CodeProtocolError, 0), "BYE with code 5"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			addr, served := serve(t, func(s *server) error {
				if err := s.login(); err != nil {
					return err
				}
				if _, err := s.Write(c.sends); err != nil {
					return err
				}
				if err := s.CloseWrite(); err != nil {
					return err
				}
				_, _ = io.Copy(io.Discard, s) // a client with an error may reset
				return nil
			})
			launch(t, addr, 2).fails(c.words)
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("no-WELCOME", func(t *testing.T) {
		addr, served := serve(t, func(s *server) error {
			return s.send(fg1.Header{Op: fg1.Bye, Code: fg1.CodeBadToken})
		})
		launch(t, addr, 2).fails("code 4 instead of WELCOME")
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}
