package feedserver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker/testkit"
)

// TestTLS: every protocol works over TLS of any version, and ends with close_notify. Without it,
// crypto/tls would return io.ErrUnexpectedEOF.
func TestTLS(t *testing.T) {
	const count = 3000
	a := tlstest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for protocol, session := range map[string]func(nc net.Conn, s *Server){
			"fg": func(nc net.Conn, s *Server) {
				c := &fgClient{t: t, nc: nc, r: bufio.NewReader(nc)}
				if err := c.login("", 0, ""); err != nil {
					t.Fatal(err)
				}
				c.data(1, count)
				c.ack(1, count)
				c.end(fg1.CodeOK)
			},
			"ws": func(nc net.Conn, s *Server) {
				c, _, err := upgradeWS(t, nc, handshake())
				if err != nil {
					t.Fatal(err)
				}
				c.messages(s, 1, count)
				c.ack(1, count)
				c.end(closeNormal)
			},
			"line": func(nc net.Conn, s *Server) {
				text, err := io.ReadAll(nc)
				if err != nil {
					t.Fatal(err)
				}
				var acks []byte
				for n := uint64(1); n <= count; n++ {
					want := append(bytes.Clone(s.payload(n)), '\n')
					if !bytes.HasPrefix(text, want) {
						t.Fatalf("message %d is missing", n)
					}
					text, acks = text[len(want):], fmt.Appendf(acks, "A%d\n", n)
				}
				if _, err := nc.Write(acks); err != nil || len(text) > 0 {
					t.Fatalf("%d bytes more, %v", len(text), err)
				}
				_ = nc.Close()
			},
			"length": func(nc net.Conn, s *Server) {
				for n := uint64(1); n <= count; n++ {
					b := make([]byte, 4+64)
					if _, err := io.ReadFull(nc, b); err != nil || binary.BigEndian.Uint32(b) != 64 || !bytes.Equal(b[4:], s.payload(n)) {
						t.Fatalf("message %d is %q, %v", n, b, err)
					}
					_, _ = nc.Write(lengthAck(n, 0))
				}
				if n, err := nc.Read(make([]byte, 1)); n > 0 || err != io.EOF {
					t.Errorf("after the last message: %v", err)
				}
				_ = nc.Close()
			},
		} {
			s := start(t, Config{Protocol: protocol, Count: count, TLS: a.Server()})
			cfg := a.Client()
			cfg.MinVersion, cfg.MaxVersion = version, version
			nc := tls.Client(dial(t, s), cfg)
			session(nc, s)
			r := wait(t, s)
			expect(t, r.Total, Counts{Sent: count, Acknowledged: count, Connections: 1})
			if state := nc.ConnectionState(); state.Version != version || r.FailedHandshakes != 0 {
				t.Errorf("%s: %+v, %d failed handshakes", protocol, state, r.FailedHandshakes)
			}
		}
	}
}

// TestTLSLong: more data than the socket buffers hold reaches a slow and a fast client.
func TestTLSLong(t *testing.T) {
	const size = 5 << 20
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Count: 4, Size: size, Clients: 2, TLS: a.Server()})
	read := func(c *fgClient) {
		for seq := uint64(1); seq <= 4; seq++ {
			if f := c.want(fg1.Data); f.Seq != seq || !bytes.Equal(f.payload, s.payload(seq)) {
				t.Fatalf("message %d is %+v", seq, f.Header)
			}
		}
		c.ack(1, 4)
		c.end(fg1.CodeOK)
	}
	var clients []*fgClient
	for range 2 {
		nc := dialTLS(t, s, a)
		c := &fgClient{t: t, nc: nc, r: bufio.NewReader(nc)}
		if err := c.login("", 0, ""); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	read(clients[1])
	read(clients[0])
	expect(t, wait(t, s).Total, Counts{Sent: 8, Acknowledged: 8, Connections: 2})
}

