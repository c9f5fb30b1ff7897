package e2e

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
)

// acceptTLS waits for the gateway's next connection and does the TLS handshake.
func acceptTLS(t *testing.T, ln *net.TCPListener, config *tls.Config) (*tls.Conn, *net.TCPConn, error) {
	t.Helper()
	raw := accept(t, ln)
	conn := tls.Server(raw, config)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn, raw, conn.Handshake()
}

// overTLS returns an FG/1 connection over TLS.
func overTLS(t *testing.T, conn *tls.Conn, raw *net.TCPConn) *fgConn {
	return &fgConn{t: t, Conn: conn, tcp: raw, in: bufio.NewReader(conn)}
}

func TestTLSCarriesFG1(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	address, named := ca.Issue(nil), ca.Issue(tlstest.For("feed.test"))
	cert, key := ca.Files(ca.Issue(tlstest.For("gateway.test")))
	for name, c := range map[string]struct {
		config *tls.Config
		args   []string
	}{
		"1.3":         {&tls.Config{Certificates: []tls.Certificate{address}}, nil},
		"1.2":         {&tls.Config{Certificates: []tls.Certificate{address}, MaxVersion: tls.VersionTLS12}, nil},
		"server name": {&tls.Config{Certificates: []tls.Certificate{named}}, []string{"--tls-server-name=feed.test"}},
		"client certificate": {&tls.Config{Certificates: []tls.Certificate{address}, ClientCAs: ca.Pool(),
			ClientAuth: tls.RequireAndVerifyClientCert}, []string{"--tls-cert=" + cert, "--tls-key=" + key}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			args := append([]string{"fg+tls://" + ln.Addr().String(), "--exit-on-close", "--tls-ca=" + ca.File}, c.args...)
			p := run(t, args...)
			conn, raw, err := acceptTLS(t, ln, c.config)
			if err != nil {
				t.Fatal(err)
			}
			fg := overTLS(t, conn, raw)
			fg.welcome(1, "{}")
			f := &flood{conn: conn, in: fg.in, count: 20_000, size: 64}
			f.serve(t)
			p.exit(0)
		})
	}
}

// TestTLSCertificatesAreVerified: a server with an invalid certificate gets no data.
func TestTLSCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	right, wrongName := ca.Issue(nil), ca.Issue(tlstest.For("feed.test"))
	for name, c := range map[string]struct {
		pair tls.Certificate
		args []string
	}{
		"unknown authority": {right, []string{"--tls-ca=" + other.File}},
		"system authority":  {right, nil},
		"other name":        {wrongName, []string{"--tls-ca=" + ca.File}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, append([]string{"fg+tls://" + ln.Addr().String()}, c.args...)...)
			// It retries: the server's fault may be temporary.
			for range 2 {
				conn, _, err := acceptTLS(t, ln, &tls.Config{Certificates: []tls.Certificate{c.pair}})
				if err == nil {
					_, err = io.ReadFull(conn, make([]byte, 1))
				}
				if err == nil {
					t.Fatal("the gateway sent data to an untrusted server")
				}
				conn.Close()
			}
			p.waitLog(ln.Addr().String(), "certificate")
			p.stop()
		})
	}
}

// TestTLSCleanCloseRequiresCloseNotify: an attacker can forge the end of the TCP stream.
func TestTLSCleanCloseRequiresCloseNotify(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	config := ca.Server()
	ln := listen(t, 0)
	p := run(t, "tcp+tls://"+ln.Addr().String(), "--frame=line", `--ack-template=A{n}\n`, "--exit-on-close", "--tls-ca="+ca.File)
	for _, clean := range []bool{false, true} {
		conn, raw, err := acceptTLS(t, ln, config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte("one\ntwo\n")); err != nil {
			t.Fatal(err)
		}
		acks := make([]byte, len("A1\nA2\n"))
		if _, err := io.ReadFull(conn, acks); err != nil || strings.Count(string(acks), "A") != 2 {
			t.Fatalf("%q, %v", acks, err)
		}
		if clean {
			err = conn.CloseWrite()
		} else {
			err = raw.CloseWrite()
		}
		if err != nil {
			t.Fatal(err)
		}
		// Wait for the end of the stream.
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	p.exit(0)
}

// TestHeadIsLimited: a server sends an overlong response head even before the request. Nothing
// after this error is decoded.
func TestHeadIsLimited(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	ln := listen(t, 0)
	p := run(t, "wss://"+ln.Addr().String()+"/", "--sink=discard:", "--tls-ca="+ca.File, "--reconnect-min=1ms", "--reconnect-max=1ms")
	for range 10 {
		conn, _, err := acceptTLS(t, ln, ca.Server())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nX: "+strings.Repeat("x", 17<<10)); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	p.waitLog("head of the server's answer is longer")
	if !p.running() {
		t.Error("the gateway has ended")
	}
}
