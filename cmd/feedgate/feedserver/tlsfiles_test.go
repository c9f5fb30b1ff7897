package feedserver

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
)

// TestTLSFiles: errors name the flag at fault. Without flags, there is no TLS.
func TestTLSFiles(t *testing.T) {
	a, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := a.Files(a.Issue(nil))
	_, otherKey := other.Files(other.Issue(nil))
	for _, test := range []struct {
		files TLSFiles
		fault string
	}{
		{TLSFiles{Cert: cert}, "--tls-key: missing"},
		{TLSFiles{Key: key}, "--tls-cert: missing"},
		{TLSFiles{ClientCA: a.File}, "--tls-cert: missing"},
		{TLSFiles{Max: "1.2"}, "--tls-cert: missing"},
		{TLSFiles{Cert: "none", Key: key}, "--tls-cert: open none"},
		{TLSFiles{Cert: cert, Key: "none"}, "--tls-key: open none"},
		{TLSFiles{Cert: cert, Key: otherKey}, "--tls-cert: " + cert},
		{TLSFiles{Cert: cert, Key: key, ClientCA: key}, "--tls-client-ca: no PEM certificate in " + key},
		{TLSFiles{Cert: cert, Key: key, ClientCA: "none"}, "--tls-client-ca: open none"},
		{TLSFiles{Cert: cert, Key: key, Max: "1.4"}, "--tls-max: "},
	} {
		if cfg, err := test.files.Load(); cfg != nil || !strings.HasPrefix(fmt.Sprint(err), test.fault) {
			t.Errorf("%+v: %v", test.files, err)
		}
	}
	if cfg, err := (TLSFiles{}).Load(); cfg != nil || err != nil {
		t.Errorf("without flags: %v, %v", cfg, err)
	}
}

// TestTLSMax: clients get the highest version that Max allows.
func TestTLSMax(t *testing.T) {
	a := tlstest.NewAuthority(t)
	cert, key := a.Files(a.Issue(nil))
	for limit, want := range map[string]uint16{"": tls.VersionTLS13, "1.3": tls.VersionTLS13, "1.2": tls.VersionTLS12, "1.1": tls.VersionTLS11} {
		cfg, err := TLSFiles{Cert: cert, Key: key, Max: limit}.Load()
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, Config{Protocol: "line", Count: 1, TLS: cfg})
		nc := dialTLS(t, s, a)
		if _, err := io.ReadFull(nc, make([]byte, 65)); err != nil || nc.ConnectionState().Version != want {
			t.Errorf("%q: %s, %v", limit, tls.VersionName(nc.ConnectionState().Version), err)
		}
		_ = nc.Close()
	}
}
