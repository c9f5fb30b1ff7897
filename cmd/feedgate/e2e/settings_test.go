package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestURLsInTheEnvironment: FEEDGATE_URL is a space-separated list. The command line overrides it,
// and it overrides the configuration file.
func TestURLsInTheEnvironment(t *testing.T) {
	t.Parallel()
	nowhere := "fg://127.0.0.1:1"
	a, b := listenFG(t), listenFG(t)
	urls := "FEEDGATE_URL= " + a.url() + "  " + b.url()
	file := configFile(t, "url: "+nowhere+"\n")
	p := runWith(t, launch{args: []string{"--exit-on-close", "--config=" + file}, env: []string{urls}})
	for _, s := range []*fgServer{a, b} {
		c := s.accept()
		c.welcome(1, "{}")
		c.finish(0, 0)
	}
	p.exit(0)
	p = runWith(t, launch{args: []string{"--exit-on-close", a.url()}, env: []string{"FEEDGATE_URL=" + nowhere}})
	c := a.accept()
	c.welcome(1, "{}")
	c.finish(0, 0)
	p.exit(0)
}

// TestRepeatedFlagsInTheEnvironment: one value per line.
func TestRepeatedFlagsInTheEnvironment(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	url := strings.Replace(s.url(), "tcp://", "ws://", 1) + "/"
	p := runWith(t, launch{args: []string{url}, env: []string{"FEEDGATE_WS_HEADER=X-One: a, b\nX-Two: c\n"}})
	c := s.accept()
	head := make([]byte, 0, 4096)
	for !strings.Contains(string(head), "\r\n\r\n") {
		n, err := c.Read(head[len(head):cap(head)])
		if err != nil {
			t.Fatal(err)
		}
		head = head[:len(head)+n]
	}
	for _, want := range []string{"X-One: a, b\r\n", "X-Two: c\r\n"} {
		if !strings.Contains(string(head), want) {
			t.Errorf("no %q in\n%s", want, head)
		}
	}
	p.signal(syscall.SIGTERM)
	c.close()
	p.exit(0)
}

// TestUnknownVariablesCauseAWarning: with their names but not their values, which may be secret.
// Variables of other commands are known.
func TestUnknownVariablesCauseAWarning(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		p := runWith(t, launch{args: []string{"fg://127.0.0.1:1", "--log-format=" + format},
			env: []string{"FEEDGATE_WROKERS=s3cret", "FEEDGATE_SERVICE_HOST=s3cret", "FEEDGATE_CHAOS=x", "FEEDGATE_ROUNDS=x", "FEEDGATE_CLIENT_NAME=me"}})
		p.waitLog("FEEDGATE_SERVICE_HOST FEEDGATE_WROKERS")
		p.stop()
		if text := p.stderr.String(); strings.Contains(text, "s3cret") || strings.Contains(text, "CHAOS") || strings.Contains(text, "ROUNDS") || strings.Contains(text, "CLIENT") {
			t.Errorf("a value, or a known variable, is in\n%s", text)
		}
	}
}

// TestAdminDefaultInUse: if the default address is in use, the gateway takes a free port. If an
// address that was set is in use, that is an error.
func TestAdminDefaultInUse(t *testing.T) {
	t.Parallel()
	const address = "127.0.0.1:4190"
	// If this fails, another process uses the address, which is just as good.
	if ln, err := net.Listen("tcp", address); err == nil {
		defer ln.Close()
	}
	s := listenFG(t)
	p := start(t, launch{args: []string{"run", "--sink=discard:", s.url()}})
	c := s.accept()
	c.welcome(1, "{}")
	p.waitLog("level=WARN", address, "--admin")
	found := regexp.MustCompile(` addr=(127\.0\.0\.1:\d+)`).FindStringSubmatch(p.stderr.String())
	if found == nil {
		t.Fatalf("no address in\n%s", p.stderr)
	}
	p.admin = found[1]
	if status, body := p.get("/ping"); status != 200 {
		t.Errorf("status %d, %s", status, body)
	}
	p.stop(c)
	file := configFile(t, "admin: "+address+"\n")
	for _, l := range []launch{
		{args: []string{"--admin=" + address}}, {env: []string{"FEEDGATE_ADMIN=" + address}}, {args: []string{"--config=" + file}},
	} {
		got := command(t, l.env, append([]string{"run", "--sink=discard:", s.url()}, l.args...)...)
		if got.status != 1 || !strings.Contains(got.stderr, "feedgate: --admin: ") {
			t.Errorf("%+v: status %d, %s", l, got.status, got.stderr)
		}
	}
}

