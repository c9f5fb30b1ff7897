package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// markup matches what is not text in HTML.
var markup = regexp.MustCompile(`<style>(?s:.*?)</style>|<script>(?s:.*?)</script>|<[^>]*>`)

// awaitHeadline waits until the page and top show what the gateway waits for.
func (p *process) awaitHeadline(want string) {
	p.t.Helper()
	eventually(p.t, "on the page: "+want, func() bool {
		_, body := p.get("/")
		return strings.Contains(markup.ReplaceAllString(body, " "), want)
	})
	eventually(p.t, "in top: "+want, func() bool {
		return strings.Contains(command(p.t, nil, "top", p.admin).stdout, want)
	})
}

// TestPageWithoutScript: the first view is complete.
func TestPageWithoutScript(t *testing.T) {
	t.Parallel()
	p, s, c := connectFG(t, "{}", "--workers=3", newChildren(t).sink(t))
	c.send(data(1, "code=0"), data(2, "code=1001"))
	c.acks(2)
	p.waitMetric(2, "feedgate_acks_total")
	p.awaitHeadline("Keeping up, waiting for the upstream")
	response, err := adminClient.Get("http://" + p.admin + "/")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	policy := response.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "style-src 'sha256-", "script-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) || strings.Contains(policy, "unsafe") {
			t.Errorf("no %s in the policy %q", part, policy)
		}
	}

	status, body := p.get("/")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	shown := markup.ReplaceAllString(body, " ")
	for _, want := range []string{
		"Ready", "Keeping up, waiting for the upstream", s.url(), "3 workers, rings of 8,192", "of 65,536",
		"acks with code 1001", "/ready", "/metrics", "/stats", "/ping", "those of the last ",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the first view has no %q", want)
		}
	}
	if strings.Contains(shown, "– msg/s") {
		t.Error("the first view has no rates")
	}
	for _, reference := range regexp.MustCompile(`(?:href|src|action)="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if strings.ContainsAny(reference[1], "/:") {
			t.Errorf("%q is not relative to the page", reference[1])
		}
	}
	if found := regexp.MustCompile(`(?i)\son[a-z]+=|\sstyle=`).FindString(body); found != "" {
		t.Errorf("inline %q", found)
	}
	p.stop(c)
}
