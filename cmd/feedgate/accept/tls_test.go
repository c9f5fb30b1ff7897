package accept

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues the certificates of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// file is the authority's certificate as PEM.
	file string
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) write(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issue makes a certificate for an address or a name, and its files.
func (a *authority) issue(t *testing.T, name string) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile = a.write(t, name+".pem", "CERTIFICATE", der)
	keyFile = a.write(t, name+".key", "PRIVATE KEY", private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}

// acceptTLS waits for the gateway's next connection and shakes hands.
func acceptTLS(t *testing.T, ln *net.TCPListener, config *tls.Config) (*tls.Conn, *net.TCPConn, error) {
	t.Helper()
	raw := accept(t, ln)
	conn := tls.Server(raw, config)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn, raw, conn.Handshake()
}

func TestTLSCarriesFG1(t *testing.T) {
	t.Parallel()
	needs(t, "tls")
	ca := newAuthority(t)
	address, _, _ := ca.issue(t, "127.0.0.1")
	named, _, _ := ca.issue(t, "feed.test")
	_, cert, key := ca.issue(t, "gateway.test")
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	for name, c := range map[string]struct {
		config *tls.Config
		args   []string
	}{
		"1.3":         {&tls.Config{Certificates: []tls.Certificate{address}}, nil},
		"1.2":         {&tls.Config{Certificates: []tls.Certificate{address}, MaxVersion: tls.VersionTLS12}, nil},
		"server name": {&tls.Config{Certificates: []tls.Certificate{named}}, []string{"--tls-server-name=feed.test"}},
		"client certificate": {&tls.Config{Certificates: []tls.Certificate{address}, ClientCAs: clients,
			ClientAuth: tls.RequireAndVerifyClientCert}, []string{"--tls-cert=" + cert, "--tls-key=" + key}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			args := append([]string{"fg+tls://" + ln.Addr().String(), "--exit-on-close", "--tls-ca=" + ca.file}, c.args...)
			p := run(t, args...)
			conn, raw, err := acceptTLS(t, ln, c.config)
			if err != nil {
				t.Fatal(err)
			}
			fg := &fgConn{t: t, Conn: conn, tcp: raw, in: bufio.NewReader(conn)}
			fg.welcome(1, "{}")
			f := &flood{conn: conn, in: fg.in, count: 20_000, size: 64}
			f.serve(t)
			p.exit(0)
		})
	}
}

// TestTLSIsVerified: a server whose certificate does not hold gets nothing.
func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	needs(t, "tls")
	ca, other := newAuthority(t), newAuthority(t)
	right, _, _ := ca.issue(t, "127.0.0.1")
	wrongName, _, _ := ca.issue(t, "feed.test")
	for name, c := range map[string]struct {
		pair tls.Certificate
		args []string
	}{
		"unknown authority": {right, []string{"--tls-ca=" + other.file}},
		"system authority":  {right, nil},
		"other name":        {wrongName, []string{"--tls-ca=" + ca.file}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := run(t, append([]string{"fg+tls://" + ln.Addr().String()}, c.args...)...)
			// It tries again, as the fault may be the server's and pass.
			for range 2 {
				conn, _, err := acceptTLS(t, ln, &tls.Config{Certificates: []tls.Certificate{c.pair}})
				if err == nil {
					_, err = io.ReadFull(conn, make([]byte, 1))
				}
				if err == nil {
					t.Fatal("the gateway sent data to a server it cannot trust")
				}
				conn.Close()
			}
			p.waitLog(ln.Addr().String(), "certificate")
			p.stop()
		})
	}
}

// TestTLSCleanCloseNeedsCloseNotify: an end of stream alone may be an attacker's.
func TestTLSCleanCloseNeedsCloseNotify(t *testing.T) {
	t.Parallel()
	needs(t, "tls")
	ca := newAuthority(t)
	pair, _, _ := ca.issue(t, "127.0.0.1")
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	ln := listen(t, 0)
	p := run(t, "tcp+tls://"+ln.Addr().String(), "--frame=line", `--ack-template=A{n}\n`, "--exit-on-close", "--tls-ca="+ca.file)
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
		// Whatever follows, the stream ends.
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	}
	p.exit(0)
}
