package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/gateway/tlstest"
)

// nsqAnswer is nsqd's response to IDENTIFY.
const nsqAnswer = `{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"tls_v1":false,"auth_required":false}`

// TestNSQSession: from IDENTIFY to CLS.
func TestNSQSession(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	sink := newFileSink(t)
	p := run(t, "nsq://"+ln.Addr().String()+"/orders/archive", "--client-name=me", "--heartbeat=7s", "--workers=1", sink.flag())
	c, id := acceptNSQ(t, ln, nsqAnswer)
	if id.ClientID != "me" || id.HeartbeatInterval != 7000 || !id.Features || id.TLS {
		t.Errorf("IDENTIFY with %+v", id)
	}
	c.subscribed("orders", "archive", 2500)
	c.message(1, 1, "one")
	c.command("FIN " + nsqID(1))
	c.frame(nsqResponse, "_heartbeat_")
	c.command("NOP")
	c.message(2, 3, "two")
	c.command("FIN " + nsqID(2))
	c.message(3, 1, "")
	c.command("FIN " + nsqID(3))
	p.waitMetric(3, "feedgate_acks_total", "code", "0")
	p.signal(syscall.SIGTERM)
	c.command("CLS")
	c.message(4, 1, "delivered before the answer")
	c.frame(nsqResponse, "CLOSE_WAIT")
	c.command("FIN " + nsqID(4))
	c.leaves()
	p.exit(0)
	sink.holds(t, "one", "two", "", "delivered before the answer")
}

// TestNSQRefusedIsRequeued: with a growing delay. A dead letter is finished.
func TestNSQRefusedIsRequeued(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	kids := newChildren(t)
	p := run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=1", kids.sink(t))
	c, _ := acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	last := -1
	for attempts := range 20 {
		c.message(9, uint16(attempts+1), "code=1")
		line := c.next()
		words := strings.Fields(line)
		if len(words) != 3 || words[0] != "REQ" || words[1] != nsqID(9) {
			t.Fatalf("command %q, want REQ", line)
		}
		delay, err := strconv.Atoi(words[2])
		if err != nil || delay < last || delay > 3_600_000 {
			t.Fatalf("attempt %d: delay %q after %d", attempts+1, words[2], last)
		}
		if attempts == 5 && delay <= 1 {
			t.Errorf("delay %d does not grow", delay)
		}
		last = delay
	}
	c.message(10, 1, "code=0")
	c.command("FIN " + nsqID(10))
	p.waitMetric(20, "feedgate_acks_total", "code", "1")

	dead := filepath.Join(t.TempDir(), "dead")
	ln2 := listen(t, 0)
	run(t, "nsq://"+ln2.Addr().String()+"/t/c", "--workers=1", "--dead-letter=file:"+dead, kids.sink(t))
	c2, _ := acceptNSQ(t, ln2, nsqAnswer)
	c2.subscribed("t", "c", 2500)
	c2.message(11, 1, "code=1005")
	c2.command("FIN " + nsqID(11))
	if b, err := os.ReadFile(dead); err != nil || string(b) != "code=1005\n" {
		t.Errorf("dead letters %q, %v", b, err)
	}
}

// TestNSQReadyIsInFlight: but at most max_rdy_count.
func TestNSQReadyIsInFlight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flag        string
		most, ready int
	}{{"--in-flight=100", 2500, 100}, {"--in-flight=2600", 2500, 2500}, {"--in-flight=10", 7, 7}} {
		ln := listen(t, 0)
		run(t, "nsq://"+ln.Addr().String()+"/t/c", c.flag)
		conn, _ := acceptNSQ(t, ln, fmt.Sprintf(`{"max_rdy_count":%d,"msg_timeout":60000,"max_msg_timeout":900000}`, c.most))
		conn.subscribed("t", "c", c.ready)
	}
}

// TestNSQTouch: a message whose handler is still busy near its timeout is touched, again and
// again. Heartbeats are answered meanwhile.
func TestNSQTouch(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	kids := newChildren(t)
	flag := filepath.Join(t.TempDir(), "go")
	run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=1", kids.sink(t))
	c, _ := acceptNSQ(t, ln, `{"max_rdy_count":2500,"msg_timeout":1000,"max_msg_timeout":900000}`)
	c.subscribed("t", "c", 2500)
	c.message(1, 1, "wait="+flag)
	c.command("TOUCH " + nsqID(1))
	c.frame(nsqResponse, "_heartbeat_")
	for touches, answered := 1, false; touches < 2 || !answered; {
		switch line := c.next(); line {
		case "NOP":
			answered = true
		case "TOUCH " + nsqID(1):
			touches++
		default:
			t.Fatalf("command %q", line)
		}
	}
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line := c.next(); line != "FIN "+nsqID(1); line = c.next() {
		if line != "TOUCH "+nsqID(1) {
			t.Fatalf("command %q", line)
		}
	}
}

