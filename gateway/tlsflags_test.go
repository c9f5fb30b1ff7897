package gateway

import (
	"strings"
	"testing"

	"feedgate/gateway/tlstest"
	"feedgate/worker/credential"
)

// TestTLSNeedsAScheme: --tls flags with a URL without TLS are an error, because they would be
// ignored.
func TestTLSNeedsAScheme(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	for _, c := range []struct {
		files credential.Files
		flags []string
	}{
		{credential.Files{CA: ca.File}, []string{"--tls-ca"}},
		{credential.Files{Cert: cert, Key: key}, []string{"--tls-cert", "--tls-key"}},
		{credential.Files{ServerName: "feed.example"}, []string{"--tls-server-name"}},
		{credential.Files{}, nil},
	} {
		for url, twin := range map[string]string{
			"fg://a:1": "fg+tls", "ws://a/": "wss", "nsq://a:1/t/c": "nsq+tls", "tcp://a:1": "tcp+tls",
			"fg+tls://a:1": "", "wss://a/": "",
		} {
			cfg := testConfig(t, url, accept)
			cfg.TLS = mustTLS(t, c.files)
			if strings.HasPrefix(url, "tcp") {
				setFlag(&cfg, "frame", "line")
			}
			err := ByFlag(cfg.Validate())
			if twin == "" || c.flags == nil {
				if err != nil {
					t.Errorf("%s, %+v: %v", url, c.files, err)
				}
				continue
			}
			for _, flag := range c.flags {
				if want := flag + ": "; err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "use "+twin+"://") {
					t.Errorf("%s, %+v: error %v, want %s and %s", url, c.files, err, want, twin)
				}
			}
		}
	}
}
