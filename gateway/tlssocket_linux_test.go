package gateway

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/tlstest"
	"feedgate/worker"
	"feedgate/worker/credential"
	"feedgate/worker/testkit"
)

// TestTLSClose: the end of the stream is a clean close only after close_notify.
func TestTLSClose(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, clean := range []bool{true, false} {
		ln := testkit.Listen(t)
		var log testkit.Log
		cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), accept)
		setFlag(&cfg, "frame", "line")
		setFlag(&cfg, "ack-template", `A{n}\n`)
		cfg.TLS = mustTLS(t, credential.Files{CA: ca.File})
		cfg.Log = log.Logger()
		r := start(t, cfg)
		raw, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conn := tls.Server(raw, ca.Server())
		if _, err := conn.Write([]byte("a\nb\n")); err != nil {
			t.Fatal(err)
		}
		ln.Close()
		if clean {
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			acks, err := io.ReadAll(conn) // fails without close_notify
			if err != nil || len(acks) != len("A1\nA2\n") {
				t.Errorf("acks %q, %v", acks, err)
			}
			conn.Close()
			if err := r.wait(); err != nil {
				t.Error(err)
			}
			continue
		}
		var acks [6]byte
		if _, err := io.ReadFull(conn, acks[:]); err != nil {
			t.Error(err)
		}
		if err := raw.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, func() bool { return log.Has(errNoCloseNotify.Error()) })
		raw.Close()
		r.cancel()
		if err := r.wait(); err != nil {
			t.Error(err)
		}
	}
}

// reluctant is a kernel that moves a random number of bytes per call, often none.
type reluctant struct {
	linux
	rng *mathrand.Rand
}

func (k reluctant) recvfrom(fd int, b []byte) (int, unix.Errno) {
	switch k.rng.IntN(4) {
	case 0:
		return 0, unix.EAGAIN
	case 1:
		return 0, unix.EINTR
	}
	return k.linux.recvfrom(fd, b[:1+k.rng.IntN(len(b))])
}

func (k reluctant) sendmmsg(fd int, hdrs []mmsghdr) (int, unix.Errno) {
	if k.rng.IntN(2) == 0 {
		return 0, unix.EAGAIN
	}
	h := hdrs[:1]
	whole := h[0].hdr.Iov.Len
	h[0].hdr.Iov.SetLen(1 + k.rng.IntN(int(whole)))
	return k.linux.sendmmsg(fd, h)
}

// TestTLSSocketKeepsBytes: however few bytes the kernel moves at a time, all bytes arrive once and
// in order, and none counts as sent before the kernel has accepted its record.
func TestTLSSocketKeepsBytes(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for seed := range uint64(20) {
		rng := mathrand.New(mathrand.NewPCG(seed, 1))
		ln := testkit.Listen(t)
		dialed, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		server := tls.Server(raw, ca.Server())
		down, up := make([]byte, 200_000), make([]byte, 200_000)
		for i := range down {
			down[i], up[i] = byte(rng.Uint32()), byte(rng.Uint32())
		}
		got := make(chan []byte, 1)
		var peer sync.WaitGroup
		peer.Go(func() {
			if _, err := server.Write(down); err != nil {
				t.Error(err)
			}
			_ = server.CloseWrite()
		})
		peer.Go(func() {
			b, err := io.ReadAll(server)
			if err != nil {
				t.Error(err)
			}
			got <- b
		})
		s, err := secure(t.Context(), dialed.(*net.TCPConn), mustTLS(t, credential.Files{CA: ca.File}).Client("127.0.0.1", nil))
		if err != nil {
			t.Fatal(err)
		}
		s.socket.kernel = reluctant{rng: rng}
		received := exchange(t, s, rng, up, len(down))
		if !bytes.Equal(received, down) {
			t.Errorf("seed %d: what was received differs", seed)
		}
		if !bytes.Equal(<-got, up) {
			t.Errorf("seed %d: what was sent differs", seed)
		}
		peer.Wait()
		s.close()
		raw.Close()
	}
}

