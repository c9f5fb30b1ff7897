package credential

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
)

// serve starts a server that echoes what it receives, until the test ends. With a nil cfg it
// answers in plaintext.
func serve(t *testing.T, cfg *tls.Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if cfg == nil {
					_, _ = conn.Write([]byte("220 no TLS here\r\n"))
					_, _ = io.Copy(io.Discard, conn) // closing with unread bytes would reset it
					return
				}
				over := tls.Server(conn, cfg)
				_, _ = io.Copy(over, over) // errors are the client's to report
			}()
		}
	}()
	return ln.Addr().String()
}

// exchange dials, sends a line and reads it back.
func exchange(t *testing.T, c *TLS, addr string) error {
	t.Helper()
	conn, err := c.Dial(t.Context(), "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("line\n")); err != nil {
		return err
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != "line\n" {
		t.Errorf("read %q", got)
	}
	return nil
}

// TestDial: the server is verified, and an error names the flag that may help.
func TestDial(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	asks := func(version uint16) *tls.Config {
		return &tls.Config{
			Certificates: []tls.Certificate{ca.Issue(nil)}, MinVersion: version, MaxVersion: version,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		}
	}
	for name, c := range map[string]struct {
		server *tls.Config
		flags  Flags
		files  Files
		want   string
	}{
		"trusted":                {ca.Server(), sinkFlags, Files{CA: ca.File}, ""},
		"with a certificate":     {asks(tls.VersionTLS13), sinkFlags, Files{CA: ca.File, Cert: cert, Key: key}, ""},
		"unknown authority":      {other.Server(), sinkFlags, Files{CA: ca.File}, "see --sink-ca"},
		"not the system's":       {ca.Server(), sinkFlags, Files{}, "see --sink-ca"},
		"no certificate, 1.2":    {asks(tls.VersionTLS12), sinkFlags, Files{CA: ca.File}, "asked for a client certificate, see --sink-cert"},
		"no certificate, 1.3":    {asks(tls.VersionTLS13), sinkFlags, Files{CA: ca.File}, "asked for a client certificate, see --sink-cert"},
		"plaintext":              {nil, sinkFlags, Files{CA: ca.File}, "the server does not speak TLS; see the URL's scheme"},
		"another name":           {&tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("a.example"))}}, sinkFlags, Files{CA: ca.File}, "the URL must name the server as its certificate does"},
		"another name, upstream": {&tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("a.example"))}}, tlsFlags, Files{CA: ca.File}, "see --tls-server-name"},
		"no name": {&tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) { c.IPAddresses = nil })}},
			tlsFlags, Files{CA: ca.File}, "subject alternative names"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := LoadTLS(c.flags, c.files)
			if err != nil {
				t.Fatal(err)
			}
			err = exchange(t, client, serve(t, c.server))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := SystemTLS(sinkFlags).Dial(t.Context(), "tcp", "no port"); err == nil {
		t.Error("dialed an address without a port")
	}
}

// TestDialAfterReload: a connection uses the certificates of the last reload.
func TestDialAfterReload(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	client, err := LoadTLS(sinkFlags, Files{CA: other.File})
	if err != nil {
		t.Fatal(err)
	}
	addr := serve(t, ca.Server())
	if err := exchange(t, client, addr); err == nil {
		t.Error("a server of an unknown authority was trusted")
	}
	client.files.CA = ca.File // as if the file had been replaced
	if err := client.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := exchange(t, client, addr); err != nil {
		t.Error(err)
	}
}
