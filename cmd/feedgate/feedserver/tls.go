package feedserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"feedgate/gateway/wire/faults"
	"feedgate/worker/durable"
)

// maxPEM limits a file with certificates or a key, in bytes.
const maxPEM = 1 << 20

// TLSFiles names the PEM files of a [Config.TLS].
type TLSFiles struct {
	Cert, Key string // paths of the certificate, with its chain, and of its private key
	ClientCA  string // path of the authorities for required client certificates; empty: none are required
	Max       string // highest version: 1.1, 1.2 or 1.3; empty: 1.3
}

// Load reads the files. It returns nil if f is empty. Its error has a line for each fault, which names
// the flag.
func (f TLSFiles) Load() (*tls.Config, error) {
	if f == (TLSFiles{}) {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if err := errors.Join(f.certificate(cfg), f.clientCA(cfg), f.versions(cfg)); err != nil {
		return nil, err
	}
	return cfg, nil
}

func (f TLSFiles) certificate(cfg *tls.Config) error {
	switch {
	case f.Cert == "" && f.Key == "":
		return errors.New("--tls-cert: missing; the other --tls- flags need it and --tls-key")
	case f.Cert == "":
		return errors.New("--tls-cert: missing; --tls-key needs it")
	case f.Key == "":
		return errors.New("--tls-key: missing; --tls-cert needs it")
	}
	var faults faults.List
	cert, err := durable.ReadFile(f.Cert, maxPEM, nil)
	faults.Add("--tls-cert", err)
	key, err := durable.ReadFile(f.Key, maxPEM, nil)
	faults.Add("--tls-key", err)
	if err := faults.Err(); err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("--tls-cert: %s with --tls-key %s: %w", f.Cert, f.Key, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

func (f TLSFiles) clientCA(cfg *tls.Config) error {
	if f.ClientCA == "" {
		return nil
	}
	pem, err := durable.ReadFile(f.ClientCA, maxPEM, nil)
	if err != nil {
		return fmt.Errorf("--tls-client-ca: %w", err)
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("--tls-client-ca: no PEM certificate in %s", f.ClientCA)
	}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	return nil
}

func (f TLSFiles) versions(cfg *tls.Config) error {
	switch f.Max {
	case "", "1.3":
	case "1.2":
		cfg.MaxVersion = tls.VersionTLS12
	case "1.1":
		cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	default:
		return fmt.Errorf("--tls-max: %q is not 1.1, 1.2 or 1.3", f.Max)
	}
	return nil
}
