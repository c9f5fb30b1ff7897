package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
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
	if len(lines) != 2 || lines[1] != "ok: --sink discard:: there is nothing to connect to" {
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
		"ok: --sink discard:: there is nothing to connect to",
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
		p.finding(1, "failed: "+s.url()+": "+s.ln.Addr().String()+": no answer within --connect-timeout")
	})
}

// secured does the server's part of the TLS handshake, for NSQ after IDENTIFY, and reads on until the
// client has left.
func secured(t *testing.T, name string, ln *net.TCPListener, cfg *tls.Config) {
	t.Helper()
	var raw net.Conn
	if name == "NSQ" {
		c, _ := acceptNSQ(t, ln, `{"tls_v1":true}`)
		raw = c.TCPConn
	} else {
		raw = accept(t, ln)
	}
	conn := tls.Server(raw, cfg)
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if conn.Handshake() == nil {
		_, _ = io.Copy(io.Discard, conn) // the client's line has the error, if any
	}
	conn.Close()
}

// TestCheckFindsWrongCertificates: with the flag that helps.
func TestCheckFindsWrongCertificates(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	good := &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil)}}
	for name, scheme := range schemesForCheck {
		for fault, c := range map[string]struct {
			server *tls.Config
			words  []string
		}{
			"authority": {&tls.Config{Certificates: []tls.Certificate{other.Issue(nil)}}, []string{"unknown authority", "; see --tls-ca"}},
			"name":      {&tls.Config{Certificates: []tls.Certificate{ca.Issue(tlstest.For("feed.test"))}}, []string{"certificate", "see --tls-server-name"}},
			"expired": {&tls.Config{Certificates: []tls.Certificate{ca.Issue(func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
			})}}, []string{"certificate has expired"}},
			"of the client": {&tls.Config{Certificates: good.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()},
				[]string{"asked for a client certificate, see --tls-cert"}},
		} {
			t.Run(name+" "+fault, func(t *testing.T) {
				t.Parallel()
				ln := listen(t, 0)
				url := strings.ReplaceAll(scheme.secure, "ADDR", ln.Addr().String())
				p := startCheck(t, append(scheme.flags, url, "--tls-ca="+ca.File)...)
				secured(t, name, ln, c.server)
				p.finding(1, append(c.words, "failed: "+url+": "+ln.Addr().String()+": ")...)
			})
		}
		t.Run(name+" without TLS", func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			url := strings.ReplaceAll(scheme.secure, "ADDR", s.ln.Addr().String())
			p := startCheck(t, append(scheme.flags, url, "--tls-ca="+ca.File)...)
			c := s.accept()
			c.send([]byte("220 hello\r\n"))
			_, _ = io.Copy(io.Discard, c.timed())
			c.close()
			if name == "NSQ" { // it has a login before TLS
				p.finding(1, "failed: "+url+": ")
				return
			}
			p.finding(1, "failed: "+url+": ", "see the URL's scheme")
		})
	}
	t.Run("right", func(t *testing.T) {
		t.Parallel()
		ln := listen(t, 0)
		url := "tcp+tls://" + ln.Addr().String()
		p := startCheck(t, url, "--frame=line", "--tls-ca="+ca.File)
		secured(t, "tcp", ln, good)
		p.finding(0, "ok: "+url+": connected to "+ln.Addr().String()+", TLS 1.3, certificate expires 20", ", tcp")
	})
}

// TestCheckFindsRefusedLogins: with the flag that helps. tcp has no login that check could try.
func TestCheckFindsRefusedLogins(t *testing.T) {
	t.Parallel()
	token := "--token-file=" + tokenFile(t, "s3cret", 0o600)
	t.Run("FG/1", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), token)
		c := s.accept()
		c.hello()
		c.send(bye(4))
		c.leave()
		p.finding(1, "failed: "+s.url()+": "+s.ln.Addr().String()+": the server refused the token; see --token-file")
	})
	t.Run("FG/1 without the ack mode", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), "--ack=range")
		c := s.accept()
		c.welcome(1, "{}")
		if _, last := c.untilBye(); last.code != 2 {
			t.Errorf("BYE %d", last.code)
		}
		c.close()
		p.finding(1, `the server does not accept "range" acks; see --ack`)
	})
	t.Run("FG/1 closed", func(t *testing.T) {
		t.Parallel()
		s := listenFG(t)
		p := startCheck(t, s.url(), token)
		c := s.accept()
		c.hello()
		c.close()
		p.finding(1, " during the login", "see --token-file and the URL's scheme")
	})
	t.Run("WebSocket", func(t *testing.T) {
		t.Parallel()
		s := listenTCP(t)
		p := startCheck(t, "ws://"+s.ln.Addr().String()+"/x", token, "--ws-header=Authorization: Bearer {token}")
		c := s.accept()
		c.send([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
		_, _ = io.Copy(io.Discard, c.timed())
		c.close()
		p.finding(1, ": the server answered 401 "+http.StatusText(http.StatusUnauthorized)+", not 101; --ws-header sends credentials")
	})
	t.Run("WebSocket elsewhere", func(t *testing.T) {
		t.Parallel()
		s, ln := listenTCP(t), listen(t, 0)
		p := startCheck(t, "ws://"+s.ln.Addr().String()+"/x")
		c := s.accept()
		c.send([]byte("HTTP/1.1 307 Temporary Redirect\r\nLocation: ws://" + ln.Addr().String() + "/y\r\nContent-Length: 0\r\n\r\n"))
		w := acceptWS(t, ln, "")
		if w.request.URL.Path != "/y" {
			t.Errorf("path %s", w.request.URL.Path)
		}
		w.closed()
		w.hangUp()
		c.close()
		p.finding(0, "connected to "+ln.Addr().String()+", where "+s.ln.Addr().String()+" redirects to, WebSocket 13")
	})
	for name, answer := range map[string]struct {
		identify string
		args     []string
	}{
		"NSQ":             {`{"auth_required":true}`, []string{token}},
		"NSQ, no secret":  {`{"auth_required":true}`, nil},
		"NSQ, TLS wanted": {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ln := listen(t, 0)
			p := startCheck(t, append(answer.args, "nsq://"+ln.Addr().String()+"/t/c")...)
			if answer.identify == "" {
				c := &tcpConn{TCPConn: accept(t, ln), t: t}
				c.close()
				p.finding(1, " during the login", "(nsq+tls://)")
				return
			}
			c, _ := acceptNSQ(t, ln, answer.identify)
			if answer.args != nil {
				c.command("AUTH")
				c.body()
				c.frame(nsqError, "E_AUTH_FAILED AUTH failed for s3cret")
			}
			c.leaves()
			p.finding(1, "see --token-file")
		})
	}
}

