package credential

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// Files are what a client has for TLS. There is no way to turn off that the server's
// certificate and name are checked.
type Files struct {
	CA         string // file of PEM certificates to trust instead of the system's
	Cert, Key  string // files of the client certificate and its key; both or none
	ServerName string // what the certificate must be for; empty: the host that is dialed
}

// Flags are the names of the flags that Files come from, for errors and hints.
type Flags struct {
	CA, Cert, Key string
	ServerName    string // empty: there is none
}

// TLS is a client's certificates and whom it trusts. Several connections share one. Any
// goroutine may call its methods.
type TLS struct {
	flags   Flags
	files   Files
	current atomic.Pointer[tls.Config]
}

// LoadTLS reads the files. Its errors name the flags.
func LoadTLS(flags Flags, files Files) (*TLS, error) {
	t := &TLS{flags: flags, files: files}
	return t, t.Reload()
}

// SystemTLS trusts whom the system trusts, and shows no certificate.
func SystemTLS(flags Flags) *TLS {
	t, err := LoadTLS(flags, Files{})
	if err != nil {
		panic("credential: " + err.Error()) // there is no file to fail on
	}
	return t
}

// Given are the flags that are set.
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

// Reload reads the files again; new connections use what they hold. On an error everything
// stays as it was.
func (t *TLS) Reload() error {
	cfg := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		ServerName:                  t.files.ServerName,
		DynamicRecordSizingDisabled: true,
	}
	var faults []error
	if t.files.CA != "" {
		pem, err := os.ReadFile(t.files.CA)
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
		pair, err := tls.LoadX509KeyPair(t.files.Cert, t.files.Key)
		switch {
		case err != nil && encrypted(t.files.Key):
			faults = append(faults, fmt.Errorf("%s: the key in %s is encrypted; decrypt it, as with openssl pkey", t.flags.Key, t.files.Key))
		case err != nil:
			faults = append(faults, fmt.Errorf("%s, %s: %w", t.flags.Cert, t.flags.Key, err))
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
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

// Client is the configuration for one connection to a host, by the files as they are now;
// protocols are what it is to agree on (RFC 7301), nil for nothing. It becomes the caller's.
func (t *TLS) Client(host string, protocols []string) *tls.Config {
	cfg := t.current.Load().Clone()
	cfg.NextProtos = protocols
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}
