package http

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// TestKill: the gateway is killed (SIGKILL) at random moments under load and restarted at once with the
// same state file. Nothing that was acked is missing at the server, and each kill makes no more messages
// be stored again than were in flight.
func TestKill(t *testing.T) {
	t.Parallel()
	rng, s := testkit.Rand(t), serve(t, nil)
	f := prepare(t, s, endless(t), "--state="+filepath.Join(t.TempDir(), "state"))
	kills := testkit.Form(5, 100)
	for range kills {
		f.run()
		f.live(rng)
		f.Kill()
		f.relay.WaitClosed()
	}
	f.run()
	s.awaitMore(1)
	c := f.end()
	if s.twice > uint64(kills*window) {
		t.Errorf("%d messages stored again after %d kills", s.twice, kills)
	}
	t.Logf("%d kills, %d messages", kills, c.Sent)
}

// live lets a gateway run until some messages are acked, or for a moment after its start.
func (f *flow) live(rng *rand.Rand) {
	f.t.Helper()
	if f.tap.Count() > 0 && rng.IntN(4) == 0 {
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		return
	}
	enough := f.tap.Count() + 1 + uint64(rng.IntN(2000))
	testkit.Eventually(f.t, "acks", func() bool { return f.tap.Count() >= enough })
	time.Sleep(time.Duration(rng.IntN(5000)) * time.Microsecond)
}

// TestTerminate: SIGTERM under load finishes what the server can take: no message is stored twice when the
// next gateway resumes the session.
func TestTerminate(t *testing.T) {
	t.Parallel()
	rng, s := testkit.Rand(t), serve(t, nil)
	f := prepare(t, s, endless(t), "--state="+filepath.Join(t.TempDir(), "state"))
	for range testkit.Form(3, 30) {
		f.run()
		f.AdminAddr() // from then on, it handles signals
		f.live(rng)
		f.Stop()
	}
	f.run()
	s.awaitMore(1)
	f.end()
	if s.twice > 0 {
		t.Errorf("%d messages stored again", s.twice)
	}
}

// TestTerminateWhileAway: SIGTERM while the server does not take messages: the process ends in time with
// status 1, and acks nothing that is not stored. The next one delivers it.
func TestTerminateWhileAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  func(held *pause) fault
		killed bool
	}{
		"unreachable": {func(*pause) fault { return fault{} }, true},
		"no answer":   {func(held *pause) fault { return fault{before: 503, wait: held} }, false},
		"late answer": {func(held *pause) fault { return fault{wait: held} }, false},
		"busy":        {func(*pause) fault { return fault{before: 503} }, false},
		"resets":      {func(*pause) fault { return fault{before: 503, reset: true} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held, s, away := newPause(t), serve(t, nil), true
			s.choose = func(r request) fault {
				if away && r.n > 4 {
					return c.fault(held)
				}
				return fault{}
			}
			f := prepare(t, s, endless(t), "--state="+filepath.Join(t.TempDir(), "state"), "--drain-timeout=500ms")
			f.run()
			s.awaitMore(1)
			if c.killed {
				s.kill()
			}
			time.Sleep(300 * time.Millisecond) // some messages are under way
			f.Signal(syscall.SIGTERM)
			begun := time.Now()
			f.Exit(1)
			if took := time.Since(begun); took > 4*time.Second {
				t.Errorf("the end took %v", took)
			}
			s.mu.Lock()
			away = false
			s.mu.Unlock()
			if held.stop(); c.killed {
				s.start()
			}
			f.run()
			s.awaitMore(1)
			f.end()
			if s.twice > window {
				t.Errorf("%d messages stored again", s.twice)
			}
		})
	}
}