// TestNSQAuth: the secret is sent if nsqd requires it. If nsqd refuses it, the process ends.
func TestNSQAuth(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("opensesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const answer = `{"max_rdy_count":2500,"msg_timeout":60000,"auth_required":true}`
	ln := listen(t, 0)
	run(t, "nsq://"+ln.Addr().String()+"/t/c", "--token-file="+token)
	c, _ := acceptNSQ(t, ln, answer)
	c.command("AUTH")
	if secret := string(c.body()); secret != "opensesame" {
		t.Errorf("AUTH with %q", secret)
	}
	c.frame(nsqResponse, `{"identity":"me","identity_url":"","permission_count":1}`)
	c.subscribed("t", "c", 2500)

	ln = listen(t, 0)
	p := run(t, "nsq://"+ln.Addr().String()+"/t/c", "--token-file="+token)
	c, _ = acceptNSQ(t, ln, answer)
	c.command("AUTH")
	c.body()
	c.frame(nsqError, "E_AUTH_FAILED AUTH failed")
	c.close()
	p.exit(1)
	if text := p.stderr.String(); !strings.Contains(text, "--token-file") || strings.Contains(text, "opensesame") {
		t.Errorf("standard error: %s", tail(text))
	}
}

// TestNSQErrors: errors reported by nsqd are counted by their code. A stale FIN is harmless; other
// errors end the connection, and the gateway reconnects.
func TestNSQErrors(t *testing.T) {
	t.Parallel()
	ln := listen(t, 0)
	p := run(t, "nsq://"+ln.Addr().String()+"/t/c", "--workers=1", "--max-message=1KiB")
	c, _ := acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	c.message(1, 1, "one")
	c.command("FIN " + nsqID(1))
	c.frame(nsqError, "E_FIN_FAILED FIN "+nsqID(1)+" failed ID not in flight")
	p.protocolErrors(1, "e_fin_failed")
	c.message(2, 1, strings.Repeat("x", 1025))
	if line := c.next(); !strings.HasPrefix(line, "REQ "+nsqID(2)+" ") {
		t.Fatalf("command %q, want REQ", line)
	}
	c.message(3, 1, strings.Repeat("x", 1024))
	c.command("FIN " + nsqID(3))
	p.waitMetric(1, "feedgate_acks_total", "code", "3")
	c.frame(nsqError, "E_INVALID invalid command")
	p.protocolErrors(1, "e_invalid")
	c.leaves()
	c, _ = acceptNSQ(t, ln, nsqAnswer)
	c.command("SUB t c")
	c.frame(nsqError, "E_BAD_TOPIC SUB topic name is not valid")
	p.protocolErrors(1, "e_bad_topic")
	c.leaves()
	c, _ = acceptNSQ(t, ln, nsqAnswer)
	c.subscribed("t", "c", 2500)
	c.message(4, 1, "four")
	c.command("FIN " + nsqID(4))
}

// TestNSQOverTLS: TLS begins after IDENTIFY, if nsqd agrees to it.
func TestNSQOverTLS(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	ln := listen(t, 0)
	p := run(t, "nsq+tls://"+ln.Addr().String()+"/t/c", "--tls-ca="+ca.File, "--workers=1")
	c, id := acceptNSQ(t, ln, `{"max_rdy_count":2500,"msg_timeout":60000,"tls_v1":false}`)
	if !id.TLS {
		t.Errorf("IDENTIFY with %+v", id)
	}
	p.protocolErrors(1, "tls")
	c.leaves()
	c, _ = acceptNSQ(t, ln, `{"max_rdy_count":2500,"msg_timeout":60000,"tls_v1":true}`)
	secured := tls.Server(c.TCPConn, &tls.Config{Certificates: []tls.Certificate{ca.Issue(nil)}})
	if err := secured.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	exchange := func(kind uint32, send, want string) {
		t.Helper()
		b := append([]byte{0, 0, 0, byte(4 + len(send)), 0, 0, 0, byte(kind)}, send...)
		if _, err := secured.Write(b); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			k, err := secured.Read(got[n:])
			if n += k; err != nil {
				t.Fatalf("%q, %v; want %q", got[:n], err, want)
			}
		}
		if string(got) != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	exchange(nsqResponse, "OK", "SUB t c\n")
	exchange(nsqResponse, "OK", "RDY 2500\n")
	exchange(nsqMessage, "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01"+nsqID(1)+"hello", "FIN "+nsqID(1)+"\n")
}
