package baselines_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/bench/baselines"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/cmd/feedgate/feedserver/feedtest"
)

// startFeed starts a feed server that sends no PING. It ends with the test.
func startFeed(t *testing.T, count int64, size int) *feedserver.Server {
	t.Helper()
	return feedtest.Start(t, feedserver.Config{
		Count: count, Size: size, Heartbeat: time.Hour, SessionTimeout: time.Millisecond,
	})
}

// wait waits for the end of the feed and returns its report, without times.
func wait(t *testing.T, s *feedserver.Server) feedserver.Counts {
	t.Helper()
	ctx := testContext(t)
	r, err := s.Wait(ctx)
	if err != nil || ctx.Err() != nil {
		t.Fatalf("%v, %v: %+v", err, ctx.Err(), r)
	}
	return untimed(r)
}

func untimed(r feedserver.Report) feedserver.Counts {
	c := r.Total
	c.Seconds, c.MsgsPerS, c.MBPerS, c.P50US, c.P99US, c.P999US, c.MaxUS = 0, 0, 0, 0, 0, 0, 0
	return c
}

func TestFeedCountsEveryAckOnce(t *testing.T) {
	for _, c := range []struct {
		count int64
		size  int
	}{{10_000, 1}, {10_000, 64}, {2_000, 5000}, {200, 65536}} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("size=%d/workers=%d", c.size, workers), func(t *testing.T) {
				each(t, all, func(t *testing.T, s subject) {
					srv := startFeed(t, c.count, c.size)
					var worked, bytes atomic.Int64
					res, err := s.run(testContext(t), srv.Addr().String(), workers, func(msg []byte) {
						worked.Add(1)
						bytes.Add(int64(len(msg)))
					})
					if err != nil {
						t.Fatal(err)
					}
					want := baselines.Result{Messages: uint64(c.count), Bytes: uint64(c.count) * uint64(c.size)}
					if res != want {
						t.Errorf("result %+v, want %+v", res, want)
					}
					if s.name != "limit" && (worked.Load() != c.count || bytes.Load() != c.count*int64(c.size)) {
						t.Errorf("%d messages of %d bytes were worked on", worked.Load(), bytes.Load())
					}
					n := uint64(c.count)
					if got, want := wait(t, srv), (feedserver.Counts{Sent: n, Acknowledged: n, Connections: 1}); got != want {
						t.Errorf("report %+v, want %+v", got, want)
					}
					if name := srv.Report().Clients[0].Client; name != s.name {
						t.Errorf("it calls itself %q", name)
					}
				})
			})
		}
	}
}

func TestControlsHaveTheirFault(t *testing.T) {
	const count = 5000
	for _, c := range []struct {
		subject
		wrong int // acks of message 1000
	}{
		{subject{"inline-slow", baselines.InlineSlow}, 1},
		{subject{"inline-loses", baselines.InlineLoses}, 0},
		{subject{"inline-doubles", baselines.InlineDoubles}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := unkind{
				first: 1, messages: count, size: func(r *rand.Rand) int { return 8 + r.IntN(100) },
				acks: map[uint64]int{1000: c.wrong},
			}
			addr, served := listen(t, f.serve)
			_, err := c.run(testContext(t), addr, 1, idle)
			if serr := <-served; err != nil || serr != nil {
				t.Errorf("client: %v; feed: %v", err, serr)
			}
		})
	}
}

func TestFeedFindsTheLostAck(t *testing.T) {
	const count = 5000
	srv := startFeed(t, count, 64)
	ctx, cancel := context.WithCancel(testContext(t))
	ended := make(chan error, 1)
	go func() {
		_, err := baselines.InlineLoses(ctx, srv.Addr().String(), 1, idle)
		ended <- err
	}()
	for srv.Report().Total.Acknowledged < count-1 {
		if ctx.Err() != nil {
			t.Fatalf("report %+v", srv.Report())
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("client: %v", err)
	}
	if got, want := wait(t, srv), (feedserver.Counts{Sent: count, Acknowledged: count - 1, Missing: 1, Connections: 1}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

func TestFeedFindsTheDuplicateAck(t *testing.T) {
	const count = 5000
	srv := startFeed(t, count, 64)
	if _, err := baselines.InlineDoubles(testContext(t), srv.Addr().String(), 1, idle); err != nil {
		t.Fatal(err)
	}
	if got, want := wait(t, srv), (feedserver.Counts{Sent: count, Acknowledged: count, Duplicate: 1, Connections: 1}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
}

// TestInlineSlowTakesAQuarterLonger: independent of the machine's speed, InlineSlow takes at least
// 1.25 times its work.
func TestInlineSlowTakesAQuarterLonger(t *testing.T) {
	const count = 1000
	srv := startFeed(t, count, 64)
	var worked time.Duration
	begun := time.Now()
	_, err := baselines.InlineSlow(testContext(t), srv.Addr().String(), 1, func([]byte) {
		begun := time.Now()
		for time.Since(begun) < 20*time.Microsecond {
		}
		worked += time.Since(begun)
	})
	if took := time.Since(begun); err != nil || took < worked+worked/4 {
		t.Errorf("%v of work in %v; %v", worked, took, err)
	}
	if got, want := wait(t, srv), (feedserver.Counts{Sent: count, Acknowledged: count, Connections: 1}); got != want {
		t.Errorf("report %+v, want %+v", got, want)
	}
}
