package http

import (
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/testkit"
)

// window is --in-flight of most flows: no fault makes more messages be stored again.
const window = 4000

// TestServerStopped: the server is stopped under load and started again. /ready is 503 meanwhile.
func TestServerStopped(t *testing.T) {
	t.Parallel()
	rng, s := testkit.Rand(t), serve(t, nil)
	f := begin(t, s)
	stops := testkit.Form(4, 25)
	for range stops {
		s.awaitMore(uint64(1 + rng.IntN(5000)))
		s.kill()
		f.WaitReady("sink: ", "connection refused")
		s.start()
		f.WaitReady()
	}
	f.end()
	if s.twice > uint64(stops*window) {
		t.Errorf("%d messages stored again after %d stops", s.twice, stops)
	}
}

// TestServerKilled: the server is killed at random moments, after it has stored a batch and before it
// has answered, too. It drops batches that it has stored by their key: then nothing is stored twice.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	for _, dedupe := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "idempotent"}[dedupe], func(t *testing.T) {
			t.Parallel()
			rng, s := testkit.Rand(t), serve(t, nil)
			s.dedupe = dedupe
			f := begin(t, s)
			kills := testkit.Form(4, 25)
			for range kills {
				s.awaitMore(1)
				time.Sleep(time.Duration(rng.IntN(20_000)) * time.Microsecond)
				s.kill()
				time.Sleep(time.Duration(rng.IntN(20_000)) * time.Microsecond)
				s.start()
			}
			s.awaitMore(1)
			f.end()
			if limit := uint64(kills * window); s.twice > limit || dedupe && s.twice > 0 {
				t.Errorf("%d messages stored again after %d kills", s.twice, kills)
			}
		})
	}
}

// TestAnswers: requests fail in every way, before or after they are stored. An idempotent server has each
// message once.
func TestAnswers(t *testing.T) {
	t.Parallel()
	rng, faults, most := testkit.Rand(t), 0, testkit.Form(100, 2000)
	s := serve(t, nil)
	s.choose = func(r request) fault {
		if r.n <= 4 || rng.IntN(3) > 0 || faults == most {
			return fault{}
		}
		faults++
		switch status := []int{408, 425, 429, 500, 502, 503, 504, 507}[rng.IntN(8)]; rng.IntN(4) {
		case 0:
			return fault{before: status}
		case 1:
			return fault{after: status}
		case 2:
			return fault{before: 503, reset: true}
		}
		return fault{reset: true}
	}
	s.dedupe = true
	f := begin(t, s)
	testkit.Eventually(t, "the faults", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return faults == most
	})
	f.end()
	if s.twice > 0 || s.dropped == 0 {
		t.Errorf("%d messages stored again, %d dropped by the key of their batch", s.twice, s.dropped)
	}
}

// TestReset: connections are reset or ended after an exact number of bytes, in a request or an answer.
func TestReset(t *testing.T) {
	t.Parallel()
	rng, s := testkit.Rand(t), serve(t, nil)
	s.dedupe = true
	cuts := testkit.Form(10, 100)
	relay := testkit.StartRelay(t, s.address, testkit.RelayOptions{Cuts: func(connection int) testkit.Cut {
		how := []testkit.Ending{testkit.Reset, testkit.Fin}[connection%2]
		switch {
		case connection == 0 || connection > cuts: // the first one is only a check
			return testkit.Cut{}
		case connection%3 == 0:
			return testkit.Cut{How: how, Where: testkit.Down, After: rng.Int64N(500)}
		}
		return testkit.Cut{How: how, Where: testkit.Up, After: rng.Int64N(100_000)}
	}})
	// One worker, as the relay has one connection at a time.
	f := prepare(t, s, endless(t), "--workers=1")
	f.sink = "http://" + relay.Addr() + "/in"
	f.run()
	testkit.Eventually(t, "every cut", func() bool { _, n := relay.Counts(); return n >= cuts-1 })
	s.awaitMore(1)
	f.end()
	if s.twice > 0 {
		t.Errorf("%d messages stored again", s.twice)
	}
}

// TestStall: a server that answers nothing for a minute gets nothing twice. Memory stays bounded, the
// stall is reported, and the rest follows.
func TestStall(t *testing.T) {
	t.Parallel()
	held, s := newPause(t), serve(t, nil)
	s.choose = func(r request) fault {
		if r.n > 20 {
			return fault{wait: held}
		}
		return fault{}
	}
	f := begin(t, s, "--stall-after=500ms", "--memory=16MiB")
	f.WaitReady("stalled", "for "+s.url())
	lines := f.Log.Lines()
	time.Sleep(testkit.Form(2*time.Second, 65*time.Second))
	if more := f.Log.Lines() - lines; more > 10 {
		t.Errorf("%d log lines during the stall", more)
	}
	held.stop()
	f.WaitReady()
	rss := f.PeakRSS()
	f.end()
	if limit := int64(testkit.Form(120, 120) << 20); s.twice > 0 || rss > limit {
		t.Errorf("%d messages stored again, at most %d MiB of memory", s.twice, rss>>20)
	}
}

// TestFullDisk: a server that cannot store anything for a while answers 507. Messages wait, with few log
// lines and little work, and /ready names the reason.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	full, s := true, serve(t, nil)
	s.choose = func(r request) fault {
		if full && r.n > 20 {
			return fault{before: 507}
		}
		return fault{}
	}
	f := begin(t, s, "--reconnect-max=200ms")
	f.WaitReady("507 Insufficient Storage")
	s.mu.Lock()
	requests := s.requests
	s.mu.Unlock()
	lines, span := f.Log.Lines(), testkit.Form(2*time.Second, 10*time.Second)
	time.Sleep(span)
	s.mu.Lock()
	requests = s.requests - requests
	full = false
	s.mu.Unlock()
	// One line per second reports the wait; 4 workers send again after 100 ms on average.
	if n, most := f.Log.Lines()-lines, int(span.Seconds())+2; n > most || requests > 200*int(span.Seconds()) {
		t.Errorf("%d log lines and %d requests in %v", n, requests, span)
	}
	f.WaitReady()
	f.end()
	if s.twice > 0 {
		t.Errorf("%d messages stored again", s.twice)
	}
}
