package post

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"feedgate/gateway/handlertest"
	"feedgate/gateway/tlstest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server stores lines, unless status returns an error.
type server struct {
	*httptest.Server
	status func(user, password, body string) int // nil, or 0: 200

	mu    sync.Mutex
	lines []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	if s.status != nil {
		if code := s.status(user, password, string(body)); code != 0 {
			w.WriteHeader(code)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, strings.Fields(string(body))...)
}

func (s *server) stored() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// serve starts a server, and returns its HOST:PORT.
func serve(t *testing.T, s *server) string {
	t.Helper()
	sinktest.VerifyNoLeaks(t)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func send(g *handlertest.Gateway, messages ...string) {
	for _, m := range messages {
		g.Send(0, []byte(m))
	}
}

// TestOutcomes: messages that the server accepts are done, in order; those that it cannot take now
// are sent again; those that it will never take are refused alone.
func TestOutcomes(t *testing.T) {
	busy := true
	s := &server{}
	s.status = func(_, _, body string) int {
		switch {
		case busy:
			busy = false
			return http.StatusServiceUnavailable
		case strings.Contains(body, "bad"):
			return http.StatusUnprocessableEntity
		}
		return 0
	}
	g := handlertest.Start(t, sinktest.Open(t, Kind, "post://"+serve(t, s)+"/in", sink.Config{}), 1, 64)
	send(g, "a")
	g.Wait(1)
	send(g, "b", "two\nlines", "bad", "c")
	g.Wait(5)
	g.Stop()
	if got := s.stored(); !slices.Equal(got, []string{"a", "b", "c"}) || g.Code(2) != worker.BadRequest || g.Code(3) != worker.Refused {
		t.Errorf("stored %q; codes %d, %d", got, g.Code(2), g.Code(3))
	}
}

// TestDenied: with a wrong password, the sink fails and nothing is acknowledged.
func TestDenied(t *testing.T) {
	s := &server{status: func(string, string, string) int { return http.StatusUnauthorized }}
	out := sinktest.Open(t, Kind, "post://"+serve(t, s), sink.Config{})
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	<-out.Failed()
	g.Stop()
	g.WantResolved(0)
	if err := out.Err(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("%v", err)
	}
}

// TestUnreachable: messages wait for the server, and the sink is not ready.
func TestUnreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	out := sinktest.Open(t, Kind, "post://"+addr, sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil || out.Ready() == nil {
		t.Errorf("start: %v, ready: %v", err, out.Ready())
	}
	g := handlertest.Start(t, out, 1, 64)
	send(g, "a")
	g.WantResolved(0)
	if ln, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	s := &server{}
	web := &http.Server{Handler: s}
	served := make(chan error)
	go func() { served <- web.Serve(ln) }()
	g.Wait(1)
	g.Stop()
	if err := errors.Join(out.Ready(), web.Close()); err != nil {
		t.Error(err)
	}
	if <-served; !slices.Equal(s.stored(), []string{"a"}) {
		t.Errorf("stored %q", s.stored())
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
	var logins []string
	s := &server{status: func(user, password, _ string) int {
		logins = append(logins, user+":"+password)
		return 0
	}}
	sinktest.VerifyNoLeaks(t)
	s.Server = httptest.NewUnstartedServer(s)
	s.TLS = ca.Server()
	s.StartTLS()
	t.Cleanup(s.Close)
	url := "post+tls://" + s.Listener.Addr().String()
	g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{Credentials: login}), 1, 64)
	send(g, "a")
	g.Wait(1)
	login.Password.Set([]byte("second"))
	send(g, "b")
	g.Wait(2)
	g.Stop()
	if want := []string{"me:first", "me:second"}; !slices.Equal(logins, want) {
		t.Errorf("logins %q, want %q", logins, want)
	}
	// Without --sink-ca the same server is not trusted.
	out := sinktest.Open(t, Kind, url, sink.Config{})
	if err := out.Start(t.Context(), 1); err != nil || out.Ready() == nil || !strings.Contains(out.Ready().Error(), "see --sink-ca") {
		t.Errorf("start: %v, ready: %v", err, out.Ready())
	}
}

func TestFaults(t *testing.T) {
	flags := sink.Registry{Kind}.NewFlags()
	for _, group := range flags.Groups() {
		if f, ok := group.(*Flags); ok {
			f.Type = "a\nb"
		}
	}
	for url, want := range map[string]string{
		"post:a":             "want // and a host",
		"post://a,b/":        "want one host",
		"post://a?linger=no": "is not a duration",
		"post://a":           "--post-type: ",
	} {
		_, err := sink.Registry{Kind}.Parse("--sink", url, flags)
		if !errors.Is(err, sink.ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if err := checkPassword([]byte("s3cret\n")); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
}

// TestLinger: messages wait for more, unless no more will arrive.
func TestLinger(t *testing.T) {
	s := &server{}
	g := handlertest.Start(t, sinktest.Open(t, Kind, "post://"+serve(t, s)+"?linger=1h", sink.Config{ReconnectMax: time.Second}), 1, 64)
	send(g, "a", "b")
	g.Drain()
	g.Wait(2)
	g.Stop()
}
