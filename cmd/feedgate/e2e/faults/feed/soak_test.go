package feed

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"feedgate/cmd/feedgate/e2e/faults/feedtest"
	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

const soakRate = 2000 // messages per second, to each gateway

// TestSoak: several gateways share a feed, each with its own file, and every second one of them
// gets a random fault. At the end each ledger is exact, and the gateway that was never killed uses
// no more memory, goroutines and descriptors than at the beginning.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Parallel()
	}
	span := testkit.Form(10*time.Second, time.Minute)
	if given := os.Getenv("CHAOS_SOAK"); given != "" {
		var err error
		if span, err = time.ParseDuration(given); err != nil {
			t.Fatalf("CHAOS_SOAK: %v", err)
		}
	}
	lines := int(soakRate*span.Seconds()) + soakRate*60
	fg := serve(t, lines, feedserver.Config{Count: feedserver.Endless, Rate: soakRate, Clients: 4})
	line := serve(t, lines, feedserver.Config{Protocol: "line", Count: feedserver.Endless, Rate: soakRate})
	s := &soak{t: t, rng: testkit.Rand(t), faults: map[string]int{}}
	s.add(fg, "each", true, "--ack=each")
	s.add(fg, "ordered", true, "--ack=ordered")
	s.add(fg, "range", true, "--ack=range", "--dispatch=key", "--key=bytes:8:1")
	s.add(line, "line", true, "--frame=line", `--ack-template=A{n}\n`)
	s.add(fg, "steady", false, "--ack=each")
	s.run(span)
	s.heal()
	all := map[string]feedserver.Counts{"line": feedtest.OnlySession(t, line.Finish())}
	for _, c := range fg.Finish().Clients {
		if _, doubled := all[c.Client]; doubled {
			t.Errorf("%s has two sessions", c.Client)
		}
		all[c.Client] = c.Counts
	}
	for _, st := range s.stations {
		st.g.Stop()
		c := all[st.name]
		checkSession(t, st.file, c)
		t.Logf("%-8s %8d messages, %4d connections, %4d starts, %6d processed again", st.name, c.Sent, c.Connections, st.starts, st.file.Duplicates())
	}
	t.Logf("faults in %v: %v", span, s.faults)
	s.flat()
}

// soak has the stations and the faults they got. The test's goroutine owns it.
type soak struct {
	t        *testing.T
	rng      *rand.Rand
	stations []*station
	faults   map[string]int
	series   []reading // of the last station, which is never killed
}

// reading is one sample of a gateway's resources, taken every second.
type reading struct {
	rss        int64
	goroutines float64
	fds        int
}

func (s *soak) add(from *feedtest.Source, name string, mortal bool, args ...string) {
	s.t.Helper()
	dir := s.t.TempDir()
	st := &station{
		t: s.t, rng: s.rng, name: name, mortal: mortal,
		file: newLedger(s.t, filepath.Join(dir, "out")), state: filepath.Join(dir, "state"),
	}
	scheme := "tcp://"
	if name != "line" {
		scheme, st.tap = "fg://", feedtest.NewTap(s.t)
	}
	st.relay = testkit.StartRelay(s.t, from.Address(), testkit.RelayOptions{Observe: st.tap.Observe})
	st.toxics = startToxics(s.t, st.relay.Addr())
	st.args = append([]string{scheme + st.toxics.addr(), "--client-name=" + name, st.file.Flag(),
		"--state=" + st.state, "--workers=2", "--in-flight=4000", "--memory=16MiB", "--idle-timeout=2s",
		"--heartbeat=500ms", "--connect-timeout=2s", "--drain-timeout=3s"}, args...)
	st.start()
	s.stations = append(s.stations, st)
}

// run injects a fault into a random healthy station every second, ends the faults whose time is
// over, and samples the station that is never killed.
func (s *soak) run(span time.Duration) {
	s.t.Helper()
	for _, st := range s.stations {
		st.awaitProgress()
	}
	begun := time.Now()
	for next := begun; time.Since(begun) < span; time.Sleep(20 * time.Millisecond) {
		now := time.Now()
		for _, st := range s.stations {
			if st.heal != nil && now.After(st.until) {
				st.recover()
			}
			if !st.g.Running() {
				s.t.Fatalf("the gateway %s ended on its own", st.name)
			}
		}
		if now.Before(next) {
			continue
		}
		next = next.Add(time.Second)
		if healthy := s.healthy(); len(healthy) > 0 {
			s.faults[healthy[s.rng.IntN(len(healthy))].inject()]++
		}
		s.sample(s.stations[len(s.stations)-1])
	}
}

func (s *soak) healthy() (all []*station) {
	for _, st := range s.stations {
		if st.heal == nil {
			all = append(all, st)
		}
	}
	return all
}

// heal ends all faults, and waits until every station makes progress.
func (s *soak) heal() {
	s.t.Helper()
	for _, st := range s.stations {
		if st.heal != nil {
			st.recover()
		}
	}
	for _, st := range s.stations {
		if st.tap == nil {
			st.bypass()
		}
		st.awaitProgress()
	}
}

func (s *soak) sample(st *station) {
	s.t.Helper()
	u := st.g.mustUsage()
	s.series = append(s.series, reading{u.rss, st.g.mustMetric("go_goroutines"), u.fds})
}

// flat compares the medians of the first quarter and the last.
func (s *soak) flat() {
	s.t.Helper()
	n := len(s.series) / 4
	if n == 0 {
		s.t.Fatalf("%d readings are too few to compare", len(s.series))
	}
	first, last := medians(s.series[:n]), medians(s.series[len(s.series)-n:])
	s.t.Logf("steady, medians of %d readings each: RSS %s, then %s; goroutines %.0f, then %.0f; descriptors %d, then %d",
		n, mib(first.rss), mib(last.rss), first.goroutines, last.goroutines, first.fds, last.fds)
	// Allow a tenth, and the few MiB by which a young heap still grows.
	if last.rss > first.rss+first.rss/10+8<<20 {
		s.t.Error("RSS grows")
	}
	// A dial and a write of the state file may be in progress.
	if last.goroutines > first.goroutines+2 || last.fds > first.fds+2 {
		s.t.Error("goroutines or descriptors grow")
	}
}

// medians returns the median of each field.
func medians(series []reading) (m reading) {
	var rss []int64
	var goroutines []float64
	var fds []int
	for _, r := range series {
		rss, goroutines, fds = append(rss, r.rss), append(goroutines, r.goroutines), append(fds, r.fds)
	}
	slices.Sort(rss)
	slices.Sort(goroutines)
	slices.Sort(fds)
	k := len(series) / 2
	return reading{rss[k], goroutines[k], fds[k]}
}
