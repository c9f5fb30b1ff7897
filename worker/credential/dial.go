package credential

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
)

// Hint returns what may help against an error of TLS, with the flag to look at; empty if nothing is
// known. asked: the server asked for a client certificate, and there is none.
func (f Flags) Hint(err error, asked bool) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		alert   *net.OpError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &plain):
		return "the server does not speak TLS; see the URL's scheme"
	case errors.As(err, &unknown):
		return "see " + f.CA
	case errors.As(err, &name) && !hasNames(name.Certificate):
		return "the server needs a certificate with subject alternative names; a common name is not used"
	case errors.As(err, &name) && f.ServerName == "":
		return "the URL must name the server as its certificate does"
	case errors.As(err, &name):
		return "see " + f.ServerName
	case asked && errors.As(err, &alert) && alert.Op == "remote error":
		return "the server asked for a client certificate, see " + f.Cert
	case errors.As(err, &alert) && alert.Op == "remote error" && aboutCertificate(alert.Err.Error()):
		return "the server does not accept the client certificate, see " + f.Cert
	case errors.As(err, &alert) && alert.Op == "remote error" && alert.Err.Error() == tls.AlertError(70).Error(): // protocol_version
		return "TLS is 1.2 or later"
	}
	return ""
}

// aboutCertificate reports whether the text of a server's alert is about the client's certificate (RFC 8446,
// section 6.2). crypto/tls does not export the numbers.
func aboutCertificate(alert string) bool {
	return strings.Contains(alert, "certificate") || strings.Contains(alert, "access denied")
}

// Wrong reports whether an error shows that the settings of TLS are wrong: certificates, versions, or
// TLS itself. Another attempt does not help then. It is not an error of the network, nor one that a
// server has for reasons of its own, such as an internal error.
func Wrong(err error) bool {
	var (
		certificate *tls.CertificateVerificationError
		plain       tls.RecordHeaderError
		alert       *net.OpError
	)
	return errors.As(err, &certificate) || errors.As(err, &plain) ||
		errors.As(err, &alert) && alert.Op == "remote error" &&
			(aboutCertificate(alert.Err.Error()) || aboutVersion(alert.Err.Error()))
}

// aboutVersion reports whether the text of a server's alert is about what client and server have in
// common: versions, ciphers, names.
func aboutVersion(alert string) bool {
	for _, a := range []tls.AlertError{40, 70, 71, 112, 120} { // handshake_failure, protocol_version, insufficient_security, unrecognized_name, no_application_protocol
		if alert == a.Error() {
			return true
		}
	}
	return false
}

// hasNames reports whether a certificate has a subject alternative name of a host.
func hasNames(c *x509.Certificate) bool { return len(c.DNSNames)+len(c.IPAddresses) > 0 }

// Dial connects to addr, HOST:PORT, with TLS and the current certificates. Client libraries take a
// function of this form as their dialer. Errors of the handshake, and of Read, name the flag that
// may help.
func (t *TLS) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	asked := new(atomic.Bool)
	cfg := t.Client(host, nil)
	if len(cfg.Certificates) == 0 {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked.Store(true)
			return new(tls.Certificate), nil
		}
	}
	conn, err := (&tls.Dialer{Config: cfg}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, t.flags.explain(err, asked.Load())
	}
	return &dialed{conn, t.flags, asked}, nil
}

// explain adds the hint to err.
func (f Flags) explain(err error, asked bool) error {
	if hint := f.Hint(err, asked); hint != "" {
		return fmt.Errorf("%w; %s", err, hint)
	}
	return err
}

// dialed adds hints to errors of Read, too: with TLS 1.3, the alert of a server that demands a
// client certificate arrives after the client's handshake.
type dialed struct {
	net.Conn
	flags Flags
	asked *atomic.Bool
}

func (c *dialed) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.asked.Load() {
		err = c.flags.explain(err, true)
	}
	return n, err
}
