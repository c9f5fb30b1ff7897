package toylog

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"feedgate/docs/examples/toylog/toylogtest"
	"feedgate/gateway/handlertest"
	"feedgate/gateway/tlstest"
	"feedgate/worker/sink"
	"feedgate/worker/sink/kit"
	"feedgate/worker/sink/sinktest"
)

// TestDenied: before any message, the sink fails, with an error that names the host.
func TestDenied(t *testing.T) {
	l := toylogtest.Log{Login: func(string, string, string) string { return "DENIED no such stream" }}
	h := l.Listen(t, free)
	out := open(t, h.Addr, "", sink.Config{})
	err := out.Start(t.Context(), 1)
	if !errors.Is(err, kit.ErrDenied) || !strings.Contains(err.Error(), "--sink: "+h.Addr) || !strings.Contains(err.Error(), "no such stream") {
		t.Errorf("%v", err)
	}
	select {
	case <-out.Failed():
	default:
		t.Error("the sink has not failed")
	}
}

// TestDeniedLater: once a message has been stored, a denied login is tried again.
func TestDeniedLater(t *testing.T) {
	logins := 0
	l := toylogtest.Log{Login: func(string, string, string) string {
		if logins++; logins >= 3 && logins <= 5 {
			return "DENIED for now"
		}
		return "OK"
	}}
	l.Answer = func(m toylogtest.Message) toylogtest.Answer {
		if m.Data == "b" && logins < 4 {
			return toylogtest.Reset
		}
		return toylogtest.Stored
	}
	h := l.Listen(t, free)
	g := handlertest.Start(t, open(t, h.Addr, "", sink.Config{}), 1, 64)
	send(g, "a")
	g.Wait(1)
	send(g, "b")
	g.Wait(2)
	g.Stop()
	if got := stored(&l); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("stored %q", got)
	}
}

// TestBusy: the next login waits for as long as the server asks. A host with another protocol
// counts as away.
func TestBusy(t *testing.T) {
	var logins []time.Time
	l := toylogtest.Log{Login: func(string, string, string) string {
		if logins = append(logins, time.Now()); len(logins) == 1 {
			return "BUSY 1"
		}
		return "OK"
	}}
	odd := toylogtest.Log{Login: func(string, string, string) string { return "WHO?" }}
	h, other := l.Listen(t, free), odd.Listen(t, free)
	const wait = 100 * time.Millisecond // the longest that a server may ask for
	out := open(t, h.Addr+","+other.Addr, "", sink.Config{ReconnectMin: time.Millisecond, ReconnectMax: wait})
	if err := out.Start(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := out.Ready(); err == nil || !strings.Contains(err.Error(), "asks to wait for") || !strings.Contains(err.Error(), "none of OK") {
		t.Errorf("ready: %v", err)
	}
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	g.Wait(1)
	g.Stop()
	h.Close() // nothing more is added to logins
	if d := logins[1].Sub(logins[0]); d < wait {
		t.Errorf("the second login came after %v", d)
	}
}

// TestLongAnswer: a long answer is not read to its end.
func TestLongAnswer(t *testing.T) {
	l := toylogtest.Log{Login: func(string, string, string) string { return "DENIED " + strings.Repeat("x", 1<<20) }}
	out := open(t, l.Listen(t, free).Addr, "", sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := out.Ready(); err == nil || len(err.Error()) > 200 {
		t.Errorf("ready: %.500v", err)
	}
}

// TestLoginWithTLS: the server is verified, and the login uses the current credentials.
func TestLoginWithTLS(t *testing.T) {
	ca := tlstest.NewAuthority(t)
	file := t.TempDir() + "/password"
	if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	login, err := sink.ServerFlags{User: "me", PasswordFile: file, CA: ca.File}.Load()
	if err != nil {
		t.Fatal(err)
	}
	var l toylogtest.Log
	ln, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	h := l.Serve(t, tls.NewListener(ln, ca.Server()))
	url := "toylog+tls://" + h.Addr + "/orders"
	out := sinktest.Open(t, Kind, url, sink.Config{Credentials: login})
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	g.Wait(1)
	login.Password.Set([]byte("second"))
	h.Close()
	ln, err = net.Listen("tcp", h.Addr)
	if err != nil {
		t.Fatal(err)
	}
	h = l.Serve(t, tls.NewListener(ln, ca.Server()))
	send(g, "b")
	g.Wait(2)
	g.Stop()
	if logins := l.Logins(); len(logins) < 2 || logins[0] != "orders me first" || logins[len(logins)-1] != "orders me second" {
		t.Errorf("logins %q", logins)
	}
	// Without --sink-ca the same server is not trusted.
	out = sinktest.Open(t, Kind, url, sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil || out.Ready() == nil || !strings.Contains(out.Ready().Error(), "see --sink-ca") {
		t.Errorf("start: %v, ready: %v", err, out.Ready())
	}
	h.Close()
}

// TestUser: a user that cannot be in the line HELLO is a fault of the flag.
func TestUser(t *testing.T) {
	flags := sink.Registry{Kind}.NewFlags()
	for _, group := range flags.Groups() {
		if shared, ok := group.(*sink.ServerFlags); ok {
			shared.User = "a b"
		}
	}
	if _, err := (sink.Registry{Kind}).Parse("--sink", "toylog://a:1/s", flags); err == nil || !strings.HasPrefix(err.Error(), "--sink-user: a space") {
		t.Errorf("%v", err)
	}
}
