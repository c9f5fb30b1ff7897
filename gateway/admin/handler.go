package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"feedgate/gateway"
	"feedgate/gateway/admin/internal/page"
	"feedgate/gateway/admin/view"
)

// newHandler answers GET and HEAD on the four paths, with the page at the root, and with what changes of
// the page at /live.
func newHandler(r Report, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	if r.Debug {
		addDebug(mux)
	}
	html := page.New(func() map[string]any { return newDocument(r) })
	mux.HandleFunc("GET /{$}", html.ServePage)
	mux.HandleFunc("GET /live", html.ServeLive)
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		status, lines := http.StatusServiceUnavailable, r.missing()
		if len(lines) == 0 {
			status, lines = http.StatusOK, append([]string{"ready"}, r.waiting()...)
		}
		answer(w, status, strings.Join(lines, "\n")+"\n")
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		body, err := json.MarshalIndent(newDocument(r), "", "  ")
		if err != nil {
			panic(err) // numbers and strings only
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(body, '\n'))
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(newRegistry(r), promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}))
	return protect(mux)
}

// missing returns what keeps the process from being ready, one line each.
func (r Report) missing() []string {
	var lines []string
	if r.Discovery != nil {
		if err := r.Discovery(); err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
	}
	upstreams := r.upstreams()
	for i, label := range labels(upstreams) {
		if !upstreams[i].Stats.Connected.Load() {
			lines = append(lines, fmt.Sprintf("upstream %s is not connected%s", label, whyNot(upstreams[i].Stats.Waiting())))
		}
		if where := upstreams[i].Stats.Stalled(); where != "" {
			lines = append(lines, fmt.Sprintf("upstream %s is stalled: %s", label, where))
		}
	}
	if r.Sink != nil {
		if err := r.Sink(); err != nil {
			lines = append(lines, fmt.Sprintf("sink: %v", err))
		}
	}
	if r.State != nil {
		if err := r.State(); err != nil {
			lines = append(lines, err.Error())
		}
	}
	for i, line := range lines {
		lines[i] = r.clean(line)
	}
	return lines
}

// clean returns a line without secrets, and without anything that would change how it is shown.
func (r Report) clean(line string) string {
	if r.Mask != nil {
		line = r.Mask(line)
	}
	return view.Clean(line)
}

// whyNot returns why there is no connection, if that is known.
func whyNot(w gateway.Waiting) string {
	if detail := view.Detail(w.Words); w.For == gateway.ForConnection && detail != "" {
		return ": " + detail
	}
	return ""
}

// waiting returns what each upstream waits for, one line each.
func (r Report) waiting() (lines []string) {
	upstreams := r.upstreams()
	for i, label := range labels(upstreams) {
		lines = append(lines, r.clean(fmt.Sprintf("upstream %s waits for %s", label, upstreams[i].Stats.Waiting().Words)))
	}
	return lines
}

// sinks returns the sinks.
func (r Report) sinks() []Sink {
	if r.Sinks == nil {
		return nil
	}
	return r.Sinks()
}

// upstreams returns the current gateways.
func (r Report) upstreams() []Upstream {
	if r.Upstreams == nil {
		return nil
	}
	return r.Upstreams()
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}
