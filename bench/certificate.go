package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"strings"
	"time"
)

const (
	// secured is the suffix of protocols over TLS.
	secured = "+tls"
	// caVariable has the path of the certificate that subjects over TLS trust.
	caVariable = "FEEDGATE_BENCH_CA"
	// validity is longer than any run of the harness.
	validity = 240 * time.Hour
)

// certificate is a server's self-signed certificate and its key, both PEM. Each run of the harness
// makes one.
type certificate struct {
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

func newCertificate() (certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "feedgate bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return certificate{}, err
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return certificate{}, err
	}
	return certificate{encodePEM("CERTIFICATE", der), encodePEM("EC PRIVATE KEY", secret)}, nil
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// config returns the server's TLS configuration.
func (c certificate) config() (*tls.Config, error) {
	pair, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, nil
}

// secure makes the certificate, and the file that subjects trust, if one of them uses TLS. done
// removes the file.
func (h *harness) secure(contenders []contender) (done func(), err error) {
	done = func() {}
	for _, c := range contenders {
		if !strings.HasSuffix(c.Protocol, secured) {
			continue
		}
		if h.certificate, err = newCertificate(); err != nil {
			return done, err
		}
		file, err := os.CreateTemp("", "feedgate-bench-*.pem")
		if err != nil {
			return done, err
		}
		h.ca = file.Name()
		_, err = file.WriteString(h.certificate.Cert)
		return func() { _ = os.Remove(h.ca) }, errors.Join(err, file.Close())
	}
	return done, nil
}
