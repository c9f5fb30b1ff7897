package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"

	"feedgate/gateway/wire"
	"feedgate/gateway/wire/flags"
)

// TLSConfig names the files of the schemes with TLS. There is no way to turn off that
// the server's certificate and name are checked.
type TLSConfig struct {
	CA         string // file of PEM certificates to trust instead of the system's
	Cert, Key  string // files of the client certificate and its key; both or none
	ServerName string // what the certificate must be for; empty: the host of the URL
}

// flags are the flags that are set.
func (c TLSConfig) flags() []string {
	var set []string
	for _, f := range [][2]string{
		{"--tls-ca", c.CA}, {"--tls-cert", c.Cert}, {"--tls-key", c.Key}, {"--tls-server-name", c.ServerName},
	} {
		if f[1] != "" {
			set = append(set, f[0])
		}
	}
	return set
}

// TLS is a client's certificates and whom it trusts. Several gateways share one. Any
// goroutine may call its methods.
type TLS struct {
	files   TLSConfig
	current atomic.Pointer[tls.Config]
}

// LoadTLS reads the files. Its errors name the flags.
func LoadTLS(files TLSConfig) (*TLS, error) {
	t := &TLS{files: files}
	return t, t.Reload()
}

// Reload reads the files again; connections made from then on use what they hold. On an
// error all stays as it was.
func (t *TLS) Reload() error {
	cfg := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		ServerName:                  t.files.ServerName,
		DynamicRecordSizingDisabled: true,
	}
	var faults flags.Faults
	if t.files.CA != "" {
		pem, err := os.ReadFile(t.files.CA)
		if err != nil {
			faults.Add("--tls-ca", err)
		} else {
			cfg.RootCAs = x509.NewCertPool()
			faults.Check(cfg.RootCAs.AppendCertsFromPEM(pem), "--tls-ca: no PEM certificate in %s", t.files.CA)
		}
	}
	switch {
	case t.files.Cert == "" && t.files.Key == "":
	case t.files.Key == "":
		faults.Add("--tls-key", errors.New("missing; --tls-cert needs it"))
	case t.files.Cert == "":
		faults.Add("--tls-cert", errors.New("missing; --tls-key needs it"))
	default:
		pair, err := tls.LoadX509KeyPair(t.files.Cert, t.files.Key)
		if err != nil && encrypted(t.files.Key) {
			faults.Add("--tls-key", fmt.Errorf("the key in %s is encrypted; decrypt it, as with openssl pkey", t.files.Key))
		} else {
			faults.Add("--tls-cert, --tls-key", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	t.current.Store(cfg)
	return nil
}

// encrypted reports whether a file holds an encrypted private key: PKCS #8 of RFC 5958, or
// the older form with headers of RFC 1421.
func encrypted(path string) bool {
	rest, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return false
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
}

// systemTLS trusts whom the system trusts.
func systemTLS() *TLS {
	t, err := LoadTLS(TLSConfig{})
	if err != nil {
		panic("gateway: " + err.Error()) // there is no file to fail on
	}
	return t
}

// client is the configuration for one connection.
func (t *TLS) client(host string, protocols []string) *tls.Config {
	cfg := t.current.Load().Clone()
	cfg.NextProtos = protocols
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}

// tlsError is a fault of TLS itself, not of the connection below.
type tlsError struct{ error }

func (e tlsError) Unwrap() error { return e.error }

// asTLS tells faults of TLS from those of the connection, and says what may help.
// asked: the server asked for a certificate and we had none.
func asTLS(err error, asked bool) error {
	var errno syscall.Errno
	if errors.As(err, &errno) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, net.ErrClosed) {
		return err
	}
	if hint := tlsHint(err, asked); hint != "" {
		err = fmt.Errorf("%w; %s", err, hint)
	}
	return tlsError{err}
}

func tlsHint(err error, asked bool) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		alert   *net.OpError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &plain):
		if looks := wire.LooksLike(plain.RecordHeader[:]); looks != "" {
			return "the server does not speak TLS, its answer looks like " + looks + "; see the URL's scheme"
		}
		return "the server does not speak TLS; see the URL's scheme"
	case errors.As(err, &unknown):
		return "see --tls-ca"
	case errors.As(err, &name) && !hasNames(name.Certificate):
		return "the server needs a certificate with subject alternative names; a common name is not used"
	case errors.As(err, &name):
		return "see --tls-server-name"
	case asked && errors.As(err, &alert) && alert.Op == "remote error":
		return "the server asked for a client certificate, see --tls-cert"
	}
	return ""
}

// hasNames reports whether a certificate has a subject alternative name of a host.
func hasNames(c *x509.Certificate) bool { return len(c.DNSNames)+len(c.IPAddresses) > 0 }
