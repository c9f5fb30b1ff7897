package admin

import (
	"log/slog"
	"net/http"
	"time"

	"feedgate/gateway/admin/view"

	"github.com/prometheus/client_golang/prometheus"
)

// Handler answers what a [Server] answers, at /, /ping, /ready, /metrics and /stats, in a program's own
// HTTP server; below a path, wrap it in [http.StripPrefix]. Errors of scrapes go to log; nil:
// [slog.Default].
func (r Report) Handler(log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.Default()
	}
	return newHandler(r, log)
}

// Collector exports the gateways' metrics to a registry of the program's own, without those of the
// process and the Go runtime.
func (r Report) Collector() prometheus.Collector {
	return newCollector(r)
}

// Snapshot returns what /stats would answer now, for package view.
func (r Report) Snapshot() *view.Snapshot { return view.FromStats(newDocument(r), time.Now()) }