// TestCredentials: a wrong password is exit status 1 before anything is acked. One that is revoked later
// makes messages wait, and /ready 503, until SIGHUP brings the next one. No log line has a password.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s, valid := serve(t, nil), "first-s3cret"
	s.choose = func(r request) fault {
		if user, password, _ := r.BasicAuth(); user != "me" || password != valid {
			return fault{before: 401}
		}
		return fault{}
	}
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong-s3cret")
	f := prepare(t, s, endless(t), "--sink-user=me", "--sink-password-file="+file)
	f.run()
	f.WaitLog("401 Unauthorized; see --sink-user, --sink-password-file and --sink-header")
	f.Exit(1)
	if f.tap.Count() > 0 || s.count() > 0 {
		t.Errorf("%d acks, %d messages stored", f.tap.Count(), s.count())
	}
	write(valid)
	f.run()
	s.awaitMore(1000)
	s.mu.Lock()
	valid = "second-s3cret"
	s.mu.Unlock()
	f.WaitReady("401 Unauthorized")
	write("second-s3cret")
	f.Signal(syscall.SIGHUP)
	f.WaitReady()
	s.awaitMore(1000)
	// A session of the first gateway never acked anything, and is resumed by nobody.
	f.source.Finish()
	f.Stop()
	if f.Log.Has("s3cret") || s.twice > 0 || s.late > 0 {
		t.Errorf("%d messages stored again, %d out of order, a password in the log: %v", s.twice, s.late, f.Log.Has("s3cret"))
	}
}

// TestWrongAtStart: what is wrong from the start is exit status 1, with the reason, and nothing is acked.
func TestWrongAtStart(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		301: "301 Moved Permanently; a redirect is not followed", 403: "403 Forbidden; see --sink-user",
		404: "404 Not Found; see the path in the URL", 405: "405 Method Not Allowed; it takes no POST there",
		411: "411 Length Required", 415: "415 Unsupported Media Type; see format= in the URL",
		400: "the server refused every message of the first batch", 422: "422 Unprocessable",
	} {
		s := serve(t, func(request) fault { return fault{before: status} })
		f := prepare(t, s, feed(t, 1000, feedserver.Config{}))
		f.run()
		f.WaitLog(want)
		f.Exit(1)
		if f.tap.Count() > 0 {
			t.Errorf("%d: %d acks", status, f.tap.Count())
		}
	}
	s := serve(t, nil)
	f := prepare(t, s, feed(t, 1000, feedserver.Config{}))
	f.sink = strings.Replace(s.url(), "http:", "https:", 1)
	f.run()
	f.WaitLog("the server does not speak TLS; see the URL's scheme")
	f.Exit(1)
}

// TestRefused: a server that refuses batches because of some messages has all others, each key in order.
// The refused ones are dead letters. So are messages that are not JSON, with format=json.
func TestRefused(t *testing.T) {
	t.Parallel()
	bad := func(n int) bool { return n%97 == 0 }
	text := func(dst []byte, n int) []byte {
		if dst = line(dst, n); bad(n) {
			dst = append(dst, strings.Repeat(" too large", 1000)...)
		}
		return dst
	}
	s := serve(t, func(r request) fault {
		for _, m := range r.messages {
			if len(m) > 1000 {
				return fault{before: 413}
			}
		}
		return fault{}
	})
	s.refuses = true
	count := testkit.Form(5000, 50_000)
	dead := filepath.Join(t.TempDir(), "dead")
	f := prepare(t, s, feedtest.Serve(t, "some-large", count, text, feedserver.Config{}), "--dead-letter=file:"+dead)
	f.run()
	c := feedtest.OnlySession(t, f.source.End())
	f.Stop()
	refused := uint64(count / 97)
	s.check(uint64(count), refused)
	letters, err := os.ReadFile(dead)
	if err != nil || strings.Count(string(letters), "\n") != int(refused) || c.Missing > 0 || c.Refused != refused || s.twice > 0 {
		t.Errorf("%d dead letters of %d, %v; %+v", strings.Count(string(letters), "\n"), refused, err, c)
	}
	t.Log(s)
}
