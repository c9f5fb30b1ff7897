package gateway

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"feedgate/gateway/tlstest"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker"
)

// terminate puts TLS in front of a plain server and returns its address. The end of a
// direction is passed on as one.
func terminate(t *testing.T, to string, cfg *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		all.Wait()
	})
	pass := func(to interface {
		io.Writer
		CloseWrite() error
	}, from io.Reader) {
		_, _ = io.Copy(to, from)
		_ = to.CloseWrite()
	}
	all.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer raw.Close()
				conn := tls.Server(raw, cfg)
				if conn.Handshake() != nil {
					return
				}
				plain, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer plain.Close()
				var both sync.WaitGroup
				both.Go(func() { pass(plain.(*net.TCPConn), conn) })
				pass(conn, plain)
				both.Wait()
			})
		}
	})
	return ln.Addr().String()
}

func mustTLS(t *testing.T, files TLSConfig) *TLS {
	t.Helper()
	c, err := LoadTLS(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLSEachMessageAckedOnce: the whole of FG/1 goes over TLS, 1.2 and 1.3.
func TestTLSEachMessageAckedOnce(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			feed := newTestFeed(t)
			at := terminate(t, feed.ln.Addr().String(), &tls.Config{
				Certificates: []tls.Certificate{ca.Issue(nil)}, MinVersion: version, MaxVersion: version,
			})
			cfg := testConfig(t, "fg+tls://"+at, accept)
			cfg.TLS = mustTLS(t, TLSConfig{CA: ca.File})
			r := start(t, cfg)
			conn := feed.login(1, `{"session":"s"}`)
			if err := conn.stream(1, 100_000, 300); err != nil {
				t.Error(err)
			}
			conn.Close()
			if err := r.wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// logged collects a gateway's log.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

// TestTLSRefuses: each fault is refused, counted, and named in the log.
func TestTLSRefuses(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	good := ca.Issue(nil)
	for _, c := range []struct {
		name   string
		server *tls.Config
		files  TLSConfig
		want   string
	}{
		{"wrong host", &tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("feed.example"))}},
			TLSConfig{CA: ca.File}, "see --tls-server-name"},
		{"wrong server name", &tls.Config{Certificates: []tls.Certificate{good}},
			TLSConfig{CA: ca.File, ServerName: "feed.example"}, "see --tls-server-name"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		})}}, TLSConfig{CA: ca.File}, "certificate has expired"},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, TLSConfig{CA: other.File}, "see --tls-ca"},
		{"not the system's", &tls.Config{Certificates: []tls.Certificate{good}}, TLSConfig{}, "see --tls-ca"},
		{"for clients only", &tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})}}, TLSConfig{CA: ca.File}, "incompatible key usage"},
		{"no client certificate, 1.3", &tls.Config{Certificates: []tls.Certificate{good},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}, TLSConfig{CA: ca.File}, "see --tls-cert"},
		{"no client certificate, 1.2", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}, TLSConfig{CA: ca.File}, "see --tls-cert"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			TLSConfig{CA: ca.File}, "protocol version not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			feed := newTestFeed(t)
			var log logged
			cfg := testConfig(t, "fg+tls://"+terminate(t, feed.ln.Addr().String(), c.server), accept)
			cfg.TLS = mustTLS(t, c.files)
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			r := start(t, cfg)
			defer func() {
				if t.Failed() {
					t.Log(log.text.String())
				}
			}()
			waitFor(t, func() bool {
				n := uint64(0)
				r.g.Stats().Errors(func(reason string, k uint64) { n += k })
				return n > 0 && log.has(c.want)
			})
			r.cancel()
			if err := r.wait(); err != nil {
				t.Error(err)
			}
			r.g.Stats().Errors(func(reason string, n uint64) {
				if reason != wire.TLS {
					t.Errorf("%d errors counted as %s", n, reason)
				}
			})
		})
	}
}

// TestTLSNotTLS: a server that speaks no TLS is told so.
func TestTLSNotTLS(t *testing.T) {
	feed := newTestFeed(t)
	var log logged
	cfg := testConfig(t, "fg+tls://"+feed.ln.Addr().String(), accept)
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := start(t, cfg)
	conn := feed.accept()
	conn.send([]byte("220 this is not TLS at all\r\n"))
	waitFor(t, func() bool { return log.has("first record does not look like a TLS handshake") })
	conn.Close()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// TestTLSClientCertificate: the certificate is shown, and another one once the files
// were read again.
func TestTLSClientCertificate(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	seen := make(chan string, 4)
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(nil)},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		VerifyConnection: func(s tls.ConnectionState) error {
			seen <- s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	}
	named := func(name string) tls.Certificate {
		return ca.Issue(func(c *x509.Certificate) { c.Subject.CommonName = name })
	}
	cert, key := ca.Files(named("first"))
	files := TLSConfig{CA: ca.File, Cert: cert, Key: key}
	feed := newTestFeed(t)
	cfg := testConfig(t, "fg+tls://"+terminate(t, feed.ln.Addr().String(), server), accept)
	cfg.TLS = mustTLS(t, files)
	r := start(t, cfg)
	first := feed.login(1, `{"session":"s"}`)
	if got := <-seen; got != "first" {
		t.Errorf("certificate %q", got)
	}
	newCert, newKey := ca.Files(named("second"))
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := cfg.TLS.Reload(); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := feed.login(1, `{"session":"s"}`)
	if got := <-seen; got != "second" {
		t.Errorf("certificate %q after the files were read again", got)
	}
	if err := os.WriteFile(cert, []byte("not a certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cfg.TLS.Reload(); err == nil || !strings.Contains(err.Error(), "--tls-cert") {
		t.Errorf("error %v, want one that names --tls-cert", err)
	}
	second.Close()
	third := feed.login(1, `{"session":"s"}`)
	if got := <-seen; got != "second" {
		t.Errorf("certificate %q after files that cannot be used", got)
	}
	third.bye()
	third.expect(fg1.Bye, 0, 0)
	third.Close()
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
}

func TestTLSFilesFaults(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	_, stranger := ca.Files(ca.Issue(nil))
	for _, c := range []struct {
		files TLSConfig
		want  string
	}{
		{TLSConfig{CA: "missing"}, "--tls-ca"},
		{TLSConfig{CA: key}, "--tls-ca"},
		{TLSConfig{Cert: cert}, "--tls-key: missing"},
		{TLSConfig{Key: key}, "--tls-cert: missing"},
		{TLSConfig{Cert: cert, Key: stranger}, "--tls-cert, --tls-key"},
		{TLSConfig{Cert: cert, Key: "missing"}, "--tls-cert, --tls-key"},
	} {
		if _, err := LoadTLS(c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.files, err, c.want)
		}
	}
}