// finish reads to close_notify, sends the last acks and closes. With unread input, closing would
// reset the connection and destroy the acks.
func finish(t *testing.T, nc net.Conn, acks string) {
	t.Helper()
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, acks)
	_ = nc.Close()
}

// trickle is a connection that transfers one byte at a time.
type trickle struct{ net.Conn }

func (c trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// TestTLSInPieces: the handshake and records can arrive byte by byte, with one message per record.
func TestTLSInPieces(t *testing.T) {
	a := tlstest.NewAuthority(t)
	chaos := Chaos{SplitMin: 1, SplitMax: 5}
	s := start(t, Config{Protocol: "ws", Count: 20, TLS: a.Server(), Chaos: chaos})
	c, _, err := upgradeWS(t, tls.Client(trickle{dial(t, s)}, a.Client()), handshake())
	if err != nil {
		t.Fatal(err)
	}
	c.messages(s, 1, 20)
	for n := uint64(1); n <= 20; n++ {
		c.ack(n, n)
	}
	c.end(closeNormal)
	expect(t, wait(t, s).Total, Counts{Sent: 20, Acknowledged: 20, Connections: 1})
}

// TestTLSChaos: no message is lost over TLS by resets, or by an end of the stream without
// close_notify.
func TestTLSChaos(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Protocol: "line", Count: 500, Size: 10, TLS: a.Server(), Chaos: Chaos{Reset: 0.2, SplitMin: 1, SplitMax: 50}, Seed: 9})
	for begun := time.Now(); ; {
		if time.Since(begun) > patience {
			t.Fatal("the session did not end")
		}
		raw, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			continue // reset before it was there
		}
		_ = raw.SetDeadline(time.Now().Add(patience))
		nc := tls.Client(raw, a.Client())
		r := bufio.NewReader(nc)
		for n := 1; err == nil; n++ {
			if _, err = r.ReadBytes('\n'); err == nil {
				_, err = fmt.Fprintf(nc, "A%d\n", n)
			}
		}
		if err == io.EOF {
			_ = nc.Close()
			break
		}
		_ = raw.Close()
	}
	r := wait(t, s)
	if r.Total.Acknowledged != 500 || r.Total.Connections < 2 || r.FailedHandshakes != 0 || r.Err() != nil {
		t.Errorf("%+v, %v", r.Total, r.Err())
	}
}

// TestTLSCloseNotify: a session is over if the client closes with close_notify after it has
// received everything. Without close_notify, the client can still resume it.
func TestTLSCloseNotify(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Protocol: "line", Count: 3, Size: 1, TLS: a.Server()})
	for first := 0; first <= 1; first++ {
		raw := dial(t, s)
		nc := tls.Client(raw, a.Client())
		text, err := io.ReadAll(nc)
		if err != nil || len(text) != 2*(3-first) {
			t.Fatalf("got %q, %v", text, err)
		}
		fmt.Fprint(nc, "A1\n")
		if first == 0 {
			testkit.Eventually(t, "the ack", func() bool { return s.Report().Total.Acknowledged == 1 })
			_ = raw.Close()
			continue
		}
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if n, err := raw.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			t.Errorf("after close_notify: %d bytes, %v", n, err)
		}
	}
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 3, Acknowledged: 2, Missing: 1, Resent: 2, Connections: 2})
}

// TestTLSCloseNotifyEarly: close_notify before the last message is answered with one, and the
// client can resume.
func TestTLSCloseNotifyEarly(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Protocol: "line", Count: 3, Size: 1, Window: 1, TLS: a.Server()})
	nc := dialTLS(t, s, a)
	if _, err := io.ReadFull(nc, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if n, err := nc.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("after close_notify: %d bytes, %v", n, err)
	}
	nc = dialTLS(t, s, a)
	for n := 1; n <= 2; n++ {
		if _, err := io.ReadFull(nc, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(nc, "A%d\n", n)
	}
	finish(t, nc, "A3\n")
	expect(t, wait(t, s).Total, Counts{Sent: 3, Acknowledged: 3, Resent: 1, Connections: 2})
}
