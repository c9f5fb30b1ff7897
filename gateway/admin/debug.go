package admin

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"
)

// profileTimeout limits a request for a profile, which lasts as long as its parameter seconds asks for.
const profileTimeout = 2 * time.Minute

// addDebug adds the profiles to mux, without the command line, which may contain secrets.
func addDebug(mux *http.ServeMux) {
	for path, h := range map[string]http.HandlerFunc{
		"GET /debug/pprof/":        pprof.Index,
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/symbol":  pprof.Symbol,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.HandleFunc(path, longer(h))
	}
	mux.Handle("GET /debug/pprof/cmdline", http.NotFoundHandler())
}

// longer gives a request up to profileTimeout. Package pprof refuses a profile that lasts longer than the
// server's own timeout, so it does not see the server.
func longer(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		deadline := time.Now().Add(profileTimeout)
		control := http.NewResponseController(w)
		_ = control.SetWriteDeadline(deadline) // a mounted handler's server may have no deadlines
		_ = control.SetReadDeadline(deadline)
		h(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, nil)))
	}
}