// TestTLSClose: the end of the stream is a clean close only behind close_notify.
func TestTLSClose(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, clean := range []bool{true, false} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var log logged
		cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), accept)
		cfg.Frame, cfg.AckTemplate = "line", `A{n}\n`
		cfg.TLS = mustTLS(t, TLSConfig{CA: ca.File})
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
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
			acks, err := io.ReadAll(conn) // ends with close_notify, or it is an error
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
		waitFor(t, func() bool { return log.has(errCutShort.Error()) })
		raw.Close()
		r.cancel()
		if err := r.wait(); err != nil {
			t.Error(err)
		}
	}
}

// reluctant is a kernel that takes and gives as much as dice say, and often nothing.
type reluctant struct {
	linux
	dice *mathrand.Rand
}

func (k reluctant) recvfrom(fd int, b []byte) (int, unix.Errno) {
	switch k.dice.IntN(4) {
	case 0:
		return 0, unix.EAGAIN
	case 1:
		return 0, unix.EINTR
	}
	return k.linux.recvfrom(fd, b[:1+k.dice.IntN(len(b))])
}

func (k reluctant) sendmmsg(fd int, hdrs []mmsghdr) (int, unix.Errno) {
	if k.dice.IntN(2) == 0 {
		return 0, unix.EAGAIN
	}
	h := hdrs[:1]
	whole := h[0].hdr.Iov.Len
	h[0].hdr.Iov.SetLen(1 + k.dice.IntN(int(whole)))
	return k.linux.sendmmsg(fd, h)
}

// TestTLSSocketKeepsBytes: whatever the kernel takes and gives at a time, each way's
// bytes arrive once and in order, and no byte counts as sent before its record went.
func TestTLSSocketKeepsBytes(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for seed := range uint64(20) {
		dice := mathrand.New(mathrand.NewPCG(seed, 1))
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
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
			down[i], up[i] = byte(dice.Uint32()), byte(dice.Uint32())
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
		s, err := secure(t.Context(), dialed.(*net.TCPConn), mustTLS(t, TLSConfig{CA: ca.File}).client("127.0.0.1", nil))
		if err != nil {
			t.Fatal(err)
		}
		s.socket.kernel = reluctant{dice: dice}
		received := exchange(t, s, dice, up, len(down))
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

// exchange sends up, in messages as dice say, and receives until the end.
func exchange(t *testing.T, s *tlsSocket, dice *mathrand.Rand, up []byte, want int) []byte {
	t.Helper()
	var received []byte
	closed := false
	for len(received) < want || !closed || !s.pipe.ended && len(received) == want {
		b := make([]byte, 1+dice.IntN(40_000))
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
				k := min(len(rest), 1+dice.IntN(5000))
				msgs, rest = append(msgs, rest[:k]), rest[k:]
			}
			n, err := s.send(msgs)
			if err != nil && !wouldBlock(err) {
				t.Fatal(err)
			}
			if n > 0 && s.pipe.kept() > 0 && s.sealed == 0 {
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

// corked writes what it is given when it is read from: so a handshake's end and what
// follows it go in one piece.
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

// TestTLSDataWithHandshake: what comes in one piece with the end of the handshake is
// read, though no edge tells of it.
func TestTLSDataWithHandshake(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), accept)
		cfg.Frame, cfg.AckTemplate = "line", `A{n}\n`
		cfg.TLS = mustTLS(t, TLSConfig{CA: ca.File})
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

// TestTLSCutIsNoClose: a reset is not a clean close, also when it is noticed by sending
// while there is no room to read.
func TestTLSCutIsNoClose(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gate := make(chan struct{})
	var log logged
	cfg := testConfig(t, "tcp+tls://"+ln.Addr().String(), func(worker.Message) worker.Code { <-gate; return worker.OK })
	cfg.Frame, cfg.Ack, cfg.InFlight = "line", "none", 64
	cfg.HeartbeatTemplate, cfg.Heartbeat = `hb\n`, 10*time.Millisecond
	cfg.TLS = mustTLS(t, TLSConfig{CA: ca.File})
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
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
	waitFor(t, func() bool { return r.g.Stats().InFlight.Load() == 64 })
	_ = raw.(*net.TCPConn).SetLinger(0)
	raw.Close()
	waitFor(t, func() bool { return log.has("cannot be sent any more") })
	close(gate)
	waitFor(t, func() bool { return r.g.Stats().Reconnects.Load() > 0 })
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}
