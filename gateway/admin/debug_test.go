package admin

import (
	"net/http"
	"strings"
	"testing"
)

// TestDebug: profiles are there only with Debug, and may last longer than other requests.
func TestDebug(t *testing.T) {
	if status, _ := get(t, start(t, Report{}), "/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("without Debug: status %d", status)
	}
	server := start(t, Report{Debug: true})
	for path, want := range map[string]string{
		"/debug/pprof/":                   "goroutine",
		"/debug/pprof/goroutine?debug=1":  "goroutine profile:",
		"/debug/pprof/trace?seconds=0.01": "go 1.",
		"/debug/pprof/symbol":             "num_symbols",
	} {
		if status, body := get(t, server, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %q", path, status, want)
		}
	}
	if status, body := get(t, server, "/debug/pprof/cmdline"); status != http.StatusNotFound || strings.Contains(body, "admin.test") {
		t.Errorf("the command line: %d %q", status, body)
	}
}
