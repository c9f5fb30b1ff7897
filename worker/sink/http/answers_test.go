package httpsink

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"feedgate/gateway/handlertest"
	"feedgate/worker"
	"feedgate/worker/sink"
	"feedgate/worker/sink/sinktest"
)

// statuses are those that a sink may meet, with their effect. 101 needs a server of its own.
var statuses = map[int]meaning{
	200: stored, 201: stored, 202: stored, 204: stored, 206: stored, 299: stored,
	300: wrong, 301: wrong, 302: wrong, 304: wrong, 307: wrong, 308: wrong, 399: wrong,
	400: unfit, 401: wrong, 402: unfit, 403: wrong, 404: wrong, 405: wrong, 406: unfit, 407: unfit, 408: later,
	409: unfit, 410: unfit, 411: wrong, 412: unfit, 413: unfit, 414: unfit, 415: wrong, 417: unfit, 422: unfit,
	425: later, 426: unfit, 429: later, 431: unfit, 451: unfit, 499: unfit,
	500: later, 501: later, 502: later, 503: later, 504: later, 507: later, 508: later, 599: later, 600: later, 999: later,
}

// TestFirstAnswer: the effect of each status on the first batch, which is repeated with 200 if it is
// sent again.
func TestFirstAnswer(t *testing.T) {
	for status, want := range statuses {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			posts := 0
			s := serve(t, func(http.ResponseWriter, post) int {
				if posts++; posts == 1 {
					return status
				}
				return 0
			})
			out := sinktest.Open(t, Kind, s.URL, sink.Config{})
			g := handlertest.Start(t, out, 1, 64)
			if send(g, "a"); want == stored || want == later {
				g.Wait(1)
				if g.Refused > 0 || want == later && posts != 2 {
					t.Errorf("%d refused after %d posts", g.Refused, posts)
				}
				return
			}
			<-out.Failed()
			g.Stop()
			g.WantResolved(0)
			text := statusText(status)
			if want == unfit {
				text = "refused every message of the first batch"
			}
			if err := out.Err(); !strings.Contains(err.Error(), text) || want == wrong && !strings.Contains(err.Error(), "; ") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestLaterAnswer: the effect of each status once the server has accepted a message.
func TestLaterAnswer(t *testing.T) {
	for status, want := range statuses {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			posts := 0
			repeated, proceed := make(chan bool, 1), make(chan bool)
			s := serve(t, func(http.ResponseWriter, post) int {
				posts++
				switch posts {
				case 2:
					return status
				case 3:
					repeated <- true
					<-proceed
				}
				return 0
			})
			out := sinktest.Open(t, Kind, s.URL, sink.Config{})
			g := handlertest.Start(t, out, 1, 64)
			send(g, "a")
			g.Wait(1)
			send(g, "b")
			if want == wrong || want == later {
				<-repeated
				if err := out.Ready(); err == nil || !strings.Contains(err.Error(), statusText(status)) {
					t.Errorf("ready: %v", err)
				}
				proceed <- true
			}
			g.Wait(2)
			g.WaitFor("ready", func() bool { return out.Ready() == nil })
			g.Stop()
			if refused := g.Code(1) == worker.Refused; refused != (want == unfit) || out.Err() != nil {
				t.Errorf("code %d, error: %v", g.Code(1), out.Err())
			}
		})
	}
}

// TestSplit: a server that refuses a whole batch because of some messages gets the others, once and
// in order.
func TestSplit(t *testing.T) {
	for _, status := range []int{400, 413, 422} {
		s := serve(t, func(_ http.ResponseWriter, p post) int {
			for _, m := range p.messages {
				if strings.HasPrefix(m, "bad") {
					return status
				}
			}
			return 0
		})
		out := sinktest.Open(t, Kind, s.URL, sink.Config{})
		g := handlertest.Start(t, out, 1, 256)
		var want []string
		for i := range 200 {
			m := fmt.Sprint("good ", i)
			if i%41 == 7 || i == 199 {
				m = fmt.Sprint("bad ", i)
			} else {
				want = append(want, m)
			}
			send(g, m)
		}
		g.Wait(200)
		g.Stop()
		s.wantStored(want...)
		if g.Refused != 6 {
			t.Errorf("%d: %d refused", status, g.Refused)
		}
	}
}