// exchange sends up in messages of random length and receives until the end.
func exchange(t *testing.T, s *tlsSocket, rng *mathrand.Rand, up []byte, want int) []byte {
	t.Helper()
	var received []byte
	closed := false
	for len(received) < want || !closed || !s.pipe.ended && len(received) == want {
		b := make([]byte, 1+rng.IntN(40_000))
		n, err := s.recv(b)
		received = append(received, b[:n]...)
		if err != nil && !wouldBlock(err) {
			t.Fatal(err)
		}
		if err == nil && n == 0 && closed {
			break
		}
		if len(up) > 0 {
			var msgs [][]byte
			rest := up
			for len(rest) > 0 && len(msgs) < maxBatch {
				k := min(len(rest), 1+rng.IntN(5000))
				msgs, rest = append(msgs, rest[:k]), rest[k:]
			}
			n, err := s.send(msgs)
			if err != nil && !wouldBlock(err) {
				t.Fatal(err)
			}
			if n > 0 && s.pipe.pending() > 0 && s.sealed == 0 {
				t.Fatal("bytes count as sent and their record was not taken whole")
			}
			up = up[n:]
			continue
		}
		if err := s.closeSend(); err == nil {
			closed = true
		} else if !wouldBlock(err) && !errors.Is(err, unix.ENOTCONN) {
			t.Fatal(err)
		}
	}
	return received
}

// corked delays writes until the next read, so that the end of a handshake and the data after it
// are sent together.
type corked struct {
	net.Conn
	held []byte
}

func (c *corked) Write(b []byte) (int, error) {
	c.held = append(c.held, b...)
	return len(b), nil
}

func (c *corked) Read(b []byte) (int, error) {
	if len(c.held) > 0 {
		if _, err := c.Conn.Write(c.held); err != nil {
			return 0, err
		}
		c.held = nil
	}
	return c.Conn.Read(b)
}

// TestTLSDataWithHandshake: data that arrive together with the end of the handshake are read,
// although no edge follows.
func TestTLSDataWithHandshake(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ln := testkit.Listen(t)
		cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), accept)
		setFlag(&cfg, "frame", "line")
		setFlag(&cfg, "ack-template", `A{n}\n`)
		cfg.TLS = mustTLS(t, credential.Files{CA: ca.File})
		r := start(t, cfg)
		raw, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		_ = raw.SetReadDeadline(time.Now().Add(20 * time.Second))
		conn := tls.Server(&corked{Conn: raw}, &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil)}, MaxVersion: version})
		if _, err := conn.Write([]byte("a\n")); err != nil {
			t.Fatal(err)
		}
		var ack [3]byte
		if _, err := io.ReadFull(conn, ack[:]); err != nil || string(ack[:]) != "A1\n" {
			t.Errorf("%s: ack %q, %v", tls.VersionName(version), ack, err)
		}
		raw.Close()
		r.cancel()
		if err := r.wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestTLSCutIsNoClose: a reset is not a clean close, even if a send reports it while reading is
// paused.
func TestTLSCutIsNoClose(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	ln := testkit.Listen(t)
	gate := make(chan struct{})
	var log testkit.Log
	cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
	cfg.Ack, cfg.InFlight = "none", 8
	setFlag(&cfg, "frame", "line")
	cfg.Heartbeat = 10 * time.Millisecond
	setFlag(&cfg, "heartbeat-template", `hb\n`)
	cfg.TLS = mustTLS(t, credential.Files{CA: ca.File})
	cfg.Log = log.Logger()
	r := start(t, cfg)
	raw, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	conn := tls.Server(raw, ca.Server())
	if _, err := conn.Write([]byte(strings.Repeat("hello\n", 500))); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 8 })
	_ = raw.(*net.TCPConn).SetLinger(0)
	raw.Close()
	waitFor(t, func() bool { return log.Has("can no longer be sent") })
	close(gate)
	waitFor(t, func() bool { return r.g.Stats().Reconnects.Load() > 0 })
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}
