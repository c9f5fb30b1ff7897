package admin

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Handler answers the requests that a [Server] answers, for a program that has a server of its own.
// Below a path of that, use [http.StripPrefix]. It logs errors of scrapes; nil: to slog.Default.
func (r Report) Handler(log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.Default()
	}
	return newHandler(r, log)
}

// Collector has the metrics of the gateways, for a registry of the program's own. It does not
// include those of the process and the Go runtime.
func (r Report) Collector() prometheus.Collector {
	return newCollector(func() []source { return sources(r.upstreams()) })
}
