package e2e

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// startCheck starts `feedgate check --connect` with sink discard:.
func startCheck(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, launch{args: append([]string{"check", "--connect", "--sink=discard:", "--connect-timeout=" + patience.String()}, args...)})
}

// findings waits for the end of check and returns its lines of --connect.
func (p *process) findings(status int) (lines []string) {
	p.t.Helper()
	p.exit(status)
	for line := range strings.Lines(p.stdout.String()) {
		if strings.HasPrefix(line, "ok: ") || strings.HasPrefix(line, "failed: ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// finding checks the line of the only host of a URL.
func (p *process) finding(status int, words ...string) {
	p.t.Helper()
	lines := p.findings(status)
	if len(lines) != 2 || lines[1] != "ok: --sink discard: there is nothing to connect to" {
		p.t.Fatalf("lines %q", lines)
	}
	for _, word := range words {
		if !strings.Contains(lines[0], word) {
			p.t.Errorf("no %q in %q", word, lines[0])
		}
	}
	if text := p.stdout.String() + p.stderr.String(); strings.Contains(text, "s3cret") {
		p.t.Errorf("the output has the secret:\n%s", text)
	}
}

// TestCheckConnectsFG1: up to WELCOME, in a session of its own; a message that follows is not acknowledged.
func TestCheckConnectsFG1(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := listenFG(t)
	address := s.ln.Addr().String()
	kept := `{"version":1,"upstreams":{"` + s.url() + `":{"session":"mine","seq":7}}}`
	if err := os.WriteFile(state, []byte(kept), 0o600); err != nil {
		t.Fatal(err)
	}
	token := tokenFile(t, "s3cret", 0o600)
	p := startCheck(t, s.url(), "--token-file="+token, "--client-name=me", "--state="+state)
	c := s.accept()
	seq, h := c.welcome(1, `{"session":"new","acks":["each"]}`)
	if seq != 0 || *h.Session != "" || h.Token != "s3cret" || h.Client != "me" {
		t.Errorf("HELLO with seq %d, %+v", seq, h)
	}
	c.send(data(1, "a"), data(2, "b"))
	before, last := c.untilBye()
	if len(before) > 0 || last.code != 6 {
		t.Errorf("%v, then BYE %d", before, last.code)
	}
	c.close()
	lines := p.findings(0)
	want := []string{
		"ok: " + s.url() + ": connected to " + address + ", FG/1, login accepted",
		"ok: --sink discard: there is nothing to connect to",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	if got, err := os.ReadFile(state); err != nil || string(got) != kept {
		t.Errorf("the state is %q, %v", got, err)
	}
}

// TestCheckConnectsTCP: up to the connection. Nothing is sent.
func TestCheckConnectsTCP(t *testing.T) {
	t.Parallel()
	s := listenTCP(t)
	p := startCheck(t, s.url(), "--frame=line", `--hello=HI\n`, `--ack-template=A{n}\n`)
	c := s.accept()
	c.send([]byte("one\ntwo\n"))
	if got := c.untilEnd(); got != "" {
		t.Errorf("the gateway sent %q", got)
	}
	p.finding(0, "ok: "+s.url()+": connected to "+s.ln.Addr().String()+", tcp, --hello was not sent")
}

// TestCheckConnectsWebSocket: up to 101, then Close.
func TestCheckConnectsWebSocket(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	url := "ws://" + ln.Addr().String() + "/feed"
	p := startCheck(t, url+"?x=s3cret", "--hello=HI", "--ack-template=A{n}")
	c := acceptWS(t, ln, "")
	c.send(wsFinal|wsText, "one")
	if code := c.closed(); code != 1001 {
		t.Errorf("Close %d", code)
	}
	c.hangUp()
	p.finding(0, "ok: "+url+": connected to "+ln.Addr().String()+", WebSocket 13, --hello was not sent")
}

// TestCheckConnectsNSQ: up to AUTH. A subscriber would count among those that share the messages.
func TestCheckConnectsNSQ(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	url := "nsq://" + ln.Addr().String() + "/orders/archive"
	p := startCheck(t, url, "--token-file="+tokenFile(t, "s3cret", 0o600))
	c, _ := acceptNSQ(t, ln, `{"auth_required":true}`)
	c.command("AUTH")
	if secret := string(c.body()); secret != "s3cret" {
		t.Errorf("secret %q", secret)
	}
	c.frame(nsqResponse, `{"identity":"me"}`)
	c.leaves()
	p.finding(0, "ok: "+url+": connected to "+ln.Addr().String()+", NSQ V2, login accepted, SUB was not sent")
}

// schemesForCheck are URLs and flags for a server at ADDR, without and with TLS.
var schemesForCheck = map[string]struct {
	plain, secure string
	flags         []string
}{
	"FG/1":      {"fg://ADDR", "fg+tls://ADDR", nil},
	"tcp":       {"tcp://ADDR", "tcp+tls://ADDR", []string{"--frame=line"}},
	"WebSocket": {"ws://ADDR/x", "wss://ADDR/x", nil},
	"NSQ":       {"nsq://ADDR/t/c", "nsq+tls://ADDR/t/c", nil},
}

// TestCheckFindsServersDown: a host that is down has a line that leads to the URL; so has each host.
func TestCheckFindsServersDown(t *testing.T) {
	t.Parallel()
	for name, scheme := range schemesForCheck {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			down := freshAddress()
			url := strings.ReplaceAll(scheme.plain, "ADDR", down)
			startCheck(t, append(scheme.flags, url)...).finding(1,
				"failed: "+url+": connect to "+down+": connection refused; see the host and port in the URL")
		})
	}
	t.Run("no such name", func(t *testing.T) {
		t.Parallel()
		startCheck(t, "fg://nowhere.invalid:1").finding(1, "failed: fg://nowhere.invalid:1: look up nowhere.invalid:1: ", "; see the host in the URL")
	})
	t.Run("one of two", func(t *testing.T) {
		t.Parallel()
		s := listenTCP(t)
		down := freshAddress()
		url := "tcp://" + down + "," + s.ln.Addr().String()
		p := startCheck(t, url, "--frame=line")
		s.accept().untilEnd()
		lines := p.findings(1)
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "failed: "+url+": connect to "+down) || !strings.HasPrefix(lines[1], "ok: "+url+": connected to "+s.ln.Addr().String()) {
			t.Errorf("lines %q", lines)
		}
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), "--connect-timeout=200ms")
		s.accept()
		p.finding(1, "failed: "+s.url()+": "+s.ln.Addr().String()+": no answer within --connect-timeout; does the server speak FG/1? see the URL's scheme")
	})
}

