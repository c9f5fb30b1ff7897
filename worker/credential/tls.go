package credential

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"feedgate/worker/durable"
)

// Files are the files of a TLS client. The server's certificate and name are always verified.
type Files struct {
	CA         string // PEM certificates to trust instead of the system's; empty: the system's
	Cert, Key  string // files of the client certificate and its key; both or none
	ServerName string // name in the server's certificate; empty: the host that is dialed
}

// Flags are the names of the flags with the Files, for errors and hints.
type Flags struct {
	CA, Cert, Key string
	ServerName    string // empty: no such flag
}

// TLS is the configuration of a TLS client, read from Files. Several connections share one. Any
// goroutine may call its methods.
type TLS struct {
	flags   Flags
	files   Files
	current atomic.Pointer[tls.Config]
}

// LoadTLS reads the files. Its error names the flags at fault.
func LoadTLS(flags Flags, files Files) (*TLS, error) {
	t := &TLS{flags: flags, files: files}
	return t, t.Reload()
}

// SystemTLS returns a TLS that trusts the system's certificate authorities and has no client
// certificate.
func SystemTLS(flags Flags) *TLS {
	t, err := LoadTLS(flags, Files{})
	if err != nil {
		panic("credential: " + err.Error()) // there is no file to fail on
	}
	return t
}

// Given returns the flags whose files are set.
func (t *TLS) Given() (set []string) {
	for _, f := range [][2]string{
		{t.flags.CA, t.files.CA}, {t.flags.Cert, t.files.Cert}, {t.flags.Key, t.files.Key}, {t.flags.ServerName, t.files.ServerName},
	} {
		if f[1] != "" {
			set = append(set, f[0])
		}
	}
	return set
}

// Reload reads the files again, for new connections. On an error nothing changes.
func (t *TLS) Reload() error {
	cfg := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		ServerName:                  t.files.ServerName,
		DynamicRecordSizingDisabled: true,
	}
	var faults []error
	if t.files.CA != "" {
		pem, err := durable.ReadFile(t.files.CA, maxPEM, nil)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", t.flags.CA, err))
		} else if cfg.RootCAs = x509.NewCertPool(); !cfg.RootCAs.AppendCertsFromPEM(pem) {
			faults = append(faults, fmt.Errorf("%s: no PEM certificate in %s", t.flags.CA, t.files.CA))
		}
	}
	switch {
	case t.files.Cert == "" && t.files.Key == "":
	case t.files.Key == "":
		faults = append(faults, fmt.Errorf("%s: missing; %s needs it", t.flags.Key, t.flags.Cert))
	case t.files.Cert == "":
		faults = append(faults, fmt.Errorf("%s: missing; %s needs it", t.flags.Cert, t.flags.Key))
	default:
		cert, certErr := durable.ReadFile(t.files.Cert, maxPEM, nil)
		key, keyErr := durable.ReadFile(t.files.Key, maxPEM, nil)
		if certErr != nil || keyErr != nil {
			faults = append(faults, flagError(t.flags.Cert, certErr), flagError(t.flags.Key, keyErr))
			break
		}
		pair, err := tls.X509KeyPair(cert, key)
		switch {
		case err != nil && encrypted(key):
			faults = append(faults, fmt.Errorf("%s: the key in %s is encrypted; decrypt it, as with openssl pkey", t.flags.Key, t.files.Key))
		case err != nil:
			faults = append(faults, fmt.Errorf("%s, %s: %w", t.flags.Cert, t.flags.Key, err))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	t.current.Store(cfg)
	return nil
}

// maxPEM limits a file with certificates or a key, in bytes. A system's authorities have some 200 KiB.
const maxPEM = 1 << 20

// flagError is err with the flag in front; nil stays nil.
func flagError(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// encrypted reports whether a file's contents have an encrypted private key: of PKCS #8 (RFC 5958), or of
// the older form with headers (RFC 1421).
func encrypted(rest []byte) bool {
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

// Client returns the configuration of one connection to a host, with the current certificates.
// protocols are for ALPN (RFC 7301); nil: none. The caller owns the result.
func (t *TLS) Client(host string, protocols []string) *tls.Config {
	cfg := t.current.Load().Clone()
	cfg.NextProtos = protocols
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}