// TestRetryAfter: the wait that a server asks for, up to --reconnect-max.
func TestRetryAfter(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "nonsense": 0, "-3": 0, "3": 3 * time.Second, at.Add(time.Minute).Format(http.TimeFormat): time.Minute,
	} {
		got := wait(http.Header{"Retry-After": {value}, "Date": {at.Format(http.TimeFormat)}})
		if got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	in := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := wait(http.Header{"Retry-After": {in}}); got < 59*time.Minute || got > time.Hour {
		t.Errorf("without Date: %v", got)
	}

	var times []time.Time
	s := serve(t, func(w http.ResponseWriter, _ post) int {
		if times = append(times, time.Now()); len(times) == 1 {
			w.Header().Set("Retry-After", "3600")
			return 429
		}
		return 0
	})
	const most = 60 * time.Millisecond
	g := handlertest.Start(t, sinktest.Open(t, Kind, s.URL, sink.Config{ReconnectMin: time.Millisecond, ReconnectMax: most}), 1, 64)
	send(g, "a")
	g.Wait(1)
	g.Stop()
	if d := times[1].Sub(times[0]); d < most {
		t.Errorf("sent again after %v", d)
	}
}

// keys returns the Idempotency-Key of each request.
func keys(posts []post) (all []string) {
	for _, p := range posts {
		all = append(all, p.Header.Get("Idempotency-Key"))
	}
	return all
}

// TestIdempotencyKey: it is a quoted string, the same for a batch that is sent again, messages that are
// unfit excepted, and another one for any other batch, worker or process.
func TestIdempotencyKey(t *testing.T) {
	fail := 2
	var all []string
	s := serve(t, func(_ http.ResponseWriter, p post) int {
		all = append(all, keys([]post{p})...)
		if fail--; fail >= 0 {
			return 503
		}
		return 0
	})
	url := s.URL + "/?batch=3"
	for range 2 {
		g := handlertest.Start(t, sinktest.Open(t, Kind, url, sink.Config{}), 2, 64)
		send(g, "a\n", "b")
		g.Wait(2)
		g.Send(1, []byte("c"))
		g.Wait(3)
		send(g, "d")
		g.Wait(4)
		g.Stop()
	}
	// b, b, b, c, d, and of the second sink b, c, d
	if len(all) != 8 || all[0] != all[1] || all[1] != all[2] {
		t.Fatalf("%q", all)
	}
	seen := map[string]bool{}
	for _, key := range all[2:] {
		if seen[key] || len(key) < 30 || key[0] != '"' || strings.Trim(key, `"`) != key[1:len(key)-1] {
			t.Errorf("%q in %q", key, all)
		}
		seen[key] = true
	}
}

// TestConflict: a server that remembers keys answers 409 while it still processes the first copy. That
// is about the copy; a 409 to a batch that was sent once, or a lasting one, is about the messages.
func TestConflict(t *testing.T) {
	answers := []int{200, 503, 409, 409, 200, 409}
	posts := 0
	s := serve(t, func(http.ResponseWriter, post) int { posts++; return answers[posts-1] })
	g := handlertest.Start(t, sinktest.Open(t, Kind, s.URL, sink.Config{}), 1, 64)
	for i, m := range []string{"a", "b", "c"} {
		send(g, m)
		g.Wait(i + 1)
	}
	g.Stop()
	if s.wantStored("a", "b"); g.Code(1) != worker.OK || g.Code(2) != worker.Refused {
		t.Errorf("codes %d, %d", g.Code(1), g.Code(2))
	}

	posts = 0
	s = serve(t, func(http.ResponseWriter, post) int {
		posts++
		return map[int]int{1: 200, 2: 503}[posts] + map[bool]int{true: 409}[posts > 2]
	})
	g = handlertest.Start(t, openWith(t, s.URL, sink.Config{}, func(set *settings) { set.answer = 50 * time.Millisecond }), 1, 64)
	send(g, "a")
	g.Wait(1)
	send(g, "b")
	g.Wait(2)
	if g.Stop(); g.Code(1) != worker.Refused {
		t.Errorf("a lasting 409: code %d", g.Code(1))
	}
}

// TestRefusalsAreLogged: with the status, without the server's text or the message.
func TestRefusalsAreLogged(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, p post) int {
		if p.messages[0] != "s3cret" {
			return 0
		}
		w.WriteHeader(422)
		_, _ = w.Write([]byte("s3cret is bad"))
		return -1
	})
	log, cfg := logged(t)
	g := handlertest.Start(t, sinktest.Open(t, Kind, s.URL, cfg), 1, 64)
	for i, m := range []string{"a", "s3cret"} {
		send(g, m)
		g.Wait(i + 1)
	}
	g.Stop()
	if !log.Has(`the server answered 422 Unprocessable Entity"`) || log.Has("s3cret") {
		t.Error(log.String())
	}
}
