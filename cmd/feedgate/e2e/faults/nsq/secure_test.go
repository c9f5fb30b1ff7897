package nsq

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/gateway/tlstest"
)

// TestAuth: nsqd asks an authorization server about its clients.
func TestAuth(t *testing.T) {
	t.Parallel()
	const secret, other = "opensesame", "openbarley"
	permits := func(topics string) string {
		return fmt.Sprintf(`{"ttl":3600,"identity":"me","authorizations":[{"permissions":["subscribe"],"topic":%q,"channels":[".*"]}]}`, topics)
	}
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.FormValue("secret") {
		case secret:
			fmt.Fprint(w, permits(".*"))
		case other:
			fmt.Fprint(w, permits("another"))
		case "nothing":
			fmt.Fprint(w, `{"ttl":3600,"identity":"me","authorizations":[]}`)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(authority.Close)
	const count = 1000
	d, l := startNsqd(t, "--auth-http-address="+strings.TrimPrefix(authority.URL, "http://")), newLedger(t)
	publishAll(t, d, 1, count, digits)
	for _, wrong := range []string{"wrong", "nothing", other} {
		g := start(t, nsqURL(d.TCP), tokenFlag(t, wrong))
		g.Exit(1)
		if !g.Log.Has("--token-file") || g.Log.Has("="+wrong) || g.Log.Has(other) {
			t.Errorf("with the secret %q the log is %s", wrong, g.Log.Tail())
		}
	}
	g := start(t, nsqURL(d.TCP))
	g.Exit(1)
	if !g.Log.Has("--token-file") {
		t.Errorf("without a secret the log is %s", g.Log.Tail())
	}
	g = start(t, nsqURL(d.TCP), l.Flag(), tokenFlag(t, secret))
	c := awaitFinished(t, d, count)
	if len(c.Clients) != 1 || !c.Clients[0].Authed {
		t.Errorf("clients %+v", c.Clients)
	}
	l.CheckComplete(count)
	g.Stop()
	if g.Log.Has(secret) {
		t.Error("the secret is in the log")
	}
}

func tokenFlag(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return "--token-file=" + path
}

// secureURL is nsqURL with TLS.
func secureURL(addr string) string { return strings.Replace(nsqURL(addr), "nsq://", "nsq+tls://", 1) }

// TestTLS: an nsqd that offers TLS, requires it, or requires client certificates; and the errors if
// the two sides do not match.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	mine, myKey := ca.Files(ca.Issue(nil))
	server := []string{"--tls-cert=" + cert, "--tls-key=" + key}
	client := []string{"--tls-ca=" + ca.File}
	for _, c := range []struct {
		name           string
		server, client []string
	}{
		{"offered", nil, nil},
		{"required", []string{"--tls-required=tcp-https"}, nil},
		{"1.2", []string{"--tls-min-version=tls1.2"}, nil},
		{
			"client certificate",
			[]string{"--tls-required=tcp-https", "--tls-client-auth-policy=require-verify", "--tls-root-ca-file=" + ca.File},
			[]string{"--tls-cert=" + mine, "--tls-key=" + myKey},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			overTLS(t, append(c.server, server...), append(c.client, client...))
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		d := startNsqd(t, append(server, "--tls-required=tcp-https")...)
		g := start(t, nsqURL(d.TCP))
		g.until("a fault", func(s stats) bool { return s.Errors["tls"] > 0 && s.faults("tls") == 0 })
		g.WaitLog("nsq+tls://")
	})
	t.Run("not offered", func(t *testing.T) {
		t.Parallel()
		d := startNsqd(t)
		g := start(t, secureURL(d.TCP), client...)
		g.until("a fault", func(s stats) bool { return s.Errors["tls"] > 0 && s.faults("tls") == 0 })
		g.WaitLog("--tls-cert")
	})
	t.Run("not trusted", func(t *testing.T) {
		t.Parallel()
		d := startNsqd(t, server...)
		g := start(t, secureURL(d.TCP), "--tls-ca="+tlstest.NewAuthority(t).File)
		g.until("a fault", func(s stats) bool { return s.Errors["tls"] > 0 && s.faults("tls") == 0 && s.Messages == 0 })
	})
}

// overTLS tests a volume of messages, resets, and a drain.
func overTLS(t *testing.T, server, client []string) {
	count := testkit.Form[uint64](20_000, 200_000)
	d, l := startNsqd(t, append(server, "--msg-timeout=2s")...), newLedger(t)
	r := testkit.StartRelay(t, d.TCP, testkit.RelayOptions{Cuts: func(connection int) testkit.Cut {
		return []testkit.Cut{
			resetAfter(testkit.Down, 100_000), resetAfter(testkit.Up, 50_000), resetAfter(testkit.Down, 1500), {},
		}[min(connection, 3)]
	}})
	publishAll(t, d, 1, count, 64)
	g := start(t, secureURL(r.Addr()), append(client, l.Flag(), "--workers=2")...)
	c := awaitFinished(t, d, count)
	if len(c.Clients) != 1 || !c.Clients[0].TLS {
		t.Errorf("clients %+v", c.Clients)
	}
	l.CheckComplete(count)
	// The last cut may be within the handshake, and then loses no established connection.
	s := g.stats()
	if n, _ := r.Counts(); n != 4 || s.Reconnects < 2 || s.Connected != 1 {
		t.Errorf("%d connections, stats %+v", n, s)
	}
	g.Stop()
}
