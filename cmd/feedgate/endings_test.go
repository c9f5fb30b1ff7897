package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"feedgate/cmd/feedgate/cli"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/worker/testkit"
)

func TestVersion(t *testing.T) {
	p := start(t, "\x00", "version")
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	lines := strings.Split(p.stdout.String(), "\n")
	if len(lines) != 4 || lines[0] != "feedgate v1.2.3" || !strings.HasPrefix(lines[1], "go go1.") || !strings.HasPrefix(lines[2], "commit ") {
		t.Errorf("standard output\n%s", p.stdout)
	}
}

func TestUsageStatus(t *testing.T) {
	p := start(t, "\x00", "run", "--sink=discard:", "--ring=1000", "fg://a:1")
	if status := p.status(); status != cli.ExitUsage {
		t.Errorf("status %d", status)
	}
	const want = "feedgate: --ring: 1000 is not a power of two\nfeedgate: see feedgate run --help\n"
	if got := p.stderr.String(); got != want {
		t.Errorf("standard error\n%s", got)
	}
}

func TestHelpStatus(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"demo", "--help"}, {"version", "--help"}} {
		p := start(t, "\x00", args...)
		if status := p.status(); status != 0 || p.stderr.String() != "" || !strings.HasPrefix(p.stdout.String(), "Usage: feedgate") {
			t.Errorf("%q: status %d, standard output\n%s", args, status, p.stdout)
		}
	}
}

// TestExitOnClose: with the settings of a configuration file, the process ends once both of its feeds
// have ended.
func TestExitOnClose(t *testing.T) {
	a, urlA := serve(t, feedserver.Config{Count: 20000})
	b, urlB := serve(t, feedserver.Config{Count: 10000})
	in := filepath.Join(t.TempDir(), "in")
	config := file(t, "c.yaml", fmt.Sprintf("url: [%s, %s]\nexit-on-close: true\nadmin: ''\nworkers: 2\nsink: file:%s\n", urlA, urlB, in))
	p := start(t, "\x00", "run", "--config", config)
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
	if n := result(t, a).Acknowledged + result(t, b).Acknowledged; n != 30000 {
		t.Errorf("%d acknowledged", n)
	}
	text, err := os.ReadFile(in)
	if err != nil || bytes.Count(text, []byte("\n")) != 30000 {
		t.Errorf("%d lines, %v", bytes.Count(text, []byte("\n")), err)
	}
}

// TestWorstStatus: the exit status is 1 if one of two upstreams fails, here because its feed refuses the
// token.
func TestWorstStatus(t *testing.T) {
	good, goodURL := serve(t, feedserver.Config{Count: 10000})
	_, badURL := serve(t, feedserver.Config{Count: 1, Token: []byte("another")})
	token := file(t, "token", "s3cret\n")
	p := start(t, "\x00", "run", "--sink=discard:", badURL, goodURL, "--exit-on-close", "--admin=", "--token-file", token, "--log-level=debug")
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	if n := result(t, good).Acknowledged; n != 10000 {
		t.Errorf("%d acknowledged", n)
	}
	if text := p.stderr.String(); !strings.Contains(text, "level=ERROR msg=failed upstream="+badURL+" ") || strings.Contains(text, "s3cret") {
		t.Error("standard error does not name the URL, or contains the secret")
	}
}

func TestDrain(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		_, url := serve(t, feedserver.Config{Rate: 10000})
		admin := freeAddr()
		p := start(t, "\x00", "run", "--sink=discard:", url, "--admin", admin)
		testkit.Eventually(t, "ready", func() bool { status, _ := get("http://" + admin + "/ready"); return status == 200 })
		testkit.Eventually(t, "a message", func() bool {
			_, body := get("http://" + admin + "/metrics")
			return strings.Contains(body, "feedgate_messages_total{") && !strings.Contains(body, `feedgate_messages_total{upstream="`+url+`"} 0`)
		})
		p.signal(s)
		if status := p.status(); status != 0 {
			t.Errorf("%v: status %d", s, status)
		}
	}
}

