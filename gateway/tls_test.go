package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
	"feedgate/gateway/wire"
	"feedgate/gateway/wire/fg1"
	"feedgate/worker/credential"
	"feedgate/worker/testkit"
)

// terminate puts a TLS proxy in front of a plain server and returns its address. It forwards the
// end of each direction.
func terminate(t *testing.T, to string, cfg *tls.Config) string {
	t.Helper()
	ln := testkit.Listen(t)
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

func mustTLS(t *testing.T, files credential.Files) *credential.TLS {
	t.Helper()
	c, err := credential.LoadTLS(TLSFlags, files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLSEachMessageAckedOnce: FG/1 works over TLS 1.2 and 1.3.
func TestTLSEachMessageAckedOnce(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			feed := newTestFeed(t)
			at := terminate(t, feed.ln.Addr().String(), &tls.Config{
				Certificates: []tls.Certificate{ca.Issue(nil)}, MinVersion: version, MaxVersion: version,
			})
			cfg := testConfig(t, "fg+tls://"+at, accept)
			cfg.TLS = mustTLS(t, credential.Files{CA: ca.File})
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

// TestTLSRefuses: each fault is refused, counted and logged with its reason.
func TestTLSRefuses(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	good := ca.Issue(nil)
	for _, c := range []struct {
		name   string
		server *tls.Config
		files  credential.Files
		want   string
	}{
		{"wrong host", &tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("feed.example"))}},
			credential.Files{CA: ca.File}, "see --tls-server-name"},
		{"wrong server name", &tls.Config{Certificates: []tls.Certificate{good}},
			credential.Files{CA: ca.File, ServerName: "feed.example"}, "see --tls-server-name"},
		{"a common name alone", &tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
			c.Subject.CommonName, c.DNSNames, c.IPAddresses = "127.0.0.1", nil, nil
		})}}, credential.Files{CA: ca.File}, "needs a certificate with subject alternative names"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		})}}, credential.Files{CA: ca.File}, "certificate has expired"},
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{good}}, credential.Files{CA: other.File}, "see --tls-ca"},
		{"not the system's", &tls.Config{Certificates: []tls.Certificate{good}}, credential.Files{}, "see --tls-ca"},
		{"for clients only", &tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})}}, credential.Files{CA: ca.File}, "incompatible key usage"},
		{"no client certificate, 1.3", &tls.Config{Certificates: []tls.Certificate{good},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}, credential.Files{CA: ca.File}, "see --tls-cert"},
		{"no client certificate, 1.2", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}, credential.Files{CA: ca.File}, "see --tls-cert"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			credential.Files{CA: ca.File}, "protocol version not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			feed := newTestFeed(t)
			var log testkit.Log
			cfg := testConfig(t, "fg+tls://"+terminate(t, feed.ln.Addr().String(), c.server), accept)
			cfg.TLS = mustTLS(t, c.files)
			cfg.Log = log.Logger()
			r := start(t, cfg)
			defer func() {
				if t.Failed() {
					t.Log(log.String())
				}
			}()
			waitFor(t, func() bool {
				n := uint64(0)
				r.g.Stats().Errors(func(reason string, k uint64) { n += k })
				return n > 0 && log.Has(c.want)
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

// TestTLSNotTLS: the log shows that the server does not use TLS.
func TestTLSNotTLS(t *testing.T) {
	feed := newTestFeed(t)
	var log testkit.Log
	cfg := testConfig(t, "fg+tls://"+feed.ln.Addr().String(), accept)
	cfg.Log = log.Logger()
	r := start(t, cfg)
	conn := feed.accept()
	conn.send([]byte("220 this is not TLS at all\r\n"))
	waitFor(t, func() bool { return log.Has("first record does not look like a TLS handshake") })
	conn.Close()
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// TestTLSSilence: a server that accepts the connection and never answers.
func TestTLSSilence(t *testing.T) {
	s := newTestServer(t)
	var log testkit.Log
	cfg := testConfig(t, "fg+tls://"+s.ln.Addr().String(), accept)
	cfg.ConnectTimeout = 50 * time.Millisecond
	cfg.Log = log.Logger()
	r := start(t, cfg)
	s.accept()
	waitFor(t, func() bool { return log.Has("TLS handshake: no answer within --connect-timeout") })
	r.cancel()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	r.g.Stats().Errors(func(reason string, n uint64) {
		if reason != wire.TLS {
			t.Errorf("%d errors counted as %s", n, reason)
		}
	})
}

// TestTLSClientCertificate: the client certificate is sent, and a new one after a reload.
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
	files := credential.Files{CA: ca.File, Cert: cert, Key: key}
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
