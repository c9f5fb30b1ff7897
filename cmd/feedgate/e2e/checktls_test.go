package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
)

// secured does the server's part of the TLS handshake, for NSQ after IDENTIFY, and reads on until the
// client has left.
func secured(t *testing.T, name string, ln *net.TCPListener, cfg *tls.Config) {
	t.Helper()
	var raw net.Conn
	if name == "NSQ" {
		c, _ := acceptNSQ(t, ln, `{"tls_v1":true}`)
		raw = c.TCPConn
	} else {
		raw = accept(t, ln)
	}
	conn := tls.Server(raw, cfg)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if conn.Handshake() == nil {
		_, _ = io.Copy(io.Discard, conn) // the client's line has the error, if any
	}
	conn.Close()
}

// TestCheckFindsWrongCertificates: with the flag that helps.
func TestCheckFindsWrongCertificates(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	good := &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil)}}
	for name, scheme := range schemesForCheck {
		for fault, c := range map[string]struct {
			server *tls.Config
			words  []string
		}{
			"authority": {&tls.Config{Certificates: []tls.Certificate{other.Issue(nil)}}, []string{"unknown authority", "; see --tls-ca"}},
			"name":      {&tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("feed.test"))}}, []string{"certificate", "see --tls-server-name"}},
			"expired": {&tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
			})}}, []string{"certificate has expired"}},
			"of the client": {&tls.Config{Certificates: good.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()},
				[]string{"asked for a client certificate, see --tls-cert"}},
		} {
			t.Run(name+" "+fault, func(t *testing.T) {
				t.Parallel()
				ln := listen(t, 0)
				url := strings.ReplaceAll(scheme.secure, "ADDR", ln.Addr().String())
				p := startCheck(t, append(scheme.flags, url, "--tls-ca="+ca.File)...)
				secured(t, name, ln, c.server)
				p.finding(1, append(c.words, "failed: "+url+": "+ln.Addr().String()+": ")...)
			})
		}
		t.Run(name+" without TLS", func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			url := strings.ReplaceAll(scheme.secure, "ADDR", s.ln.Addr().String())
			p := startCheck(t, append(scheme.flags, url, "--tls-ca="+ca.File)...)
			c := s.accept()
			c.send([]byte("220 hello\r\n"))
			_, _ = io.Copy(io.Discard, c.timed())
			c.close()
			if name == "NSQ" { // it has a login before TLS
				p.finding(1, "failed: "+url+": ")
				return
			}
			p.finding(1, "failed: "+url+": ", "see the URL's scheme")
		})
	}
	t.Run("client of another authority", func(t *testing.T) {
		t.Parallel()
		ln := listen(t, 0)
		url := "fg+tls://" + ln.Addr().String()
		cert, key := other.Files(other.Issue(nil))
		p := startCheck(t, url, "--tls-ca="+ca.File, "--tls-cert="+cert, "--tls-key="+key)
		secured(t, "FG/1", ln, &tls.Config{Certificates: good.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()})
		p.finding(1, "failed: "+url+": ", "; the server does not accept the client certificate, see --tls-cert")
	})
	t.Run("right", func(t *testing.T) {
		t.Parallel()
		ln := listen(t, 0)
		url := "tcp+tls://" + ln.Addr().String()
		p := startCheck(t, url, "--frame=line", "--tls-ca="+ca.File)
		secured(t, "tcp", ln, good)
		p.finding(0, "ok: "+url+": connected to "+ln.Addr().String()+", TLS 1.3, certificate expires 20", ", tcp")
	})
}
