package admin

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// checkHost refuses requests to a loopback address under a name of another domain. A browser sends
// such a request for a page from elsewhere whose name resolves to 127.0.0.1 (DNS rebinding), and would let
// the page read the answer.
func checkHost(addr net.Addr, next http.Handler) http.Handler {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	own, err := os.Hostname()
	if err != nil {
		own = ""
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLocal(r.Host, own) {
			answer(w, http.StatusMisdirectedRequest, "this address answers to localhost, to names without a domain and to IP addresses\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLocal reports whether the value of Host is an IP address, a name without a domain, a name below localhost
// (RFC 6761, section 6.3), or own.
func isLocal(hostport, own string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || host == strings.ToLower(own)
}

// protect sets the headers that keep an answer from being shown or read by other sites.
func protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