// TestFirstLogLineHasTheSettings: without secrets.
func TestFirstLogLineHasTheSettings(t *testing.T) {
	t.Parallel()
	s := listenFG(t)
	url := strings.Replace(s.url(), "fg://", "ws://", 1) + "/feed?key=s3cret"
	p := runWith(t, launch{
		args: []string{url, "--log-format=json", "--log-level=debug", "--sink=exec:KEY=s3cret cat --token s3cret >/dev/null",
			"--workers=3", "--in-flight=100", "--ack-template=A{n}", "--max-message=2KiB", "--memory=1MiB"},
		env: []string{"FEEDGATE_FOO=s3cret"},
	})
	p.waitLog("\n")
	first, _, _ := strings.Cut(p.stderr.String(), "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatalf("%v in %s", err, first)
	}
	for key, want := range map[string]any{
		"level": "INFO", "upstream": strings.TrimSuffix(url, "?key=s3cret"), "sink": "exec:cat", "workers": 3.0, "dispatch": "spread",
		"ack": "each", "in_flight": 100.0, "max_message": 2048.0, "memory": float64(1 << 20), "ring": 8192.0,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	if version, _ := got["version"].(string); version == "" {
		t.Error("no version")
	}
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Errorf("the log has the secret:\n%s", p.stderr)
	}
}

// TestLogLinesNameTheirUpstream: once each.
func TestLogLinesNameTheirUpstream(t *testing.T) {
	t.Parallel()
	servers := []*fgServer{listenFG(t), listenFG(t)}
	p := run(t, servers[0].url(), servers[1].url(), "--log-format=json", "--log-level=debug")
	var conns []*fgConn
	for i, s := range servers {
		c := s.accept()
		c.welcome(1, fmt.Sprintf(`{"session":"s%d"}`, i))
		c.send(data(1, "x"), data(5, "x"))
		c.acks(2)
		c.reset()
		c = s.accept()
		c.welcome(6, "{}")
		c.send(frame{op: 99})
		c.untilBye()
		c.close()
		c = s.accept()
		c.welcome(1, "{}")
		conns = append(conns, c)
	}
	p.stop(conns...)
	of := make(map[any]int)
	for line := range strings.Lines(p.stderr.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if strings.Count(line, `"upstream"`) > 1 {
			t.Errorf("named twice: %s", line)
		}
		of[entry["upstream"]]++
		if entry["upstream"] == nil && (entry["addr"] != p.admin && entry["addr"] != nil || entry["session"] != nil) {
			t.Errorf("no upstream: %s", line)
		}
	}
	for _, s := range servers {
		if of[s.url()] < 8 {
			t.Errorf("%d lines with upstream %s", of[s.url()], s.url())
		}
	}
}

// TestHangupReloadsTheToken: the next login has the new token. An unusable token changes nothing.
func TestHangupReloadsTheToken(t *testing.T) {
	t.Parallel()
	path := tokenFile(t, "s3cret-1\r\n", 0o600)
	s := listenFG(t)
	p := run(t, s.url(), "--token-file="+path)
	login := func(want string) *fgConn {
		t.Helper()
		c := s.accept()
		if _, h := c.welcome(1, "{}"); h.Token != want {
			t.Errorf("token %q, want %q", h.Token, want)
		}
		return c
	}
	c := login("s3cret-1")
	for _, step := range []struct{ secret, logged, want string }{
		{"s3cret-2\n", "level=INFO msg=\"reloaded", "s3cret-2"},
		{"", "is empty", "s3cret-2"},
	} {
		if err := os.WriteFile(path, []byte(step.secret), 0o600); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		p.waitLog(step.logged)
		c.close()
		c = login(step.want)
	}
	p.stop(c)
	if strings.Contains(p.stderr.String(), "s3cret") {
		t.Error("the log has the secret")
	}
}
