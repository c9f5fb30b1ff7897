package nsq_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"feedgate/bench/baselines"
	"feedgate/bench/baselines/nsq"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/worker/testkit"
)

// timeless returns a report without times.
func timeless(c feedserver.Counts) feedserver.Counts {
	c.Seconds, c.MsgsPerS, c.MBPerS = 0, 0, 0
	return c
}

func TestEveryMessageIsFinishedOnce(t *testing.T) {
	for _, c := range []struct {
		count uint64
		size  int
	}{{20_000, 64}, {1, 1}, {3000, 5000}, {10, 1 << 20}} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("size=%d/workers=%d", c.size, workers), func(t *testing.T) {
				each(t, func(t *testing.T, run baselines.Func) {
					s := serve(t, nsq.Config{Count: c.count, Size: c.size})
					ctx := testContext(t)
					report, ended := ending(ctx, s)
					var worked, bytes atomic.Uint64
					res, err := run(ctx, s.Addr().String(), workers, func(msg []byte) {
						worked.Add(1)
						bytes.Add(uint64(len(msg)))
					})
					if err := errors.Join(err, <-ended, ctx.Err()); err != nil {
						t.Fatalf("%v: %+v", err, s.Report().Total)
					}
					if res.Messages != c.count || worked.Load() != c.count || bytes.Load() != c.count*uint64(c.size) {
						t.Errorf("result %+v; %d messages of %d bytes were worked on", res, worked.Load(), bytes.Load())
					}
					total := report.Total
					if want := (feedserver.Counts{Sent: c.count, Acknowledged: c.count, Connections: 1}); timeless(total) != want {
						t.Errorf("report %+v, want %+v", total, want)
					}
					if total.Seconds <= 0 || total.MsgsPerS <= 0 || total.MBPerS <= 0 {
						t.Errorf("rate in %+v", total)
					}
					if _, ok := report.LatencyAt(50); ok {
						t.Error("there is a latency, which nobody measures")
					}
				})
			})
		}
	}
}

// TestDurationEndsOnlyTheSending: messages sent by then are finished; the others are not sent.
func TestDurationEndsOnlyTheSending(t *testing.T) {
	each(t, func(t *testing.T, run baselines.Func) {
		const count = 50_000
		s := serve(t, nsq.Config{Count: count, Size: 10, Duration: 1})
		ctx := testContext(t)
		report, ended := ending(ctx, s)
		res, err := run(ctx, s.Addr().String(), 2, idle)
		if err := errors.Join(err, <-ended, ctx.Err()); err != nil {
			t.Fatal(err)
		}
		total := report.Total
		want := feedserver.Counts{Sent: total.Sent, Acknowledged: total.Sent, Unsent: count - total.Sent, Connections: 1}
		if timeless(total) != want || total.Sent == 0 || res.Messages < total.Sent {
			t.Errorf("report %+v of %+v", total, res)
		}
	})
}

// ending waits for the end of s, closes it, and then sends the error; after that the report is final.
func ending(ctx context.Context, s *nsq.Server) (*feedserver.Report, <-chan error) {
	report, ended := new(feedserver.Report), make(chan error, 1)
	go func() {
		var err error
		*report, err = s.Wait(ctx)
		ended <- errors.Join(err, s.Close())
	}()
	return report, ended
}

func TestRefusedConnectionIsAnError(t *testing.T) {
	for name, run := range map[string]baselines.Func{"go-nsq": nsq.GoNSQ, "inline": nsq.Inline} {
		t.Run(name, func(t *testing.T) {
			listener := testkit.Listen(t)
			addr := listener.Addr().String()
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := run(testContext(t), addr, 1, idle); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestCancelledClientReturnsTheCause(t *testing.T) {
	each(t, func(t *testing.T, run baselines.Func) {
		s := serve(t, nsq.Config{Count: 100, Size: 10})
		ctx, cancel := context.WithCancel(testContext(t))
		defer cancel()
		if _, err := run(ctx, s.Addr().String(), 2, func([]byte) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}
