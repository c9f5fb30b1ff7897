package feed

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"feedgate/cmd/feedgate/e2e/testkit"
	"feedgate/cmd/feedgate/feedserver"
)

// TestCutEverywhere: an exchange of three messages over FG/1 is cut at each of its bytes, in
// either direction, by a reset or an end of stream. Nothing is lost, and no process handles a
// message twice, even if the feed ignores HELLO's number and sends finished messages again.
func TestCutEverywhere(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"each", "range"} {
		for _, trustsHello := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/trustsHello=%v", mode, trustsHello), func(t *testing.T) {
				t.Parallel()
				e := &exchange{mode: mode, trustsHello: trustsHello, dir: t.TempDir()}
				length := e.run(t, testkit.Cut{})
				jobs := make(chan testkit.Cut)
				var running sync.WaitGroup
				for range 4 {
					running.Go(func() {
						for c := range jobs {
							e.run(t, c)
						}
					})
				}
				n := e.all(length, func(c testkit.Cut) { jobs <- c })
				close(jobs)
				running.Wait()
				t.Logf("%d bytes down and %d up: %d exchanges, %d of them cut; %d connections; lost %d, processed twice %d",
					length[testkit.Down], length[testkit.Up], n, e.cuts, e.connections, e.lost, e.twice)
				if e.cuts < n*9/10 {
					t.Errorf("only %d of %d exchanges were cut", e.cuts, n)
				}
			})
		}
	}
}

const cutMessages = 3

// exchange is a session of cutMessages messages, and the sums over all its runs.
type exchange struct {
	mode        string
	trustsHello bool // the feed treats HELLO's seq as a cumulative ack

	dir string

	mu                      sync.Mutex
	runs, cuts, connections int
	lost, twice             uint64
}

// all calls try with every cut of an exchange of that length, in the short form with one in
// stride, and returns their number.
func (e *exchange) all(length [2]int64, try func(testkit.Cut)) (n int) {
	stride := testkit.Form(24, 1)
	for _, where := range []testkit.Direction{testkit.Down, testkit.Up} {
		for _, how := range []testkit.Ending{testkit.Reset, testkit.Fin} {
			// In the short form, the four kinds of exchange are cut at different bytes.
			from := 0
			if stride > 1 {
				from = int(how-testkit.Reset) * stride / 2
				if e.mode == "range" {
					from += stride / 4
				}
				if e.trustsHello {
					from += stride / 8
				}
			}
			for after := int64(from); after < length[where]; after += int64(stride) {
				try(testkit.Cut{How: how, Where: where, After: after})
				n++
			}
		}
	}
	return n
}

// run cuts the first connection of an exchange. It returns the bytes that were relayed on it.
func (e *exchange) run(t *testing.T, c testkit.Cut) [2]int64 {
	t.Helper()
	source := serve(t, cutMessages, feedserver.Config{IgnoreHelloSeq: !e.trustsHello})
	defer source.Close()
	relay := testkit.StartRelay(t, source.Address(), testkit.RelayOptions{Cuts: func(connection int) testkit.Cut {
		if connection > 0 {
			return testkit.Cut{}
		}
		return c
	}})
	e.mu.Lock()
	e.runs++
	file := newLedger(t, filepath.Join(e.dir, strconv.Itoa(e.runs)))
	e.mu.Unlock()
	g := start(t, "fg://"+relay.Addr(), file.Flag(), "--ack="+e.mode, "--ack-interval=1ms",
		"--workers=1", "--exit-on-close", "--client-name=c", "--memory=4MiB")
	g.Exit(0)
	// The feed server closes the session, and so the gateway exits, once it has every ack.
	sessions := source.Report().Clients
	if len(sessions) > 2 || len(sessions) > 1 && g.Log.Has("session="+sessions[0].Session) {
		t.Errorf("cut %+v: the session was known and not resumed: %+v", c, sessions)
	}
	lost, twice := checkSession(t, file, sessions[len(sessions)-1].Counts), file.Duplicates()
	if lost+twice > 0 {
		t.Errorf("cut %+v: %d messages lost, %d processed twice by one process; its log:\n%s", c, lost, twice, g.Log.Tail())
	}
	connections, cuts := relay.Counts()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += lost
	e.twice += twice
	e.cuts += cuts
	e.connections += connections
	return relay.Transferred(0)
}