// TestReadyFollowsUpstream: the process is not ready if one of two upstreams is not connected.
func TestReadyFollowsUpstream(t *testing.T) {
	_, here := serve(t, feedserver.Config{Rate: 100})
	gone := "fg://" + freeAddr()
	admin := freeAddr()
	p := start(t, "\x00", "run", "--sink=discard:", here, gone, "--admin", admin, "--reconnect-max=200ms")
	want := "upstream " + gone + " is not connected: last failure: connect to " + strings.TrimPrefix(gone, "fg://") + ": connection refused\n"
	testkit.Eventually(t, want, func() bool {
		status, body := get("http://" + admin + "/ready")
		return status == 503 && body == want
	})
	_, body := get("http://" + admin + "/stats")
	var stats struct {
		Upstreams map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(body), &stats); err != nil || stats.Upstreams[here]["feedgate_connected"] != 1.0 || stats.Upstreams[gone]["feedgate_connected"] != 0.0 {
		t.Errorf("%v in %s", err, body)
	}
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// stuckSink has a child that neither answers nor ends by itself.
const stuckSink = "exec:exec tail -f /dev/null"

// TestSecondSignal: the second signal ends the process with messages unfinished.
func TestSecondSignal(t *testing.T) {
	_, url := serve(t, feedserver.Config{Count: 10})
	admin := freeAddr()
	p := start(t, "stopping", "run", url, "--admin", admin, "--sink", stuckSink, "--drain-timeout=1h", "--workers=1")
	inFlight := `feedgate_in_flight{upstream="` + url + `"} 10`
	testkit.Eventually(t, inFlight, func() bool { _, body := get("http://" + admin + "/metrics"); return strings.Contains(body, inFlight) })
	p.signal(syscall.SIGTERM)
	p.await("first signal", p.stderr.seen)
	p.signal(syscall.SIGINT)
	p.checkUnfinished(url)
}

func TestDrainTimeout(t *testing.T) {
	_, url := serve(t, feedserver.Config{Count: 10})
	admin := freeAddr()
	p := start(t, "\x00", "run", url, "--admin", admin, "--sink", stuckSink, "--drain-timeout=50ms", "--workers=1")
	inFlight := `feedgate_in_flight{upstream="` + url + `"} 10`
	testkit.Eventually(t, inFlight, func() bool { _, body := get("http://" + admin + "/metrics"); return strings.Contains(body, inFlight) })
	p.signal(syscall.SIGTERM)
	p.checkUnfinished(url)
}

func (p *process) checkUnfinished(url string) {
	p.t.Helper()
	if status := p.status(); status != cli.ExitFailure {
		p.t.Errorf("status %d", status)
	}
	if want := "upstream=" + url + ` error="messages are left: 10 `; strings.Count(p.stderr.String(), want) != 1 {
		p.t.Errorf("not once %q on standard error", want)
	}
}

func TestAdminInUse(t *testing.T) {
	listener := testkit.Listen(t)
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("another process is writ"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "\x00", "run", "fg://127.0.0.1:1", "--admin", listener.Addr().String(), "--sink=file:"+in)
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	text := p.stderr.String()
	if !strings.Contains(text, "feedgate: --admin: ") || !strings.Contains(text, "in use") || !strings.Contains(text, "choose another") {
		t.Errorf("standard error\n%s", text)
	}
	if left, _ := os.ReadFile(in); string(left) != "another process is writ" {
		t.Errorf("the file was changed: %q", left)
	}
}

// TestJSONLogs: with --log-format json, every line on standard error is JSON, the last error included.
func TestJSONLogs(t *testing.T) {
	_, url := serve(t, feedserver.Config{Count: 1, Token: []byte("another")})
	p := start(t, "\x00", "run", "--sink=discard:", url, "--admin=", "--log-format=json", "--log-level=debug")
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	lines := bufio.NewScanner(strings.NewReader(p.stderr.String()))
	n := 0
	for ; lines.Scan(); n++ {
		if !json.Valid(lines.Bytes()) {
			t.Errorf("not JSON: %s", lines.Text())
		}
	}
	if n == 0 {
		t.Error("nothing was logged")
	}
}

func TestSinkFault(t *testing.T) {
	p := start(t, "\x00", "run", "fg://127.0.0.1:1", "--admin=", "--sink=file:/nonexistent/in")
	if status := p.status(); status != cli.ExitFailure {
		t.Errorf("status %d", status)
	}
	if text := p.stderr.String(); !strings.Contains(text, "\nfeedgate: --sink \"file:/nonexistent/in\": ") {
		t.Errorf("standard error\n%s", text)
	}
}
