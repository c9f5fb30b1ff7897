package credential

import (
	"os"
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
)

var (
	tlsFlags  = Flags{"--tls-ca", "--tls-cert", "--tls-key", "--tls-server-name"}
	sinkFlags = Flags{CA: "--sink-ca", Cert: "--sink-cert", Key: "--sink-key"}
)

// encryptedKeys are PEM files of keys with a passphrase, in both forms.
// Their contents do not matter.
var encryptedKeys = []string{
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGb\n-----END ENCRYPTED PRIVATE KEY-----\n",
	"-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n" +
		"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIGb\n-----END EC PRIVATE KEY-----\n",
}

func TestTLSEncryptedKey(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	for _, contents := range encryptedKeys {
		if err := os.WriteFile(key, []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadTLS(tlsFlags, Files{Cert: cert, Key: key})
		if want := "--tls-key: the key in " + key + " is encrypted"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestTLSFilesFaults(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	_, stranger := ca.Files(ca.Issue(nil))
	for _, c := range []struct {
		files Files
		want  string
	}{
		{Files{CA: "missing"}, "--tls-ca"},
		{Files{CA: key}, "--tls-ca"},
		{Files{Cert: cert}, "--tls-key: missing"},
		{Files{Key: key}, "--tls-cert: missing"},
		{Files{Cert: cert, Key: stranger}, "--tls-cert, --tls-key"},
		{Files{Cert: cert, Key: "missing"}, "--tls-key: "},
	} {
		if _, err := LoadTLS(tlsFlags, c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want one with %q", c.files, err, c.want)
		}
	}
}