// TestCheckLooksAtSinks: without writing.
func TestCheckLooksAtSinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(in("there"), []byte("one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("plain"), []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for sink, want := range map[string]string{
		"file:" + in("new"):                      "ok: --sink file:" + in("new") + ": is not there yet; it can be created; ",
		"file:" + in("there"):                    "ok: --sink file:" + in("there") + ": can be appended to; it has 4 bytes; ",
		"file:" + in("none/new"):                 "failed: --sink file:" + in("none/new") + ": its directory: ",
		"file:" + in("there/new"):                "failed: --sink file:" + in("there/new") + ": ",
		"file:" + dir:                            "failed: --sink file:" + dir + ": ",
		"file:/dev/null":                         "failed: --sink file:/dev/null: ",
		"exec:sh -c 'cat >&2'":                   "ok: --sink exec:sh: /",
		"exec:A=b exec sh s3cret":                "ok: --sink exec:exec: /",
		"exec:" + in("none") + " --token s3cret": "failed: --sink exec:" + in("none") + ": its program cannot be executed: ",
		"exec:" + in("plain"):                    "failed: --sink exec:" + in("plain") + ": its program cannot be executed: ",
		"exec:if true; then cat; fi":             "ok: --sink exec:if: its program is known to the shell only",
		"stdout:":                                "ok: --sink stdout:: standard output is open",
	} {
		t.Run(sink, func(t *testing.T) {
			t.Parallel()
			s := listenTCP(t)
			p := startCheck(t, s.url(), "--frame=line", "--sink="+sink, "--dead-letter=file:"+in("none/dead"))
			s.accept().untilEnd()
			lines := p.findings(1)
			if len(lines) != 3 || !strings.HasPrefix(lines[1], want) || !strings.HasPrefix(lines[2], "failed: --dead-letter file:"+in("none/dead")+": its directory: ") {
				t.Errorf("%q, want %q", lines, want)
			}
			if strings.Contains(p.stdout.String(), "s3cret") {
				t.Errorf("the output has the secret:\n%s", p.stdout)
			}
		})
	}
}

// TestCheckTakesNoMessage: the ledger of a feed has no ack, and no fault of the protocol.
func TestCheckTakesNoMessage(t *testing.T) {
	t.Parallel()
	for protocol, c := range map[string]struct {
		url  string
		args []string
	}{
		"fg":   {"fg://ADDR", nil},
		"line": {"tcp://ADDR", []string{"--frame=line", `--ack-template=A{n}\n`}},
		"ws":   {"ws://ADDR/", []string{"--ack-template=A{n}"}},
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			address := freshAddress()
			feed := start(t, launch{args: []string{"feed", "--listen=" + address, "--protocol=" + protocol, "--count=1000", "--json"}})
			feed.waitLog("listening on")
			url := strings.ReplaceAll(c.url, "ADDR", address)
			startCheck(t, append(c.args, url)...).finding(0, "ok: ", ": connected to "+address)
			feed.waitLog("connection ended")
			_ = feed.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, as its sessions have
			feed.status(patience)
			var ledger struct {
				Total struct {
					Connections, Acknowledged, Refused, Early, Unknown int
					ProtocolErrors                                     int `json:"protocol_errors"`
				}
			}
			if err := json.Unmarshal([]byte(feed.stdout.String()), &ledger); err != nil {
				t.Fatalf("%v in %s", err, feed.stdout)
			}
			got := ledger.Total
			if got.Connections != 1 || got.Acknowledged+got.Refused+got.Early+got.Unknown+got.ProtocolErrors > 0 {
				t.Errorf("the feed counts %+v", got)
			}
		})
	}
}
