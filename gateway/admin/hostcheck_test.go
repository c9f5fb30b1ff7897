package admin

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
)

func TestCheckHost(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4190}
	for _, c := range []struct {
		addr net.Addr
		host string
		want int
	}{
		{loopback, "127.0.0.1:4190", 200},
		{loopback, "127.0.0.1", 200},
		{loopback, "[::1]:4190", 200},
		{loopback, "[::1]", 200},
		{loopback, "10.1.2.3:80", 200}, // through a tunnel
		{loopback, "localhost:4190", 200},
		{loopback, "LocalHost.", 200},
		{loopback, "gw.localhost:1", 200},
		{loopback, own + ":4190", 200},
		{loopback, "", 200}, // HTTP/1.0
		{loopback, "evil.example:4190", 421},
		{loopback, "127.0.0.1.evil.example", 421},
		{loopback, "localhost.evil.example", 421},
		{loopback, "gateway", 200},
		{loopback, "evillocalhost.", 200}, // it has no domain
		{&net.TCPAddr{IP: net.IPv6loopback}, "evil.example", 421},
		{&net.TCPAddr{IP: net.IPv4zero}, "gateway.example:4190", 200},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, "gateway.example:4190", 200},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/stats", nil)
		r.Host = c.host
		checkHost(c.addr, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%q at %v: %d, not %d", c.host, c.addr, w.Code, c.want)
		}
	}
}

// TestEveryAnswerIsProtected: also the page and what is not found.
func TestEveryAnswerIsProtected(t *testing.T) {
	server := start(t, Report{})
	for _, path := range []string{"/", "/live", "/ping", "/ready", "/stats", "/metrics", "/nothing"} {
		answer, err := http.Get("http://" + server.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := answer.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}