// TestCheckFindsConnectionsThatEndAtOnce: for run, such an address has failed.
func TestCheckFindsConnectionsThatEndAtOnce(t *testing.T) {
	t.Parallel()
	for want, end := range map[string]func(c *tcpConn){
		"the server closed the connection at once; see the port and the scheme in the URL": func(c *tcpConn) { c.close() },
		"connection reset by peer; see the":                                                func(c *tcpConn) { _ = c.SetLinger(0); c.close() },
	} {
		s := listenTCP(t)
		p := startCheck(t, s.url(), "--frame=line")
		end(s.accept())
		p.finding(1, "failed: "+s.url()+": ", s.ln.Addr().String()+": ", want)
	}
	s := listenTCP(t)
	p := startCheck(t, s.url(), "--frame=line")
	c := s.accept()
	c.send([]byte("one\n"))
	c.close()
	p.finding(0, "ok: ")
}

// TestCheckFindsOtherProtocols: the line of a server that speaks another protocol leads to the URL's scheme.
func TestCheckFindsOtherProtocols(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		url, answer, want string
	}{
		"fg at a length server": {"fg://ADDR", "\x00\x00\x00\x40text, not a header, and more of it, and more, and more of it....",
			"(unknown_op); does the server speak FG/1? see the URL's scheme"},
		"nsq at an FG/1 server":   {"nsq://ADDR/t/c", string(bye(5).append(nil)), "; does the server speak NSQ V2? see the URL's scheme"},
		"ws at an FG/1 server":    {"ws://ADDR/", string(bye(5).append(nil)), "is not HTTP; see the URL's scheme"},
		"ws at a line server":     {"ws://ADDR/", "one\ntwo\n", "; see the URL's scheme"},
		"wss at a silent server":  {"wss://ADDR/", "", "TLS handshake: no answer within --connect-timeout; does the server speak TLS? see the URL's scheme"},
		"fg at a silent server":   {"fg://ADDR", "", "no answer within --connect-timeout; does the server speak FG/1? see the URL's scheme"},
		"fg+tls at a line server": {"fg+tls://ADDR", "one\ntwo\n", "see the URL's scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			limit := patience
			if c.answer == "" {
				limit = 300 * time.Millisecond
			}
			p := startCheck(t, strings.ReplaceAll(c.url, "ADDR", s.ln.Addr().String()), "--connect-timeout="+limit.String())
			conn := s.accept()
			conn.send([]byte(c.answer))
			_, _ = io.Copy(io.Discard, conn.timed())
			conn.close()
			p.finding(1, c.want)
		})
	}
}
