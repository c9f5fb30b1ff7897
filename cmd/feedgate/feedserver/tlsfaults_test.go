package feedserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
	"feedgate/worker/testkit"
)

// TestTLSClientCA: a client without a certificate of the right authority is refused.
func TestTLSClientCA(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := a.Files(a.Issue(nil))
	cfg, err := TLSFiles{Cert: cert, Key: key, ClientCA: a.File}.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Protocol: "line", Count: 1, TLS: cfg})
	connect := func(pairs ...tls.Certificate) (*tls.Conn, error) {
		cfg := a.Client()
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &append(pairs, tls.Certificate{})[0], nil
		}
		nc := tls.Client(dial(t, s), cfg)
		_, err := io.ReadFull(nc, make([]byte, 65))
		return nc, err
	}
	for _, pairs := range [][]tls.Certificate{nil, {other.Issue(nil)}} {
		if _, err := connect(pairs...); !strings.Contains(fmt.Sprint(err), "remote error: tls: ") {
			t.Errorf("a client with %d certificates, of another authority, gets %v", len(pairs), err)
		}
	}
	nc, err := connect(a.Issue(nil))
	if err != nil {
		t.Fatal(err)
	}
	finish(t, nc, "A1\n")
	r := wait(t, s)
	expect(t, r.Total, Counts{Sent: 1, Acknowledged: 1, Connections: 1})
	if r.FailedHandshakes != 2 || r.RejectedLogins != 0 || len(r.Clients) != 1 {
		t.Errorf("%d failed handshakes, %d rejected logins, %d clients", r.FailedHandshakes, r.RejectedLogins, len(r.Clients))
	}
}

// TestTLSFailedHandshakes: every kind of failed handshake is counted and leaves no session.
func TestTLSFailedHandshakes(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Protocol: "line", Count: 1, TLS: a.Server(), IdleTimeout: 300 * time.Millisecond})
	silent := dial(t, s)
	plain := dial(t, s)
	fmt.Fprint(plain, "GET / HTTP/1.1\r\n\r\n")
	if _, err := io.ReadAll(plain); err != nil {
		t.Errorf("a client without TLS gets %v", err)
	}
	_ = plain.Close()
	cut := dial(t, s)
	_, _ = cut.Write([]byte{22, 3, 1, 2, 0, 1})
	_ = cut.Close()
	stranger := tls.Client(dial(t, s), &tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool()})
	if err := stranger.Handshake(); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("a client that does not trust the feed gets %v", err)
	}
	_ = stranger.Close()
	old := tls.Client(dial(t, s), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := old.Handshake(); !strings.Contains(fmt.Sprint(err), "protocol version") {
		t.Errorf("a client of TLS 1.1 gets %v", err)
	}
	_ = old.Close()
	if _, err := io.ReadAll(silent); err != nil {
		t.Errorf("a silent client gets %v", err)
	}
	testkit.Eventually(t, "five failed handshakes", func() bool { return s.Report().FailedHandshakes == 5 })
	finish(t, dialTLS(t, s, a), "A1\n")
	expect(t, wait(t, s).Total, Counts{Sent: 1, Acknowledged: 1, Connections: 1})
}

// TestTLSBadRecord: an invalid record ends the connection with an alert and counts as a protocol
// error.
func TestTLSBadRecord(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{Protocol: "line", Count: 10, Size: 1, Window: 2, TLS: a.Server()})
	raw := dial(t, s)
	nc := tls.Client(raw, a.Client())
	if _, err := io.ReadFull(nc, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "A1\n")
	_, _ = raw.Write([]byte{23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	if _, err := io.ReadAll(nc); !strings.Contains(fmt.Sprint(err), "remote error: tls: bad record MAC") {
		t.Errorf("the client gets %v", err)
	}
	_ = nc.Close()
	nc = dialTLS(t, s, a)
	for n := 1; n < 9; n++ {
		if _, err := io.ReadFull(nc, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(nc, "A%d\n", n)
	}
	finish(t, nc, "A9\n")
	total := wait(t, s).Total
	if total.Acknowledged != 10 || total.Connections != 2 || total.ProtocolErrors != 1 {
		t.Errorf("%+v", total)
	}
}

// TestTLSCloseDuringHandshake: Close ends handshakes in progress.
func TestTLSCloseDuringHandshake(t *testing.T) {
	a := tlstest.NewAuthority(t)
	s := start(t, Config{TLS: a.Server()})
	for range 3 {
		nc := dial(t, s)
		if _, err := nc.Write([]byte{22, 3, 1}); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Eventually(t, "the loop", func() bool { return s.loop.tasks.loop() != nil })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
