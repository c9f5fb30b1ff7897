package httpsink

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"feedgate/gateway/handlertest"
	"feedgate/worker/flagset"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
	"feedgate/worker/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is a request that a server had.
type post struct {
	*http.Request
	messages []string
}

// server stores messages, unless answer has another status for a request.
type server struct {
	*httptest.Server
	t      testing.TB
	answer func(w http.ResponseWriter, p post) int // 0: 200; -1: it has written an answer itself

	mu    sync.Mutex
	posts []post
}

// ServeHTTP implements [http.Handler].
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		panic(http.ErrAbortHandler) // a test has cut the request off; returning would answer 200
	}
	p := post{r, split(s.t, r.Header.Get("Content-Type"), body)}
	status := http.StatusOK
	s.mu.Lock()
	if s.answer != nil {
		if status = s.answer(w, p); status == 0 {
			status = http.StatusOK
		}
	}
	if status < 0 || status/100 == 2 {
		s.posts = append(s.posts, p)
	}
	s.mu.Unlock()
	if status >= 0 {
		w.WriteHeader(status)
	}
}

// split returns the messages of a body.
func split(t testing.TB, contentType string, body []byte) (all []string) {
	switch contentType {
	case "application/json":
		var values []json.RawMessage
		if err := json.Unmarshal(body, &values); err != nil {
			t.Errorf("a body of JSON: %v", err)
		}
		for _, v := range values {
			all = append(all, string(v))
		}
	case "application/octet-stream":
		for len(body) > 0 {
			n := 4 + int(binary.BigEndian.Uint32(body))
			all, body = append(all, string(body[4:n])), body[n:]
		}
	default:
		for line := range bytes.Lines(body) {
			all = append(all, strings.TrimSuffix(string(line), "\n"))
		}
	}
	return all
}

// stored returns the messages that the server has stored, in order.
func (s *server) stored() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.posts {
		all = append(all, p.messages...)
	}
	return all
}

// address returns the server's HOST:PORT.
func (s *server) address() string { return s.Listener.Addr().String() }

// serve starts a server.
func serve(t testing.TB, answer func(w http.ResponseWriter, p post) int) *server {
	t.Helper()
	s := &server{t: t, answer: answer}
	sinktest.VerifyNoLeaks(t)
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// withFlags returns the values of flags.
func withFlags(f sink.ServerFlags, headers ...string) *flagset.Flags {
	flags := sink.Registry{Kind}.NewFlags()
	for _, group := range flags.Groups() {
		switch g := group.(type) {
		case *sink.ServerFlags:
			*g = f
		case *Flags:
			g.Headers = headers
		}
	}
	return flags
}

func send(g *handlertest.Gateway, messages ...string) {
	for _, m := range messages {
		g.Send(0, []byte(m))
	}
}

// wantStored fails the test unless the server has stored these messages, in this order.
func (s *server) wantStored(want ...string) {
	s.t.Helper()
	if got := s.stored(); !slices.Equal(got, want) {
		s.t.Errorf("stored %q, want %q", got, want)
	}
}

// TestFormats: a server gets the messages as sent, in order, and those that a format cannot have are
// refused alone, without a request.
func TestFormats(t *testing.T) {
	all := []string{`{"a":1}`, "two\nlines", "", `[1, 2]`, "not JSON", `"x"`, "\x00\xff", " 7\n"}
	for format, unfit := range map[string][]int{
		"":               {1, 7},
		"?format=ndjson": {1, 7},
		"?format=json":   {1, 2, 4, 6},
		"?format=length": nil,
	} {
		t.Run(format, func(t *testing.T) {
			s := serve(t, nil)
			g := handlertest.Start(t, sinktest.Open(t, Kind, "http://"+s.address()+"/in"+format, sink.Config{}), 1, 64)
			var want []string
			for i, m := range all {
				if send(g, m); !slices.Contains(unfit, i) {
					want = append(want, strings.TrimSpace(m))
				}
			}
			g.Wait(len(all))
			g.Stop()
			for i := range all {
				if refused := g.Code(i) == 2; refused != slices.Contains(unfit, i) {
					t.Errorf("message %d: code %d", i, g.Code(i))
				}
			}
			got := s.stored()
			for i := range got {
				got[i] = strings.TrimSpace(got[i])
			}
			if !slices.Equal(got, want) {
				t.Errorf("stored %q, want %q", got, want)
			}
		})
	}
}

// openWith opens a sink with other settings than those of its URL.
func openWith(t testing.TB, url string, cfg sink.Config, change func(*settings)) *sink.Sink {
	t.Helper()
	kind := Kind
	kind.Parse = func(u sink.URL, flags *flagset.Flags) (target sink.Target, err error) {
		at, err := parseURL(u)
		in, loginErr := parseLogin(flags)
		return sink.Target{Open: func(cfg *sink.Config) (*sink.Sink, error) {
			set := &settings{target: at, login: in, run: "run", answer: answerTimeout, silence: silence}
			change(set)
			return open(set, cfg), nil
		}}, errors.Join(err, loginErr)
	}
	return sinktest.Open(t, kind, url, cfg)
}

// logged returns a log, and a Config with it.
func logged(t testing.TB) (*testkit.Log, sink.Config) {
	log := new(testkit.Log)
	return log, sink.Config{Log: log.Tee(t)}
}

// quiet drops what a server complains about.
var quiet = log.New(io.Discard, "", 0)
