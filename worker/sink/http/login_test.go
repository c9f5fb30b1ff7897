package httpsink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/gateway/tlstest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// password returns a file with a password.
func password(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured returns the Config of these flags.
func configured(t *testing.T, f sink.ServerFlags, headers ...string) sink.Config {
	t.Helper()
	login, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	return sink.Config{Credentials: login, Flags: withFlags(f, headers...)}
}

// TestRequest: what a server gets, except the messages.
func TestRequest(t *testing.T) {
	file := password(t, "s3cret\n")
	for name, c := range map[string]struct {
		target  string
		flags   sink.ServerFlags
		headers []string
		uri     string
		want    http.Header
	}{
		"plain": {"", sink.ServerFlags{}, nil, "/", http.Header{"Content-Type": {"application/x-ndjson"}, "User-Agent": {"feedgate"}}},
		"a path and parameters": {"/a%2Fb//c?batch=7&x=1%202&format=length&y&x=3&linger=0s", sink.ServerFlags{}, nil,
			"/a%2Fb//c?x=1%202&y&x=3", http.Header{"Content-Type": {"application/octet-stream"}, "User-Agent": {"feedgate"}}},
		"a parameter of the server's named as ours": {"/?%66ormat=x&format=json", sink.ServerFlags{}, nil,
			"/?%66ormat=x", http.Header{"Content-Type": {"application/json"}, "User-Agent": {"feedgate"}}},
		"a user": {"/", sink.ServerFlags{User: "me", PasswordFile: file}, nil, "/", http.Header{
			"Content-Type": {"application/x-ndjson"}, "User-Agent": {"feedgate"}, "Authorization": {"Basic bWU6czNjcmV0"}}},
		"headers": {"/", sink.ServerFlags{PasswordFile: file},
			[]string{"authorization: Bearer {token}", "content-type: text/plain", "User-Agent: other", "X-A: b", "X-A: c, d"}, "/",
			http.Header{"Content-Type": {"text/plain"}, "User-Agent": {"other"}, "Authorization": {"Bearer s3cret"}, "X-A": {"b", "c, d"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got post
			s := serve(t, func(_ http.ResponseWriter, p post) int { got = p; return 0 })
			cfg := configured(t, c.flags, c.headers...)
			g := handlertest.Start(t, sinktest.Open(t, Kind, s.URL+c.target, cfg), 1, 64)
			send(g, `"message"`)
			g.Wait(1)
			g.Stop()
			if key := got.Header.Get("Idempotency-Key"); got.RequestURI != c.uri || got.Host != s.address() || key == "" || got.ContentLength < 1 ||
				got.Method != "POST" || got.Proto != "HTTP/1.1" {
				t.Errorf("%s %q %s, host %q, key %q, length %d", got.Method, got.RequestURI, got.Proto, got.Host, key, got.ContentLength)
			}
			got.Header.Del("Idempotency-Key")
			got.Header.Del("Content-Length")
			if !maps.EqualFunc(got.Header, c.want, slices.Equal) {
				t.Errorf("%v\nnot\n%v", got.Header, c.want)
			}
		})
	}
}

// TestWrongPassword: with one, the sink fails before anything is acknowledged. Revoked later, messages
// wait, and the next password is used when SIGHUP has read it.
func TestWrongPassword(t *testing.T) {
	valid := "first"
	s := serve(t, func(_ http.ResponseWriter, p post) int {
		if user, word, _ := p.BasicAuth(); user != "me" || word != valid {
			return http.StatusUnauthorized
		}
		return 0
	})
	cfg := configured(t, sink.ServerFlags{User: "me", PasswordFile: password(t, "wrong")})
	out := sinktest.Open(t, Kind, s.URL, cfg)
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	<-out.Failed()
	g.Stop()
	g.WantResolved(0)
	if err := out.Err(); !strings.Contains(err.Error(), "401 Unauthorized; see --sink-user, --sink-password-file and --sink-header") {
		t.Errorf("%v", err)
	}

	cfg = configured(t, sink.ServerFlags{User: "me", PasswordFile: password(t, "first")})
	out = sinktest.Open(t, Kind, s.URL, cfg)
	g = handlertest.Start(t, out, 1, 64)
	send(g, "a")
	g.Wait(1)
	s.mu.Lock()
	valid = "second"
	s.mu.Unlock()
	send(g, "b")
	g.WaitFor("not ready", func() bool { return out.Ready() != nil })
	g.WantResolved(1)
	cfg.Password.Set([]byte("second"))
	g.Wait(2)
	g.WaitFor("ready", func() bool { return out.Ready() == nil })
	g.Stop()
	s.wantStored("a", "b")
}

// serveTLS starts a server with TLS.
func serveTLS(t *testing.T, cfg *tls.Config) *server {
	t.Helper()
	s := &server{t: t}
	sinktest.VerifyNoLeaks(t)
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = cfg
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestTLS: the server is verified. A certificate or a scheme that is wrong is an error at startup, or
// at the first request, that names the flag; check --connect has the same error.
func TestTLS(t *testing.T) {
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	cert, key := ca.Files(ca.Issue(nil))
	with := func(change func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Issue(change)}}
	}
	expired := with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	asks := with(nil)
	asks.ClientAuth, asks.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	for name, c := range map[string]struct {
		server *tls.Config // nil: plaintext
		flags  sink.ServerFlags
		want   string // empty: it works
	}{
		"trusted":           {ca.Server(), sink.ServerFlags{CA: ca.File}, ""},
		"with HTTP/2":       {&tls.Config{Certificates: ca.Server().Certificates, NextProtos: []string{"h2", "http/1.1"}}, sink.ServerFlags{CA: ca.File}, ""},
		"with certificate":  {asks, sink.ServerFlags{CA: ca.File, Cert: cert, Key: key}, ""},
		"no certificate":    {asks, sink.ServerFlags{CA: ca.File}, "see --sink-cert"},
		"unknown authority": {other.Server(), sink.ServerFlags{CA: ca.File}, "see --sink-ca"},
		"not the system's":  {ca.Server(), sink.ServerFlags{}, "see --sink-ca"},
		"expired":           {expired, sink.ServerFlags{CA: ca.File}, "expired"},
		"another name":      {with(tlstest.For("a.example")), sink.ServerFlags{CA: ca.File}, "the URL must name the server as its certificate does"},
		"plaintext":         {nil, sink.ServerFlags{CA: ca.File}, "does not speak TLS; see the URL's scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			var s *server
			if c.server == nil {
				s = serve(t, nil)
			} else {
				s = serveTLS(t, c.server)
			}
			url, cfg := "https://"+s.address()+"/in", configured(t, c.flags)
			found, probed := sink.Registry{Kind}.Probe(t.Context(), url, *sinktest.Prepare(t, cfg))
			out := sinktest.Open(t, Kind, url, cfg)
			err := out.Start(t.Context(), 1)
			g := handlertest.Start(t, out, 1, 64)
			if send(g, "a"); c.want == "" {
				g.Wait(1)
				if !strings.HasPrefix(found, "connected to "+s.address()+", TLS 1.3, certificate expires ") || !strings.HasSuffix(found, "no request was sent") {
					t.Errorf("found %q, %v", found, probed)
				}
				s.wantStored("a")
				return
			}
			<-out.Failed()
			g.Stop()
			g.WantResolved(0)
			if !strings.Contains(out.Err().Error(), c.want) || probed == nil || !strings.Contains(probed.Error(), c.want) {
				t.Errorf("%v; start: %v; probe: %v; want %q", out.Err(), err, probed, c.want)
			}
			s.wantStored()
		})
	}
}

