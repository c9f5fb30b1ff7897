package ws_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"feedgate/bench/baselines"
	"feedgate/cmd/feedgate/feedserver"
	"feedgate/cmd/feedgate/feedserver/feedtest"
)

func TestFeedCountsEveryAckOnce(t *testing.T) {
	for _, c := range []struct {
		count          int64
		size, fragment int
	}{{20_000, 64, 1}, {1, 1, 1}, {2_000, 500, 3}, {1_000, 5000, 1}, {100, 65536, 1}} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("size=%d/fragment=%d/workers=%d", c.size, c.fragment, workers), func(t *testing.T) {
				each(t, func(t *testing.T, run baselines.Func) {
					srv := feedtest.Start(t, feedserver.Config{
						Protocol: "ws", Count: c.count, Size: c.size, Fragment: c.fragment, SessionTimeout: time.Millisecond,
					})
					var worked, bytes atomic.Int64
					ctx := testContext(t)
					res, err := run(ctx, srv.Addr().String(), workers, func(msg []byte) {
						worked.Add(1)
						bytes.Add(int64(len(msg)))
					})
					if err != nil {
						t.Fatal(err)
					}
					n := uint64(c.count)
					if want := (baselines.Result{Messages: n, Bytes: n * uint64(c.size)}); res != want {
						t.Errorf("result %+v, want %+v", res, want)
					}
					if worked.Load() != c.count || bytes.Load() != c.count*int64(c.size) {
						t.Errorf("%d messages of %d bytes were worked on", worked.Load(), bytes.Load())
					}
					r, err := srv.Wait(ctx)
					if err != nil || ctx.Err() != nil {
						t.Fatalf("%v, %v: %+v", err, ctx.Err(), r)
					}
					got := r.Total
					got.Seconds, got.MsgsPerS, got.MBPerS, got.P50US, got.P99US, got.P999US, got.MaxUS = 0, 0, 0, 0, 0, 0, 0
					if want := (feedserver.Counts{Sent: n, Acknowledged: n, Connections: 1}); got != want {
						t.Errorf("report %+v, want %+v", got, want)
					}
				})
			})
		}
	}
}