// TestProbe: without TLS.
func TestProbe(t *testing.T) {
	s := serve(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	found, err := sink.Registry{Kind}.Probe(ctx, s.URL+"/?format=json", *sinktest.Prepare(t, sink.Config{}))
	if want := "connected to " + s.address() + ", HTTP/1.1, no request was sent"; found != want || err != nil {
		t.Errorf("%q, %v", found, err)
	}
	s.wantStored()
	s.Close()
	if _, err := (sink.Registry{Kind}).Probe(ctx, s.URL, *sinktest.Prepare(t, sink.Config{})); err == nil ||
		!strings.Contains(err.Error(), "connection refused; see the host and port in the URL") {
		t.Errorf("%v", err)
	}
}

// TestProxiesAreNotUsed: whatever the environment has.
func TestProxiesAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	at, err := parseURL(sink.URL{Rest: "//sink.example/"})
	if err != nil {
		t.Fatal(err)
	}
	if newTransport(&at, sinktest.Prepare(t, sink.Config{}), 0).Proxy != nil {
		t.Error("the transport uses a proxy")
	}
}

// TestFaults: every fault of a URL and of the flags is a usage error, all at once, which quotes no
// secret.
func TestFaults(t *testing.T) {
	file := password(t, "s3cret")
	for _, c := range []struct {
		url     string
		flags   sink.ServerFlags
		headers []string
		want    []string
	}{
		{"http:a", sink.ServerFlags{}, nil, []string{"want // and a host"}},
		{"http://", sink.ServerFlags{}, nil, []string{"has no host"}},
		{"http://exa mple/", sink.ServerFlags{}, nil, []string{"a host name has no white space"}},
		{"http://h:80:80/", sink.ServerFlags{}, nil, []string{`"h:80:80" is not HOST`}},
		{"http://:80/", sink.ServerFlags{}, nil, []string{`":80" has no host`}},
		{"http://a,b/", sink.ServerFlags{}, nil, []string{"want one host"}},
		{"http://a:99999/", sink.ServerFlags{}, nil, []string{"is not 1 to 65535"}},
		{"http://me:s3cret@a/", sink.ServerFlags{}, nil, []string{"must not contain a user or password"}},
		{"http://a/#x", sink.ServerFlags{}, nil, []string{"a # has no meaning"}},
		{"http://a/?x=s3cret#", sink.ServerFlags{}, nil, []string{"a # has no meaning"}},
		{"http://a/s3cret x", sink.ServerFlags{}, nil, []string{"must be written as %HH"}},
		{"http://a/?s3cret=\u00e9", sink.ServerFlags{}, nil, []string{"must be written as %HH"}},
		{"http://a/%zz", sink.ServerFlags{}, nil, []string{"must be written as %HH"}},
		{"http://a?batch=0", sink.ServerFlags{}, nil, []string{"batch=0 is not a number from 1 to 100000"}},
		{"http://a?batch=&format=", sink.ServerFlags{}, nil, []string{"batch= is not", "format= is not ndjson, json or length"}},
		{"http://a?format=xml&linger=-1s&batch=x&linger=1s", sink.ServerFlags{}, nil,
			[]string{"format=xml is not ndjson", "linger=-1s is not a duration", "batch=x is not", "linger is given twice"}},
		{"http://a", sink.ServerFlags{}, []string{"Host: a", "X: y", "Content-Length: 3", "Idempotency-Key: k", "Expect: 100-continue", "Content-Encoding: gzip", "s3cret"},
			[]string{"--sink-header: header 1: Host is the URL's host", "--sink-header: header 3: Content-Length is reserved",
				"--sink-header: header 4: Idempotency-Key identifies the batch", "header 5: Expect is", "header 6: Content-Encoding would be wrong", "header 7: is not 'Name: value'"}},
		{"http://a", sink.ServerFlags{}, []string{"A: {token}"}, []string{"--sink-header: {token} needs --sink-password-file"}},
		{"http://a", sink.ServerFlags{PasswordFile: file}, []string{"A: b"}, []string{"--sink-password-file: is not used; give --sink-user"}},
		{"http://a", sink.ServerFlags{User: "me"}, nil, []string{"--sink-user: needs --sink-password-file"}},
		{"http://a", sink.ServerFlags{User: "s3cret:", PasswordFile: file}, nil, []string{"--sink-user: the name must have no colon"}},
		{"http://a", sink.ServerFlags{User: "me", PasswordFile: file}, []string{"authorization: s3cret"}, []string{"--sink-user: sets Authorization, as --sink-header does"}},
		{"http://a", sink.ServerFlags{}, []string{"Content-Type: a", "content-type: b"}, []string{"--sink-header: Content-Type is given twice"}},
	} {
		_, err := sink.Registry{Kind}.Parse("--sink", c.url, withFlags(c.flags, c.headers...))
		if !errors.Is(err, sink.ErrURL) {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, want := range c.want {
			if len(lines) != len(c.want) || !strings.Contains(lines[i], want) || strings.Contains(err.Error(), "s3cret\"") {
				t.Errorf("%s, %q: %v\nnot %q", c.url, c.headers, err, c.want)
				break
			}
		}
	}
	for _, bad := range []string{"s3cret\n", "s3\x00cret", "\x7f"} {
		if err := checkPassword([]byte(bad)); err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	target, err := sink.Registry{Kind}.Parse("--sink", "https://a/path?token=s3cret", nil)
	if err != nil || target.Label != "https://a/path" || !slices.Equal(target.Hosts, []string{"a:443"}) {
		t.Errorf("%+v, %v", target, err)
	}
}

// TestAuthority: the Host header has no default port and no zone.
func TestAuthority(t *testing.T) {
	for _, c := range []struct {
		hostport string
		port     uint16
		want     string
	}{
		{"a:80", 80, "a"}, {"a:443", 80, "a:443"}, {"a:80", 443, "a:80"}, {"[::1]:80", 80, "[::1]"}, {"[fe80::1%eth0]:8080", 80, "[fe80::1]:8080"},
	} {
		if got := authority(c.hostport, c.port); got != c.want {
			t.Errorf("%s: %q, want %q", c.hostport, got, c.want)
		}
	}
}
